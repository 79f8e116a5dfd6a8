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
)

func requiredWhen(on *bool) func(*mfa.Config) {
	return func(c *mfa.Config) {
		c.Required = func(context.Context, string) (bool, error) { return *on, nil }
	}
}

// mustEnroll begins a login that leads to enrollment.
func (w *world) mustEnroll(user string) *mfa.EnrollmentError {
	w.t.Helper()
	var enrollment *mfa.EnrollmentError
	if err := w.BeginLogin(w.ctx, user); !errors.As(err, &enrollment) {
		w.t.Fatalf("got %v, want an EnrollmentError", err)
	}
	return enrollment
}

func TestRequiredMFA(t *testing.T) {
	required := false
	w := newWorld(t, requiredWhen(&required))
	ok(t, w.BeginLogin(w.ctx, "ada"))
	required = true // the project switches while it runs
	enrollment := w.mustEnroll("ada")
	if !strings.HasPrefix(enrollment.Token, "mfa_enr_") || !slices.Equal(enrollment.Methods, []mfa.Method{mfa.MethodTOTP, mfa.MethodSMS}) ||
		!enrollment.ExpiresAt.Equal(w.clock.Now().Add(15*time.Minute)) {
		t.Errorf("%+v", *enrollment)
	}
	body := fmt.Sprintf(`{"mfa_enrollment_required":true,"mfa_token":"%s","available_methods":["totp","sms"]}`, enrollment.Token)
	if got := marshal(t, enrollment); got != body || marshal(t, *enrollment) != body {
		t.Errorf("JSON %s, want %s", got, body)
	}
	if !w.status("ada").Required {
		t.Error("Status does not say so")
	}

	// The token is all it takes to enroll, and with that the user is in.
	user, err := w.EnrollmentUser(w.ctx, enrollment.Token)
	ok(t, err)
	if user != "ada" {
		t.Errorf("user %q", user)
	}
	totp, err := w.EnrollTOTP(w.ctx, user, "a")
	ok(t, err)
	if user, err := w.EnrollmentUser(w.ctx, enrollment.Token); err != nil || user != "ada" {
		t.Errorf("while one is pending: %q, %v", user, err)
	}
	w.mustEnroll("ada") // which is nothing yet
	login, err := w.VerifyEnrollment(w.ctx, user, mfa.MethodTOTP, w.scan(totp.URI).code())
	ok(t, err)
	if login.UserID != "ada" || login.Proof == "" {
		t.Errorf("%+v", *login)
	}

	_, err = w.EnrollmentUser(w.ctx, enrollment.Token)
	wantErr(t, err, mfa.ErrInvalidToken)
	w.begin("ada")
}

func TestEnrollmentMethodsWithoutASender(t *testing.T) {
	required := true
	w := newWorld(t, requiredWhen(&required), func(c *mfa.Config) { c.SMS = nil })
	if got := w.mustEnroll("ada").Methods; !slices.Equal(got, []mfa.Method{mfa.MethodTOTP}) {
		t.Errorf("%v", got)
	}
}

func TestEnrollmentTokenExpires(t *testing.T) {
	required := true
	w := newWorld(t, requiredWhen(&required))
	enrollment := w.mustEnroll("ada")
	w.clock.Advance(15*time.Minute - 1)
	_, err := w.EnrollmentUser(w.ctx, enrollment.Token)
	ok(t, err)
	w.clock.Advance(1)
	_, err = w.EnrollmentUser(w.ctx, enrollment.Token)
	wantErr(t, err, mfa.ErrInvalidToken)
}

func TestEnrollmentTokensEnd(t *testing.T) {
	for name, end := range map[string]func(w *world) error{
		"the password changed":    func(w *world) error { return w.PasswordChanged(w.ctx, "ada") },
		"the user was reset":      func(w *world) error { return w.Reset(w.ctx, "ada") },
		"a factor came and went":  func(w *world) error { ok(t, w.ImportSMS(w.ctx, "ada", phone)); return w.Reset(w.ctx, "ada") },
		"a factor was imported":   func(w *world) error { return w.ImportSMS(w.ctx, "ada", phone) },
		"the password changed 2x": func(w *world) error { w.PasswordChanged(w.ctx, "ada"); return w.PasswordChanged(w.ctx, "ada") },
	} {
		required := true
		w := newWorld(t, requiredWhen(&required))
		enrollment := w.mustEnroll("ada")
		ok(t, end(w))
		if _, err := w.EnrollmentUser(w.ctx, enrollment.Token); !errors.Is(err, mfa.ErrInvalidToken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNothingIsWrittenWithoutNeed: where no token can be about, ending them
// makes no record.
func TestNothingIsWrittenWithoutNeed(t *testing.T) {
	for name, do := range map[string]func(w *world) error{
		"PasswordChanged": func(w *world) error { return w.PasswordChanged(w.ctx, "ada") },
		"Reset":           func(w *world) error { return w.Reset(w.ctx, "ada") },
		"Unlock":          func(w *world) error { return w.Unlock(w.ctx, "ada") },
		"ForgetDevices":   func(w *world) error { return w.ForgetDevices(w.ctx, "ada") },
		"Reseal":          func(w *world) error { return w.Reseal(w.ctx, "ada") },
		"DeleteUser":      func(w *world) error { return w.DeleteUser(w.ctx, "ada") },
	} {
		w := newWorld(t)
		ok(t, do(w))
		if _, err := w.store.Load(w.ctx, "ada"); !errors.Is(err, mfa.ErrNoRecord) {
			t.Errorf("%s wrote a record: %v", name, err)
		}
	}
	required := false
	w := newWorld(t, requiredWhen(&required))
	ok(t, w.PasswordChanged(w.ctx, "ada"))
	record, err := w.store.Load(w.ctx, "ada")
	if err != nil || len(record.Methods) != 0 {
		t.Errorf("with Required: %v, %v", record.Methods, err)
	}
}

func TestUnenrollIsEnforced(t *testing.T) {
	required := false
	w := newWorld(t, requiredWhen(&required))
	a, login := w.enrollTOTP("ada")
	w.enrollSMS("ada", phone, mfa.WithProof(login.Proof))
	w.backupCodes("ada", login.Proof)
	required = true
	for _, method := range []mfa.Method{mfa.MethodTOTP, mfa.MethodSMS, mfa.MethodBackupCode} {
		for _, opts := range [][]mfa.ChangeOption{nil, {mfa.WithProof(login.Proof)}} {
			wantErr(t, w.Unenroll(w.ctx, "ada", method, opts...), mfa.ErrEnforced)
		}
	}
	wantErr(t, w.Unenroll(w.ctx, "bob", mfa.MethodTOTP), mfa.ErrNotEnrolled)
	w.login("ada", a.code())
	w.enrollTOTP("ada", mfa.WithProof(login.Proof)) // a replacement is allowed
}

func TestUnenroll(t *testing.T) {
	w := newWorld(t)
	wantErr(t, w.Unenroll(w.ctx, "ada", mfa.MethodTOTP), mfa.ErrNotEnrolled)
	wantErr(t, w.Unenroll(w.ctx, "ada", "fax"), mfa.ErrNotEnrolled)
	wantErr(t, w.Unenroll(w.ctx, "ada", ""), mfa.ErrNotEnrolled)
	a, login := w.enrollTOTP("ada")
	codes := w.backupCodes("ada", login.Proof)
	wantErr(t, w.Unenroll(w.ctx, "ada", mfa.MethodSMS), mfa.ErrNotEnrolled)
	wantErr(t, w.Unenroll(w.ctx, "ada", "fax"), mfa.ErrNotEnrolled)
	login = w.enrollSMS("ada", phone, mfa.WithProof(login.Proof))
	w.told()
	ok(t, w.Unenroll(w.ctx, "ada", mfa.MethodTOTP, mfa.WithProof(login.Proof)))
	w.wantTold(mfa.EventUnenrolled)
	if got := w.enrolled("ada"); !slices.Equal(got, []mfa.Method{mfa.MethodSMS, mfa.MethodBackupCode}) {
		t.Errorf("enrolled %v", got)
	}
	challenge := w.begin("ada")
	_, err := w.VerifyLogin(w.ctx, challenge.Token, a.code())
	wantErr(t, err, mfa.ErrInvalidCode)
	login, err = w.VerifyLogin(w.ctx, challenge.Token, codes[0])
	ok(t, err)
	ok(t, w.Unenroll(w.ctx, "ada", mfa.MethodSMS, mfa.WithProof(login.Proof)))
	if got := w.enrolled("ada"); got != nil {
		t.Errorf("enrolled %v", got)
	}
	ok(t, w.BeginLogin(w.ctx, "ada"))

	// With a new factor the old backup codes stay dead.
	w.enrollTOTP("ada")
	_, err = w.VerifyLogin(w.ctx, w.begin("ada").Token, codes[1])
	wantErr(t, err, mfa.ErrInvalidCode)
}

func TestPolicyThatFailsRefuses(t *testing.T) {
	down := errors.New("policy is down")
	failing := false
	w := newWorld(t, func(c *mfa.Config) {
		c.Required = func(context.Context, string) (bool, error) {
			if failing {
				return false, down
			}
			return false, nil
		}
	})
	a, login := w.enrollTOTP("ada")
	failing = true
	wantErr(t, w.BeginLogin(w.ctx, "bob"), down)
	wantErr(t, w.Unenroll(w.ctx, "ada", mfa.MethodTOTP, mfa.WithProof(login.Proof)), down)
	_, err := w.Status(w.ctx, "ada")
	wantErr(t, err, down)
	w.login("ada", a.code()) // who has a factor is not locked out
}

func TestProofs(t *testing.T) {
	changes := map[string]func(w *world, opts ...mfa.ChangeOption) error{
		"EnrollTOTP": func(w *world, opts ...mfa.ChangeOption) error {
			_, err := w.EnrollTOTP(w.ctx, "ada", "a", opts...)
			return err
		},
		"EnrollSMS": func(w *world, opts ...mfa.ChangeOption) error {
			_, err := w.EnrollSMS(w.ctx, "ada", phone, opts...)
			return err
		},
		"GenerateBackupCodes": func(w *world, opts ...mfa.ChangeOption) error {
			_, err := w.GenerateBackupCodes(w.ctx, "ada", opts...)
			return err
		},
		"Unenroll": func(w *world, opts ...mfa.ChangeOption) error {
			return w.Unenroll(w.ctx, "ada", mfa.MethodTOTP, opts...)
		},
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			a, _ := w.enrollTOTP("ada")
			w.told()
			before, err := w.store.Load(w.ctx, "ada")
			ok(t, err)
			challenge := challenged(t, change(w))
			w.wantTold(mfa.EventChallenged)
			if challenge.Action != mfa.ActionManage {
				t.Errorf("action %q", challenge.Action)
			}
			if after, err := w.store.Load(w.ctx, "ada"); err != nil || after.Version != before.Version || len(w.outbox.Messages()) != 0 {
				t.Error("something was done without a proof")
			}
			_, err = w.VerifyLogin(w.ctx, challenge.Token, a.code())
			wantErr(t, err, mfa.ErrInvalidToken)
			login, err := w.VerifyStepUp(w.ctx, challenge.Token, mfa.ActionManage, a.code())
			ok(t, err)

			for _, bad := range []string{"", "x", login.Proof + "A", challenge.Token} {
				challenged(t, change(w, mfa.WithProof(bad)))
			}
			w.clock.Advance(15 * time.Minute)
			challenged(t, change(w, mfa.WithProof(login.Proof)))
			w.clock.Advance(-1)
			ok(t, change(w, mfa.WithProof(login.Proof), nil))
		})
	}
	for name, change := range changes {
		t.Run("SkipProof/"+name, func(t *testing.T) {
			w := newWorld(t, func(c *mfa.Config) { c.SkipProof = true })
			w.enrollTOTP("ada")
			ok(t, change(w))
		})
	}
}

func TestProofsEnd(t *testing.T) {
	for name, end := range map[string]func(w *world, proof string) error{
		"the password changed":  func(w *world, _ string) error { return w.PasswordChanged(w.ctx, "ada") },
		"a factor was replaced": func(w *world, proof string) error { w.enrollTOTP("ada", mfa.WithProof(proof)); return nil },
		"a factor was imported": func(w *world, _ string) error {
			return w.ImportTOTP(w.ctx, "ada", "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP")
		},
	} {
		w := newWorld(t)
		_, login := w.enrollTOTP("ada")
		_, err := w.EnrollSMS(w.ctx, "ada", phone, mfa.WithProof(login.Proof))
		ok(t, err)
		w.clock.Advance(time.Minute)
		ok(t, end(w, login.Proof))
		if _, err := w.EnrollSMS(w.ctx, "ada", phone, mfa.WithProof(login.Proof)); err == nil {
			t.Errorf("%s: still a proof", name)
		}
	}
}

// TestWhatAStrangerBeganIsDropped: whoever has the password alone can begin an
// enrollment as long as there is no factor, but not finish it after the owner
// has one.
func TestWhatAStrangerBeganIsDropped(t *testing.T) {
	for _, skipProof := range []bool{false, true} {
		for name, confirm := range map[string]func(w *world){
			"totp":     func(w *world) { w.enrollTOTP("ada") },
			"sms":      func(w *world) { w.enrollSMS("ada", phone) },
			"imported": func(w *world) { ok(t, w.ImportSMS(w.ctx, "ada", phone)) },
		} {
			w := newWorld(t, func(c *mfa.Config) { c.SkipProof = skipProof })
			w.told()
			var finish func() error
			if name == "totp" {
				_, err := w.EnrollSMS(w.ctx, "ada", phone2)
				ok(t, err)
				finish = func() error {
					_, err := w.VerifyEnrollment(w.ctx, "ada", mfa.MethodSMS, w.outbox.Code(phone2))
					return err
				}
			} else {
				enrollment, err := w.EnrollTOTP(w.ctx, "ada", "a")
				ok(t, err)
				stranger := w.scan(enrollment.URI)
				finish = func() error {
					_, err := w.VerifyEnrollment(w.ctx, "ada", mfa.MethodTOTP, stranger.code())
					return err
				}
			}
			confirm(w)
			if err := finish(); !errors.Is(err, mfa.ErrNoPendingEnrollment) {
				t.Errorf("%s, SkipProof %v: %v", name, skipProof, err)
			}
		}
	}
}

func TestWhatWasBegunWithAProofStays(t *testing.T) {
	w := newWorld(t)
	_, login := w.enrollTOTP("ada")
	enrollment, err := w.EnrollTOTP(w.ctx, "ada", "a", mfa.WithProof(login.Proof))
	ok(t, err)
	w.enrollSMS("ada", phone, mfa.WithProof(login.Proof))
	_, err = w.VerifyEnrollment(w.ctx, "ada", mfa.MethodTOTP, w.scan(enrollment.URI).code())
	ok(t, err)
}

func TestPasswordChangeDropsWhatIsPending(t *testing.T) {
	w := newWorld(t)
	enrollment, err := w.EnrollTOTP(w.ctx, "ada", "a")
	ok(t, err)
	_, err = w.EnrollSMS(w.ctx, "ada", phone)
	ok(t, err)
	ok(t, w.PasswordChanged(w.ctx, "ada"))
	_, err = w.VerifyEnrollment(w.ctx, "ada", mfa.MethodTOTP, w.scan(enrollment.URI).code())
	wantErr(t, err, mfa.ErrNoPendingEnrollment)
	_, err = w.VerifyEnrollment(w.ctx, "ada", mfa.MethodSMS, w.outbox.Code(phone))
	wantErr(t, err, mfa.ErrNoPendingEnrollment)
}

func TestPasswordChangeKeepsFactors(t *testing.T) {
	w := newWorld(t)
	a, login := w.enrollTOTP("ada")
	codes := w.backupCodes("ada", login.Proof)
	challenge := w.begin("ada")
	for range 5 {
		w.VerifyLogin(w.ctx, challenge.Token, a.wrong())
	}
	w.told()
	ok(t, w.PasswordChanged(w.ctx, "ada"))
	w.wantTold(mfa.EventPasswordChanged)
	_, err := w.VerifyLogin(w.ctx, w.begin("ada").Token, a.code()) // failures stay
	wantThrottled(t, err, time.Second)
	w.clock.Advance(time.Second)
	w.login("ada", a.code())
	w.login("ada", codes[0])
}

func TestReset(t *testing.T) {
	w := newWorld(t)
	a, login := w.enrollTOTP("ada")
	w.enrollSMS("ada", phone, mfa.WithProof(login.Proof))
	w.backupCodes("ada", login.Proof)
	w.told()
	ok(t, w.Reset(w.ctx, "ada"))
	w.wantTold(mfa.EventReset)
	if got := w.enrolled("ada"); got != nil {
		t.Errorf("enrolled %v", got)
	}
	ok(t, w.BeginLogin(w.ctx, "ada"))
	_, err := w.VerifyEnrollment(w.ctx, "ada", mfa.MethodTOTP, a.code())
	wantErr(t, err, mfa.ErrNoPendingEnrollment)
	w.enrollTOTP("ada") // from the beginning, without a proof
}

func TestDeleteUser(t *testing.T) {
	w := newWorld(t)
	w.enrollTOTP("ada")
	a, _ := w.enrollTOTP("bob")
	ok(t, w.DeleteUser(w.ctx, "ada"))
	ok(t, w.DeleteUser(w.ctx, "ada"))
	if _, err := w.store.Load(w.ctx, "ada"); !errors.Is(err, mfa.ErrNoRecord) {
		t.Errorf("left behind: %v", err)
	}
	ok(t, w.BeginLogin(w.ctx, "ada"))
	w.login("bob", a.code())
}

func TestStatus(t *testing.T) {
	w := newWorld(t)
	if got := marshal(t, w.status("ada")); got != `{"factors":[],"backup_codes_left":0,"required":false}` {
		t.Errorf("nobody: %s", got)
	}
	if got := marshal(t, mfa.Status{}); got != `{"factors":[],"backup_codes_left":0,"required":false}` {
		t.Errorf("zero: %s", got)
	}
	a, login := w.enrollTOTP("ada")
	w.enrollSMS("ada", phone, mfa.WithProof(login.Proof))
	w.backupCodes("ada", login.Proof)
	w.clock.Advance(time.Second)
	w.login("ada", a.code())
	challenge := w.begin("ada")
	for range 5 {
		w.VerifyLogin(w.ctx, challenge.Token, a.wrong())
	}
	want := `{"factors":[` +
		`{"method":"totp","enrolled_at":"2030-01-01T00:00:10Z","last_used_at":"2030-01-01T00:02:11Z","disabled":false,"retry_at":"2030-01-01T00:02:12Z"},` +
		`{"method":"sms","phone":"+23*****678","enrolled_at":"2030-01-01T00:01:10Z","disabled":false},` +
		`{"method":"backup_code","enrolled_at":"2030-01-01T00:02:10Z","disabled":false}],` +
		`"backup_codes_left":2,"required":false}`
	if got := marshal(t, w.status("ada")); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestUserIDs(t *testing.T) {
	w := newWorld(t)
	bad := []string{"", strings.Repeat("a", 256), strings.Repeat("é", 128), "a\x00b", "a\n", "\x7f", "\u0085", "a\xff"}
	for _, user := range bad {
		calls := map[string]error{
			"BeginLogin":      w.BeginLogin(w.ctx, user),
			"Unenroll":        w.Unenroll(w.ctx, user, mfa.MethodTOTP),
			"Reset":           w.Reset(w.ctx, user),
			"Unlock":          w.Unlock(w.ctx, user),
			"PasswordChanged": w.PasswordChanged(w.ctx, user),
			"Reseal":          w.Reseal(w.ctx, user),
			"DeleteUser":      w.DeleteUser(w.ctx, user),
			"ForgetDevices":   w.ForgetDevices(w.ctx, user),
			"ImportTOTP":      w.ImportTOTP(w.ctx, user, "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP"),
			"ImportSMS":       w.ImportSMS(w.ctx, user, phone),
		}
		_, calls["EnrollTOTP"] = w.EnrollTOTP(w.ctx, user, "a")
		_, calls["EnrollSMS"] = w.EnrollSMS(w.ctx, user, phone)
		_, calls["VerifyEnrollment"] = w.VerifyEnrollment(w.ctx, user, mfa.MethodTOTP, "123456")
		_, calls["GenerateBackupCodes"] = w.GenerateBackupCodes(w.ctx, user)
		_, calls["Status"] = w.Status(w.ctx, user)
		_, calls["BeginStepUp"] = w.BeginStepUp(w.ctx, user, "x")
		_, calls["TrustDevice"] = w.TrustDevice(w.ctx, user, "")
		for name, err := range calls {
			if !errors.Is(err, mfa.ErrInvalidUser) {
				t.Errorf("%s(%.20q): %v", name, user, err)
			}
		}
	}
	for _, user := range []string{"a", strings.Repeat("a", 255), "ada@example.com", "Ada ", "ada|bob", `{"$ne":null}`, "日本", "a\u200bb"} {
		a, _ := w.enrollTOTP(user)
		challenge := w.begin(user)
		login, err := w.VerifyLogin(w.ctx, challenge.Token, a.code())
		ok(t, err)
		if login.UserID != user {
			t.Errorf("%q logged in as %q", user, login.UserID)
		}
	}
	ok(t, w.BeginLogin(w.ctx, "ada ")) // not "Ada "
}

func TestUnknownMethods(t *testing.T) {
	w := newWorld(t)
	for _, method := range []mfa.Method{"", "fax", "TOTP", mfa.MethodBackupCode} {
		_, err := w.VerifyEnrollment(w.ctx, "ada", method, "123456")
		wantErr(t, err, mfa.ErrMethodUnavailable)
	}
	w = newWorld(t, func(c *mfa.Config) { c.SMS = nil })
	_, err := w.EnrollSMS(w.ctx, "ada", phone)
	wantErr(t, err, mfa.ErrMethodUnavailable)
	_, err = w.VerifyEnrollment(w.ctx, "ada", mfa.MethodSMS, "123456")
	wantErr(t, err, mfa.ErrMethodUnavailable)
}
