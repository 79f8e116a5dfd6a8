package routers

import (
	"context"
	"encoding/gob"
	"net/http"

	"github.com/alexedwards/scs/v2"
	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfahttp"
)

func init() { gob.Register(mfahttp.User{}) }

// A cookieSession implements [mfahttp.Session] and [mfahttp.Tokens] over scs.
type cookieSession struct{ *scs.SessionManager }

func (s cookieSession) User(r *http.Request) (mfahttp.User, error) {
	user, ok := s.Get(r.Context(), "user").(mfahttp.User)
	if !ok {
		return user, mfahttp.ErrNoSession
	}
	return user, nil
}

func (s cookieSession) Account(_ context.Context, userID string) (string, error) {
	return userID + "@example.com", nil
}

func (s cookieSession) Complete(w http.ResponseWriter, r *http.Request, login *mfa.Login, device *mfa.TrustedDevice) (any, error) {
	if device != nil {
		http.SetCookie(w, &http.Cookie{Name: "__Host-device", Value: device.Token, Path: "/", Expires: device.ExpiresAt, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	}
	s.Remove(r.Context(), "mfa_token")
	s.Put(r.Context(), "user", proved(mfahttp.User{ID: login.UserID}, login))
	return nil, s.RenewToken(r.Context()) // a new ID at each step up
}

func (s cookieSession) Proved(_ http.ResponseWriter, r *http.Request, login *mfa.Login) error {
	user, err := s.User(r)
	s.Put(r.Context(), "user", proved(user, login))
	return err
}

func (s cookieSession) Token(r *http.Request) (string, error) {
	return s.GetString(r.Context(), "mfa_token"), nil
}

func (s cookieSession) KeepToken(_ http.ResponseWriter, r *http.Request, token string) error {
	s.Put(r.Context(), "mfa_token", token)
	return s.RenewToken(r.Context())
}

// deviceOf returns the token of a trusted device, or "".
func deviceOf(r *http.Request) string {
	cookie, err := r.Cookie("__Host-device")
	if err != nil {
		return ""
	}
	return cookie.Value
}
