package mfa

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"strings"
	"time"
	"unicode"
)

// An SMSSender hands messages to a provider. A nil error means that the
// provider took the message; anything else voids the code in it.
type SMSSender interface {
	SendSMS(ctx context.Context, message SMS) error
}

// An SMS is one message to send. fmt, slog and JSON show neither its code nor
// the number.
type SMS struct {
	To        string    `json:"-"` // E.164
	Body      string    `json:"-"` // ready to send
	Code      string    `json:"-"` // for providers' templates; it is in Body
	UserID    string    `json:"user_id"`
	Action    string    `json:"action"` // what the code is for
	ExpiresAt time.Time `json:"expires_at"`
}

// Format shows neither code nor number, whatever the verb.
func (m SMS) Format(f fmt.State, _ rune) { io.WriteString(f, m.redacted()) }

// LogValue shows neither code nor number.
func (m SMS) LogValue() slog.Value { return slog.StringValue(m.redacted()) }

func (m SMS) redacted() string {
	return fmt.Sprintf("mfa.SMS{To:%s UserID:%q Action:%q redacted}", maskPhone(m.To), m.UserID, m.Action)
}

// An SMSDelivery says where a code went and when to try again.
type SMSDelivery struct {
	Phone       string    `json:"phone"` // masked: +23*****678
	ExpiresAt   time.Time `json:"expires_at"`
	ResendAfter time.Time `json:"resend_after"` // another message is refused before
}

// EnrollSMS begins the enrollment of a phone number by sending a code to it,
// in place of one that was begun before; calling it again sends another code.
// The number counts once VerifyEnrollment has seen the code; one that the user
// already has stays until then. A user with a confirmed factor who gives no
// fresh proof gets a *ChallengeError (ActionManage).
func (e *Engine) EnrollSMS(ctx context.Context, userID, phone string, opts ...ChangeOption) (*SMSDelivery, error) {
	if e.config.SMS == nil {
		return nil, ErrMethodUnavailable
	}
	phone, err := parsePhone(phone)
	if err != nil {
		return nil, err
	}
	mayBegin := func(u *user) error {
		if err := e.mayChange(u, opts); err != nil {
			return err
		}
		return u.throttled(u.Sent.NextAt(), MethodSMS, ActionEnroll)
	}
	if err := e.update(ctx, userID, mayBegin); err != nil {
		return nil, err
	}
	if err := e.allow(ctx, userID, phone); err != nil {
		return nil, err
	}
	if err := e.countNumber(ctx, userID, phone); err != nil {
		return nil, err
	}
	message := SMS{To: phone, Code: newSMSCode(), UserID: userID, Action: ActionEnroll}
	tag := e.ring.MAC(enrollmentCode, userID, phone, message.Code)
	var delivery *SMSDelivery
	var cooldown time.Time
	err = e.update(ctx, userID, func(u *user) error {
		if err := mayBegin(u); err != nil {
			return err
		}
		message.ExpiresAt = u.now.Add(e.pendingTTL(MethodSMS))
		u.BeginSMS(phone, tag, message.ExpiresAt, u.now, e.config.SMSCodes.Cooldown)
		cooldown = u.Sent.Cooldown
		u.event(EventEnrollmentStarted, MethodSMS, ActionEnroll, nil)
		delivery = &SMSDelivery{Phone: maskPhone(phone), ExpiresAt: message.ExpiresAt, ResendAfter: u.Sent.NextAt()}
		return nil
	})
	if err != nil {
		e.uncountNumber(ctx, phone) // somebody else was faster
		return nil, err
	}
	if err := e.deliver(ctx, message, func(u *user) { u.PendingUndelivered(tag, cooldown) }); err != nil {
		return nil, err
	}
	return delivery, nil
}

// ImportSMS adopts a number that another system has verified. It is confirmed
// at once, in place of one that the user has.
func (e *Engine) ImportSMS(ctx context.Context, userID, phone string) error {
	phone, err := parsePhone(phone)
	if err != nil {
		return err
	}
	return e.update(ctx, userID, func(u *user) error {
		u.ImportSMS(phone, u.now)
		u.event(EventEnrolled, MethodSMS, "", nil)
		return nil
	})
}

// Labels of the keyed hashes of codes and numbers, which keep them apart.
const (
	enrollmentCode = "sms enrollment"
	challengeCode  = "sms challenge"
	phoneNumber    = "phone number"
)

// newSMSCode is six uniformly random digits.
func newSMSCode() string {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		panic(err) // crypto/rand does not return one
	}
	return fmt.Sprintf("%06d", n)
}

// allow asks the host about one message.
func (e *Engine) allow(ctx context.Context, userID, phone string) error {
	if e.config.SMSCodes.Allow == nil {
		return nil
	}
	if err := e.config.SMSCodes.Allow(ctx, userID, phone); err != nil {
		return fmt.Errorf("%w: %w", ErrMethodUnavailable, err)
	}
	return nil
}

// countNumber counts a message to a number that may be anybody's.
func (e *Engine) countNumber(ctx context.Context, userID, phone string) error {
	if e.config.SMSCodes.Numbers == nil {
		return nil
	}
	err := e.updateIn(ctx, e.config.SMSCodes.Numbers, e.numberID(phone), func(number *user) error {
		if next := number.Sent.NextAt(); number.now.Before(next) {
			return &ThrottledError{RetryAfter: next.Sub(number.now)}
		}
		number.Sent.Count(number.now)
		return nil
	})
	if throttled := (*ThrottledError)(nil); errors.As(err, &throttled) {
		e.emit(ctx, Event{Type: EventThrottled, UserID: userID, Method: MethodSMS, Action: ActionEnroll, Time: e.now(), Err: err})
	}
	return err
}

// uncountNumber takes back what countNumber counted, since no message was sent.
// Where that fails the number stays counted, which errs on the safe side.
func (e *Engine) uncountNumber(ctx context.Context, phone string) {
	if e.config.SMSCodes.Numbers == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	_ = e.updateIn(ctx, e.config.SMSCodes.Numbers, e.numberID(phone), func(number *user) error {
		number.Sent.TakeBack()
		return nil
	})
}

// numberID is the name of a number's record, which does not tell the number.
func (e *Engine) numberID(phone string) string {
	tag := e.ring.MAC(phoneNumber, phone)
	return "mfa_number_" + hex.EncodeToString(tag.Sum[:])
}

// undoTimeout is how long a failed delivery may take to be undone.
const undoTimeout = 5 * time.Second

// deliver sends a message that is counted already. Where that fails, undo voids
// its code.
func (e *Engine) deliver(ctx context.Context, message SMS, undo func(u *user)) error {
	event := Event{Type: EventCodeSent, UserID: message.UserID, Method: MethodSMS, Action: message.Action, Time: e.now()}
	returned := false
	defer func() {
		if !returned { // the host's text or sender panicked, which is the host's to handle
			_ = e.undoDelivery(ctx, message.UserID, undo)
		}
	}()
	message.Body = e.text(ctx, message)
	err := e.config.SMS.SendSMS(ctx, message)
	returned = true
	if err == nil {
		e.emit(ctx, event)
		return nil
	}
	failure := newDeliveryError(err, message)
	if err := e.undoDelivery(ctx, message.UserID, undo); err != nil {
		failure.causes = append(failure.causes, err)
	}
	event.Type, event.Err = EventDeliveryFailed, failure
	e.emit(ctx, event)
	return failure
}

// undoDelivery works after the caller's time is up too: that may be why the
// delivery failed.
func (e *Engine) undoDelivery(ctx context.Context, userID string, undo func(u *user)) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	return e.update(ctx, userID, func(u *user) error { undo(u); return nil })
}

// text is the body of a message.
func (e *Engine) text(ctx context.Context, message SMS) string {
	body := fmt.Sprintf("%s is your %s code. Do not share it.", message.Code, e.config.Issuer)
	if e.config.SMSCodes.Text != nil {
		body = e.config.SMSCodes.Text(ctx, message)
	}
	if e.config.SMSCodes.Domain != "" {
		// Nothing may follow, not even a line break.
		body += fmt.Sprintf("\n\n@%s #%s", e.config.SMSCodes.Domain, message.Code)
	}
	return body
}

// maxPhoneInput bounds what is read as a phone number, in bytes.
const maxPhoneInput = 64

// parsePhone brings a number into E.164 form.
func parsePhone(text string) (string, error) {
	if len(text) > maxPhoneInput {
		return "", ErrInvalidPhone
	}
	phone := strings.Map(func(r rune) rune {
		if isFiller(r) || strings.ContainsRune(".()[]", r) {
			return -1
		}
		return r
	}, text)
	digits, found := strings.CutPrefix(phone, "+")
	if !found || len(digits) < 7 || len(digits) > 15 || !isDigits(digits) || digits[0] == '0' {
		return "", ErrInvalidPhone
	}
	return phone, nil
}

// maskPhone keeps the first three characters and the last three, and does not
// tell how many there are between.
func maskPhone(phone string) string {
	if len(phone) < 7 {
		return ""
	}
	return phone[:3] + "*****" + phone[len(phone)-3:]
}

// isFiller tells whether people type r between digits or letters without
// meaning it: white space and dashes.
func isFiller(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Dash, r) }

// isDigits tells whether s is ASCII digits alone.
func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) > 0
}
