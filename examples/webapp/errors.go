package main

import (
	"errors"
	"net/http"
	"strconv"

	"github.com/protekt/mfa/mfahttp"
)

// A refusal is one of the application's own errors, written for the user.
type refusal mfahttp.Problem

func (e *refusal) Error() string { return e.Message }

func newRefusal(status int, code, message string) *refusal {
	return &refusal{Status: status, Code: code, Message: message}
}

var (
	errCredentials = newRefusal(http.StatusUnauthorized, "invalid_credentials", "The e-mail address or the password is wrong.")
	errForbidden   = newRefusal(http.StatusForbidden, "forbidden", "Only an administrator may do that.")
	errOrigin      = newRefusal(http.StatusForbidden, "cross_origin", "This request came from another site.")
	errEmail       = newRefusal(http.StatusUnprocessableEntity, "invalid_email", "This e-mail address cannot be used here.")
	errEmailTaken  = newRefusal(http.StatusConflict, "email_taken", "An account with this address already exists.")
	errPassword    = newRefusal(http.StatusUnprocessableEntity, "invalid_password", "A password must have 8 to 256 characters.")
	errResetLink   = newRefusal(http.StatusUnprocessableEntity, "invalid_link", "This link is no longer valid. Please ask for a new one.")
	errLastAdmin   = newRefusal(http.StatusConflict, "last_admin", "You are the only administrator. Your account cannot be deleted while there are other users.")
	errCurrent     = newRefusal(http.StatusUnauthorized, "wrong_password", "That is not your current password.")
	errFactorsLost = newRefusal(http.StatusServiceUnavailable, "internal", "Your second factor could not be found. Please ask your administrator.")
	errCodeExpired = newRefusal(http.StatusConflict, "code_expired", "That code has expired. We can send another one.")
	errNoUser      = newRefusal(http.StatusNotFound, "not_found", "There is no such user.")
	errNoPage      = newRefusal(http.StatusNotFound, "not_found", "There is no such page.")
	errMethod      = newRefusal(http.StatusMethodNotAllowed, "method_not_allowed", "This method is not allowed here.")
	errForm        = newRefusal(http.StatusBadRequest, "invalid_request", "The form could not be read.")
	errTooLarge    = newRefusal(http.StatusRequestEntityTooLarge, "too_large", "The request is too large.")
)

// A problem is an error as a page shows it.
type problem struct {
	mfahttp.Problem
	Form  string // path of the form that was refused
	Again string // what to do after the wait; "" means to try again
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

// explain returns what the user gets to know of err. An unknown error becomes a
// fault on our side, without details, which are for the log.
func explain(err error) mfahttp.Problem {
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		err = errTooLarge
	}
	if own := (*refusal)(nil); errors.As(err, &own) {
		return mfahttp.Problem(*own)
	}
	p := mfahttp.Explain(err)
	if p.Spent {
		p.Message = "That code was used before. Wait for the next one."
	}
	return p
}

// logFault logs an error if the fault is ours.
func (s *server) logFault(r *http.Request, err error) {
	if explain(err).Status >= http.StatusInternalServerError {
		s.log.ErrorContext(r.Context(), "request", "path", r.URL.Path, "error", err)
	}
}

// report explains err to the user of a form, logs it if the fault is ours, and sets
// Retry-After.
func (s *server) report(w http.ResponseWriter, r *http.Request, err error) problem {
	s.logFault(r, err)
	p := problem{Problem: explain(err), Form: r.URL.Path}
	if p.Code == "invalid_code" && r.PostForm.Has("passkey") {
		p.Message = "That passkey was refused."
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

// crossOrigin answers requests that another site caused the browser to send.
func (s *server) crossOrigin(w http.ResponseWriter, r *http.Request) {
	s.fail(w, r, &visit{}, errOrigin)
}
