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

// A Code is a one-time code that was sent for a challenge.
type Code struct {
	Tag     seal.Tag
	Factor  ID // the phone that it went to
	Expires time.Time
}

// Phone returns the phone with an ID or, if the ID is zero, the one used or else
// enrolled last; nil if there is none.
func (u *User) Phone(id ID) *SMS {
	var found *SMS
	for i := range u.SMS {
		phone := &u.SMS[i]
		switch {
		case id != ID{}:
			if phone.ID == id {
				return phone
			}
		case found == nil || !phone.lastSeen().Before(found.lastSeen()):
			found = phone
		}
	}
	return found
}

func (f *Factor) lastSeen() time.Time { return latest(f.EnrolledAt, f.LastUsedAt) }

// ImportSMS makes a number a confirmed factor, and drops what is pending.
func (u *User) ImportSMS(phone string, now time.Time) ID {
	u.DropPending()
	return u.admit(Pending{Factor: Factor{ID: newID(), Method: MethodSMS}, Phone: phone}, now, func(f Factor) {
		u.SMS = append(u.SMS, SMS{Factor: f, Phone: phone})
	})
}

// PendingPhone returns the pending number, or "".
func (u *User) PendingPhone() string {
	if p := u.pending(MethodSMS); p != nil {
		return p.Phone
	}
	return ""
}

// PendingUndelivered voids a pending number whose code was not delivered, and
// lifts the cooldown that its message set.
func (u *User) PendingUndelivered(code seal.Tag, cooldown time.Time) {
	if p := u.pending(MethodSMS); p != nil && p.Code == code {
		u.drop(MethodSMS)
	}
	u.Sent.LiftCooldown(cooldown)
}

// NextSend returns when the next message may be sent for a challenge, zero for at
// once: not while wrong codes delay the method, and not before the challenge
// ends once it has had its share.
func (u *User) NextSend(c Challenge) time.Time {
	next := latest(u.Sent.NextAt(), u.RetryAt(MethodSMS))
	if c.Sends >= PerChallenge {
		next = latest(next, c.Expires)
	}
	return next
}

// Send sets the code of a challenge, in place of an earlier one, and counts the
// message. It returns when the next one may follow.
func (u *User) Send(t Ticket, code Code, now time.Time, cooldown time.Duration) (next time.Time) {
	c, _ := u.challenge(t, now)
	c.Sends++
	c.Code = &code
	u.Sent.Add(now, cooldown)
	u.remember(c, now)
	return u.NextSend(c)
}

// Undelivered voids a challenge's code that was not delivered, and lifts the
// cooldown that its message set.
func (u *User) Undelivered(t Ticket, code seal.Tag, cooldown, now time.Time) {
	if c, ok := u.challenge(t, now); ok && c.Code != nil && c.Code.Tag == code {
		c.Code = nil
		u.remember(c, now)
	}
	u.Sent.LiftCooldown(cooldown)
}
