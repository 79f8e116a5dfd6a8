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

func TestLoginWithoutMFA(t *testing.T) {
	w := world.New(t)
	world.OK(t, w.BeginLogin(w.Ctx, "ada"))
	w.WantTold()
}

func TestLoginIsChallenged(t *testing.T) {
	w := world.New(t)
	a, login := w.GiveTOTP("ada")
	w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
	challenge := w.Begin("ada")
	if !strings.HasPrefix(challenge.Token, "mfa_tmp_") || challenge.Action != mfa.ActionLogin || challenge.Phone != "+23*****678" ||
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
	if login.UserID != "ada" || login.Method != mfa.MethodTOTP || login.Action != mfa.ActionLogin || !login.Time.Equal(w.Clock.Now()) ||
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

func TestAvailableMethods(t *testing.T) {
	disable := func(w *world.World, method mfa.Method, wrong func(token string) string) {
		for range 100 {
			w.Clock.Advance(16 * time.Minute)
			challenge := w.Begin("ada")
			w.VerifyLogin(w.Ctx, challenge.Token, wrong(challenge.Token))
		}
		if !w.Factor("ada", method).Disabled {
			t.Fatalf("%s is not disabled", method)
		}
	}
	all := []mfa.Method{mfa.MethodTOTP, mfa.MethodSMS, mfa.MethodBackupCode}
	setUp := func(adjust ...func(*mfa.Config)) (*world.World, []string) {
		w := world.New(t, append(adjust, func(c *mfa.Config) { c.BackupCodes.Count = 1 })...)
		_, login := w.GiveTOTP("ada")
		w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
		return w, w.GiveBackupCodes("ada", login.Proof)
	}

	w, codes := setUp()
	if got := w.Begin("ada").Methods; !slices.Equal(got, all) {
		t.Errorf("with all factors: %v", got)
	}
	w.Login("ada", codes[0])
	if got := w.Begin("ada").Methods; !slices.Equal(got, all[:2]) {
		t.Errorf("with no backup code left: %v", got)
	}
	challenge := world.Challenged(t, w.Another(func(c *mfa.Config) { c.SMS = nil }).BeginLogin(w.Ctx, "ada"))
	if !slices.Equal(challenge.Methods, all[:1]) || challenge.Phone != "" {
		t.Errorf("without a sender: %v, phone %q", challenge.Methods, challenge.Phone)
	}
	disable(w, mfa.MethodTOTP, func(string) string { return "12345" })
	if got := w.Begin("ada").Methods; !slices.Equal(got, all[1:2]) {
		t.Errorf("with a disabled app: %v", got)
	}
	world.WantErr(t, w.Another(func(c *mfa.Config) { c.SMS = nil }).BeginLogin(w.Ctx, "ada"), mfa.ErrFactorDisabled)

	w = world.New(t)
	w.GiveSMS("ada", world.Phone)
	world.WantErr(t, w.Another(func(c *mfa.Config) { c.SMS = nil }).BeginLogin(w.Ctx, "ada"), mfa.ErrMethodUnavailable)

	w = world.New(t)
	_, login := w.GiveTOTP("ada")
	w.GiveBackupCodes("ada", login.Proof)
	disable(w, mfa.MethodTOTP, func(string) string { return "12345" })
	if got := w.Begin("ada").Methods; !slices.Equal(got, all[2:]) {
		t.Errorf("with backup codes alone: %v", got)
	}
}

func TestAChallengeWorksOnce(t *testing.T) {
	w := world.New(t)
	a, login := w.GiveTOTP("ada")
	w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
	codes := w.GiveBackupCodes("ada", login.Proof)
	challenge := w.Begin("ada")
	sms := w.SentCode(challenge.Token)
	_, err := w.VerifyLogin(w.Ctx, challenge.Token, a.Shows())
	world.OK(t, err)
	w.Clock.Advance(30 * time.Second)
	w.Told()
	for _, engine := range []*mfa.Engine{w.Engine, w.Another()} {
		for _, code := range []string{a.Shows(), sms, codes[0], "000000", ""} {
			_, err := engine.VerifyLogin(w.Ctx, challenge.Token, code)
			world.WantErr(t, err, mfa.ErrInvalidToken)
		}
		_, err := engine.SendCode(w.Ctx, challenge.Token)
		world.WantErr(t, err, mfa.ErrInvalidToken)
	}
	w.WantTold()
	w.Login("ada", a.Shows()) // and none of the codes was spent
	w.Login("ada", codes[0])
}

func TestOneLoginAnswersOneChallenge(t *testing.T) {
	w := world.New(t)
	a, _ := w.GiveTOTP("ada")
	first, second := w.Begin("ada"), w.Begin("ada")
	_, err := w.VerifyLogin(w.Ctx, first.Token, a.Shows())
	world.OK(t, err)
	_, err = w.VerifyLogin(w.Ctx, second.Token, a.Shows())
	world.WantErr(t, err, mfa.ErrInvalidCode)
	w.Clock.Advance(30 * time.Second)
	_, err = w.VerifyLogin(w.Ctx, second.Token, a.Shows())
	world.OK(t, err)
}

func TestFiveWrongCodesEndAChallenge(t *testing.T) {
	w := world.New(t)
	a, _ := w.GiveTOTP("ada")
	challenge := w.Begin("ada")
	w.Told()
	for left := 4; left >= 0; left-- {
		_, err := w.VerifyLogin(w.Ctx, challenge.Token, a.Wrong())
		world.WantTries(t, err, left)
		w.WantTold(mfa.EventRefused)
	}
	w.Clock.Advance(time.Minute)
	_, err := w.VerifyLogin(w.Ctx, challenge.Token, a.Shows())
	world.WantErr(t, err, mfa.ErrInvalidToken)
	w.Login("ada", a.Shows())
}

func TestOneWrongCodeDoesNotEndAChallenge(t *testing.T) {
	w := world.New(t)
	a, login := w.GiveTOTP("ada")
	w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
	challenge := w.Begin("ada")
	sms := w.SentCode(challenge.Token)
	_, err := w.VerifyLogin(w.Ctx, challenge.Token, a.Wrong())
	world.WantErr(t, err, mfa.ErrInvalidCode)
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, sms)
	world.OK(t, err)
}

func TestAMalformedCodeCostsNothing(t *testing.T) {
	w := world.New(t)
	a, login := w.GiveTOTP("ada")
	w.GiveBackupCodes("ada", login.Proof)
	challenge := w.Begin("ada")
	w.Told()
	for _, code := range []string{"", " ", "-", "\x00", "+123456", "12.3456", "①②③④⑤⑥", "²³¹²³¹", "123456;", "?", "\u200b", "“.”", strings.Repeat("1", 65), strings.Repeat("a", 1<<20), "\xff\xff"} {
		_, err := w.VerifyLogin(w.Ctx, challenge.Token, code)
		world.WantErr(t, err, mfa.ErrInvalidCode)
	}
	w.WantTold()
	_, err := w.VerifyLogin(w.Ctx, challenge.Token, "12345") // a wrong length is a try
	world.WantTries(t, err, 4)
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, "")
	world.WantTries(t, err, 4)
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, a.Shows())
	world.OK(t, err)
}

func TestChallengeExpires(t *testing.T) {
	for _, ttl := range []time.Duration{0, time.Minute, 10 * time.Minute} {
		w := world.New(t, func(c *mfa.Config) { c.ChallengeTTL = ttl })
		if ttl == 0 {
			ttl = 5 * time.Minute
		}
		a, login := w.GiveTOTP("ada")
		codes := w.GiveBackupCodes("ada", login.Proof)
		for _, code := range []func() string{a.Shows, func() string { return codes[0] }} {
			challenge := w.Begin("ada")
			w.VerifyLogin(w.Ctx, challenge.Token, a.Wrong()) // does not extend it
			w.Clock.Advance(ttl - 1)
			_, err := w.VerifyLogin(w.Ctx, challenge.Token, code())
			world.OK(t, err)
			challenge = w.Begin("ada")
			w.Clock.Advance(ttl)
			_, err = w.VerifyLogin(w.Ctx, challenge.Token, code())
			world.WantErr(t, err, mfa.ErrInvalidToken)
		}
	}
}

func TestATokenFromTheFutureIsRefused(t *testing.T) {
	w := world.New(t)
	a, _ := w.GiveTOTP("ada")
	challenge := w.Begin("ada")
	w.Clock.Advance(-5 * time.Minute) // clocks differ
	_, err := w.VerifyLogin(w.Ctx, challenge.Token, a.Wrong())
	world.WantTries(t, err, 4)
	w.Clock.Advance(-1) // a clock that ran ahead made it
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, a.Shows())
	world.WantErr(t, err, mfa.ErrInvalidToken)
}

func TestChallengesEnd(t *testing.T) {
	for name, end := range map[string]func(w *world.World, proof string) error{
		"the password changed": func(w *world.World, _ string) error { return w.PasswordChanged(w.Ctx, "ada") },
		"the user was reset":   func(w *world.World, _ string) error { return w.Reset(w.Ctx, "ada") },
		"the user was deleted": func(w *world.World, _ string) error { return w.DeleteUser(w.Ctx, "ada") },
		"a factor was removed": func(w *world.World, proof string) error {
			return w.Unenroll(w.Ctx, "ada", mfa.MethodSMS, mfa.WithProof(proof))
		},
		"a factor was replaced": func(w *world.World, proof string) error { w.GiveTOTP("ada", mfa.WithProof(proof)); return nil },
		"a factor was imported": func(w *world.World, _ string) error { return w.ImportSMS(w.Ctx, "ada", world.Phone2) },
	} {
		t.Run(name, func(t *testing.T) {
			w := world.New(t)
			a, login := w.GiveTOTP("ada")
			w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
			codes := w.GiveBackupCodes("ada", login.Proof)
			untouched, tried := w.Begin("ada"), w.Begin("ada")
			w.VerifyLogin(w.Ctx, tried.Token, a.Wrong())
			world.OK(t, end(w, login.Proof))
			for _, challenge := range []*mfa.ChallengeError{untouched, tried} {
				for _, code := range []string{a.Shows(), codes[0]} {
					_, err := w.VerifyLogin(w.Ctx, challenge.Token, code)
					world.WantErr(t, err, mfa.ErrInvalidToken)
				}
			}
		})
	}
}

func TestBackupCodesEndNoChallenge(t *testing.T) {
	w := world.New(t)
	a, login := w.GiveTOTP("ada")
	challenge := w.Begin("ada")
	device, err := w.TrustDevice(w.Ctx, "ada", login.Proof)
	world.OK(t, err)
	w.GiveBackupCodes("ada", login.Proof)
	world.OK(t, w.Unenroll(w.Ctx, "ada", mfa.MethodBackupCode, mfa.WithProof(login.Proof)))
	world.OK(t, w.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(device.Token)))
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, a.Shows())
	world.OK(t, err)
	w.GiveBackupCodes("ada", login.Proof)
}

// TestTokenKinds: every kind of token is worthless where another is asked for.
func TestTokenKinds(t *testing.T) {
	required := false
	w := world.New(t, requiredWhen(&required))
	a, login := w.GiveTOTP("ada")
	device, err := w.TrustDevice(w.Ctx, "ada", login.Proof)
	world.OK(t, err)
	stepUp, err := w.BeginStepUp(w.Ctx, "ada", "transfer")
	world.OK(t, err)
	manage, err := w.BeginStepUp(w.Ctx, "ada", mfa.ActionManage)
	world.OK(t, err)
	required = true
	var enrollment *mfa.EnrollmentError
	if err := w.BeginLogin(w.Ctx, "bob"); !errors.As(err, &enrollment) {
		t.Fatal(err)
	}
	tokens := map[string]string{
		"login": w.Begin("ada").Token, "step-up": stepUp.Token, "manage": manage.Token,
		"enrollment": enrollment.Token, "proof": login.Proof, "device": device.Token,
	}
	uses := map[string]func(token string) error{
		"enrollment": func(token string) error { _, err := w.EnrollmentUser(w.Ctx, token); return err },
		"device": func(token string) error {
			err := w.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(token))
			if err != nil {
				world.Challenged(t, err)
			}
			return err
		},
		"proof": func(token string) error {
			_, err := w.EnrollTOTP(w.Ctx, "ada", "a", mfa.WithProof(token))
			if err != nil {
				world.Challenged(t, err)
			}
			return err
		},
		"step-up": func(token string) error {
			_, err := w.VerifyStepUp(w.Ctx, token, "transfer", a.Shows())
			return err
		},
		"manage": func(token string) error {
			_, err := w.VerifyStepUp(w.Ctx, token, mfa.ActionManage, a.Shows())
			return err
		},
		"login": func(token string) error { _, err := w.VerifyLogin(w.Ctx, token, a.Shows()); return err },
	}
	for made, token := range tokens {
		for used, use := range uses {
			if made != used {
				if err := use(token); err == nil {
					t.Errorf("a %s token serves as a %s token", made, used)
				}
			}
		}
	}
	for _, use := range []string{"enrollment", "device", "proof", "step-up", "manage", "login"} { // and each for its own use
		if err := uses[use](tokens[use]); err != nil {
			t.Errorf("%s: %v", use, err)
		}
		w.Clock.Advance(30 * time.Second)
	}
}

func TestTokensOfOtherUsersAndKeys(t *testing.T) {
	w := world.New(t)
	_, ada := w.GiveTOTP("ada")
	b, bob := w.GiveTOTP("bob")
	challenge := w.Begin("ada")
	_, err := w.VerifyLogin(w.Ctx, challenge.Token, b.Shows())
	world.WantTries(t, err, 4)
	w.Login("bob", b.Shows()) // which is not spent

	_, err = w.EnrollTOTP(w.Ctx, "ada", "a", mfa.WithProof(bob.Proof))
	world.Challenged(t, err)
	_, err = w.TrustDevice(w.Ctx, "ada", bob.Proof)
	world.WantErr(t, err, mfa.ErrInvalidToken)
	device, err := w.TrustDevice(w.Ctx, "ada", ada.Proof)
	world.OK(t, err)
	w.Begin("bob", mfa.WithTrustedDevice(device.Token))

	foreign := w.Another(func(c *mfa.Config) { c.Keys = [][]byte{world.Key(100)}; c.Store = mfa.NewMemoryStore() })
	_, err = foreign.VerifyLogin(w.Ctx, challenge.Token, "123456")
	world.WantErr(t, err, mfa.ErrInvalidToken)
}

func TestBadTokensTouchNothing(t *testing.T) {
	w := world.New(t)
	a, _ := w.GiveTOTP("ada")
	expired := w.Begin("ada")
	w.Clock.Advance(time.Hour)
	good := w.Begin("ada")
	w.Told()
	flipped := []byte(good.Token)
	flipped[40] ^= 1
	for range 10 {
		for _, token := range []string{"", "x", "mfa_tmp_", good.Token + "A", good.Token[:50], string(flipped), expired.Token, strings.Repeat("a", 1<<20), "mfa_tmp_" + strings.Repeat("A", 1016)} {
			_, err := w.VerifyLogin(w.Ctx, token, "000000")
			world.WantErr(t, err, mfa.ErrInvalidToken)
			_, err = w.VerifyStepUp(w.Ctx, token, "transfer", "000000")
			world.WantErr(t, err, mfa.ErrInvalidToken)
			_, err = w.SendCode(w.Ctx, token)
			world.WantErr(t, err, mfa.ErrInvalidToken)
			_, err = w.EnrollmentUser(w.Ctx, token)
			world.WantErr(t, err, mfa.ErrInvalidToken)
			_, err = w.TrustDevice(w.Ctx, "ada", token)
			world.WantErr(t, err, mfa.ErrInvalidToken)
		}
	}
	w.WantTold()
	_, err := w.VerifyLogin(w.Ctx, good.Token, a.Shows())
	world.OK(t, err)
}

func TestStepUp(t *testing.T) {
	w := world.New(t)
	_, err := w.BeginStepUp(w.Ctx, "ada", "transfer")
	world.WantErr(t, err, mfa.ErrNotEnrolled)
	a, _ := w.GiveTOTP("ada")
	w.Told()
	challenge, err := w.BeginStepUp(w.Ctx, "ada", "transfer")
	world.OK(t, err)
	w.WantTold(mfa.EventChallenged)
	if challenge.Action != "transfer" || !slices.Equal(challenge.Methods, []mfa.Method{mfa.MethodTOTP}) {
		t.Errorf("%+v", *challenge)
	}
	for _, action := range []string{"Transfer", "transfer ", "delete", "", mfa.ActionManage, mfa.ActionLogin, mfa.ActionEnroll} {
		_, err := w.VerifyStepUp(w.Ctx, challenge.Token, action, a.Shows())
		world.WantErr(t, err, mfa.ErrInvalidToken)
	}
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, a.Shows())
	world.WantErr(t, err, mfa.ErrInvalidToken)

	login, err := w.VerifyStepUp(w.Ctx, challenge.Token, "transfer", a.Shows())
	world.OK(t, err)
	if login.Action != "transfer" || login.Proof != "" {
		t.Errorf("%+v, proof %q", *login, login.Proof)
	}
	_, err = w.VerifyLogin(w.Ctx, w.Begin("ada").Token, a.Shows()) // the code is spent
	world.WantErr(t, err, mfa.ErrInvalidCode)

	_, err = w.VerifyStepUp(w.Ctx, w.Begin("ada").Token, mfa.ActionLogin, a.Shows())
	world.WantErr(t, err, mfa.ErrInvalidToken)
	for _, action := range []string{"", mfa.ActionLogin, mfa.ActionEnroll, strings.Repeat("a", 65), "a\n", "\x00", "a\xff"} {
		_, err := w.BeginStepUp(w.Ctx, "ada", action)
		world.WantErr(t, err, mfa.ErrInvalidInput)
	}
	for _, action := range []string{"a", strings.Repeat("a", 64), "löschen: alles|!", mfa.ActionManage} {
		w.Clock.Advance(30 * time.Second)
		challenge, err := w.BeginStepUp(w.Ctx, "ada", action)
		world.OK(t, err)
		login, err := w.VerifyStepUp(w.Ctx, challenge.Token, action, a.Shows())
		world.OK(t, err)
		if (login.Proof != "") != (action == mfa.ActionManage) {
			t.Errorf("%s: proof %q", action, login.Proof)
		}
	}
}

func TestStepUpBySMSAndBackupCode(t *testing.T) {
	w := world.New(t)
	login := w.GiveSMS("ada", world.Phone)
	codes := w.GiveBackupCodes("ada", login.Proof)
	challenge, err := w.BeginStepUp(w.Ctx, "ada", "transfer")
	world.OK(t, err)
	code := w.SentCode(challenge.Token)
	if m := w.Outbox.Messages(); m[len(m)-1].Action != "transfer" {
		t.Errorf("the message is for %q", m[len(m)-1].Action)
	}
	login, err = w.VerifyStepUp(w.Ctx, challenge.Token, "transfer", code)
	world.OK(t, err)
	if login.Method != mfa.MethodSMS || !slices.Equal(login.AMR, []string{"sms", "mfa"}) {
		t.Errorf("%+v", *login)
	}
	challenge, err = w.BeginStepUp(w.Ctx, "ada", "transfer")
	world.OK(t, err)
	login, err = w.VerifyStepUp(w.Ctx, challenge.Token, "transfer", codes[0])
	world.OK(t, err)
	if login.Method != mfa.MethodBackupCode || login.BackupCodesLeft != 1 || !slices.Equal(login.AMR, []string{"mfa"}) {
		t.Errorf("%+v", *login)
	}
}

func TestTrustedDevice(t *testing.T) {
	w := world.New(t)
	a, login := w.GiveTOTP("ada")
	w.Told()
	device, err := w.TrustDevice(w.Ctx, "ada", login.Proof)
	world.OK(t, err)
	if !strings.HasPrefix(device.Token, "mfa_dev_") || !device.ExpiresAt.Equal(w.Clock.Now().Add(30*24*time.Hour)) {
		t.Errorf("%+v", *device)
	}
	w.WantTold(mfa.EventDeviceTrusted)
	world.OK(t, w.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(device.Token)))
	w.WantTold(mfa.EventDeviceAccepted)
	w.Begin("ada")
	w.Begin("ada", mfa.WithTrustedDevice(""))
	w.Begin("ada", mfa.WithTrustedDevice(device.Token+"A"))
	w.Begin("ada", nil)

	w.Clock.Advance(30*24*time.Hour - time.Minute - 1)
	w.Login("ada", a.Shows())
	w.Clock.Advance(time.Minute)
	world.OK(t, w.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(device.Token)))
	w.Clock.Advance(1)
	w.Begin("ada", mfa.WithTrustedDevice(device.Token))
}

func TestTrustEnds(t *testing.T) {
	for name, end := range map[string]func(w *world.World, proof string) error{
		"forgotten":            func(w *world.World, _ string) error { return w.ForgetDevices(w.Ctx, "ada") },
		"the password changed": func(w *world.World, _ string) error { return w.PasswordChanged(w.Ctx, "ada") },
		"a factor was added": func(w *world.World, proof string) error {
			w.GiveSMS("ada", world.Phone, mfa.WithProof(proof))
			return nil
		},
		"a factor was replaced": func(w *world.World, proof string) error { w.GiveTOTP("ada", mfa.WithProof(proof)); return nil },
		"a factor was imported": func(w *world.World, _ string) error { return w.ImportSMS(w.Ctx, "ada", world.Phone) },
		"MFA was removed and set up again": func(w *world.World, proof string) error {
			world.OK(t, w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP, mfa.WithProof(proof)))
			w.GiveTOTP("ada")
			return nil
		},
		"the user was reset": func(w *world.World, _ string) error {
			world.OK(t, w.Reset(w.Ctx, "ada"))
			w.GiveTOTP("ada")
			return nil
		},
	} {
		w := world.New(t)
		_, login := w.GiveTOTP("ada")
		device, err := w.TrustDevice(w.Ctx, "ada", login.Proof)
		world.OK(t, err)
		world.OK(t, w.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(device.Token)))
		world.OK(t, end(w, login.Proof))
		if err := w.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(device.Token)); err == nil {
			t.Errorf("%s: still trusted", name)
		}
	}
}

// TestATrustedDeviceIsNoFactor: it opens nothing for a user who has none, and
// stays out of the way of policy.
func TestATrustedDeviceIsNoFactor(t *testing.T) {
	required := false
	w := world.New(t, requiredWhen(&required))
	_, login := w.GiveTOTP("ada")
	device, err := w.TrustDevice(w.Ctx, "ada", login.Proof)
	world.OK(t, err)
	world.OK(t, w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP, mfa.WithProof(login.Proof)))
	required = true
	var enrollment *mfa.EnrollmentError
	if err := w.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(device.Token)); !errors.As(err, &enrollment) {
		t.Errorf("got %v, want an EnrollmentError", err)
	}
	_, err = w.TrustDevice(w.Ctx, "ada", login.Proof)
	world.WantErr(t, err, mfa.ErrInvalidToken)
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
	for range 3 { // forgets what has expired
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

func TestManyChallengesAreBounded(t *testing.T) {
	w := world.New(t)
	a, _ := w.GiveTOTP("ada")
	for range 200 {
		challenge := w.Begin("ada")
		w.VerifyLogin(w.Ctx, challenge.Token, a.Wrong())
		world.OK(t, w.Unlock(w.Ctx, "ada"))
		w.Clock.Advance(time.Second)
		record, err := w.Store.Load(w.Ctx, "ada")
		world.OK(t, err)
		if len(record.Data) >= 2<<10 {
			t.Fatalf("a record of %d bytes", len(record.Data))
		}
	}
	w.Clock.Advance(time.Minute)
	w.Login("ada", a.Shows())
}
