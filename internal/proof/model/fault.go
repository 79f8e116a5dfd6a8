package model

import (
	"slices"

	"github.com/protekt/mfa/internal/proof/world"
)

// A Fault is a fault that a call of the store meets.
type Fault = world.Fault

// faulted returns the possible results of a call that met a fault. The record may
// be left in any of the states that it goes through; in the last one only if the
// write was done and its answer was lost. There is no event and no message, except
// for a failed delivery, whose effects remain if they could not be undone. A
// message that was not sent may or may not count against its number.
func faulted(begin User, results []Result, f Fault) []Result {
	if f == world.Conflicts {
		return results // the engine retries
	}
	failure := "internal"
	if f == world.EverTooLate {
		failure = "conflict"
	}
	failed := []Result{{Outcome: Outcome{Result: failure}, Then: []User{begin}}}
	for _, r := range results {
		for i, u := range r.Then {
			last := i == len(r.Then)-1
			if last && f != world.FailsLate {
				continue
			}
			failed = append(failed, Result{Outcome{Result: failure}, []User{u}})
			if !slices.Equal(u.number, begin.number) {
				unsent := u
				unsent.number = append(messages(nil), u.number[:len(u.number)-1]...)
				failed = append(failed, Result{Outcome{Result: failure}, []User{unsent}})
			}
			if r.Result == "delivery_failed" && i >= len(r.Then)-2 {
				failed = append(failed, Result{r.Outcome, []User{u}})
			}
		}
	}
	return failed
}

// cancelled returns the possible results of a call whose context had ended before
// it began: nothing changes, and the call fails or is refused without the store.
func cancelled(results []Result) []Result {
	ended := refused("internal")
	for _, r := range results {
		switch r.Result {
		case "invalid_token", "invalid_code", "invalid_phone", "invalid_request", "method_unavailable":
			if len(r.Then) == 0 {
				ended = append(ended, r)
			}
		}
	}
	return ended
}
