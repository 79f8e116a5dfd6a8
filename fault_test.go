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

// An operation is one call of the engine, on a user that is set up for it.
type operation struct {
	name    string
	prepare func(w *world.World) (do func() error, secrets []string)
}

// full is a user with everything.
func full(w *world.World) (world.App, []string, *mfa.Login) {
	a, login := w.GiveTOTP("ada")
	w.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
	return a, w.GiveBackupCodes("ada", login.Proof), login
}

var operations = []operation{
	{"EnrollTOTP", func(w *world.World) (func() error, []string) {
		return func() error { _, err := w.EnrollTOTP(w.Ctx, "ada", "a"); return err }, nil
	}},
	{"EnrollSMS", func(w *world.World) (func() error, []string) {
		return func() error { _, err := w.EnrollSMS(w.Ctx, "ada", world.Phone); return err }, []string{world.Phone}
	}},
	{"EnrollSMS, not delivered", func(w *world.World) (func() error, []string) {
		w.Outbox.FailWith(errors.New("down"))
		return func() error { _, err := w.EnrollSMS(w.Ctx, "ada", world.Phone); return err }, []string{world.Phone}
	}},
	{"VerifyEnrollment", func(w *world.World) (func() error, []string) {
		enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "a")
		world.OK(w.T, err)
		code := w.Scan(enrollment.URI).Shows()
		return func() error { _, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, code); return err }, []string{code, enrollment.Secret}
	}},
	{"VerifyEnrollment, wrong", func(w *world.World) (func() error, []string) {
		enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "a")
		world.OK(w.T, err)
		code := w.Scan(enrollment.URI).Wrong()
		return func() error { _, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, code); return err }, []string{code, enrollment.Secret}
	}},
	{"VerifyLogin", func(w *world.World) (func() error, []string) {
		a, _, _ := full(w)
		token, code := w.Begin("ada").Token, a.Shows()
		return func() error { _, err := w.VerifyLogin(w.Ctx, token, code); return err }, []string{token, code}
	}},
	{"VerifyLogin, wrong", func(w *world.World) (func() error, []string) {
		a, _, _ := full(w)
		token, code := w.Begin("ada").Token, a.Wrong()
		return func() error { _, err := w.VerifyLogin(w.Ctx, token, code); return err }, []string{token, code}
	}},
	{"VerifyLogin by backup code", func(w *world.World) (func() error, []string) {
		_, codes, _ := full(w)
		token := w.Begin("ada").Token
		return func() error { _, err := w.VerifyLogin(w.Ctx, token, codes[0]); return err }, []string{token, codes[0]}
	}},
	{"VerifyLogin by backup code, wrong", func(w *world.World) (func() error, []string) {
		full(w)
		token := w.Begin("ada").Token
		return func() error { _, err := w.VerifyLogin(w.Ctx, token, "aaaa-aaaa"); return err }, []string{token, "aaaa-aaaa"}
	}},
	{"VerifyLogin by SMS", func(w *world.World) (func() error, []string) {
		full(w)
		token := w.Begin("ada").Token
		code := w.SentCode(token)
		return func() error { _, err := w.VerifyLogin(w.Ctx, token, code); return err }, []string{token, code}
	}},
	{"SendCode", func(w *world.World) (func() error, []string) {
		full(w)
		token := w.Begin("ada").Token
		return func() error { _, err := w.SendCode(w.Ctx, token); return err }, []string{token, world.Phone}
	}},
	{"SendCode, not delivered", func(w *world.World) (func() error, []string) {
		full(w)
		token := w.Begin("ada").Token
		w.Outbox.FailWith(errors.New("down"))
		return func() error { _, err := w.SendCode(w.Ctx, token); return err }, []string{token, world.Phone}
	}},
	{"VerifyStepUp", func(w *world.World) (func() error, []string) {
		a, _, _ := full(w)
		challenge, err := w.BeginStepUp(w.Ctx, "ada", "x")
		world.OK(w.T, err)
		code := a.Shows()
		return func() error { _, err := w.VerifyStepUp(w.Ctx, challenge.Token, "x", code); return err }, []string{challenge.Token, code}
	}},
	{"BeginLogin", func(w *world.World) (func() error, []string) {
		full(w)
		return func() error {
			err := w.BeginLogin(w.Ctx, "ada")
			if errors.As(err, new(*mfa.ChallengeError)) {
				return nil
			}
			if err == nil {
				w.T.Error("passed without a code")
			}
			return err
		}, nil
	}},
	{"GenerateBackupCodes", func(w *world.World) (func() error, []string) {
		_, _, login := full(w)
		return func() error {
			_, err := w.GenerateBackupCodes(w.Ctx, "ada", mfa.WithProof(login.Proof))
			return err
		}, []string{login.Proof}
	}},
	{"Unenroll", func(w *world.World) (func() error, []string) {
		_, _, login := full(w)
		return func() error { return w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP, mfa.WithProof(login.Proof)) }, []string{login.Proof}
	}},
	{"ImportTOTP", func(w *world.World) (func() error, []string) {
		const uri = "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP"
		return func() error { return w.ImportTOTP(w.Ctx, "ada", uri) }, []string{"JBSWY3DPEHPK3PXP"}
	}},
	{"ImportSMS", func(w *world.World) (func() error, []string) {
		return func() error { return w.ImportSMS(w.Ctx, "ada", world.Phone) }, []string{world.Phone}
	}},
	{"TrustDevice", func(w *world.World) (func() error, []string) {
		_, _, login := full(w)
		return func() error { _, err := w.TrustDevice(w.Ctx, "ada", login.Proof); return err }, []string{login.Proof}
	}},
	{"ForgetDevices", func(w *world.World) (func() error, []string) {
		full(w)
		return func() error { return w.ForgetDevices(w.Ctx, "ada") }, nil
	}},
	{"PasswordChanged", func(w *world.World) (func() error, []string) {
		full(w)
		return func() error { return w.PasswordChanged(w.Ctx, "ada") }, nil
	}},
	{"Reset", func(w *world.World) (func() error, []string) {
		full(w)
		return func() error { return w.Reset(w.Ctx, "ada") }, nil
	}},
	{"Unlock", func(w *world.World) (func() error, []string) {
		a, _, _ := full(w)
		w.VerifyLogin(w.Ctx, w.Begin("ada").Token, a.Wrong())
		return func() error { return w.Unlock(w.Ctx, "ada") }, nil
	}},
	{"DeleteUser", func(w *world.World) (func() error, []string) {
		full(w)
		return func() error { return w.DeleteUser(w.Ctx, "ada") }, nil
	}},
}

// TestFaults: each call of the store, in turn, meets each fault. Whatever the
// operation: success is told only where all was saved; an error leaves the user
// as before or as after a step of it, never between; nothing is told to
// OnEvent that was not saved; and no error holds a secret.
func TestFaults(t *testing.T) {
	for _, op := range operations {
		t.Run(op.name, func(t *testing.T) {
			store := world.NewFaultStore()
			w := world.New(t, func(c *mfa.Config) { c.Store = store; c.BackupCodes.Count = 1 })
			do, secrets := op.prepare(w)
			before := store.Snapshot()
			fingerprint := func() string {
				calls, at := store.Calls, store.At
				store.At = 0
				defer func() { store.Calls, store.At = calls, at }()
				return world.JSON(t, w.StatusOf("ada"))
			}
			w.Told()

			// What happens without a fault, and how the user looks after each
			// Save.
			looks := []string{fingerprint()}
			store.Arm(before, 0, "")
			store.Saved = func() { looks = append(looks, fingerprint()) }
			cleanErr := do()
			store.Saved = nil
			looks = append(looks, fingerprint())
			calls, versions, told := store.Calls, version(store), w.Told()
			if calls == 0 {
				t.Fatal("the store is not called")
			}

			for at := 1; at <= calls; at++ {
				for _, f := range []world.Fault{world.Fails, world.FailsLate, world.Conflicts, world.EverTooLate, world.Cancelled} {
					store.Arm(before, at, f)
					err := do()
					met := store.Met
					store.At = 0
					name := fmt.Sprintf("call %d %s", at, f)
					if look := fingerprint(); !slices.Contains(looks, look) {
						t.Errorf("%s: the user is left as\n\t%s", name, look)
					}
					events := w.Told()
					switch {
					case !met, f == world.Conflicts:
						if mfa.ErrorCode(err) != mfa.ErrorCode(cleanErr) || version(store) != versions {
							t.Errorf("%s: %v, want %v", name, err, cleanErr)
						}
						continue
					case err == nil:
						t.Errorf("%s: success", name)
					}
					var challenge *mfa.ChallengeError
					var code *mfa.CodeError
					if errors.As(err, &challenge) || errors.As(err, &code) || errors.Is(err, mfa.ErrNotEnrolled) || errors.Is(err, mfa.ErrNoRecord) {
						t.Errorf("%s: a fault became %v", name, err)
					}
					want := map[world.Fault]error{world.Fails: world.ErrStore, world.FailsLate: world.ErrStore, world.EverTooLate: mfa.ErrConflict, world.Cancelled: context.Canceled}[f]
					if !errors.Is(err, want) {
						t.Errorf("%s: got %v, want %v", name, err, want)
					}
					if len(events) >= len(told) && len(told) > 0 && !slices.Contains(events, mfa.EventDeliveryFailed) {
						t.Errorf("%s: told %v, as if it had worked", name, events)
					}
					for _, secret := range secrets {
						if shown := world.Printed(err, "vsqxX+"); strings.Contains(shown, secret) {
							t.Errorf("%s: %q is in the error %v", name, secret, err)
						}
					}
				}
			}
		})
	}
}

func version(s *world.FaultStore) (sum int64) {
	for _, record := range s.Records {
		sum += record.Version
	}
	return sum
}

// TestALostAnswerIsNoSecondLogin: the Save was done, but nobody heard of it.
// The login was not told, and its code cannot be used again.
func TestALostAnswerIsNoSecondLogin(t *testing.T) {
	for _, op := range operations {
		if !strings.HasPrefix(op.name, "VerifyLogin") || strings.Contains(op.name, "wrong") {
			continue
		}
		t.Run(op.name, func(t *testing.T) {
			store := world.NewFaultStore()
			w := world.New(t, func(c *mfa.Config) { c.Store = store })
			do, _ := op.prepare(w)
			before := store.Snapshot()
			store.Arm(before, 0, "")
			world.OK(t, do())
			calls := store.Calls
			for at := 1; at <= calls; at++ {
				for _, f := range []world.Fault{world.Fails, world.FailsLate} {
					store.Arm(before, at, f)
					if do() == nil {
						t.Fatalf("call %d %s: success", at, f)
					}
					store.At = 0
					err := do()
					if last := at == calls; last && f == world.FailsLate {
						world.WantErr(t, err, mfa.ErrInvalidToken)
					} else if err != nil {
						t.Errorf("call %d %s: the second try: %v", at, f, err)
					}
				}
			}
		})
	}
}

// TestAFaultTellsNothingAboutTheCode: with the store failing at any call, a
// right code and a wrong one give the same.
func TestAFaultTellsNothingAboutTheCode(t *testing.T) {
	answers := map[string]func(w *world.World, a world.App, codes []string) (token, right, wrong string){
		"TOTP": func(w *world.World, a world.App, _ []string) (string, string, string) {
			return w.Begin("ada").Token, a.Shows(), a.Wrong()
		},
		"SMS": func(w *world.World, a world.App, _ []string) (string, string, string) {
			token := w.Begin("ada").Token
			code := w.SentCode(token)
			return token, code, wrongSMS(code)
		},
		"backup code": func(w *world.World, _ world.App, codes []string) (string, string, string) {
			return w.Begin("ada").Token, codes[0], "aaaa-aaaa"
		},
	}
	for name, answer := range answers {
		store := world.NewFaultStore()
		w := world.New(t, func(c *mfa.Config) { c.Store = store })
		a, codes, _ := full(w)
		token, right, wrong := answer(w, a, codes)
		before := store.Snapshot()
		try := func(code string, at int, f world.Fault) (calls int, err error) {
			store.Arm(before, at, f)
			_, err = w.VerifyLogin(w.Ctx, token, code)
			return store.Calls, err
		}
		rightCalls, rightErr := try(right, 0, "")
		world.OK(t, rightErr)
		wrongCalls, wrongErr := try(wrong, 0, "")
		world.WantErr(t, wrongErr, mfa.ErrInvalidCode)
		if rightCalls != wrongCalls {
			t.Errorf("%s: %d calls for a right code, %d for a wrong one", name, rightCalls, wrongCalls)
		}
		for at := 1; at <= rightCalls; at++ {
			for _, f := range []world.Fault{world.Fails, world.FailsLate, world.EverTooLate, world.Cancelled} {
				_, rightErr := try(right, at, f)
				_, wrongErr := try(wrong, at, f)
				if rightErr == nil || wrongErr == nil || rightErr.Error() != wrongErr.Error() || mfa.ErrorCode(rightErr) != mfa.ErrorCode(wrongErr) {
					t.Errorf("%s, call %d %s: right %v, wrong %v", name, at, f, rightErr, wrongErr)
				}
			}
		}
	}
}

// TestAFaultCostsTheUserNothing: an outage of the store is nobody's failure.
func TestAFaultCostsTheUserNothing(t *testing.T) {
	store := world.NewFaultStore()
	w := world.New(t, func(c *mfa.Config) { c.Store = store })
	a, _, _ := full(w)
	challenge := w.Begin("ada")
	for range 200 {
		store.Arm(store.Snapshot(), 1, world.Fails)
		_, err := w.VerifyLogin(w.Ctx, challenge.Token, a.Wrong())
		world.WantErr(t, err, world.ErrStore)
	}
	store.At = 0
	_, err := w.VerifyLogin(w.Ctx, challenge.Token, a.Shows())
	world.OK(t, err)
}

// TestACancelledContextEndsTheCall, before the store is asked.
func TestACancelledContextEndsTheCall(t *testing.T) {
	for _, op := range operations {
		store := world.NewFaultStore()
		w := world.New(t, func(c *mfa.Config) { c.Store = store })
		do, _ := op.prepare(w)
		ctx, cancel := context.WithCancel(w.Ctx)
		cancel()
		w.Ctx = ctx
		store.Arm(store.Snapshot(), 0, "")
		sent := len(w.Outbox.Messages())
		world.WantErr(t, do(), context.Canceled)
		if store.Calls != 0 || len(w.Outbox.Messages()) != sent {
			t.Errorf("%s: %d calls", op.name, store.Calls)
		}
	}
}

// TestAStaleReadIsAConflict: a Load that lags behind does no harm where Save
// compares.
func TestAStaleReadIsAConflict(t *testing.T) {
	store := world.NewFaultStore()
	w := world.New(t, func(c *mfa.Config) { c.Store = store })
	a, _, _ := full(w)
	first, second := w.Begin("ada"), w.Begin("ada")
	old := store.Records["ada"]
	_, err := w.VerifyLogin(w.Ctx, first.Token, a.Shows())
	world.OK(t, err)
	stale := w.Another(func(c *mfa.Config) { c.Store = world.StaleStore{Store: store, Old: old} })
	_, err = stale.VerifyLogin(w.Ctx, second.Token, a.Shows())
	world.WantErr(t, err, mfa.ErrConflict)
}

// TestBudget: what one login costs the database.
func TestBudget(t *testing.T) {
	store := &world.CountingStore{Store: mfa.NewMemoryStore()}
	w := world.New(t, func(c *mfa.Config) { c.Store = store })
	a, codes, _ := full(w)
	var token string
	costs := func(name string, loads, saves int, do func()) {
		t.Helper()
		store.Loads, store.Saves = 0, 0
		if do(); store.Loads > loads || store.Saves > saves {
			t.Errorf("%s: %d Loads and %d Saves, want at most %d and %d", name, store.Loads, store.Saves, loads, saves)
		}
	}
	costs("BeginLogin and VerifyLogin", 2, 1, func() { w.Login("ada", a.Shows()) })
	token = w.Begin("ada").Token
	costs("a wrong code", 1, 1, func() { w.VerifyLogin(w.Ctx, token, a.Wrong()) })
	costs("a replay", 1, 0, func() { w.VerifyLogin(w.Ctx, token, a.Shows()) })
	costs("a malformed code", 1, 0, func() { w.VerifyLogin(w.Ctx, token, "?") })
	costs("a long code", 0, 0, func() { w.VerifyLogin(w.Ctx, token, strings.Repeat("1", 65)) })
	costs("a forged token", 0, 0, func() { w.VerifyLogin(w.Ctx, token+"A", "123456") })
	token = w.Begin("ada").Token
	costs("a backup code", 2, 2, func() { w.VerifyLogin(w.Ctx, token, codes[0]) })
	token = w.Begin("ada").Token
	for range 4 {
		w.VerifyLogin(w.Ctx, w.Begin("ada").Token, a.Wrong())
	}
	costs("a throttled code", 1, 0, func() { w.VerifyLogin(w.Ctx, token, a.Shows()) })
	costs("BeginLogin", 1, 0, func() { w.Begin("ada") })
	costs("BeginStepUp", 1, 0, func() { w.BeginStepUp(w.Ctx, "ada", "x") })
	w.Clock.Advance(time.Hour)
	costs("an expired token", 0, 0, func() { w.VerifyLogin(w.Ctx, token, a.Shows()) })
}
