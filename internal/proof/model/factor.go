package model

import (
	"slices"
	"time"

	"github.com/protekt/mfa/mfatest"
)

// A factor is what all confirmed factors have.
type factor struct {
	on       bool
	enrolled time.Time
	used     time.Time // zero until the first time after enrollment
	lane     lane
}

// A lane counts the wrong codes of one factor.
type lane struct {
	row      int // since the last right one
	last     time.Time
	recent   []time.Time
	disabled bool
}

const (
	limit  = 100
	window = 30 * 24 * time.Hour
	// grace is by how much longer a failure may count.
	grace = 15 * time.Minute
)

// retryAt is until when no code is evaluated.
func (l lane) retryAt(method string) time.Time {
	free, delay := 5, time.Second
	if method == backup {
		free, delay = 10, 30*time.Second
	}
	if l.row < free {
		return time.Time{}
	}
	for k := free; k < l.row && delay < 15*time.Minute; k++ {
		delay *= 2
	}
	return l.last.Add(min(delay, 15*time.Minute))
}

// fail counts a wrong code. There are two ways to count where failures are as
// old as the window.
func (l lane) fail(now time.Time) []lane {
	l.row++
	l.last = now
	l.recent = append(slices.Clip(l.recent), now)
	for len(l.recent) > 0 && !l.recent[0].After(now.Add(-window-grace)) {
		l.recent = l.recent[1:]
	}
	surely := 0
	for _, at := range l.recent {
		if at.After(now.Add(-window)) {
			surely++
		}
	}
	disabled := l
	disabled.disabled = true
	switch {
	case l.disabled || l.row >= limit || surely >= limit:
		return []lane{disabled}
	case len(l.recent) >= limit:
		return []lane{disabled, l}
	}
	return []lane{l}
}

// succeed ends the row; those of the window stay.
func (f *factor) succeed(now time.Time) {
	f.lane.row, f.lane.last = 0, time.Time{}
	f.used = now
}

// An App is what an authenticator app and the engine share.
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

// match finds the latest step around now that shows the code.
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

type authenticator struct {
	factor
	app   *App
	spent []int64 // every step that was accepted, ascending
	taken int     // how many there ever were
}

// spend takes a step if neither it nor a later one was taken.
func (a *authenticator) spend(step int64) bool {
	if n := len(a.spent); n > 0 && step <= a.spent[n-1] {
		return false
	}
	a.spent = append(slices.Clip(a.spent), step)
	a.taken++
	return true
}

// ahead splits the spent steps at one window from now.
func (a authenticator) ahead(now time.Time) (kept []int64, ahead int) {
	n := len(a.spent)
	for n > 0 && a.spent[n-1] > a.app.Step(now)+1 {
		n--
	}
	return a.spent[:n:n], len(a.spent) - n
}

type phone struct {
	factor
	number string
}

// backupCodes are on while there is a set, be it all spent.
type backupCodes struct {
	factor
	codes []string // unspent; "" for one that was lost with the answer
}

func (u User) factor(method string) factor {
	switch method {
	case totp:
		return u.totp.factor
	case sms:
		return u.sms.factor
	case backup:
		return u.backup.factor
	}
	return factor{}
}

func (u *User) setLane(method string, l lane) {
	switch method {
	case totp:
		u.totp.lane = l
	case sms:
		u.sms.lane = l
	case backup:
		u.backup.lane = l
	}
}

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
func throttled(now, next time.Time, action string) []Result {
	if !now.Before(next) {
		return nil
	}
	return []Result{{Outcome: Outcome{Result: throttledText(next.Sub(now)), Told: "throttled:" + action + " "}}}
}
