package record

import (
	"slices"
	"time"

	"github.com/protekt/mfa/internal/seal"
	"github.com/protekt/mfa/internal/totp"
)

// Pending is a factor that is not confirmed yet. Its ID is that of the factor to
// be.
type Pending struct {
	Factor
	Expires  time.Time
	Failures int
	Keep     bool // beside the factors of its method, not in their place
	Replaces ID   // in the place of this one alone, unless zero

	Key     totp.Key // MethodTOTP
	Phone   string   // MethodSMS
	Code    seal.Tag // MethodSMS
	Account string   // MethodPasskey
}

// Begin makes a factor pending, in place of an earlier one of its method.
func (u *User) Begin(p Pending) *Pending {
	u.drop(p.Method)
	p.ID = newID()
	u.Pending = append(u.Pending, p)
	return &u.Pending[len(u.Pending)-1]
}

// Begun returns the method of the pending factor that was begun last, or "".
func (u *User) Begun(now time.Time) Method {
	for _, p := range slices.Backward(u.Pending) {
		if now.Before(p.Expires) {
			return p.Method
		}
	}
	return ""
}

// Confirm judges a code of a pending app or phone. A right one confirms the
// factor; the last of five wrong ones voids it. A pending factor that expires
// after latest was begun by a clock that ran ahead, and is refused.
func (u *User) Confirm(m Method, guess Guess, now, latest time.Time) Verdict {
	p := u.confirmable(m, now, latest)
	switch {
	case p == nil:
		return Verdict{Result: Ended}
	case guess.Digits == "" || m == MethodPasskey:
		return Verdict{Result: Unjudged, TriesLeft: p.triesLeft()}
	case m == MethodTOTP:
		app := TOTP{Key: p.Key}
		if accepted, _ := app.accept(guess, now); accepted { // and spent
			return u.confirm(*p, now, func(f Factor) { app.Factor = f; u.TOTP = append(u.TOTP, app) })
		}
	case m == MethodSMS:
		if phone := p.Phone; guess.Sent(p.Code) {
			return u.confirm(*p, now, func(f Factor) { u.SMS = append(u.SMS, SMS{Factor: f, Phone: phone}) })
		}
	}
	return u.refusePending(p)
}

// ConfirmPasskey judges the response of an authenticator to a pending passkey,
// in the same way.
func (u *User) ConfirmPasskey(verify func(Pending) (Credential, error), now, latest time.Time) Verdict {
	p := u.confirmable(MethodPasskey, now, latest)
	if p == nil {
		return Verdict{Result: Ended}
	}
	credential, err := verify(*p)
	if err != nil || !credential.fits() || u.passkey(credential) != nil {
		verdict := u.refusePending(p)
		verdict.Err = err
		return verdict
	}
	verdict := u.confirm(*p, now, func(f Factor) {
		u.Passkeys = append(u.Passkeys, Passkey{Factor: f, Credential: Credential{ID: credential.ID, Data: credential.Data}})
	})
	verdict.UserVerified = credential.UserVerified
	return verdict
}

// confirmable returns the pending factor of a method if it may be confirmed, else
// nil.
func (u *User) confirmable(m Method, now, latest time.Time) *Pending {
	u.dropExpired(now)
	p := u.pending(m)
	if p == nil || p.Expires.After(latest) || p.Keep && u.Full(m) {
		return nil
	}
	return p
}

func (u *User) refusePending(p *Pending) Verdict {
	p.Failures++
	verdict := Verdict{Result: Wrong, Method: p.Method, TriesLeft: p.triesLeft()}
	if verdict.TriesLeft == 0 {
		u.drop(p.Method)
	}
	return verdict
}

// confirm makes a pending factor a confirmed one.
func (u *User) confirm(p Pending, now time.Time, add func(Factor)) Verdict {
	verdict := Verdict{Result: Accepted, Method: p.Method, Replaced: u.replaced(p)}
	if verdict.Replaced && p.Method == MethodSMS {
		verdict.ReplacedPhone = u.Phone(p.Replaces).Phone
	}
	verdict.Factor = u.admit(p, now, add)
	return verdict
}

// replaced reports whether a factor takes the place of others.
func (u *User) replaced(p Pending) bool { return !p.Keep && u.Has(p.Method) }

// admit adds a confirmed factor, in place of those that it replaces.
func (u *User) admit(p Pending, now time.Time, add func(Factor)) ID {
	had, replaced := u.Enrolled(), u.replaced(p)
	u.drop(p.Method)
	if replaced {
		u.discard(p.Method, p.Replaces)
	}
	add(Factor{ID: p.ID, Method: p.Method, Label: p.Label, EnrolledAt: now})
	if !had || replaced {
		u.Renew() // what was begun before there was anything to prove may be a stranger's
	}
	u.Devices = nil
	return p.ID
}

func (p *Pending) triesLeft() int { return MaxTries - p.Failures }

// pending returns the pending factor of a method, or nil.
func (u *User) pending(m Method) *Pending {
	for i := range u.Pending {
		if u.Pending[i].Method == m {
			return &u.Pending[i]
		}
	}
	return nil
}

func (u *User) drop(m Method) {
	u.Pending = slices.DeleteFunc(u.Pending, func(p Pending) bool { return p.Method == m })
}

// dropExpired forgets what was not confirmed in time, for good: a clock that
// steps back does not revive it.
func (u *User) dropExpired(now time.Time) {
	u.Pending = slices.DeleteFunc(u.Pending, func(p Pending) bool { return !now.Before(p.Expires) })
}

// DropPending forgets every pending factor.
func (u *User) DropPending() { u.Pending = nil }
