// Package mfatest helps hosts test what they build on package mfa: a clock to
// set, an outbox that takes messages in place of a phone, an authenticator app
// that scans what the engine shows, and a conformance suite for stores.
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

// A Clock stands still until it is told to move. Its Now is for
// mfa.Config.Now. It is safe for concurrent use.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that shows t.
func NewClock(t time.Time) *Clock { return &Clock{now: t} }

// Now is the time that the clock shows.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Set makes the clock show t, which may be earlier than what it shows.
func (c *Clock) Set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

// Advance moves the clock by d; back, if d is negative.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// An Outbox is an mfa.SMSSender that keeps messages instead of sending them.
// The zero value is ready. It is safe for concurrent use.
type Outbox struct {
	mu       sync.Mutex
	messages []mfa.SMS
	failure  error
}

// SendSMS keeps the message, or fails as FailWith said.
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

// FailWith makes SendSMS return err from now on, and keep nothing; nil makes
// it work again.
func (o *Outbox) FailWith(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.failure = err
}

// Messages are all that were sent, in order.
func (o *Outbox) Messages() []mfa.SMS {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.messages)
}

// Code is the code in the last message to that phone number (E.164); "" if
// there was none.
func (o *Outbox) Code(phone string) string {
	for _, message := range slices.Backward(o.Messages()) {
		if message.To == phone {
			return message.Code
		}
	}
	return ""
}

// An Authenticator is an authenticator app that holds one key. It computes
// codes with another library than the engine's.
type Authenticator struct {
	secret  string
	options totp.ValidateOpts
}

// NewAuthenticator scans an otpauth://totp URI.
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
		return nil, fmt.Errorf("mfatest: the URI's key gives no codes: %w", err)
	}
	return a, nil
}

// Code is what the app shows at time t.
func (a *Authenticator) Code(t time.Time) string {
	code, err := totp.GenerateCodeCustom(a.secret, t, a.options)
	if err != nil {
		panic(err) // NewAuthenticator has seen it work
	}
	return code
}

// WrongCode is as long as a code, and is not what the app shows within five
// minutes of t.
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
