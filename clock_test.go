package mfa_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/protekt/mfa"
)

// TestUnlockAfterAClockRanAhead: a year ahead for a moment is no year without
// messages or logins.
func TestUnlockAfterAClockRanAhead(t *testing.T) {
	w := newWorld(t)
	ok(t, w.ImportSMS(w.ctx, "ada", phone))
	w.clock.Advance(365 * 24 * time.Hour)
	used := w.begin("ada")
	w.answerBySMS(used)
	w.clock.Advance(10 * time.Minute)
	w.answerBySMS(w.begin("ada")) // which forgets the other
	w.clock.Advance(-365*24*time.Hour - 10*time.Minute)
	_, err := w.SendCode(w.ctx, w.begin("ada").Token)
	if !errors.As(err, new(*mfa.ThrottledError)) {
		t.Fatalf("got %v, want to be throttled", err)
	}
	ok(t, w.Unlock(w.ctx, "ada"))
	first, second := w.begin("ada"), w.begin("ada")
	w.answerBySMS(first)
	w.clock.Advance(time.Minute)
	w.answerBySMS(second)
	_, err = w.VerifyLogin(w.ctx, used.Token, "123456")
	wantErr(t, err, mfa.ErrInvalidToken)
}

func TestExpiredEnrollmentsStayDeadWhenTheClockGoesBack(t *testing.T) {
	w := newWorld(t)
	enrollment, err := w.EnrollTOTP(w.ctx, "ada", "a")
	ok(t, err)
	a := w.scan(enrollment.URI)
	w.clock.Advance(15 * time.Minute)
	_, err = w.VerifyEnrollment(w.ctx, "ada", mfa.MethodTOTP, a.code())
	wantErr(t, err, mfa.ErrNoPendingEnrollment)
	w.clock.Advance(-2 * time.Minute)
	_, err = w.VerifyEnrollment(w.ctx, "ada", mfa.MethodTOTP, a.code())
	wantErr(t, err, mfa.ErrNoPendingEnrollment)
}

func TestAnEnrollmentFromTheFutureIsRefused(t *testing.T) {
	for _, test := range []struct {
		ahead time.Duration
		alive bool
	}{{4 * time.Minute, true}, {24 * time.Hour, false}} {
		w := newWorld(t)
		w.clock.Advance(test.ahead)
		enrollment, err := w.EnrollTOTP(w.ctx, "ada", "a")
		ok(t, err)
		w.clock.Advance(-test.ahead)
		_, err = w.VerifyEnrollment(w.ctx, "ada", mfa.MethodTOTP, w.scan(enrollment.URI).code())
		if test.alive {
			ok(t, err)
			continue
		}
		wantErr(t, err, mfa.ErrNoPendingEnrollment)
		w.enrollTOTP("ada") // anew
	}
}

// TestABackupCodeIsLate: the challenge expires while its hash waits.
func TestABackupCodeIsLate(t *testing.T) {
	store := &hookStore{mfa.NewMemoryStore(), func() {}}
	w := newWorld(t, func(c *mfa.Config) { c.Store = store })
	_, login := w.enrollTOTP("ada")
	codes := w.backupCodes("ada", login.Proof)
	challenge := w.begin("ada")
	store.saved = func() { w.clock.Set(challenge.ExpiresAt); store.saved = func() {} }
	_, err := w.VerifyLogin(w.ctx, challenge.Token, codes[0])
	wantErr(t, err, mfa.ErrInvalidToken)
	w.login("ada", codes[0]) // which was not spent
}

// TestAnOldChallengeSurvivesManyNewerOnes: whoever has the password can open
// those, but not take the owner's away while it is being answered.
func TestAnOldChallengeSurvivesManyNewerOnes(t *testing.T) {
	setUp := func() (*world, *mfa.ChallengeError, []string) {
		w := newWorld(t)
		login := w.enrollSMS("ada", phone)
		codes := w.backupCodes("ada", login.Proof)
		old := w.begin("ada")
		for range 32 {
			w.clock.Advance(time.Second)
			_, err := w.VerifyLogin(w.ctx, w.begin("ada").Token, "000000") // no message was sent: charged to the challenge alone
			wantTries(t, err, 4)
		}
		return w, old, codes
	}
	w, old, _ := setUp()
	_, err := w.VerifyLogin(w.ctx, old.Token, "000000")
	wantTries(t, err, 4)
	_, err = w.VerifyLogin(w.ctx, old.Token, "000000")
	wantTries(t, err, 3)

	w, old, _ = setUp()
	w.answerBySMS(old)
	_, err = w.VerifyLogin(w.ctx, old.Token, "000000")
	wantErr(t, err, mfa.ErrInvalidToken)

	w, old, codes := setUp()
	_, err = w.VerifyLogin(w.ctx, old.Token, codes[0])
	ok(t, err)
}

// TestABurstOfEnrollmentsCountsOnceForTheNumber: only what is sent counts.
func TestABurstOfEnrollmentsCountsOnceForTheNumber(t *testing.T) {
	const burst = 5
	var together sync.WaitGroup
	together.Add(burst)
	w := newWorld(t, func(c *mfa.Config) {
		c.SMSCodes.Numbers = mfa.NewMemoryStore()
		c.SMSCodes.Allow = func(_ context.Context, userID, _ string) error {
			if userID == "mallory" {
				together.Done()
				together.Wait()
			}
			return nil
		}
	})
	var done sync.WaitGroup
	for range burst {
		done.Go(func() { w.EnrollSMS(w.ctx, "mallory", phone) })
	}
	done.Wait()
	if n := len(w.outbox.Messages()); n != 1 {
		t.Fatalf("%d messages", n)
	}
	for i := range 4 {
		_, err := w.EnrollSMS(w.ctx, fmt.Sprint("user", i), phone)
		ok(t, err)
	}
	_, err := w.EnrollSMS(w.ctx, "user4", phone)
	wantThrottled(t, err, time.Hour)
}

// TestAFailedDeliveryLiftsItsOwnCooldown, not that of a message sent since.
func TestAFailedDeliveryLiftsItsOwnCooldown(t *testing.T) {
	slow := make(chan struct{})
	begun := make(chan struct{})
	w := newWorld(t)
	w.Engine = w.another(func(c *mfa.Config) {
		c.SMS = senderFunc(func(ctx context.Context, message mfa.SMS) error {
			if message.To != phone2 {
				return w.outbox.SendSMS(ctx, message)
			}
			close(begun)
			<-slow
			return errors.New("timeout")
		})
		c.SkipProof = true
	})
	ok(t, w.ImportSMS(w.ctx, "ada", phone))
	failed := make(chan error)
	go func() {
		_, err := w.EnrollSMS(w.ctx, "ada", phone2)
		failed <- err
	}()
	<-begun
	w.clock.Advance(31 * time.Second)
	challenge := w.begin("ada")
	w.sendCode(challenge.Token)
	close(slow)
	wantErr(t, <-failed, mfa.ErrDelivery)
	_, err := w.SendCode(w.ctx, challenge.Token)
	wantThrottled(t, err, 30*time.Second)
}
