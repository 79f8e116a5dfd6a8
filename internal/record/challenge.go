package record

import (
	"errors"
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

// challenge returns the challenge of a ticket unless it has expired, was used, is
// forgotten or is of another epoch. It finds a challenge that took its last
// wrong code, since the right one may have been charged before; see Answerable.
func (u *User) challenge(t Ticket, now time.Time) (Challenge, bool) {
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
	c, ok := u.challenge(t, now)
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
// any, then as one of every authenticator app. A wrong code is charged to every
// method that it was compared with.
func (u *User) Answer(t Ticket, guess Guess, now time.Time) Verdict {
	c, ok := u.Answerable(t, now)
	if !ok {
		return Verdict{Result: Ended}
	}
	asked := u.oneTime(c, now)
	if guess.Digits == "" || len(asked) == 0 {
		return Verdict{Result: Unjudged, TriesLeft: c.triesLeft()}
	}
	open, blocked := u.ready(asked, now)
	if blocked != nil {
		return *blocked
	}
	replay := false
	for _, m := range open {
		var by *Factor
		var again bool
		switch m {
		case MethodSMS:
			if guess.Sent(c.Code.Tag) {
				by = &u.Phone(c.Code.Factor).Factor
			}
		case MethodTOTP:
			by, again = u.acceptTOTP(guess, now)
		}
		if by != nil {
			return u.accept(c, by, now)
		}
		replay = replay || again
	}
	if replay {
		return Verdict{Result: Replayed, Method: MethodTOTP, TriesLeft: c.triesLeft()}
	}
	return u.refuse(c, open, now)
}

// AnswerPasskey judges the response of an authenticator. verify returns the
// credential that answered, as it is to be kept from now on.
func (u *User) AnswerPasskey(t Ticket, verify func([]Credential) (Credential, error), now time.Time) Verdict {
	c, ok := u.Answerable(t, now)
	if !ok {
		return Verdict{Result: Ended}
	}
	if len(u.Passkeys) == 0 {
		return Verdict{Result: Unjudged, TriesLeft: c.triesLeft()}
	}
	open, blocked := u.ready([]Method{MethodPasskey}, now)
	if blocked != nil {
		return *blocked
	}
	credential, err := verify(u.Credentials())
	if errors.Is(err, ErrCloned) {
		return Verdict{Result: Cloned, Method: MethodPasskey, TriesLeft: c.triesLeft()}
	}
	passkey := u.passkey(credential)
	if err != nil || passkey == nil || !credential.fits() {
		verdict := u.refuse(c, open, now)
		verdict.Err = err
		return verdict
	}
	passkey.Data = credential.Data
	verdict := u.accept(c, &passkey.Factor, now)
	verdict.UserVerified = credential.UserVerified
	return verdict
}

// Misspelled judges letters that cannot be a backup code: a wrong code that
// takes no hash to recognize.
func (u *User) Misspelled(t Ticket, now time.Time) Verdict {
	c, ok := u.Answerable(t, now)
	if !ok {
		return Verdict{Result: Ended}
	}
	open, blocked := u.openBackup(c, now)
	if blocked != nil {
		return *blocked
	}
	return u.refuse(c, open, now)
}

// Charge charges a backup code as a wrong one before its hash is computed, and
// admits it to Redeem, or to Uncharge if the hash is not computed after all.
func (u *User) Charge(t Ticket, now time.Time) Verdict {
	c, ok := u.Answerable(t, now)
	if !ok {
		return Verdict{Result: Ended}
	}
	open, blocked := u.openBackup(c, now)
	if blocked != nil {
		return *blocked
	}
	u.charge(c, open, now)
	return Verdict{Result: Admitted}
}

// Uncharge takes back a charge at the given time, when the last failure before
// it was at before. A challenge of which nothing else is known need not be
// remembered, or answers that were compared with nothing would crowd out others.
func (u *User) Uncharge(t Ticket, at, before, now time.Time) {
	u.Lanes.BackupCode.Uncharge(at, before)
	c, ok := u.challenge(t, now)
	if !ok || c.Failures == 0 {
		return
	}
	c.Failures--
	u.remember(c, now)
	if c.Failures == 0 && c.Sends == 0 && c.Issued.After(u.Forgotten) {
		u.Challenges = slices.DeleteFunc(u.Challenges, func(other Challenge) bool { return other.ID == c.ID })
	}
}

// Redeem judges a backup code that was charged. A right one is spent and its
// charge refunded.
func (u *User) Redeem(t Ticket, hash BackupHash, now time.Time) Verdict {
	c, ok := u.challenge(t, now)
	if !ok || u.BackupCodes == nil {
		return Verdict{Result: Ended}
	}
	if !u.BackupCodes.spend(hash) {
		return u.settle(c, []Method{MethodBackupCode}, now)
	}
	c.Failures = max(c.Failures-1, 0)
	u.Lanes.BackupCode.Refund()
	return u.accept(c, &u.BackupCodes.Factor, now)
}

// oneTime returns the methods that digits can answer.
func (u *User) oneTime(c Challenge, now time.Time) []Method {
	methods := make([]Method, 0, 2)
	if c.Code != nil && now.Before(c.Code.Expires) && u.Phone(c.Code.Factor) != nil {
		methods = append(methods, MethodSMS)
	}
	if len(u.TOTP) > 0 {
		methods = append(methods, MethodTOTP)
	}
	return methods
}

// openBackup returns the method that letters can answer, or why there is none.
func (u *User) openBackup(c Challenge, now time.Time) (open []Method, blocked *Verdict) {
	if u.BackupCodes == nil {
		return nil, &Verdict{Result: Unjudged, TriesLeft: c.triesLeft()}
	}
	return u.ready([]Method{MethodBackupCode}, now)
}

// ready returns the methods that are neither delayed nor disabled. If there are
// none although some were asked, blocked holds the shortest delay or, without
// one, that all are disabled.
func (u *User) ready(asked []Method, now time.Time) (open []Method, blocked *Verdict) {
	open = asked[:0]
	for _, m := range asked {
		lane, retryAt := u.Lane(m), u.RetryAt(m)
		switch {
		case lane.Closed(now):
			if blocked == nil {
				blocked = &Verdict{Result: Disabled, Method: m, Failures: lane.Consecutive}
			}
		case now.Before(retryAt):
			if blocked == nil || blocked.Result == Disabled || retryAt.Before(blocked.RetryAt) {
				blocked = &Verdict{Result: Throttled, Method: m, Failures: lane.Consecutive, RetryAt: retryAt}
			}
		default:
			open = append(open, m)
		}
	}
	if len(open) > 0 {
		blocked = nil
	}
	return open, blocked
}

func (u *User) accept(c Challenge, f *Factor, now time.Time) Verdict {
	u.Lane(f.Method).Succeed()
	f.LastUsedAt = now
	c.Used = true
	c.Code = nil
	u.remember(c, now)
	return Verdict{Result: Accepted, Method: f.Method, Factor: f.ID}
}

// refuse charges a wrong code to the challenge and to the methods that it was
// compared with, for good.
func (u *User) refuse(c Challenge, compared []Method, now time.Time) Verdict {
	return u.settle(u.charge(c, compared, now), compared, now)
}

func (u *User) charge(c Challenge, methods []Method, now time.Time) Challenge {
	for _, m := range methods {
		u.Lane(m).Charge(now)
	}
	c.Failures++
	u.remember(c, now)
	return c
}

// settle makes charges final: they may disable a method.
func (u *User) settle(c Challenge, compared []Method, now time.Time) Verdict {
	verdict := Verdict{Result: Wrong, TriesLeft: c.triesLeft()}
	if len(compared) == 1 {
		verdict.Method = compared[0]
	}
	for _, m := range compared {
		lane := u.Lane(m)
		verdict.Failures = max(verdict.Failures, lane.Consecutive)
		if lane.Refuse(now) {
			verdict.Disabled = append(verdict.Disabled, m)
		}
	}
	return verdict
}
