//go:build linux

package cluster

import (
	"testing"
	"time"
)

// TestCheckBites: check finds nothing wrong with a right history, and finds what is
// wrong with each of the others.
func TestCheckBites(t *testing.T) {
	clock := start
	happens := func(do operation, user string, step int, a answer) event {
		e := event{Do: do, User: user, At: start.Add(time.Duration(step) * pace), Answer: a, Begun: clock}
		clock = clock.Add(time.Second)
		e.Ended = clock
		return e
	}
	ok := answer{Outcome: done}
	state := func(step int) answer {
		return answer{Outcome: done, Factors: 1, LastUsed: start.Add(time.Duration(step) * pace)}
	}
	right := []event{
		happens(opBegin, "ada", 0, answer{Outcome: letIn}), // before there is a factor
		happens(opEnroll, "ada", 0, ok),
		happens(opBegin, "ada", 1, answer{Outcome: challenged}),
		happens(opVerify, "ada", 1, ok),
		happens(opVerify, "ada", 1, answer{Outcome: refused}),
		happens(opVerify, "ada", 2, answer{Outcome: failed}),
		happens(opVerify, "ada", 2, answer{Outcome: refused}), // the failed call may have spent the code
	}
	after := happens(opStatus, "ada", 2, state(1))
	for _, test := range []struct {
		name string
		more []event
		want breach // "" for none
	}{
		{"a right history", []event{after}, ""},
		{"a code that is taken twice", []event{happens(opVerify, "ada", 1, ok), after}, double},
		{"the enrollment's code, taken for a login", []event{happens(opVerify, "ada", 0, ok), after}, double},
		{"no record afterwards", []event{happens(opStatus, "ada", 2, ok)}, lost},
		{"an older record afterwards", []event{happens(opStatus, "ada", 2, state(0))}, lost},
		{"nil for an enrolled user", []event{happens(opBegin, "ada", 2, answer{Outcome: letIn}), after}, unasked},
		{"a new code that is refused", []event{happens(opVerify, "ada", 3, answer{Outcome: refused}), after}, misjudged},
		{"nobody could look", nil, unverified},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := check(append(append([]event{}, right...), test.more...))
			if test.want == "" && len(f) > 0 || test.want != "" && (len(f) != 1 || f[0].breach != test.want) {
				t.Errorf("found %v, want %q", f, test.want)
			}
		})
	}
}
