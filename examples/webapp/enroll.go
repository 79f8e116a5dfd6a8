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

const (
	totpPath = "/enroll/totp"
	smsPath  = "/enroll/sms"
)

// A setup is a factor that waits for its first code, as the session remembers
// it: so that a page with a wrong code still shows the QR code.
type setup struct {
	TOTP  *mfa.TOTPEnrollment
	Phone string // as typed, to send again
	Sent  *mfa.SMSDelivery
	Typed string // a number that was refused, to mend
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
		s.setupRefused(w, r, v, totpPath, err)
		return
	}
	v.Setup = &setup{TOTP: enrollment}
	s.keep(r.Context(), v.session)
	http.Redirect(w, r, totpPath, http.StatusSeeOther)
}

// setupRefused asks for a fresh proof where that is what is missing.
func (s *server) setupRefused(w http.ResponseWriter, r *http.Request, v *visit, path string, err error) {
	var challenge *mfa.ChallengeError
	if errors.As(err, &challenge) && v.State == signedIn {
		s.confirm(w, r, v, challenge, path)
		return
	}
	s.refuse(w, r, v, path, err)
}

func (s *server) verifyTOTP(w http.ResponseWriter, r *http.Request, v *visit) {
	login, err := s.engine.VerifyEnrollment(r.Context(), v.UserID, mfa.MethodTOTP, r.PostFormValue("code"))
	if err != nil {
		v.forgetDeadSetup(err)
		s.refuse(w, r, v, totpPath, err)
		return
	}
	s.enrolled(w, r, v, login)
}

// forgetDeadSetup drops what no code can confirm any more.
func (v *visit) forgetDeadSetup(err error) {
	var wrong mfa.CodeError
	if errors.Is(err, mfa.ErrNoPendingEnrollment) || errors.As(err, &wrong) && wrong.TriesLeft == 0 {
		v.Setup = nil
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
	if v.Setup == nil {
		return smsView{}
	}
	if v.Setup.Sent == nil || v.Setup.expired(now) {
		return smsView{Phone: v.Setup.Phone}
	}
	return smsView{
		Sent:   true,
		Masked: v.Setup.Sent.Phone,
		Phone:  v.Setup.Phone,
		Resend: seconds(v.Setup.Sent.ResendAfter.Sub(now)),
	}
}

// expired tells whether there was a code that is not good any more.
func (u *setup) expired(now time.Time) bool { return u.Sent != nil && !now.Before(u.Sent.ExpiresAt) }

func (s *server) smsPage(w http.ResponseWriter, r *http.Request, v *visit) {
	view := newSMSView(v, s.now())
	if r.FormValue("change") != "" {
		view = smsView{Phone: view.Phone}
		if v.Setup != nil && v.Setup.Typed != "" {
			view.Phone = v.Setup.Typed
		}
	}
	s.show(w, r, v, "sms", http.StatusOK, view)
}

// beginSMS sends a code to a new number, or sends another one.
func (s *server) beginSMS(w http.ResponseWriter, r *http.Request, v *visit) {
	phone := r.PostFormValue("phone")
	sent, err := s.engine.EnrollSMS(r.Context(), v.UserID, phone, mfa.WithProof(v.Proof))
	if err != nil {
		path := smsPath
		if v.Setup == nil {
			v.Setup = &setup{}
		}
		if v.Setup.Phone != phone {
			v.Setup.Typed, path = phone, smsPath+"?change=1"
		}
		s.setupRefused(w, r, v, path, err)
		return
	}
	v.Setup = &setup{Phone: phone, Sent: sent}
	s.keep(r.Context(), v.session)
	http.Redirect(w, r, smsPath, http.StatusSeeOther)
}

func (s *server) verifySMS(w http.ResponseWriter, r *http.Request, v *visit) {
	if v.Setup != nil && v.Setup.expired(s.now()) {
		s.refuse(w, r, v, smsPath, errCodeExpired)
		return
	}
	login, err := s.engine.VerifyEnrollment(r.Context(), v.UserID, mfa.MethodSMS, r.PostFormValue("code"))
	if err != nil {
		v.forgetDeadSetup(err)
		s.refuse(w, r, v, smsPath, err)
		return
	}
	s.enrolled(w, r, v, login)
}

// enrolled goes on once a factor is confirmed. All other sessions of the user
// end: one of them may have begun when there was no factor yet. Who has no
// backup codes gets them on the next page: that is, once this browser has its
// new session, in which they are shown.
func (s *server) enrolled(w http.ResponseWriter, r *http.Request, v *visit, login *mfa.Login) {
	var err error
	if v.Generation, err = s.users.endOthers(r.Context(), login.UserID, v.Generation); err != nil {
		s.fail(w, r, v, err)
		return
	}
	notice := methodName(login.Method) + " is set up. Your other sessions were signed out."
	if login.BackupCodesLeft > 0 {
		s.enter(w, r, v, login, securityPath, notice)
		return
	}
	v.Codes = &newCodes{Until: s.now().Add(codesTTL)}
	s.enter(w, r, v, login, backupCodesPath, notice)
}
