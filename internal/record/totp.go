package record

import (
	"slices"
	"time"

	"github.com/protekt/mfa/internal/totp"
)

// TOTP is a confirmed authenticator app.
type TOTP struct {
	Factor
	Key   totp.Key
	Spent Spent
}

// Spent records which time steps can no longer be accepted: each one that was,
// and every earlier one (RFC 6238 §5.2). Its zero value is none.
type Spent struct {
	// Next is the first step that is not refused as an earlier one.
	Next int64
	// Steps are the last accepted steps, ascending, at most maxSpent. Fewer are
	// all that were ever accepted.
	Steps []int64
}

const maxSpent = 16

func (s *Spent) covers(step int64) bool {
	return step < s.Next || slices.Contains(s.Steps, step)
}

func (s *Spent) add(step int64) {
	at, _ := slices.BinarySearch(s.Steps, step)
	s.Steps = slices.Insert(s.Steps, at, step)
	s.Steps = s.Steps[max(0, len(s.Steps)-maxSpent):]
	s.Next = step + 1
}

// clockWas lets steps be accepted again that a clock ahead of limit has
// refused as earlier ones. The steps that were accepted stay refused one by one.
// Those before the first of maxSpent are not known, so all of them are.
func (s *Spent) clockWas(limit int64) {
	next := int64(0)
	for i, step := range s.Steps {
		if step <= limit || i == 0 && len(s.Steps) == maxSpent {
			next = step + 1
		}
	}
	s.Next = min(s.Next, next)
}

// accept finds the step of a code and spends it. The code of a step within reach
// that is covered is a replay.
func (t *TOTP) accept(guess Guess, now time.Time) (accepted, replayed bool) {
	current := t.Key.Step(now)
	step, ok := t.Key.Match(guess.Digits, current-guess.Reach, current+guess.Reach)
	if !ok {
		return false, false
	}
	if t.Spent.covers(step) {
		return false, true
	}
	t.Spent.add(step)
	return true, false
}

// acceptTOTP compares a code with every app and returns the first that accepts
// it. Another app that shows the same digits spends them too.
func (u *User) acceptTOTP(guess Guess, now time.Time) (by *Factor, replayed bool) {
	for i := range u.TOTP {
		accepted, again := u.TOTP[i].accept(guess, now)
		if accepted && by == nil {
			by = &u.TOTP[i].Factor
		}
		replayed = replayed || again
	}
	return by, replayed
}

// ImportTOTP makes a key a confirmed factor, and drops what is pending.
func (u *User) ImportTOTP(key totp.Key, now time.Time) ID {
	u.DropPending()
	return u.admit(Pending{Factor: Factor{ID: newID(), Method: MethodTOTP}, Key: key}, now, func(f Factor) {
		u.TOTP = append(u.TOTP, TOTP{Factor: f, Key: key})
	})
}
