package mfa_test

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
)

func TestBackupCodes(t *testing.T) {
	w := newWorld(t, func(c *mfa.Config) { c.BackupCodes.Count = 0 })
	_, err := w.GenerateBackupCodes(w.ctx, "ada")
	wantErr(t, err, mfa.ErrNotEnrolled)
	a, login := w.enrollTOTP("ada")
	w.told()
	codes := w.backupCodes("ada", login.Proof)
	w.wantTold(mfa.EventBackupCodesGenerated)
	if len(codes) != 10 {
		t.Errorf("%d codes", len(codes))
	}
	form := regexp.MustCompile(`^[0-9a-hjkmnp-tv-z]{4}-[0-9a-hjkmnp-tv-z]{4}$`)
	for i, code := range codes {
		if !form.MatchString(code) || !strings.ContainsAny(code, "abcdefghjkmnpqrstvwxyz") || slices.Index(codes, code) != i {
			t.Errorf("code %q", code)
		}
	}
	if got := w.status("ada").BackupCodesLeft; got != 10 {
		t.Errorf("%d left", got)
	}
	w.told()
	login = w.login("ada", codes[3])
	if login.Method != mfa.MethodBackupCode || !slices.Equal(login.AMR, []string{"mfa"}) || login.BackupCodesLeft != 9 || login.Proof == "" {
		t.Errorf("%+v", *login)
	}
	w.wantTold(mfa.EventChallenged, mfa.EventVerified)
	_, err = w.VerifyLogin(w.ctx, w.begin("ada").Token, codes[3]) // spent: a wrong one
	wantTries(t, err, 4)
	w.wantTold(mfa.EventChallenged, mfa.EventRefused)
	w.login("ada", codes[9])
	w.login("ada", a.code()) // the app is still there
	if f := w.factor("ada", mfa.MethodBackupCode); !f.LastUsedAt.Equal(w.clock.Now()) {
		t.Errorf("last used at %v", f.LastUsedAt)
	}
}

func TestSpellingsOfABackupCode(t *testing.T) {
	w := newWorld(t, func(c *mfa.Config) { c.BackupCodes = mfa.BackupCodeConfig{Count: 15} })
	_, login := w.enrollTOTP("ada")
	var code string // with a 0 and a 1 in it
	for code == "" {
		for _, c := range w.backupCodes("ada", login.Proof) {
			if strings.Contains(c, "0") || strings.Contains(c, "1") {
				code = c
			}
		}
	}
	for _, wrong := range []string{code[:8], code + "a", "u" + code[1:], strings.ReplaceAll(code, "-", "."), strings.ReplaceAll(code, "-", "_"),
		strings.ReplaceAll(strings.ReplaceAll(code, "0", "\u039f"), "1", "\u0399"), "\u212a" + code[1:], code + "\x00"} {
		_, err := w.VerifyLogin(w.ctx, w.begin("ada").Token, wrong)
		wantErr(t, err, mfa.ErrInvalidCode)
	}
	ok(t, w.Unlock(w.ctx, "ada"))
	spelled := strings.ToUpper(strings.ReplaceAll(code, "-", ""))
	spelled = strings.NewReplacer("0", "o", "1", "L").Replace(spelled)
	w.login("ada", " "+spelled[:3]+" - "+spelled[3:]+"\n")
	_, err := w.VerifyLogin(w.ctx, w.begin("ada").Token, code) // it was the same code
	wantErr(t, err, mfa.ErrInvalidCode)
}

func TestMoreGroups(t *testing.T) {
	for _, groups := range []int{4, 8} {
		w := newWorld(t, func(c *mfa.Config) { c.BackupCodes = mfa.BackupCodeConfig{Count: 1, Groups: groups} })
		_, login := w.enrollTOTP("ada")
		codes := w.backupCodes("ada", login.Proof)
		if len(codes[0]) != groups*5-1 {
			t.Errorf("%q", codes[0])
		}
		w.login("ada", codes[0])
	}
}

func TestANewSetKillsTheOld(t *testing.T) {
	w := newWorld(t)
	_, login := w.enrollTOTP("ada")
	old := w.backupCodes("ada", login.Proof)
	for range 10 {
		w.VerifyLogin(w.ctx, w.begin("ada").Token, "aaaa-aaaa")
	}
	next := w.backupCodes("ada", login.Proof) // and has seen no failures
	_, err := w.VerifyLogin(w.ctx, w.begin("ada").Token, old[0])
	wantTries(t, err, 4)
	w.login("ada", next[0])
}

func TestBackupCodesAreThrottledApart(t *testing.T) {
	w := newWorld(t)
	a, login := w.enrollTOTP("ada")
	codes := w.backupCodes("ada", login.Proof)
	for k := 1; k <= 9; k++ {
		_, err := w.VerifyLogin(w.ctx, w.begin("ada").Token, "aaaa-aaaa")
		wantErr(t, err, mfa.ErrInvalidCode)
	}
	_, err := w.VerifyLogin(w.ctx, w.begin("ada").Token, "0000000a") // the tenth
	wantErr(t, err, mfa.ErrInvalidCode)
	for _, wait := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute, 15 * time.Minute} {
		w.told()
		_, err := w.VerifyLogin(w.ctx, w.begin("ada").Token, codes[0])
		wantThrottled(t, err, wait)
		w.wantTold(mfa.EventChallenged, mfa.EventThrottled)
		w.clock.Advance(wait)
		_, err = w.VerifyLogin(w.ctx, w.begin("ada").Token, "aaaa-aaaa")
		wantErr(t, err, mfa.ErrInvalidCode)
	}
	w.login("ada", a.code()) // the app is not concerned
	w.clock.Advance(15 * time.Minute)
	w.login("ada", codes[0])
	w.clock.Advance(time.Second)
	w.VerifyLogin(w.ctx, w.begin("ada").Token, "aaaa-aaaa")
	w.login("ada", codes[1]) // success ended the row
}

func TestLettersThatCannotBeABackupCode(t *testing.T) {
	w := newWorld(t)
	_, login := w.enrollTOTP("ada")
	w.backupCodes("ada", login.Proof)
	for k := 1; k <= 10; k++ { // are charged like any wrong one
		_, err := w.VerifyLogin(w.ctx, w.begin("ada").Token, []string{"abc", "letmein!", "i2345678", "aaaa-aaa", "é"}[k%5])
		wantTries(t, err, 4)
	}
	_, err := w.VerifyLogin(w.ctx, w.begin("ada").Token, "abc")
	wantThrottled(t, err, 30*time.Second)
}

func TestLettersWithoutBackupCodes(t *testing.T) {
	w := newWorld(t)
	a, _ := w.enrollTOTP("ada")
	challenge := w.begin("ada")
	for _, code := range []string{"aaaa-aaaa", "abc"} {
		_, err := w.VerifyLogin(w.ctx, challenge.Token, code)
		wantErr(t, err, mfa.ErrInvalidCode)
	}
	_, err := w.VerifyLogin(w.ctx, challenge.Token, a.wrong())
	wantTries(t, err, 2)
	_, err = w.VerifyLogin(w.ctx, challenge.Token, a.code())
	ok(t, err)
}

func TestBackupCodesOfOneUserAreNoOthers(t *testing.T) {
	w := newWorld(t)
	_, ada := w.enrollTOTP("ada")
	_, bob := w.enrollTOTP("bob")
	codes := w.backupCodes("ada", ada.Proof)
	w.backupCodes("bob", bob.Proof)
	_, err := w.VerifyLogin(w.ctx, w.begin("bob").Token, codes[0])
	wantTries(t, err, 4)
	w.login("ada", codes[0])
}

// TestAFifthTryMayBeTheRightOne: it was paid for before it was compared.
func TestAFifthTryMayBeTheRightOne(t *testing.T) {
	w := newWorld(t)
	_, login := w.enrollTOTP("ada")
	codes := w.backupCodes("ada", login.Proof)
	challenge := w.begin("ada")
	for range 4 {
		w.VerifyLogin(w.ctx, challenge.Token, "aaaa-aaaa")
	}
	_, err := w.VerifyLogin(w.ctx, challenge.Token, codes[0])
	ok(t, err)
}

// TestAHundredthFailureThatIsNone: the charge of a right code disables nothing.
func TestAHundredthFailureThatIsNone(t *testing.T) {
	w := newWorld(t)
	_, login := w.enrollTOTP("ada")
	codes := w.backupCodes("ada", login.Proof)
	for range 99 {
		w.clock.Advance(15 * time.Minute)
		w.VerifyLogin(w.ctx, w.begin("ada").Token, "abc")
	}
	w.clock.Advance(15 * time.Minute)
	w.told()
	w.login("ada", codes[0])
	w.wantTold(mfa.EventChallenged, mfa.EventVerified)
	w.VerifyLogin(w.ctx, w.begin("ada").Token, "abc") // the hundredth in 30 days
	w.wantTold(mfa.EventChallenged, mfa.EventRefused, mfa.EventFactorDisabled)
	_, err := w.VerifyLogin(w.ctx, w.begin("ada").Token, codes[1])
	wantErr(t, err, mfa.ErrFactorDisabled)
}

// A hookStore calls a function after each Save.
type hookStore struct {
	mfa.Store
	saved func()
}

func (s *hookStore) Save(ctx context.Context, record mfa.Record) error {
	err := s.Store.Save(ctx, record)
	s.saved()
	return err
}

// TestWaitingForAHashEndsWithTheContext: the caller goes away once the try is
// paid for. The code is not spent.
func TestWaitingForAHashEndsWithTheContext(t *testing.T) {
	store := &hookStore{mfa.NewMemoryStore(), func() {}}
	w := newWorld(t, func(c *mfa.Config) { c.Store = store })
	_, login := w.enrollTOTP("ada")
	codes := w.backupCodes("ada", login.Proof)
	for range 4 {
		ctx, cancel := context.WithCancel(w.ctx)
		challenge := w.begin("ada")
		store.saved = cancel
		_, err := w.VerifyLogin(ctx, challenge.Token, codes[0])
		wantErr(t, err, context.Canceled)
		store.saved = func() {}
	}
	w.login("ada", codes[0])
}
