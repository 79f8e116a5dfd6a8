package mfa_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
)

func TestLoginWithoutMFA(t *testing.T) {
	w := newWorld(t)
	ok(t, w.BeginLogin(w.ctx, "ada"))
	w.wantTold()
}

func TestLoginIsChallenged(t *testing.T) {
	w := newWorld(t)
	a, login := w.enrollTOTP("ada")
	w.enrollSMS("ada", phone, mfa.WithProof(login.Proof))
	challenge := w.begin("ada")
	if !strings.HasPrefix(challenge.Token, "mfa_tmp_") || challenge.Action != mfa.ActionLogin || challenge.Phone != "+23*****678" ||
		!slices.Equal(challenge.Methods, []mfa.Method{mfa.MethodTOTP, mfa.MethodSMS}) || !challenge.ExpiresAt.Equal(w.clock.Now().Add(5*time.Minute)) {
		t.Errorf("%+v", challenge.Challenge)
	}
	body := fmt.Sprintf(`{"mfa_required":true,"mfa_token":"%s","available_methods":["totp","sms"]}`, challenge.Token)
	for _, v := range []any{challenge, *challenge, challenge.Challenge, &challenge.Challenge} {
		if got := marshal(t, v); got != body {
			t.Errorf("%T is %s, want %s", v, got, body)
		}
	}
	login, err := w.VerifyLogin(w.ctx, challenge.Token, a.code())
	ok(t, err)
	if login.UserID != "ada" || login.Method != mfa.MethodTOTP || login.Action != mfa.ActionLogin || !login.Time.Equal(w.clock.Now()) ||
		!slices.Equal(login.AMR, []string{"otp", "mfa"}) || login.BackupCodesLeft != 0 || !strings.HasPrefix(login.Proof, "mfa_prf_") {
		t.Errorf("%+v", *login)
	}
	if f := w.factor("ada", mfa.MethodTOTP); !f.LastUsedAt.Equal(w.clock.Now()) {
		t.Errorf("last used at %v", f.LastUsedAt)
	}
	if f := w.factor("ada", mfa.MethodSMS); !f.LastUsedAt.IsZero() {
		t.Errorf("sms last used at %v", f.LastUsedAt)
	}
}

func TestAvailableMethods(t *testing.T) {
	disable := func(w *world, method mfa.Method, wrong func(token string) string) {
		for range 100 {
			w.clock.Advance(16 * time.Minute)
			challenge := w.begin("ada")
			w.VerifyLogin(w.ctx, challenge.Token, wrong(challenge.Token))
		}
		if !w.factor("ada", method).Disabled {
			t.Fatalf("%s is not disabled", method)
		}
	}
	all := []mfa.Method{mfa.MethodTOTP, mfa.MethodSMS, mfa.MethodBackupCode}
	setUp := func(adjust ...func(*mfa.Config)) (*world, []string) {
		w := newWorld(t, append(adjust, func(c *mfa.Config) { c.BackupCodes.Count = 1 })...)
		_, login := w.enrollTOTP("ada")
		w.enrollSMS("ada", phone, mfa.WithProof(login.Proof))
		return w, w.backupCodes("ada", login.Proof)
	}

	w, codes := setUp()
	if got := w.begin("ada").Methods; !slices.Equal(got, all) {
		t.Errorf("with all factors: %v", got)
	}
	w.login("ada", codes[0])
	if got := w.begin("ada").Methods; !slices.Equal(got, all[:2]) {
		t.Errorf("with no backup code left: %v", got)
	}
	challenge := challenged(t, w.another(func(c *mfa.Config) { c.SMS = nil }).BeginLogin(w.ctx, "ada"))
	if !slices.Equal(challenge.Methods, all[:1]) || challenge.Phone != "" {
		t.Errorf("without a sender: %v, phone %q", challenge.Methods, challenge.Phone)
	}
	disable(w, mfa.MethodTOTP, func(string) string { return "12345" })
	if got := w.begin("ada").Methods; !slices.Equal(got, all[1:2]) {
		t.Errorf("with a disabled app: %v", got)
	}
	wantErr(t, w.another(func(c *mfa.Config) { c.SMS = nil }).BeginLogin(w.ctx, "ada"), mfa.ErrFactorDisabled)

	w = newWorld(t)
	w.enrollSMS("ada", phone)
	wantErr(t, w.another(func(c *mfa.Config) { c.SMS = nil }).BeginLogin(w.ctx, "ada"), mfa.ErrMethodUnavailable)

	w = newWorld(t)
	_, login := w.enrollTOTP("ada")
	w.backupCodes("ada", login.Proof)
	disable(w, mfa.MethodTOTP, func(string) string { return "12345" })
	if got := w.begin("ada").Methods; !slices.Equal(got, all[2:]) {
		t.Errorf("with backup codes alone: %v", got)
	}
}

func TestAChallengeWorksOnce(t *testing.T) {
	w := newWorld(t)
	a, login := w.enrollTOTP("ada")
	w.enrollSMS("ada", phone, mfa.WithProof(login.Proof))
	codes := w.backupCodes("ada", login.Proof)
	challenge := w.begin("ada")
	sms := w.sendCode(challenge.Token)
	_, err := w.VerifyLogin(w.ctx, challenge.Token, a.code())
	ok(t, err)
	w.clock.Advance(30 * time.Second)
	w.told()
	for _, engine := range []*mfa.Engine{w.Engine, w.another()} {
		for _, code := range []string{a.code(), sms, codes[0], "000000", ""} {
			_, err := engine.VerifyLogin(w.ctx, challenge.Token, code)
			wantErr(t, err, mfa.ErrInvalidToken)
		}
		_, err := engine.SendCode(w.ctx, challenge.Token)
		wantErr(t, err, mfa.ErrInvalidToken)
	}
	w.wantTold()
	w.login("ada", a.code()) // and none of the codes was spent
	w.login("ada", codes[0])
}

func TestOneLoginAnswersOneChallenge(t *testing.T) {
	w := newWorld(t)
	a, _ := w.enrollTOTP("ada")
	first, second := w.begin("ada"), w.begin("ada")
	_, err := w.VerifyLogin(w.ctx, first.Token, a.code())
	ok(t, err)
	_, err = w.VerifyLogin(w.ctx, second.Token, a.code())
	wantErr(t, err, mfa.ErrInvalidCode)
	w.clock.Advance(30 * time.Second)
	_, err = w.VerifyLogin(w.ctx, second.Token, a.code())
	ok(t, err)
}

func TestFiveWrongCodesEndAChallenge(t *testing.T) {
	w := newWorld(t)
	a, _ := w.enrollTOTP("ada")
	challenge := w.begin("ada")
	w.told()
	for left := 4; left >= 0; left-- {
		_, err := w.VerifyLogin(w.ctx, challenge.Token, a.wrong())
		wantTries(t, err, left)
		w.wantTold(mfa.EventRefused)
	}
	w.clock.Advance(time.Minute)
	_, err := w.VerifyLogin(w.ctx, challenge.Token, a.code())
	wantErr(t, err, mfa.ErrInvalidToken)
	w.login("ada", a.code())
}

func TestOneWrongCodeDoesNotEndAChallenge(t *testing.T) {
	w := newWorld(t)
	a, login := w.enrollTOTP("ada")
	w.enrollSMS("ada", phone, mfa.WithProof(login.Proof))
	challenge := w.begin("ada")
	sms := w.sendCode(challenge.Token)
	_, err := w.VerifyLogin(w.ctx, challenge.Token, a.wrong())
	wantErr(t, err, mfa.ErrInvalidCode)
	_, err = w.VerifyLogin(w.ctx, challenge.Token, sms)
	ok(t, err)
}

func TestAMalformedCodeCostsNothing(t *testing.T) {
	w := newWorld(t)
	a, login := w.enrollTOTP("ada")
	w.backupCodes("ada", login.Proof)
	challenge := w.begin("ada")
	w.told()
	for _, code := range []string{"", " ", "-", "\x00", "+123456", "12.3456", "１２３４５６", "٠١٢٣٤٥", "\u200b123456", "?", strings.Repeat("1", 65), strings.Repeat("a", 1<<20), "\xff\xff"} {
		_, err := w.VerifyLogin(w.ctx, challenge.Token, code)
		wantErr(t, err, mfa.ErrInvalidCode)
	}
	w.wantTold()
	_, err := w.VerifyLogin(w.ctx, challenge.Token, "12345") // a wrong length is a try
	wantTries(t, err, 4)
	_, err = w.VerifyLogin(w.ctx, challenge.Token, "")
	wantTries(t, err, 4)
	_, err = w.VerifyLogin(w.ctx, challenge.Token, a.code())
	ok(t, err)
}

func TestChallengeExpires(t *testing.T) {
	for _, ttl := range []time.Duration{0, time.Minute, 10 * time.Minute} {
		w := newWorld(t, func(c *mfa.Config) { c.ChallengeTTL = ttl })
		if ttl == 0 {
			ttl = 5 * time.Minute
		}
		a, login := w.enrollTOTP("ada")
		codes := w.backupCodes("ada", login.Proof)
		for _, code := range []func() string{a.code, func() string { return codes[0] }} {
			challenge := w.begin("ada")
			w.VerifyLogin(w.ctx, challenge.Token, a.wrong()) // does not extend it
			w.clock.Advance(ttl - 1)
			_, err := w.VerifyLogin(w.ctx, challenge.Token, code())
			ok(t, err)
			challenge = w.begin("ada")
			w.clock.Advance(ttl)
			_, err = w.VerifyLogin(w.ctx, challenge.Token, code())
			wantErr(t, err, mfa.ErrInvalidToken)
		}
	}
}

func TestATokenFromTheFutureIsRefused(t *testing.T) {
	w := newWorld(t)
	a, _ := w.enrollTOTP("ada")
	challenge := w.begin("ada")
	w.clock.Advance(-4 * time.Minute) // clocks differ
	if _, err := w.VerifyLogin(w.ctx, challenge.Token, a.wrong()); !errors.Is(err, mfa.ErrInvalidCode) {
		t.Errorf("4 minutes earlier: %v", err)
	}
	w.clock.Advance(-24 * time.Hour) // a clock that ran ahead made it
	_, err := w.VerifyLogin(w.ctx, challenge.Token, a.code())
	wantErr(t, err, mfa.ErrInvalidToken)
}

func TestChallengesEnd(t *testing.T) {
	for name, end := range map[string]func(w *world, proof string) error{
		"the password changed": func(w *world, _ string) error { return w.PasswordChanged(w.ctx, "ada") },
		"the user was reset":   func(w *world, _ string) error { return w.Reset(w.ctx, "ada") },
		"the user was deleted": func(w *world, _ string) error { return w.DeleteUser(w.ctx, "ada") },
		"a factor was removed": func(w *world, proof string) error {
			return w.Unenroll(w.ctx, "ada", mfa.MethodSMS, mfa.WithProof(proof))
		},
		"a factor was replaced": func(w *world, proof string) error { w.enrollTOTP("ada", mfa.WithProof(proof)); return nil },
		"a factor was imported": func(w *world, _ string) error { return w.ImportSMS(w.ctx, "ada", phone2) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a, login := w.enrollTOTP("ada")
			w.enrollSMS("ada", phone, mfa.WithProof(login.Proof))
			codes := w.backupCodes("ada", login.Proof)
			untouched, tried := w.begin("ada"), w.begin("ada")
			w.VerifyLogin(w.ctx, tried.Token, a.wrong())
			ok(t, end(w, login.Proof))
			for _, challenge := range []*mfa.ChallengeError{untouched, tried} {
				for _, code := range []string{a.code(), codes[0]} {
					_, err := w.VerifyLogin(w.ctx, challenge.Token, code)
					wantErr(t, err, mfa.ErrInvalidToken)
				}
			}
		})
	}
}

func TestBackupCodesEndNoChallenge(t *testing.T) {
	w := newWorld(t)
	a, login := w.enrollTOTP("ada")
	challenge := w.begin("ada")
	device, err := w.TrustDevice(w.ctx, "ada", login.Proof)
	ok(t, err)
	w.backupCodes("ada", login.Proof)
	ok(t, w.Unenroll(w.ctx, "ada", mfa.MethodBackupCode, mfa.WithProof(login.Proof)))
	ok(t, w.BeginLogin(w.ctx, "ada", mfa.WithTrustedDevice(device.Token)))
	_, err = w.VerifyLogin(w.ctx, challenge.Token, a.code())
	ok(t, err)
	w.backupCodes("ada", login.Proof)
}

// TestTokenKinds: every kind of token is worthless where another is asked for.
func TestTokenKinds(t *testing.T) {
	required := false
	w := newWorld(t, requiredWhen(&required))
	a, login := w.enrollTOTP("ada")
	device, err := w.TrustDevice(w.ctx, "ada", login.Proof)
	ok(t, err)
	stepUp, err := w.BeginStepUp(w.ctx, "ada", "transfer")
	ok(t, err)
	manage, err := w.BeginStepUp(w.ctx, "ada", mfa.ActionManage)
	ok(t, err)
	required = true
	var enrollment *mfa.EnrollmentError
	if err := w.BeginLogin(w.ctx, "bob"); !errors.As(err, &enrollment) {
		t.Fatal(err)
	}
	tokens := map[string]string{
		"login": w.begin("ada").Token, "step-up": stepUp.Token, "manage": manage.Token,
		"enrollment": enrollment.Token, "proof": login.Proof, "device": device.Token,
	}
	uses := map[string]func(token string) error{
		"enrollment": func(token string) error { _, err := w.EnrollmentUser(w.ctx, token); return err },
		"device": func(token string) error {
			err := w.BeginLogin(w.ctx, "ada", mfa.WithTrustedDevice(token))
			if err != nil {
				challenged(t, err)
			}
			return err
		},
		"proof": func(token string) error {
			_, err := w.EnrollTOTP(w.ctx, "ada", "a", mfa.WithProof(token))
			if err != nil {
				challenged(t, err)
			}
			return err
		},
		"step-up": func(token string) error {
			_, err := w.VerifyStepUp(w.ctx, token, "transfer", a.code())
			return err
		},
		"manage": func(token string) error {
			_, err := w.VerifyStepUp(w.ctx, token, mfa.ActionManage, a.code())
			return err
		},
		"login": func(token string) error { _, err := w.VerifyLogin(w.ctx, token, a.code()); return err },
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
		w.clock.Advance(30 * time.Second)
	}
}

func TestTokensOfOtherUsersAndKeys(t *testing.T) {
	w := newWorld(t)
	_, ada := w.enrollTOTP("ada")
	b, bob := w.enrollTOTP("bob")
	challenge := w.begin("ada")
	_, err := w.VerifyLogin(w.ctx, challenge.Token, b.code())
	wantTries(t, err, 4)
	w.login("bob", b.code()) // which is not spent

	_, err = w.EnrollTOTP(w.ctx, "ada", "a", mfa.WithProof(bob.Proof))
	challenged(t, err)
	_, err = w.TrustDevice(w.ctx, "ada", bob.Proof)
	wantErr(t, err, mfa.ErrInvalidToken)
	device, err := w.TrustDevice(w.ctx, "ada", ada.Proof)
	ok(t, err)
	w.begin("bob", mfa.WithTrustedDevice(device.Token))

	foreign := w.another(func(c *mfa.Config) { c.Keys = [][]byte{key(100)}; c.Store = mfa.NewMemoryStore() })
	_, err = foreign.VerifyLogin(w.ctx, challenge.Token, "123456")
	wantErr(t, err, mfa.ErrInvalidToken)
}

func TestBadTokensTouchNothing(t *testing.T) {
	w := newWorld(t)
	a, _ := w.enrollTOTP("ada")
	expired := w.begin("ada")
	w.clock.Advance(time.Hour)
	good := w.begin("ada")
	w.told()
	flipped := []byte(good.Token)
	flipped[40] ^= 1
	for range 10 {
		for _, token := range []string{"", "x", "mfa_tmp_", good.Token + "A", good.Token[:50], string(flipped), expired.Token, strings.Repeat("a", 1<<20), "mfa_tmp_" + strings.Repeat("A", 1016)} {
			_, err := w.VerifyLogin(w.ctx, token, "000000")
			wantErr(t, err, mfa.ErrInvalidToken)
			_, err = w.VerifyStepUp(w.ctx, token, "transfer", "000000")
			wantErr(t, err, mfa.ErrInvalidToken)
			_, err = w.SendCode(w.ctx, token)
			wantErr(t, err, mfa.ErrInvalidToken)
			_, err = w.EnrollmentUser(w.ctx, token)
			wantErr(t, err, mfa.ErrInvalidToken)
			_, err = w.TrustDevice(w.ctx, "ada", token)
			wantErr(t, err, mfa.ErrInvalidToken)
		}
	}
	w.wantTold()
	_, err := w.VerifyLogin(w.ctx, good.Token, a.code())
	ok(t, err)
}

func TestStepUp(t *testing.T) {
	w := newWorld(t)
	_, err := w.BeginStepUp(w.ctx, "ada", "transfer")
	wantErr(t, err, mfa.ErrNotEnrolled)
	a, _ := w.enrollTOTP("ada")
	w.told()
	challenge, err := w.BeginStepUp(w.ctx, "ada", "transfer")
	ok(t, err)
	w.wantTold(mfa.EventChallenged)
	if challenge.Action != "transfer" || !slices.Equal(challenge.Methods, []mfa.Method{mfa.MethodTOTP}) {
		t.Errorf("%+v", *challenge)
	}
	for _, action := range []string{"Transfer", "transfer ", "delete", "", mfa.ActionManage, mfa.ActionLogin, mfa.ActionEnroll} {
		_, err := w.VerifyStepUp(w.ctx, challenge.Token, action, a.code())
		wantErr(t, err, mfa.ErrInvalidToken)
	}
	_, err = w.VerifyLogin(w.ctx, challenge.Token, a.code())
	wantErr(t, err, mfa.ErrInvalidToken)

	login, err := w.VerifyStepUp(w.ctx, challenge.Token, "transfer", a.code())
	ok(t, err)
	if login.Action != "transfer" || login.Proof != "" {
		t.Errorf("%+v, proof %q", *login, login.Proof)
	}
	_, err = w.VerifyLogin(w.ctx, w.begin("ada").Token, a.code()) // the code is spent
	wantErr(t, err, mfa.ErrInvalidCode)

	_, err = w.VerifyStepUp(w.ctx, w.begin("ada").Token, mfa.ActionLogin, a.code())
	wantErr(t, err, mfa.ErrInvalidToken)
	for _, action := range []string{"", mfa.ActionLogin, mfa.ActionEnroll, strings.Repeat("a", 65), "a\n", "\x00", "a\xff"} {
		_, err := w.BeginStepUp(w.ctx, "ada", action)
		wantErr(t, err, mfa.ErrInvalidInput)
	}
	for _, action := range []string{"a", strings.Repeat("a", 64), "löschen: alles|!", mfa.ActionManage} {
		w.clock.Advance(30 * time.Second)
		challenge, err := w.BeginStepUp(w.ctx, "ada", action)
		ok(t, err)
		login, err := w.VerifyStepUp(w.ctx, challenge.Token, action, a.code())
		ok(t, err)
		if (login.Proof != "") != (action == mfa.ActionManage) {
			t.Errorf("%s: proof %q", action, login.Proof)
		}
	}
}

func TestStepUpBySMSAndBackupCode(t *testing.T) {
	w := newWorld(t)
	login := w.enrollSMS("ada", phone)
	codes := w.backupCodes("ada", login.Proof)
	challenge, err := w.BeginStepUp(w.ctx, "ada", "transfer")
	ok(t, err)
	code := w.sendCode(challenge.Token)
	if m := w.outbox.Messages(); m[len(m)-1].Action != "transfer" {
		t.Errorf("the message is for %q", m[len(m)-1].Action)
	}
	login, err = w.VerifyStepUp(w.ctx, challenge.Token, "transfer", code)
	ok(t, err)
	if login.Method != mfa.MethodSMS || !slices.Equal(login.AMR, []string{"sms", "mfa"}) {
		t.Errorf("%+v", *login)
	}
	challenge, err = w.BeginStepUp(w.ctx, "ada", "transfer")
	ok(t, err)
	login, err = w.VerifyStepUp(w.ctx, challenge.Token, "transfer", codes[0])
	ok(t, err)
	if login.Method != mfa.MethodBackupCode || login.BackupCodesLeft != 1 || !slices.Equal(login.AMR, []string{"mfa"}) {
		t.Errorf("%+v", *login)
	}
}

func TestTrustedDevice(t *testing.T) {
	w := newWorld(t)
	a, login := w.enrollTOTP("ada")
	w.told()
	device, err := w.TrustDevice(w.ctx, "ada", login.Proof)
	ok(t, err)
	if !strings.HasPrefix(device.Token, "mfa_dev_") || !device.ExpiresAt.Equal(w.clock.Now().Add(30*24*time.Hour)) {
		t.Errorf("%+v", *device)
	}
	w.wantTold(mfa.EventDeviceTrusted)
	ok(t, w.BeginLogin(w.ctx, "ada", mfa.WithTrustedDevice(device.Token)))
	w.wantTold(mfa.EventDeviceAccepted)
	w.begin("ada")
	w.begin("ada", mfa.WithTrustedDevice(""))
	w.begin("ada", mfa.WithTrustedDevice(device.Token+"A"))
	w.begin("ada", nil)

	w.clock.Advance(30*24*time.Hour - time.Minute - 1)
	w.login("ada", a.code())
	w.clock.Advance(time.Minute)
	ok(t, w.BeginLogin(w.ctx, "ada", mfa.WithTrustedDevice(device.Token)))
	w.clock.Advance(1)
	w.begin("ada", mfa.WithTrustedDevice(device.Token))
}

func TestTrustEnds(t *testing.T) {
	for name, end := range map[string]func(w *world, proof string) error{
		"forgotten":             func(w *world, _ string) error { return w.ForgetDevices(w.ctx, "ada") },
		"the password changed":  func(w *world, _ string) error { return w.PasswordChanged(w.ctx, "ada") },
		"a factor was added":    func(w *world, proof string) error { w.enrollSMS("ada", phone, mfa.WithProof(proof)); return nil },
		"a factor was replaced": func(w *world, proof string) error { w.enrollTOTP("ada", mfa.WithProof(proof)); return nil },
		"a factor was imported": func(w *world, _ string) error { return w.ImportSMS(w.ctx, "ada", phone) },
		"MFA was removed and set up again": func(w *world, proof string) error {
			ok(t, w.Unenroll(w.ctx, "ada", mfa.MethodTOTP, mfa.WithProof(proof)))
			w.enrollTOTP("ada")
			return nil
		},
		"the user was reset": func(w *world, _ string) error { ok(t, w.Reset(w.ctx, "ada")); w.enrollTOTP("ada"); return nil },
	} {
		w := newWorld(t)
		_, login := w.enrollTOTP("ada")
		device, err := w.TrustDevice(w.ctx, "ada", login.Proof)
		ok(t, err)
		ok(t, w.BeginLogin(w.ctx, "ada", mfa.WithTrustedDevice(device.Token)))
		ok(t, end(w, login.Proof))
		if err := w.BeginLogin(w.ctx, "ada", mfa.WithTrustedDevice(device.Token)); err == nil {
			t.Errorf("%s: still trusted", name)
		}
	}
}

// TestATrustedDeviceIsNoFactor: it opens nothing for a user who has none, and
// stays out of the way of policy.
func TestATrustedDeviceIsNoFactor(t *testing.T) {
	required := false
	w := newWorld(t, requiredWhen(&required))
	_, login := w.enrollTOTP("ada")
	device, err := w.TrustDevice(w.ctx, "ada", login.Proof)
	ok(t, err)
	ok(t, w.Unenroll(w.ctx, "ada", mfa.MethodTOTP, mfa.WithProof(login.Proof)))
	required = true
	var enrollment *mfa.EnrollmentError
	if err := w.BeginLogin(w.ctx, "ada", mfa.WithTrustedDevice(device.Token)); !errors.As(err, &enrollment) {
		t.Errorf("got %v, want an EnrollmentError", err)
	}
	_, err = w.TrustDevice(w.ctx, "ada", login.Proof)
	wantErr(t, err, mfa.ErrInvalidToken)
}

func TestForgottenChallengesStayDeadWhenTheClockGoesBack(t *testing.T) {
	w := newWorld(t)
	a, _ := w.enrollTOTP("ada")
	ended, used := w.begin("ada"), w.begin("ada")
	_, err := w.VerifyLogin(w.ctx, used.Token, a.code())
	ok(t, err)
	for range 5 {
		w.VerifyLogin(w.ctx, ended.Token, a.wrong())
	}
	w.clock.Advance(6 * time.Minute)
	for range 3 { // forgets what has expired
		w.login("ada", a.code())
		w.clock.Advance(6 * time.Minute)
	}
	w.clock.Advance(-23 * time.Minute)
	for _, challenge := range []*mfa.ChallengeError{ended, used} {
		_, err := w.VerifyLogin(w.ctx, challenge.Token, a.code())
		wantErr(t, err, mfa.ErrInvalidToken)
	}
	if _, err := w.VerifyLogin(w.ctx, w.begin("ada").Token, a.code()); !errors.Is(err, mfa.ErrInvalidCode) {
		t.Errorf("a new challenge is not judged: %v", err)
	}
	w.clock.Advance(23 * time.Minute)
	w.login("ada", a.code())
}

func TestManyChallengesAreBounded(t *testing.T) {
	w := newWorld(t)
	a, _ := w.enrollTOTP("ada")
	for range 200 {
		challenge := w.begin("ada")
		w.VerifyLogin(w.ctx, challenge.Token, a.wrong())
		ok(t, w.Unlock(w.ctx, "ada"))
		w.clock.Advance(time.Second)
		record, err := w.store.Load(w.ctx, "ada")
		ok(t, err)
		if len(record.Data) >= 2<<10 {
			t.Fatalf("a record of %d bytes", len(record.Data))
		}
	}
	w.clock.Advance(time.Minute)
	w.login("ada", a.code())
}
