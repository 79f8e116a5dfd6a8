package model

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/protekt/mfa"
)

// counts counts what happened.
type counts map[string]int

const mostStates = "states possible at once"

// add counts a call, by what it showed and by how many states were possible before
// and after it.
func (c counts) add(call Call, got Outcome, before, after int) {
	if call.Op != look {
		c["operations"]++
		c[call.Op]++
		if strings.HasPrefix(got.Result, "ok") {
			c[call.Op+" ok"]++
		}
		if got.Result != "" {
			c["answered "+strings.FieldsFunc(got.Result, func(r rune) bool { return r == ' ' || r == ',' || r == ':' })[0]]++
		}
	}
	if strings.HasPrefix(got.Result, "ok") || got.Result == "delivery_failed" {
		if call.Fault != "" {
			c["all the same, store "+string(call.Fault)]++
		}
	} else if call.Fault != "" {
		c["failed, store "+string(call.Fault)]++
	}
	for _, how := range []string{spent, cloned} {
		if strings.HasSuffix(got.Result, how) {
			c["answered"+how]++
		}
	}
	if call.Cancelled {
		c["cancelled"]++
	}
	if after > 1 {
		c["in doubt"]++
	}
	c[mostStates] = max(c[mostStates], after)
	if before > 1 && after == 1 {
		c["resolved"]++
	}
	for _, told := range strings.Fields(got.Told) {
		what := strings.Split(told, ":")
		c["told "+what[0]]++
		if what[0] == string(mfa.EventVerified) {
			c["let in by "+what[1]]++
		}
	}
}

// TestRandomHistories: random calls of all operations, by several users, on
// several engines, with a clock that jumps and with a store, a sender and a policy
// that fail, return what the model allows and leave the user in a state that it
// allows. MFA_TEST_LONG=1 plays ninety times as many histories; a failure names
// the seed that replays it.
func TestRandomHistories(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: random histories against the model")
	}
	setFlag(t, "rapid.steps", "100")
	setFlag(t, "rapid.nofailfile", "true")
	setFlag(t, "rapid.checks", "16")
	if os.Getenv("MFA_TEST_LONG") != "" {
		setFlag(t, "rapid.checks", "1500")
	}
	var mu sync.Mutex
	total := make(counts)
	t.Run("profiles", func(t *testing.T) {
		for _, p := range profiles {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				rapid.Check(t, func(t *rapid.T) {
					h := newHistory(t, drawSetting(t))
					t.Repeat(map[string]func(*rapid.T){"step": func(t *rapid.T) {
						h.t = t
						h.run(p.draw(t))
					}})
					mu.Lock()
					defer mu.Unlock()
					for what, n := range h.counts {
						if what == mostStates {
							total[what] = max(total[what], n)
						} else {
							total[what] += n
						}
					}
					total["operations of "+p.name] += h.counts["operations"]
				})
			})
		}
	})
	for _, p := range profiles {
		if total["operations of "+p.name] == 0 {
			return // -run selected others
		}
	}
	if !t.Failed() {
		total.check(t)
	}
}

// check reports what happened too rarely to be tested: never in a short run, or
// less often than the numbers here in a long one.
func (c counts) check(t *testing.T) {
	var lines []string
	for what, n := range c {
		lines = append(lines, fmt.Sprintf("%8d %s", n, what))
	}
	slices.SortFunc(lines, func(a, b string) int { return strings.Compare(a[9:], b[9:]) })
	t.Log("\n" + strings.Join(lines, "\n"))
	long := os.Getenv("MFA_TEST_LONG") != ""
	atLeast := func(n int, whats ...string) {
		t.Helper()
		if !long {
			n = min(n/50, 1) // rare events may be missing
		}
		for _, what := range whats {
			if c[what] < n {
				t.Errorf("%q happened %d times, want %d", what, c[what], n)
			}
		}
	}
	atLeast(200_000, "operations")
	for _, op := range operations {
		atLeast(50, op, op+" ok")
	}
	atLeast(100, "answered mfa_required", "answered mfa_enrollment_required", "answered mfa_enforced", "answered invalid_code",
		"answered invalid_token", "answered not_enrolled", "answered no_pending_enrollment", "answered method_unavailable", "answered invalid_phone",
		"answered invalid_request", "answered delivery_failed", "answered too_many_attempts", "answered internal",
		"answered too_many_messages", "answered already_enrolled", "answered, spent",
		"cancelled", "in doubt", "challenges evicted", "throttled by number")
	atLeast(5, "answered conflict", "answered, cloned", "answered factor_disabled", "resolved", "told factor_disabled", "throttled by number for a day",
		"failed, store fails", "failed, store fails after it is done", "failed, store is cancelled", "failed, store conflicts for ever", "all the same, store conflicts once")
	for _, told := range []mfa.EventType{
		mfa.EventEnrollmentStarted, mfa.EventEnrolled, mfa.EventUnenrolled, mfa.EventBackupCodesGenerated, mfa.EventChallenged, mfa.EventCodeSent,
		mfa.EventDeliveryFailed, mfa.EventVerified, mfa.EventRefused, mfa.EventReplayed, mfa.EventThrottled, mfa.EventReset, mfa.EventUnlocked,
		mfa.EventPasswordChanged, mfa.EventDeviceTrusted, mfa.EventDeviceAccepted, mfa.EventDevicesForgotten, mfa.EventReplaced,
		mfa.EventRevoked, mfa.EventEnforced, mfa.EventPassed, mfa.EventEnrollmentRequired, mfa.EventTokenRefused, mfa.EventDeleted,
	} {
		atLeast(50, "told "+string(told))
	}
	for _, method := range kinds {
		atLeast(20, "let in by "+method)
	}
}

// setFlag sets a flag unless the command line does.
func setFlag(t *testing.T, name, value string) {
	t.Helper()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if given {
		return
	}
	old := flag.Lookup(name).Value.String()
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { flag.Set(name, old) })
}
