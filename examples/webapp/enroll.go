package main

import (
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/protekt/mfa"
)

const (
	totpPath = "/enroll/totp"
	smsPath  = "/enroll/sms"
)

// A setup is a factor that awaits its first code. The session keeps it, so that
// the page still shows the QR code after a wrong code.
type setup struct {
	TOTP    *mfa.TOTPEnrollment
	Passkey *mfa.PasskeyEnrollment
	Phone   string // as typed, to send another code
	Sent    *mfa.SMSDelivery
	Typed   string // a number that was refused, to correct
	Place   place
}

// A place says where a new factor goes: beside the others of its method, in place
// of one of them, or of all.
type place struct{ Keep, Factor string }

func placed(r *http.Request) place { return place{r.FormValue("keep"), r.FormValue("factor")} }

// Query returns the place as the query of a link.
func (p place) Query() string {
	return url.Values{"keep": {p.Keep}, "factor": {p.Factor}}.Encode()
}

func (p place) options(proof string) []mfa.ChangeOption {
	options := []mfa.ChangeOption{mfa.WithProof(proof)}
	if p.Keep != "" {
		options = append(options, mfa.KeepOthers())
	}
	if p.Factor != "" {
		options = append(options, mfa.OnlyFactor(p.Factor))
	}
	return options
}

// enrollPage offers the methods to choose from, passkeys among them where the
// application has them.
func (s *server) enrollPage(w http.ResponseWriter, r *http.Request, v *visit) {
	s.show(w, r, v, "enroll", http.StatusOK, s.origin != "")
}

// A totpView is what the page shows of an authenticator app's setup. If none is
// started, the page offers to.
type totpView struct {
	Started bool
	QRCode  template.URL // a data: URL from the engine
	URI     template.URL // an otpauth: URL from the engine
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

// allowPictureInPage lets the page embed the QR code as a data: URL, so that the
// picture needs no URL of its own.
func allowPictureInPage(w http.ResponseWriter) {
	w.Header().Set("Content-Security-Policy", strings.Replace(policy, "img-src 'self'", "img-src 'self' data:", 1))
}

// beginTOTP starts the setup of an app with a new key.
func (s *server) beginTOTP(w http.ResponseWriter, r *http.Request, v *visit) {
	enrollment, err := s.engine.EnrollTOTP(r.Context(), v.UserID, v.User.Email, placed(r).options(v.Proof)...)
	if err != nil {
		s.setupRefused(w, r, v, totpPath, err)
		return
	}
	v.Setup = &setup{TOTP: enrollment}
	s.keep(r.Context(), v.session)
	http.Redirect(w, r, totpPath, http.StatusSeeOther)
}

// setupRefused asks for a fresh proof if err is the lack of one, and shows err
// otherwise.
func (s *server) setupRefused(w http.ResponseWriter, r *http.Request, v *visit, path string, err error) {
	var challenge *mfa.ChallengeError
	if errors.As(err, &challenge) && v.State == signedIn {
		s.confirm(w, r, v, challenge, path)
		return
	}
	s.refuse(w, r, v, path, err)
}

func (s *server) verifyTOTP(w http.ResponseWriter, r *http.Request, v *visit) {
	s.verifySetup(w, r, v, mfa.MethodTOTP, totpPath)
}

// verifySetup confirms a factor with its first answer, from the form of the page
// at path.
func (s *server) verifySetup(w http.ResponseWriter, r *http.Request, v *visit, method mfa.Method, path string) {
	login, err := s.engine.VerifyEnrollment(r.Context(), v.UserID, method, answerTo(r))
	if err != nil {
		v.forgetDeadSetup(err)
		s.refuse(w, r, v, path, err)
		return
	}
	s.enrolled(w, r, v, login)
}

// forgetDeadSetup drops a setup that no code can confirm any more.
func (v *visit) forgetDeadSetup(err error) {
	var wrong mfa.CodeError
	if errors.Is(err, mfa.ErrNoPendingEnrollment) || errors.As(err, &wrong) && wrong.TriesLeft == 0 {
		v.Setup = nil
	}
}

// An smsView is what the page shows of a phone's setup.
type smsView struct {
	Sent   bool
	Masked string
	Phone  string
	Resend int // seconds until another message may be sent
	Place  place
}

func newSMSView(v *visit, now time.Time) smsView {
	if v.Setup == nil {
		return smsView{}
	}
	if v.Setup.Sent == nil || v.Setup.expired(now) {
		return smsView{Phone: v.Setup.Phone, Place: v.Setup.Place}
	}
	return smsView{
		Sent:   true,
		Masked: v.Setup.Sent.Phone,
		Phone:  v.Setup.Phone,
		Resend: seconds(v.Setup.Sent.ResendAfter.Sub(now)),
		Place:  v.Setup.Place,
	}
}

// expired reports whether a code was sent and has expired.
func (u *setup) expired(now time.Time) bool { return u.Sent != nil && !now.Before(u.Sent.ExpiresAt) }

func (s *server) smsPage(w http.ResponseWriter, r *http.Request, v *visit) {
	view := newSMSView(v, s.now())
	if r.FormValue("change") != "" {
		view = smsView{Phone: view.Phone, Place: placed(r)}
		if v.Setup != nil && v.Setup.Typed != "" {
			view.Phone = v.Setup.Typed
		}
	}
	s.show(w, r, v, "sms", http.StatusOK, view)
}

// beginSMS sends a code, or another one, to a new number.
func (s *server) beginSMS(w http.ResponseWriter, r *http.Request, v *visit) {
	phone := r.PostFormValue("phone")
	sent, err := s.engine.EnrollSMS(r.Context(), v.UserID, phone, placed(r).options(v.Proof)...)
	if err != nil {
		path := smsPath
		if v.Setup == nil {
			v.Setup = &setup{}
		}
		if v.Setup.Phone != phone {
			v.Setup.Typed, path = phone, smsPath+"?change=1&"+placed(r).Query()
		}
		s.setupRefused(w, r, v, path, err)
		return
	}
	v.Setup = &setup{Phone: phone, Sent: sent, Place: placed(r)}
	s.keep(r.Context(), v.session)
	http.Redirect(w, r, smsPath, http.StatusSeeOther)
}

func (s *server) verifySMS(w http.ResponseWriter, r *http.Request, v *visit) {
	if v.Setup != nil && v.Setup.expired(s.now()) {
		s.refuse(w, r, v, smsPath, errCodeExpired)
		return
	}
	s.verifySetup(w, r, v, mfa.MethodSMS, smsPath)
}

// enrolled ends the user's other sessions once a factor is confirmed, since one of
// them may have begun without any. A user without backup codes gets them on the
// next page, when the browser has the new session in which they are shown.
func (s *server) enrolled(w http.ResponseWriter, r *http.Request, v *visit, login *mfa.Login) {
	var err error
	if v.Generation, err = s.keepOnly(r.Context(), login.UserID, v.Generation); err != nil {
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
