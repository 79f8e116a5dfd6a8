package mfa_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

func TestAUserWithoutFactorsIsNotChallenged(t *testing.T) {
	w := world.New(t)
	world.OK(t, w.BeginLogin(w.Ctx, "ada"))
	w.WantEvents(mfa.EventPassed)
}

func TestAUserWithFactorsIsChallenged(t *testing.T) {
	w := world.New(t)
	a, login := w.GiveTOTP("ada")
	w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
	challenge := w.Begin("ada")
	if !strings.HasPrefix(challenge.Token, "mfa_tmp_") || challenge.Action != mfa.ActionLogin ||
		len(challenge.Factors) != 2 || challenge.Factors[1].Phone != "+23*****678" || !strings.HasPrefix(challenge.Factors[1].ID, "fac_") ||
		!slices.Equal(challenge.Methods, []mfa.Method{mfa.MethodTOTP, mfa.MethodSMS}) || !challenge.ExpiresAt.Equal(w.Clock.Now().Add(5*time.Minute)) {
		t.Errorf("%+v", challenge.Challenge)
	}
	body := fmt.Sprintf(`{"mfa_required":true,"mfa_token":"%s","available_methods":["totp","sms"]}`, challenge.Token)
	for _, v := range []any{challenge, *challenge, challenge.Challenge, &challenge.Challenge} {
		if got := world.JSON(t, v); got != body {
			t.Errorf("%T is %s, want %s", v, got, body)
		}
	}
	login, err := w.VerifyLogin(w.Ctx, challenge.Token, a.Shows())
	world.OK(t, err)
	if login.UserID != "ada" || login.Method != mfa.MethodTOTP || login.FactorID != challenge.Factors[0].ID || login.Action != mfa.ActionLogin || !login.Time.Equal(w.Clock.Now()) ||
		!slices.Equal(login.AMR, []string{"otp", "mfa"}) || login.BackupCodesLeft != 0 || !strings.HasPrefix(login.Proof, "mfa_prf_") {
		t.Errorf("%+v", *login)
	}
	if f := w.Factor("ada", mfa.MethodTOTP); !f.LastUsedAt.Equal(w.Clock.Now()) {
		t.Errorf("last used at %v", f.LastUsedAt)
	}
	if f := w.Factor("ada", mfa.MethodSMS); !f.LastUsedAt.IsZero() {
		t.Errorf("sms last used at %v", f.LastUsedAt)
	}
}

func TestRequiredMFALeadsToEnrollment(t *testing.T) {
	required := false
	w := world.New(t, world.RequiredWhen(&required))
	world.OK(t, w.BeginLogin(w.Ctx, "ada"))
	required = true // the policy changes at run time
	enrollment := w.MustEnroll("ada")
	if !strings.HasPrefix(enrollment.Token, "mfa_enr_") || !slices.Equal(enrollment.Methods, []mfa.Method{mfa.MethodTOTP, mfa.MethodSMS}) ||
		!enrollment.ExpiresAt.Equal(w.Clock.Now().Add(15*time.Minute)) {
		t.Errorf("%+v", *enrollment)
	}
	body := fmt.Sprintf(`{"mfa_enrollment_required":true,"mfa_token":"%s","available_methods":["totp","sms"]}`, enrollment.Token)
	if got := world.JSON(t, enrollment); got != body || world.JSON(t, *enrollment) != body {
		t.Errorf("JSON %s, want %s", got, body)
	}
	if !w.StatusOf("ada").Required {
		t.Error("Status does not show that MFA is required")
	}

	// The token is all that enrollment requires, and enrollment completes the login.
	user, err := w.EnrollmentUser(w.Ctx, enrollment.Token)
	world.OK(t, err)
	if user != "ada" {
		t.Errorf("user %q", user)
	}
	totp, err := w.EnrollTOTP(w.Ctx, user, "a")
	world.OK(t, err)
	if user, err := w.EnrollmentUser(w.Ctx, enrollment.Token); err != nil || user != "ada" {
		t.Errorf("while one is pending: %q, %v", user, err)
	}
	w.MustEnroll("ada") // a pending factor does not count
	login, err := w.VerifyEnrollment(w.Ctx, user, mfa.MethodTOTP, w.Scan(totp.URI).Shows())
	world.OK(t, err)
	if login.UserID != "ada" || login.Proof == "" {
		t.Errorf("%+v", *login)
	}

	_, err = w.EnrollmentUser(w.Ctx, enrollment.Token)
	world.WantErr(t, err, mfa.ErrInvalidToken)
	w.Begin("ada")
}

func TestEnrollmentWithoutASenderOffersAppsAlone(t *testing.T) {
	required := true
	w := world.New(t, world.RequiredWhen(&required), func(c *mfa.Config) { c.SMS = nil })
	if got := w.MustEnroll("ada").Methods; !slices.Equal(got, []mfa.Method{mfa.MethodTOTP}) {
		t.Errorf("%v", got)
	}
}

func TestAStepUpProvesOneAction(t *testing.T) {
	w := world.New(t)
	_, err := w.BeginStepUp(w.Ctx, "ada", "transfer")
	world.WantErr(t, err, mfa.ErrNotEnrolled)
	a, _ := w.GiveTOTP("ada")
	w.NewEvents()
	challenge, err := w.BeginStepUp(w.Ctx, "ada", "transfer")
	world.OK(t, err)
	w.WantEvents(mfa.EventChallenged)
	if challenge.Action != "transfer" || !slices.Equal(challenge.Methods, []mfa.Method{mfa.MethodTOTP}) {
		t.Errorf("%+v", *challenge)
	}
	for _, action := range []string{"Transfer", "transfer ", "delete", "", mfa.ActionManage, mfa.ActionLogin, mfa.ActionEnroll} {
		_, err := w.VerifyStepUp(w.Ctx, "ada", challenge.Token, action, a.Shows())
		world.WantErr(t, err, mfa.ErrInvalidToken)
	}
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, a.Shows())
	world.WantErr(t, err, mfa.ErrInvalidToken)

	login, err := w.VerifyStepUp(w.Ctx, "ada", challenge.Token, "transfer", a.Shows())
	world.OK(t, err)
	if login.Action != "transfer" || login.Proof != "" {
		t.Errorf("%+v, proof %q", *login, login.Proof)
	}
	_, err = w.VerifyLogin(w.Ctx, w.Begin("ada").Token, a.Shows()) // the code is spent
	world.WantErr(t, err, mfa.ErrInvalidCode)

	_, err = w.VerifyStepUp(w.Ctx, "ada", w.Begin("ada").Token, mfa.ActionLogin, a.Shows())
	world.WantErr(t, err, mfa.ErrInvalidToken)
	for _, action := range []string{"", mfa.ActionLogin, mfa.ActionEnroll, strings.Repeat("a", 65), "a\n", "\x00", "a\xff"} {
		_, err := w.BeginStepUp(w.Ctx, "ada", action)
		world.WantErr(t, err, mfa.ErrInvalidInput)
	}
	for _, action := range []string{"a", strings.Repeat("a", 64), "löschen: alles|!", mfa.ActionManage} {
		w.Clock.Advance(30 * time.Second)
		challenge, err := w.BeginStepUp(w.Ctx, "ada", action)
		world.OK(t, err)
		login, err := w.VerifyStepUp(w.Ctx, "ada", challenge.Token, action, a.Shows())
		world.OK(t, err)
		if (login.Proof != "") != (action == mfa.ActionManage) {
			t.Errorf("%s: proof %q", action, login.Proof)
		}
	}
}

func TestAStepUpTakesEveryMethod(t *testing.T) {
	w := world.New(t, world.BackupCodes(2))
	w.GiveSMS("ada", world.Phone)
	codes := w.CheapBackupCodes("ada")
	challenge, err := w.BeginStepUp(w.Ctx, "ada", "transfer")
	world.OK(t, err)
	code := w.SentCode(challenge.Token)
	if m := w.Outbox.Messages(); m[len(m)-1].Action != "transfer" {
		t.Errorf("the message is for %q", m[len(m)-1].Action)
	}
	login, err := w.VerifyStepUp(w.Ctx, "ada", challenge.Token, "transfer", code)
	world.OK(t, err)
	if login.Method != mfa.MethodSMS || !slices.Equal(login.AMR, []string{"sms", "mfa"}) {
		t.Errorf("%+v", *login)
	}
	challenge, err = w.BeginStepUp(w.Ctx, "ada", "transfer")
	world.OK(t, err)
	login, err = w.VerifyStepUp(w.Ctx, "ada", challenge.Token, "transfer", codes[0])
	world.OK(t, err)
	if login.Method != mfa.MethodBackupCode || login.BackupCodesLeft != 1 || !slices.Equal(login.AMR, []string{"mfa"}) {
		t.Errorf("%+v", *login)
	}
}

// TestExpectEnrolledRefusesAUserWithoutAFactor: the cause may be a deleted row, a
// stale replica or another spelling of the user ID.
func TestExpectEnrolledRefusesAUserWithoutAFactor(t *testing.T) {
	required := false
	w := world.New(t, world.RequiredWhen(&required))
	w.GiveTOTP("ada")
	world.Challenged(t, w.BeginLogin(w.Ctx, "ada", mfa.ExpectEnrolled()))
	world.WantErr(t, w.BeginLogin(w.Ctx, "Ada", mfa.ExpectEnrolled()), mfa.ErrNotEnrolled)
	world.OK(t, w.DeleteUser(w.Ctx, "ada"))
	for _, required = range []bool{false, true} {
		world.WantErr(t, w.BeginLogin(w.Ctx, "ada", mfa.ExpectEnrolled()), mfa.ErrNotEnrolled)
	}
}

// TestAStepUpIsBoundToItsUser: a host that takes the token from a form must not
// act for the user of its session on the strength of another user's app.
func TestAStepUpIsBoundToItsUser(t *testing.T) {
	w := world.New(t)
	thief, _ := w.GiveTOTP("mallory")
	w.GiveTOTP("ada")
	challenge, err := w.BeginStepUp(w.Ctx, "mallory", "transfer")
	world.OK(t, err)
	w.NewEvents()
	_, err = w.VerifyStepUp(w.Ctx, "ada", challenge.Token, "transfer", thief.Shows())
	world.WantErr(t, err, mfa.ErrInvalidToken)
	if event := w.LastEvent(); event.Type != mfa.EventTokenRefused || event.UserID != "mallory" || event.ChallengeID == "" {
		t.Errorf("%v", event)
	}
	_, err = w.VerifyStepUp(w.Ctx, "", challenge.Token, "transfer", thief.Shows())
	world.WantErr(t, err, mfa.ErrInvalidUser)
	_, err = w.VerifyStepUp(w.Ctx, "mallory", challenge.Token, "transfer", thief.Shows())
	world.OK(t, err)
}

// TestALoweredTTLBindsOldTokens: it applies to tokens of every kind.
func TestALoweredTTLBindsOldTokens(t *testing.T) {
	required := true
	w := world.New(t, world.RequiredWhen(&required))
	enrollment := w.MustEnroll("bob")
	a, login := w.GiveTOTP("ada")
	challenge := w.Begin("ada")
	device, err := w.TrustDevice(w.Ctx, "ada", login.Proof, "")
	world.OK(t, err)
	lowered := w.Another(func(c *mfa.Config) {
		c.ChallengeTTL, c.EnrollmentTTL, c.ProofTTL, c.TrustedDeviceTTL = 2*time.Minute, 2*time.Minute, 2*time.Minute, 2*time.Minute
	})
	for _, alive := range []bool{true, false} {
		want := error(nil)
		if !alive {
			want = mfa.ErrInvalidToken
		}
		_, err := lowered.SendCode(w.Ctx, challenge.Token)
		if want == nil {
			want = mfa.ErrMethodUnavailable // she has no phone
		}
		world.WantErr(t, err, want)
		_, err = lowered.EnrollmentUser(w.Ctx, enrollment.Token)
		if (err == nil) != alive {
			t.Errorf("enrollment token, want valid %v: %v", alive, err)
		}
		_, err = lowered.EnrollTOTP(w.Ctx, "ada", "a", mfa.WithProof(login.Proof))
		if (err == nil) != alive {
			t.Errorf("proof, want valid %v: %v", alive, err)
		}
		if err := lowered.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(device.Token)); (err == nil) != alive {
			t.Errorf("device token, want valid %v: %v", alive, err)
		}
		w.Clock.Advance(2 * time.Minute)
	}
	w.Login("ada", a.Shows())
}
