package record

import (
	"slices"
	"time"
)

// A Ticket holds what the token of a challenge says about it.
type Ticket struct {
	ID      [8]byte
	Epoch   Epoch
	Issued  time.Time
	Expires time.Time
}

// A Challenge holds what must be remembered of one: its failures, the code that
// was sent for it, whether it was used.
type Challenge struct {
	ID       [8]byte
	Issued   time.Time
	Expires  time.Time
	Failures int
	Sends    int
	Used     bool
	Code     *Code // the one that still counts, if any
}

// MaxChallenges is how many challenges are remembered at a time.
const MaxChallenges = 32

func (c *Challenge) triesLeft() int { return MaxTries - c.Failures }

// IssueAt returns the time of issue of a challenge that begins now: later than
// that of every forgotten challenge, even where the clock went back.
func (u *User) IssueAt(now time.Time) time.Time {
	if now.After(u.Forgotten) {
		return now
	}
	return u.Forgotten.Add(1)
}

// Find returns the challenge of a ticket unless it has expired, was used, is
// forgotten or is of another epoch. It finds a challenge that took its last
// wrong code, since the right one may have been charged before; see Answerable.
func (u *User) Find(t Ticket, now time.Time) (Challenge, bool) {
	if !now.Before(t.Expires) || t.Epoch != u.Epoch || !u.Enrolled() {
		return Challenge{}, false
	}
	for _, c := range u.Challenges {
		if c.ID == t.ID {
			return c, !c.Used
		}
	}
	return Challenge{ID: t.ID, Issued: t.Issued, Expires: t.Expires}, t.Issued.After(u.Forgotten)
}

// Answerable returns the challenge of a ticket if it still takes codes.
func (u *User) Answerable(t Ticket, now time.Time) (Challenge, bool) {
	c, ok := u.Find(t, now)
	return c, ok && c.triesLeft() > 0
}

// remember stores a challenge. It forgets those that have expired and, where
// there are too many, the oldest of the others, which invalidates the challenges
// issued before it that are not remembered.
func (u *User) remember(c Challenge, now time.Time) {
	u.dropExpired(now)
	kept := slices.DeleteFunc(u.Challenges, func(other Challenge) bool {
		expired := !now.Before(other.Expires)
		if expired && other.ID != c.ID {
			u.Forgotten = latest(u.Forgotten, other.Issued)
		}
		return expired || other.ID == c.ID
	})
	at := len(kept)
	for at > 0 && kept[at-1].Issued.After(c.Issued) {
		at--
	}
	kept = slices.Insert(kept, at, c)
	if len(kept) > MaxChallenges {
		oldest := 0
		if at == 0 {
			oldest = 1
		}
		u.Forgotten = latest(u.Forgotten, kept[oldest].Issued)
		kept = slices.Delete(kept, oldest, oldest+1)
	}
	u.Challenges = kept
}

// Answer judges a one-time code: first as the code that this challenge sent, if
// any, then as one of the authenticator app. A wrong code is charged to every
// factor that it was compared with.
func (u *User) Answer(t Ticket, guess Guess, now time.Time) Verdict {
	c, ok := u.Answerable(t, now)
	if !ok {
		return Verdict{Result: Ended}
	}
	if guess.Digits == "" {
		return Verdict{Result: Unjudged, TriesLeft: c.triesLeft()}
	}
	open, blocked := ready(u.oneTime(c, now), now)
	if blocked != nil {
		return *blocked
	}
	replay := false
	for _, f := range open {
		var accepted, replayed bool
		switch f.Method {
		case MethodSMS:
			accepted = guess.Sent(c.Code.Tag)
		case MethodTOTP:
			accepted, replayed = u.TOTP.accept(guess, now)
		}
		if accepted {
			return u.accept(c, f, now)
		}
		replay = replay || replayed
	}
	if replay {
		return Verdict{Result: Replayed, Method: MethodTOTP, TriesLeft: c.triesLeft()}
	}
	return u.refuse(c, open, now)
}

// Misspelled judges letters that cannot be a backup code: a wrong code that
// takes no hash to recognize.
func (u *User) Misspelled(t Ticket, now time.Time) Verdict {
	c, ok := u.Answerable(t, now)
	if !ok {
		return Verdict{Result: Ended}
	}
	open, blocked := ready(u.backup(), now)
	if blocked != nil {
		return *blocked
	}
	return u.refuse(c, open, now)
}

// Charge charges a backup code as a wrong one before its hash is computed, and
// admits it to Redeem. Without a set there is nothing to compute.
func (u *User) Charge(t Ticket, now time.Time) Verdict {
	c, ok := u.Answerable(t, now)
	if !ok {
		return Verdict{Result: Ended}
	}
	if u.BackupCodes == nil {
		return u.refuse(c, nil, now)
	}
	open, blocked := ready(u.backup(), now)
	if blocked != nil {
		return *blocked
	}
	u.charge(c, open, now)
	return Verdict{Result: Admitted}
}

// Redeem judges a backup code that was charged. A right one is spent and its
// charge refunded.
func (u *User) Redeem(t Ticket, hash BackupHash, now time.Time) Verdict {
	c, ok := u.Find(t, now)
	if !ok || u.BackupCodes == nil {
		return Verdict{Result: Ended}
	}
	if !u.BackupCodes.spend(hash) {
		return u.settle(c, []*Factor{&u.BackupCodes.Factor}, now)
	}
	c.Failures = max(c.Failures-1, 0)
	u.BackupCodes.Lane.Refund()
	return u.accept(c, &u.BackupCodes.Factor, now)
}

// oneTime returns the factors that digits can answer.
func (u *User) oneTime(c Challenge, now time.Time) []*Factor {
	factors := make([]*Factor, 0, 2)
	if u.SMS != nil && c.Code != nil && now.Before(c.Code.Expires) {
		factors = append(factors, &u.SMS.Factor)
	}
	if u.TOTP != nil {
		factors = append(factors, &u.TOTP.Factor)
	}
	return factors
}

// backup returns the factor that letters can answer.
func (u *User) backup() []*Factor {
	if u.BackupCodes == nil {
		return nil
	}
	return []*Factor{&u.BackupCodes.Factor}
}

// ready returns the factors that are neither delayed nor disabled. If there are
// none although some were asked, blocked holds the shortest delay or, without
// one, that all are disabled.
func ready(asked []*Factor, now time.Time) (open []*Factor, blocked *Verdict) {
	open = asked[:0]
	for _, f := range asked {
		retryAt := f.RetryAt()
		switch {
		case f.Lane.Closed(now):
			if blocked == nil {
				blocked = &Verdict{Result: Disabled, Method: f.Method}
			}
		case now.Before(retryAt):
			if blocked == nil || blocked.Result == Disabled || retryAt.Before(blocked.RetryAt) {
				blocked = &Verdict{Result: Throttled, Method: f.Method, RetryAt: retryAt}
			}
		default:
			open = append(open, f)
		}
	}
	if len(open) > 0 {
		blocked = nil
	}
	return open, blocked
}

func (u *User) accept(c Challenge, f *Factor, now time.Time) Verdict {
	f.Lane.Succeed()
	f.LastUsedAt = now
	c.Used = true
	c.Code = nil
	u.remember(c, now)
	return Verdict{Result: Accepted, Method: f.Method}
}

// refuse charges a wrong code to the challenge and to the factors that it was
// compared with, for good.
func (u *User) refuse(c Challenge, compared []*Factor, now time.Time) Verdict {
	return u.settle(u.charge(c, compared, now), compared, now)
}

func (u *User) charge(c Challenge, factors []*Factor, now time.Time) Challenge {
	for _, f := range factors {
		f.Lane.Charge(now)
	}
	c.Failures++
	u.remember(c, now)
	return c
}

// settle makes charges final: they may disable a factor.
func (u *User) settle(c Challenge, compared []*Factor, now time.Time) Verdict {
	verdict := Verdict{Result: Wrong, TriesLeft: c.triesLeft()}
	if len(compared) == 1 {
		verdict.Method = compared[0].Method
	}
	for _, f := range compared {
		if f.Lane.Refuse(now) {
			verdict.Disabled = append(verdict.Disabled, f.Method)
		}
	}
	return verdict
}
