// Package mfatest helps hosts test what they build on package mfa. It provides a
// clock that tests set, an outbox that receives messages instead of a phone, an
// authenticator app that scans what the engine shows, and a conformance suite for
// stores.
//
//	clock := mfatest.NewClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
//	outbox := &mfatest.Outbox{}
//	engine, err := mfa.New(mfa.Config{..., Now: clock.Now, SMS: outbox})
//	...
//	app, err := mfatest.NewAuthenticator(enrollment.URI)
//	login, err := engine.VerifyLogin(ctx, token, app.Code(clock.Now()))
package mfatest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/protekt/mfa"
)

// A Clock shows the time that a test sets, and stands still otherwise. Its Now
// method is meant for mfa.Config.Now. It is safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that shows t.
func NewClock(t time.Time) *Clock { return &Clock{now: t} }

// Now returns the time that the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Set makes the clock show t, which may be earlier than the time it shows.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

// Advance moves the clock forward by d, or back if d is negative.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// An Outbox is an mfa.SMSSender that keeps messages instead of sending them. The
// zero value is an empty outbox ready to use. It is safe for concurrent use.
type Outbox struct {
	mu       sync.Mutex
	messages []mfa.SMS
	failure  error
}

// SendSMS keeps the message. It returns the error set by FailWith, if any, or
// that of the context.
func (o *Outbox) SendSMS(ctx context.Context, message mfa.SMS) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.failure != nil {
		return o.failure
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	o.messages = append(o.messages, message)
	return nil
}

// FailWith makes SendSMS return err and keep nothing. A nil err makes SendSMS
// succeed again.
func (o *Outbox) FailWith(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failure = err
}

// Messages returns all messages that were sent, in order.
func (o *Outbox) Messages() []mfa.SMS {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.messages)
}

// Code returns the code in the last message to phone, a number in E.164 form. It
// returns "" if there is none.
func (o *Outbox) Code(phone string) string {
	for _, message := range slices.Backward(o.Messages()) {
		if message.To == phone {
			return message.Code
		}
	}
	return ""
}

// An Authenticator is an authenticator app that holds one key. It does not use
// the engine's code to compute codes.
type Authenticator struct {
	secret  string
	options totp.ValidateOpts
}

// NewAuthenticator returns an app that has scanned uri, an otpauth://totp URI.
func NewAuthenticator(uri string) (*Authenticator, error) {
	key, err := otp.NewKeyFromURL(uri)
	if err != nil || !strings.HasPrefix(uri, "otpauth://") || key.Type() != "totp" || key.Secret() == "" {
		return nil, errors.New("mfatest: not an otpauth://totp URI")
	}
	a := &Authenticator{
		secret: key.Secret(),
		options: totp.ValidateOpts{
			Period:    uint(key.Period()),
			Digits:    key.Digits(),
			Algorithm: key.Algorithm(),
		},
	}
	if _, err := totp.GenerateCodeCustom(a.secret, time.Unix(0, 0), a.options); err != nil {
		return nil, fmt.Errorf("mfatest: no code for the key of the URI: %w", err)
	}
	return a, nil
}

// Code returns the code that the app shows at time t.
func (a *Authenticator) Code(t time.Time) string {
	code, err := totp.GenerateCodeCustom(a.secret, t, a.options)
	if err != nil {
		panic(err) // NewAuthenticator has checked that it works
	}
	return code
}

// WrongCode returns a code of the right length that the app does not show within
// five minutes of t.
func (a *Authenticator) WrongCode(t time.Time) string {
	near := make(map[string]bool)
	period := time.Duration(a.options.Period) * time.Second
	for offset := -5 * time.Minute; offset <= 5*time.Minute; offset += period {
		near[a.Code(t.Add(offset))] = true
	}
	for n := 0; ; n++ {
		if code := fmt.Sprintf("%0*d", int(a.options.Digits), n); !near[code] {
			return code
		}
	}
}
