package mfa

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/protekt/mfa/internal/otpauth"
)

// roomForAccount is the length in bytes of the account names for which an issuer
// must leave room in a key URI.
const roomForAccount = 64

// Config configures an engine. Issuer, Store and Keys are required; every other
// field may be left zero for its default.
type Config struct {
	// Issuer is the name shown in authenticator apps and messages: printable, in
	// any script, no ':'. The key URI, which holds it twice, must have room for an
	// account name of 64 letters: with SHA1 that leaves 25 Chinese characters, 39
	// Cyrillic letters or 236 Latin ones. Required.
	Issuer string

	// Store keeps the users' records. Required.
	Store Store

	// Keys are 32 random bytes each; text, such as a key in hex or base64, and one
	// byte repeated are refused. The first seals, all open; to rotate them see Keys
	// in the package documentation. Required.
	Keys [][]byte `json:"-"`

	// SMS sends messages. If nil, there is no MethodSMS.
	SMS SMSSender

	// Passkeys verifies passkeys (WebAuthn); module webauthn has one. If nil, there
	// is no MethodPasskey.
	Passkeys PasskeyVerifier

	// Required reports whether a user must have MFA. If nil, MFA is optional. It
	// is asked anew each time it matters, so that a project can switch at run
	// time. An error refuses the operation.
	Required func(ctx context.Context, userID string) (bool, error)

	// OnEvent, if non-nil, receives every event after the save, before the
	// operation returns.
	OnEvent func(ctx context.Context, event Event)

	// Now is the engine's only clock. If nil, it is time.Now.
	Now func() time.Time

	TOTP        TOTPConfig
	SMSCodes    SMSConfig
	BackupCodes BackupCodeConfig

	// ChallengeTTL is how long a login or step-up challenge may be answered: 5
	// minutes by default, at most 10.
	ChallengeTTL time.Duration

	// EnrollmentTTL is how long pending factors and enrollment tokens are valid:
	// 15 minutes by default, at most a day.
	EnrollmentTTL time.Duration

	// ProofTTL is how long the Proof of a Login is valid: 15 minutes by default,
	// at most a day.
	ProofTTL time.Duration

	// TrustedDeviceTTL is how long a device is trusted: 30 days by default, at
	// most 400.
	TrustedDeviceTTL time.Duration

	// InsecureSkipProof lets users change their factors without proving one. The
	// host must re-authenticate them itself.
	InsecureSkipProof bool
}

// TOTPConfig configures new enrollments of authenticator apps; an enrolled app
// keeps what it was enrolled with. Many apps ignore all but the default settings
// and then show wrong codes, which the user notices when confirming.
type TOTPConfig struct {
	// Algorithm is SHA1 by default, which every app supports, or SHA256 or SHA512.
	Algorithm Algorithm

	// Digits is the length of a code: 6 by default, or 8.
	Digits int

	// Period is the length of a time step: 30 seconds by default, whole seconds,
	// at most 60. Some apps show codes of 60 seconds for keys with longer ones.
	Period time.Duration

	// Strict accepts the current time step alone. Otherwise one step either way
	// is accepted too (RFC 6238 §5.2).
	Strict bool
}

// SMSConfig configures one-time codes by SMS.
type SMSConfig struct {
	// Domain, if not empty, appends the line "@example.com #123456", by which
	// browsers offer the code to that site alone (origin-bound one-time codes,
	// WICG). It is a host name in ASCII: one with other letters is written in
	// punycode (xn--...). The line must be a message's last, as must the hash by
	// which Android's SMS Retriever finds an app's message: use one of the two.
	Domain string

	// Text, if non-nil, returns the text of a message, in a language of the
	// host's choice. If nil, it is a line in English. A text within the GSM 7-bit
	// alphabet (3GPP TS 23.038) is sent and charged as one message up to 160
	// characters; a single character outside of it, as in most scripts, lowers
	// that to 70. Longer texts go as parts of 153 or 67. Domain's line counts too.
	Text func(ctx context.Context, message SMS) string

	// Allow, if non-nil, is asked before a message is sent, for country rules,
	// budgets or SIM-swap risk. An error refuses the message.
	Allow func(ctx context.Context, userID, phone string) error

	// Numbers counts enrollment messages per phone number, across users, in
	// records named "mfa_number_" and a hash of the number; they may be purged
	// after a day. A store that takes any key may be Config.Store itself. Required
	// with SMS, unless InsecureNoNumberLimits is set.
	Numbers Store

	// InsecureNoNumberLimits limits messages per user alone, so that many accounts
	// may flood one number.
	InsecureNoNumberLimits bool

	// TTL is how long a code is valid: 5 minutes by default, at most 10.
	TTL time.Duration

	// Cooldown is the wait between two messages to one user: 30 seconds by
	// default, at most an hour.
	Cooldown time.Duration
}

// BackupCodeConfig configures new sets of backup codes.
type BackupCodeConfig struct {
	// Count is the number of codes in a set: 10 by default, 1 to 15.
	Count int

	// Groups is the length of a code in groups of four symbols, of 20 bits each:
	// 2 by default ("7f3k-2m9p"), 2 to 8. NIST SP 800-63B-4 asks for 64 bits in a
	// saved recovery code, which 4 groups exceed.
	Groups int
}

// withDefaults returns a copy with its zeros filled.
func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	orDefault(&c.TOTP.Algorithm, SHA1)
	orDefault(&c.TOTP.Digits, 6)
	orDefault(&c.TOTP.Period, 30*time.Second)
	orDefault(&c.SMSCodes.TTL, 5*time.Minute)
	orDefault(&c.SMSCodes.Cooldown, 30*time.Second)
	orDefault(&c.BackupCodes.Count, 10)
	orDefault(&c.BackupCodes.Groups, 2)
	orDefault(&c.ChallengeTTL, 5*time.Minute)
	orDefault(&c.EnrollmentTTL, 15*time.Minute)
	orDefault(&c.ProofTTL, 15*time.Minute)
	orDefault(&c.TrustedDeviceTTL, 30*24*time.Hour)
	return c
}

func orDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// check returns an error that names the first bad field and the cure.
func (c Config) check() error {
	const day = 24 * time.Hour
	for _, rule := range []struct {
		broken bool
		text   string
	}{
		{c.Issuer == "", "Issuer is empty: set the name that users see in their authenticator app"},
		{!isName(c.Issuer) || strings.Contains(c.Issuer, ":"), "Issuer may hold printable characters only, and no ':'"},
		{!c.leavesRoom(), "Issuer is too long: shorten it until a key URI of 600 bytes, percent-encoded, holds it twice with an account name of 64 letters"},
		{c.Store == nil, "Store is nil: NewMemoryStore() will do to begin with"},
		{c.TOTP.Algorithm.number() == 0, "TOTP.Algorithm must be SHA1, SHA256 or SHA512"},
		{c.TOTP.Digits != 6 && c.TOTP.Digits != 8, "TOTP.Digits must be 6 or 8"},
		{c.TOTP.Period%time.Second != 0, "TOTP.Period must be whole seconds"},
		{outside(c.TOTP.Period, time.Minute), "TOTP.Period must be above zero and at most 60 seconds"},
		{c.SMSCodes.Domain != "" && !isHost(c.SMSCodes.Domain), "SMSCodes.Domain must be a host name alone, like example.com, in punycode where it has other letters than ASCII's"},
		{c.SMS != nil && c.SMSCodes.Numbers == nil && !c.SMSCodes.InsecureNoNumberLimits, "SMSCodes.Numbers is nil: set it to a store that counts messages per phone number, such as Config.Store itself if it takes any key (or set SMSCodes.InsecureNoNumberLimits)"},
		{outside(c.SMSCodes.TTL, 10*time.Minute), "SMSCodes.TTL must be above zero and at most 10 minutes"},
		{outside(c.SMSCodes.Cooldown, time.Hour), "SMSCodes.Cooldown must be above zero and at most an hour"},
		{c.BackupCodes.Count < 1 || c.BackupCodes.Count > 15, "BackupCodes.Count must be 1 to 15"},
		{c.BackupCodes.Groups < 2 || c.BackupCodes.Groups > 8, "BackupCodes.Groups must be 2 to 8"},
		{outside(c.ChallengeTTL, 10*time.Minute), "ChallengeTTL must be above zero and at most 10 minutes"},
		{outside(c.EnrollmentTTL, day), "EnrollmentTTL must be above zero and at most a day"},
		{outside(c.ProofTTL, day), "ProofTTL must be above zero and at most a day"},
		{outside(c.TrustedDeviceTTL, 400*day), "TrustedDeviceTTL must be above zero and at most 400 days"},
	} {
		if rule.broken {
			return fmt.Errorf("%w: Config.%s", ErrInvalidInput, rule.text)
		}
	}
	return nil
}

// leavesRoom reports whether the key URI of a new enrollment has room for an
// account name beside the issuer.
func (c Config) leavesRoom() bool {
	_, err := otpauth.URI(c.Issuer, strings.Repeat("a", roomForAccount), c.TOTP.blankKey())
	return err == nil
}

func outside(d, limit time.Duration) bool { return d <= 0 || d > limit }
