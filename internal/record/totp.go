package record

import (
	"crypto/subtle"
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

// PendingTOTP is an authenticator app that is not confirmed yet.
type PendingTOTP struct {
	Pending
	Key totp.Key
}

// Spent holds the last accepted time steps, ascending, at most maxSpent. The
// last one decides; the others are kept for Unlock. Fewer than maxSpent are all
// that were ever accepted.
type Spent []int64

const maxSpent = 4

// covers reports whether a step can no longer be accepted, because it or a later
// one was (RFC 6238 §5.2).
func (s Spent) covers(step int64) bool {
	return len(s) > 0 && step <= s[len(s)-1]
}

func (s *Spent) add(step int64) {
	*s = append(*s, step)
	*s = (*s)[max(0, len(*s)-maxSpent):]
}

// forgetAfter drops the steps after limit. If that leaves none of maxSpent, a
// step that is no longer listed may have been accepted, so limit itself counts
// as spent; the list stays full, since there may have been others before.
func (s *Spent) forgetAfter(limit int64) {
	full := len(*s) == maxSpent
	kept := slices.DeleteFunc(slices.Clone(*s), func(step int64) bool { return step > limit })
	if len(kept) == 0 && full {
		kept = Spent{limit}
	}
	for full && len(kept) < maxSpent {
		kept = slices.Insert(kept, 0, kept[0])
	}
	*s = kept
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

// BeginTOTP makes a key pending, in place of an earlier one.
func (u *User) BeginTOTP(key totp.Key, expires time.Time) {
	u.PendingTOTP = &PendingTOTP{
		Pending: Pending{Expires: expires, Proven: u.Enrolled()},
		Key:     key,
	}
}

// confirmTOTP makes the pending key a factor if the guess shows that an app has
// it. The code is spent.
func (u *User) confirmTOTP(guess Guess, now time.Time) bool {
	factor := TOTP{Factor: newFactor(MethodTOTP, now), Key: u.PendingTOTP.Key}
	if accepted, _ := factor.accept(guess, now); !accepted {
		return false
	}
	u.PendingTOTP = nil
	u.setTOTP(&factor)
	return true
}

// ImportTOTP makes a key a confirmed factor. The key that the user already has
// keeps its spent steps.
func (u *User) ImportTOTP(key totp.Key, now time.Time) {
	factor := TOTP{Factor: newFactor(MethodTOTP, now), Key: key}
	if had := u.TOTP; had != nil && subtle.ConstantTimeCompare(had.Key.Secret, key.Secret) == 1 && had.Key.Period == key.Period {
		factor.Spent = had.Spent
	}
	u.setTOTP(&factor)
}

func (u *User) setTOTP(factor *TOTP) {
	had, replaced := u.Enrolled(), u.TOTP != nil
	u.TOTP = factor
	u.confirmed(had, replaced)
}
