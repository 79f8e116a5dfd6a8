package main

import (
	"encoding/base64"
	"net/http"
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

// deviceToken returns the engine's token within a device cookie that was issued
// to this account, or "" for any other value.
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

// sealDevice seals a device's token for its account, so that signIn knows whose
// device it is before it has checked the password.
func (s *server) sealDevice(email, token string) string {
	return base64.RawURLEncoding.EncodeToString(s.sealer.seal(deviceOf+email, []byte(token)))
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
		Value:    s.sealDevice(v.User.Email, device.Token),
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
