package main

import (
	"context"
	"database/sql"
	"errors"
	"net/http"

	"github.com/protekt/mfa"
)

const (
	securityPath = "/security"
	removePath   = "/security/remove"
	revokePath   = "/security/revoke"
)

// A securityView shows the factors that the user has and may add.
type securityView struct {
	TOTP, SMS, Backup *mfa.Factor
	CodesLeft         int
	Required          bool
}

func (v securityView) Enrolled() bool { return v.TOTP != nil || v.SMS != nil }

func newSecurityView(status *mfa.Status) securityView {
	view := securityView{CodesLeft: status.BackupCodesLeft, Required: status.Required}
	for _, factor := range status.Factors {
		switch factor.Method {
		case mfa.MethodTOTP:
			view.TOTP = &factor
		case mfa.MethodSMS:
			view.SMS = &factor
		case mfa.MethodBackupCode:
			view.Backup = &factor
		}
	}
	return view
}

func (s *server) securityPage(w http.ResponseWriter, r *http.Request, v *visit) {
	status, err := s.engine.Status(r.Context(), v.UserID)
	if err != nil {
		s.fail(w, r, v, err)
		return
	}
	s.show(w, r, v, "security", http.StatusOK, newSecurityView(status))
}

// removeFactor removes a factor. While the project requires MFA, the engine refuses
// with mfa_enforced.
func (s *server) removeFactor(w http.ResponseWriter, r *http.Request, v *visit) {
	which := selected(r)
	s.removed(w, r, v, which, s.engine.Unenroll(r.Context(), v.UserID, which.Method, which.options(v.Proof)...))
}

// revokeOwn removes a lost or stolen factor of the user's, also while the project
// requires MFA.
func (s *server) revokeOwn(w http.ResponseWriter, r *http.Request, v *visit) {
	which := selected(r)
	s.removed(w, r, v, which, s.revoke(r.Context(), v.UserID, v.Proof, which))
}

// revoke removes factors of a user who has just proved one, and has others
// besides. Without others, it removes no more than Unenroll may.
func (s *server) revoke(ctx context.Context, userID, proof string, which selection) error {
	if err := s.engine.CheckProof(ctx, userID, proof); err != nil {
		return err
	}
	status, err := s.engine.Status(ctx, userID)
	if err != nil {
		return err
	}
	if which.leavesNone(status) {
		return s.engine.Unenroll(ctx, userID, which.Method, which.options(proof)...)
	}
	return s.engine.Revoke(ctx, userID, which.Method, which.options("")...)
}

// removed shows how the removal of a factor ended.
func (s *server) removed(w http.ResponseWriter, r *http.Request, v *visit, which selection, err error) {
	var challenge *mfa.ChallengeError
	switch {
	case errors.As(err, &challenge):
		s.confirm(w, r, v, challenge, securityPath)
	case err != nil:
		s.refuse(w, r, v, securityPath, err)
	default:
		s.changed(w, r, v, methodName(which.Method)+" was removed. Your other sessions were signed out.")
	}
}

// A selection names all factors of a method, or one of them by its ID.
type selection struct {
	Method mfa.Method
	Factor string
}

// selected returns what a form selects.
func selected(r *http.Request) selection {
	return selection{mfa.Method(r.PostFormValue("method")), r.PostFormValue("factor")}
}

func (f selection) options(proof string) []mfa.ChangeOption {
	options := []mfa.ChangeOption{mfa.WithProof(proof)}
	if f.Factor != "" {
		options = append(options, mfa.OnlyFactor(f.Factor))
	}
	return options
}

// leavesNone reports whether no factor remains without the selected ones.
func (f selection) leavesNone(status *mfa.Status) bool {
	for _, factor := range status.Factors {
		selected := factor.Method == f.Method && (f.Factor == "" || f.Factor == factor.ID)
		if factor.Method != mfa.MethodBackupCode && !selected {
			return false
		}
	}
	return true
}

// changed ends the user's other sessions and continues this one.
func (s *server) changed(w http.ResponseWriter, r *http.Request, v *visit, notice string) {
	generation, err := s.users.endOthers(r.Context(), v.UserID, v.Generation)
	if err != nil {
		s.fail(w, r, v, err)
		return
	}
	v.Generation, v.Notice, v.Prompt, v.Setup = generation, notice, nil, nil
	s.stepTo(w, r, v, v.session, securityPath)
}

func (s *server) forgetDevices(w http.ResponseWriter, r *http.Request, v *visit) {
	if err := s.engine.ForgetDevices(r.Context(), v.UserID); err != nil {
		s.refuse(w, r, v, securityPath, err)
		return
	}
	v.Notice = "Every device will be asked for a code again."
	s.keep(r.Context(), v.session)
	http.Redirect(w, r, securityPath, http.StatusSeeOther)
}

// changePassword requires the current password, and ends all sessions, this one
// included.
func (s *server) changePassword(w http.ResponseWriter, r *http.Request, v *visit) {
	err := s.currentPassword(r, v)
	if err == nil {
		err = s.newPassword(r.Context(), v.UserID, r.PostFormValue("password"))
	}
	if err != nil {
		s.refuse(w, r, v, securityPath, err)
		return
	}
	s.stepTo(w, r, v, session{Notice: "Your password was changed. Please sign in with it."}, "/login")
}

func (s *server) currentPassword(r *http.Request, v *visit) error {
	_, err := s.rightPassword(r, v.User.Email, r.PostFormValue("current"), s.device(r))
	if errors.Is(err, errCredentials) {
		return errCurrent
	}
	return err
}

// deleteAccount requires the password. It deletes the engine's record in the same
// transaction as the account.
func (s *server) deleteAccount(w http.ResponseWriter, r *http.Request, v *visit) {
	err := s.currentPassword(r, v)
	if err == nil {
		err = s.users.remove(r.Context(), v.UserID, func(tx *sql.Tx) error {
			return s.store.DeleteTx(r.Context(), tx, v.UserID)
		})
	}
	if err != nil {
		s.refuse(w, r, v, securityPath, err)
		return
	}
	s.stepTo(w, r, v, session{Notice: "Your account was deleted."}, "/login")
}
