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

func TestBackupCodes(t *testing.T) {
	w := world.New(t, func(c *mfa.Config) { c.BackupCodes.Count = 0 })
	_, err := w.GenerateBackupCodes(w.Ctx, "ada")
	world.WantErr(t, err, mfa.ErrNotEnrolled)
	a, login := w.GiveTOTP("ada")
	w.Told()
	codes := w.GiveBackupCodes("ada", login.Proof)
	w.WantTold(mfa.EventBackupCodesGenerated)
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
	w.Told()
	login = w.Login("ada", codes[3])
	if login.Method != mfa.MethodBackupCode || !slices.Equal(login.AMR, []string{"mfa"}) || login.BackupCodesLeft != 9 || login.Proof == "" {
		t.Errorf("%+v", *login)
	}
	w.WantTold(mfa.EventChallenged, mfa.EventVerified)
	_, err = w.VerifyLogin(w.Ctx, w.Begin("ada").Token, codes[3]) // spent: a wrong one
	world.WantTries(t, err, 4)
	w.WantTold(mfa.EventChallenged, mfa.EventRefused)
	w.Login("ada", codes[9])
	w.Login("ada", a.Shows()) // the app is still there
	if f := w.Factor("ada", mfa.MethodBackupCode); !f.LastUsedAt.Equal(w.Clock.Now()) {
		t.Errorf("last used at %v", f.LastUsedAt)
	}
}

func TestSpellingsOfABackupCode(t *testing.T) {
	w := world.New(t, func(c *mfa.Config) { c.BackupCodes = mfa.BackupCodeConfig{Count: 15} })
	_, login := w.GiveTOTP("ada")
	var code string // with a 0 and a 1 in it
	for code == "" {
		for _, c := range w.GiveBackupCodes("ada", login.Proof) {
			if strings.Contains(c, "0") || strings.Contains(c, "1") {
				code = c
			}
		}
	}
	for _, wrong := range []string{code[:8], code + "a", "u" + code[1:], strings.ReplaceAll(code, "-", "."), strings.ReplaceAll(code, "-", "_"),
		strings.ReplaceAll(strings.ReplaceAll(code, "0", "\u039f"), "1", "\u0399"), "\u212a" + code[1:], code + "\x00"} {
		_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, wrong)
		world.WantErr(t, err, mfa.ErrInvalidCode)
	}
	world.OK(t, w.Unlock(w.Ctx, "ada"))
	spelled := strings.ToUpper(strings.ReplaceAll(code, "-", ""))
	spelled = strings.NewReplacer("0", "o", "1", "L").Replace(spelled)
	spelled = strings.Map(func(r rune) rune { return r - '!' + '！' }, spelled[:2]) + spelled[2:]
	w.Login("ada", "“\u202a"+spelled[:7]+" - "+spelled[7:]+"\u202c”.\n")
	_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, code) // it was the same code
	world.WantErr(t, err, mfa.ErrInvalidCode)
}

func TestMoreGroups(t *testing.T) {
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
	next := w.GiveBackupCodes("ada", login.Proof) // and has seen no failures
	_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, old[0])
	world.WantTries(t, err, 4)
	w.Login("ada", next[0])
}

func TestBackupCodesAreThrottledApart(t *testing.T) {
	w := world.New(t)
	a, login := w.GiveTOTP("ada")
	codes := w.GiveBackupCodes("ada", login.Proof)
	for k := 1; k <= 9; k++ {
		_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, "aaaa-aaaa")
		world.WantErr(t, err, mfa.ErrInvalidCode)
	}
	_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, "0000000a") // the tenth
	world.WantErr(t, err, mfa.ErrInvalidCode)
	for _, wait := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute, 15 * time.Minute} {
		w.Told()
		_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, codes[0])
		world.WantThrottled(t, err, wait)
		w.WantTold(mfa.EventChallenged, mfa.EventThrottled)
		w.Clock.Advance(wait)
		_, err = w.VerifyLogin(w.Ctx, w.Begin("ada").Token, "aaaa-aaaa")
		world.WantErr(t, err, mfa.ErrInvalidCode)
	}
	w.Login("ada", a.Shows()) // the app is not concerned
	w.Clock.Advance(15 * time.Minute)
	w.Login("ada", codes[0])
	w.Clock.Advance(time.Second)
	w.VerifyLogin(w.Ctx, w.Begin("ada").Token, "aaaa-aaaa")
	w.Login("ada", codes[1]) // success ended the row
}

func TestLettersThatCannotBeABackupCode(t *testing.T) {
	w := world.New(t)
	_, login := w.GiveTOTP("ada")
	w.GiveBackupCodes("ada", login.Proof)
	for k := 1; k <= 10; k++ { // are charged like any wrong one
		_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, []string{"abc", "letmein!", "i2345678", "aaaa-aaa", "é"}[k%5])
		world.WantTries(t, err, 4)
	}
	_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, "abc")
	world.WantThrottled(t, err, 30*time.Second)
}

func TestLettersWithoutBackupCodes(t *testing.T) {
	w := world.New(t)
	a, _ := w.GiveTOTP("ada")
	challenge := w.Begin("ada")
	for _, code := range []string{"aaaa-aaaa", "abc"} {
		_, err := w.VerifyLogin(w.Ctx, challenge.Token, code)
		world.WantErr(t, err, mfa.ErrInvalidCode)
	}
	_, err := w.VerifyLogin(w.Ctx, challenge.Token, a.Wrong())
	world.WantTries(t, err, 2)
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, a.Shows())
	world.OK(t, err)
}

func TestBackupCodesOfOneUserAreNoOthers(t *testing.T) {
	w := world.New(t)
	_, ada := w.GiveTOTP("ada")
	_, bob := w.GiveTOTP("bob")
	codes := w.GiveBackupCodes("ada", ada.Proof)
	w.GiveBackupCodes("bob", bob.Proof)
	_, err := w.VerifyLogin(w.Ctx, w.Begin("bob").Token, codes[0])
	world.WantTries(t, err, 4)
	w.Login("ada", codes[0])
}

// TestAFifthTryMayBeTheRightOne: it was paid for before it was compared.
func TestAFifthTryMayBeTheRightOne(t *testing.T) {
	w := world.New(t)
	_, login := w.GiveTOTP("ada")
	codes := w.GiveBackupCodes("ada", login.Proof)
	challenge := w.Begin("ada")
	for range 4 {
		w.VerifyLogin(w.Ctx, challenge.Token, "aaaa-aaaa")
	}
	_, err := w.VerifyLogin(w.Ctx, challenge.Token, codes[0])
	world.OK(t, err)
}

// TestAHundredthFailureThatIsNone: the charge of a right code disables nothing.
func TestAHundredthFailureThatIsNone(t *testing.T) {
	w := world.New(t)
	_, login := w.GiveTOTP("ada")
	codes := w.GiveBackupCodes("ada", login.Proof)
	for range 99 {
		w.Clock.Advance(15 * time.Minute)
		w.VerifyLogin(w.Ctx, w.Begin("ada").Token, "abc")
	}
	w.Clock.Advance(15 * time.Minute)
	w.Told()
	w.Login("ada", codes[0])
	w.WantTold(mfa.EventChallenged, mfa.EventVerified)
	w.VerifyLogin(w.Ctx, w.Begin("ada").Token, "abc") // the hundredth in 30 days
	w.WantTold(mfa.EventChallenged, mfa.EventRefused, mfa.EventFactorDisabled)
	_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, codes[1])
	world.WantErr(t, err, mfa.ErrFactorDisabled)
}

// TestWaitingForAHashEndsWithTheContext: the caller goes away once the try is
// paid for. The code is not spent.
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
