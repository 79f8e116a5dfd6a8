package record

import (
	"time"

	"github.com/protekt/mfa/internal/seal"
)

// SMS is a confirmed phone number.
type SMS struct {
	Factor
	Phone string // E.164
}

// PendingSMS is a phone number that is not confirmed yet.
type PendingSMS struct {
	Pending
	Phone string
	Code  seal.Tag
}

// A Code is a one-time code that was sent for a challenge.
type Code struct {
	Tag     seal.Tag
	Expires time.Time
}

// BeginSMS makes a number pending, in place of an earlier one, and counts the
// message to it.
func (u *User) BeginSMS(phone string, code seal.Tag, expires, now time.Time, cooldown time.Duration) {
	u.PendingSMS = &PendingSMS{
		Pending: Pending{Expires: expires, Proven: u.Enrolled()},
		Phone:   phone,
		Code:    code,
	}
	u.Sent.Add(now, cooldown)
}

// PendingUndelivered voids a pending number whose code was not delivered, and
// lifts the cooldown that its message set.
func (u *User) PendingUndelivered(code seal.Tag, cooldown time.Time) {
	if u.PendingSMS != nil && u.PendingSMS.Code == code {
		u.PendingSMS = nil
	}
	u.Sent.LiftCooldown(cooldown)
}

// confirmSMS makes the pending number a factor if the guess is the code that was
// sent to it.
func (u *User) confirmSMS(guess Guess, now time.Time) bool {
	pending := u.PendingSMS
	if !guess.Sent(pending.Code) {
		return false
	}
	u.PendingSMS = nil
	u.setSMS(&SMS{Factor: newFactor(MethodSMS, now), Phone: pending.Phone})
	return true
}

// ImportSMS makes a number a confirmed factor.
func (u *User) ImportSMS(phone string, now time.Time) {
	u.setSMS(&SMS{Factor: newFactor(MethodSMS, now), Phone: phone})
}

func (u *User) setSMS(factor *SMS) {
	had, replaced := u.Enrolled(), u.SMS != nil
	u.SMS = factor
	u.confirmed(had, replaced)
}

// NextSend returns when the next message may be sent for a challenge, zero for at
// once: not while wrong codes delay the factor, and not before the challenge
// ends once it has had its share.
func (u *User) NextSend(c Challenge) time.Time {
	next := latest(u.Sent.NextAt(), u.SMS.RetryAt())
	if c.Sends >= PerChallenge {
		next = latest(next, c.Expires)
	}
	return next
}

// Send sets the code of a challenge, in place of an earlier one, and counts the
// message. It returns when the next one may follow.
func (u *User) Send(t Ticket, code Code, now time.Time, cooldown time.Duration) (next time.Time) {
	c, _ := u.Find(t, now)
	c.Sends++
	c.Code = &code
	u.Sent.Add(now, cooldown)
	u.remember(c, now)
	return u.NextSend(c)
}

// Undelivered voids a challenge's code that was not delivered, and lifts the
// cooldown that its message set.
func (u *User) Undelivered(t Ticket, code seal.Tag, cooldown, now time.Time) {
	if c, ok := u.Find(t, now); ok && c.Code != nil && c.Code.Tag == code {
		c.Code = nil
		u.remember(c, now)
	}
	u.Sent.LiftCooldown(cooldown)
}
