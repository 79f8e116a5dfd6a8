package mfa

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

// This file decides how values with secrets in them print. Their String methods
// would not do: fmt ignores those for verbs such as %d and %#v.

// Format hides the engine's keys, whatever the verb.
func (e Engine) Format(f fmt.State, _ rune) { io.WriteString(f, "mfa.Engine{redacted}") }

// Format hides the keys, whatever the verb.
func (c Config) Format(f fmt.State, _ rune) { io.WriteString(f, c.redacted()) }

// LogValue hides the keys.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.redacted()) }

func (c Config) redacted() string {
	return fmt.Sprintf("mfa.Config{Issuer:%q Keys:%d (redacted)}", c.Issuer, len(c.Keys))
}

// Format hides the secret, whatever the verb.
func (t TOTPEnrollment) Format(f fmt.State, _ rune) { io.WriteString(f, t.redacted()) }

// LogValue hides the secret.
func (t TOTPEnrollment) LogValue() slog.Value { return slog.StringValue(t.redacted()) }

func (t TOTPEnrollment) redacted() string {
	return fmt.Sprintf("mfa.TOTPEnrollment{redacted, ExpiresAt:%s}", t.ExpiresAt.Format(time.RFC3339))
}

// Format hides the code and the number, whatever the verb.
func (m SMS) Format(f fmt.State, _ rune) { io.WriteString(f, m.redacted()) }

// LogValue hides the code and the number.
func (m SMS) LogValue() slog.Value { return slog.StringValue(m.redacted()) }

func (m SMS) redacted() string {
	return fmt.Sprintf("mfa.SMS{To:%s UserID:%q Action:%q redacted}", maskPhone(m.To), m.UserID, m.Action)
}

// Format hides the token, whatever the verb.
func (c Challenge) Format(f fmt.State, _ rune) { io.WriteString(f, c.redacted()) }

// LogValue hides the token.
func (c Challenge) LogValue() slog.Value { return slog.StringValue(c.redacted()) }

func (c Challenge) redacted() string {
	return fmt.Sprintf("mfa.Challenge{redacted, Action:%q Methods:%s}", c.Action, joinMethods(c.Methods))
}

// Format hides the token, whatever the verb: it writes the same as Error.
func (e ChallengeError) Format(f fmt.State, _ rune) { io.WriteString(f, e.Error()) }

// LogValue hides the token: it is the same as Error.
func (e ChallengeError) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// Format hides the token, whatever the verb: it writes the same as Error.
func (e EnrollmentError) Format(f fmt.State, _ rune) { io.WriteString(f, e.Error()) }

// LogValue hides the token: it is the same as Error.
func (e EnrollmentError) LogValue() slog.Value { return slog.StringValue(e.Error()) }

// Format hides the proof, whatever the verb.
func (l Login) Format(f fmt.State, _ rune) { io.WriteString(f, l.redacted()) }

// LogValue hides the proof.
func (l Login) LogValue() slog.Value { return slog.StringValue(l.redacted()) }

func (l Login) redacted() string {
	return fmt.Sprintf("mfa.Login{UserID:%q Method:%s Action:%q Time:%s redacted}", l.UserID, l.Method, l.Action, l.Time.Format(time.RFC3339))
}

// Format hides the token, whatever the verb.
func (d TrustedDevice) Format(f fmt.State, _ rune) { io.WriteString(f, d.redacted()) }

// LogValue hides the token.
func (d TrustedDevice) LogValue() slog.Value { return slog.StringValue(d.redacted()) }

func (d TrustedDevice) redacted() string {
	return fmt.Sprintf("mfa.TrustedDevice{redacted, ExpiresAt:%s}", d.ExpiresAt.Format(time.RFC3339))
}

// maskPhone returns a number with its middle digits hidden, and their count too.
// Of a number of under ten digits it shows fewer.
func maskPhone(phone string) string {
	if len(phone) < 7 {
		return ""
	}
	shown := 3
	if len(phone) < len("+")+10 {
		shown = 2
	}
	return phone[:shown] + "*****" + phone[len(phone)-shown:]
}

// deliveryError is a provider's error. Its text may quote the message, so the
// code and the number in it are hidden. It is used as a pointer: fmt does not
// look behind one inside another error.
type deliveryError struct {
	text   string
	causes []error
}

func newDeliveryError(cause error, message SMS) *deliveryError {
	mask := maskPhone(message.To)
	withoutPlus := strings.TrimPrefix(message.To, "+") // as many providers write it
	blank := strings.NewReplacer(message.Code, "******", message.To, mask, withoutPlus, strings.TrimPrefix(mask, "+"))
	return &deliveryError{
		text:   fmt.Sprintf("%v: %s", ErrDelivery, blank.Replace(cause.Error())),
		causes: []error{ErrDelivery, cause},
	}
}

func (e *deliveryError) Error() string                 { return e.text }
func (e *deliveryError) Unwrap() []error               { return e.causes }
func (e *deliveryError) Format(f fmt.State, verb rune) { io.WriteString(f, e.text) }

func joinMethods(list []Method) string {
	names := make([]string, len(list))
	for i, m := range list {
		names[i] = string(m)
	}
	return strings.Join(names, ", ")
}
