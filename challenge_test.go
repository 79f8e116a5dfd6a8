package mfa_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

func TestAChallengeOffersWhatCanAnswerIt(t *testing.T) {
	all := []mfa.Method{mfa.MethodTOTP, mfa.MethodSMS, mfa.MethodBackupCode}
	w := world.New(t)
	ada := w.Full("ada", world.Phone)
	if got := w.Begin("ada").Methods; !slices.Equal(got, all) {
		t.Errorf("with all factors: %v", got)
	}
	w.Login("ada", ada.Codes[0])
	if got := w.Begin("ada").Methods; !slices.Equal(got, all[:2]) {
		t.Errorf("with no backup code left: %v", got)
	}
	challenge := world.Challenged(t, w.Another(func(c *mfa.Config) { c.SMS = nil }).BeginLogin(w.Ctx, "ada"))
	if !slices.Equal(challenge.Methods, all[:1]) || len(challenge.Factors) != 1 {
		t.Errorf("without a sender: %v, %v", challenge.Methods, challenge.Factors)
	}
	w.Disable("ada", mfa.MethodTOTP, world.FiveDigits)
	if got := w.Begin("ada").Methods; !slices.Equal(got, all[1:2]) {
		t.Errorf("with a disabled app: %v", got)
	}
	world.WantErr(t, w.Another(func(c *mfa.Config) { c.SMS = nil }).BeginLogin(w.Ctx, "ada"), mfa.ErrFactorDisabled)

	w = world.New(t)
	w.GiveSMS("ada", world.Phone)
	world.WantErr(t, w.Another(func(c *mfa.Config) { c.SMS = nil }).BeginLogin(w.Ctx, "ada"), mfa.ErrMethodUnavailable)

	w = world.New(t)
	w.GiveTOTP("ada")
	w.CheapBackupCodes("ada")
	w.Disable("ada", mfa.MethodTOTP, world.FiveDigits)
	if got := w.Begin("ada").Methods; !slices.Equal(got, all[2:]) {
		t.Errorf("with backup codes alone: %v", got)
	}
}

// schedule returns the delay after the k-th wrong one-time code in a row.
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
	w := world.New(t, world.BackupCodes(2))
	a, _ := w.GiveTOTP("ada")
	codes := w.CheapBackupCodes("ada")
	for k := 1; k <= 100; k++ {
		w.NewEvents()
		challenge := w.Begin("ada")
		_, err := w.VerifyLogin(w.Ctx, challenge.Token, a.Wrong())
		world.WantTries(t, err, 4)
		if k == 100 {
			w.WantEvents(mfa.EventChallenged, mfa.EventRefused, mfa.EventFactorDisabled)
			break
		}
		w.WantEvents(mfa.EventChallenged, mfa.EventRefused)
		delay := schedule(k)
		if delay == 0 {
			continue
		}
		// During the delay not even the right code is checked, and trying costs
		// nothing.
		for range 3 {
			_, err = w.VerifyLogin(w.Ctx, challenge.Token, a.Shows())
			world.WantThrottled(t, err, delay)
			w.WantEvents(mfa.EventThrottled)
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
		t.Error("Status does not show the factor as disabled")
	}
	for _, later := range []time.Duration{0, time.Hour, 31 * 24 * time.Hour, 365 * 24 * time.Hour} {
		w.Clock.Advance(later)
		_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, a.Shows())
		world.WantErr(t, err, mfa.ErrFactorDisabled)
	}
	w.Login("ada", codes[0]) // the other factors still work
	_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, a.Shows())
	world.WantErr(t, err, mfa.ErrFactorDisabled)

	w.NewEvents()
	world.OK(t, w.Unlock(w.Ctx, "ada"))
	w.WantEvents(mfa.EventUnlocked)
	w.Login("ada", a.Shows())
}

func TestEachFactorCountsItsOwnFailures(t *testing.T) {
	w := world.New(t)
	a, login := w.GiveTOTP("ada")
	w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
	codes := w.CheapBackupCodes("ada")
	for range 5 {
		w.VerifyLogin(w.Ctx, w.Begin("ada").Token, a.Wrong()) // no message was sent: compared with the app only
	}
	challenge := w.Begin("ada")
	code := w.SentCode(challenge.Token)
	_, err := w.VerifyLogin(w.Ctx, challenge.Token, a.Shows()) // the app is delayed: compared with the message only
	world.WantTries(t, err, 4)
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, code)
	world.OK(t, err)
	_, err = w.VerifyLogin(w.Ctx, w.Begin("ada").Token, a.Shows()) // success of one method clears no other
	world.WantThrottled(t, err, time.Second)
	w.Login("ada", codes[0])

	// A code compared with both is charged to both. If both are delayed, the shorter
	// wait is returned.
	w.Clock.Advance(time.Minute)
	challenge = w.Begin("ada")
	w.SentCode(challenge.Token)
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, "12345") // app: 6 in a row, phone: 1
	world.WantTries(t, err, 4)
	for range 3 { // phone only
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

func TestAUserWhoseFactorsAreAllDisabledIsRefused(t *testing.T) {
	w := world.New(t)
	w.GiveTOTP("ada")
	w.Disable("ada", mfa.MethodTOTP, world.FiveDigits)
	world.WantErr(t, w.BeginLogin(w.Ctx, "ada"), mfa.ErrFactorDisabled)
	_, err := w.BeginStepUp(w.Ctx, "ada", "transfer")
	world.WantErr(t, err, mfa.ErrFactorDisabled)
	_, err = w.EnrollTOTP(w.Ctx, "ada", "a")
	world.WantErr(t, err, mfa.ErrFactorDisabled)
	world.OK(t, w.Reset(w.Ctx, "ada"))
	world.OK(t, w.BeginLogin(w.Ctx, "ada"))
}

func TestForgottenChallengesStayDeadWhenTheClockGoesBack(t *testing.T) {
	w := world.New(t)
	a, _ := w.GiveTOTP("ada")
	ended, used := w.Begin("ada"), w.Begin("ada")
	_, err := w.VerifyLogin(w.Ctx, used.Token, a.Shows())
	world.OK(t, err)
	for range 5 {
		w.VerifyLogin(w.Ctx, ended.Token, a.Wrong())
	}
	w.Clock.Advance(6 * time.Minute)
	for range 3 { // the record forgets expired challenges
		w.Login("ada", a.Shows())
		w.Clock.Advance(6 * time.Minute)
	}
	w.Clock.Advance(-23 * time.Minute)
	for _, challenge := range []*mfa.ChallengeError{ended, used} {
		_, err := w.VerifyLogin(w.Ctx, challenge.Token, a.Shows())
		world.WantErr(t, err, mfa.ErrInvalidToken)
	}
	if _, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, a.Shows()); !errors.Is(err, mfa.ErrInvalidCode) {
		t.Errorf("a new challenge is not judged: %v", err)
	}
	w.Clock.Advance(23 * time.Minute)
	w.Login("ada", a.Shows())
}

// TestAnOldChallengeSurvivesManyNewerOnes: whoever has the password can begin new
// challenges, and answer them with codes that are compared with nothing, but cannot
// evict the owner's challenge, code or step-up.
func TestAnOldChallengeSurvivesManyNewerOnes(t *testing.T) {
	w := world.New(t)
	w.GiveSMS("ada", world.Phone)
	old := w.Begin("ada")
	code := w.SentCode(old.Token)
	stepUp, err := w.BeginStepUp(w.Ctx, "ada", "transfer")
	world.OK(t, err)
	version := w.Stored("ada").Version
	for range 40 {
		w.Clock.Advance(time.Second)
		for _, nothing := range []string{"zzzz-zzzz", "zzz", "000000", `{"id":"x"}`} {
			_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, nothing)
			world.WantTries(t, err, 5)
		}
	}
	if now := w.Stored("ada").Version; now != version {
		t.Errorf("%d saves, want none", now-version)
	}
	_, err = w.VerifyLogin(w.Ctx, old.Token, code)
	world.OK(t, err)
	_, err = w.SendCode(w.Ctx, stepUp.Token)
	world.OK(t, err)
}

func TestAMalformedCodeCostsNothing(t *testing.T) {
	w := world.New(t)
	a, _ := w.GiveTOTP("ada")
	w.CheapBackupCodes("ada")
	challenge := w.Begin("ada")
	w.NewEvents()
	for _, code := range []string{"", " ", "-", "\x00", "+123456", "12.3456", "①②③④⑤⑥", "²³¹²³¹", "123456;", "?", "\u200b", "“.”", strings.Repeat("1", 65), strings.Repeat("a", 1<<20), "\xff\xff"} {
		_, err := w.VerifyLogin(w.Ctx, challenge.Token, code)
		world.WantErr(t, err, mfa.ErrInvalidCode)
	}
	w.WantEvents()
	_, err := w.VerifyLogin(w.Ctx, challenge.Token, "12345") // digits of the wrong length count as a try
	world.WantTries(t, err, 4)
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, "")
	world.WantTries(t, err, 4)
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, a.Shows())
	world.OK(t, err)
}
