package main

import (
	"cmp"
	"database/sql"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/protekt/mfa"
)

const (
	securityPath = "/security"
	removePath   = "/security/remove"
	revokePath   = "/security/revoke"
)

// A securityView shows the factors that the user has and may add, and the devices
// that the user trusts.
type securityView struct {
	Passkeys, Apps, Phones             []factorRow
	MorePasskeys, MoreApps, MorePhones bool // whether another may be added
	Backup                             *mfa.Factor
	CodesLeft                          int
	Required                           bool
	Devices                            []mfa.TrustedDevice
}

// The most factors of each method that the engine lets a user have.
const (
	maxPasskeys = 8
	maxApps     = 5
	maxPhones   = 3
)

// A factorRow shows one passkey, app or phone.
type factorRow struct {
	mfa.Factor
	Suffix    string // of the elements' IDs, "" for the first of its method
	Removable bool
	Lost      bool // whether it may be reported lost although it is not removable
}

// Name returns what the user calls the factor, or what it is.
func (f factorRow) Name() string { return cmp.Or(f.Label, methodName(f.Method)) }

func (v securityView) Enrolled() bool { return len(v.Passkeys)+len(v.Apps)+len(v.Phones) > 0 }

func (s *server) newSecurityView(status *mfa.Status, devices []mfa.TrustedDevice) securityView {
	view := securityView{CodesLeft: status.BackupCodesLeft, Required: status.Required, Devices: devices}
	for _, factor := range status.Factors {
		row := factorRow{Factor: factor, Removable: !status.Required}
		row.Lost = status.Required && !selection{factor.Method, factor.ID}.leavesNone(status)
		switch factor.Method {
		case mfa.MethodPasskey:
			view.Passkeys = appendRow(view.Passkeys, row)
		case mfa.MethodTOTP:
			view.Apps = appendRow(view.Apps, row)
		case mfa.MethodSMS:
			view.Phones = appendRow(view.Phones, row)
		case mfa.MethodBackupCode:
			view.Backup = &factor
		}
	}
	view.MorePasskeys = s.origin != "" && len(view.Passkeys) < maxPasskeys
	view.MoreApps, view.MorePhones = len(view.Apps) < maxApps, len(view.Phones) < maxPhones
	return view
}

func appendRow(rows []factorRow, row factorRow) []factorRow {
	if len(rows) > 0 {
		row.Suffix = "-" + strconv.Itoa(len(rows))
	}
	return append(rows, row)
}

func (s *server) securityPage(w http.ResponseWriter, r *http.Request, v *visit) {
	status, err := s.engine.Status(r.Context(), v.UserID)
	var devices []mfa.TrustedDevice
	if err == nil {
		devices, err = s.engine.Devices(r.Context(), v.UserID)
	}
	if err != nil {
		s.fail(w, r, v, err)
		return
	}
	s.show(w, r, v, "security", http.StatusOK, s.newSecurityView(status, devices))
}

// renameFactor sets the name of a factor.
func (s *server) renameFactor(w http.ResponseWriter, r *http.Request, v *visit) {
	err := s.engine.Rename(r.Context(), v.UserID, r.PostFormValue("factor"), strings.TrimSpace(r.PostFormValue("label")))
	s.securityChanged(w, r, v, err, "The name was changed.")
}

// securityChanged leads back to the security page after a change that ends no
// session.
func (s *server) securityChanged(w http.ResponseWriter, r *http.Request, v *visit, err error, notice string) {
	if err != nil {
		s.refuse(w, r, v, securityPath, err)
		return
	}
	v.Notice = notice
	s.keep(r.Context(), v.session)
	http.Redirect(w, r, securityPath, http.StatusSeeOther)
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
	opts := append(which.options(v.Proof), mfa.Lost())
	s.removed(w, r, v, which, s.engine.Unenroll(r.Context(), v.UserID, which.Method, opts...))
}

// removed shows how the removal of a factor ended.
func (s *server) removed(w http.ResponseWriter, r *http.Request, v *visit, which selection, err error) {
	var challenge *mfa.ChallengeError
	switch {
	case errors.As(err, &challenge):
		s.confirm(w, r, v, challenge, securityPath)
	case err != nil && explain(err).Status >= http.StatusInternalServerError:
		s.mayBeRemoved(w, r, v, err)
	case err != nil:
		s.refuse(w, r, v, securityPath, err)
	default:
		s.changed(w, r, v, methodName(which.Method)+" was removed. Your other sessions were signed out.")
	}
}

// mayBeRemoved shows a fault after which the factor may be gone all the same: the
// store's answer was lost.
func (s *server) mayBeRemoved(w http.ResponseWriter, r *http.Request, v *visit, fault error) {
	generation, err := s.keepOnly(r.Context(), v.UserID, v.Generation)
	if err != nil {
		s.fail(w, r, v, errors.Join(fault, err))
		return
	}
	v.Generation = generation
	s.refuse(w, r, v, securityPath, fault)
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
	generation, err := s.keepOnly(r.Context(), v.UserID, v.Generation)
	if err != nil {
		s.fail(w, r, v, err)
		return
	}
	v.Generation, v.Notice, v.Prompt, v.Setup = generation, notice, nil, nil
	s.stepTo(w, r, v, v.session, securityPath)
}

func (s *server) forgetDevice(w http.ResponseWriter, r *http.Request, v *visit) {
	err := s.engine.ForgetDevice(r.Context(), v.UserID, r.PostFormValue("device"))
	s.securityChanged(w, r, v, err, "That device will be asked for a code again.")
}

func (s *server) forgetDevices(w http.ResponseWriter, r *http.Request, v *visit) {
	err := s.engine.ForgetDevices(r.Context(), v.UserID)
	s.securityChanged(w, r, v, err, "Every device will be asked for a code again.")
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
