package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/protekt/mfa"
)

// A refusal is one of the application's own errors, written for the user.
type refusal struct {
	code    string
	status  int
	message string
}

func (e *refusal) Error() string { return e.message }

var (
	errCredentials = &refusal{"invalid_credentials", http.StatusUnauthorized, "The e-mail address or the password is wrong."}
	errUnsigned    = &refusal{"unauthorized", http.StatusUnauthorized, "Sign in first."}
	errForbidden   = &refusal{"forbidden", http.StatusForbidden, "Only an administrator may do that."}
	errOrigin      = &refusal{"cross_origin", http.StatusForbidden, "This request came from another site."}
	errEmail       = &refusal{"invalid_email", http.StatusUnprocessableEntity, "This e-mail address cannot be used here."}
	errEmailTaken  = &refusal{"email_taken", http.StatusConflict, "An account with this address already exists."}
	errPassword    = &refusal{"invalid_password", http.StatusUnprocessableEntity, "A password must have 8 to 256 characters."}
	errResetLink   = &refusal{"invalid_link", http.StatusUnprocessableEntity, "This link is no longer valid. Please ask for a new one."}
	errLastAdmin   = &refusal{"last_admin", http.StatusConflict, "You are the only administrator. Your account cannot be deleted while there are other users."}
	errCurrent     = &refusal{"wrong_password", http.StatusUnauthorized, "That is not your current password."}
	errFactorsLost = &refusal{"internal", http.StatusServiceUnavailable, "Your second factor could not be found. Please ask your administrator."}
	errCodeExpired = &refusal{"code_expired", http.StatusConflict, "That code has expired. We can send another one."}
	errNoUser      = &refusal{"not_found", http.StatusNotFound, "There is no such user."}
	errNoPage      = &refusal{"not_found", http.StatusNotFound, "There is no such page."}
	errNoCall      = &refusal{"not_found", http.StatusNotFound, "There is no such endpoint."}
	errMethod      = &refusal{"method_not_allowed", http.StatusMethodNotAllowed, "This method is not allowed here."}
	errJSON        = &refusal{"invalid_request", http.StatusBadRequest, "The body must be a single JSON object of the expected form."}
	errForm        = &refusal{"invalid_request", http.StatusBadRequest, "The form could not be read."}
	errNotJSON     = &refusal{"unsupported_media_type", http.StatusUnsupportedMediaType, "Send the body as application/json."}
	errTooLarge    = &refusal{"too_large", http.StatusRequestEntityTooLarge, "The request is too large."}
)

// A problem is an error as a page or the API shows it.
type problem struct {
	Status     int    `json:"-"`
	Code       string `json:"code"`
	Message    string `json:"message"`
	TriesLeft  *int   `json:"tries_left,omitempty"`
	Spent      bool   `json:"spent,omitempty"`       // right, but used before
	RetryAfter int    `json:"retry_after,omitempty"` // seconds

	// If a fresh proof is needed first, the challenge to answer.
	Token   string       `json:"mfa_token,omitempty"`
	Methods []mfa.Method `json:"available_methods,omitempty"`
	Factors []choice     `json:"factors,omitempty"`

	Form  string `json:"-"` // path of the form that was refused
	Again string `json:"-"` // what to do after the wait; "" means to try again
}

// fields maps an error's code to the field that it is about.
var fields = map[string]string{
	"invalid_credentials": "password",
	"invalid_password":    "password",
	"wrong_password":      "current",
	"invalid_email":       "email",
	"email_taken":         "email",
	"invalid_code":        "code",
	"invalid_phone":       "phone",
}

// Tries returns the number of tries left, or 0 if it is unknown.
func (p problem) Tries() int {
	if p.TriesLeft == nil {
		return 0
	}
	return *p.TriesLeft
}

// answers maps the codes of mfa.ErrorCode to statuses and texts.
var answers = map[string]struct {
	status  int
	message string
}{
	"mfa_required":            {http.StatusForbidden, "Confirm with a code first."},
	"mfa_enrollment_required": {http.StatusForbidden, "Set up a second factor first."},
	"mfa_enforced":            {http.StatusForbidden, "This project requires multi-factor authentication, so a factor cannot be removed. You can replace it."},
	"invalid_code":            {http.StatusUnauthorized, "That code is not right. Please try again."},
	"invalid_token":           {http.StatusUnauthorized, "That took too long, or was already answered. Please start again."},
	"not_enrolled":            {http.StatusNotFound, "There is no such factor on this account."},
	"no_pending_enrollment":   {http.StatusConflict, "No setup is waiting for a code any more. Please start again."},
	"method_unavailable":      {http.StatusUnprocessableEntity, "This method cannot be used here."},
	"invalid_phone":           {http.StatusUnprocessableEntity, "That is not a phone number. Write it with the country code, like +234 801 234 5678."},
	"invalid_user":            {http.StatusBadRequest, "That is not a valid user."},
	"invalid_request":         {http.StatusBadRequest, "The request could not be understood."},
	"delivery_failed":         {http.StatusBadGateway, "The message could not be sent. Please try again, or use another method."},
	"factor_disabled":         {http.StatusForbidden, "This factor was disabled after too many wrong codes. Use another one, or ask your administrator to unlock it."},
	"too_many_attempts":       {http.StatusTooManyRequests, "Too many attempts."},
	"too_many_messages":       {http.StatusTooManyRequests, "Another message cannot be sent yet."},
	"already_enrolled":        {http.StatusConflict, "There is another factor of this kind already."},
	"conflict":                {http.StatusConflict, "Somebody else changed this at the same time. Please try again."},
	"internal":                {http.StatusServiceUnavailable, "Something went wrong on our side. Please try again."},
}

// explain returns what the user gets to know of err. An unknown error becomes a
// fault on our side, without details, which are for the log.
func explain(err error) problem {
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		err = errTooLarge
	}
	if own := (*refusal)(nil); errors.As(err, &own) {
		return problem{Status: own.status, Code: own.code, Message: own.message}
	}
	code := mfa.ErrorCode(err)
	p := problem{Status: answers[code].status, Code: code, Message: answers[code].message}
	var (
		throttled mfa.ThrottledError
		wrong     mfa.CodeError
		challenge *mfa.ChallengeError
	)
	switch {
	case errors.As(err, &throttled):
		p.RetryAfter = max(1, seconds(throttled.RetryAfter))
	case errors.As(err, &wrong):
		p.TriesLeft, p.Spent = &wrong.TriesLeft, wrong.Spent
		if p.Spent {
			p.Message = "That code was used before. Wait for the next one."
		}
	case errors.As(err, &challenge):
		p.Token, p.Methods, p.Factors = challenge.Token, challenge.Methods, choices(challenge.Factors)
	}
	return p
}

// report explains err, logs it if the fault is ours, and sets Retry-After.
func (s *server) report(w http.ResponseWriter, r *http.Request, err error) problem {
	p := explain(err)
	p.Form = r.URL.Path
	if p.Status >= http.StatusInternalServerError {
		s.log.ErrorContext(r.Context(), "request", "path", r.URL.Path, "error", err)
	}
	if p.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	return p
}

// refuse redirects to the page of a form, which then shows what went wrong. A
// reload there sends nothing again.
func (s *server) refuse(w http.ResponseWriter, r *http.Request, v *visit, path string, err error) {
	p := s.report(w, r, err)
	v.Problem = &p
	s.keep(r.Context(), v.session)
	http.Redirect(w, r, path, http.StatusSeeOther)
}

// showError renders a page with what went wrong on it, for strangers, who have no
// session to keep it in.
func (s *server) showError(w http.ResponseWriter, r *http.Request, v *visit, page string, err error, data any) {
	p := s.report(w, r, err)
	s.render(w, r, v, page, p.Status, &p, data)
}

// fail renders the error page, for errors that belong to no other.
func (s *server) fail(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	s.showError(w, r, v, "error", err, nil)
}

// writeError writes err as JSON.
func (s *server) writeError(w http.ResponseWriter, r *http.Request, err error) {
	p := s.report(w, r, err)
	if p.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	s.writeJSON(w, r, p.Status, map[string]problem{"error": p})
}

func (s *server) writeJSON(w http.ResponseWriter, r *http.Request, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		s.log.ErrorContext(r.Context(), "writing JSON", "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(data)
}

// crossOrigin answers requests that another site caused the browser to send.
func (s *server) crossOrigin(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/auth/") || strings.HasPrefix(r.URL.Path, "/mfa/") {
		s.writeError(w, r, errOrigin)
		return
	}
	s.fail(w, r, &visit{}, errOrigin)
}
