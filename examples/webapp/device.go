package main

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/protekt/mfa"
)

const (
	deviceCookie = "mfa_device"
	deviceOf     = "device of "
)

// device returns the browser's cookie of a trusted device, or "" if it has none.
func (s *server) device(r *http.Request) string {
	cookie, err := r.Cookie(cookieName(deviceCookie, s.secure))
	if err != nil {
		return ""
	}
	return cookie.Value
}

// openDevice returns the ID and the token of the device in a cookie that was issued
// to this account, or "" for any other value. The device may be forgotten by now.
func (s *server) openDevice(email, device string) (id, token string) {
	sealed, err := base64.RawURLEncoding.DecodeString(device)
	if err != nil {
		return "", ""
	}
	opened, err := s.sealer.open(deviceOf+canonical(email), sealed)
	if err != nil {
		return "", ""
	}
	id, token, _ = strings.Cut(string(opened), " ")
	return id, token
}

// sealDevice seals a device's ID and token for its account, so that signIn knows
// whose device it is before it has checked the password.
func (s *server) sealDevice(email string, device *mfa.TrustedDevice) string {
	return base64.RawURLEncoding.EncodeToString(s.sealer.seal(deviceOf+email, []byte(device.ID+" "+device.Token)))
}

// trusts reports whether the account still trusts the device of that ID.
func (s *server) trusts(ctx context.Context, email, id string) (bool, error) {
	u, err := s.users.byEmail(ctx, email)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	devices, err := s.engine.Devices(ctx, u.ID)
	return slices.ContainsFunc(devices, func(d mfa.TrustedDevice) bool { return d.ID == id }), err
}

// trustDevice lets this browser skip the prompt after the password for 30 days, by
// a cookie.
func (s *server) trustDevice(w http.ResponseWriter, r *http.Request, v *visit, login *mfa.Login) error {
	device, err := s.engine.TrustDevice(r.Context(), login.UserID, login.Proof, browserName(r.UserAgent()))
	if err != nil {
		return err
	}
	http.SetCookie(w, &http.Cookie{
		Name:     cookieName(deviceCookie, s.secure),
		Value:    s.sealDevice(v.User.Email, device),
		Path:     "/",
		MaxAge:   seconds(device.ExpiresAt.Sub(s.now())),
		HttpOnly: true,
		Secure:   s.secure,
		SameSite: http.SameSiteLaxMode,
	})
	return nil
}

// browserName returns the name of a device for its user's list, such as "Firefox on
// Linux", from what a browser calls itself, or "" for one that it does not know.
func browserName(userAgent string) string {
	first := func(names []string) string {
		for _, name := range names {
			mark, shown, _ := strings.Cut(name, "=")
			if strings.Contains(userAgent, mark) {
				return shown
			}
		}
		return ""
	}
	// Browsers claim to be others as well, so the order matters.
	browser := first([]string{"Edg=Edge", "OPR/=Opera", "SamsungBrowser/=Samsung Internet", "Firefox/=Firefox", "FxiOS/=Firefox", "CriOS/=Chrome", "Chrome/=Chrome", "Safari/=Safari"})
	system := first([]string{"Windows=Windows", "iPhone=iPhone", "iPad=iPad", "Android=Android", "CrOS=ChromeOS", "Mac OS X=macOS", "Linux=Linux"})
	if browser == "" || system == "" {
		return browser + system
	}
	return browser + " on " + system
}
