package mfa

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/protekt/mfa/internal/seal"
)

// Config says how an engine works. Issuer, Store and Keys are required; every
// other field may be left zero for the default that is noted beside it.
type Config struct {
	Issuer string   // shown in authenticator apps and messages; no ':', at most 100 bytes once percent-encoded
	Store  Store    // where the users' records are kept
	Keys   [][]byte `json:"-"` // 32 random bytes each, not all zero. The first seals, all open; the package documentation says how to rotate them

	SMS      SMSSender                                              // nil: no SMS
	Required func(ctx context.Context, userID string) (bool, error) // nil: MFA is optional. Asked anew each time it matters, so that a project can switch at run time. An error refuses
	OnEvent  func(ctx context.Context, event Event)                 // nil: nobody. Called after the save, before the operation returns
	Now      func() time.Time                                       // nil: time.Now. The only clock

	TOTP        TOTPConfig
	SMSCodes    SMSConfig
	BackupCodes BackupCodeConfig

	ChallengeTTL     time.Duration // of login and step-up challenges: 5 min, at most 10
	EnrollmentTTL    time.Duration // of pending factors and enrollment tokens: 15 min, at most a day
	ProofTTL         time.Duration // 15 min, at most a day
	TrustedDeviceTTL time.Duration // 30 days, at most 400
	SkipProof        bool          // the host re-authenticates users itself before they change factors
}

// TOTPConfig is for new enrollments of authenticator apps: an enrolled factor
// keeps what it was enrolled with. Many apps ignore any but the default
// settings and show wrong codes then; the user finds out when confirming.
type TOTPConfig struct {
	Algorithm Algorithm     // SHA1, which every app does; SHA256, SHA512
	Digits    int           // 6; 8
	Period    time.Duration // 30 s; whole seconds, at most 120
	Strict    bool          // accept the current time step only; else one step either way (RFC 6238 §5.2)
}

// SMSConfig is for one-time codes by SMS.
type SMSConfig struct {
	Domain   string                                                // adds the last line "@example.com #123456", by which browsers offer the code to that site alone (origin-bound one-time codes, WICG)
	Text     func(ctx context.Context, message SMS) string         // nil: a line in English. The language of the text is the host's
	Allow    func(ctx context.Context, userID, phone string) error // country rules, budgets, SIM-swap risk: an error refuses the message. nil: all go
	Numbers  Store                                                 // a table of its own that counts enrollment messages per phone number, across users; nil: per user only
	TTL      time.Duration                                         // of a code: 5 min, at most 10
	Cooldown time.Duration                                         // between two messages to one user: 30 s, at most an hour
}

// BackupCodeConfig is for new sets of backup codes.
type BackupCodeConfig struct {
	Count  int // 10; 1 to 15
	Groups int // 2 groups of four, "7f3k-2m9p", of 20 bits each; 2 to 8. NIST SP 800-63B-4 asks 64 bits of a saved recovery code, which 4 groups exceed
}

// New checks config, fills its zeros with defaults and returns an engine. It
// keeps neither the caller's Config nor the keys in it. Its errors name the
// field and the cure.
func New(config Config) (*Engine, error) {
	ring, err := seal.New(config.Keys)
	if err != nil {
		return nil, fmt.Errorf("%w: Config.Keys: %w", ErrInvalidInput, err)
	}
	config.Keys = nil
	config = config.withDefaults()
	if err := config.check(); err != nil {
		return nil, err
	}
	return &Engine{config: config, ring: ring, hashing: newHashing()}, nil
}

// withDefaults fills the zeros of a copy.
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

// check names the first bad field and its cure.
func (c Config) check() error {
	const day = 24 * time.Hour
	for _, rule := range []struct {
		broken bool
		text   string
	}{
		{c.Issuer == "", "Issuer is empty: set the name that users see in their authenticator app"},
		{!printable(c.Issuer) || strings.Contains(c.Issuer, ":"), "Issuer may hold printable characters only, and no ':'"},
		{len(escape(c.Issuer)) > maxIssuer, "Issuer is too long: at most 100 bytes once percent-encoded"},
		{c.Store == nil, "Store is nil: NewMemoryStore() will do to begin with"},
		{c.TOTP.Algorithm.number() == 0, "TOTP.Algorithm must be SHA1, SHA256 or SHA512"},
		{c.TOTP.Digits != 6 && c.TOTP.Digits != 8, "TOTP.Digits must be 6 or 8"},
		{c.TOTP.Period%time.Second != 0, "TOTP.Period must be whole seconds"},
		{outside(c.TOTP.Period, 2*time.Minute), "TOTP.Period must be above zero and at most 120 seconds"},
		{c.SMSCodes.Domain != "" && !isHost(c.SMSCodes.Domain), "SMSCodes.Domain must be a host name alone, like example.com"},
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

func outside(d, limit time.Duration) bool { return d <= 0 || d > limit }

// isHost tells whether s is a host name without scheme, port, path or space.
func isHost(s string) bool {
	odd := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-')
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, odd) {
			return false
		}
	}
	return len(s) <= 253
}

// printable tells whether s can be shown as it is.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// Format shows no key, whatever the verb.
func (c Config) Format(f fmt.State, _ rune) { io.WriteString(f, c.redacted()) }

// LogValue shows no key.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.redacted()) }

func (c Config) redacted() string {
	return fmt.Sprintf("mfa.Config{Issuer:%q Keys:%d (redacted)}", c.Issuer, len(c.Keys))
}
