package mfa

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/protekt/mfa/internal/record"
	"github.com/protekt/mfa/internal/seal"
)

// An SMSSender hands messages to a provider. A nil error means that the
// provider took the message; any other voids the code in it.
type SMSSender interface {
	SendSMS(ctx context.Context, message SMS) error
}

// An SMS is one message to send. fmt, slog and JSON show neither its code nor
// the number.
type SMS struct {
	// To is the number in E.164 form.
	To string `json:"-"`
	// Body is the text, ready to send.
	Body string `json:"-"`
	// Code is the code in Body, for providers' templates.
	Code   string `json:"-"`
	UserID string `json:"user_id"`
	// Action is what the code is for.
	Action    string    `json:"action"`
	ExpiresAt time.Time `json:"expires_at"`
}

// An SMSDelivery reports where a code went and when the next may follow.
type SMSDelivery struct {
	// Phone is the masked number: +23*****678.
	Phone     string    `json:"phone"`
	ExpiresAt time.Time `json:"expires_at"`
	// ResendAfter is when another message may be sent.
	ResendAfter time.Time `json:"resend_after"`
}

// EnrollSMS begins the enrollment of a phone number by sending a code to it, in
// place of one begun before; calling it again sends another code. The number
// counts once VerifyEnrollment has accepted the code; one that the user already
// has stays until then. A user with a confirmed factor who passes no fresh proof
// gets a *ChallengeError (ActionManage).
func (e *Engine) EnrollSMS(ctx context.Context, userID, phone string, opts ...ChangeOption) (*SMSDelivery, error) {
	if e.config.SMS == nil {
		return nil, ErrMethodUnavailable
	}
	phone, err := parsePhone(phone)
	if err != nil {
		return nil, err
	}
	return e.send(ctx, delivery{
		userID: userID,
		action: ActionEnroll,
		check: func(u *user) (string, error) {
			if err := e.mayChange(u, opts); err != nil {
				return "", err
			}
			return phone, u.throttled(u.Sent.NextAt(), MethodSMS, ActionEnroll)
		},
		tag: func(code string) seal.Tag { return e.ring.MAC(enrollmentCode, userID, phone, code) },
		count: func(u *user, tag seal.Tag) (expires, resend time.Time) {
			expires = u.now.Add(e.pendingTTL(MethodSMS))
			u.BeginSMS(phone, tag, expires, u.now, e.config.SMSCodes.Cooldown)
			u.event(EventEnrollmentStarted, MethodSMS, ActionEnroll, nil)
			return expires, u.Sent.NextAt()
		},
		undo: func(u *user, tag seal.Tag, cooldown time.Time) { u.PendingUndelivered(tag, cooldown) },
	})
}

// SendCode sends a code to the user's phone, for the challenge of this token
// alone. Calling it again sends another code, which replaces the first. Over a
// limit it returns a *ThrottledError, and nothing is sent or changed.
func (e *Engine) SendCode(ctx context.Context, token string) (*SMSDelivery, error) {
	claims, err := e.openChallenge(token)
	if err != nil {
		return nil, err
	}
	ticket := ticketOf(claims)
	return e.send(ctx, delivery{
		userID: claims.UserID,
		action: claims.Action,
		check: func(u *user) (string, error) {
			c, ok := u.Answerable(ticket, u.now)
			switch {
			case !ok:
				return "", ErrInvalidToken
			case e.config.SMS == nil || u.SMS == nil:
				return "", ErrMethodUnavailable
			case u.SMS.Lane.Closed(u.now):
				return "", ErrFactorDisabled
			}
			return u.SMS.Phone, u.throttled(u.NextSend(c), MethodSMS, claims.Action)
		},
		tag: func(code string) seal.Tag {
			return e.ring.MAC(challengeCode, claims.UserID, string(claims.ID[:]), code)
		},
		count: func(u *user, tag seal.Tag) (expires, resend time.Time) {
			expires = earlier(u.now.Add(e.config.SMSCodes.TTL), claims.Expires)
			return expires, u.Send(ticket, record.Code{Tag: tag, Expires: expires}, u.now, e.config.SMSCodes.Cooldown)
		},
		undo: func(u *user, tag seal.Tag, cooldown time.Time) { u.Undelivered(ticket, tag, cooldown, u.now) },
	})
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

// A delivery is one code on its way to a phone. Its fields are all that codes
// for enrollments and for challenges differ in; send carries both out.
type delivery struct {
	userID, action string
	// check returns the phone that a code may be sent to now.
	check func(u *user) (phone string, err error)
	// tag returns the keyed hash of a code, by which it is recognized later.
	tag func(code string) seal.Tag
	// count stores the tag and counts the message.
	count func(u *user, tag seal.Tag) (expires, resend time.Time)
	// undo voids the code of a message that was not delivered, and lifts the
	// cooldown that it set.
	undo func(u *user, tag seal.Tag, cooldown time.Time)
}

// send is the only path on which a message is sent: check, ask the host, count,
// save, deliver, and undo if that fails. The message is counted before the
// provider is called, or parallel calls would send more than the limits allow.
func (e *Engine) send(ctx context.Context, d delivery) (*SMSDelivery, error) {
	var phone string
	err := e.update(ctx, d.userID, func(u *user) (err error) {
		phone, err = d.check(u)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := e.allow(ctx, d.userID, phone); err != nil {
		return nil, err
	}
	if err := e.countNumber(ctx, d, phone); err != nil {
		return nil, err
	}
	message := SMS{Code: newSMSCode(), UserID: d.userID, Action: d.action}
	tag := d.tag(message.Code)
	var resend, cooldown time.Time
	err = e.update(ctx, d.userID, func(u *user) (err error) {
		if message.To, err = d.check(u); err != nil {
			return err
		}
		message.ExpiresAt, resend = d.count(u, tag)
		cooldown = u.Sent.Cooldown
		return nil
	})
	if err != nil {
		e.uncountNumber(ctx, d, phone) // somebody else was faster
		return nil, err
	}
	if err := e.deliver(ctx, message, func(u *user) { d.undo(u, tag, cooldown) }); err != nil {
		return nil, err
	}
	return &SMSDelivery{Phone: maskPhone(message.To), ExpiresAt: message.ExpiresAt, ResendAfter: resend}, nil
}

// newSMSCode returns six uniformly random digits.
func newSMSCode() string {
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		panic(err) // crypto/rand never returns one
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

// countNumber counts a message to a number that nobody has confirmed yet, which
// may be a stranger's. Messages to a confirmed number count only for its user,
// or a stranger could silence it.
func (e *Engine) countNumber(ctx context.Context, d delivery, phone string) error {
	if e.config.SMSCodes.Numbers == nil || d.action != ActionEnroll {
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
		e.emit(ctx, Event{Type: EventThrottled, UserID: d.userID, Method: MethodSMS, Action: d.action, Time: e.now(), Err: err})
	}
	return err
}

// uncountNumber takes back what countNumber counted, since no message was sent.
// If that fails the number stays counted, which errs on the safe side.
func (e *Engine) uncountNumber(ctx context.Context, d delivery, phone string) {
	if e.config.SMSCodes.Numbers == nil || d.action != ActionEnroll {
		return
	}
	_ = e.updateIn(ctx, e.config.SMSCodes.Numbers, e.numberID(phone), func(number *user) error {
		number.Sent.TakeBack()
		return nil
	})
}

// numberID returns the name of a number's record, which does not reveal the
// number.
func (e *Engine) numberID(phone string) string {
	tag := e.ring.MAC(phoneNumber, phone)
	return "mfa_number_" + hex.EncodeToString(tag.Sum[:])
}

// undoTimeout is how long undoing a failed delivery may take.
const undoTimeout = 5 * time.Second

// deliver sends a message that is already counted. If that fails, undo voids its
// code.
func (e *Engine) deliver(ctx context.Context, message SMS, undo func(u *user)) error {
	event := Event{Type: EventCodeSent, UserID: message.UserID, Method: MethodSMS, Action: message.Action, Time: e.now()}
	returned := false
	defer func() {
		if !returned { // the host's Text or SendSMS panicked, which is the host's to handle
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

// text returns the body of a message.
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

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
