package attack_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
	"github.com/protekt/mfa/internal/record"
	"github.com/protekt/mfa/internal/totp"
)

// importedURI holds an app's key that another system has confirmed.
const importedURI = "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP"

// E01: a factor is enrolled, yet a login goes through without it.
func TestE01EnrolledFactorIsAsked(t *testing.T) {
	enrolled := map[string]func(w *world.World){
		"app":            func(w *world.World) { w.GiveTOTP("ada") },
		"phone":          func(w *world.World) { w.GiveSMS("ada", world.Phone) },
		"imported app":   func(w *world.World) { world.OK(t, w.ImportTOTP(w.Ctx, "ada", importedURI)) },
		"imported phone": func(w *world.World) { world.OK(t, w.ImportSMS(w.Ctx, "ada", world.Phone)) },
	}
	policies := map[string]func(context.Context, string) (bool, error){
		"no policy":         nil,
		"not required":      func(context.Context, string) (bool, error) { return false, nil },
		"required":          func(context.Context, string) (bool, error) { return true, nil },
		"policy that fails": func(context.Context, string) (bool, error) { return false, errors.New("down") },
	}
	meanwhile := map[string]func(w *world.World) error{
		"nothing":              func(*world.World) error { return nil },
		"the password changed": func(w *world.World) error { return w.PasswordChanged(w.Ctx, "ada") },
		"devices forgotten":    func(w *world.World) error { return w.ForgetDevices(w.Ctx, "ada") },
		"unlocked":             func(w *world.World) error { return w.Unlock(w.Ctx, "ada") },
		"resealed":             func(w *world.World) error { return w.Reseal(w.Ctx, "ada") },
		"an open challenge":    func(w *world.World) error { w.Begin("ada"); return nil },
		"a year":               func(w *world.World) error { w.Clock.Advance(365 * 24 * time.Hour); return nil },
		"back to 1970":         func(w *world.World) error { w.Clock.Set(time.Unix(0, 0)); return nil },
	}
	for name, enroll := range enrolled {
		for policyName, policy := range policies {
			for eventName, happen := range meanwhile {
				w := world.New(t)
				world.OK(t, w.BeginLogin(w.Ctx, "ada")) // succeeds, since nothing is enrolled
				enroll(w)
				w.Engine = w.Another(func(c *mfa.Config) { c.Required = policy })
				world.OK(t, happen(w))
				if err := w.BeginLogin(w.Ctx, "ada"); !errors.As(err, new(*mfa.ChallengeError)) {
					t.Errorf("%s, %s, %s: got %v, want a ChallengeError", name, policyName, eventName, err)
				}
			}
		}
	}

	// A user with no factor that can be used is not let in either.
	w := world.New(t)
	w.GiveSMS("ada", world.Phone)
	world.WantErr(t, w.Another(func(c *mfa.Config) { c.SMS = nil }).BeginLogin(w.Ctx, "ada"), mfa.ErrMethodUnavailable)
	w.Tamper("ada", func(u *record.User) { u.Lanes.SMS.Disabled = true })
	world.WantErr(t, w.BeginLogin(w.Ctx, "ada"), mfa.ErrFactorDisabled)
}

// E02: MFA is required, yet having no factor counts as an answer: a skip mark, a
// grace period, "no factor, so nothing to check".
func TestE02RequiredMeansEnrollment(t *testing.T) {
	required := false
	for name, prepare := range map[string]func(w *world.World) (device string){
		"a new user": func(*world.World) string { return "" },
		"an app is pending": func(w *world.World) string {
			_, err := w.EnrollTOTP(w.Ctx, "ada", "ada")
			world.OK(t, err)
			return ""
		},
		"a phone is pending": func(w *world.World) string {
			_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
			world.OK(t, err)
			return ""
		},
		"wrong codes for what is pending": func(w *world.World) string {
			enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "ada")
			if err != nil {
				w.T.Fatal(err)
			}
			for range 6 {
				w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, w.Scan(enrollment.URI).Wrong())
			}
			return ""
		},
		"a device trusted in an earlier life": func(w *world.World) string {
			_, login := w.GiveTOTP("ada")
			device, err := w.TrustDevice(w.Ctx, "ada", login.Proof, "")
			world.OK(t, err)
			world.OK(t, w.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(device.Token)))
			world.OK(t, w.Reset(w.Ctx, "ada"))
			return device.Token
		},
		"the last factor was removed": func(w *world.World) string {
			_, login := w.GiveTOTP("ada")
			world.OK(t, w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP, mfa.WithProof(login.Proof)))
			return ""
		},
		"the password changed": func(w *world.World) string { world.OK(t, w.PasswordChanged(w.Ctx, "ada")); return "" },
	} {
		t.Run(name, func(t *testing.T) {
			required = false
			w := world.New(t, world.RequiredWhen(&required))
			device := prepare(w)
			world.OK(t, w.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(device))) // succeeds, since MFA is optional
			required = true
			var enrollment *mfa.EnrollmentError
			if err := w.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(device)); !errors.As(err, &enrollment) {
				t.Fatalf("got %v, want an EnrollmentError", err)
			}

			// The token is valid for the enrollment pages only.
			user, err := w.EnrollmentUser(w.Ctx, enrollment.Token)
			if err != nil || user != "ada" {
				t.Fatalf("%q, %v", user, err)
			}
			token := enrollment.Token // C03 shows that nothing else accepts it
			_, err = w.GenerateBackupCodes(w.Ctx, "ada", mfa.WithProof(token))
			world.WantErr(t, err, mfa.ErrNotEnrolled)
			if err := w.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(token)); !errors.As(err, &enrollment) {
				t.Errorf("the token passes for a trusted device's: %v", err)
			}

			// Confirming a factor is the only way to log in.
			_, login := w.GiveTOTP("ada")
			if login.UserID != "ada" || login.Action != mfa.ActionEnroll || login.Proof == "" {
				t.Errorf("%+v", *login)
			}
			_, err = w.EnrollmentUser(w.Ctx, token)
			world.WantErr(t, err, mfa.ErrInvalidToken)
			w.Begin("ada")
		})
	}
}

// E03: MFA is required, and a user without a factor can neither enroll nor log in.
func TestE03RequiredHasAWayIn(t *testing.T) {
	required := true
	for name, enroll := range map[string]func(w *world.World, user string) (code string, method mfa.Method){
		"app": func(w *world.World, user string) (string, mfa.Method) {
			enrollment, err := w.EnrollTOTP(w.Ctx, user, user)
			if err != nil {
				w.T.Fatal(err)
			}
			return w.Scan(enrollment.URI).Shows(), mfa.MethodTOTP
		},
		"phone": func(w *world.World, user string) (string, mfa.Method) {
			_, err := w.EnrollSMS(w.Ctx, user, world.Phone)
			world.OK(t, err)
			return w.Outbox.Code(world.Phone), mfa.MethodSMS
		},
		"app, after a phone was given up": func(w *world.World, user string) (string, mfa.Method) {
			_, err := w.EnrollSMS(w.Ctx, user, world.Phone)
			world.OK(t, err)
			for range 5 {
				w.VerifyEnrollment(w.Ctx, user, mfa.MethodSMS, world.WrongSMS(w.Outbox.Code(world.Phone)))
			}
			enrollment, err := w.EnrollTOTP(w.Ctx, user, user)
			if err != nil {
				w.T.Fatal(err)
			}
			return w.Scan(enrollment.URI).Shows(), mfa.MethodTOTP
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := world.New(t, world.RequiredWhen(&required))
			offer := w.MustEnroll("ada")
			user, err := w.EnrollmentUser(w.Ctx, offer.Token) // the host has only the token
			world.OK(t, err)
			code, method := enroll(w, user)
			if !slices.Contains(offer.Methods, method) {
				t.Errorf("%s is not among the methods %v", method, offer.Methods)
			}
			login, err := w.VerifyEnrollment(w.Ctx, user, method, code)
			if err != nil || login.UserID != "ada" {
				t.Fatalf("%+v, %v", login, err)
			}
			if next := w.Begin("ada"); !slices.Equal(next.Methods, []mfa.Method{method}) {
				t.Errorf("the next login offers %v", next.Methods)
			}
			world.WantErr(t, w.Unenroll(w.Ctx, "ada", method, mfa.WithProof(login.Proof)), mfa.ErrEnforced)
		})
	}

	// A token that has ended is replaced by beginning the login again.
	w := world.New(t, world.RequiredWhen(&required))
	old := w.MustEnroll("ada")
	world.OK(t, w.PasswordChanged(w.Ctx, "ada"))
	_, err := w.EnrollmentUser(w.Ctx, old.Token)
	world.WantErr(t, err, mfa.ErrInvalidToken)
	_, err = w.EnrollmentUser(w.Ctx, w.MustEnroll("ada").Token)
	world.OK(t, err)
}

// E04: the check whether MFA is required fails, and counts as a no.
func TestE04PolicyFailsClosed(t *testing.T) {
	down := errors.New("policy is down")
	cases := map[string]struct {
		policy func(context.Context, string) (bool, error)
		want   error
	}{
		"an error":              {func(context.Context, string) (bool, error) { return false, down }, down},
		"an error with a no":    {func(context.Context, string) (bool, error) { return false, fmt.Errorf("wrapped: %w", down) }, down},
		"an error with a yes":   {func(context.Context, string) (bool, error) { return true, down }, down},
		"an error of no record": {func(context.Context, string) (bool, error) { return false, mfa.ErrNoRecord }, mfa.ErrNoRecord},
		"the caller's time is up": {func(ctx context.Context, _ string) (bool, error) {
			<-ctx.Done()
			return false, ctx.Err()
		}, context.Canceled},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			failing := false
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			w := world.New(t, func(c *mfa.Config) {
				c.Required = func(_ context.Context, user string) (bool, error) {
					if failing {
						cancel()
						return test.policy(ctx, user)
					}
					return false, nil
				}
			})
			app, login := w.GiveTOTP("ada")
			world.OK(t, w.BeginLogin(w.Ctx, "bob")) // while the policy works
			failing = true
			err := w.BeginLogin(w.Ctx, "bob")
			if !errors.Is(err, test.want) || mfa.ErrorCode(err) != "internal" {
				t.Errorf("a user without a factor: %v (%s)", err, mfa.ErrorCode(err))
			}
			err = w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP, mfa.WithProof(login.Proof))
			world.WantErr(t, err, test.want)
			_, err = w.Status(w.Ctx, "ada")
			world.WantErr(t, err, test.want)
			w.Login("ada", app.Shows()) // a user with a factor is challenged in any case
		})
	}

	// A panic is the host's to handle; it does not count as an answer.
	w := world.New(t, func(c *mfa.Config) {
		c.Required = func(context.Context, string) (bool, error) { panic("policy") }
	})
	var err error
	returned := false
	func() {
		defer func() { recover() }()
		err = w.BeginLogin(w.Ctx, "bob")
		returned = true
	}()
	if returned {
		t.Errorf("with a policy that panics, BeginLogin returned %v", err)
	}

	// Nor does a store's failure.
	store := world.NewFaultStore()
	w = world.New(t, func(c *mfa.Config) { c.Store = store })
	w.GiveTOTP("ada")
	world.OK(t, w.BeginLogin(w.Ctx, "bob"))
	for _, user := range []string{"ada", "bob"} {
		for fault, want := range map[world.Fault]error{world.Fails: world.ErrStore, world.Cancelled: context.Canceled} {
			store.Arm(store.Snapshot(), 1, fault)
			if err := w.BeginLogin(w.Ctx, user); !errors.Is(err, want) || mfa.ErrorCode(err) != "internal" {
				t.Errorf("%s, the store %s: %v", user, fault, err)
			}
		}
	}
}

// E05 (CVE-2026-33315, CVE-2026-34727, CVE-2025-6013 and others): another way in
// skips MFA. The ways in are the host's part. The engine's part is that a single
// value, a Login, completes a login and names its user, and that only the engine
// returns it.
func TestE05OneValueCompletesALogin(t *testing.T) {
	var makers []string
	engine := reflect.TypeFor[*mfa.Engine]()
	for i := range engine.NumMethod() {
		method := engine.Method(i)
		for out := range method.Type.NumOut() {
			if method.Type.Out(out) == reflect.TypeFor[*mfa.Login]() {
				makers = append(makers, method.Name)
			}
		}
	}
	if want := []string{"VerifyEnrollment", "VerifyLogin", "VerifyStepUp"}; !slices.Equal(makers, want) {
		t.Errorf("a Login comes from %v, want %v", makers, want)
	}

	// Each door returns a Login for its own action, whose user comes from the
	// token.
	w := world.New(t)
	ada, bob := w.Given("ada", world.Phone), w.Given("bob", world.Phone2)
	for _, door := range doorsOf("bob") {
		w.Clock.Advance(time.Minute)
		login, err := door.enter(w.Ctx, w.Engine, door.open(w, "bob"), bob.Shows())
		if err != nil {
			t.Fatal(err)
		}
		action := door.name
		if action == "login" {
			action = mfa.ActionLogin
		}
		if login.UserID != "bob" || login.Action != action {
			t.Errorf("%s returns a Login of %q for %q", door.name, login.UserID, login.Action)
		}
		if proves := login.Proof != ""; proves != (action == mfa.ActionLogin || action == mfa.ActionManage) {
			t.Errorf("%s returns a proof: %v", door.name, proves)
		}
		// Bob's proof is worthless for ada.
		_, err = w.TrustDevice(w.Ctx, "ada", login.Proof, "")
		world.WantErr(t, err, mfa.ErrInvalidToken)
		w.Begin("ada", mfa.WithTrustedDevice(login.Proof))
		_, err = w.GenerateBackupCodes(w.Ctx, "ada", mfa.WithProof(login.Proof))
		world.Challenged(t, err)
	}
	w.Login("ada", ada.Shows())

	// Another spelling of the name is another user, who must enroll if MFA is
	// required.
	required := true
	w.Engine = w.Another(world.RequiredWhen(&required))
	w.Begin("ada")
	for _, alias := range []string{"Ada", "ADA", "ada ", " ada", "ada\u200b", "аda"} {
		w.MustEnroll(alias)
	}
}

// E06: a new password is a way around MFA.
func TestE06PasswordResetLeavesMFA(t *testing.T) {
	for _, required := range []bool{false, true} {
		w := world.New(t, world.RequiredWhen(&required))
		ada := w.Given("ada", world.Phone)
		device, err := w.TrustDevice(w.Ctx, "ada", ada.Proof, "")
		world.OK(t, err)
		world.OK(t, w.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(device.Token)))
		before := w.StatusOf("ada")
		open := w.Begin("ada")
		for range 5 {
			w.VerifyLogin(w.Ctx, w.Begin("ada").Token, ada.Wrong())
		}
		failed := w.Factor("ada", mfa.MethodTOTP)

		for range 2 {
			world.OK(t, w.PasswordChanged(w.Ctx, "ada"))
			w.Begin("ada")                                      // logins still ask for a code,
			w.Begin("ada", mfa.WithTrustedDevice(device.Token)) // on every device,
			if got := w.Enrolled("ada"); len(got) != len(before.Factors) {
				t.Errorf("enrolled %v", got) // from the same factors,
			}
			if got := w.Factor("ada", mfa.MethodTOTP); !got.RetryAt.Equal(failed.RetryAt) || got.RetryAt.IsZero() {
				t.Errorf("delayed until %v, want %v", got.RetryAt, failed.RetryAt) // whose failures are not forgotten
			}
			_, err = w.GenerateBackupCodes(w.Ctx, "ada", mfa.WithProof(ada.Proof))
			world.Challenged(t, err)
		}

		// A login begun before the change ends without a Login, even with a right
		// code.
		w.Clock.Advance(time.Second)
		_, err = w.VerifyLogin(w.Ctx, open.Token, ada.Shows())
		world.WantErr(t, err, mfa.ErrInvalidToken)
		w.Login("ada", ada.Shows())
	}
}

// E07: an unknown setting, name or stored kind is treated as a harmless one. B13
// and TestNewRefusesNonsense test the settings of a Config.
func TestE07UnknownNamesAreRefused(t *testing.T) {
	w := world.New(t)
	ada := w.Given("ada", world.Phone)
	for _, method := range []mfa.Method{"", "-1", "99", "TOTP", "totp ", "fax", mfa.MethodPasskey, mfa.MethodBackupCode} {
		_, err := w.VerifyEnrollment(w.Ctx, "ada", method, ada.Shows())
		if method == "" { // selects the enrollment begun last, and there is none
			world.WantErr(t, err, mfa.ErrNoPendingEnrollment)
		} else {
			world.WantErr(t, err, mfa.ErrMethodUnavailable)
		}
		if method != mfa.MethodBackupCode {
			world.WantErr(t, w.Unenroll(w.Ctx, "ada", method, mfa.WithProof(ada.Proof)), mfa.ErrNotEnrolled)
		}
	}
	for _, action := range []string{"", mfa.ActionLogin, mfa.ActionEnroll, "a\x00", "a\nb", fmt.Sprintf("%065d", 0)} {
		_, err := w.BeginStepUp(w.Ctx, "ada", action)
		world.WantErr(t, err, mfa.ErrInvalidInput)
		_, err = w.VerifyStepUp(w.Ctx, "ada", stepUp("transfer").open(w, "ada"), action, ada.Shows())
		world.WantErr(t, err, mfa.ErrInvalidToken)
	}

	// Nor is an unknown value in a stored record accepted.
	for name, change := range map[string]func(u *record.User){
		"no change":     func(*record.User) {},
		"algorithm 0":   func(u *record.User) { u.TOTP[0].Key.Algorithm = 0 },
		"algorithm 99":  func(u *record.User) { u.TOTP[0].Key.Algorithm = 99 },
		"algorithm 255": func(u *record.User) { u.TOTP[0].Key.Algorithm = totp.Algorithm(255) },
		"digits 99":     func(u *record.User) { u.TOTP[0].Key.Digits = 99 },
		"period 0":      func(u *record.User) { u.TOTP[0].Key.Period = 0 },
	} {
		w := world.New(t)
		w.GiveTOTP("ada")
		w.Tamper("ada", change)
		err := w.BeginLogin(w.Ctx, "ada")
		if name == "no change" {
			world.Challenged(t, err)
		} else if mfa.ErrorCode(err) != "internal" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for at, odd := range map[int]byte{0: 99, 9: 0xff, 10: 0xff, 11: 0xff} { // the version, and what the record holds
		w := world.New(t)
		w.GiveTOTP("ada")
		plain := w.Opened("ada")
		plain[at] = odd
		w.Plant("ada", plain)
		if err := w.BeginLogin(w.Ctx, "ada"); mfa.ErrorCode(err) != "internal" {
			t.Errorf("byte %d is %d: %v", at, odd, err)
		}
	}
}

// E08: a lost row, a stale replica or another spelling of the user's ID reads as a
// user without MFA. A host that keeps its own record of who has enrolled, and
// passes ExpectEnrolled, lets nobody in.
func TestE08LostRowIsNoUserWithoutMFA(t *testing.T) {
	required := false
	for name, lose := range map[string]func(w *world.World) (engine *mfa.Engine, userID string){
		"deleted": func(w *world.World) (*mfa.Engine, string) {
			world.OK(t, w.Store.Delete(w.Ctx, "ada"))
			return w.Engine, "ada"
		},
		"a lagging replica": func(w *world.World) (*mfa.Engine, string) {
			return w.Another(func(c *mfa.Config) { c.Store = mfa.NewMemoryStore() }), "ada"
		},
		"another spelling": func(w *world.World) (*mfa.Engine, string) { return w.Engine, "Ada" },
		"a record of before": func(w *world.World) (*mfa.Engine, string) {
			world.OK(t, w.Reset(w.Ctx, "ada"))
			return w.Engine, "ada"
		},
		"only something pending": func(w *world.World) (*mfa.Engine, string) {
			enrollTOTP(w, "eve")
			return w.Engine, "eve"
		},
	} {
		for _, required = range []bool{false, true} {
			w := world.New(t, world.RequiredWhen(&required))
			_, login := w.GiveTOTP("ada")
			device, err := w.TrustDevice(w.Ctx, "ada", login.Proof, "")
			world.OK(t, err)
			trusted := mfa.WithTrustedDevice(device.Token)
			world.Challenged(t, w.BeginLogin(w.Ctx, "ada", mfa.ExpectEnrolled())) // changes nothing for an enrolled user
			world.OK(t, w.BeginLogin(w.Ctx, "ada", mfa.ExpectEnrolled(), trusted))
			engine, userID := lose(w)
			w.NewEvents()
			for _, opts := range [][]mfa.LoginOption{{mfa.ExpectEnrolled()}, {trusted, mfa.ExpectEnrolled()}} {
				if err := engine.BeginLogin(w.Ctx, userID, opts...); !errors.Is(err, mfa.ErrNotEnrolled) {
					t.Errorf("%s, required %t: %v", name, required, err)
				}
			}
			w.WantEvents() // no event that the login passed or must enroll
		}
	}
}
