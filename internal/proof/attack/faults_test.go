package attack_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
	tokens "github.com/protekt/mfa/internal/token"
)

// answers maps each of a full user's factors to an answer to a challenge.
var answers = map[mfa.Method]func(w *world.World, user person, token string) (right, wrong string){
	mfa.MethodTOTP: func(_ *world.World, user person, _ string) (right, wrong string) { return user.Shows(), user.Wrong() },
	mfa.MethodSMS: func(w *world.World, _ person, token string) (right, wrong string) {
		code := w.SentCode(token)
		return code, world.WrongSMS(code)
	},
	mfa.MethodBackupCode: func(_ *world.World, user person, _ string) (right, wrong string) { return user.Codes[0], "aaaa-aaaa" },
}

// G11: the store reports a conflict or fails, and the call succeeds all the same.
func TestG11SaveDecides(t *testing.T) {
	for method, answer := range answers {
		t.Run(string(method), untimed(func(t *testing.T) {
			store := world.NewFaultStore()
			w := world.New(t, func(c *mfa.Config) { c.Store = store })
			ada := w.Given("ada", world.Phone)
			token := w.Begin("ada").Token
			code, _ := answer(w, ada, token)
			before := store.Snapshot()
			attempt := func(at int, fault world.Fault) (calls int, err error) {
				store.Arm(before, at, fault)
				_, err = w.VerifyLogin(w.Ctx, token, code)
				store.At = 0
				return store.Calls, err
			}
			calls, err := attempt(0, "")
			world.OK(t, err)
			for at := 1; at <= calls; at++ {
				// After a conflict the call is retried from the start, and succeeds.
				if _, err := attempt(at, world.Conflicts); err != nil {
					t.Errorf("call %d conflicts once: %v", at, err)
				}
				// If every Save conflicts, the retries are as many as documented.
				n, err := attempt(at, world.EverTooLate)
				world.WantErr(t, err, mfa.ErrConflict)
				if n > 2*100+4 {
					t.Errorf("call %d conflicts forever: %d calls", at, n)
				}
				// If the store's answer is lost, the engine returns an error; the
				// code may be spent, and never works twice.
				for _, fault := range []world.Fault{world.Fails, world.FailsLate} {
					if _, err := attempt(at, fault); !errors.Is(err, world.ErrStore) {
						t.Errorf("call %d %s: %v", at, fault, err)
					}
					successes := 0
					for _, again := range []string{token, w.Begin("ada").Token} {
						if _, err := w.VerifyLogin(w.Ctx, again, code); err == nil {
							successes++
						}
					}
					done := fault == world.FailsLate && at == calls
					if successes > 1 || done && successes > 0 {
						t.Errorf("call %d %s: the code works %d times more", at, fault, successes)
					}
				}
			}

			// The faster call may have used the code, so that it is no longer
			// accepted.
			store.Arm(before, 0, "")
			fast := w.Another()
			hook := &world.HookStore{Store: store}
			slow := w.Another(func(c *mfa.Config) { c.Store = hook })
			hook.Loaded = func() {
				hook.Loaded = nil
				if _, err := fast.VerifyLogin(w.Ctx, token, code); err != nil {
					t.Errorf("the faster call: %v", err)
				}
			}
			_, err = slow.VerifyLogin(w.Ctx, token, code)
			world.WantErr(t, err, mfa.ErrInvalidToken)

			// Of many concurrent calls, one succeeds.
			store.Arm(before, 0, "")
			world.WantOne(t, w.Race(racers, func(engine *mfa.Engine, _ int) error {
				_, err := engine.VerifyLogin(w.Ctx, token, code)
				return err
			}), mfa.ErrInvalidToken, mfa.ErrInvalidCode)
		}))
	}
}

// A flow is a call of an engine for a user who is set up for it.
type flow struct {
	name    string
	prepare func(w *world.World) (call func(ctx context.Context) error)
}

// flows returns all calls that read or write a user. Those with right codes and
// with wrong codes come in pairs.
var flows = func() (list []flow) {
	prepared := func(name string, prepare func(w *world.World) func(ctx context.Context) error) {
		list = append(list, flow{name, prepare})
	}
	unknown := func(name string, call func(ctx context.Context, e *mfa.Engine) error) { // a user without a record
		prepared(name, func(w *world.World) func(context.Context) error {
			return func(ctx context.Context) error { return call(ctx, w.Engine) }
		})
	}
	known := func(name string, call func(ctx context.Context, e *mfa.Engine, ada person, token string) error) { // a user with every kind of factor
		prepared(name, func(w *world.World) func(context.Context) error {
			ada := w.Given("ada", world.Phone)
			token := w.Begin("ada").Token
			engine := w.Another(func(c *mfa.Config) { c.Required = nil })
			return func(ctx context.Context) error { return call(ctx, engine, ada, token) }
		})
	}
	unknown("BeginLogin without a factor", func(ctx context.Context, e *mfa.Engine) error { return e.BeginLogin(ctx, "ada") })
	unknown("EnrollTOTP", func(ctx context.Context, e *mfa.Engine) error { _, err := e.EnrollTOTP(ctx, "ada", "a"); return err })
	unknown("EnrollSMS", func(ctx context.Context, e *mfa.Engine) error {
		_, err := e.EnrollSMS(ctx, "ada", world.Phone)
		return err
	})
	unknown("ImportTOTP", func(ctx context.Context, e *mfa.Engine) error { return e.ImportTOTP(ctx, "ada", importedURI) })
	unknown("ImportSMS", func(ctx context.Context, e *mfa.Engine) error { return e.ImportSMS(ctx, "ada", world.Phone) })
	known("BeginLogin, expected to be enrolled", func(ctx context.Context, e *mfa.Engine, _ person, _ string) error {
		return e.BeginLogin(ctx, "ada", mfa.ExpectEnrolled())
	})
	unknown("BeginLogin, enrolled elsewhere", func(ctx context.Context, e *mfa.Engine) error {
		return e.BeginLogin(ctx, "ada", mfa.ExpectEnrolled())
	})
	known("BeginLogin", func(ctx context.Context, e *mfa.Engine, _ person, _ string) error { return e.BeginLogin(ctx, "ada") })
	known("SendCode", func(ctx context.Context, e *mfa.Engine, _ person, token string) error {
		_, err := e.SendCode(ctx, token)
		return err
	})
	known("GenerateBackupCodes", func(ctx context.Context, e *mfa.Engine, ada person, _ string) error {
		_, err := e.GenerateBackupCodes(ctx, "ada", mfa.WithProof(ada.Proof))
		return err
	})
	known("Unenroll", func(ctx context.Context, e *mfa.Engine, ada person, _ string) error {
		return e.Unenroll(ctx, "ada", mfa.MethodTOTP, mfa.WithProof(ada.Proof))
	})
	known("TrustDevice", func(ctx context.Context, e *mfa.Engine, ada person, _ string) error {
		_, err := e.TrustDevice(ctx, "ada", ada.Proof, "")
		return err
	})
	known("ForgetDevice", func(ctx context.Context, e *mfa.Engine, ada person, _ string) error {
		device, err := e.TrustDevice(ctx, "ada", ada.Proof, "")
		if err != nil {
			return err
		}
		return e.ForgetDevice(ctx, "ada", device.ID)
	})
	known("Revoke", func(ctx context.Context, e *mfa.Engine, _ person, _ string) error {
		return e.Revoke(ctx, "ada", mfa.MethodSMS)
	})
	known("ForgetDevices", func(ctx context.Context, e *mfa.Engine, _ person, _ string) error { return e.ForgetDevices(ctx, "ada") })
	known("PasswordChanged", func(ctx context.Context, e *mfa.Engine, _ person, _ string) error {
		return e.PasswordChanged(ctx, "ada")
	})
	known("Reset", func(ctx context.Context, e *mfa.Engine, _ person, _ string) error { return e.Reset(ctx, "ada") })
	known("DeleteUser", func(ctx context.Context, e *mfa.Engine, _ person, _ string) error { return e.DeleteUser(ctx, "ada") })
	prepared("BeginLogin on a trusted device", func(w *world.World) func(context.Context) error {
		device, err := w.TrustDevice(w.Ctx, "ada", w.Given("ada", world.Phone).Proof, "")
		world.OK(w.T, err)
		return func(ctx context.Context) error { return w.BeginLogin(ctx, "ada", mfa.WithTrustedDevice(device.Token)) }
	})
	prepared("EnrollmentUser", func(w *world.World) func(context.Context) error {
		token := w.MustEnroll("ada").Token
		return func(ctx context.Context) error { _, err := w.EnrollmentUser(ctx, token); return err }
	})
	prepared("Unlock", func(w *world.World) func(context.Context) error {
		lock(w, "ada", w.Given("ada", world.Phone).App)
		return func(ctx context.Context) error { return w.Unlock(ctx, "ada") }
	})
	prepared("SendCode, not delivered", func(w *world.World) func(context.Context) error {
		w.Given("ada", world.Phone)
		token := w.Begin("ada").Token
		w.Outbox.FailWith(errors.New("down"))
		return func(ctx context.Context) error { _, err := w.SendCode(ctx, token); return err }
	})
	prepared("EnrollSMS, not delivered", func(w *world.World) func(context.Context) error {
		w.Outbox.FailWith(errors.New("down"))
		return func(ctx context.Context) error { _, err := w.EnrollSMS(ctx, "ada", world.Phone); return err }
	})
	for _, right := range []bool{true, false} {
		pick := func(code, wrong string) string {
			if right {
				return code
			}
			return wrong
		}
		suffix := fmt.Sprintf(", right: %t", right)
		for method, answer := range answers {
			prepared("a login by "+string(method)+suffix, func(w *world.World) func(context.Context) error {
				ada := w.Given("ada", world.Phone)
				token := w.Begin("ada").Token
				code := pick(answer(w, ada, token))
				return func(ctx context.Context) error { _, err := w.VerifyLogin(ctx, token, code); return err }
			})
		}
		prepared("a step-up"+suffix, func(w *world.World) func(context.Context) error {
			ada := w.Given("ada", world.Phone)
			token, code := stepUp("x").open(w, "ada"), pick(ada.Shows(), ada.Wrong())
			return func(ctx context.Context) error { _, err := w.VerifyStepUp(ctx, "ada", token, "x", code); return err }
		})
		prepared("the enrollment of an app"+suffix, func(w *world.World) func(context.Context) error {
			app := enrollTOTP(w, "ada")
			code := pick(app.Shows(), app.Wrong())
			return func(ctx context.Context) error {
				_, err := w.VerifyEnrollment(ctx, "ada", mfa.MethodTOTP, code)
				return err
			}
		})
	}
	return list
}()

var anyID = regexp.MustCompile(`fac_[0-9a-f]{16}`)

// G12: a store fault is read as "no MFA", "no match" or "no failures". Each call
// of the store, in turn, meets each fault. A call succeeds only if everything was
// saved. An error leaves the user as before, or as after a step of the call. No
// event reports what was not saved, no message is sent, and right and wrong codes
// get the same answer.
func TestG12FaultsFailClosed(t *testing.T) {
	failures := func(w *world.World) (n int) {
		if record, err := w.Store.Load(w.Ctx, "ada"); err == nil && record.Version > 0 {
			lanes := w.Decoded("ada").Lanes
			n = len(lanes.Passkey.Recent) + len(lanes.TOTP.Recent) + len(lanes.SMS.Recent) + len(lanes.BackupCode.Recent)
		}
		return n
	}
	required := true
	refusals := make(map[string]string) // the error for right and wrong codes, by fault
	for _, flow := range flows {
		t.Run(flow.name, untimed(func(t *testing.T) {
			store := world.NewFaultStore()
			w := world.New(t, world.RequiredWhen(&required), func(c *mfa.Config) { c.Store = store })
			call := flow.prepare(w)
			before := store.Snapshot()
			look := func() string {
				calls := store.Calls
				defer func() { store.Calls = calls }()
				return anyID.ReplaceAllString(world.JSON(t, w.StatusOf("ada")), "an ID") // IDs are random
			}
			charged := failures(w)
			looks := []string{look()} // at first and after each Save, when nothing fails
			w.NewEvents()
			store.Arm(before, 0, "")
			store.Saved = func() { looks = append(looks, look()) }
			clean := call(w.Ctx)
			store.Saved = nil
			calls, told, saved := store.Calls, w.NewEvents(), store.Records["ada"].Version
			looks = append(looks, look())
			if calls == 0 {
				t.Fatal("the flow does not call the store")
			}
			for at := 1; at <= calls; at++ {
				for fault, want := range map[world.Fault]error{
					world.Fails: world.ErrStore, world.FailsLate: world.ErrStore, world.Cancelled: context.Canceled,
					world.EverTooLate: mfa.ErrConflict, world.Conflicts: nil,
				} {
					store.Arm(before, at, fault)
					sent := len(w.Outbox.Messages())
					err := call(w.Ctx)
					met := store.Met
					store.At = 0
					name := fmt.Sprintf("call %d %s", at, fault)
					events, version := w.NewEvents(), store.Records["ada"].Version
					if got := look(); !slices.Contains(looks, got) {
						t.Errorf("%s: the user is left as\n\t%s", name, got)
					}
					if !met || want == nil { // a Load has no conflicts, and one conflict is retried
						if mfa.ErrorCode(err) != mfa.ErrorCode(clean) || version != saved {
							t.Errorf("%s: %v, want %v", name, err, clean)
						}
						continue
					}
					if !errors.Is(err, want) || !slices.Contains([]string{"internal", "conflict", "delivery_failed"}, mfa.ErrorCode(err)) {
						t.Errorf("%s: got %v, want %v", name, err, want)
					}
					if n := len(w.Outbox.Messages()) - sent; n != 0 {
						t.Errorf("%s: %d messages were sent", name, n)
					}
					if len(told) > 0 && len(events) >= len(told) && !slices.Contains(events, mfa.EventDeliveryFailed) {
						t.Errorf("%s: the events %v, as after a success", name, events)
					}
					if n := failures(w); n > charged+2 {
						t.Errorf("%s: %d failures became %d", name, charged, n)
					}
					if kind, _, found := strings.Cut(flow.name, ", right: "); found && err != nil {
						if had, ok := refusals[kind+name]; ok && had != err.Error() {
							t.Errorf("%s: a right and a wrong code return %q and %v, want the same", name, had, err)
						}
						refusals[kind+name] = err.Error()
					}
				}
			}
		}))
	}
}

// TestACancelledContextEndsTheCall checks that it ends before the store is called.
func TestACancelledContextEndsTheCall(t *testing.T) {
	required := true
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, flow := range flows {
		store := world.NewFaultStore()
		w := world.New(t, world.RequiredWhen(&required), func(c *mfa.Config) { c.Store = store })
		call := flow.prepare(w)
		store.Arm(store.Snapshot(), 0, "")
		sent := len(w.Outbox.Messages())
		if err := call(ctx); !errors.Is(err, context.Canceled) || store.Calls > 0 || len(w.Outbox.Messages()) != sent {
			t.Errorf("%s: %v, after %d calls of the store", flow.name, err, store.Calls)
		}
	}
}

// G13: a stale copy of the record decides.
func TestG13StaleReads(t *testing.T) {
	for method, answer := range answers {
		t.Run(string(method), untimed(func(t *testing.T) {
			store := world.NewFaultStore()
			w := world.New(t, func(c *mfa.Config) { c.Store = store })
			ada := w.Given("ada", world.Phone)
			token, second := w.Begin("ada").Token, w.Begin("ada").Token
			code, wrong := answer(w, ada, token)
			old := store.Records["ada"]
			_, err := w.VerifyLogin(w.Ctx, token, code)
			world.OK(t, err)
			now := store.Records["ada"]

			// With its own version it cannot be saved over the current record, so
			// it judges neither a right nor a wrong code.
			stale := w.Another(func(c *mfa.Config) { c.Store = world.StaleStore{Store: store, Old: old} })
			for _, try := range []struct{ token, code string }{{token, code}, {second, code}, {token, wrong}, {second, wrong}} {
				if _, err := stale.VerifyLogin(w.Ctx, try.token, try.code); !errors.Is(err, mfa.ErrConflict) {
					t.Errorf("%v: %v", try, err)
				}
			}
			// Under the current version it does not open.
			old.Version = now.Version
			mixed := w.Another(func(c *mfa.Config) { c.Store = world.StaleStore{Store: store, Old: old} })
			if _, err := mixed.VerifyLogin(w.Ctx, token, code); mfa.ErrorCode(err) != "internal" {
				t.Errorf("under the current version: %v", err)
			}
			if got := store.Records["ada"]; got.Version != now.Version || !bytes.Equal(got.Data, now.Data) {
				t.Error("a record was saved")
			}
		}))
	}

	t.Run("nothing is sent", untimed(func(t *testing.T) {
		store := world.NewFaultStore()
		w := world.New(t, func(c *mfa.Config) { c.Store = store })
		ada := w.Given("ada", world.Phone)
		token, old := w.Begin("ada").Token, store.Records["ada"]
		w.SentCode(token)
		w.Clock.Advance(time.Minute)
		w.SentCode(token)
		sent := len(w.Outbox.Messages())
		stale := w.Another(func(c *mfa.Config) { c.Store = world.StaleStore{Store: store, Old: old} })
		_, err := stale.SendCode(w.Ctx, token)
		world.WantErr(t, err, mfa.ErrConflict)
		_, err = stale.EnrollSMS(w.Ctx, "ada", world.Phone2, mfa.WithProof(ada.Proof))
		world.WantErr(t, err, mfa.ErrConflict)
		if n := len(w.Outbox.Messages()) - sent; n != 0 {
			t.Errorf("%d messages", n)
		}
	}))
}

// G17: a client that hangs up keeps what it did out of the audit log, or an
// attempt with a stolen token leaves no trace.
func TestG17HangingUpHidesNothing(t *testing.T) {
	type key struct{}
	for name, test := range map[string]struct {
		do   func(ctx context.Context, w *world.World, ada person, token string)
		want mfa.EventType
	}{
		"a login": {func(ctx context.Context, w *world.World, ada person, token string) {
			w.VerifyLogin(ctx, token, ada.Shows())
		}, mfa.EventVerified},
		"a wrong code": {func(ctx context.Context, w *world.World, ada person, token string) {
			w.VerifyLogin(ctx, token, ada.Wrong())
		}, mfa.EventRefused},
		"a change of factors": {func(ctx context.Context, w *world.World, ada person, _ string) {
			w.Unenroll(ctx, "ada", mfa.MethodSMS, mfa.WithProof(ada.Proof))
		}, mfa.EventUnenrolled},
		"a new password": {func(ctx context.Context, w *world.World, _ person, _ string) {
			w.PasswordChanged(ctx, "ada")
		}, mfa.EventPasswordChanged},
		"a message": {func(ctx context.Context, w *world.World, _ person, token string) {
			w.SendCode(ctx, token)
		}, mfa.EventDeliveryFailed}, // since the sender is called later
	} {
		store := &world.HookStore{Store: mfa.NewMemoryStore()}
		w := world.New(t, func(c *mfa.Config) { c.Store = store })
		ada := w.Given("ada", world.Phone)
		token := w.Begin("ada").Token
		ctx, hangUp := context.WithCancel(context.WithValue(w.Ctx, key{}, "request"))
		var told []mfa.EventType
		w.Engine = w.Another(func(c *mfa.Config) {
			c.OnEvent = func(listening context.Context, event mfa.Event) {
				if ctx.Err() == nil || listening.Err() != nil || listening.Value(key{}) != "request" {
					t.Errorf("%s: emitted %s before the client hung up, or with a context that ended or is not the caller's: %v", name, event.Type, listening.Err())
				}
				told = append(told, event.Type)
			}
		})
		store.Saved = hangUp
		test.do(ctx, w, ada, token)
		if !slices.Equal(told, []mfa.EventType{test.want}) {
			t.Errorf("%s: emitted %v, want %s", name, told, test.want)
		}
	}

	// The event for a refused token of the engine's names its user and challenge,
	// whatever call refused it. A forged token causes no event.
	w := world.New(t)
	ada := w.Given("ada", world.Phone)
	used, old, other := w.Begin("ada").Token, w.Begin("ada").Token, w.Begin("ada").Token
	_, err := w.VerifyLogin(w.Ctx, used, ada.Shows())
	world.OK(t, err)
	refused := func(name, token string, call func() error, want ...mfa.EventType) {
		t.Helper()
		w.NewEvents()
		world.WantErr(t, call(), mfa.ErrInvalidToken)
		if len(want) > 0 {
			claims, _ := tokens.Open(w.Ring(), tokens.Challenge, token)
			if event := w.LastEvent(); event.UserID != "ada" || event.ChallengeID != hex.EncodeToString(claims.ID[:]) || event.Err == nil {
				t.Errorf("%s: emitted %+v", name, event)
			}
		}
		if told := w.NewEvents(); !slices.Equal(told, want) {
			t.Errorf("%s: emitted %v, want %v", name, told, want)
		}
	}
	verify := func(token string) func() error {
		return func() error { _, err := w.VerifyLogin(w.Ctx, token, ada.Codes[0]); return err }
	}
	refused("used", used, verify(used), mfa.EventTokenRefused)
	refused("used, for a message", used, func() error { _, err := w.SendCode(w.Ctx, used); return err }, mfa.EventTokenRefused)
	refused("for another action", other, func() error {
		_, err := w.VerifyStepUp(w.Ctx, "ada", other, "transfer", ada.Codes[0])
		return err
	}, mfa.EventTokenRefused)
	transfer := stepUp("transfer").open(w, "ada")
	refused("as another user", transfer, func() error {
		_, err := w.VerifyStepUp(w.Ctx, "bob", transfer, "transfer", ada.Codes[0])
		return err
	}, mfa.EventTokenRefused)
	refused("forged", other, verify(other+"A"))
	w.Clock.Advance(5 * time.Minute)
	refused("expired", old, verify(old), mfa.EventTokenRefused)
	changed := w.Begin("ada").Token
	world.OK(t, w.PasswordChanged(w.Ctx, "ada"))
	refused("of before the password changed", changed, verify(changed), mfa.EventTokenRefused)
}
