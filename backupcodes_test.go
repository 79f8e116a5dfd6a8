package mfa_test

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

func TestABackupCodeWorksOnce(t *testing.T) {
	w := world.New(t, world.BackupCodes(10))
	_, err := w.GenerateBackupCodes(w.Ctx, "ada")
	world.WantErr(t, err, mfa.ErrNotEnrolled)
	a, login := w.GiveTOTP("ada")
	w.NewEvents()
	codes := w.GiveBackupCodes("ada", login.Proof)
	w.WantEvents(mfa.EventBackupCodesGenerated)
	if len(codes) != 10 {
		t.Errorf("%d codes", len(codes))
	}
	form := regexp.MustCompile(`^[0-9a-hjkmnp-tv-z]{4}-[0-9a-hjkmnp-tv-z]{4}$`)
	for i, code := range codes {
		if !form.MatchString(code) || !strings.ContainsAny(code, "abcdefghjkmnpqrstvwxyz") || slices.Index(codes, code) != i {
			t.Errorf("code %q", code)
		}
	}
	if got := w.StatusOf("ada").BackupCodesLeft; got != 10 {
		t.Errorf("%d left", got)
	}
	w.NewEvents()
	login = w.Login("ada", codes[3])
	if login.Method != mfa.MethodBackupCode || !slices.Equal(login.AMR, []string{"mfa"}) || login.BackupCodesLeft != 9 || login.Proof == "" {
		t.Errorf("%+v", *login)
	}
	w.WantEvents(mfa.EventChallenged, mfa.EventVerified)
	_, err = w.VerifyLogin(w.Ctx, w.Begin("ada").Token, codes[3]) // spent, and so a wrong one
	world.WantTries(t, err, 4)
	w.WantEvents(mfa.EventChallenged, mfa.EventRefused)
	w.Login("ada", codes[9])
	w.Login("ada", a.Shows()) // the app is still there
	if f := w.Factor("ada", mfa.MethodBackupCode); !f.LastUsedAt.Equal(w.Clock.Now()) {
		t.Errorf("last used at %v", f.LastUsedAt)
	}
}

func TestMoreGroupsMakeLongerBackupCodes(t *testing.T) {
	for _, groups := range []int{4, 8} {
		w := world.New(t, func(c *mfa.Config) { c.BackupCodes = mfa.BackupCodeConfig{Count: 1, Groups: groups} })
		_, login := w.GiveTOTP("ada")
		codes := w.GiveBackupCodes("ada", login.Proof)
		if len(codes[0]) != groups*5-1 {
			t.Errorf("%q", codes[0])
		}
		w.Login("ada", codes[0])
	}
}

func TestANewSetKillsTheOld(t *testing.T) {
	w := world.New(t)
	_, login := w.GiveTOTP("ada")
	old := w.GiveBackupCodes("ada", login.Proof)
	for range 10 {
		w.VerifyLogin(w.Ctx, w.Begin("ada").Token, "aaaa-aaaa")
	}
	next := w.GiveBackupCodes("ada", login.Proof) // also clears the failures
	_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, old[0])
	world.WantTries(t, err, 4)
	w.Login("ada", next[0])
}

// TestARightBackupCodeIsNoHundredthFailure: charging a right code does not disable
// the factor.
func TestARightBackupCodeIsNoHundredthFailure(t *testing.T) {
	w := world.New(t, world.BackupCodes(2))
	_, login := w.GiveTOTP("ada")
	codes := w.GiveBackupCodes("ada", login.Proof)
	for range 99 {
		w.Clock.Advance(15 * time.Minute)
		w.VerifyLogin(w.Ctx, w.Begin("ada").Token, "abc")
	}
	w.Clock.Advance(15 * time.Minute)
	w.NewEvents()
	w.Login("ada", codes[0])
	w.WantEvents(mfa.EventChallenged, mfa.EventVerified)
	w.VerifyLogin(w.Ctx, w.Begin("ada").Token, "abc") // the hundredth in 30 days
	w.WantEvents(mfa.EventChallenged, mfa.EventRefused, mfa.EventFactorDisabled)
	_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, codes[1])
	world.WantErr(t, err, mfa.ErrFactorDisabled)
}

// TestABackupCodeWhoseChallengeExpiresIsNotSpent: the challenge expires while the
// code waits to be hashed.
func TestABackupCodeWhoseChallengeExpiresIsNotSpent(t *testing.T) {
	store := &world.HookStore{Store: mfa.NewMemoryStore()}
	w := world.New(t, func(c *mfa.Config) { c.Store = store })
	_, login := w.GiveTOTP("ada")
	codes := w.GiveBackupCodes("ada", login.Proof)
	challenge := w.Begin("ada")
	store.Saved = func() { w.Clock.Set(challenge.ExpiresAt); store.Saved = nil }
	_, err := w.VerifyLogin(w.Ctx, challenge.Token, codes[0])
	world.WantErr(t, err, mfa.ErrInvalidToken)
	w.Login("ada", codes[0]) // it was not spent
}

// TestWaitingForAHashEndsWithTheContext: the caller's context is canceled once the
// try has been charged. The code is not spent.
func TestWaitingForAHashEndsWithTheContext(t *testing.T) {
	store := &world.HookStore{Store: mfa.NewMemoryStore()}
	w := world.New(t, func(c *mfa.Config) { c.Store = store })
	_, login := w.GiveTOTP("ada")
	codes := w.GiveBackupCodes("ada", login.Proof)
	for range 4 {
		ctx, cancel := context.WithCancel(w.Ctx)
		challenge := w.Begin("ada")
		store.Saved = cancel
		_, err := w.VerifyLogin(ctx, challenge.Token, codes[0])
		world.WantErr(t, err, context.Canceled)
		store.Saved = nil
	}
	w.Login("ada", codes[0])
}
