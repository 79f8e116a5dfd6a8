package main

import (
	"context"
	"errors"
	"net/http"

	"github.com/protekt/mfa"
)

// admin calls next for administrators only.
func (s *server) admin(next pageFunc) pageFunc {
	return func(w http.ResponseWriter, r *http.Request, v *visit) {
		if !v.User.Admin {
			s.fail(w, r, v, errForbidden)
			return
		}
		next(w, r, v)
	}
}

// proved calls next if the user has recently proved a second factor, and asks for a
// code otherwise. A stolen session is not enough, and an administrator without a
// factor cannot require one of others.
func (s *server) proved(next pageFunc) pageFunc {
	return func(w http.ResponseWriter, r *http.Request, v *visit) {
		err := s.engine.CheckProof(r.Context(), v.UserID, v.Proof)
		var challenge *mfa.ChallengeError
		switch {
		case err == nil:
			next(w, r, v)
		case errors.Is(err, mfa.ErrNotEnrolled):
			v.Alert = "Set up a second factor of your own first."
			s.keep(r.Context(), v.session)
			http.Redirect(w, r, "/enroll", http.StatusSeeOther)
		case errors.As(err, &challenge):
			s.confirm(w, r, v, challenge, "/project")
		default:
			s.fail(w, r, v, err)
		}
	}
}

// A projectView is what an administrator sees.
type projectView struct {
	Required bool
	Search   string // part of an address
	Members  []member
	Without  []member // those without MFA
	More     bool     // whether there are more members than shown
}

const maxMembers = 100 // on the page

func (s *server) projectPage(w http.ResponseWriter, r *http.Request, v *visit) {
	view, err := s.project(r.Context(), r.FormValue("search"))
	if err != nil {
		s.fail(w, r, v, err)
		return
	}
	s.show(w, r, v, "project", http.StatusOK, view)
}

func (s *server) project(ctx context.Context, search string) (view projectView, err error) {
	view.Search = search
	if view.Required, err = s.settings.mfaRequired(ctx, ""); err != nil {
		return view, err
	}
	if view.Members, err = s.users.list(ctx, search, false, maxMembers+1); err != nil {
		return view, err
	}
	if view.Without, err = s.users.list(ctx, search, true, maxMembers+1); err != nil {
		return view, err
	}
	view.More = len(view.Members) > maxMembers
	view.Members = view.Members[:min(len(view.Members), maxMembers)]
	view.Without = view.Without[:min(len(view.Without), maxMembers)]
	for i, m := range view.Members {
		view.Members[i].Factors, view.Members[i].Locked = s.factors(ctx, m.User.ID)
	}
	return view, nil
}

// factors returns a user's factors, and whether the user needs the support desk.
// That includes a record that does not open, which must not keep the others from
// being listed.
func (s *server) factors(ctx context.Context, id string) (factors []mfa.Factor, locked bool) {
	status, err := s.engine.Status(ctx, id)
	if err != nil {
		s.log.ErrorContext(ctx, "status", "user", id, "error", err)
		return nil, true
	}
	for _, f := range status.Factors {
		locked = locked || f.Disabled || !f.RetryAt.IsZero()
	}
	return status.Factors, locked
}

// setRequired requires MFA of all users, or leaves it to them.
func (s *server) setRequired(w http.ResponseWriter, r *http.Request, v *visit) {
	required := r.PostFormValue("required") == "true"
	if err := s.requireMFA(r.Context(), required); err != nil {
		s.fail(w, r, v, err)
		return
	}
	notice := "MFA is now optional."
	if required {
		notice = "MFA is now required. Users without it were signed out, and will set it up when they next sign in."
	}
	s.projectChanged(w, r, v, notice)
}

// requireMFA implements the guide's projects.update(id, {mfaRequired: true}). It
// signs users without a factor out; they enroll one at the next login. It ignores
// ctx's cancellation: a setting that is saved must sign them out, even if the
// caller has gone away.
func (s *server) requireMFA(ctx context.Context, required bool) error {
	ctx = context.WithoutCancel(ctx)
	if err := s.settings.setMFARequired(ctx, required); err != nil || !required {
		return err
	}
	return s.users.endWithoutMFA(ctx)
}

func (s *server) projectChanged(w http.ResponseWriter, r *http.Request, v *visit, notice string) {
	v.Notice = notice
	s.keep(r.Context(), v.session)
	http.Redirect(w, r, "/project", http.StatusSeeOther)
}

// member returns the user whom an administrator's form names.
func (s *server) member(r *http.Request) (user, error) {
	return s.users.find(r.Context(), r.PostFormValue("user"))
}

// resetUser removes all factors of a user who has lost them, and ends the user's
// sessions. It is the way around every factor: verify who asks for it.
func (s *server) resetUser(w http.ResponseWriter, r *http.Request, v *visit) {
	u, err := s.member(r)
	if err == nil {
		err = s.engine.Reset(r.Context(), u.ID)
	}
	if err == nil {
		err = s.users.endSessions(r.Context(), u.ID)
	}
	if err != nil {
		s.fail(w, r, v, err)
		return
	}
	s.projectChanged(w, r, v, "MFA was reset for "+u.Email+".")
}

// revokeFactor removes a factor that a user has lost, or that was stolen, and
// ends the user's sessions. Verify who asks for it.
func (s *server) revokeFactor(w http.ResponseWriter, r *http.Request, v *visit) {
	u, err := s.member(r)
	if err == nil {
		which := selected(r)
		err = s.engine.Revoke(r.Context(), u.ID, which.Method, which.options("")...)
	}
	if err == nil {
		err = s.users.endSessions(r.Context(), u.ID)
	}
	if err != nil {
		s.fail(w, r, v, err)
		return
	}
	s.projectChanged(w, r, v, "A factor of "+u.Email+" was removed.")
}

// unlockUser clears a user's failures and enables disabled factors.
func (s *server) unlockUser(w http.ResponseWriter, r *http.Request, v *visit) {
	u, err := s.member(r)
	if err == nil {
		err = s.engine.Unlock(r.Context(), u.ID)
	}
	if err != nil {
		s.fail(w, r, v, err)
		return
	}
	s.projectChanged(w, r, v, u.Email+" was unlocked.")
}
