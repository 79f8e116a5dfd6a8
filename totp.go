package mfa

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/protekt/mfa/internal/otpauth"
	"github.com/protekt/mfa/internal/record"
	"github.com/protekt/mfa/internal/totp"
)

// An Algorithm is the hash in a time-based one-time password (RFC 6238 §1.2).
type Algorithm string

const (
	SHA1   Algorithm = "SHA1"
	SHA256 Algorithm = "SHA256"
	SHA512 Algorithm = "SHA512"
)

// number returns what records hold, 0 for an unknown algorithm.
func (a Algorithm) number() totp.Algorithm {
	switch a {
	case SHA1:
		return totp.SHA1
	case SHA256:
		return totp.SHA256
	case SHA512:
		return totp.SHA512
	}
	return 0
}

// A TOTPEnrollment holds what a user needs to set up an authenticator app. Show
// it once: no call returns it again. Marshalled as JSON it is the body for the
// client; no other form of it shows the secret.
type TOTPEnrollment struct {
	// URI is otpauth://totp/Issuer:account?secret=...&issuer=...
	URI string `json:"totp_uri"`
	// Secret is the key in base32, for typing by hand.
	Secret string `json:"secret"`
	// QRCode is a picture of the URI, 200 to 400 pixels wide:
	// data:image/png;base64,...
	QRCode    string    `json:"qr_code"`
	ExpiresAt time.Time `json:"expires_at"`
}

// EnrollTOTP begins the enrollment of an authenticator app, in place of one
// begun before. account is what the app shows beside the issuer, such as an
// e-mail address: 1 to 255 printable bytes without ':', as many as leave the URI
// 600 bytes once percent-encoded. The app counts once VerifyEnrollment has
// accepted a code from it, and takes the place of those that the user has, unless
// KeepOthers or OnlyFactor says otherwise. A user with a confirmed factor who
// passes no fresh proof gets a *ChallengeError (ActionManage).
func (e *Engine) EnrollTOTP(ctx context.Context, userID, account string, opts ...ChangeOption) (*TOTPEnrollment, error) {
	options, err := readOptions(opts)
	if err != nil {
		return nil, err
	}
	key := newKey(e.config.TOTP)
	uri, err := keyURI(e.config.Issuer, account, key)
	if err != nil {
		return nil, err
	}
	enrollment := &TOTPEnrollment{URI: uri, Secret: otpauth.Secret(key)}
	err = e.update(ctx, userID, func(u *user) error {
		p, err := e.mayEnroll(u, MethodTOTP, options)
		if err != nil {
			return err
		}
		p.Key, enrollment.ExpiresAt = key, p.Expires
		begun := u.Begin(p)
		u.event(Event{Type: EventEnrollmentStarted, Method: MethodTOTP, FactorID: factorID(begun.ID), Action: ActionEnroll})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if enrollment.QRCode, err = otpauth.QRCode(uri); err != nil {
		return nil, fmt.Errorf("mfa: %w", err)
	}
	return enrollment, nil
}

// ImportTOTP adopts the key of an authenticator app that another system has
// confirmed: an otpauth URI with a secret of 10 to 64 bytes, SHA1, SHA256 or
// SHA512, 6 to 8 digits and a period of up to 120 seconds, or the secret alone,
// in base32, for a key with the default settings. The secret may be in either
// case, with spaces, dashes and padding. It is confirmed at once. Importing the
// key that the user has changes nothing; in place of another one it is
// ErrAlreadyEnrolled, so that an import at each login is safe.
func (e *Engine) ImportTOTP(ctx context.Context, userID, key string) error {
	parsed, err := otpauth.Parse(key)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrInvalidInput, err)
	}
	return e.update(ctx, userID, func(u *user) error {
		if u.Has(MethodTOTP) {
			return alreadyEnrolled(slices.ContainsFunc(u.TOTP, func(app record.TOTP) bool { return app.Key.Equal(parsed) }))
		}
		imported := u.about(u.ImportTOTP(parsed, u.now))
		imported.Type = EventEnrolled
		u.event(imported)
		return nil
	})
}

// alreadyEnrolled returns the outcome of an import for a user who has a factor of
// that method.
func alreadyEnrolled(same bool) error {
	if same {
		return nil
	}
	return ErrAlreadyEnrolled
}

// newKey generates a key.
func newKey(c TOTPConfig) totp.Key {
	key := c.blankKey()
	rand.Read(key.Secret)
	return key
}

// blankKey returns a key of zeros, as long as the algorithm's output (RFC 6238
// §5.1).
func (c TOTPConfig) blankKey() totp.Key {
	algorithm := c.Algorithm.number()
	return totp.Key{
		Secret:    make([]byte, algorithm.Size()),
		Algorithm: algorithm,
		Digits:    c.Digits,
		Period:    int64(c.Period / time.Second),
	}
}

// keyURI encodes a key for an account with a name that apps can show.
func keyURI(issuer, account string, key totp.Key) (string, error) {
	if err := checkAccount(account); err != nil {
		return "", err
	}
	if strings.Contains(account, ":") {
		return "", fmt.Errorf("%w: the account name must not contain ':'", ErrInvalidInput)
	}
	uri, err := otpauth.URI(issuer, account, key)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrInvalidInput, err)
	}
	return uri, nil
}
