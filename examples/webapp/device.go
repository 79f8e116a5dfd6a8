package main

import (
	"net/http"

	"github.com/protekt/mfa"
)

const deviceCookie = "mfa_device"

// device is the token of a device that was trusted; "" is the same as one that
// does not hold.
func (s *server) device(r *http.Request) string {
	cookie, err := r.Cookie(cookieName(deviceCookie, s.secure))
	if err != nil {
		return ""
	}
	return cookie.Value
}

// trustDevice lets this browser skip the prompt, after the password, for 30
// days.
func (s *server) trustDevice(w http.ResponseWriter, r *http.Request, login *mfa.Login) error {
	device, err := s.engine.TrustDevice(r.Context(), login.UserID, login.Proof)
	if err != nil {
		return err
	}
	http.SetCookie(w, &http.Cookie{
		Name:     cookieName(deviceCookie, s.secure),
		Value:    device.Token,
		Path:     "/",
		MaxAge:   seconds(device.ExpiresAt.Sub(s.now())),
		HttpOnly: true,
		Secure:   s.secure,
		SameSite: http.SameSiteLaxMode,
	})
	return nil
}
