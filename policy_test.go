package mfa_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

func requiredWhen(on *bool) func(*mfa.Config) {
	return func(c *mfa.Config) {
		c.Required = func(context.Context, string) (bool, error) { return *on, nil }
	}
}

func TestRequiredMFA(t *testing.T) {
	required := false
	w := world.New(t, requiredWhen(&required))
	world.OK(t, w.BeginLogin(w.Ctx, "ada"))
	required = true // the project switches while it runs
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
		t.Error("Status does not say so")
	}

	// The token is all it takes to enroll, and with that the user is in.
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
	w.MustEnroll("ada") // which is nothing yet
	login, err := w.VerifyEnrollment(w.Ctx, user, mfa.MethodTOTP, w.Scan(totp.URI).Shows())
	world.OK(t, err)
	if login.UserID != "ada" || login.Proof == "" {
		t.Errorf("%+v", *login)
	}

	_, err = w.EnrollmentUser(w.Ctx, enrollment.Token)
	world.WantErr(t, err, mfa.ErrInvalidToken)
	w.Begin("ada")
}

func TestEnrollmentMethodsWithoutASender(t *testing.T) {
	required := true
	w := world.New(t, requiredWhen(&required), func(c *mfa.Config) { c.SMS = nil })
	if got := w.MustEnroll("ada").Methods; !slices.Equal(got, []mfa.Method{mfa.MethodTOTP}) {
		t.Errorf("%v", got)
	}
}

func TestEnrollmentTokenExpires(t *testing.T) {
	required := true
	w := world.New(t, requiredWhen(&required))
	enrollment := w.MustEnroll("ada")
	w.Clock.Advance(15*time.Minute - 1)
	_, err := w.EnrollmentUser(w.Ctx, enrollment.Token)
	world.OK(t, err)
	w.Clock.Advance(1)
	_, err = w.EnrollmentUser(w.Ctx, enrollment.Token)
	world.WantErr(t, err, mfa.ErrInvalidToken)
}

func TestEnrollmentTokensEnd(t *testing.T) {
	for name, end := range map[string]func(w *world.World) error{
		"the password changed": func(w *world.World) error { return w.PasswordChanged(w.Ctx, "ada") },
		"the user was reset":   func(w *world.World) error { return w.Reset(w.Ctx, "ada") },
		"a factor came and went": func(w *world.World) error {
			world.OK(t, w.ImportSMS(w.Ctx, "ada", world.Phone))
			return w.Reset(w.Ctx, "ada")
		},
		"a factor was imported":   func(w *world.World) error { return w.ImportSMS(w.Ctx, "ada", world.Phone) },
		"the password changed 2x": func(w *world.World) error { w.PasswordChanged(w.Ctx, "ada"); return w.PasswordChanged(w.Ctx, "ada") },
	} {
		required := true
		w := world.New(t, requiredWhen(&required))
		enrollment := w.MustEnroll("ada")
		world.OK(t, end(w))
		if _, err := w.EnrollmentUser(w.Ctx, enrollment.Token); !errors.Is(err, mfa.ErrInvalidToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNothingIsWrittenWithoutNeed: where no token can be about, ending them
// makes no record.
func TestNothingIsWrittenWithoutNeed(t *testing.T) {
	for name, do := range map[string]func(w *world.World) error{
		"PasswordChanged": func(w *world.World) error { return w.PasswordChanged(w.Ctx, "ada") },
		"Reset":           func(w *world.World) error { return w.Reset(w.Ctx, "ada") },
		"Unlock":          func(w *world.World) error { return w.Unlock(w.Ctx, "ada") },
		"ForgetDevices":   func(w *world.World) error { return w.ForgetDevices(w.Ctx, "ada") },
		"Reseal":          func(w *world.World) error { return w.Reseal(w.Ctx, "ada") },
		"DeleteUser":      func(w *world.World) error { return w.DeleteUser(w.Ctx, "ada") },
	} {
		w := world.New(t)
		world.OK(t, do(w))
		if _, err := w.Store.Load(w.Ctx, "ada"); !errors.Is(err, mfa.ErrNoRecord) {
			t.Errorf("%s wrote a record: %v", name, err)
		}
	}
	required := false
	w := world.New(t, requiredWhen(&required))
	world.OK(t, w.PasswordChanged(w.Ctx, "ada"))
	record, err := w.Store.Load(w.Ctx, "ada")
	if err != nil || len(record.Methods) != 0 {
		t.Errorf("with Required: %v, %v", record.Methods, err)
	}
}

func TestUnenrollIsEnforced(t *testing.T) {
	required := false
	w := world.New(t, requiredWhen(&required))
	a, login := w.GiveTOTP("ada")
	w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
	w.GiveBackupCodes("ada", login.Proof)
	required = true
	for _, method := range []mfa.Method{mfa.MethodTOTP, mfa.MethodSMS, mfa.MethodBackupCode} {
		for _, opts := range [][]mfa.ChangeOption{nil, {mfa.WithProof(login.Proof)}} {
			world.WantErr(t, w.Unenroll(w.Ctx, "ada", method, opts...), mfa.ErrEnforced)
		}
	}
	world.WantErr(t, w.Unenroll(w.Ctx, "bob", mfa.MethodTOTP), mfa.ErrNotEnrolled)
	w.Login("ada", a.Shows())
	w.GiveTOTP("ada", mfa.WithProof(login.Proof)) // a replacement is allowed
}

func TestUnenroll(t *testing.T) {
	w := world.New(t)
	world.WantErr(t, w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP), mfa.ErrNotEnrolled)
	world.WantErr(t, w.Unenroll(w.Ctx, "ada", "fax"), mfa.ErrNotEnrolled)
	world.WantErr(t, w.Unenroll(w.Ctx, "ada", ""), mfa.ErrNotEnrolled)
	a, login := w.GiveTOTP("ada")
	codes := w.GiveBackupCodes("ada", login.Proof)
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

func TestPolicyThatFailsRefuses(t *testing.T) {
	down := errors.New("policy is down")
	failing := false
	w := world.New(t, func(c *mfa.Config) {
		c.Required = func(context.Context, string) (bool, error) {
			if failing {
				return false, down
			}
			return false, nil
		}
	})
	a, login := w.GiveTOTP("ada")
	failing = true
	world.WantErr(t, w.BeginLogin(w.Ctx, "bob"), down)
	world.WantErr(t, w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP, mfa.WithProof(login.Proof)), down)
	_, err := w.Status(w.Ctx, "ada")
	world.WantErr(t, err, down)
	w.Login("ada", a.Shows()) // who has a factor is not locked out
}

func TestProofs(t *testing.T) {
	changes := map[string]func(w *world.World, opts ...mfa.ChangeOption) error{
		"EnrollTOTP": func(w *world.World, opts ...mfa.ChangeOption) error {
			_, err := w.EnrollTOTP(w.Ctx, "ada", "a", opts...)
			return err
		},
		"EnrollSMS": func(w *world.World, opts ...mfa.ChangeOption) error {
			_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone, opts...)
			return err
		},
		"GenerateBackupCodes": func(w *world.World, opts ...mfa.ChangeOption) error {
			_, err := w.GenerateBackupCodes(w.Ctx, "ada", opts...)
			return err
		},
		"Unenroll": func(w *world.World, opts ...mfa.ChangeOption) error {
			return w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP, opts...)
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			w := world.New(t)
			a, _ := w.GiveTOTP("ada")
			w.Told()
			before, err := w.Store.Load(w.Ctx, "ada")
			world.OK(t, err)
			challenge := world.Challenged(t, change(w))
			w.WantTold(mfa.EventChallenged)
			if challenge.Action != mfa.ActionManage {
				t.Errorf("action %q", challenge.Action)
			}
			if after, err := w.Store.Load(w.Ctx, "ada"); err != nil || after.Version != before.Version || len(w.Outbox.Messages()) != 0 {
				t.Error("something was done without a proof")
			}
			_, err = w.VerifyLogin(w.Ctx, challenge.Token, a.Shows())
			world.WantErr(t, err, mfa.ErrInvalidToken)
			login, err := w.VerifyStepUp(w.Ctx, challenge.Token, mfa.ActionManage, a.Shows())
			world.OK(t, err)

			for _, bad := range []string{"", "x", login.Proof + "A", challenge.Token} {
				world.Challenged(t, change(w, mfa.WithProof(bad)))
			}
			w.Clock.Advance(15 * time.Minute)
			world.Challenged(t, change(w, mfa.WithProof(login.Proof)))
			w.Clock.Advance(-1)
			world.OK(t, change(w, mfa.WithProof(login.Proof), nil))
		})
	}
	for name, change := range changes {
		t.Run("InsecureSkipProof/"+name, func(t *testing.T) {
			w := world.New(t, func(c *mfa.Config) { c.InsecureSkipProof = true })
			w.GiveTOTP("ada")
			world.OK(t, change(w))
		})
	}
}

func TestProofsEnd(t *testing.T) {
	for name, end := range map[string]func(w *world.World, proof string) error{
		"the password changed":  func(w *world.World, _ string) error { return w.PasswordChanged(w.Ctx, "ada") },
		"a factor was replaced": func(w *world.World, proof string) error { w.GiveTOTP("ada", mfa.WithProof(proof)); return nil },
		"a factor was imported": func(w *world.World, _ string) error {
			return w.ImportTOTP(w.Ctx, "ada", "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP")
		},
	} {
		w := world.New(t)
		_, login := w.GiveTOTP("ada")
		_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone, mfa.WithProof(login.Proof))
		world.OK(t, err)
		w.Clock.Advance(time.Minute)
		world.OK(t, end(w, login.Proof))
		if _, err := w.EnrollSMS(w.Ctx, "ada", world.Phone, mfa.WithProof(login.Proof)); err == nil {
			t.Errorf("%s: still a proof", name)
		}
	}
}

// TestWhatAStrangerBeganIsDropped: whoever has the password alone can begin an
// enrollment as long as there is no factor, but not finish it after the owner
// has one.
func TestWhatAStrangerBeganIsDropped(t *testing.T) {
	for _, skipProof := range []bool{false, true} {
		for name, confirm := range map[string]func(w *world.World){
			"totp":     func(w *world.World) { w.GiveTOTP("ada") },
			"sms":      func(w *world.World) { w.GiveSMS("ada", world.Phone) },
			"imported": func(w *world.World) { world.OK(t, w.ImportSMS(w.Ctx, "ada", world.Phone)) },
		} {
			w := world.New(t, func(c *mfa.Config) { c.InsecureSkipProof = skipProof })
			w.Told()
			var finish func() error
			if name == "totp" {
				_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone2)
				world.OK(t, err)
				finish = func() error {
					_, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, w.Outbox.Code(world.Phone2))
					return err
				}
			} else {
				enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "a")
				world.OK(t, err)
				stranger := w.Scan(enrollment.URI)
				finish = func() error {
					_, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, stranger.Shows())
					return err
				}
			}
			confirm(w)
			if err := finish(); !errors.Is(err, mfa.ErrNoPendingEnrollment) {
				t.Errorf("%s, InsecureSkipProof %v: %v", name, skipProof, err)
			}
		}
	}
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

func TestPasswordChangeDropsWhatIsPending(t *testing.T) {
	w := world.New(t)
	enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "a")
	world.OK(t, err)
	_, err = w.EnrollSMS(w.Ctx, "ada", world.Phone)
	world.OK(t, err)
	world.OK(t, w.PasswordChanged(w.Ctx, "ada"))
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, w.Scan(enrollment.URI).Shows())
	world.WantErr(t, err, mfa.ErrNoPendingEnrollment)
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, w.Outbox.Code(world.Phone))
	world.WantErr(t, err, mfa.ErrNoPendingEnrollment)
}

func TestPasswordChangeKeepsFactors(t *testing.T) {
	w := world.New(t)
	a, login := w.GiveTOTP("ada")
	codes := w.GiveBackupCodes("ada", login.Proof)
	challenge := w.Begin("ada")
	for range 5 {
		w.VerifyLogin(w.Ctx, challenge.Token, a.Wrong())
	}
	w.Told()
	world.OK(t, w.PasswordChanged(w.Ctx, "ada"))
	w.WantTold(mfa.EventPasswordChanged)
	_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, a.Shows()) // failures stay
	world.WantThrottled(t, err, time.Second)
	w.Clock.Advance(time.Second)
	w.Login("ada", a.Shows())
	w.Login("ada", codes[0])
}

func TestReset(t *testing.T) {
	w := world.New(t)
	a, login := w.GiveTOTP("ada")
	w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
	w.GiveBackupCodes("ada", login.Proof)
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

func TestDeleteUser(t *testing.T) {
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

func TestStatus(t *testing.T) {
	w := world.New(t)
	if got := world.JSON(t, w.StatusOf("ada")); got != `{"factors":[],"backup_codes_left":0,"required":false}` {
		t.Errorf("nobody: %s", got)
	}
	a, login := w.GiveTOTP("ada")
	w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
	w.GiveBackupCodes("ada", login.Proof)
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
		`"backup_codes_left":2,"required":false}`
	if got := world.JSON(t, w.StatusOf("ada")); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestUserIDs(t *testing.T) {
	w := world.New(t)
	bad := []string{"", strings.Repeat("a", 256), strings.Repeat("é", 128), "a\x00b", "a\n", "\x7f", "\u0085", "a\xff"}
	for _, user := range bad {
		calls := map[string]error{
			"BeginLogin":      w.BeginLogin(w.Ctx, user),
			"Unenroll":        w.Unenroll(w.Ctx, user, mfa.MethodTOTP),
			"Reset":           w.Reset(w.Ctx, user),
			"Unlock":          w.Unlock(w.Ctx, user),
			"PasswordChanged": w.PasswordChanged(w.Ctx, user),
			"Reseal":          w.Reseal(w.Ctx, user),
			"DeleteUser":      w.DeleteUser(w.Ctx, user),
			"ForgetDevices":   w.ForgetDevices(w.Ctx, user),
			"ImportTOTP":      w.ImportTOTP(w.Ctx, user, "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP"),
			"ImportSMS":       w.ImportSMS(w.Ctx, user, world.Phone),
		}
		_, calls["EnrollTOTP"] = w.EnrollTOTP(w.Ctx, user, "a")
		_, calls["EnrollSMS"] = w.EnrollSMS(w.Ctx, user, world.Phone)
		_, calls["VerifyEnrollment"] = w.VerifyEnrollment(w.Ctx, user, mfa.MethodTOTP, "123456")
		_, calls["GenerateBackupCodes"] = w.GenerateBackupCodes(w.Ctx, user)
		_, calls["Status"] = w.Status(w.Ctx, user)
		_, calls["BeginStepUp"] = w.BeginStepUp(w.Ctx, user, "x")
		_, calls["TrustDevice"] = w.TrustDevice(w.Ctx, user, "")
		for name, err := range calls {
			if !errors.Is(err, mfa.ErrInvalidUser) {
				t.Errorf("%s(%.20q): %v", name, user, err)
			}
		}
	}
	for _, user := range []string{"a", strings.Repeat("a", 255), "ada@example.com", "Ada ", "ada|bob", `{"$ne":null}`, "日本", "a\u200bb"} {
		a, _ := w.GiveTOTP(user)
		challenge := w.Begin(user)
		login, err := w.VerifyLogin(w.Ctx, challenge.Token, a.Shows())
		world.OK(t, err)
		if login.UserID != user {
			t.Errorf("%q logged in as %q", user, login.UserID)
		}
	}
	world.OK(t, w.BeginLogin(w.Ctx, "ada ")) // not "Ada "
}

func TestUnknownMethods(t *testing.T) {
	w := world.New(t)
	for _, method := range []mfa.Method{"", "fax", "TOTP", mfa.MethodBackupCode} {
		_, err := w.VerifyEnrollment(w.Ctx, "ada", method, "123456")
		world.WantErr(t, err, mfa.ErrMethodUnavailable)
	}
	w = world.New(t, func(c *mfa.Config) { c.SMS = nil })
	_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
	world.WantErr(t, err, mfa.ErrMethodUnavailable)
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, "123456")
	world.WantErr(t, err, mfa.ErrMethodUnavailable)
}
