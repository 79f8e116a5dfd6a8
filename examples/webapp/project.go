package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/protekt/mfa"
)

// admin lets administrators through, and nobody else.
func (s *server) admin(next pageFunc) pageFunc {
	return func(w http.ResponseWriter, r *http.Request, v *visit) {
		if !v.User.Admin {
			s.fail(w, r, v, errForbidden)
			return
		}
		next(w, r, v)
	}
}

// proofTTL is as long as a proof of the engine's lets factors be changed.
const proofTTL = 15 * time.Minute

// proved lets through who has just proved a second factor, and asks the others
// for a code. A stolen session is not enough, and who has no factor cannot
// require one of others.
func (s *server) proved(next pageFunc) pageFunc {
	return func(w http.ResponseWriter, r *http.Request, v *visit) {
		if s.now().Before(v.ProvedAt.Add(proofTTL)) {
			next(w, r, v)
			return
		}
		challenge, err := s.engine.BeginStepUp(r.Context(), v.UserID, mfa.ActionManage)
		switch {
		case errors.Is(err, mfa.ErrNotEnrolled):
			v.Notice = "Set up a second factor of your own first."
			s.keep(r.Context(), v.session)
			http.Redirect(w, r, "/enroll", http.StatusSeeOther)
		case err != nil:
			s.fail(w, r, v, err)
		default:
			s.confirm(w, r, v, &mfa.ChallengeError{Challenge: *challenge}, "/project")
		}
	}
}

// projectView is for the administrator.
type projectView struct {
	Required bool
	Search   string // in addresses
	Members  []member
	Without  []member // those without MFA
	More     bool     // than are shown, of either
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
		view.Members[i].Locked = s.locked(ctx, m.User.ID)
	}
	return view, nil
}

// locked tells whether a user needs the support desk. A record that does not
// open locks as well, and must not hide all others.
func (s *server) locked(ctx context.Context, id string) bool {
	status, err := s.engine.Status(ctx, id)
	if err != nil {
		s.log.ErrorContext(ctx, "status", "user", id, "error", err)
		return true
	}
	return slices.ContainsFunc(status.Factors, func(f mfa.Factor) bool { return f.Disabled || !f.RetryAt.IsZero() })
}

// setRequired is projects.update(id, {mfaRequired: true}). Who has no factor is
// signed out, and enrolls one at the next login.
func (s *server) setRequired(w http.ResponseWriter, r *http.Request, v *visit) {
	required := r.PostFormValue("required") == "true"
	notice := "MFA is optional now."
	err := s.settings.setMFARequired(r.Context(), required)
	if err == nil && required {
		notice = "MFA is required now. Who has none is signed out, and sets it up at the next sign-in."
		err = s.users.endWithoutMFA(r.Context())
	}
	if err != nil {
		s.fail(w, r, v, err)
		return
	}
	s.projectChanged(w, r, v, notice)
}

func (s *server) projectChanged(w http.ResponseWriter, r *http.Request, v *visit, notice string) {
	v.Notice = notice
	s.keep(r.Context(), v.session)
	http.Redirect(w, r, "/project", http.StatusSeeOther)
}

// member gives the user that an administrator's form names.
func (s *server) member(r *http.Request) (user, error) {
	return s.users.find(r.Context(), r.PostFormValue("user"))
}

// resetUser lets a user who has lost all factors start again without MFA, and
// without a session. Make sure who asks: this is the way around every factor.
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
	s.projectChanged(w, r, v, u.Email+" starts again without MFA.")
}

// unlockUser forgets a user's failures and enables disabled factors.
func (s *server) unlockUser(w http.ResponseWriter, r *http.Request, v *visit) {
	u, err := s.member(r)
	if err == nil {
		err = s.engine.Unlock(r.Context(), u.ID)
	}
	if err != nil {
		s.fail(w, r, v, err)
		return
	}
	s.projectChanged(w, r, v, u.Email+" is unlocked.")
}
