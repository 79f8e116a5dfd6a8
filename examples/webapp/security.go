package main

import (
	"database/sql"
	"errors"
	"net/http"

	"github.com/protekt/mfa"
)

const (
	securityPath = "/security"
	removePath   = "/security/remove"
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
	method := mfa.Method(r.PostFormValue("method"))
	err := s.engine.Unenroll(r.Context(), v.UserID, method, mfa.WithProof(v.Proof))
	var challenge *mfa.ChallengeError
	switch {
	case errors.As(err, &challenge):
		s.confirm(w, r, v, challenge, securityPath)
	case err != nil:
		s.refuse(w, r, v, securityPath, err)
	default:
		s.changed(w, r, v, methodName(method)+" was removed. Your other sessions were signed out.")
	}
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
