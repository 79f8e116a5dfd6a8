package mfa_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/protekt/mfa"
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
	w := newWorld(t)
	a, login := w.enrollTOTP("ada")
	codes := w.backupCodes("ada", login.Proof)
	for k := 1; k <= 100; k++ {
		w.told()
		challenge := w.begin("ada")
		_, err := w.VerifyLogin(w.ctx, challenge.Token, a.wrong())
		wantTries(t, err, 4)
		if k == 100 {
			w.wantTold(mfa.EventChallenged, mfa.EventRefused, mfa.EventFactorDisabled)
			break
		}
		w.wantTold(mfa.EventChallenged, mfa.EventRefused)
		delay := schedule(k)
		if delay == 0 {
			continue
		}
		// While delayed not even the right code is looked at, and asking costs
		// nothing.
		for range 3 {
			_, err = w.VerifyLogin(w.ctx, challenge.Token, a.code())
			wantThrottled(t, err, delay)
			w.wantTold(mfa.EventThrottled)
		}
		w.clock.Advance(delay - 1)
		_, err = w.VerifyLogin(w.ctx, w.begin("ada").Token, a.code())
		wantThrottled(t, err, 1)
		w.clock.Advance(1)
		if t.Failed() {
			t.Fatalf("after failure %d", k)
		}
	}
	if f := w.factor("ada", mfa.MethodTOTP); !f.Disabled {
		t.Error("Status does not say that it is disabled")
	}
	for _, later := range []time.Duration{0, time.Hour, 31 * 24 * time.Hour, 365 * 24 * time.Hour} {
		w.clock.Advance(later)
		_, err := w.VerifyLogin(w.ctx, w.begin("ada").Token, a.code())
		wantErr(t, err, mfa.ErrFactorDisabled)
	}
	w.login("ada", codes[0]) // the other factors stay open
	_, err := w.VerifyLogin(w.ctx, w.begin("ada").Token, a.code())
	wantErr(t, err, mfa.ErrFactorDisabled)

	w.told()
	ok(t, w.Unlock(w.ctx, "ada"))
	w.wantTold(mfa.EventUnlocked)
	w.login("ada", a.code())
}

func TestReplacingADisabledFactorOpensIt(t *testing.T) {
	w := newWorld(t)
	a, login := w.enrollTOTP("ada")
	codes := w.backupCodes("ada", login.Proof)
	for range 100 {
		w.clock.Advance(15 * time.Minute)
		w.VerifyLogin(w.ctx, w.begin("ada").Token, a.wrong())
	}
	login = w.login("ada", codes[0])
	next, _ := w.enrollTOTP("ada", mfa.WithProof(login.Proof))
	w.login("ada", next.code())
}

func TestAllFactorsDisabled(t *testing.T) {
	w := newWorld(t)
	a, _ := w.enrollTOTP("ada")
	for range 100 {
		w.clock.Advance(15 * time.Minute)
		w.VerifyLogin(w.ctx, w.begin("ada").Token, a.wrong())
	}
	wantErr(t, w.BeginLogin(w.ctx, "ada"), mfa.ErrFactorDisabled)
	_, err := w.BeginStepUp(w.ctx, "ada", "transfer")
	wantErr(t, err, mfa.ErrFactorDisabled)
	_, err = w.EnrollTOTP(w.ctx, "ada", "a")
	wantErr(t, err, mfa.ErrFactorDisabled)
	ok(t, w.Reset(w.ctx, "ada"))
	ok(t, w.BeginLogin(w.ctx, "ada"))
}

// TestSuccessClearsTheRowAlone: not the count of 30 days, which is what stops
// whoever guesses patiently beside an honest user.
func TestSuccessClearsTheRowAlone(t *testing.T) {
	w := newWorld(t)
	a, _ := w.enrollTOTP("ada")
	for failures := 1; failures <= 100; failures++ {
		if w.factor("ada", mfa.MethodTOTP).Disabled {
			t.Fatalf("disabled after %d", failures-1)
		}
		if failures%20 == 0 {
			w.clock.Advance(24 * time.Hour)
			w.login("ada", a.code())
		}
		_, err := w.VerifyLogin(w.ctx, w.begin("ada").Token, a.wrong())
		wantErr(t, err, mfa.ErrInvalidCode) // there is no delay after a success
		w.clock.Advance(15 * time.Minute)
	}
	if !w.factor("ada", mfa.MethodTOTP).Disabled {
		t.Error("not disabled after 100 failures in 5 days")
	}
}

func TestFailuresOf30DaysAgoDoNotCount(t *testing.T) {
	w := newWorld(t)
	a, _ := w.enrollTOTP("ada")
	for range 3 {
		for range 60 {
			w.clock.Advance(15 * time.Minute)
			w.VerifyLogin(w.ctx, w.begin("ada").Token, a.wrong())
		}
		w.clock.Advance(30*24*time.Hour + 15*time.Minute)
		w.login("ada", a.code())
	}
}

func TestEachFactorHasItsLane(t *testing.T) {
	w := newWorld(t)
	a, login := w.enrollTOTP("ada")
	w.enrollSMS("ada", phone, mfa.WithProof(login.Proof))
	codes := w.backupCodes("ada", login.Proof)
	for range 5 {
		w.VerifyLogin(w.ctx, w.begin("ada").Token, a.wrong()) // no message was sent: compared with the app alone
	}
	challenge := w.begin("ada")
	code := w.sendCode(challenge.Token)
	_, err := w.VerifyLogin(w.ctx, challenge.Token, a.code()) // the app is delayed: compared with the message alone
	wantTries(t, err, 4)
	_, err = w.VerifyLogin(w.ctx, challenge.Token, code)
	ok(t, err)
	_, err = w.VerifyLogin(w.ctx, w.begin("ada").Token, a.code()) // success of one clears no other
	wantThrottled(t, err, time.Second)
	w.login("ada", codes[0])

	// Compared with both, charged to both; delayed, the shortest wait is told.
	w.clock.Advance(time.Minute)
	challenge = w.begin("ada")
	w.sendCode(challenge.Token)
	_, err = w.VerifyLogin(w.ctx, challenge.Token, "12345") // app: 6 in a row, phone: 1
	wantTries(t, err, 4)
	for range 3 { // phone alone
		_, err = w.VerifyLogin(w.ctx, challenge.Token, a.wrong())
		wantErr(t, err, mfa.ErrInvalidCode)
	}
	w.clock.Advance(time.Minute)
	challenge = w.begin("ada")
	w.sendCode(challenge.Token)
	_, err = w.VerifyLogin(w.ctx, challenge.Token, "12345") // app: 7, phone: 5
	wantTries(t, err, 4)
	_, err = w.VerifyLogin(w.ctx, challenge.Token, "12345")
	wantThrottled(t, err, time.Second)
}

func TestAMessageDoesNotResetTheCount(t *testing.T) {
	w := newWorld(t)
	w.enrollSMS("ada", phone)
	challenge := w.begin("ada")
	code := w.sendCode(challenge.Token)
	for range 4 {
		w.VerifyLogin(w.ctx, challenge.Token, wrongSMS(code))
	}
	w.clock.Advance(30 * time.Second)
	code = w.sendCode(challenge.Token)
	_, err := w.VerifyLogin(w.ctx, challenge.Token, wrongSMS(code))
	wantTries(t, err, 0)
	_, err = w.SendCode(w.ctx, w.begin("ada").Token)
	wantThrottled(t, err, time.Second)
}

func TestCountsLiveInTheStore(t *testing.T) {
	w := newWorld(t)
	a, _ := w.enrollTOTP("ada")
	for range 5 { // another engine each time
		_, err := w.another().VerifyLogin(w.ctx, w.begin("ada").Token, a.wrong())
		wantTries(t, err, 4)
	}
	_, err := w.another().VerifyLogin(w.ctx, w.begin("ada").Token, a.code())
	wantThrottled(t, err, time.Second)
}

func TestStepUpSharesTheCounts(t *testing.T) {
	w := newWorld(t)
	a, _ := w.enrollTOTP("ada")
	for i := range 5 {
		challenge, err := w.BeginStepUp(w.ctx, "ada", fmt.Sprint("action", i))
		ok(t, err)
		_, err = w.VerifyStepUp(w.ctx, challenge.Token, challenge.Action, a.wrong())
		wantTries(t, err, 4)
	}
	_, err := w.VerifyLogin(w.ctx, w.begin("ada").Token, a.code())
	wantThrottled(t, err, time.Second)
}

func TestTheWaitIsTrueWhenTheClockGoesBack(t *testing.T) {
	w := newWorld(t)
	a, _ := w.enrollTOTP("ada")
	for range 8 {
		w.clock.Advance(15 * time.Minute)
		w.VerifyLogin(w.ctx, w.begin("ada").Token, a.wrong())
	}
	w.clock.Advance(-time.Hour)
	_, err := w.VerifyLogin(w.ctx, w.begin("ada").Token, a.code())
	wantThrottled(t, err, time.Hour+8*time.Second)
	w.clock.Advance(time.Hour + 8*time.Second - 1)
	_, err = w.VerifyLogin(w.ctx, w.begin("ada").Token, a.code())
	wantThrottled(t, err, 1)
	w.clock.Advance(1)
	w.login("ada", a.code())
}

func TestUnlockForgetsAClockThatRanAhead(t *testing.T) {
	w := newWorld(t)
	a, _ := w.enrollTOTP("ada")
	before := a.code()
	w.login("ada", before)
	w.clock.Advance(24 * time.Hour)
	w.login("ada", a.code())
	w.clock.Advance(-24*time.Hour + 30*time.Second)
	_, err := w.VerifyLogin(w.ctx, w.begin("ada").Token, a.code())
	wantErr(t, err, mfa.ErrInvalidCode)
	ok(t, w.Unlock(w.ctx, "ada"))
	_, err = w.VerifyLogin(w.ctx, w.begin("ada").Token, before) // which was really used
	wantErr(t, err, mfa.ErrInvalidCode)
	w.login("ada", a.code())
}

// TestADayOfGuessing: no more is judged in 24 hours than the schedule says,
// whatever is tried around it.
func TestADayOfGuessing(t *testing.T) {
	w := newWorld(t)
	a, _ := w.enrollTOTP("ada")
	judged := 0
	end := w.clock.Now().Add(24 * time.Hour)
	for w.clock.Now().Before(end) {
		challenge := w.begin("ada")
		w.VerifyLogin(w.ctx, challenge.Token, "")
		w.told()
		w.PasswordChanged(w.ctx, "ada")
		stepUp, err := w.BeginStepUp(w.ctx, "ada", "x")
		if err == nil {
			w.VerifyStepUp(w.ctx, stepUp.Token, "x", a.wrong())
		}
		for _, event := range w.told() {
			if event == mfa.EventRefused {
				judged++
			}
		}
		w.clock.Advance(time.Minute)
		if w.factor("ada", mfa.MethodTOTP).Disabled {
			break
		}
	}
	if judged > 109 || judged < 90 {
		t.Errorf("%d guesses were judged", judged)
	}
}
