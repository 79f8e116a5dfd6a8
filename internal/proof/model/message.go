package model

import (
	"slices"
	"time"
)

// messages are when the last ten were sent to a user, or to a number.
type messages []time.Time

// next returns when another message may go: five in an hour, ten in a day.
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

// add counts a message; not as older than another, if the clock went back.
func (m messages) add(now time.Time) messages {
	if n := len(m); n > 0 {
		now = later(now, m[n-1])
	}
	m = append(slices.Clip(m), now)
	return m[max(0, len(m)-10):]
}

// nextSend returns when another message may go to a user: thirty seconds after the
// last one too.
func (u User) nextSend() time.Time { return later(u.cooldown, u.sent.next()) }

func (u *User) send(now time.Time) {
	u.cooldown, u.sent = now.Add(cooldown), u.sent.add(now)
}

// throttled returns the refusal of what may not be done before next; nil if it may.
func throttled(now, next time.Time, sending bool, about event) []Result {
	if !now.Before(next) {
		return nil
	}
	about.kind = "throttled"
	return refused(throttledText(next.Sub(now), sending), about)
}
