package attack_test

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

// enrollTOTP begins the enrollment of an app and returns the app.
func enrollTOTP(w *world.World, user string, opts ...mfa.ChangeOption) world.App {
	w.T.Helper()
	enrollment, err := w.EnrollTOTP(w.Ctx, user, "a", opts...)
	if err != nil {
		w.T.Fatalf("EnrollTOTP: %v", err)
	}
	return w.Scan(enrollment.URI)
}

// confirm confirms a pending enrollment.
func confirm(w *world.World, method mfa.Method, code string) error {
	_, err := w.VerifyEnrollment(w.Ctx, "ada", method, code)
	return err
}

// D01: an unconfirmed factor replaces the confirmed one, and locks its user out.
func TestD01UnconfirmedReplaces(t *testing.T) {
	t.Run("app", func(t *testing.T) {
		w := world.New(t)
		active, login := w.GiveTOTP("ada")
		b := enrollTOTP(w, "ada", mfa.WithProof(login.Proof))
		w.Login("ada", active.Shows())
		_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, b.Shows())
		world.WantTries(t, err, 4)

		c := enrollTOTP(w, "ada", mfa.WithProof(login.Proof))
		world.WantTries(t, confirm(w, mfa.MethodTOTP, b.Shows()), 4) // only the last can be confirmed
		w.Clock.Advance(step)
		w.Login("ada", active.Shows())
		world.OK(t, confirm(w, mfa.MethodTOTP, c.Shows()))
		w.Clock.Advance(step)
		_, err = w.VerifyLogin(w.Ctx, w.Begin("ada").Token, active.Shows())
		world.WantTries(t, err, 4)
		w.Login("ada", c.Shows())
	})
	t.Run("abandoned", func(t *testing.T) {
		w := world.New(t)
		active, login := w.GiveTOTP("ada")
		b := enrollTOTP(w, "ada", mfa.WithProof(login.Proof))
		w.Clock.Advance(15 * time.Minute)
		world.WantErr(t, confirm(w, mfa.MethodTOTP, b.Shows()), mfa.ErrNoPendingEnrollment)
		w.Login("ada", active.Shows())
	})
	t.Run("given up after wrong codes", func(t *testing.T) {
		w := world.New(t)
		active, login := w.GiveTOTP("ada")
		b := enrollTOTP(w, "ada", mfa.WithProof(login.Proof))
		for i := range 5 {
			world.WantTries(t, confirm(w, mfa.MethodTOTP, b.Wrong()), 4-i)
		}
		world.WantErr(t, confirm(w, mfa.MethodTOTP, b.Shows()), mfa.ErrNoPendingEnrollment)
		w.Login("ada", active.Shows())
	})
	t.Run("phone", func(t *testing.T) {
		w := world.New(t)
		login := w.GiveSMS("ada", world.Phone)
		_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone2, mfa.WithProof(login.Proof))
		world.OK(t, err)
		first := w.Outbox.Code(world.Phone2)
		w.Clock.Advance(step)
		w.AnswerBySMS(w.Begin("ada"))
		if last := w.Outbox.Messages()[len(w.Outbox.Messages())-1]; last.To != world.Phone {
			t.Errorf("a code for the login went to %s", last.To)
		}
		const third = "+4915112345678"
		w.Clock.Advance(step)
		_, err = w.EnrollSMS(w.Ctx, "ada", third, mfa.WithProof(login.Proof))
		world.OK(t, err)
		world.WantTries(t, confirm(w, mfa.MethodSMS, first), 4)
		world.OK(t, confirm(w, mfa.MethodSMS, w.Outbox.Code(third)))
		if got := w.Factor("ada", mfa.MethodSMS).Phone; got != "+49*****678" {
			t.Errorf("enrolled %s", got)
		}
	})
}

// D02: a new key inherits the old one's confirmation.
func TestD02InheritsConfirmed(t *testing.T) {
	w := world.New(t)
	login := w.GiveSMS("ada", world.Phone)
	app, login := w.GiveTOTP("ada", mfa.WithProof(login.Proof))
	before := world.JSON(t, w.StatusOf("ada"))
	b := enrollTOTP(w, "ada", mfa.WithProof(login.Proof))
	_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone2, mfa.WithProof(login.Proof))
	world.OK(t, err)
	if after := world.JSON(t, w.StatusOf("ada")); after != before {
		t.Errorf("Status shows an unconfirmed factor:\n%s\n%s", before, after)
	}
	if got := w.Stored("ada").Methods; !slices.Equal(got, []mfa.Method{mfa.MethodTOTP, mfa.MethodSMS}) {
		t.Errorf("the record lists the methods %v", got)
	}
	for _, d := range doors {
		_, err := d.enter(w.Ctx, w.Engine, d.open(w, "ada"), b.Shows())
		world.WantTries(t, err, 4)
	}
	w.Login("ada", app.Shows())

	// Nor after a wrong code and another EnrollTOTP.
	world.WantTries(t, confirm(w, mfa.MethodTOTP, b.Wrong()), 4)
	c := enrollTOTP(w, "ada", mfa.WithProof(login.Proof))
	_, err = w.VerifyLogin(w.Ctx, w.Begin("ada").Token, c.Shows())
	world.WantTries(t, err, 4)
	world.OK(t, confirm(w, mfa.MethodTOTP, c.Shows()))
}

// notProofs returns strings that are no fresh proof of ada's.
func notProofs(w *world.World) map[string]string {
	w.T.Helper()
	bob, login := w.GiveTOTP("bob")
	device, err := w.TrustDevice(w.Ctx, "bob", login.Proof, "")
	world.OK(w.T, err)
	transfer, err := w.BeginStepUp(w.Ctx, "bob", "transfer")
	world.OK(w.T, err)
	other, err := w.VerifyStepUp(w.Ctx, "bob", transfer.Token, "transfer", bob.Shows())
	world.OK(w.T, err)
	return map[string]string{
		"none": "", "anything": "x", "a forged one": "mfa_prf_" + strings.Repeat("A", 100),
		"a login's token":        w.Begin("ada").Token,
		"a step-up's token":      doors[1].open(w, "ada"),
		"its own challenge":      doors[2].open(w, "ada"),
		"another user's":         login.Proof,
		"another user's device":  device.Token,
		"that of another action": other.Proof,
	}
}

// wantUnproved checks that with each of the invalid proofs a change is answered
// with a challenge, and that nothing is changed or sent.
func wantUnproved(t *testing.T, w *world.World, name string, proofs map[string]string) {
	t.Helper()
	before, sent := w.Stored("ada"), len(w.Outbox.Messages())
	for kind, proof := range proofs {
		challenge := new(mfa.ChallengeError)
		if err := changes[name](w, "ada", mfa.WithProof(proof)); !errors.As(err, &challenge) || challenge.Action != mfa.ActionManage {
			t.Errorf("%s by %s: %v", name, kind, err)
		}
	}
	if after := w.Stored("ada"); after.Version != before.Version || !bytes.Equal(after.Data, before.Data) || len(w.Outbox.Messages()) != sent {
		t.Errorf("%s: something was changed or sent without a proof", name)
	}
}

// D03: replacing a factor takes less proof than removing it.
func TestD03ReplacingUnproved(t *testing.T) {
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			w := world.New(t)
			ada := w.Full("ada", world.Phone)
			wantUnproved(t, w, name, notProofs(w))
			w.Clock.Advance(step)
			fresh := w.Login("ada", ada.Shows()).Proof
			w.Clock.Advance(15 * time.Minute)
			wantUnproved(t, w, name, map[string]string{"an expired one": fresh})
			world.OK(t, change(w, "ada", mfa.WithProof(w.Login("ada", ada.Shows()).Proof)))
		})
	}
	t.Run("begun before the owner had any", func(t *testing.T) { // by a thief who has the password
		w := world.New(t)
		thief := enrollTOTP(w, "ada")
		_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone2)
		world.OK(t, err)
		world.OK(t, w.ImportSMS(w.Ctx, "ada", world.Phone)) // the owner's
		world.WantErr(t, confirm(w, mfa.MethodTOTP, thief.Shows()), mfa.ErrNoPendingEnrollment)
		world.WantErr(t, confirm(w, mfa.MethodSMS, w.Outbox.Code(world.Phone2)), mfa.ErrNoPendingEnrollment)
		if got := w.Enrolled("ada"); !slices.Equal(got, []mfa.Method{mfa.MethodSMS}) {
			t.Errorf("enrolled %v", got)
		}
	})
}

// D04: a user who owes a code enrolls a factor instead (CVE-2019-16766).
func TestD04EnrollInsteadOfAnswer(t *testing.T) {
	required := true
	w := world.New(t, world.RequiredWhen(&required))
	enrollment := w.MustEnroll("ada")
	user, err := w.EnrollmentUser(w.Ctx, enrollment.Token)
	if err != nil || user != "ada" {
		t.Fatalf("%q, %v", user, err)
	}
	ada := w.Full("ada", world.Phone)
	pending := w.Begin("ada")
	if strings.Contains(world.JSON(t, pending), "enrollment") {
		t.Error("a user who owes a code is offered an enrollment")
	}
	for what, token := range map[string]string{"login": pending.Token, "enrollment": enrollment.Token} {
		_, err := w.EnrollmentUser(w.Ctx, token)
		world.WantErr(t, err, mfa.ErrInvalidToken)
		for name := range changes {
			if name == "Unenroll" || name == "Unenroll the backup codes" {
				required = false
			}
			wantUnproved(t, w, name, map[string]string{what: token})
			required = true
		}
	}
	world.WantErr(t, confirm(w, mfa.MethodTOTP, ada.Shows()), mfa.ErrNoPendingEnrollment)

	// The enrollment token ends with the first factor, and removing the last factor
	// does not make it valid again.
	remove := func(method mfa.Method, code string) {
		t.Helper()
		required = false
		world.OK(t, w.Unenroll(w.Ctx, "ada", method, mfa.WithProof(w.Login("ada", code).Proof)))
		required = true
		_, err := w.EnrollmentUser(w.Ctx, enrollment.Token)
		world.WantErr(t, err, mfa.ErrInvalidToken)
	}
	remove(mfa.MethodTOTP, ada.Shows())
	w.Begin("ada")
	remove(mfa.MethodSMS, ada.Codes[0])
	w.MustEnroll("ada")
}

// D05: an unconfirmed factor counts as MFA, or locks its user out.
func TestD05UnconfirmedCounts(t *testing.T) {
	required := false
	begin := map[mfa.Method]func(w *world.World) (code, wrong string){
		mfa.MethodTOTP: func(w *world.World) (string, string) { app := enrollTOTP(w, "ada"); return app.Shows(), app.Wrong() },
		mfa.MethodSMS: func(w *world.World) (string, string) {
			_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
			world.OK(t, err)
			code := w.Outbox.Code(world.Phone)
			return code, world.WrongSMS(code)
		},
	}
	for method, enroll := range begin {
		for _, wrongs := range []int{0, 1, 5} {
			w := world.New(t, world.RequiredWhen(&required))
			code, wrong := enroll(w)
			for range wrongs {
				world.WantErr(t, confirm(w, method, wrong), mfa.ErrInvalidCode)
			}
			unconfirmed := func() {
				t.Helper()
				world.OK(t, w.BeginLogin(w.Ctx, "ada"))
				_, err := w.BeginStepUp(w.Ctx, "ada", "transfer")
				world.WantErr(t, err, mfa.ErrNotEnrolled)
				_, err = w.GenerateBackupCodes(w.Ctx, "ada")
				world.WantErr(t, err, mfa.ErrNotEnrolled)
				world.WantErr(t, w.Unenroll(w.Ctx, "ada", method), mfa.ErrNotEnrolled)
				if got := w.Enrolled("ada"); got != nil || len(w.Stored("ada").Methods) != 0 {
					t.Errorf("enrolled %v", got)
				}
				required = true
				token := w.MustEnroll("ada").Token
				_, err = w.EnrollmentUser(w.Ctx, token)
				world.OK(t, err)
				required = false
			}
			unconfirmed()
			if wrongs < 5 {
				twin := world.New(t)
				code, _ := enroll(twin)
				world.OK(t, confirm(twin, method, code)) // the code does confirm it
				twin.Begin("ada")
			} else {
				world.WantErr(t, confirm(w, method, code), mfa.ErrNoPendingEnrollment)
			}
			w.Clock.Advance(16 * time.Minute)
			unconfirmed()
		}
	}
}

// D06: a key other than the one shown is confirmed.
func TestD06ConfirmsAnother(t *testing.T) {
	t.Run("two tabs", func(t *testing.T) {
		w := world.New(t)
		a, b := enrollTOTP(w, "ada"), enrollTOTP(w, "ada")
		world.WantTries(t, confirm(w, mfa.MethodTOTP, a.Shows()), 4)
		if got := w.Enrolled("ada"); got != nil {
			t.Errorf("enrolled %v", got)
		}
		world.OK(t, confirm(w, mfa.MethodTOTP, b.Shows()))
	})
	t.Run("another number", func(t *testing.T) {
		w := world.New(t)
		_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
		world.OK(t, err)
		w.Clock.Advance(step)
		_, err = w.EnrollSMS(w.Ctx, "ada", world.Phone2)
		world.OK(t, err)
		world.WantTries(t, confirm(w, mfa.MethodSMS, w.Outbox.Code(world.Phone)), 4)
		world.OK(t, confirm(w, mfa.MethodSMS, w.Outbox.Code(world.Phone2)))
		if got := w.Factor("ada", mfa.MethodSMS).Phone; got != "+14*****671" {
			t.Errorf("enrolled %s", got)
		}
	})
	t.Run("between load and save", func(t *testing.T) {
		store := &world.HookStore{Store: mfa.NewMemoryStore()}
		w := world.New(t, func(c *mfa.Config) { c.Store = store })
		a := enrollTOTP(w, "ada")
		var b world.App
		store.Loaded = func() { // the confirmation has read the record
			store.Loaded = nil
			b = enrollTOTP(w, "ada")
		}
		world.WantTries(t, confirm(w, mfa.MethodTOTP, a.Shows()), 4)
		if got := w.Enrolled("ada"); got != nil {
			t.Errorf("enrolled %v", got)
		}
		world.OK(t, confirm(w, mfa.MethodTOTP, b.Shows()))
	})
	t.Run("at once", func(t *testing.T) {
		w := world.New(t)
		a := enrollTOTP(w, "ada")
		errs := w.Race(racers, func(engine *mfa.Engine, i int) error {
			if i%2 == 0 {
				_, err := engine.EnrollTOTP(w.Ctx, "ada", "a")
				if errors.As(err, new(*mfa.ChallengeError)) {
					return errBegun // the confirmation was faster
				}
				return errors.Join(err, errBegun)
			}
			_, err := engine.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, a.Shows())
			return err
		})
		confirmed := slices.Contains(errs, nil)
		for _, err := range errs {
			if err != nil && !errors.Is(err, errBegun) && !errors.Is(err, mfa.ErrInvalidCode) && !errors.Is(err, mfa.ErrNoPendingEnrollment) {
				t.Errorf("got %v", err)
			}
		}
		if got := w.Enrolled("ada"); confirmed != (got != nil) {
			t.Fatalf("confirmed %t, enrolled %v", confirmed, got)
		}
		if confirmed { // then that very key
			w.Clock.Advance(step)
			w.Login("ada", a.Shows())
		}
	})
}

var errBegun = errors.New("begun")

// D07: the client supplies the key.
func TestD07ClientGivesTheKey(t *testing.T) {
	// VerifyEnrollment takes a user, a method and a code, and only the host's
	// imports take a key.
	confirmation := reflect.TypeOf((*mfa.Engine).VerifyEnrollment)
	want := []reflect.Type{reflect.TypeFor[*mfa.Engine](), reflect.TypeFor[context.Context](), reflect.TypeFor[string](), reflect.TypeFor[mfa.Method](), reflect.TypeFor[string]()}
	for i := range max(confirmation.NumIn(), len(want)) {
		if i >= confirmation.NumIn() || i >= len(want) || confirmation.In(i) != want[i] {
			t.Fatalf("VerifyEnrollment is a %v", confirmation)
		}
	}
	for _, method := range engineMethods(t) {
		for i, name := range parameters(method) {
			known := slices.Contains([]string{"ctx", "userID", "account", "phone", "method", "answer", "token", "action", "proof", "label", "factorID", "deviceID", "opts"}, name)
			if imports := method.Name.Name == "ImportTOTP" && name == "key"; !known && !imports {
				t.Errorf("%s takes a %s (parameter %d): check that it is no key", method.Name.Name, name, i)
			}
		}
	}
	for option, want := range map[reflect.Type][]string{
		reflect.TypeFor[mfa.ChangeOption](): {"proof", "label", "keep", "only", "lost"},
		reflect.TypeFor[mfa.LoginOption]():  {"device", "expectEnrolled"},
		reflect.TypeFor[mfa.SendOption]():   {"to"},
	} {
		var sets []string
		for _, field := range reflect.VisibleFields(option.In(0).Elem()) {
			sets = append(sets, field.Name)
		}
		if !slices.Equal(sets, want) {
			t.Errorf("%v sets %v, want %v: check that none is a key", option, sets, want)
		}
	}

	// A key that the client changed is not read back.
	w := world.New(t)
	enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "a")
	world.OK(t, err)
	const mine = "otpauth://totp/x?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	app, mallory := w.Scan(enrollment.URI), w.Scan(mine)
	enrollment.URI, enrollment.Secret = mine, "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	for _, code := range []string{mallory.Shows(), mine, enrollment.Secret[:6]} {
		world.WantErr(t, confirm(w, mfa.MethodTOTP, code), mfa.ErrInvalidCode)
	}
	// Nor does another user's pending key count.
	bob := enrollTOTP(w, "bob")
	world.WantErr(t, confirm(w, mfa.MethodTOTP, bob.Shows()), mfa.ErrInvalidCode)
	world.OK(t, confirm(w, mfa.MethodTOTP, app.Shows()))
}

// D08: a factor is removed with the password or a pending login only
// (CVE-2026-3429).
func TestD08RemovedUnproved(t *testing.T) {
	for name, method := range map[string]mfa.Method{"Unenroll": mfa.MethodTOTP, "Unenroll the backup codes": mfa.MethodBackupCode} {
		t.Run(name, func(t *testing.T) {
			w := world.New(t)
			ada := w.Full("ada", world.Phone)
			w.Clock.Advance(15 * time.Minute)
			proofs := notProofs(w)
			proofs["an expired one"] = ada.Proof
			device, err := w.TrustDevice(w.Ctx, "ada", w.Login("ada", ada.Shows()).Proof, "")
			world.OK(t, err)
			proofs["a trusted device"] = device.Token
			wantUnproved(t, w, name, proofs)
			world.OK(t, w.PasswordChanged(w.Ctx, "ada"))
			w.Clock.Advance(step)
			old := w.Login("ada", ada.Shows()).Proof
			world.OK(t, w.PasswordChanged(w.Ctx, "ada"))
			wantUnproved(t, w, name, map[string]string{"one of before the password changed": old})
			w.Clock.Advance(step)
			fresh := w.Login("ada", ada.Shows()).Proof // the factor still works
			world.OK(t, w.Unenroll(w.Ctx, "ada", method, mfa.WithProof(fresh)))
			if w.Factor("ada", method) != nil {
				t.Error("the factor is still enrolled")
			}
			if method == mfa.MethodTOTP { // removing it ends the proof
				err := w.Unenroll(w.Ctx, "ada", mfa.MethodSMS, mfa.WithProof(fresh))
				world.Challenged(t, err)
			}
		})
	}
}

// D09: a second way to remove a factor asks for less, or leaves a user without a
// factor although MFA is required.
func TestD09SecondWayToRemove(t *testing.T) {
	// The methods that remove a factor: Unenroll for users, these for the host.
	removing := map[string]func(w *world.World) error{
		"Reset":      func(w *world.World) error { return w.Reset(w.Ctx, "ada") },
		"DeleteUser": func(w *world.World) error { return w.DeleteUser(w.Ctx, "ada") },
		"Revoke": func(w *world.World) error {
			return errors.Join(w.Revoke(w.Ctx, "ada", mfa.MethodTOTP), w.Revoke(w.Ctx, "ada", mfa.MethodSMS))
		},
	}
	required := false
	for name, remove := range removing {
		w := world.New(t, world.RequiredWhen(&required))
		w.Full("ada", world.Phone)
		world.OK(t, remove(w))
		if w.Enrolled("ada") != nil {
			t.Errorf("after %s, enrolled %v", name, w.Enrolled("ada"))
		}
		world.OK(t, w.BeginLogin(w.Ctx, "ada"))
		required = true
		w.MustEnroll("ada") // she is not simply logged in
		required = false
	}
	for _, method := range []mfa.Method{mfa.MethodTOTP, mfa.MethodSMS} {
		w := world.New(t, world.RequiredWhen(&required))
		ada := w.Full("ada", world.Phone)
		before := w.Stored("ada")
		required = true
		only := mfa.OnlyFactor(w.Factor("ada", method).ID)
		for _, opts := range [][]mfa.ChangeOption{nil, {mfa.WithProof(ada.Proof)}, {only, mfa.WithProof(ada.Proof)}} {
			world.WantErr(t, w.Unenroll(w.Ctx, "ada", method, opts...), mfa.ErrEnforced)
			err := w.Another(func(c *mfa.Config) { c.InsecureSkipProof = true }).Unenroll(w.Ctx, "ada", method, opts...)
			world.WantErr(t, err, mfa.ErrEnforced)
		}
		if after := w.Stored("ada"); after.Version != before.Version {
			t.Errorf("%s: something was removed", method)
		}
		enrollTOTP(w, "ada", mfa.WithProof(ada.Proof)) // replacing a factor is allowed
		required = false
		world.OK(t, w.Unenroll(w.Ctx, "ada", method, mfa.WithProof(ada.Proof)))
	}
	// A lost factor is removed beside another, never the only one, also when two
	// removals are under way at once.
	hooks := &world.HookStore{Store: mfa.NewMemoryStore()}
	lost := world.New(t, world.RequiredWhen(&required), func(c *mfa.Config) { c.Store = hooks })
	bob := lost.Full("bob", world.Phone)
	required = true
	hooks.Loaded = func() {
		hooks.Loaded = func() {
			hooks.Loaded = nil // between the first removal's second Load and its Save
			world.OK(t, lost.Unenroll(lost.Ctx, "bob", mfa.MethodSMS, mfa.Lost(), mfa.WithProof(bob.Proof)))
		}
	}
	world.WantErr(t, lost.Unenroll(lost.Ctx, "bob", mfa.MethodTOTP, mfa.Lost(), mfa.WithProof(bob.Proof)), mfa.ErrEnforced)
	if methods := lost.Enrolled("bob"); !slices.Equal(methods, []mfa.Method{mfa.MethodTOTP, mfa.MethodBackupCode}) {
		t.Errorf("left %v", methods)
	}
	required = false

	// No other method removes a confirmed factor. Each is called for a user with
	// every kind of factor and a fresh proof.
	engine := reflect.TypeFor[*mfa.Engine]()
	store := world.NewFaultStore()
	w := world.New(t, func(c *mfa.Config) { c.Store = store })
	ada := w.Full("ada", world.Phone)
	enrolled, before := w.Enrolled("ada"), store.Snapshot()
	for m := range engine.NumMethod() {
		method := engine.Method(m)
		if _, known := removing[method.Name]; known || method.Name == "Format" || method.Name == "Unenroll" {
			continue
		}
		for _, text := range []string{ada.Proof, string(mfa.MethodTOTP), ada.Shows(), ada.Codes[0], world.Phone2} {
			store.Arm(before, 0, "")
			call(t, w, method, text)
			if got := w.Enrolled("ada"); !slices.Equal(got, enrolled) {
				t.Errorf("after %s(%q), enrolled %v", method.Name, text, got)
			}
		}
	}
}

// D10: backup codes exist before MFA does, or after (CVE-2022-36071).
func TestD10BackupCodesWithoutMFA(t *testing.T) {
	refused := func(w *world.World, codes []string) {
		t.Helper()
		left := 5 // without a set there is nothing to compare them with
		if w.Factor("ada", mfa.MethodBackupCode) != nil {
			left = 4
		}
		for _, code := range codes {
			_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, code)
			world.WantTries(t, err, left)
		}
	}
	t.Run("before", func(t *testing.T) {
		w := world.New(t)
		_, err := w.GenerateBackupCodes(w.Ctx, "ada")
		world.WantErr(t, err, mfa.ErrNotEnrolled)
		app := enrollTOTP(w, "ada")
		_, err = w.GenerateBackupCodes(w.Ctx, "ada")
		world.WantErr(t, err, mfa.ErrNotEnrolled)
		login, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, app.Shows())
		world.OK(t, err)
		w.Login("ada", w.GiveBackupCodes("ada", login.Proof)[0])
	})
	t.Run("after", func(t *testing.T) {
		for name, remove := range map[string]func(w *world.World, proof string) error{
			"Unenroll": func(w *world.World, proof string) error {
				return w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP, mfa.WithProof(proof))
			},
			"Revoke":     func(w *world.World, _ string) error { return w.Revoke(w.Ctx, "ada", mfa.MethodTOTP) },
			"Reset":      func(w *world.World, _ string) error { return w.Reset(w.Ctx, "ada") },
			"DeleteUser": func(w *world.World, _ string) error { return w.DeleteUser(w.Ctx, "ada") },
		} {
			w := world.New(t)
			_, login := w.GiveTOTP("ada")
			codes := w.CheapBackupCodes("ada")
			w.Login("ada", codes[0])
			world.OK(t, remove(w, login.Proof))
			if status := w.StatusOf("ada"); status.BackupCodesLeft != 0 || len(status.Factors) != 0 {
				t.Errorf("after %s, the status is %+v", name, *status)
			}
			w.GiveTOTP("ada") // enabling MFA again does not make them valid
			refused(w, codes)
		}
	})
	t.Run("replaced", func(t *testing.T) {
		w := world.New(t, world.BackupCodes(2))
		_, login := w.GiveTOTP("ada")
		old := w.GiveBackupCodes("ada", login.Proof)
		set := w.GiveBackupCodes("ada", login.Proof)
		refused(w, old)
		w.Login("ada", set[0])
		if left := w.StatusOf("ada").BackupCodesLeft; left != 1 {
			t.Errorf("%d codes left, want 1", left)
		}
		world.OK(t, w.Unenroll(w.Ctx, "ada", mfa.MethodBackupCode, mfa.WithProof(login.Proof)))
		refused(w, set)
	})
	t.Run("a new app keeps them", func(t *testing.T) { // codes belong to the user, not to the app; used ones stay used
		w := world.New(t, world.BackupCodes(2))
		_, login := w.GiveTOTP("ada")
		codes := w.GiveBackupCodes("ada", login.Proof)
		w.GiveTOTP("ada", mfa.WithProof(w.Login("ada", codes[0]).Proof))
		refused(w, codes[:1])
		w.Login("ada", codes[1])
	})
	t.Run("the store fails", func(t *testing.T) {
		store := world.NewFaultStore()
		w := world.New(t, func(c *mfa.Config) { c.Store = store })
		_, login := w.GiveTOTP("ada")
		old := w.GiveBackupCodes("ada", login.Proof)
		before := store.Snapshot()
		calls := 0
		for at := 1; ; at++ {
			store.Arm(before, at, world.Fails)
			set, err := w.GenerateBackupCodes(w.Ctx, "ada", mfa.WithProof(login.Proof))
			if !store.Met {
				world.OK(t, err)
				break
			}
			if set != nil || !errors.Is(err, world.ErrStore) {
				t.Errorf("call %d fails: %v, %v", at, set, err)
			}
			store.At = 0
			w.Login("ada", old[0]) // the old set still works
			calls++
		}
		if calls < 2 {
			t.Errorf("only %d calls", calls)
		}
	})
}

// D11: backup codes are generated without proof, or two concurrent calls leave two
// valid sets.
func TestD11BackupCodesAnew(t *testing.T) {
	store := &world.HookStore{Store: mfa.NewMemoryStore()}
	w := world.New(t, func(c *mfa.Config) { c.Store = store })
	ada := w.Full("ada", world.Phone)
	wantUnproved(t, w, "GenerateBackupCodes", notProofs(w))
	w.Login("ada", ada.Codes[0])
	w.Clock.Advance(step)
	proof := w.Login("ada", ada.Shows()).Proof

	const makers = 5 // as many sets as a user may generate in an hour
	var sets []string
	before := w.Stored("ada").Version
	inside(store, makers, 2, func(int) { // one Load to count the set, one to save it
		codes, err := w.Another().GenerateBackupCodes(w.Ctx, "ada", mfa.WithProof(proof))
		world.OK(t, err)
		sets = append(sets, codes...)
	})
	if left := w.StatusOf("ada").BackupCodesLeft; left != 1 || len(sets) != makers {
		t.Errorf("%d codes left of %d generated, want one", left, len(sets))
	}
	if saves := w.Stored("ada").Version - before; saves != 2*makers {
		t.Errorf("%d saves for %d sets, want two each: one to count, one to store", saves, makers)
	}
	works := 0
	for _, code := range sets {
		world.OK(t, w.Unlock(w.Ctx, "ada"))
		if _, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, code); err == nil {
			works++
		} else {
			world.WantErr(t, err, mfa.ErrInvalidCode)
		}
	}
	if works != 1 {
		t.Errorf("%d sets work, want one", works)
	}
}

// D12: a key or backup codes are shown again later (GHSA-75v4-m273-5j49).
func TestD12ShownAgain(t *testing.T) {
	var shown strings.Builder
	show := func(v any) {
		shown.WriteString(world.Printed(v, world.VerbsInside) + world.Printed([]any{v}, world.VerbsInside) + world.Logged("v", v) + world.JSON(t, v))
	}
	w := world.New(t, world.BackupCodes(2), func(c *mfa.Config) {
		c.OnEvent = func(_ context.Context, event mfa.Event) { show(event) }
	})
	enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "ada@example.com")
	world.OK(t, err)
	app := w.Scan(enrollment.URI)
	login, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, app.Shows())
	world.OK(t, err)
	show(login)
	codes := w.GiveBackupCodes("ada", login.Proof)
	if !strings.Contains(world.JSON(t, enrollment), enrollment.Secret) {
		t.Fatal("the search does not find the key where it is shown")
	}
	device, err := w.TrustDevice(w.Ctx, "ada", login.Proof, "")
	world.OK(t, err)
	show(device)
	stepUp, err := w.BeginStepUp(w.Ctx, "ada", "transfer")
	world.OK(t, err)
	show(stepUp)
	w.Clock.Advance(step)
	for _, code := range []string{app.Wrong(), codes[0], app.Shows()} {
		challenge := w.Begin("ada")
		show(challenge)
		login, err := w.VerifyLogin(w.Ctx, challenge.Token, code)
		show(err)
		show(login)
	}
	show(w.StatusOf("ada"))
	show(w.ImportTOTP(w.Ctx, "ada", enrollment.URI))
	next, err := w.EnrollTOTP(w.Ctx, "ada", "a", mfa.WithProof(w.Login("ada", codes[1]).Proof))
	world.OK(t, err)
	show(next) // another key
	for _, secret := range append(codes, enrollment.Secret, enrollment.URI, enrollment.QRCode) {
		for _, form := range world.Spellings(secret) {
			if strings.Contains(shown.String(), string(form)) {
				t.Errorf("%.20q is shown again", form)
			}
		}
	}
}

// D13: a flag that records who has MFA goes stale (CVE-2024-45042). The engine has
// none: the record's list of methods, Status and BeginLogin agree after each
// change. Package model tries random histories of changes.
func TestD13StaleFlag(t *testing.T) {
	required := false
	w := world.New(t, world.RequiredWhen(&required), func(c *mfa.Config) { c.InsecureSkipProof = true })
	var app world.App
	begin := func() error { app = enrollTOTP(w, "ada"); return nil }
	text := func() error { w.Clock.Advance(step); _, err := w.EnrollSMS(w.Ctx, "ada", world.Phone); return err }
	remove := func(method mfa.Method) func() error {
		return func() error { return w.Unenroll(w.Ctx, "ada", method) }
	}
	const totp, sms = mfa.MethodTOTP, mfa.MethodSMS
	for _, change := range []struct {
		name string
		do   func() error
		has  []mfa.Method // after it
	}{
		{"an app is begun", begin, nil},
		{"the app is confirmed", func() error { return confirm(w, totp, app.Shows()) }, []mfa.Method{totp}},
		{"a phone is begun", text, []mfa.Method{totp}},
		{"the phone is confirmed", func() error { return confirm(w, sms, w.Outbox.Code(world.Phone)) }, []mfa.Method{totp, sms}},
		{"the app is removed", remove(totp), []mfa.Method{sms}},
		{"another app is begun", begin, []mfa.Method{sms}},
		{"an app is imported", func() error { return w.ImportTOTP(w.Ctx, "ada", importedURI) }, []mfa.Method{totp, sms}},
		{"the phone is removed", remove(sms), []mfa.Method{totp}},
		{"the user is reset", func() error { return w.Reset(w.Ctx, "ada") }, nil},
		{"a phone is imported", func() error { return w.ImportSMS(w.Ctx, "ada", world.Phone) }, []mfa.Method{sms}},
		{"that phone is removed", remove(sms), nil},
	} {
		if err := change.do(); err != nil {
			t.Fatalf("%s: %v", change.name, err)
		}
		for _, engine := range []*mfa.Engine{w.Engine, w.Another()} {
			for _, required = range []bool{true, false} {
				err := engine.BeginLogin(w.Ctx, "ada")
				asked := err == nil
				switch {
				case change.has != nil:
					asked = errors.As(err, new(*mfa.ChallengeError))
				case required:
					asked = errors.As(err, new(*mfa.EnrollmentError))
				}
				if !asked || !slices.Equal(w.Enrolled("ada"), change.has) || !slices.Equal(w.Stored("ada").Methods, change.has) {
					t.Errorf("%s, required %t: BeginLogin offers %v, Status lists %v, the record %v, want %v",
						change.name, required, err, w.Enrolled("ada"), w.Stored("ada").Methods, change.has)
				}
			}
		}
	}
}

// D14: a login that began before MFA was enabled completes without it. BeginLogin
// answers for the moment of its Load; every later call asks for a code. What an
// earlier session may do is the host's part.
func TestD14EnabledDuringALogin(t *testing.T) {
	t.Run("between load and answer", func(t *testing.T) {
		store := &world.HookStore{Store: mfa.NewMemoryStore()}
		w := world.New(t, func(c *mfa.Config) { c.Store = store })
		app := enrollTOTP(w, "ada")
		store.Loaded = func() {
			store.Loaded = nil
			world.OK(t, confirm(w, mfa.MethodTOTP, app.Shows()))
			w.Begin("ada") // logins ask for a code from now on
		}
		world.OK(t, w.BeginLogin(w.Ctx, "ada"))
		w.Begin("ada")
		world.Challenged(t, w.Another().BeginLogin(w.Ctx, "ada"))
	})
	t.Run("at once", func(t *testing.T) {
		w := world.New(t)
		app := enrollTOTP(w, "ada")
		for i, err := range w.Race(racers, func(engine *mfa.Engine, i int) error {
			if i > 0 {
				engine.BeginLogin(w.Ctx, "ada")
				return engine.BeginLogin(w.Ctx, "ada")
			}
			if _, err := engine.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, app.Shows()); err != nil {
				return err
			}
			if err := engine.BeginLogin(w.Ctx, "ada"); !errors.As(err, new(*mfa.ChallengeError)) {
				t.Errorf("after the confirmation: %v", err)
			}
			return nil
		}) {
			if err != nil && !errors.As(err, new(*mfa.ChallengeError)) {
				t.Errorf("%d: %v", i, err)
			}
		}
		w.Begin("ada")
	})
	t.Run("while it is required", func(t *testing.T) { // nobody was logged in before, and the confirmation ends the token
		required := true
		w := world.New(t, world.RequiredWhen(&required))
		token := w.MustEnroll("ada").Token
		w.GiveTOTP("ada")
		_, err := w.EnrollmentUser(w.Ctx, token)
		world.WantErr(t, err, mfa.ErrInvalidToken)
		w.Begin("ada")
	})
}

// D15: something from before MFA was removed is still in effect when MFA is
// enabled again: spent steps, delays, challenges, devices.
func TestD15Leftovers(t *testing.T) {
	for name, remove := range map[string]func(w *world.World, proof string) error{
		"Unenroll": func(w *world.World, proof string) error {
			return w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP, mfa.WithProof(proof))
		},
		"Revoke":     func(w *world.World, _ string) error { return w.Revoke(w.Ctx, "ada", mfa.MethodTOTP) },
		"Reset":      func(w *world.World, _ string) error { return w.Reset(w.Ctx, "ada") },
		"DeleteUser": func(w *world.World, _ string) error { return w.DeleteUser(w.Ctx, "ada") },
	} {
		t.Run(name, func(t *testing.T) {
			w := world.New(t)
			old, login := w.GiveTOTP("ada")
			w.Login("ada", old.Code(w.Clock.Now().Add(step))) // the next step is spent
			device, err := w.TrustDevice(w.Ctx, "ada", login.Proof, "")
			world.OK(t, err)
			pending := enrollTOTP(w, "ada", mfa.WithProof(login.Proof))
			lock(w, "ada", old)
			token := w.Begin("ada").Token
			_, err = w.VerifyLogin(w.Ctx, token, old.Shows())
			world.WantThrottled(t, err, time.Second)
			world.OK(t, remove(w, login.Proof))

			world.WantErr(t, confirm(w, mfa.MethodTOTP, pending.Shows()), mfa.ErrNoPendingEnrollment)
			app := enrollTOTP(w, "ada")
			before := w.Clock.Now().Add(-step)
			world.OK(t, confirm(w, mfa.MethodTOTP, app.Code(before))) // no step is spent
			w.Login("ada", app.Shows())                               // there is no delay
			for _, code := range []string{old.Shows(), app.Code(w.Clock.Now().Add(step))} {
				_, err := w.VerifyLogin(w.Ctx, token, code)
				world.WantErr(t, err, mfa.ErrInvalidToken)
			}
			_, err = w.TrustDevice(w.Ctx, "ada", login.Proof, "")
			world.WantErr(t, err, mfa.ErrInvalidToken)
			w.Begin("ada", mfa.WithTrustedDevice(device.Token))
			_, err = w.VerifyLogin(w.Ctx, w.Begin("ada").Token, old.Code(w.Clock.Now()))
			world.WantTries(t, err, 4)
			if f := w.Factor("ada", mfa.MethodTOTP); !f.RetryAt.IsZero() || f.Disabled {
				t.Errorf("%+v", *f)
			}
		})
	}
}

// D16: a factor begun under a stolen proof is confirmed after that proof has
// ended. A thief has the proof of a stolen session and begins to enroll a factor
// of his own; whatever the owner or the support desk does next discards it.
func TestD16PendingOutlivesItsProof(t *testing.T) {
	type theft struct {
		begin  func(w *world.World, proof mfa.ChangeOption) (answer string)
		method mfa.Method
	}
	thefts := map[string]theft{
		"a phone": {func(w *world.World, proof mfa.ChangeOption) string {
			_, err := w.EnrollSMS(w.Ctx, "ada", phone3, mfa.KeepOthers(), proof)
			world.OK(t, err)
			return w.Outbox.Code(phone3)
		}, mfa.MethodSMS},
		"an app in the place of hers": {func(w *world.World, proof mfa.ChangeOption) string {
			return enrollTOTP(w, "ada", proof).Shows()
		}, mfa.MethodTOTP},
		"a passkey": {func(w *world.World, proof mfa.ChangeOption) string {
			enrollment, err := w.EnrollPasskey(w.Ctx, "ada", "a", proof)
			world.OK(t, err)
			return (&world.SecurityKey{ID: "the thief's"}).Answers(enrollment.Options)
		}, mfa.MethodPasskey},
	}
	for name, change := range map[string]struct {
		do     func(w *world.World, ada world.App, proof mfa.ChangeOption) // proof is the owner's own
		proofs bool                                                        // whether proofs end too
	}{
		"replaces her phone": {func(w *world.World, _ world.App, proof mfa.ChangeOption) {
			_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone2, proof)
			world.OK(t, err)
			world.OK(t, confirm(w, mfa.MethodSMS, w.Outbox.Code(world.Phone2)))
		}, true},
		"replaces one app": {func(w *world.World, _ world.App, proof mfa.ChangeOption) {
			app := enrollTOTP(w, "ada", proof, mfa.OnlyFactor(w.Factor("ada", mfa.MethodTOTP).ID))
			world.OK(t, confirm(w, mfa.MethodTOTP, app.Shows()))
		}, true},
		"unenrolls her phone": {func(w *world.World, _ world.App, proof mfa.ChangeOption) {
			world.OK(t, w.Unenroll(w.Ctx, "ada", mfa.MethodSMS, proof))
		}, true},
		"forgets her devices": {func(w *world.World, _ world.App, _ mfa.ChangeOption) {
			world.OK(t, w.ForgetDevices(w.Ctx, "ada"))
		}, true},
		"changes her password": {func(w *world.World, _ world.App, _ mfa.ChangeOption) {
			world.OK(t, w.PasswordChanged(w.Ctx, "ada"))
		}, true},
		"has a lost phone revoked": {func(w *world.World, _ world.App, _ mfa.ChangeOption) {
			world.OK(t, w.Revoke(w.Ctx, "ada", mfa.MethodSMS))
		}, true},
		"is unlocked": {func(w *world.World, _ world.App, _ mfa.ChangeOption) {
			world.OK(t, w.Unlock(w.Ctx, "ada"))
		}, false},
	} {
		for what, theft := range thefts {
			t.Run(name+", "+what, func(t *testing.T) {
				prepare := func() (w *world.World, ada world.App, proof mfa.ChangeOption, answer string) {
					w = world.New(t, world.WithPasskeys)
					app, login := w.GiveTOTP("ada")
					login = w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
					answer = theft.begin(w, mfa.WithProof(login.Proof))
					w.Clock.Advance(step)
					return w, app, mfa.WithProof(login.Proof), answer
				}
				w, _, _, answer := prepare()
				world.OK(t, confirm(w, theft.method, answer)) // the answer does confirm it

				w, ada, proof, answer := prepare()
				change.do(w, ada, proof)
				w.NewEvents()
				for _, method := range []mfa.Method{theft.method, ""} {
					world.WantErr(t, confirm(w, method, answer), mfa.ErrNoPendingEnrollment)
				}
				if told := count(w, mfa.EventEnrolled); told != 0 {
					t.Errorf("%d events of an enrollment, want none", told)
				}
				_, err := w.EnrollTOTP(w.Ctx, "ada", "a", proof)
				if challenged := errors.As(err, new(*mfa.ChallengeError)); challenged != change.proofs {
					t.Errorf("with the stolen proof: %v", err)
				}
			})
		}
	}
	for name, adopt := range map[string]func(w *world.World) error{ // in addition to the owner's factors
		"an app is imported": func(w *world.World) error { return w.ImportTOTP(w.Ctx, "ada", importedURI) },
		"she is reset": func(w *world.World) error {
			return errors.Join(w.Reset(w.Ctx, "ada"), w.ImportTOTP(w.Ctx, "ada", importedURI))
		},
	} {
		w := world.New(t)
		login := w.GiveSMS("ada", world.Phone)
		_, err := w.EnrollSMS(w.Ctx, "ada", phone3, mfa.KeepOthers(), mfa.WithProof(login.Proof))
		world.OK(t, err)
		world.OK(t, adopt(w))
		if err := confirm(w, mfa.MethodSMS, w.Outbox.Code(phone3)); !errors.Is(err, mfa.ErrNoPendingEnrollment) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
