package world

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/protekt/mfa"
)

// Challenged returns the challenge that err must be.
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

// WantTries is for a wrong code that leaves so many tries.
func WantTries(t testing.TB, err error, left int) {
	t.Helper()
	WantErr(t, err, mfa.ErrInvalidCode)
	var code *mfa.CodeError
	if !errors.As(err, &code) || code.TriesLeft != left {
		t.Errorf("got %v, want %d tries left", err, left)
	}
}

// WantThrottled is for what must wait so long.
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

// JSON is v, marshalled.
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
