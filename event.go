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
	EventUnenrolled           EventType = "unenrolled"
	EventBackupCodesGenerated EventType = "backup_codes_generated"
	EventChallenged           EventType = "challenged"
	EventCodeSent             EventType = "code_sent"
	EventDeliveryFailed       EventType = "delivery_failed" // Err has the provider's error
	EventVerified             EventType = "verified"
	EventRefused              EventType = "refused"   // a wrong code
	EventReplayed             EventType = "replayed"  // a code of the app that was used before
	EventThrottled            EventType = "throttled" // not evaluated, or not sent
	EventFactorDisabled       EventType = "factor_disabled"
	EventReset                EventType = "reset"
	EventUnlocked             EventType = "unlocked"
	EventPasswordChanged      EventType = "password_changed"
	EventDeviceTrusted        EventType = "device_trusted"
	EventDeviceAccepted       EventType = "device_accepted"
	EventDevicesForgotten     EventType = "devices_forgotten"
)

// An Event reports what happened, once it is saved: for audit logs, metrics and
// mail to the user. It holds no code, token, secret or full phone number.
type Event struct {
	Type   EventType
	UserID string
	// Method is empty if the event concerns no factor, or several.
	Method Method
	// Action is that of the challenge, or ActionEnroll.
	Action string
	Time   time.Time
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
	if e.Method != "" {
		attrs = append(attrs, slog.String("method", string(e.Method)))
	}
	if e.Action != "" {
		attrs = append(attrs, slog.String("action", e.Action))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	return attrs
}

// emit passes events to the host.
func (e *Engine) emit(ctx context.Context, events ...Event) {
	if e.config.OnEvent == nil {
		return
	}
	for _, event := range events {
		e.config.OnEvent(ctx, event)
	}
}
