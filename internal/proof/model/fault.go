package model

import (
	"slices"

	"github.com/protekt/mfa/internal/proof/world"
)

// A Fault is what happened to a call of the store.
type Fault = world.Fault

// faulted returns what may come of a call that met a fault. The record may have got
// to any of the states that it goes through; to the last only where the write
// was done and its answer lost. Nothing is told or sent but of a delivery that
// failed: what could not be undone then stays. To its number, a message that was
// not sent may count or not.
func faulted(begin User, results []Result, f Fault) []Result {
	if f == world.Conflicts {
		return results // the engine begins again
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

// cancelled returns what may come of a call whose context was over before it began:
// nothing, and no answer but a refusal that needs no store.
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
