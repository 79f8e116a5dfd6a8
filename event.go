package mfa

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"time"
)

// An EventType names what happened to a user.
type EventType string

const (
	EventEnrollmentStarted    EventType = "enrollment_started"
	EventEnrolled             EventType = "enrolled" // confirmed or imported
	EventReplaced             EventType = "replaced" // confirmed, in place of another factor
	EventUnenrolled           EventType = "unenrolled"
	EventRevoked              EventType = "revoked"
	EventEnforced             EventType = "enforced" // Unenroll was refused: MFA is required
	EventBackupCodesGenerated EventType = "backup_codes_generated"
	EventPassed               EventType = "passed"              // a login of a user without a factor
	EventEnrollmentRequired   EventType = "enrollment_required" // a login of a user who must enroll first
	EventChallenged           EventType = "challenged"
	EventCodeSent             EventType = "code_sent"
	EventDeliveryFailed       EventType = "delivery_failed" // Err wraps the provider's error
	EventVerified             EventType = "verified"
	EventRefused              EventType = "refused"   // a wrong code
	EventReplayed             EventType = "replayed"  // a code of an app that was used before
	EventThrottled            EventType = "throttled" // not evaluated, or not sent
	EventFactorDisabled       EventType = "factor_disabled"
	EventTokenRefused         EventType = "token_refused" // a challenge or enrollment token of this user's that is used, expired, or of another action
	EventDeviceTrusted        EventType = "device_trusted"
	EventDeviceAccepted       EventType = "device_accepted"
	EventDevicesForgotten     EventType = "devices_forgotten"
	EventPasswordChanged      EventType = "password_changed"
	EventReset                EventType = "reset"
	EventUnlocked             EventType = "unlocked"
	EventDeleted              EventType = "deleted"
)

// An Event reports what happened, once it is saved: for audit logs, metrics and
// mail to the user. It holds no code, token, secret or full phone number.
type Event struct {
	Type   EventType
	UserID string
	// Method is empty if the event concerns no factor, or several.
	Method Method
	// FactorID is that of the factor that the event concerns, pending ones
	// included, if it is one alone.
	FactorID string
	// Phone is the masked number that the event concerns, if any.
	Phone string
	// ReplacedPhone is the masked number whose place Phone took, in EventReplaced.
	ReplacedPhone string
	// Action is that of the challenge, or ActionEnroll.
	Action string
	// ChallengeID identifies the challenge to which the event belongs, if any: it
	// ties EventChallenged to what follows, and is no secret.
	ChallengeID string
	// Failures is the number of wrong codes in a row for this method, in
	// EventRefused, EventThrottled and EventFactorDisabled. If a code was compared
	// with several factors, it is the largest of theirs.
	Failures int
	Time     time.Time
	// Err is the error that the caller gets, if any.
	Err error
}

// Format writes the event's fields, without empty ones, for every verb.
func (e Event) Format(f fmt.State, _ rune) {
	io.WriteString(f, "mfa.Event{")
	for i, attr := range e.attrs() {
		if i > 0 {
			io.WriteString(f, " ")
		}
		value := attr.Value.String()
		if attr.Value.Kind() == slog.KindTime {
			value = attr.Value.Time().Format(time.RFC3339)
		}
		io.WriteString(f, attr.Key+"="+value)
	}
	io.WriteString(f, "}")
}

// LogValue returns the event's fields, without empty ones.
func (e Event) LogValue() slog.Value { return slog.GroupValue(e.attrs()...) }

// MarshalJSON encodes the event's fields in snake_case, without empty ones.
func (e Event) MarshalJSON() ([]byte, error) {
	fields := make(map[string]any)
	for _, attr := range e.attrs() {
		fields[attr.Key] = attr.Value.Any()
	}
	return json.Marshal(fields)
}

func (e Event) attrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("type", string(e.Type)),
		slog.String("user_id", e.UserID),
		slog.Time("time", e.Time),
	}
	for _, field := range []struct{ key, value string }{
		{"method", string(e.Method)},
		{"factor_id", e.FactorID},
		{"phone", e.Phone},
		{"replaced_phone", e.ReplacedPhone},
		{"action", e.Action},
		{"challenge_id", e.ChallengeID},
	} {
		if field.value != "" {
			attrs = append(attrs, slog.String(field.key, field.value))
		}
	}
	if e.Failures > 0 {
		attrs = append(attrs, slog.Int("failures", e.Failures))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	return attrs
}

// emit passes events to the host, in a context that outlives the caller's: what
// is saved has happened, also where the client has hung up.
func (e *Engine) emit(ctx context.Context, events ...Event) {
	if e.config.OnEvent == nil {
		return
	}
	ctx = context.WithoutCancel(ctx)
	for _, event := range events {
		e.config.OnEvent(ctx, event)
	}
}
