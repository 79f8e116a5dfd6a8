package main

import (
	"errors"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/protekt/mfa"
)

// A setup is a factor that waits for its first code, as the session remembers
// it: so that a page with a wrong code still shows the QR code.
type setup struct {
	TOTP  *mfa.TOTPEnrollment
	Phone string // as typed, to send again
	Sent  *mfa.SMSDelivery
}

// enrollPage lets the user choose what to enroll.
func (s *server) enrollPage(w http.ResponseWriter, r *http.Request, v *visit) {
	s.show(w, r, v, "enroll", http.StatusOK, nil)
}

// totpView is what the page shows of an authenticator app's setup; without one
// it offers to start.
type totpView struct {
	Started bool
	QRCode  template.URL // a data: URL that the engine made
	URI     template.URL // an otpauth: URL that the engine made
	Key     string       // in groups of four
}

func newTOTPView(v *visit, now time.Time) totpView {
	if v.Setup == nil || v.Setup.TOTP == nil || !now.Before(v.Setup.TOTP.ExpiresAt) {
		return totpView{}
	}
	enrollment := v.Setup.TOTP
	return totpView{
		Started: true,
		QRCode:  template.URL(enrollment.QRCode),
		URI:     template.URL(enrollment.URI),
		Key:     inFours(enrollment.Secret),
	}
}

func inFours(key string) string {
	var groups []string
	for group := range slices.Chunk([]byte(key), 4) {
		groups = append(groups, string(group))
	}
	return strings.Join(groups, " ")
}

func (s *server) totpPage(w http.ResponseWriter, r *http.Request, v *visit) {
	allowPictureInPage(w)
	s.show(w, r, v, "totp", http.StatusOK, newTOTPView(v, s.now()))
}

// allowPictureInPage is for the QR code, which is in the page itself so that no
// URL has it.
func allowPictureInPage(w http.ResponseWriter) {
	w.Header().Set("Content-Security-Policy", strings.Replace(policy, "img-src 'self'", "img-src 'self' data:", 1))
}

// beginTOTP shows a new key.
func (s *server) beginTOTP(w http.ResponseWriter, r *http.Request, v *visit) {
	enrollment, err := s.engine.EnrollTOTP(r.Context(), v.UserID, v.User.Email, mfa.WithProof(v.Proof))
	if err != nil {
		s.setupRefused(w, r, v, "totp", err, totpView{})
		return
	}
	v.Setup = &setup{TOTP: enrollment}
	s.keep(r.Context(), v.session)
	http.Redirect(w, r, "/enroll/totp", http.StatusSeeOther)
}

// setupRefused asks for a fresh proof where that is what is missing.
func (s *server) setupRefused(w http.ResponseWriter, r *http.Request, v *visit, page string, err error, data any) {
	var challenge *mfa.ChallengeError
	if errors.As(err, &challenge) && v.State == signedIn {
		s.confirm(w, r, v, challenge, "/enroll/"+page)
		return
	}
	s.showError(w, r, v, page, err, data)
}

func (s *server) verifyTOTP(w http.ResponseWriter, r *http.Request, v *visit) {
	login, err := s.engine.VerifyEnrollment(r.Context(), v.UserID, mfa.MethodTOTP, r.PostFormValue("code"))
	if err != nil {
		s.forgetDeadSetup(r, v, err)
		allowPictureInPage(w)
		s.showError(w, r, v, "totp", err, newTOTPView(v, s.now()))
		return
	}
	s.enrolled(w, r, v, login)
}

// forgetDeadSetup drops what no code can confirm any more.
func (s *server) forgetDeadSetup(r *http.Request, v *visit, err error) {
	var wrong mfa.CodeError
	if errors.Is(err, mfa.ErrNoPendingEnrollment) || errors.As(err, &wrong) && wrong.TriesLeft == 0 {
		v.Setup = nil
		s.keep(r.Context(), v.session)
	}
}

// smsView is what the page shows of a phone's setup.
type smsView struct {
	Sent   bool
	Masked string
	Phone  string
	Resend int // seconds until another message may be sent
}

func newSMSView(v *visit, now time.Time) smsView {
	if v.Setup == nil || v.Setup.Sent == nil || !now.Before(v.Setup.Sent.ExpiresAt) {
		return smsView{}
	}
	return smsView{
		Sent:   true,
		Masked: v.Setup.Sent.Phone,
		Phone:  v.Setup.Phone,
		Resend: seconds(v.Setup.Sent.ResendAfter.Sub(now)),
	}
}

func (s *server) smsPage(w http.ResponseWriter, r *http.Request, v *visit) {
	view := newSMSView(v, s.now())
	if r.FormValue("change") != "" {
		view = smsView{Phone: view.Phone}
	}
	s.show(w, r, v, "sms", http.StatusOK, view)
}

// beginSMS sends a code to a new number, or sends another one.
func (s *server) beginSMS(w http.ResponseWriter, r *http.Request, v *visit) {
	phone := r.PostFormValue("phone")
	sent, err := s.engine.EnrollSMS(r.Context(), v.UserID, phone, mfa.WithProof(v.Proof))
	if err != nil {
		view := newSMSView(v, s.now())
		if view.Phone != phone {
			view = smsView{Phone: phone}
		}
		s.setupRefused(w, r, v, "sms", err, view)
		return
	}
	v.Setup = &setup{Phone: phone, Sent: sent}
	s.keep(r.Context(), v.session)
	http.Redirect(w, r, "/enroll/sms", http.StatusSeeOther)
}

func (s *server) verifySMS(w http.ResponseWriter, r *http.Request, v *visit) {
	login, err := s.engine.VerifyEnrollment(r.Context(), v.UserID, mfa.MethodSMS, r.PostFormValue("code"))
	if err != nil {
		s.forgetDeadSetup(r, v, err)
		s.showError(w, r, v, "sms", err, newSMSView(v, s.now()))
		return
	}
	s.enrolled(w, r, v, login)
}

// enrolled goes on once a factor is confirmed. All other sessions of the user
// end: one of them may have begun when there was no factor yet. Who has no
// backup codes gets them now.
func (s *server) enrolled(w http.ResponseWriter, r *http.Request, v *visit, login *mfa.Login) {
	var err error
	if v.Generation, err = s.users.endOthers(r.Context(), login.UserID, v.Generation); err != nil {
		s.fail(w, r, v, err)
		return
	}
	notice := methodName(login.Method) + " is set up. Your other sessions were signed out."
	if login.BackupCodesLeft > 0 {
		s.enter(w, r, v, login, "/security", notice)
		return
	}
	if v.Codes, err = s.engine.GenerateBackupCodes(r.Context(), login.UserID, mfa.WithProof(login.Proof)); err != nil {
		s.log.ErrorContext(r.Context(), "backup codes after enrollment", "error", err) // the page offers them again
	}
	s.enter(w, r, v, login, backupCodesPath, notice)
}
