package mfahttp

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
)

// The limits of a body, in bytes.
const (
	maxBody    = 16 << 10
	maxPasskey = 64 << 10 // where a passkey may answer
)

// An endpoint returns the body of a success.
type endpoint func(w http.ResponseWriter, r *http.Request) (any, error)

func (h *Handler) routes() {
	route := func(pattern string, limit int64, serve endpoint) {
		method, path, _ := strings.Cut(pattern, " ")
		h.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			if r.Method != method {
				w.Header().Set("Allow", method)
				h.refuse(w, r, errMethod)
				return
			}
			r.Body = http.MaxBytesReader(w, r.Body, limit)
			body, err := serve(w, r)
			if err != nil {
				h.refuse(w, r, err)
				return
			}
			writeJSON(w, http.StatusOK, body)
		})
	}
	route("POST /auth/mfa/verify", maxPasskey, h.verifyLogin)
	route("POST /auth/mfa/send", maxBody, h.sendCode)
	route("POST /auth/mfa/passkey", maxBody, h.passkeyOptions)
	route("POST /mfa/enroll", maxBody, h.enroll)
	route("POST /mfa/verify", maxPasskey, h.verifyEnrollment)
	route("POST /mfa/backup-codes", maxBody, h.backupCodes)
	route("POST /mfa/unenroll", maxBody, h.unenroll)
	route("POST /mfa/revoke", maxBody, h.revoke)
	route("POST /mfa/factors/{id}", maxBody, h.rename)
	route("POST /mfa/step-up", maxPasskey, h.stepUp)
	route("GET /mfa/status", 0, h.status)
	route("GET /mfa/devices", 0, h.devices)
	route("POST /mfa/devices/forget", maxBody, h.forgetDevices)
	h.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { h.refuse(w, r, errNotFound) })
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.CrossOrigin(h.mux).ServeHTTP(w, r)
}

// CrossOrigin returns a handler that refuses what browsers send from other sites,
// Config.Origins excepted, to which it grants what CORS needs; for the host's own
// endpoints beside these.
func (h *Handler) CrossOrigin(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Add("Vary", "Origin")
		preflight := r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != ""
		if h.allows(r.Header.Get("Origin")) {
			header := w.Header()
			header.Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
			header.Set("Access-Control-Allow-Credentials", "true")
			header.Set("Access-Control-Expose-Headers", "Retry-After")
			if preflight {
				header.Set("Access-Control-Allow-Methods", "GET, POST")
				header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
				header.Set("Access-Control-Max-Age", "600")
				w.WriteHeader(http.StatusNoContent)
				return
			}
		} else if preflight {
			h.refuse(w, r, errOrigin)
			return
		}
		if h.origins.Check(r) != nil {
			h.refuse(w, r, errOrigin)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (h *Handler) allows(origin string) bool {
	for _, allowed := range h.config.Origins {
		if origin == allowed {
			return true
		}
	}
	return false
}

// decode reads one JSON object, and nothing after it.
func decode[T any](r *http.Request) (body T, err error) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return body, errContentType
	}
	decoder := json.NewDecoder(r.Body)
	object := &body // nil after a null
	if err = decoder.Decode(&object); err == nil && object != nil {
		if _, err = decoder.Token(); err == io.EOF {
			return body, nil
		}
	}
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return body, errTooLarge
	}
	return body, errBody
}

// bearer returns the token of the Authorization header (RFC 6750 §2.1), or "".
func bearer(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}
