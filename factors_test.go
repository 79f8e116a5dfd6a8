package mfa_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
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
	var ids []any
	for _, f := range w.StatusOf("ada").Factors[:2] {
		ids = append(ids, f.ID)
	}
	want := fmt.Sprintf(`{"factors":[`+
		`{"id":"%s","method":"totp","enrolled_at":"2030-01-01T00:00:10Z","last_used_at":"2030-01-01T00:02:11Z","disabled":false,"retry_at":"2030-01-01T00:02:12Z"},`+
		`{"id":"%s","method":"sms","phone":"+23*****678","enrolled_at":"2030-01-01T00:01:10Z","disabled":false},`+
		`{"method":"backup_code","enrolled_at":"2030-01-01T00:02:10Z","disabled":false}],`+
		`"backup_codes_left":1,"required":false}`, ids...)
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
	w.NewEvents()
	world.OK(t, w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP, mfa.WithProof(login.Proof)))
	w.WantEvents(mfa.EventUnenrolled)
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

	// With a new factor the old backup codes stay invalid.
	w.GiveTOTP("ada")
	_, err = w.VerifyLogin(w.Ctx, w.Begin("ada").Token, codes[1])
	world.WantErr(t, err, mfa.ErrInvalidCode)
}

func TestReplacingADisabledFactorOpensIt(t *testing.T) {
	w := world.New(t)
	w.GiveTOTP("ada")
	codes := w.CheapBackupCodes("ada")
	w.Disable("ada", mfa.MethodTOTP, world.FiveDigits)
	login := w.Login("ada", codes[0])
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
	w.NewEvents()
	world.OK(t, w.Reset(w.Ctx, "ada"))
	w.WantEvents(mfa.EventReset)
	if got := w.Enrolled("ada"); got != nil {
		t.Errorf("enrolled %v", got)
	}
	world.OK(t, w.BeginLogin(w.Ctx, "ada"))
	_, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, a.Shows())
	world.WantErr(t, err, mfa.ErrNoPendingEnrollment)
	w.GiveTOTP("ada") // like a new user, without a proof
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
	_, err = w.VerifyLogin(w.Ctx, w.Begin("ada").Token, before) // this code was really used
	world.WantErr(t, err, mfa.ErrInvalidCode)
	w.Login("ada", a.Shows())
}

// TestUnlockAfterAClockRanAhead: a clock that was a year ahead for a moment does not
// stop messages or logins for a year.
func TestUnlockAfterAClockRanAhead(t *testing.T) {
	w := world.New(t)
	world.OK(t, w.ImportSMS(w.Ctx, "ada", world.Phone))
	w.Clock.Advance(365 * 24 * time.Hour)
	used := w.Begin("ada")
	w.AnswerBySMS(used)
	w.Clock.Advance(10 * time.Minute)
	w.AnswerBySMS(w.Begin("ada")) // the record forgets the other challenge
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

// TestInsecureSkipProofAsksForNoProof: the host verifies its users itself.
func TestInsecureSkipProofAsksForNoProof(t *testing.T) {
	w := world.New(t, func(c *mfa.Config) { c.InsecureSkipProof = true })
	w.GiveTOTP("ada")
	w.GiveSMS("ada", world.Phone)
	_, err := w.GenerateBackupCodes(w.Ctx, "ada")
	world.OK(t, err)
	world.OK(t, w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP))
}

func TestSeveralAppsAndPhonesStandBesideEachOther(t *testing.T) {
	w := world.New(t)
	phone, login := w.GiveTOTP("ada", mfa.WithLabel("phone"))
	tablet, login := w.GiveTOTP("ada", mfa.WithProof(login.Proof), mfa.KeepOthers(), mfa.WithLabel("tablet"))
	w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof), mfa.KeepOthers())
	w.GiveSMS("ada", world.Phone2, mfa.WithProof(login.Proof), mfa.KeepOthers())
	challenge := w.Begin("ada")
	if len(challenge.Factors) != 4 || !slices.Equal(challenge.Methods, []mfa.Method{mfa.MethodTOTP, mfa.MethodSMS}) || challenge.Factors[1].Label != "tablet" {
		t.Errorf("%+v", challenge.Challenge)
	}
	for i, app := range []world.App{phone, tablet} {
		login, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, app.Shows())
		world.OK(t, err)
		if login.FactorID != challenge.Factors[i].ID {
			t.Errorf("a code from app %d logged in by factor %s", i, login.FactorID)
		}
	}
	_, err := w.VerifyLogin(w.Ctx, challenge.Token, "12345")
	world.WantTries(t, err, 4) // charged once
	if failures := w.Decoded("ada").Lanes.TOTP.Consecutive; failures != 1 {
		t.Errorf("charged %d times, want once", failures)
	}
}

func TestACodeGoesToThePhoneLastUsedUnlessOneIsNamed(t *testing.T) {
	w := world.New(t)
	login := w.GiveSMS("ada", world.Phone)
	w.GiveSMS("ada", world.Phone2, mfa.WithProof(login.Proof), mfa.KeepOthers())
	challenge := w.Begin("ada")
	first, last := challenge.Factors[0], challenge.Factors[1]
	for _, test := range []struct {
		opts []mfa.SendOption
		to   string
	}{{nil, last.Phone}, {[]mfa.SendOption{mfa.ToFactor(first.ID)}, first.Phone}} {
		delivery, err := w.SendCode(w.Ctx, challenge.Token, test.opts...)
		world.OK(t, err)
		if delivery.Phone != test.to {
			t.Errorf("to %s, want %s", delivery.Phone, test.to)
		}
		w.Clock.Advance(30 * time.Second)
	}
	messages := w.Outbox.Messages()
	login, err := w.VerifyLogin(w.Ctx, challenge.Token, messages[len(messages)-1].Code)
	world.OK(t, err)
	if login.FactorID != first.ID {
		t.Errorf("proved %s, want %s", login.FactorID, first.ID)
	}
	if delivery, err := w.SendCode(w.Ctx, w.Begin("ada").Token); err != nil || delivery.Phone != first.Phone {
		t.Errorf("%+v, %v", delivery, err) // now the one last used
	}
	_, err = w.SendCode(w.Ctx, w.Begin("ada").Token, mfa.ToFactor(""))
	world.WantErr(t, err, mfa.ErrNotEnrolled)
}

func TestThereIsALimitOfFactors(t *testing.T) {
	w := world.New(t)
	_, login := w.GiveTOTP("ada")
	for range 4 {
		w.GiveTOTP("ada", mfa.WithProof(login.Proof), mfa.KeepOthers())
	}
	_, err := w.EnrollTOTP(w.Ctx, "ada", "a", mfa.WithProof(login.Proof), mfa.KeepOthers())
	world.WantErr(t, err, mfa.ErrInvalidInput)
	for _, phone := range []string{"+14155552671", "+14155552672", "+14155552673"} {
		w.GiveSMS("ada", phone, mfa.WithProof(login.Proof), mfa.KeepOthers())
	}
	_, err = w.EnrollSMS(w.Ctx, "ada", "+14155552674", mfa.WithProof(login.Proof), mfa.KeepOthers())
	world.WantErr(t, err, mfa.ErrInvalidInput)
	w.GiveTOTP("ada", mfa.WithProof(login.Proof)) // replaces all five
	if n := len(w.StatusOf("ada").Factors); n != 4 {
		t.Errorf("%d factors", n)
	}
}

func TestOnlyFactorNamesOneAlone(t *testing.T) {
	w := world.New(t)
	one, login := w.GiveTOTP("ada")
	_, login = w.GiveTOTP("ada", mfa.WithProof(login.Proof), mfa.KeepOthers())
	w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
	ids := w.StatusOf("ada").Factors
	proof := mfa.WithProof(login.Proof)
	for name, err := range map[string]error{
		"unknown":            w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP, mfa.OnlyFactor("fac_0000000000000000"), proof),
		"empty":              w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP, mfa.OnlyFactor(""), proof),
		"of another method":  w.Unenroll(w.Ctx, "ada", mfa.MethodSMS, mfa.OnlyFactor(ids[0].ID), proof),
		"revoked, empty":     w.Revoke(w.Ctx, "ada", mfa.MethodTOTP, mfa.OnlyFactor("")),
		"backup codes":       w.Unenroll(w.Ctx, "ada", mfa.MethodBackupCode, mfa.OnlyFactor(""), proof),
		"renamed, unknown":   w.Rename(w.Ctx, "ada", "fac_0000000000000000", "x"),
		"in place of no app": enrollError(w, mfa.OnlyFactor("fac_0000000000000000"), proof),
	} {
		if !errors.Is(err, mfa.ErrNotEnrolled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	world.WantErr(t, enrollError(w, mfa.OnlyFactor(ids[0].ID), mfa.KeepOthers(), proof), mfa.ErrInvalidInput)
	third, login := w.GiveTOTP("ada", mfa.OnlyFactor(ids[1].ID), proof)
	w.Login("ada", one.Shows())
	w.Login("ada", third.Shows())
	w.NewEvents()
	world.OK(t, w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP, mfa.OnlyFactor(ids[0].ID), mfa.WithProof(login.Proof)))
	if event := w.LastEvent(); event.Type != mfa.EventUnenrolled || event.FactorID != ids[0].ID {
		t.Errorf("%v", event)
	}
	if got := w.Enrolled("ada"); !slices.Equal(got, []mfa.Method{mfa.MethodTOTP, mfa.MethodSMS}) {
		t.Errorf("left %v", got)
	}
}

func enrollError(w *world.World, opts ...mfa.ChangeOption) error {
	_, err := w.EnrollTOTP(w.Ctx, "ada", "a", opts...)
	return err
}

func TestAFactorIsRenamed(t *testing.T) {
	w := world.New(t)
	_, login := w.GiveTOTP("ada", mfa.WithLabel("phone"))
	world.OK(t, w.Rename(w.Ctx, "ada", login.FactorID, "old phone"))
	if label := w.Factor("ada", mfa.MethodTOTP).Label; label != "old phone" {
		t.Errorf("%q", label)
	}
	world.OK(t, w.Rename(w.Ctx, "ada", login.FactorID, ""))
	for _, label := range []string{strings.Repeat("x", 65), "a\nb", "\x00", "\xff"} {
		world.WantErr(t, w.Rename(w.Ctx, "ada", login.FactorID, label), mfa.ErrInvalidInput)
		world.WantErr(t, enrollError(w, mfa.WithLabel(label)), mfa.ErrInvalidInput)
		_, err := w.TrustDevice(w.Ctx, "ada", login.Proof, label)
		world.WantErr(t, err, mfa.ErrInvalidInput)
	}
}

func TestUsersRemoveALostFactorBesideOthersWhileMFAIsRequired(t *testing.T) {
	required := true
	w := world.New(t, world.RequiredWhen(&required))
	_, login := w.GiveTOTP("ada")
	proved := w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
	fresh := mfa.WithProof(proved.Proof)
	world.WantErr(t, w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP, fresh), mfa.ErrEnforced)
	var challenge *mfa.ChallengeError
	if err := w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP, mfa.Lost()); !errors.As(err, &challenge) {
		t.Errorf("without a proof: %v", err)
	}
	world.OK(t, w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP, mfa.Lost(), fresh))
	if event := w.LastEvent(); event.Type != mfa.EventRevoked || event.FactorID != login.FactorID {
		t.Errorf("%v", event)
	}
	world.WantErr(t, w.Unenroll(w.Ctx, "ada", mfa.MethodSMS, mfa.Lost(), fresh), mfa.ErrEnforced)
}

func TestALostPhoneIsRevokedWhileMFAIsRequired(t *testing.T) {
	required := true
	w := world.New(t, world.RequiredWhen(&required))
	_, login := w.GiveTOTP("ada")
	w.CheapBackupCodes("ada")
	world.WantErr(t, w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP, mfa.WithProof(login.Proof)), mfa.ErrEnforced)
	if event := w.LastEvent(); event.Type != mfa.EventEnforced || event.Method != mfa.MethodTOTP {
		t.Errorf("%v", event)
	}
	world.OK(t, w.Unenroll(w.Ctx, "ada", mfa.MethodBackupCode, mfa.WithProof(login.Proof))) // this does not remove MFA
	world.WantErr(t, w.Revoke(w.Ctx, "ada", mfa.MethodSMS), mfa.ErrNotEnrolled)
	world.OK(t, w.Revoke(w.Ctx, "ada", mfa.MethodTOTP))
	if event := w.LastEvent(); event.Type != mfa.EventRevoked || event.FactorID != login.FactorID {
		t.Errorf("%v", event)
	}
	w.MustEnroll("ada")
}
