package webauthn

import (
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"

	"github.com/protekt/mfa"
)

// Config configures a [Verifier]. RPID and Origins are required.
type Config struct {
	// RPID is the domain to which passkeys belong, without scheme and port:
	// "example.com", or "localhost" while developing. They work on this domain and
	// its subdomains, and nowhere else. Another RPID makes all passkeys useless.
	// Browsers refuse IP addresses.
	RPID string
	// Name is shown by some authenticators. The default is RPID.
	Name string
	// Origins are the web origins that may ask for passkeys, exactly as browsers
	// send them: "https://login.example.com", "http://localhost:8080". Each must be
	// on RPID or a subdomain. An Android app has an origin that begins with
	// "android:apk-key-hash:".
	Origins []string
	// UserVerification says whether authenticators ask for a PIN or biometrics. The
	// default is Preferred. Required refuses responses without it.
	UserVerification Requirement
	// ResidentKey says whether a new passkey takes storage in its authenticator, so
	// that a browser can list it before the user is known. A second factor does not
	// need that. The default is Discouraged.
	ResidentKey Requirement
	// Timeout is how long browsers wait for the user, 1 second to 10 minutes. The
	// default is 5 minutes. It is advice to the browser: the engine's own times
	// decide.
	Timeout time.Duration
}

// A Requirement says what is asked of an authenticator.
type Requirement string

// The requirements (WebAuthn §5.4.6 and §5.8.6).
const (
	Required    Requirement = "required"
	Preferred   Requirement = "preferred"
	Discouraged Requirement = "discouraged"
)

func (r Requirement) known() bool { return r == Required || r == Preferred || r == Discouraged }

// withDefaults returns c with zero fields set to their defaults.
func (c Config) withDefaults() Config {
	if c.Name == "" {
		c.Name = c.RPID
	}
	if c.UserVerification == "" {
		c.UserVerification = Preferred
	}
	if c.ResidentKey == "" {
		c.ResidentKey = Discouraged
	}
	if c.Timeout == 0 {
		c.Timeout = 5 * time.Minute
	}
	return c
}

// check returns an error that names the field and the cure.
func (c Config) check() error {
	if err := protocol.ValidateRPID(c.RPID); err != nil {
		return invalid("RPID must be a domain such as \"example.com\", or \"localhost\": %w", err)
	}
	if c.RPID != strings.ToLower(c.RPID) {
		return invalid("RPID must be in lower case")
	}
	if len(c.Origins) == 0 {
		return invalid("Origins must name at least one origin, such as \"https://%s\"", c.RPID)
	}
	for _, origin := range c.Origins {
		if err := c.checkOrigin(origin); err != nil {
			return err
		}
	}
	switch {
	case !c.UserVerification.known():
		return invalid("UserVerification must be Required, Preferred or Discouraged")
	case !c.ResidentKey.known():
		return invalid("ResidentKey must be Required, Preferred or Discouraged")
	case c.Timeout < time.Second || c.Timeout > 10*time.Minute:
		return invalid("Timeout must be 1 second to 10 minutes")
	}
	return nil
}

// checkOrigin refuses an origin that no browser sends, or that a browser would
// not let use RPID.
func (c Config) checkOrigin(origin string) error {
	if hash, ok := strings.CutPrefix(origin, "android:apk-key-hash:"); ok && hash != "" {
		return nil
	}
	u, err := url.Parse(origin)
	if err != nil || origin != u.Scheme+"://"+strings.ToLower(u.Host) || u.Port() == "" && strings.HasSuffix(u.Host, ":") {
		return invalid("Origins: %q must be scheme, host in lower case and port alone, such as \"https://%s\"", origin, c.RPID)
	}
	host := u.Hostname()
	local := host == "localhost" || strings.HasSuffix(host, ".localhost")
	switch {
	case u.Scheme != "https" && !(u.Scheme == "http" && local):
		return invalid("Origins: %q must begin with https://, as browsers offer passkeys over http on localhost alone", origin)
	case u.Scheme == "https" && u.Port() == "443", u.Scheme == "http" && u.Port() == "80":
		return invalid("Origins: %q must not have the port, which browsers leave out", origin)
	case host != c.RPID && !strings.HasSuffix(host, "."+c.RPID):
		return invalid("Origins: %q is not on RPID %q or a subdomain", origin, c.RPID)
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: webauthn: Config.%w", mfa.ErrInvalidInput, fmt.Errorf(format, args...))
}
