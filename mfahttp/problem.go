package mfahttp

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/protekt/mfa"
)

// A Problem is an error as clients learn it. Marshalled as JSON it is the value of
// "error" in a response's body; a host with an envelope of its own reads the
// fields.
type Problem struct {
	// Status is the HTTP status.
	Status int `json:"-"`
	// Code is that of mfa.ErrorCode, or one of this package: unauthorized,
	// cross_origin, not_found, method_not_allowed, too_large,
	// unsupported_media_type.
	Code string `json:"code"`
	// Message is for people.
	Message string `json:"message"`
	// TriesLeft is how many more wrong codes the challenge or pending factor
	// takes, if the code was wrong.
	TriesLeft *int `json:"tries_left,omitempty"`
	// Spent reports whether the code was right but used before.
	Spent bool `json:"spent,omitempty"`
	// RetryAfter is how long to wait, in seconds rounded up.
	RetryAfter int `json:"retry_after,omitempty"`
	// Token is that of the challenge to answer, or of the enrollment to make,
	// first.
	Token     string       `json:"mfa_token,omitempty"`
	Methods   []mfa.Method `json:"available_methods,omitempty"`
	Factors   []Factor     `json:"factors,omitempty"`
	ExpiresAt time.Time    `json:"expires_at,omitzero"`
}

// A Factor is one that may answer a challenge.
type Factor struct {
	ID     string     `json:"id,omitempty"`
	Method mfa.Method `json:"method"`
	Label  string     `json:"label,omitempty"`
	Phone  string     `json:"phone,omitempty"` // masked
}

func factorsOf(c *mfa.ChallengeError) []Factor {
	factors := make([]Factor, len(c.Factors))
	for i, f := range c.Factors {
		factors[i] = Factor{ID: f.ID, Method: f.Method, Label: f.Label, Phone: f.Phone}
	}
	return factors
}

// Errors of the requests themselves.
var (
	errOrigin      = errors.New("mfahttp: cross-origin request")
	errNotFound    = errors.New("mfahttp: no such endpoint")
	errMethod      = errors.New("mfahttp: method not allowed")
	errBody        = errors.New("mfahttp: the body is not one JSON object as expected")
	errTooLarge    = errors.New("mfahttp: the body is too large")
	errContentType = errors.New("mfahttp: the body is not application/json")
)

var ownCodes = []struct {
	err  error
	code string
}{
	{ErrNoSession, "unauthorized"},
	{errOrigin, "cross_origin"},
	{errNotFound, "not_found"},
	{errMethod, "method_not_allowed"},
	{errBody, "invalid_request"},
	{errTooLarge, "too_large"},
	{errContentType, "unsupported_media_type"},
}

var statuses = map[string]int{
	"mfa_required":            http.StatusForbidden,
	"mfa_enrollment_required": http.StatusForbidden,
	"mfa_enforced":            http.StatusForbidden,
	"invalid_code":            http.StatusUnauthorized,
	"invalid_token":           http.StatusUnauthorized,
	"not_enrolled":            http.StatusNotFound,
	"no_pending_enrollment":   http.StatusConflict,
	"method_unavailable":      http.StatusUnprocessableEntity,
	"invalid_phone":           http.StatusUnprocessableEntity,
	"invalid_user":            http.StatusBadRequest,
	"invalid_request":         http.StatusBadRequest,
	"delivery_failed":         http.StatusBadGateway,
	"factor_disabled":         http.StatusForbidden,
	"too_many_attempts":       http.StatusTooManyRequests,
	"too_many_messages":       http.StatusTooManyRequests,
	"already_enrolled":        http.StatusConflict,
	"conflict":                http.StatusConflict,
	"internal":                http.StatusServiceUnavailable,
	"unauthorized":            http.StatusUnauthorized,
	"cross_origin":            http.StatusForbidden,
	"not_found":               http.StatusNotFound,
	"method_not_allowed":      http.StatusMethodNotAllowed,
	"too_large":               http.StatusRequestEntityTooLarge,
	"unsupported_media_type":  http.StatusUnsupportedMediaType,
}

var english = map[string]string{
	"mfa_required":            "Confirm with a second factor first.",
	"mfa_enrollment_required": "Set up a second factor first.",
	"mfa_enforced":            "Multi-factor authentication is required, so a factor cannot be removed. You can replace it.",
	"invalid_code":            "That code is not right. Please try again.",
	"invalid_token":           "That took too long, or was answered already. Please begin again.",
	"not_enrolled":            "There is no such factor on this account.",
	"no_pending_enrollment":   "Nothing is waiting for a code any more. Please start the setup again.",
	"method_unavailable":      "This method cannot be used here.",
	"invalid_phone":           "That is not a phone number. Write it with the country code, like +234 801 234 5678.",
	"invalid_user":            "That is not a user.",
	"invalid_request":         "That request cannot be understood.",
	"delivery_failed":         "The message could not be sent. Please try again, or use another method.",
	"factor_disabled":         "Too many wrong codes have disabled this factor. Use another one, or ask for it to be unlocked.",
	"too_many_attempts":       "Too many attempts. Please wait.",
	"too_many_messages":       "Please wait before you ask for another message.",
	"already_enrolled":        "There is another factor of this kind already.",
	"conflict":                "Somebody else changed this at the same time. Please try again.",
	"internal":                "Something is wrong on our side. Please try again.",
	"unauthorized":            "Sign in first.",
	"cross_origin":            "This request came from another site.",
	"not_found":               "There is no such endpoint.",
	"method_not_allowed":      "This cannot be asked for in that way.",
	"too_large":               "The request is too large.",
	"unsupported_media_type":  "Send the body as application/json.",
}

// Messages returns the English messages by code, for a host to translate.
func Messages() map[string]string { return maps.Clone(english) }

// Explain returns an error as clients may learn it, through any wrapping. One that
// is neither of package mfa nor of this one is "internal", without its text; so is
// nil, which is no error to write.
func Explain(err error) Problem {
	code := mfa.ErrorCode(err)
	for _, own := range ownCodes {
		if errors.Is(err, own.err) {
			code = own.code
		}
	}
	if statuses[code] == 0 {
		code = "internal"
	}
	p := Problem{Status: statuses[code], Code: code, Message: english[code]}
	var (
		throttled  mfa.ThrottledError
		wrong      mfa.CodeError
		challenge  *mfa.ChallengeError
		enrollment *mfa.EnrollmentError
	)
	switch {
	case errors.As(err, &challenge):
		p.Token, p.Methods, p.Factors, p.ExpiresAt = challenge.Token, challenge.Methods, factorsOf(challenge), challenge.ExpiresAt
	case errors.As(err, &enrollment):
		p.Token, p.Methods, p.ExpiresAt = enrollment.Token, enrollment.Methods, enrollment.ExpiresAt
	case errors.As(err, &throttled):
		p.RetryAfter = max(1, int(math.Ceil(throttled.RetryAfter.Seconds())))
	case errors.As(err, &wrong):
		p.TriesLeft, p.Spent = &wrong.TriesLeft, wrong.Spent
	}
	return p
}

// Write writes the problem as the response.
func (p Problem) Write(w http.ResponseWriter) {
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	writeJSON(w, p.Status, map[string]Problem{"error": p})
}

// WriteError writes an error as the response, in English. The response has the token
// of a challenge, also where Config.Tokens keeps those of the Handler's.
func WriteError(w http.ResponseWriter, err error) { Explain(err).Write(w) }

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Cache-Control", "no-store")
	data, err := json.Marshal(body)
	if err != nil {
		status, data = http.StatusServiceUnavailable, []byte(`{"error":{"code":"internal","message":"Something is wrong on our side. Please try again."}}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(data)
}

// refuse writes an error in the host's language, and reports faults to the host.
// A token in it stays in the session if that keeps tokens.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := Explain(err)
	if p.Token != "" && h.config.Tokens != nil {
		if kept := h.config.Tokens.KeepToken(w, r, p.Token); kept != nil {
			err, p = kept, Explain(kept)
		}
		p.Token = ""
	}
	if p.Status >= http.StatusInternalServerError {
		h.fault(r, err)
	}
	if h.config.Message != nil {
		if message := h.config.Message(r, p.Code); message != "" {
			p.Message = message
		}
	}
	p.Write(w)
}

func (h *Handler) fault(r *http.Request, err error) {
	if h.config.OnError != nil {
		h.config.OnError(r, err)
	}
}
