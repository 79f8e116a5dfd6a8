package model

import (
	"slices"
	"time"

	"github.com/protekt/mfa/mfatest"
)

// A factor is a confirmed factor, or the set of backup codes.
type factor struct {
	serial   int // of the call that began it; 0 for backup codes
	method   string
	label    string
	enrolled time.Time
	used     time.Time // zero until it is first used after enrollment

	app   *App
	taken []int64 // every step that was accepted, ascending
	next  int64   // steps before this one are also refused

	number string

	key     string
	counter uint64

	codes []string // unspent; "" for one that was lost with the answer
}

// shown returns what a challenge shows about a factor.
func (f factor) shown() shown {
	return shown{serial: f.serial, method: f.method, label: f.label, phone: mask(f.number)}
}

// event returns an event about a factor.
func (f factor) event(kind string) event {
	return event{kind: kind, method: f.method, factor: f.serial, phone: mask(f.number)}
}

func (u User) enrolled() bool { return u.has(passkey) || u.has(totp) || u.has(sms) }

func (u User) has(method string) bool { return len(u.of(method, 0)) > 0 }

// of returns the indexes of a method's factors. If only is not 0, it returns just
// that of the factor with that Serial.
func (u User) of(method string, only int) (places []int) {
	for i, f := range u.factors {
		if f.method == method && (only == 0 || f.serial == only) {
			places = append(places, i)
		}
	}
	return places
}

// discard removes a method's factors, or one of them. The failures are forgotten
// with the last one.
func (u *User) discard(method string, only int) {
	u.factors = slices.DeleteFunc(u.factors, func(f factor) bool { return f.method == method && (only == 0 || f.serial == only) })
	if !u.has(method) {
		*u.lane(method) = lane{}
	}
}

func (u *User) add(f factor) {
	u.factors = append(u.factors, f)
	slices.SortStableFunc(u.factors, func(a, b factor) int { return slices.Index(methods, a.method) - slices.Index(methods, b.method) })
}

func (u User) codesLeft() int {
	for _, i := range u.of(backup, 0) {
		return len(u.factors[i].codes)
	}
	return 0
}

// phone returns the phone with a Serial, or for 0 the one most recently used or
// enrolled. It returns nil if there is none.
func (u User) phone(serial int) *factor {
	var found *factor
	for _, i := range u.of(sms, serial) {
		if f := &u.factors[i]; found == nil || !later(f.enrolled, f.used).Before(later(found.enrolled, found.used)) {
			found = f
		}
	}
	return found
}

// An App is an authenticator app with the key that it shares with the engine.
type App struct {
	*mfatest.Authenticator
	URI    string
	Period int64 // seconds
	codes  map[int64]string
}

// Step returns the time step that t is in.
func (a *App) Step(t time.Time) int64 { return t.Unix() / a.Period }

// At returns the code of a time step.
func (a *App) At(step int64) string {
	code, ok := a.codes[step]
	if !ok {
		code = a.Code(time.Unix(step*a.Period, 0))
		a.codes[step] = code
	}
	return code
}

// match returns the latest step around now that has the code.
func (r Rules) match(a *App, code string, now time.Time) (step int64, ok bool) {
	if a == nil { // its key was lost with the answer
		return 0, false
	}
	reach := int64(1)
	if r.Strict {
		reach = 0
	}
	for step := a.Step(now) + reach; step >= a.Step(now)-reach; step-- {
		if a.At(step) == code {
			return step, true
		}
	}
	return 0, false
}

// spend uses up a step and reports whether neither it nor a later one was used
// before.
func (f *factor) spend(step int64) bool {
	at, found := slices.BinarySearch(f.taken, step)
	if found || step < f.next {
		return false
	}
	f.taken = slices.Insert(slices.Clone(f.taken), at, step)
	f.next = step + 1
	return true
}

const maxTaken = 16 // steps that a record lists individually

// clockWas corrects f after a clock ran ahead of limit: the steps accepted beyond
// it stay spent, but no longer cause earlier ones to be refused.
func (f *factor) clockWas(limit int64) {
	next := int64(0)
	for i, step := range f.taken {
		if step <= limit || i == len(f.taken)-maxTaken {
			next = step + 1
		}
	}
	f.next = min(f.next, next)
}
