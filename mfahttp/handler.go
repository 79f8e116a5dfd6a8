package mfahttp

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
)

// The limits of a body, in bytes.
const (
	maxBody    = 16 << 10
	maxPasskey = 64 << 10 // where a passkey may answer
)

// An endpoint returns the body of a success.
type endpoint func(h *Handler, w http.ResponseWriter, r *http.Request) (any, error)

var routes = []struct {
	method, path string
	limit        int64 // of the body
	serve        endpoint
}{
	{"POST", "/auth/mfa/verify", maxPasskey, (*Handler).verifyLogin},
	{"POST", "/auth/mfa/send", maxBody, (*Handler).sendCode},
	{"POST", "/auth/mfa/passkey", maxBody, (*Handler).passkeyOptions},
	{"POST", "/mfa/enroll", maxBody, (*Handler).enroll},
	{"POST", "/mfa/verify", maxPasskey, (*Handler).verifyEnrollment},
	{"POST", "/mfa/backup-codes", maxBody, (*Handler).backupCodes},
	{"POST", "/mfa/unenroll", maxBody, (*Handler).unenroll},
	{"POST", "/mfa/revoke", maxBody, (*Handler).revoke},
	{"POST", "/mfa/factors/{id}", maxBody, (*Handler).rename},
	{"POST", "/mfa/step-up", maxPasskey, (*Handler).stepUp},
	{"GET", "/mfa/status", 0, (*Handler).status},
	{"GET", "/mfa/devices", 0, (*Handler).devices},
	{"POST", "/mfa/devices/forget", maxBody, (*Handler).forgetDevices},
	{"GET", "/openapi.json", 0, (*Handler).openAPI},
}

func (h *Handler) routes() {
	for _, route := range routes {
		allow := route.method
		if allow == http.MethodGet {
			allow = "GET, HEAD" // RFC 9110 §9.1; the server leaves the body out
		}
		h.mux.HandleFunc(route.path, func(w http.ResponseWriter, r *http.Request) {
			if !slices.Contains(strings.Split(allow, ", "), r.Method) {
				w.Header().Set("Allow", allow)
				h.refuse(w, r, errMethod)
				return
			}
			r.Body = http.MaxBytesReader(w, r.Body, route.limit)
			body, err := route.serve(h, w, r)
			if err != nil {
				h.refuse(w, r, err)
				return
			}
			writeJSON(w, http.StatusOK, body)
		})
	}
	h.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { h.refuse(w, r, errNotFound) })
}

// ServeHTTP implements [http.Handler].
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.CrossOrigin(http.HandlerFunc(h.dispatch)).ServeHTTP(w, r)
}

// dispatch refuses paths such as //mfa/status, which a ServeMux would redirect:
// the answer to a client of the endpoints is JSON, and below a prefix that the
// host strips the redirect would lead elsewhere.
func (h *Handler) dispatch(w http.ResponseWriter, r *http.Request) {
	if escaped := r.URL.EscapedPath(); escaped != path.Clean(escaped) {
		h.refuse(w, r, errNotFound)
		return
	}
	h.mux.ServeHTTP(w, r)
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
				header.Set("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE")
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

// ReadJSON reads a body of one JSON object of at most 16 KiB into v, for the host's
// own endpoints beside these. Unknown fields are ignored. Its errors are ones that
// [Explain] knows: invalid_request, too_large, unsupported_media_type.
func ReadJSON(w http.ResponseWriter, r *http.Request, v any) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	return readJSON(r, v)
}

// readJSON reads one JSON object, and nothing after it.
func readJSON(r *http.Request, v any) error {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return errContentType
	}
	var object json.RawMessage
	decoder := json.NewDecoder(r.Body)
	err := decoder.Decode(&object)
	if err == nil {
		if _, more := decoder.Token(); more != io.EOF {
			err = cmp.Or(more, errBody)
		}
	}
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return errTooLarge
	}
	if err != nil || object[0] != '{' || json.Unmarshal(object, v) != nil {
		return errBody
	}
	return nil
}

func decode[T any](r *http.Request) (body T, err error) {
	err = readJSON(r, &body)
	return body, err
}

// BearerToken returns the token of the Authorization header (RFC 6750 §2.1), or "",
// for a Session whose clients send one.
func BearerToken(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return token
}
