package mfa_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

func TestStatusShowsEveryFactor(t *testing.T) {
	w := world.New(t)
	if got := world.JSON(t, w.StatusOf("ada")); got != `{"factors":[],"backup_codes_left":0,"required":false}` {
		t.Errorf("nobody: %s", got)
	}
	a, login := w.GiveTOTP("ada")
	w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
	w.CheapBackupCodes("ada")
	w.Clock.Advance(time.Second)
	w.Login("ada", a.Shows())
	challenge := w.Begin("ada")
	for range 5 {
		w.VerifyLogin(w.Ctx, challenge.Token, a.Wrong())
	}
	want := `{"factors":[` +
		`{"method":"totp","enrolled_at":"2030-01-01T00:00:10Z","last_used_at":"2030-01-01T00:02:11Z","disabled":false,"retry_at":"2030-01-01T00:02:12Z"},` +
		`{"method":"sms","phone":"+23*****678","enrolled_at":"2030-01-01T00:01:10Z","disabled":false},` +
		`{"method":"backup_code","enrolled_at":"2030-01-01T00:02:10Z","disabled":false}],` +
		`"backup_codes_left":1,"required":false}`
	if got := world.JSON(t, w.StatusOf("ada")); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestUnenrollRemovesOneFactor(t *testing.T) {
	w := world.New(t, world.BackupCodes(2))
	world.WantErr(t, w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP), mfa.ErrNotEnrolled)
	world.WantErr(t, w.Unenroll(w.Ctx, "ada", "fax"), mfa.ErrNotEnrolled)
	world.WantErr(t, w.Unenroll(w.Ctx, "ada", ""), mfa.ErrNotEnrolled)
	a, login := w.GiveTOTP("ada")
	codes := w.CheapBackupCodes("ada")
	world.WantErr(t, w.Unenroll(w.Ctx, "ada", mfa.MethodSMS), mfa.ErrNotEnrolled)
	world.WantErr(t, w.Unenroll(w.Ctx, "ada", "fax"), mfa.ErrNotEnrolled)
	login = w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
	w.Told()
	world.OK(t, w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP, mfa.WithProof(login.Proof)))
	w.WantTold(mfa.EventUnenrolled)
	if got := w.Enrolled("ada"); !slices.Equal(got, []mfa.Method{mfa.MethodSMS, mfa.MethodBackupCode}) {
		t.Errorf("enrolled %v", got)
	}
	challenge := w.Begin("ada")
	_, err := w.VerifyLogin(w.Ctx, challenge.Token, a.Shows())
	world.WantErr(t, err, mfa.ErrInvalidCode)
	login, err = w.VerifyLogin(w.Ctx, challenge.Token, codes[0])
	world.OK(t, err)
	world.OK(t, w.Unenroll(w.Ctx, "ada", mfa.MethodSMS, mfa.WithProof(login.Proof)))
	if got := w.Enrolled("ada"); got != nil {
		t.Errorf("enrolled %v", got)
	}
	world.OK(t, w.BeginLogin(w.Ctx, "ada"))

	// With a new factor the old backup codes stay dead.
	w.GiveTOTP("ada")
	_, err = w.VerifyLogin(w.Ctx, w.Begin("ada").Token, codes[1])
	world.WantErr(t, err, mfa.ErrInvalidCode)
}

func TestReplacingADisabledFactorOpensIt(t *testing.T) {
	w := world.New(t)
	_, login := w.GiveTOTP("ada")
	codes := w.CheapBackupCodes("ada")
	w.Disable("ada", mfa.MethodTOTP, world.FiveDigits)
	login = w.Login("ada", codes[0])
	next, _ := w.GiveTOTP("ada", mfa.WithProof(login.Proof))
	w.Login("ada", next.Shows())
}

func TestWhatWasBegunWithAProofStays(t *testing.T) {
	w := world.New(t)
	_, login := w.GiveTOTP("ada")
	enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "a", mfa.WithProof(login.Proof))
	world.OK(t, err)
	w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, w.Scan(enrollment.URI).Shows())
	world.OK(t, err)
}

func TestResetTakesEveryFactor(t *testing.T) {
	w := world.New(t)
	a, login := w.GiveTOTP("ada")
	w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
	w.CheapBackupCodes("ada")
	w.Told()
	world.OK(t, w.Reset(w.Ctx, "ada"))
	w.WantTold(mfa.EventReset)
	if got := w.Enrolled("ada"); got != nil {
		t.Errorf("enrolled %v", got)
	}
	world.OK(t, w.BeginLogin(w.Ctx, "ada"))
	_, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, a.Shows())
	world.WantErr(t, err, mfa.ErrNoPendingEnrollment)
	w.GiveTOTP("ada") // from the beginning, without a proof
}

func TestDeleteUserLeavesNothing(t *testing.T) {
	w := world.New(t)
	w.GiveTOTP("ada")
	a, _ := w.GiveTOTP("bob")
	world.OK(t, w.DeleteUser(w.Ctx, "ada"))
	world.OK(t, w.DeleteUser(w.Ctx, "ada"))
	if _, err := w.Store.Load(w.Ctx, "ada"); !errors.Is(err, mfa.ErrNoRecord) {
		t.Errorf("left behind: %v", err)
	}
	world.OK(t, w.BeginLogin(w.Ctx, "ada"))
	w.Login("bob", a.Shows())
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

// TestInsecureSkipProofAsksForNoProof: the host has asked its users itself.
func TestInsecureSkipProofAsksForNoProof(t *testing.T) {
	w := world.New(t, func(c *mfa.Config) { c.InsecureSkipProof = true })
	w.GiveTOTP("ada")
	w.GiveSMS("ada", world.Phone)
	_, err := w.GenerateBackupCodes(w.Ctx, "ada")
	world.OK(t, err)
	world.OK(t, w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP))
}
