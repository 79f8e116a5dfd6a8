package main

import (
	"context"
	"encoding/base64"
	"net/http"

	"github.com/protekt/mfa"
)

const (
	deviceCookie = "mfa_device"
	deviceOf     = "device of "
)

// device is what this browser shows of a device that was trusted; "" is the
// same as one that does not hold.
func (s *server) device(r *http.Request) string {
	cookie, err := r.Cookie(cookieName(deviceCookie, s.secure))
	if err != nil {
		return ""
	}
	return cookie.Value
}

// deviceToken is the engine's token of a device that this account has trusted,
// some time; "" if it is another's.
func (s *server) deviceToken(email, device string) string {
	sealed, err := base64.RawURLEncoding.DecodeString(device)
	if err != nil {
		return ""
	}
	token, err := s.sealer.open(deviceOf+canonical(email), sealed)
	if err != nil {
		return ""
	}
	return string(token)
}

// trust lets a device skip the prompt, after the password, for 30 days. Its
// token is sealed for the account, so that whose it is can be told before the
// password is right.
func (s *server) trust(ctx context.Context, login *mfa.Login) (*mfa.TrustedDevice, error) {
	u, err := s.users.byID(ctx, login.UserID)
	if err != nil {
		return nil, err
	}
	device, err := s.engine.TrustDevice(ctx, login.UserID, login.Proof)
	if err != nil {
		return nil, err
	}
	device.Token = base64.RawURLEncoding.EncodeToString(s.sealer.seal(deviceOf+u.Email, []byte(device.Token)))
	return device, nil
}

// trustDevice trusts this browser.
func (s *server) trustDevice(w http.ResponseWriter, r *http.Request, login *mfa.Login) error {
	device, err := s.trust(r.Context(), login)
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
