package mfa_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

// TestUnlockAfterAClockRanAhead: a year ahead for a moment is no year without
// messages or logins.
func TestUnlockAfterAClockRanAhead(t *testing.T) {
	w := world.New(t)
	world.OK(t, w.ImportSMS(w.Ctx, "ada", world.Phone))
	w.Clock.Advance(365 * 24 * time.Hour)
	used := w.Begin("ada")
	w.AnswerBySMS(used)
	w.Clock.Advance(10 * time.Minute)
	w.AnswerBySMS(w.Begin("ada")) // which forgets the other
	w.Clock.Advance(-365*24*time.Hour - 10*time.Minute)
	_, err := w.SendCode(w.Ctx, w.Begin("ada").Token)
	if !errors.As(err, new(*mfa.ThrottledError)) {
		t.Fatalf("got %v, want to be throttled", err)
	}
	world.OK(t, w.Unlock(w.Ctx, "ada"))
	first, second := w.Begin("ada"), w.Begin("ada")
	w.AnswerBySMS(first)
	w.Clock.Advance(time.Minute)
	w.AnswerBySMS(second)
	_, err = w.VerifyLogin(w.Ctx, used.Token, "123456")
	world.WantErr(t, err, mfa.ErrInvalidToken)
}

func TestExpiredEnrollmentsStayDeadWhenTheClockGoesBack(t *testing.T) {
	w := world.New(t)
	enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "a")
	world.OK(t, err)
	a := w.Scan(enrollment.URI)
	w.Clock.Advance(15 * time.Minute)
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, a.Shows())
	world.WantErr(t, err, mfa.ErrNoPendingEnrollment)
	w.Clock.Advance(-2 * time.Minute)
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, a.Shows())
	world.WantErr(t, err, mfa.ErrNoPendingEnrollment)
}

func TestAnEnrollmentFromTheFutureIsRefused(t *testing.T) {
	for _, test := range []struct {
		ahead time.Duration
		alive bool
	}{{5 * time.Minute, true}, {5*time.Minute + 1, false}} {
		w := world.New(t)
		w.Clock.Advance(test.ahead)
		enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "a")
		world.OK(t, err)
		w.Clock.Advance(-test.ahead)
		_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, w.Scan(enrollment.URI).Shows())
		if test.alive {
			world.OK(t, err)
			continue
		}
		world.WantErr(t, err, mfa.ErrNoPendingEnrollment)
		w.GiveTOTP("ada") // anew
	}
}

// TestABackupCodeIsLate: the challenge expires while its hash waits.
func TestABackupCodeIsLate(t *testing.T) {
	store := &world.HookStore{Store: mfa.NewMemoryStore()}
	w := world.New(t, func(c *mfa.Config) { c.Store = store })
	_, login := w.GiveTOTP("ada")
	codes := w.GiveBackupCodes("ada", login.Proof)
	challenge := w.Begin("ada")
	store.Saved = func() { w.Clock.Set(challenge.ExpiresAt); store.Saved = nil }
	_, err := w.VerifyLogin(w.Ctx, challenge.Token, codes[0])
	world.WantErr(t, err, mfa.ErrInvalidToken)
	w.Login("ada", codes[0]) // which was not spent
}

// TestAnOldChallengeSurvivesManyNewerOnes: whoever has the password can open
// those, but not take the owner's away while it is being answered.
func TestAnOldChallengeSurvivesManyNewerOnes(t *testing.T) {
	setUp := func() (*world.World, *mfa.ChallengeError, []string) {
		w := world.New(t)
		login := w.GiveSMS("ada", world.Phone)
		codes := w.GiveBackupCodes("ada", login.Proof)
		old := w.Begin("ada")
		for range 32 {
			w.Clock.Advance(time.Second)
			_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, "000000") // no message was sent: charged to the challenge alone
			world.WantTries(t, err, 4)
		}
		return w, old, codes
	}
	w, old, _ := setUp()
	_, err := w.VerifyLogin(w.Ctx, old.Token, "000000")
	world.WantTries(t, err, 4)
	_, err = w.VerifyLogin(w.Ctx, old.Token, "000000")
	world.WantTries(t, err, 3)

	w, old, _ = setUp()
	w.AnswerBySMS(old)
	_, err = w.VerifyLogin(w.Ctx, old.Token, "000000")
	world.WantErr(t, err, mfa.ErrInvalidToken)

	w, old, codes := setUp()
	_, err = w.VerifyLogin(w.Ctx, old.Token, codes[0])
	world.OK(t, err)
}

// TestABurstOfEnrollmentsCountsOnceForTheNumber: only what is sent counts.
func TestABurstOfEnrollmentsCountsOnceForTheNumber(t *testing.T) {
	const burst = 5
	var together sync.WaitGroup
	together.Add(burst)
	w := world.New(t, func(c *mfa.Config) {
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
		done.Go(func() { w.EnrollSMS(w.Ctx, "mallory", world.Phone) })
	}
	done.Wait()
	if n := len(w.Outbox.Messages()); n != 1 {
		t.Fatalf("%d messages", n)
	}
	for i := range 4 {
		_, err := w.EnrollSMS(w.Ctx, fmt.Sprint("user", i), world.Phone)
		world.OK(t, err)
	}
	_, err := w.EnrollSMS(w.Ctx, "user4", world.Phone)
	world.WantThrottled(t, err, time.Hour)
}

// TestAFailedDeliveryLiftsItsOwnCooldown, not that of a message sent since.
func TestAFailedDeliveryLiftsItsOwnCooldown(t *testing.T) {
	slow := make(chan struct{})
	begun := make(chan struct{})
	w := world.New(t)
	w.Engine = w.Another(func(c *mfa.Config) {
		c.SMS = senderFunc(func(ctx context.Context, message mfa.SMS) error {
			if message.To != world.Phone2 {
				return w.Outbox.SendSMS(ctx, message)
			}
			close(begun)
			<-slow
			return errors.New("timeout")
		})
		c.InsecureSkipProof = true
	})
	world.OK(t, w.ImportSMS(w.Ctx, "ada", world.Phone))
	failed := make(chan error)
	go func() {
		_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone2)
		failed <- err
	}()
	<-begun
	w.Clock.Advance(31 * time.Second)
	challenge := w.Begin("ada")
	w.SentCode(challenge.Token)
	close(slow)
	world.WantErr(t, <-failed, mfa.ErrDelivery)
	_, err := w.SendCode(w.Ctx, challenge.Token)
	world.WantThrottled(t, err, 30*time.Second)
}
