//go:build linux

package cluster

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// A breach is a kind of broken promise.
type breach string

const (
	double     breach = "codes accepted twice"
	lost       breach = "acknowledged changes lost"
	unasked    breach = "enrolled users let in without a code"
	misjudged  breach = "right codes refused"
	unverified breach = "users whose state could not be read afterwards"
)

var breaches = []breach{double, lost, unasked, misjudged, unverified}

// A finding is one breach in a history.
type finding struct {
	breach
	when time.Time
	text string
}

// Findings are all the breaches in a history.
type findings []finding

func (f *findings) add(b breach, when time.Time, format string, args ...any) {
	*f = append(*f, finding{b, when, fmt.Sprintf(format, args...)})
}

// of returns the findings of one kind.
func (f findings) of(b breach) (found findings) {
	for _, finding := range f {
		if finding.breach == b {
			found = append(found, finding)
		}
	}
	return found
}

// A use identifies one user's code at one time.
type use struct {
	user string
	at   time.Time
}

// check returns the breaches in a history that ends with every user's state.
func check(events []event) (f findings) {
	checkCodes(&f, events)
	checkRecords(&f, events)
	return f
}

// checkCodes finds codes that were accepted twice, and codes that were refused
// although nobody can have used them.
func checkCodes(f *findings, events []event) {
	answers := make(map[use][]event)
	for _, e := range events {
		if e.Do == opVerify || e.Do == opEnroll {
			u := use{e.User, e.At}
			answers[u] = append(answers[u], e)
		}
	}
	for u, all := range answers {
		ended := make(map[outcome]int)
		for _, e := range all {
			ended[e.Answer.Outcome]++
		}
		switch {
		case ended[done] > 1:
			f.add(double, all[len(all)-1].Ended, "%s, code of %v: %s", u.user, u.at, told(all))
		case ended[done] == 0 && ended[failed] == 0:
			f.add(misjudged, all[len(all)-1].Ended, "%s, code of %v: %s", u.user, u.at, told(all))
		}
	}
}

// checkRecords finds changes that were acknowledged and are missing afterwards.
func checkRecords(f *findings, events []event) {
	enrolled := make(map[string]event)
	logins := make(map[string]event) // the last
	final := make(map[string]event)
	for _, e := range events {
		switch {
		case e.Do == opEnroll && e.Answer.Outcome == done:
			enrolled[e.User] = e
		case e.Do == opVerify && e.Answer.Outcome == done && e.At.After(logins[e.User].At):
			logins[e.User] = e
		case e.Do == opStatus && e.Answer.Outcome == done:
			final[e.User] = e
		}
	}
	for user, e := range enrolled {
		s, seen := final[user]
		switch login := logins[user]; {
		case !seen:
			f.add(unverified, e.Ended, "%s", user)
		case s.Answer.Factors == 0:
			f.add(lost, e.Ended, "the enrollment of %s at %s", user, e.Ended.Format(clockTime))
		case s.Answer.LastUsed.Before(login.At):
			f.add(lost, login.Ended, "%s logged in with the code of %v at %s, but the record ends at %v",
				user, login.At, login.Ended.Format(clockTime), s.Answer.LastUsed)
		}
	}
	for _, e := range events {
		if since, ok := enrolled[e.User]; ok && e.Answer.Outcome == letIn && e.Begun.After(since.Ended) {
			f.add(unasked, e.Begun, "%s, enrolled at %s, by client %d at %s", e.User, since.Ended.Format(clockTime), e.Process, e.Begun.Format(clockTime))
		}
	}
}

const clockTime = "15:04:05.000"

func told(events []event) (lines []string) {
	for _, e := range events {
		lines = append(lines, fmt.Sprintf("client %d, %s to %s: %s %s", e.Process, e.Begun.Format(clockTime), e.Ended.Format(clockTime), e.Answer.Outcome, e.Answer.Error))
	}
	return lines
}

// report logs the findings, and fails the test if there are any of a promised kind.
func (f findings) report(t *testing.T, promised ...breach) {
	t.Helper()
	for _, b := range breaches {
		found := f.of(b)
		if len(found) == 0 {
			continue
		}
		t.Logf("%s: %d, such as %s", b, len(found), found[0].text)
		if slices.Contains(promised, b) {
			t.Errorf("%s: %d", b, len(found))
		}
	}
}

// during returns how often a fault led to a breach. It looks from a little before
// the fault, since changes that a fault loses were acknowledged before it.
func (f findings) during(b breach, s span) (n int) {
	for _, finding := range f.of(b) {
		if when := finding.when.Add(quiet); !when.Before(s.from) && when.Before(s.to) {
			n++
		}
	}
	return n
}

// longestOutage returns the longest time without a login by a client's lone user
// that ended in the given span.
func longestOutage(events []event, process int, from, to time.Time) time.Duration {
	var longest time.Duration
	var previous time.Time
	for _, e := range events {
		if !e.isLone(process) {
			continue
		}
		if !previous.IsZero() && e.Ended.After(from) && e.Ended.Before(to) {
			longest = max(longest, e.Ended.Sub(previous))
		}
		previous = e.Ended
	}
	return longest
}
