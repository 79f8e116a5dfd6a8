package mfahttp

import (
	"net/http"
	"time"

	"github.com/protekt/mfa"
)

// RequireLogin lets only complete logins through.
func (h *Handler) RequireLogin(next http.Handler) http.Handler {
	return h.guard(next, func(*http.Request, User) error { return nil })
}

// RequireMFA lets only complete logins through, and of users who must have MFA
// only those who do: sessions may be older than the day on which it became
// required. The others get 403 mfa_enrollment_required with a token that opens
// /mfa/enroll and /mfa/verify.
func (h *Handler) RequireMFA(next http.Handler) http.Handler {
	return h.guard(next, func(r *http.Request, user User) error {
		status, err := h.config.Engine.Status(r.Context(), user.ID)
		if err != nil || !status.Required || len(status.Factors) > 0 {
			return err
		}
		return h.config.Engine.BeginLogin(r.Context(), user.ID)
	})
}

// RequireStepUp lets only complete logins through whose user proved a factor for
// this action within maxAge. The others get 403 mfa_required with a challenge for
// /mfa/step-up.
func (h *Handler) RequireStepUp(action string, maxAge time.Duration, next http.Handler) http.Handler {
	return h.guard(next, func(r *http.Request, user User) error {
		if at, ok := user.ProvedAt[action]; ok {
			if age := h.config.Now().Sub(at); age >= 0 && age < maxAge {
				return nil
			}
		}
		challenge, err := h.config.Engine.BeginStepUp(r.Context(), user.ID, action)
		if err != nil {
			return err
		}
		return &mfa.ChallengeError{Challenge: *challenge}
	})
}

// guard lets a request through if somebody is logged in and check returns nil.
func (h *Handler) guard(next http.Handler, check func(*http.Request, User) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, err := h.user(r)
		if err == nil {
			err = check(r, user)
		}
		if err != nil {
			h.refuse(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// user returns who is completely logged in. A session without a user ID is none.
func (h *Handler) user(r *http.Request) (User, error) {
	user, err := h.config.Session.User(r)
	if err == nil && user.ID == "" {
		err = ErrNoSession
	}
	return user, err
}
