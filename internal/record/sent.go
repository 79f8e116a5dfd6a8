package record

import "time"

// Sent counts the messages to one user or to one number.
type Sent struct {
	Times    []time.Time // of the last messages, ascending, at most PerDay
	Cooldown time.Time   // the end of the wait that the last message set
}

// The limits of messages an hour, a day and for one challenge.
const (
	PerHour      = 5
	PerDay       = 10
	PerChallenge = 3
)

// NextAt returns the earliest time for another message, zero for at once.
func (s *Sent) NextAt() time.Time {
	next := s.Cooldown
	for _, limit := range []struct {
		messages int
		period   time.Duration
	}{{PerHour, time.Hour}, {PerDay, 24 * time.Hour}} {
		if n := len(s.Times); n >= limit.messages {
			next = latest(next, s.Times[n-limit.messages].Add(limit.period))
		}
	}
	return next
}

// Add counts a message to a user, which starts the cooldown.
func (s *Sent) Add(now time.Time, cooldown time.Duration) {
	s.Cooldown = now.Add(cooldown)
	s.Count(now)
}

// Count counts a message.
func (s *Sent) Count(now time.Time) {
	if n := len(s.Times); n > 0 {
		now = latest(now, s.Times[n-1]) // the clock may have gone back
	}
	s.Times = append(s.Times, now)
	s.Times = s.Times[max(0, len(s.Times)-PerDay):]
}

// LiftCooldown ends a cooldown whose message was not delivered. That of a later
// message stays.
func (s *Sent) LiftCooldown(set time.Time) {
	if s.Cooldown.Equal(set) {
		s.Cooldown = time.Time{}
	}
}

// TakeBack uncounts the last message, which was not sent after all.
func (s *Sent) TakeBack() {
	s.Times = s.Times[:max(0, len(s.Times)-1)]
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
