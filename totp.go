package mfa

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/boombuler/barcode/qr"
	"github.com/pquerna/otp"

	"github.com/protekt/mfa/internal/record"
	"github.com/protekt/mfa/internal/seal"
	"github.com/protekt/mfa/internal/totp"
)

// An Algorithm is the hash in a time-based one-time password (RFC 6238 §1.2).
type Algorithm string

const (
	SHA1   Algorithm = "SHA1"
	SHA256 Algorithm = "SHA256"
	SHA512 Algorithm = "SHA512"
)

// number is what records hold; 0 for an unknown name.
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

// A TOTPEnrollment is what a user needs to set up an authenticator app. It is
// there once: no call gives it again. As JSON it is for the client; no other
// form of it shows the secret.
type TOTPEnrollment struct {
	URI       string    `json:"totp_uri"` // otpauth://totp/Issuer:account?secret=...&issuer=...
	Secret    string    `json:"secret"`   // base32, for typing by hand
	QRCode    string    `json:"qr_code"`  // data:image/png;base64,..., 200 to 400 pixels wide
	ExpiresAt time.Time `json:"expires_at"`
}

// Format shows no secret, whatever the verb.
func (t TOTPEnrollment) Format(f fmt.State, _ rune) { io.WriteString(f, t.redacted()) }

// LogValue shows no secret.
func (t TOTPEnrollment) LogValue() slog.Value { return slog.StringValue(t.redacted()) }

func (t TOTPEnrollment) redacted() string {
	return fmt.Sprintf("mfa.TOTPEnrollment{redacted, ExpiresAt:%s}", t.ExpiresAt.Format(time.RFC3339))
}

// EnrollTOTP begins the enrollment of an authenticator app, in place of one
// that was begun before. account is what the app shows beside the issuer, an
// e-mail address say: 1 to 255 printable bytes without ':'. The factor counts
// once VerifyEnrollment has seen a code of it; one that the user already has
// stays until then. A user with a confirmed factor who gives no fresh proof
// gets a *ChallengeError (ActionManage).
func (e *Engine) EnrollTOTP(ctx context.Context, userID, account string, opts ...ChangeOption) (*TOTPEnrollment, error) {
	key := newKey(e.config.TOTP)
	uri, err := keyURI(e.config.Issuer, account, key)
	if err != nil {
		return nil, err
	}
	enrollment := &TOTPEnrollment{URI: uri, Secret: base32NoPadding.EncodeToString(key.Secret)}
	err = e.update(ctx, userID, func(u *user) error {
		if err := e.mayChange(u, opts); err != nil {
			return err
		}
		enrollment.ExpiresAt = u.now.Add(e.pendingTTL(MethodTOTP))
		u.BeginTOTP(key, enrollment.ExpiresAt)
		u.event(EventEnrollmentStarted, MethodTOTP, ActionEnroll, nil)
		return nil
	})
	if err != nil {
		return nil, err
	}
	if enrollment.QRCode, err = qrCode(uri); err != nil {
		return nil, err
	}
	return enrollment, nil
}

// VerifyEnrollment confirms a pending factor by a code of it, and logs the
// user in: the code is spent. Five wrong ones void what is pending.
func (e *Engine) VerifyEnrollment(ctx context.Context, userID string, method Method, code string) (*Login, error) {
	if method != MethodTOTP && (method != MethodSMS || e.config.SMS == nil) {
		return nil, ErrMethodUnavailable
	}
	if len(code) > maxCode {
		return nil, ErrInvalidCode
	}
	var login *Login
	err := e.update(ctx, userID, func(u *user) error {
		verdict := e.confirm(u, method, code)
		if verdict.Result == record.Dead {
			return ErrNoPendingEnrollment
		}
		if err := u.report(verdict, ActionEnroll); err != nil {
			return err
		}
		login = e.login(u, method, ActionEnroll)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return login, nil
}

func (e *Engine) confirm(u *user, method Method, code string) record.Verdict {
	digits, _ := parseCode(code)
	latest := u.now.Add(e.pendingTTL(method) + clockSkew)
	return u.Confirm(method.number(), e.guess(digits, func(tag seal.Tag) bool {
		return u.PendingSMS != nil && e.ring.Verify(tag, enrollmentCode, u.id, u.PendingSMS.Phone, digits)
	}), u.now, latest)
}

// pendingTTL is how long a factor waits to be confirmed: a phone no longer than
// its code.
func (e *Engine) pendingTTL(method Method) time.Duration {
	if method == MethodSMS {
		return min(e.config.SMSCodes.TTL, e.config.EnrollmentTTL)
	}
	return e.config.EnrollmentTTL
}

// guess is what the engine's settings make of a code.
func (e *Engine) guess(digits string, sent func(seal.Tag) bool) record.Guess {
	guess := record.Guess{Digits: digits, Reach: 1, Sent: sent}
	if e.config.TOTP.Strict {
		guess.Reach = 0
	}
	return guess
}

// ImportTOTP adopts the key of an authenticator app that another system has
// confirmed, as its otpauth URI: 10 to 64 bytes, SHA1, SHA256 or SHA512, 6 to 8
// digits, a period of up to 120 seconds. It is confirmed at once, in place of
// one that the user has. Importing that very key keeps its spent codes.
func (e *Engine) ImportTOTP(ctx context.Context, userID, uri string) error {
	key, err := parseKeyURI(uri)
	if err != nil {
		return err
	}
	return e.update(ctx, userID, func(u *user) error {
		u.ImportTOTP(key, u.now)
		u.event(EventEnrolled, MethodTOTP, "", nil)
		return nil
	})
}

// newKey makes a key as long as the algorithm's output (RFC 6238 §5.1).
func newKey(c TOTPConfig) totp.Key {
	algorithm := c.Algorithm.number()
	secret := make([]byte, algorithm.Size())
	rand.Read(secret)
	return totp.Key{
		Secret:    secret,
		Algorithm: algorithm,
		Digits:    c.Digits,
		Period:    int64(c.Period / time.Second),
	}
}

// base32NoPadding is how apps want a secret (RFC 4648 §6).
var base32NoPadding = base32.StdEncoding.WithPadding(base32.NoPadding)

const (
	maxIssuer  = 100 // bytes, percent-encoded
	maxAccount = 255 // bytes, as given
	maxKeyURI  = 400 // bytes that make a code which scans from a screen
	maxURI     = 4 << 10
)

// keyURI writes a key in the Key URI format that authenticator apps read. The
// parameters that have their default values are left out: a smaller code
// scans better.
func keyURI(issuer, account string, key totp.Key) (string, error) {
	if account == "" || len(account) > maxAccount || !printable(account) || strings.Contains(account, ":") {
		return "", fmt.Errorf("%w: the account name must be 1 to %d printable bytes without ':'", ErrInvalidInput, maxAccount)
	}
	issuer, account = escape(issuer), escape(account)
	uri := "otpauth://totp/" + issuer + ":" + account +
		"?secret=" + base32NoPadding.EncodeToString(key.Secret) + "&issuer=" + issuer
	switch key.Algorithm {
	case totp.SHA256:
		uri += "&algorithm=SHA256"
	case totp.SHA512:
		uri += "&algorithm=SHA512"
	}
	if key.Digits != 6 {
		uri += "&digits=" + strconv.Itoa(key.Digits)
	}
	if key.Period != 30 {
		uri += "&period=" + strconv.FormatInt(key.Period, 10)
	}
	if len(uri) > maxKeyURI {
		return "", fmt.Errorf("%w: the account name is too long for a QR code", ErrInvalidInput)
	}
	return uri, nil
}

// escape percent-encodes all but the unreserved characters of RFC 3986 §2.3
// and '@', which no part of the URI needs encoded. A space is %20: apps show
// '+' as it is.
func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~@", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// parseKeyURI reads a key from an otpauth URI. Its errors say nothing of what
// is in there.
func parseKeyURI(uri string) (totp.Key, error) {
	refuse := func(why string) (totp.Key, error) {
		return totp.Key{}, fmt.Errorf("%w: the URI %s", ErrInvalidInput, why)
	}
	if len(uri) > maxURI {
		return refuse("is too long")
	}
	read, err := otp.NewKeyFromURL(uri)
	if scheme, _, _ := strings.Cut(uri, ":"); err != nil || !strings.EqualFold(strings.TrimSpace(scheme), "otpauth") {
		return refuse("is not an otpauth URI")
	}
	if !strings.EqualFold(read.Type(), "totp") {
		return refuse("is not of type totp")
	}
	withoutFragment, _, _ := strings.Cut(read.String(), "#")
	_, rawQuery, _ := strings.Cut(withoutFragment, "?")
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return refuse("is malformed")
	}
	for _, values := range query {
		if len(values) > 1 {
			return refuse("has a parameter twice")
		}
	}
	// What it cannot read, the library takes for the default.
	for name, understood := range map[string]string{
		"algorithm": read.Algorithm().String(),
		"digits":    read.Digits().String(),
		"period":    strconv.FormatUint(read.Period(), 10),
		"encoder":   string(read.Encoder()),
	} {
		if query.Has(name) && !strings.EqualFold(query.Get(name), understood) {
			return refuse("has an unknown " + name)
		}
	}
	key := totp.Key{
		Secret:    parseSecret(read.Secret()),
		Algorithm: Algorithm(read.Algorithm().String()).number(),
		Digits:    read.Digits().Length(),
		Period:    int64(min(read.Period(), 1<<31)),
	}
	if read.Encoder() != otp.EncoderDefault || !key.Valid() {
		return refuse("has a key out of bounds: 10 to 64 bytes of base32, SHA1, SHA256 or SHA512, 6 to 8 digits, 1 to 120 seconds")
	}
	return key, nil
}

// parseSecret decodes base32 in either case, padded or not; nil where there is
// another way to write it (RFC 4648 §3.5).
func parseSecret(text string) []byte {
	text = strings.ToUpper(strings.TrimRight(text, "="))
	secret, err := base32NoPadding.DecodeString(text)
	if err != nil || base32NoPadding.EncodeToString(secret) != text {
		return nil
	}
	return secret
}

const (
	quietZone = 4   // modules on each side (ISO/IEC 18004)
	maxWidth  = 400 // pixels
)

// qrCode draws text as the data URL of a one-bit PNG with whole modules.
func qrCode(text string) (string, error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return "", fmt.Errorf("mfa: drawing the QR code: %w", err)
	}
	modules := code.Bounds().Dx()
	scale := maxWidth / (modules + 2*quietZone)
	width := scale * (modules + 2*quietZone)
	picture := image.NewPaletted(image.Rect(0, 0, width, width), color.Palette{color.White, color.Black})
	for y := range modules {
		for x := range modules {
			if code.At(x, y) == color.Black {
				fill(picture, (x+quietZone)*scale, (y+quietZone)*scale, scale)
			}
		}
	}
	var b bytes.Buffer
	b.WriteString("data:image/png;base64,")
	encoder := base64.NewEncoder(base64.StdEncoding, &b)
	if err := png.Encode(encoder, picture); err != nil {
		return "", fmt.Errorf("mfa: drawing the QR code: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return "", fmt.Errorf("mfa: drawing the QR code: %w", err)
	}
	return b.String(), nil
}

// fill blackens a square.
func fill(picture *image.Paletted, left, top, size int) {
	for y := top; y < top+size; y++ {
		for x := left; x < left+size; x++ {
			picture.SetColorIndex(x, y, 1)
		}
	}
}
