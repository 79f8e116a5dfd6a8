package record

import "time"

// Pending holds what all factors that are not confirmed yet have in common.
type Pending struct {
	Expires  time.Time
	Failures int
	Proven   bool // begun when there was a factor to prove first
}

func (p *Pending) triesLeft() int { return MaxTries - p.Failures }

// pending returns the pending factor of a method, or nil.
func (u *User) pending(m Method) *Pending {
	switch {
	case m == MethodTOTP && u.PendingTOTP != nil:
		return &u.PendingTOTP.Pending
	case m == MethodSMS && u.PendingSMS != nil:
		return &u.PendingSMS.Pending
	}
	return nil
}

// Confirm judges a code of a pending factor. A right one confirms the factor; the
// last of five wrong ones voids it. A pending factor that expires after latest
// was begun by a clock that ran ahead, and is refused.
func (u *User) Confirm(m Method, guess Guess, now, latest time.Time) Verdict {
	u.dropExpired(now)
	p := u.pending(m)
	if p == nil || p.Expires.After(latest) {
		return Verdict{Result: Ended}
	}
	if guess.Digits == "" {
		return Verdict{Result: Unjudged, TriesLeft: p.triesLeft()}
	}
	if m == MethodTOTP && u.confirmTOTP(guess, now) || m == MethodSMS && u.confirmSMS(guess, now) {
		return Verdict{Result: Accepted, Method: m}
	}
	p.Failures++
	if p.triesLeft() == 0 {
		u.drop(m)
	}
	return Verdict{Result: Wrong, Method: m, TriesLeft: p.triesLeft()}
}

func (u *User) drop(m Method) {
	switch m {
	case MethodTOTP:
		u.PendingTOTP = nil
	case MethodSMS:
		u.PendingSMS = nil
	}
}

// dropExpired forgets what was not confirmed in time, for good: a clock that
// steps back does not revive it.
func (u *User) dropExpired(now time.Time) {
	for _, m := range []Method{MethodTOTP, MethodSMS} {
		if p := u.pending(m); p != nil && !now.Before(p.Expires) {
			u.drop(m)
		}
	}
}

// DropPending forgets every pending factor.
func (u *User) DropPending() { u.PendingTOTP, u.PendingSMS = nil, nil }

// confirmed follows every confirmation of totp or sms. had reports whether the
// user had a factor before, replaced whether it was of this method.
func (u *User) confirmed(had, replaced bool) {
	if !had || replaced {
		u.Renew()
	}
	u.ForgetDevices()
	// Whatever was begun before there was anything to prove may be a stranger's.
	for _, m := range []Method{MethodTOTP, MethodSMS} {
		if p := u.pending(m); p != nil && !p.Proven {
			u.drop(m)
		}
	}
}
