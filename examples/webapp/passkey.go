package main

import (
	"net/http"
	"net/url"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/webauthn"
)

const passkeyPath = "/enroll/passkey"

// newPasskeys returns a verifier of passkeys, which belong to the host name of the
// application's origin and work there alone.
func newPasskeys(origin string) (mfa.PasskeyVerifier, error) {
	u, err := url.Parse(origin)
	if err != nil {
		return nil, err
	}
	return webauthn.New(webauthn.Config{RPID: u.Hostname(), Name: issuer, Origins: []string{origin}})
}

// A passkeyForm holds what a page needs to ask the browser for a passkey. The zero
// value offers none.
type passkeyForm struct {
	Options   string // the argument of navigator.credentials.create or get, as JSON
	Elsewhere string // the page's address at the application's origin, if it was requested at another
}

// passkeyForm returns the form for the page of a request. At any origin but the
// application's, browsers would refuse passkeys.
func (s *server) passkeyForm(r *http.Request, options []byte) passkeyForm {
	if u, err := url.Parse(s.origin); err != nil || u.Host != r.Host {
		return passkeyForm{Elsewhere: s.origin + r.URL.Path}
	}
	return passkeyForm{Options: string(options)}
}

func (s *server) passkeyPage(w http.ResponseWriter, r *http.Request, v *visit) {
	var options []byte
	if v.Setup != nil && v.Setup.Passkey != nil && s.now().Before(v.Setup.Passkey.ExpiresAt) {
		options = v.Setup.Passkey.Options
	}
	s.show(w, r, v, "passkey", http.StatusOK, s.passkeyForm(r, options))
}

// beginPasskey starts the setup of a passkey, beside those of the user.
func (s *server) beginPasskey(w http.ResponseWriter, r *http.Request, v *visit) {
	enrollment, err := s.engine.EnrollPasskey(r.Context(), v.UserID, v.User.Email, mfa.WithProof(v.Proof))
	if err != nil {
		s.setupRefused(w, r, v, passkeyPath, err)
		return
	}
	v.Setup = &setup{Passkey: enrollment}
	s.keep(r.Context(), v.session)
	http.Redirect(w, r, passkeyPath, http.StatusSeeOther)
}

func (s *server) verifyPasskey(w http.ResponseWriter, r *http.Request, v *visit) {
	s.verifySetup(w, r, v, mfa.MethodPasskey, passkeyPath)
}
