// Package throttle counts wrong codes and decides what they cost: delays that
// grow, and in the end a disabled factor (NIST SP 800-63B §3.2.2; RFC 4226
// §7.3).
package throttle

import "time"

const (
	// Limit is the number of failures that disable a factor: in a row, however
	// long apart, or within Window, whatever successes lie between.
	Limit = 100
	// Window is how long a failure counts toward the second of these.
	Window = 30 * 24 * time.Hour
)

// A Schedule is the delay after each failure in a row: none for the first
// Free-1, then First, doubling up to Max.
type Schedule struct {
	Free       int
	First, Max time.Duration
}

var (
	// OneTimeCodes is the schedule of codes of six to eight digits.
	OneTimeCodes = Schedule{Free: 5, First: time.Second, Max: 15 * time.Minute}
	// BackupCodes is the schedule of codes of forty bits and more, each of which
	// takes a password hash to check.
	BackupCodes = Schedule{Free: 10, First: 30 * time.Second, Max: 15 * time.Minute}
)

// Delay returns how long nothing is evaluated after that many failures in a row.
func (s Schedule) Delay(failures int) time.Duration {
	if failures < s.Free {
		return 0
	}
	delay := s.First
	for k := s.Free; k < failures && delay < s.Max; k++ {
		delay *= 2
	}
	return min(delay, s.Max)
}

// A Lane counts the failures of one factor of one user. Its zero value has none.
type Lane struct {
	Consecutive int       // failures since the last success, at most Limit
	LastFailure time.Time // of those; zero without any
	Recent      []int64   // the quarters of an hour (Unix time / 900) of the failures within Window, ascending, at most Limit
	Disabled    bool
}

// Zero reports whether nothing is counted.
func (l *Lane) Zero() bool {
	return l.Consecutive == 0 && l.LastFailure.IsZero() && len(l.Recent) == 0 && !l.Disabled
}

// RetryAt returns the end of the delay, or zero without one.
func (l *Lane) RetryAt(s Schedule) time.Time {
	delay := s.Delay(l.Consecutive)
	if delay == 0 {
		return time.Time{}
	}
	return l.LastFailure.Add(delay)
}

// Closed reports whether the factor is disabled. A lane at its limit is closed
// even if that has not been recorded.
func (l *Lane) Closed(now time.Time) bool {
	return l.Disabled || l.Consecutive >= Limit || len(l.Recent) >= Limit && len(l.Recent)-l.expired(now) >= Limit
}

// Charge counts one failure. It is called before a code is compared, or in
// the same save as the verdict.
func (l *Lane) Charge(now time.Time) {
	quarter := floorQuarter(now)
	l.Recent = l.Recent[l.expired(now):]
	if n := len(l.Recent); n > 0 {
		quarter = max(quarter, l.Recent[n-1]) // the clock may have gone back
	}
	l.Recent = append(l.Recent, quarter)
	l.Consecutive++
	l.LastFailure = now
}

// Refuse makes the last charge final and reports whether it disabled the
// factor.
func (l *Lane) Refuse(now time.Time) (disabled bool) {
	if l.Disabled || !l.Closed(now) {
		return false
	}
	l.Disabled = true
	return true
}

// Refund takes back the last charge, since the code turned out to be right.
func (l *Lane) Refund() {
	if n := len(l.Recent); n > 0 {
		l.Recent = l.Recent[:n-1]
	}
}

// Uncharge takes back a charge at the given time, which turned out to be for
// nothing, when the last failure before it was at before. Charges in between
// stay.
func (l *Lane) Uncharge(at, before time.Time) {
	l.Refund()
	l.Consecutive = max(l.Consecutive-1, 0)
	if l.LastFailure.Equal(at) {
		l.LastFailure = before
	}
}

// Succeed ends the row of failures. Those in the window stay: whoever guesses
// beside an honest user is not helped by that user's logins.
func (l *Lane) Succeed() {
	l.Consecutive = 0
	l.LastFailure = time.Time{}
}

// expired counts the leading failures that no longer count. A quarter of an
// hour, which is how precise it need be, counts until the last instant in it
// has left the window.
func (l *Lane) expired(now time.Time) int {
	oldest := floorQuarter(now.Add(-Window))
	n := 0
	for n < len(l.Recent) && l.Recent[n] < oldest {
		n++
	}
	return n
}

func floorQuarter(t time.Time) int64 {
	const seconds = 15 * 60
	quarter := t.Unix() / seconds
	if t.Unix()%seconds < 0 {
		quarter--
	}
	return quarter
}
