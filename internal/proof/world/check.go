package world

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/protekt/mfa"
)

// Challenged returns err as a ChallengeError, and fails the test if it is not one.
func Challenged(t testing.TB, err error) *mfa.ChallengeError {
	t.Helper()
	var challenge *mfa.ChallengeError
	if !errors.As(err, &challenge) {
		t.Fatalf("got %v, want a ChallengeError", err)
	}
	return challenge
}

// WantErr checks that err is want.
func WantErr(t testing.TB, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("got error %v, want %v", err, want)
	}
}

// WantTries checks that err is for a wrong code and that left tries are left.
func WantTries(t testing.TB, err error, left int) {
	t.Helper()
	WantErr(t, err, mfa.ErrInvalidCode)
	var code *mfa.CodeError
	if !errors.As(err, &code) || code.TriesLeft != left {
		t.Errorf("got %v, want %d tries left", err, left)
	}
}

// WantThrottled checks that err is a ThrottledError with the given wait.
func WantThrottled(t testing.TB, err error, wait time.Duration) {
	t.Helper()
	var throttled *mfa.ThrottledError
	if !errors.As(err, &throttled) || throttled.RetryAfter != wait {
		t.Errorf("got %v, want to be throttled for %v", err, wait)
	}
}

// OK checks that there is no error.
func OK(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("got error %v, want none", err)
	}
}

// JSON returns the JSON encoding of v.
func JSON(t testing.TB, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// WantOne checks that one attempt succeeded and the others were refused.
func WantOne(t *testing.T, errs []error, refusals ...error) {
	t.Helper()
	successes := 0
	for _, err := range errs {
		if err == nil {
			successes++
		} else if !slices.ContainsFunc(refusals, func(r error) bool { return errors.Is(err, r) }) {
			t.Errorf("refused with %v", err)
		}
	}
	if successes != 1 {
		t.Errorf("%d of %d succeeded, want one", successes, len(errs))
	}
}
