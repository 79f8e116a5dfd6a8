package mfa

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"slices"
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
	// Action is that of the challenge, or ActionEnroll.
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
// counts once VerifyEnrollment has accepted the code, and takes the place of those
// that the user has, unless KeepOthers or OnlyFactor says otherwise. A user with
// a confirmed factor who passes no fresh proof gets a *ChallengeError
// (ActionManage).
func (e *Engine) EnrollSMS(ctx context.Context, userID, phone string, opts ...ChangeOption) (*SMSDelivery, error) {
	if e.config.SMS == nil {
		return nil, ErrMethodUnavailable
	}
	options, err := readOptions(opts)
	if err != nil {
		return nil, err
	}
	phone, err = parsePhone(phone)
	if err != nil {
		return nil, err
	}
	var pending record.Pending
	return e.send(ctx, delivery{
		userID: userID,
		about:  Event{Method: MethodSMS, Phone: maskPhone(phone), Action: ActionEnroll},
		check: func(u *user) (string, time.Time, error) {
			pending, err = e.mayEnroll(u, MethodSMS, options)
			return phone, u.Sent.NextAt(), err
		},
		tag: func(code string) seal.Tag { return e.ring.MAC(enrollmentCode, userID, phone, code) },
		count: func(u *user, tag seal.Tag) (factor record.ID, expires, resend time.Time) {
			pending.Phone, pending.Code = phone, tag
			begun := u.Begin(pending)
			u.Sent.Add(u.now, e.config.SMSCodes.Cooldown)
			u.event(Event{Type: EventEnrollmentStarted, Method: MethodSMS, FactorID: factorID(begun.ID), Phone: maskPhone(phone), Action: ActionEnroll})
			return begun.ID, begun.Expires, u.Sent.NextAt()
		},
		undo: func(u *user, tag seal.Tag, cooldown time.Time) { u.PendingUndelivered(tag, cooldown) },
	})
}

// A SendOption is an option of SendCode.
type SendOption func(*sendOptions)

type sendOptions struct{ to *string }

// ToFactor sends the code to the phone with this ID, rather than to the one that
// was last used.
func ToFactor(id string) SendOption {
	return func(o *sendOptions) { o.to = &id }
}

// SendCode sends a code to the user's phone, for the challenge of this token
// alone. Calling it again sends another code, which replaces the first. Over a
// limit it returns a *ThrottledError, and nothing is sent or changed.
func (e *Engine) SendCode(ctx context.Context, token string, opts ...SendOption) (*SMSDelivery, error) {
	var options sendOptions
	for _, opt := range opts {
		if opt != nil {
			opt(&options)
		}
	}
	claims, err := e.openChallenge(ctx, token)
	if err != nil {
		return nil, err
	}
	ticket, about := ticketOf(claims), e.aboutChallenge(claims)
	about.Method = MethodSMS
	to := func(u *user) *record.SMS {
		if options.to == nil {
			return u.User.Phone(record.ID{})
		}
		id, ok := parseFactorID(*options.to)
		if !ok {
			return nil
		}
		return u.User.Phone(id)
	}
	return e.send(ctx, delivery{
		userID: claims.UserID,
		about:  about,
		check: func(u *user) (phone string, next time.Time, err error) {
			c, ok := u.Answerable(ticket, u.now)
			switch {
			case !ok:
				return "", next, u.report(record.Verdict{Result: record.Ended}, e.aboutChallenge(claims))
			case e.config.SMS == nil || !u.Has(MethodSMS):
				return "", next, ErrMethodUnavailable
			case to(u) == nil:
				return "", next, ErrNotEnrolled
			case u.Lane(MethodSMS).Closed(u.now):
				return "", next, ErrFactorDisabled
			}
			return to(u).Phone, u.NextSend(c), nil
		},
		tag: func(code string) seal.Tag {
			return e.ring.MAC(challengeCode, claims.UserID, string(claims.ID[:]), code)
		},
		count: func(u *user, tag seal.Tag) (factor record.ID, expires, resend time.Time) {
			factor, expires = to(u).ID, earlier(u.now.Add(e.config.SMSCodes.TTL), claims.Expires)
			return factor, expires, u.Send(ticket, record.Code{Tag: tag, Factor: factor, Expires: expires}, u.now, e.config.SMSCodes.Cooldown)
		},
		undo: func(u *user, tag seal.Tag, cooldown time.Time) { u.Undelivered(ticket, tag, cooldown, u.now) },
	})
}

// ImportSMS adopts a number that another system has verified, confirmed at once.
// Importing the number that the user has changes nothing; in place of another
// one it is ErrAlreadyEnrolled, so that an import at each login is safe.
func (e *Engine) ImportSMS(ctx context.Context, userID, phone string) error {
	phone, err := parsePhone(phone)
	if err != nil {
		return err
	}
	return e.update(ctx, userID, func(u *user) error {
		if u.Has(MethodSMS) {
			return alreadyEnrolled(slices.ContainsFunc(u.SMS, func(s record.SMS) bool { return s.Phone == phone }))
		}
		imported := u.about(u.ImportSMS(phone, u.now))
		imported.Type = EventEnrolled
		u.event(imported)
		return nil
	})
}

// Labels of the keyed hashes of codes and numbers, which keep them apart.
const (
	enrollmentCode = "sms enrollment"
	challengeCode  = "sms challenge"
)

// A delivery is one code on its way to a phone. Its fields are all that codes
// for enrollments and for challenges differ in; send carries both out.
type delivery struct {
	userID string
	// about holds what its events have in common.
	about Event
	// check returns the phone that a code may be sent to, and from when on.
	check func(u *user) (phone string, next time.Time, err error)
	// tag returns the keyed hash of a code, by which it is recognized later.
	tag func(code string) seal.Tag
	// count stores the tag and counts the message, after check. It returns the
	// factor that the code is sent to.
	count func(u *user, tag seal.Tag) (factor record.ID, expires, resend time.Time)
	// undo voids the code of a message that was not delivered, and lifts the
	// cooldown that it set.
	undo func(u *user, tag seal.Tag, cooldown time.Time)
}

// maySend returns the phone that a code may be sent to now.
func (d delivery) maySend(u *user) (phone string, err error) {
	phone, next, err := d.check(u)
	if err != nil {
		return "", err
	}
	return phone, u.throttled(next, true, d.about)
}

// send is the only path on which a message is sent: check, ask the host, count,
// save, deliver, and undo if that fails. The message is counted before the
// provider is called, or parallel calls would send more than the limits allow.
func (e *Engine) send(ctx context.Context, d delivery) (*SMSDelivery, error) {
	var phone string
	err := e.update(ctx, d.userID, func(u *user) (err error) {
		phone, err = d.maySend(u)
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
	message := SMS{Code: newSMSCode(), UserID: d.userID, Action: d.about.Action}
	tag := d.tag(message.Code)
	var factor record.ID
	var resend, cooldown time.Time
	err = e.update(ctx, d.userID, func(u *user) (err error) {
		if message.To, err = d.maySend(u); err != nil {
			return err
		}
		factor, message.ExpiresAt, resend = d.count(u, tag)
		cooldown = u.Sent.Cooldown
		return nil
	})
	if err != nil {
		e.uncountNumber(ctx, d, phone) // somebody else was faster
		return nil, err
	}
	d.about.FactorID = factorID(factor)
	if err := e.deliver(ctx, d, message, func(u *user) { d.undo(u, tag, cooldown) }); err != nil {
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

// deliver sends a message that is already counted. If that fails, undo voids its
// code.
func (e *Engine) deliver(ctx context.Context, d delivery, message SMS, undo func(u *user)) error {
	event := d.about
	event.Type, event.UserID, event.Phone, event.Time = EventCodeSent, d.userID, maskPhone(message.To), e.now()
	returned := false
	defer func() {
		if !returned { // the host's Text or SendSMS panicked, which is the host's to handle
			_ = e.undo(ctx, d.userID, undo)
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
	if err := e.undo(ctx, d.userID, undo); err != nil {
		failure.causes = append(failure.causes, err)
	}
	event.Type, event.Err = EventDeliveryFailed, failure
	e.emit(ctx, event)
	return failure
}

// text returns the body of a message, which says what the code is for.
func (e *Engine) text(ctx context.Context, message SMS) string {
	var body string
	if e.config.SMSCodes.Text != nil {
		body = e.config.SMSCodes.Text(ctx, message)
	} else {
		purpose := "to confirm an action"
		switch message.Action {
		case ActionLogin:
			purpose = "to sign in"
		case ActionManage:
			purpose = "to change your security settings"
		case ActionEnroll:
			purpose = "to confirm this phone number"
		}
		body = fmt.Sprintf("%s is your %s code %s. Do not share it.", message.Code, e.config.Issuer, purpose)
	}
	if e.config.SMSCodes.Domain != "" {
		// Nothing may follow, not even a line break.
		body += fmt.Sprintf("\n\n@%s #%s", e.config.SMSCodes.Domain, message.Code)
	}
	return body
}
