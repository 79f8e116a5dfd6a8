package model

import (
	"slices"
	"time"
)

// messages are the times of the last ten messages to a user or to a number.
type messages []time.Time

// next returns when another message may be sent: at most five in an hour and ten
// in a day.
func (m messages) next() (next time.Time) {
	n := len(m)
	if n >= 5 {
		next = m[n-5].Add(time.Hour)
	}
	if n >= 10 {
		next = later(next, m[n-10].Add(24*time.Hour))
	}
	return next
}

// add counts a message. If the clock went back, the message counts as sent at the
// time of the latest one.
func (m messages) add(now time.Time) messages {
	if n := len(m); n > 0 {
		now = later(now, m[n-1])
	}
	m = append(slices.Clip(m), now)
	return m[max(0, len(m)-10):]
}

// nextSend returns when another message may be sent to a user: not before the
// cooldown of thirty seconds has ended either.
func (u User) nextSend() time.Time { return later(u.cooldown, u.sent.next()) }

func (u *User) send(now time.Time) {
	u.cooldown, u.sent = now.Add(cooldown), u.sent.add(now)
}

// throttled returns the refusal of something that is not allowed before next, or
// nil if it is allowed now.
func throttled(now, next time.Time, sending bool, about event) []Result {
	if !now.Before(next) {
		return nil
	}
	about.kind = "throttled"
	return refused(throttledText(next.Sub(now), sending), about)
}
