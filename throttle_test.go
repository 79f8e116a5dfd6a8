package mfa_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

// schedule is the delay after the k-th wrong one-time code in a row.
func schedule(k int) time.Duration {
	if k < 5 {
		return 0
	}
	if k > 14 {
		return 15 * time.Minute
	}
	return time.Second << (k - 5)
}

func TestWrongCodesAreThrottledUntilTheFactorIsDisabled(t *testing.T) {
	w := world.New(t)
	a, login := w.GiveTOTP("ada")
	codes := w.GiveBackupCodes("ada", login.Proof)
	for k := 1; k <= 100; k++ {
		w.Told()
		challenge := w.Begin("ada")
		_, err := w.VerifyLogin(w.Ctx, challenge.Token, a.Wrong())
		world.WantTries(t, err, 4)
		if k == 100 {
			w.WantTold(mfa.EventChallenged, mfa.EventRefused, mfa.EventFactorDisabled)
			break
		}
		w.WantTold(mfa.EventChallenged, mfa.EventRefused)
		delay := schedule(k)
		if delay == 0 {
			continue
		}
		// While delayed not even the right code is looked at, and asking costs
		// nothing.
		for range 3 {
			_, err = w.VerifyLogin(w.Ctx, challenge.Token, a.Shows())
			world.WantThrottled(t, err, delay)
			w.WantTold(mfa.EventThrottled)
		}
		w.Clock.Advance(delay - 1)
		_, err = w.VerifyLogin(w.Ctx, w.Begin("ada").Token, a.Shows())
		world.WantThrottled(t, err, 1)
		w.Clock.Advance(1)
		if t.Failed() {
			t.Fatalf("after failure %d", k)
		}
	}
	if f := w.Factor("ada", mfa.MethodTOTP); !f.Disabled {
		t.Error("Status does not say that it is disabled")
	}
	for _, later := range []time.Duration{0, time.Hour, 31 * 24 * time.Hour, 365 * 24 * time.Hour} {
		w.Clock.Advance(later)
		_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, a.Shows())
		world.WantErr(t, err, mfa.ErrFactorDisabled)
	}
	w.Login("ada", codes[0]) // the other factors stay open
	_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, a.Shows())
	world.WantErr(t, err, mfa.ErrFactorDisabled)

	w.Told()
	world.OK(t, w.Unlock(w.Ctx, "ada"))
	w.WantTold(mfa.EventUnlocked)
	w.Login("ada", a.Shows())
}

func TestReplacingADisabledFactorOpensIt(t *testing.T) {
	w := world.New(t)
	a, login := w.GiveTOTP("ada")
	codes := w.GiveBackupCodes("ada", login.Proof)
	for range 100 {
		w.Clock.Advance(15 * time.Minute)
		w.VerifyLogin(w.Ctx, w.Begin("ada").Token, a.Wrong())
	}
	login = w.Login("ada", codes[0])
	next, _ := w.GiveTOTP("ada", mfa.WithProof(login.Proof))
	w.Login("ada", next.Shows())
}

func TestAllFactorsDisabled(t *testing.T) {
	w := world.New(t)
	a, _ := w.GiveTOTP("ada")
	for range 100 {
		w.Clock.Advance(15 * time.Minute)
		w.VerifyLogin(w.Ctx, w.Begin("ada").Token, a.Wrong())
	}
	world.WantErr(t, w.BeginLogin(w.Ctx, "ada"), mfa.ErrFactorDisabled)
	_, err := w.BeginStepUp(w.Ctx, "ada", "transfer")
	world.WantErr(t, err, mfa.ErrFactorDisabled)
	_, err = w.EnrollTOTP(w.Ctx, "ada", "a")
	world.WantErr(t, err, mfa.ErrFactorDisabled)
	world.OK(t, w.Reset(w.Ctx, "ada"))
	world.OK(t, w.BeginLogin(w.Ctx, "ada"))
}

// TestSuccessClearsTheRowAlone: not the count of 30 days, which is what stops
// whoever guesses patiently beside an honest user.
func TestSuccessClearsTheRowAlone(t *testing.T) {
	w := world.New(t)
	a, _ := w.GiveTOTP("ada")
	for failures := 1; failures <= 100; failures++ {
		if w.Factor("ada", mfa.MethodTOTP).Disabled {
			t.Fatalf("disabled after %d", failures-1)
		}
		if failures%20 == 0 {
			w.Clock.Advance(24 * time.Hour)
			w.Login("ada", a.Shows())
		}
		_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, a.Wrong())
		world.WantErr(t, err, mfa.ErrInvalidCode) // there is no delay after a success
		w.Clock.Advance(15 * time.Minute)
	}
	if !w.Factor("ada", mfa.MethodTOTP).Disabled {
		t.Error("not disabled after 100 failures in 5 days")
	}
}

func TestFailuresOf30DaysAgoDoNotCount(t *testing.T) {
	w := world.New(t)
	a, _ := w.GiveTOTP("ada")
	for range 3 {
		for range 60 {
			w.Clock.Advance(15 * time.Minute)
			w.VerifyLogin(w.Ctx, w.Begin("ada").Token, a.Wrong())
		}
		w.Clock.Advance(30*24*time.Hour + 15*time.Minute)
		w.Login("ada", a.Shows())
	}
}

func TestEachFactorHasItsLane(t *testing.T) {
	w := world.New(t)
	a, login := w.GiveTOTP("ada")
	w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
	codes := w.GiveBackupCodes("ada", login.Proof)
	for range 5 {
		w.VerifyLogin(w.Ctx, w.Begin("ada").Token, a.Wrong()) // no message was sent: compared with the app alone
	}
	challenge := w.Begin("ada")
	code := w.SentCode(challenge.Token)
	_, err := w.VerifyLogin(w.Ctx, challenge.Token, a.Shows()) // the app is delayed: compared with the message alone
	world.WantTries(t, err, 4)
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, code)
	world.OK(t, err)
	_, err = w.VerifyLogin(w.Ctx, w.Begin("ada").Token, a.Shows()) // success of one clears no other
	world.WantThrottled(t, err, time.Second)
	w.Login("ada", codes[0])

	// Compared with both, charged to both; delayed, the shortest wait is told.
	w.Clock.Advance(time.Minute)
	challenge = w.Begin("ada")
	w.SentCode(challenge.Token)
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, "12345") // app: 6 in a row, phone: 1
	world.WantTries(t, err, 4)
	for range 3 { // phone alone
		_, err = w.VerifyLogin(w.Ctx, challenge.Token, a.Wrong())
		world.WantErr(t, err, mfa.ErrInvalidCode)
	}
	w.Clock.Advance(time.Minute)
	challenge = w.Begin("ada")
	w.SentCode(challenge.Token)
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, "12345") // app: 7, phone: 5
	world.WantTries(t, err, 4)
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, "12345")
	world.WantThrottled(t, err, time.Second)
}

func TestAMessageDoesNotResetTheCount(t *testing.T) {
	w := world.New(t)
	w.GiveSMS("ada", world.Phone)
	challenge := w.Begin("ada")
	code := w.SentCode(challenge.Token)
	for range 4 {
		w.VerifyLogin(w.Ctx, challenge.Token, wrongSMS(code))
	}
	w.Clock.Advance(30 * time.Second)
	code = w.SentCode(challenge.Token)
	_, err := w.VerifyLogin(w.Ctx, challenge.Token, wrongSMS(code))
	world.WantTries(t, err, 0)
	if retryAt := w.Factor("ada", mfa.MethodSMS).RetryAt; !retryAt.Equal(w.Clock.Now().Add(time.Second)) {
		t.Errorf("again at %v, want in a second", retryAt)
	}
}

func TestCountsLiveInTheStore(t *testing.T) {
	w := world.New(t)
	a, _ := w.GiveTOTP("ada")
	for range 5 { // another engine each time
		_, err := w.Another().VerifyLogin(w.Ctx, w.Begin("ada").Token, a.Wrong())
		world.WantTries(t, err, 4)
	}
	_, err := w.Another().VerifyLogin(w.Ctx, w.Begin("ada").Token, a.Shows())
	world.WantThrottled(t, err, time.Second)
}

func TestStepUpSharesTheCounts(t *testing.T) {
	w := world.New(t)
	a, _ := w.GiveTOTP("ada")
	for i := range 5 {
		challenge, err := w.BeginStepUp(w.Ctx, "ada", fmt.Sprint("action", i))
		world.OK(t, err)
		_, err = w.VerifyStepUp(w.Ctx, challenge.Token, challenge.Action, a.Wrong())
		world.WantTries(t, err, 4)
	}
	_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, a.Shows())
	world.WantThrottled(t, err, time.Second)
}

func TestTheWaitIsTrueWhenTheClockGoesBack(t *testing.T) {
	w := world.New(t)
	a, _ := w.GiveTOTP("ada")
	for range 8 {
		w.Clock.Advance(15 * time.Minute)
		w.VerifyLogin(w.Ctx, w.Begin("ada").Token, a.Wrong())
	}
	w.Clock.Advance(-time.Hour)
	_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, a.Shows())
	world.WantThrottled(t, err, time.Hour+8*time.Second)
	w.Clock.Advance(time.Hour + 8*time.Second - 1)
	_, err = w.VerifyLogin(w.Ctx, w.Begin("ada").Token, a.Shows())
	world.WantThrottled(t, err, 1)
	w.Clock.Advance(1)
	w.Login("ada", a.Shows())
}

func TestUnlockForgetsAClockThatRanAhead(t *testing.T) {
	w := world.New(t)
	a, _ := w.GiveTOTP("ada")
	before := a.Shows()
	w.Login("ada", before)
	w.Clock.Advance(24 * time.Hour)
	w.Login("ada", a.Shows())
	w.Clock.Advance(-24*time.Hour + 30*time.Second)
	_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, a.Shows())
	world.WantErr(t, err, mfa.ErrInvalidCode)
	world.OK(t, w.Unlock(w.Ctx, "ada"))
	_, err = w.VerifyLogin(w.Ctx, w.Begin("ada").Token, before) // which was really used
	world.WantErr(t, err, mfa.ErrInvalidCode)
	w.Login("ada", a.Shows())
}

// TestADayOfGuessing: no more is judged in 24 hours than the schedule says,
// whatever is tried around it.
func TestADayOfGuessing(t *testing.T) {
	w := world.New(t)
	a, _ := w.GiveTOTP("ada")
	judged := 0
	end := w.Clock.Now().Add(24 * time.Hour)
	for w.Clock.Now().Before(end) {
		challenge := w.Begin("ada")
		w.VerifyLogin(w.Ctx, challenge.Token, "")
		w.Told()
		w.PasswordChanged(w.Ctx, "ada")
		stepUp, err := w.BeginStepUp(w.Ctx, "ada", "x")
		if err == nil {
			w.VerifyStepUp(w.Ctx, stepUp.Token, "x", a.Wrong())
		}
		for _, event := range w.Told() {
			if event == mfa.EventRefused {
				judged++
			}
		}
		w.Clock.Advance(time.Minute)
		if w.Factor("ada", mfa.MethodTOTP).Disabled {
			break
		}
	}
	if judged > 109 || judged < 90 {
		t.Errorf("%d guesses were judged", judged)
	}
}
