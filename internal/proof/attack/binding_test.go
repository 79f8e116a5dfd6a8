package attack_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"go/ast"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

// C01: a code of one user is accepted for another (CVE-2025-64175).
func TestC01CodeOfAnotherUser(t *testing.T) {
	victims := map[string]func(w *world.World) person{
		"app": func(w *world.World) person { app, _ := w.GiveTOTP("bob"); return person{App: app} },
		"phone": func(w *world.World) person {
			w.GiveSMS("bob", world.Phone2)
			return person{Phone: world.Phone2}
		},
		"everything": func(w *world.World) person { return w.Full("bob", world.Phone2) },
	}
	for victim, prepare := range victims {
		for _, kind := range []mfa.Method{mfa.MethodTOTP, mfa.MethodSMS, mfa.MethodBackupCode} {
			t.Run(fmt.Sprintf("%s against %s", kind, victim), func(t *testing.T) {
				w := world.New(t)
				ada := w.Full("ada", world.Phone)
				bob := prepare(w)
				own := w.Begin("ada").Token
				code := map[mfa.Method]func() string{
					mfa.MethodTOTP:       ada.Shows,
					mfa.MethodSMS:        func() string { return w.SentCode(own) },
					mfa.MethodBackupCode: func() string { return ada.Codes[0] },
				}[kind]()
				token := w.Begin("bob").Token
				if bob.Phone != "" {
					w.SentCode(token)
				}
				left := 4 // bob, with whose token it was tried, is charged
				if kind == mfa.MethodBackupCode && bob.Codes == nil {
					left = 5 // bob has no codes to compare it with
				}
				_, err := w.VerifyLogin(w.Ctx, token, code)
				world.WantTries(t, err, left)
				login, err := w.VerifyLogin(w.Ctx, own, code)
				if err != nil || login.UserID != "ada" {
					t.Errorf("the code is spent: %v", err)
				}
			})
		}
	}
}

// C02: a challenge of one user is completed as another user. The token contains
// the user, and only that user can step up with it; which browser may answer is
// the host's part.
func TestC02ChallengeOfAnotherUser(t *testing.T) {
	w := world.New(t)
	users := []string{"ada", "bob"}
	people := map[string]person{"ada": w.Full("ada", world.Phone), "bob": w.Full("bob", world.Phone2)}
	for _, user := range users {
		for _, d := range doorsOf(user) {
			w.Clock.Advance(step)
			other := d.open(w, users[0])
			login, err := d.enter(w.Ctx, w.Engine, d.open(w, user), people[user].Shows())
			if err != nil || login.UserID != user {
				t.Fatalf("%s for %s: %v", d.name, user, err)
			}
			if user != users[0] {
				refusal := mfa.ErrInvalidToken // from a step-up: bob is logged in, not ada
				if d.name == "login" {
					refusal = mfa.ErrInvalidCode
				}
				_, err = d.enter(w.Ctx, w.Engine, other, people[user].Codes[0])
				world.WantErr(t, err, refusal)
			}
			// The proof is worthless for the other user.
			for _, someone := range users {
				if someone == user || login.Proof == "" {
					continue
				}
				_, err = w.EnrollTOTP(w.Ctx, someone, "a", mfa.WithProof(login.Proof))
				world.Challenged(t, err)
				_, err = w.TrustDevice(w.Ctx, someone, login.Proof, "")
				world.WantErr(t, err, mfa.ErrInvalidToken)
			}
		}
		world.OK(t, w.Unlock(w.Ctx, "ada"))
	}
	for _, method := range engineMethods(t) { // no other call names the user of a challenge
		takes := parameters(method)
		if method.Name.Name != "VerifyStepUp" && slices.Contains(takes, "token") && slices.Contains(takes, "userID") {
			t.Errorf("%s takes a token and a user", method.Name.Name)
		}
	}
	t.Run("a thief's step-up in the victim's session", func(t *testing.T) {
		// The form contains the thief's token and code; the session is the victim's.
		for _, d := range doors[1:] {
			w := world.New(t)
			ada, bob := w.Given("ada", world.Phone), w.Given("bob", world.Phone2)
			token := d.open(w, "bob")
			before := w.Stored("bob").Version
			w.NewEvents()
			for _, code := range []string{bob.Shows(), bob.Codes[0], ada.Shows(), ada.Codes[0], bob.Wrong()} {
				login, err := d.enter(w.Ctx, w.Engine, token, code)
				world.WantErr(t, err, mfa.ErrInvalidToken)
				if login != nil {
					t.Errorf("%s: %+v", d.name, login)
				}
			}
			w.WantEvents(slices.Repeat([]mfa.EventType{mfa.EventTokenRefused}, 5)...)
			if w.Stored("bob").Version != before {
				t.Errorf("%s: a refused token changed the thief's record", d.name)
			}
			_, err := stepUpOf("bob", d.name).enter(w.Ctx, w.Engine, token, bob.Shows())
			world.OK(t, err)
		}
	})
}

// parameters returns the names of a method's parameters.
func parameters(method *ast.FuncDecl) (names []string) {
	for _, field := range method.Type.Params.List {
		for _, name := range field.Names {
			names = append(names, name.Name)
		}
	}
	return names
}

// issued holds a token of every kind: all are ada's, except the enrollment token
// of bob, who has no factor.
type issued struct {
	w      *world.World
	app    world.App
	tokens map[string]string
}

// kinds lists the kinds of tokens.
var kinds = []string{"login", "transfer", mfa.ActionManage, "enrollment", "proof", "device"}

func issueAll(t *testing.T) issued {
	t.Helper()
	required := true
	w := world.New(t, world.RequiredWhen(&required))
	app, login := w.GiveTOTP("ada")
	world.OK(t, w.ImportSMS(w.Ctx, "ada", world.Phone))
	device, err := w.TrustDevice(w.Ctx, "ada", login.Proof, "")
	world.OK(t, err)
	tokens := map[string]string{"proof": login.Proof, "device": device.Token, "enrollment": w.MustEnroll("bob").Token}
	for _, d := range doors {
		tokens[d.name] = d.open(w, "ada")
	}
	return issued{w, app, tokens}
}

// use passes a token to the call that takes tokens of that kind. It returns nil
// if the token was accepted.
func (i issued) use(kind, token string) (err error) {
	switch kind {
	case "enrollment":
		_, err = i.w.EnrollmentUser(i.w.Ctx, token)
		return err
	case "proof":
		_, err = i.w.TrustDevice(i.w.Ctx, "ada", token, "")
		return err
	case "device":
		return i.w.BeginLogin(i.w.Ctx, "ada", mfa.WithTrustedDevice(token))
	}
	for _, d := range doors {
		if d.name == kind {
			_, err = d.enter(i.w.Ctx, i.w.Engine, token, i.app.Shows())
		}
	}
	return err
}

// C03: a token of one kind passes as one of another, a pending login as a session
// (GHSA-5m69-7h2p-6qfw, CVE-2026-32246).
func TestC03TokenOfAnotherKind(t *testing.T) {
	i := issueAll(t)
	w := i.w
	type use struct {
		name string
		take []string // the kinds that it takes
		do   func(token string) error
	}
	uses := []use{
		{"SendCode", []string{"login", "transfer", mfa.ActionManage}, func(token string) error { _, err := w.SendCode(w.Ctx, token); return err }},
		{"EnrollTOTP", []string{"proof"}, func(token string) error { return changes["EnrollTOTP"](w, "ada", mfa.WithProof(token)) }},
		{"CheckProof", []string{"proof"}, func(token string) error { return w.CheckProof(w.Ctx, "ada", token) }},
		{"GenerateBackupCodes", []string{"proof"}, func(token string) error { return changes["GenerateBackupCodes"](w, "ada", mfa.WithProof(token)) }},
		{"VerifyStepUp for a login", nil, func(token string) error {
			_, err := w.VerifyStepUp(w.Ctx, "ada", token, mfa.ActionLogin, i.app.Shows())
			return err
		}},
		{"VerifyStepUp for an enrollment", nil, func(token string) error {
			_, err := w.VerifyStepUp(w.Ctx, "ada", token, mfa.ActionEnroll, i.app.Shows())
			return err
		}},
	}
	for _, kind := range kinds {
		uses = append(uses, use{kind, []string{kind}, func(token string) error { return i.use(kind, token) }})
	}
	// No other method takes a token.
	if got, want := methodsWith(t, "token"), []string{"EnrollmentUser", "PasskeyOptions", "SendCode", "VerifyLogin", "VerifyStepUp"}; !slices.Equal(got, want) {
		t.Errorf("methods that take a token: %v, want %v", got, want)
	}
	if got, want := methodsWith(t, "proof"), []string{"CheckProof", "TrustDevice"}; !slices.Equal(got, want) {
		t.Errorf("methods that take a proof: %v, want %v", got, want)
	}
	const prefix = len("mfa_tmp_")
	for _, use := range uses {
		for made, token := range i.tokens {
			if slices.Contains(use.take, made) {
				continue
			}
			if err := use.do(token); err == nil {
				t.Errorf("a token for %s is accepted for %s", made, use.name)
			}
			for _, other := range i.tokens { // nor does another prefix make it another kind
				if err := use.do(other[:prefix] + token[prefix:]); err == nil {
					t.Errorf("a token for %s with another prefix is accepted for %s", made, use.name)
				}
			}
		}
	}
	for _, use := range uses { // each kind works where it should
		for _, kind := range use.take {
			if err := use.do(i.tokens[kind]); err != nil {
				t.Errorf("%s, given a token for %s: %v", use.name, kind, err)
			}
			w.Clock.Advance(step)
		}
	}
	// A successful login has a type of its own; no challenge converts to it.
	success := reflect.TypeFor[*mfa.Login]()
	for _, pending := range []reflect.Type{reflect.TypeFor[*mfa.Challenge](), reflect.TypeFor[*mfa.ChallengeError](), reflect.TypeFor[*mfa.EnrollmentError]()} {
		if pending.ConvertibleTo(success) || pending.Elem().ConvertibleTo(success.Elem()) {
			t.Errorf("%v converts to %v", pending, success)
		}
	}
}

// C04: a challenge works again after it was answered.
func TestC04ChallengeTwice(t *testing.T) {
	answers := []string{"app", "message", "backup code"}
	prepare := func(t *testing.T) (w *world.World, token string, codes map[string]string, later func() map[string]string) {
		w = world.New(t, world.BackupCodes(2))
		ada := w.Full("ada", world.Phone)
		token = w.Begin("ada").Token
		codes = map[string]string{"app": ada.Shows(), "message": w.SentCode(token), "backup code": ada.Codes[0]}
		return w, token, codes, func() map[string]string {
			w.Clock.Advance(step)
			return map[string]string{"app": ada.Shows(), "message": codes["message"], "backup code": ada.Codes[1]}
		}
	}
	for _, first := range answers {
		t.Run(first, func(t *testing.T) {
			w, token, codes, later := prepare(t)
			_, err := w.VerifyLogin(w.Ctx, token, codes[first])
			world.OK(t, err)
			fresh := later()
			before := w.Stored("ada").Version
			for _, engine := range []*mfa.Engine{w.Engine, w.Another()} {
				for _, second := range answers {
					_, err := engine.VerifyLogin(w.Ctx, token, fresh[second])
					world.WantErr(t, err, mfa.ErrInvalidToken)
				}
				_, err := engine.SendCode(w.Ctx, token)
				world.WantErr(t, err, mfa.ErrInvalidToken)
			}
			if w.Stored("ada").Version != before {
				t.Error("a used token changed the record")
			}
			w.Login("ada", fresh["app"]) // both codes still work for another challenge
			w.Login("ada", fresh["backup code"])
		})
	}
	t.Run("three codes at once", func(t *testing.T) {
		w, token, codes, _ := prepare(t)
		w.NewEvents()
		world.WantOne(t, w.Race(racers, func(engine *mfa.Engine, i int) error {
			_, err := engine.VerifyLogin(w.Ctx, token, codes[answers[i%3]])
			return err
		}), mfa.ErrInvalidToken, mfa.ErrInvalidCode)
		if told := count(w, mfa.EventVerified); told != 1 {
			t.Errorf("%d events of a verified code, want one", told)
		}
	})
	t.Run("with the last try", func(t *testing.T) {
		w, token, codes, later := prepare(t)
		for range 4 {
			_, err := w.VerifyLogin(w.Ctx, token, "12345")
			world.WantErr(t, err, mfa.ErrInvalidCode)
		}
		_, err := w.VerifyLogin(w.Ctx, token, codes["app"])
		world.OK(t, err)
		_, err = w.VerifyLogin(w.Ctx, token, later()["app"])
		world.WantErr(t, err, mfa.ErrInvalidToken)
	})
	t.Run("while a backup code is hashed", func(t *testing.T) {
		store := &world.HookStore{Store: mfa.NewMemoryStore()}
		w := world.New(t, func(c *mfa.Config) { c.Store = store })
		ada := w.Full("ada", world.Phone)
		token := w.Begin("ada").Token
		store.Saved = func() { // the attempt is charged
			store.Saved = nil
			_, err := w.VerifyLogin(w.Ctx, token, ada.Shows())
			world.OK(t, err)
		}
		_, err := w.VerifyLogin(w.Ctx, token, ada.Codes[0])
		world.WantErr(t, err, mfa.ErrInvalidToken)
		w.Login("ada", ada.Codes[0]) // which is not spent
	})
	t.Run("forgotten, and the clock goes back", func(t *testing.T) {
		w, token, codes, later := prepare(t)
		_, err := w.VerifyLogin(w.Ctx, token, codes["app"])
		world.OK(t, err)
		fresh := later()
		start := w.Clock.Now()
		for range 40 { // more challenges than a record holds
			_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, "12345")
			world.WantErr(t, err, mfa.ErrInvalidCode)
			world.OK(t, w.Unlock(w.Ctx, "ada"))
			w.Clock.Advance(10 * time.Second)
		}
		w.Clock.Set(start)
		_, err = w.VerifyLogin(w.Ctx, token, fresh["app"])
		world.WantErr(t, err, mfa.ErrInvalidToken)
	})
}

// C05: an expired token or code is accepted, or its lifetime is extended.
func TestC05Expiry(t *testing.T) {
	for _, d := range doors {
		for _, ttl := range []time.Duration{time.Minute, 5 * time.Minute, 10 * time.Minute} {
			for _, kind := range []string{"app", "message", "backup code"} {
				for _, late := range []bool{false, true} {
					w := world.New(t, func(c *mfa.Config) {
						c.ChallengeTTL = ttl
						c.SMSCodes.TTL = 10 * time.Minute
					})
					var app world.App
					var code func() string
					var token string
					start := w.Clock.Now()
					switch kind {
					case "app":
						app, _ = w.GiveTOTP("ada")
						start, token, code = w.Clock.Now(), d.open(w, "ada"), app.Shows
					case "message":
						w.GiveSMS("ada", world.Phone)
						start, token = w.Clock.Now(), d.open(w, "ada")
						w.SentCode(token)
						w.Clock.Advance(step) // another message does not extend the lifetime
						sent := w.SentCode(token)
						code = func() string { return sent }
					case "backup code":
						w.GiveTOTP("ada")
						codes := w.CheapBackupCodes("ada")
						start, token, code = w.Clock.Now(), d.open(w, "ada"), func() string { return codes[0] }
					}
					_, err := d.enter(w.Ctx, w.Engine, token, "12345") // nor does a wrong code
					world.WantErr(t, err, mfa.ErrInvalidCode)
					w.Clock.Set(start.Add(ttl - 1))
					if late {
						w.Clock.Advance(1)
						_, err = d.enter(w.Ctx, w.Engine, token, code())
						world.WantErr(t, err, mfa.ErrInvalidToken)
					} else {
						_, err = d.enter(w.Ctx, w.Engine, token, code())
						world.OK(t, err)
					}
				}
			}
		}
	}
	t.Run("a message, within its challenge", func(t *testing.T) {
		for _, late := range []bool{false, true} {
			w := world.New(t, func(c *mfa.Config) { c.SMSCodes.TTL = time.Minute })
			w.GiveSMS("ada", world.Phone)
			token := w.Begin("ada").Token
			code := w.SentCode(token)
			w.Clock.Advance(time.Minute - 1)
			if late {
				w.Clock.Advance(1)
				_, err := w.VerifyLogin(w.Ctx, token, code)
				world.WantTries(t, err, 5) // compared with nothing
				code = w.SentCode(token)   // the challenge is still valid
			}
			_, err := w.VerifyLogin(w.Ctx, token, code)
			world.OK(t, err)
		}
	})
	t.Run("a setting that is lowered", func(t *testing.T) { // applies to what was issued before
		lowered := func(c *mfa.Config) {
			c.ChallengeTTL, c.EnrollmentTTL, c.ProofTTL, c.TrustedDeviceTTL = 2*time.Minute, 3*time.Minute, 4*time.Minute, 5*time.Minute
		}
		for kind, ttl := range map[string]time.Duration{
			"login": 2 * time.Minute, "transfer": 2 * time.Minute, mfa.ActionManage: 2 * time.Minute, "enrollment": 3 * time.Minute, "proof": 4 * time.Minute, "device": 5 * time.Minute,
		} {
			for _, late := range []bool{false, true} {
				i := issueAll(t)
				start := i.w.Clock.Now()
				if kind == "proof" {
					start = start.Add(-time.Minute) // GiveTOTP advances the clock by a minute
				}
				i.w.Engine = i.w.Another(lowered)
				i.w.Clock.Set(start.Add(ttl - 1))
				if late {
					i.w.Clock.Advance(1)
				}
				if err := i.use(kind, i.tokens[kind]); (err != nil) != late {
					t.Errorf("%s, late %t: %v", kind, late, err)
				}
			}
		}
	})
	t.Run("enrollments, proofs and devices", func(t *testing.T) {
		ends := map[string]time.Duration{"enrollment": 15 * time.Minute, "proof": 15 * time.Minute, "device": 30 * 24 * time.Hour}
		for kind, ttl := range ends {
			i := issueAll(t)
			start := i.w.Clock.Now()
			if kind == "proof" {
				start = start.Add(-time.Minute) // GiveTOTP advances the clock by a minute
			}
			i.w.Clock.Set(start.Add(ttl - 1))
			world.OK(t, i.use(kind, i.tokens[kind]))
			i.w.Clock.Advance(1)
			if err := i.use(kind, i.tokens[kind]); err == nil {
				t.Errorf("%s: still valid after %v", kind, ttl)
			}
		}
	})
}

// C06: a challenge or a pending enrollment survives a change of the password or
// the factors, or a reset.
func TestC06SurvivesAChange(t *testing.T) {
	changes := map[string]func(w *world.World, ada person) error{
		"PasswordChanged": func(w *world.World, _ person) error { return w.PasswordChanged(w.Ctx, "ada") },
		"Reset":           func(w *world.World, _ person) error { return w.Reset(w.Ctx, "ada") },
		"DeleteUser":      func(w *world.World, _ person) error { return w.DeleteUser(w.Ctx, "ada") },
		"reset, and the same key again": func(w *world.World, ada person) error {
			world.OK(t, w.Reset(w.Ctx, "ada"))
			w.GiveTOTP("ada")
			return nil
		},
		"app removed": func(w *world.World, ada person) error {
			return w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP, mfa.WithProof(ada.Proof))
		},
		"phone removed": func(w *world.World, ada person) error {
			return w.Unenroll(w.Ctx, "ada", mfa.MethodSMS, mfa.WithProof(ada.Proof))
		},
		"app replaced": func(w *world.World, ada person) error { w.GiveTOTP("ada", mfa.WithProof(ada.Proof)); return nil },
		"phone replaced": func(w *world.World, ada person) error {
			w.Clock.Advance(step)
			w.GiveSMS("ada", world.Phone2, mfa.WithProof(ada.Proof))
			return nil
		},
		"app revoked":   func(w *world.World, _ person) error { return w.Revoke(w.Ctx, "ada", mfa.MethodTOTP) },
		"phone revoked": func(w *world.World, _ person) error { return w.Revoke(w.Ctx, "ada", mfa.MethodSMS) },
		"ForgetDevices": func(w *world.World, _ person) error { return w.ForgetDevices(w.Ctx, "ada") },
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			w := world.New(t)
			ada := w.Full("ada", world.Phone)
			var untouched, tried []string
			for _, d := range doors {
				untouched, tried = append(untouched, d.open(w, "ada")), append(tried, d.open(w, "ada"))
				_, err := d.enter(w.Ctx, w.Engine, tried[len(tried)-1], "12345")
				world.WantTries(t, err, 4)
			}
			sms := w.SentCode(untouched[0])
			device, err := w.TrustDevice(w.Ctx, "ada", ada.Proof, "")
			world.OK(t, err)
			world.OK(t, change(w, ada))
			for i, d := range doors {
				for _, token := range []string{untouched[i], tried[i]} {
					for _, code := range []string{ada.Shows(), sms, ada.Codes[0], "?"} {
						_, err := d.enter(w.Ctx, w.Engine, token, code)
						world.WantErr(t, err, mfa.ErrInvalidToken)
					}
					_, err := w.SendCode(w.Ctx, token)
					world.WantErr(t, err, mfa.ErrInvalidToken)
				}
			}
			_, err = w.TrustDevice(w.Ctx, "ada", ada.Proof, "") // the proof has ended too
			world.WantErr(t, err, mfa.ErrInvalidToken)
			if w.Enrolled("ada") != nil {
				w.Begin("ada", mfa.WithTrustedDevice(device.Token))
			}
		})
	}
	for name, change := range map[string]func(w *world.World, ada person){
		"new backup codes": func(w *world.World, ada person) {
			w.GiveBackupCodes("ada", ada.Proof)
			world.OK(t, w.Unenroll(w.Ctx, "ada", mfa.MethodBackupCode, mfa.WithProof(ada.Proof)))
		},
		"a second app": func(w *world.World, ada person) {
			w.GiveTOTP("ada", mfa.KeepOthers(), mfa.WithProof(ada.Proof))
		},
		"a refused import": func(w *world.World, _ person) {
			world.WantErr(t, w.ImportTOTP(w.Ctx, "ada", importedURI), mfa.ErrAlreadyEnrolled)
			world.WantErr(t, w.ImportSMS(w.Ctx, "ada", world.Phone2), mfa.ErrAlreadyEnrolled)
		},
		"an unknown device forgotten": func(w *world.World, _ person) { world.OK(t, w.ForgetDevice(w.Ctx, "ada", "dev_0000000000000000")) },
	} {
		t.Run(name+" ends none", func(t *testing.T) {
			w := world.New(t)
			ada := w.Full("ada", world.Phone)
			token := w.Begin("ada").Token
			change(w, ada)
			_, err := w.VerifyLogin(w.Ctx, token, ada.Shows())
			world.OK(t, err)
			_, err = w.TrustDevice(w.Ctx, "ada", ada.Proof, "")
			world.OK(t, err)
		})
	}
	t.Run("half-done enrollments", func(t *testing.T) {
		required := true
		for name, change := range map[string]func(w *world.World) error{
			"PasswordChanged":  func(w *world.World) error { return w.PasswordChanged(w.Ctx, "ada") },
			"Reset":            func(w *world.World) error { return w.Reset(w.Ctx, "ada") },
			"another enrolled": func(w *world.World) error { return w.ImportSMS(w.Ctx, "ada", world.Phone) },
		} {
			w := world.New(t, world.RequiredWhen(&required))
			token := w.MustEnroll("ada").Token
			pending, err := w.EnrollTOTP(w.Ctx, "ada", "a")
			world.OK(t, err)
			_, err = w.EnrollmentUser(w.Ctx, token)
			world.OK(t, err)
			world.OK(t, change(w))
			if _, err = w.EnrollmentUser(w.Ctx, token); !errors.Is(err, mfa.ErrInvalidToken) {
				t.Errorf("%s: the token is still valid: %v", name, err)
			}
			if _, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, w.Scan(pending.URI).Shows()); !errors.Is(err, mfa.ErrNoPendingEnrollment) {
				t.Errorf("%s: the pending factor is still valid: %v", name, err)
			}
		}
	})
}

// C07: tokens can be forged: they are unsigned, or the key is weak, known or
// missing.
func TestC07Forgery(t *testing.T) {
	good := world.New(t).Config
	for name, keys := range map[string][][]byte{
		"none": nil, "an empty list": {}, "nil": {nil}, "empty": {{}}, "short": {world.Key(1)[:31]}, "long": {append(world.Key(1), 0)},
		"zero": {make([]byte, 32)}, "a good one and a zero one": {world.Key(1), make([]byte, 32)}, "a good one and a short one": {world.Key(1), {1}},
		"text": {[]byte("secret")}, "twice the same": {world.Key(1), world.Key(1)},
		"32 letters": {[]byte("correct-horse-battery-staple-321")}, "hex": {[]byte("000102030405060708090a0b0c0d0e0f")},
		"one byte, repeated": {bytes.Repeat([]byte{0xa5}, 32)}, "a good one and text": {world.Key(1), bytes.Repeat([]byte("key!"), 8)},
	} {
		config := good
		config.Keys = keys
		if _, err := mfa.New(config); !errors.Is(err, mfa.ErrInvalidInput) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good.Keys = [][]byte{world.Key(1)}
	_, err := mfa.New(good)
	world.OK(t, err)

	i := issueAll(t)
	for _, kind := range kinds {
		refuse := func(forged, how string) {
			t.Helper()
			err := i.use(kind, forged)
			if challenged := errors.As(err, new(*mfa.ChallengeError)); err == nil || !errors.Is(err, mfa.ErrInvalidToken) && !challenged {
				t.Fatalf("%s, %s: %v", kind, how, err)
			}
		}
		token := i.tokens[kind]
		prefix, body := token[:len("mfa_tmp_")], token[len("mfa_tmp_"):]
		sealed, err := base64.RawURLEncoding.DecodeString(body)
		world.OK(t, err)
		for bit := range 8 * len(sealed) {
			flipped := bytes.Clone(sealed)
			flipped[bit/8] ^= 1 << (bit % 8)
			refuse(prefix+base64.RawURLEncoding.EncodeToString(flipped), fmt.Sprint("bit ", bit))
		}
		for n := range token {
			refuse(token[:n], fmt.Sprint("cut to ", n))
		}
		for _, tail := range []string{"A", "=", "==", "\n", "\r\n", " ", "\x00", token, body} {
			refuse(token+tail, fmt.Sprintf("with %q", tail))
		}
		if other := base64.StdEncoding.EncodeToString(sealed); other != body { // almost always true
			refuse(prefix+other, "in another alphabet")
		}
		refuse(strings.ToUpper(prefix)+body, "in capitals")
		refuse("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.", "as a JWT without an algorithm")
		refuse(prefix+base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{0}, len(sealed))), "all zero")
	}
	// An engine with another key does not accept the tokens, for the same user and
	// with the same store.
	foreign := i.w.Another(func(c *mfa.Config) { c.Keys = [][]byte{world.Key(9)} })
	for _, kind := range []string{"login", "enrollment"} {
		var err error
		if kind == "login" {
			_, err = foreign.VerifyLogin(i.w.Ctx, i.tokens[kind], i.app.Shows())
		} else {
			_, err = foreign.EnrollmentUser(i.w.Ctx, i.tokens[kind])
		}
		world.WantErr(t, err, mfa.ErrInvalidToken)
	}
	for _, kind := range kinds { // all of them are still valid
		i.w.Clock.Advance(step)
		if err := i.use(kind, i.tokens[kind]); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

// C08: a token can be parsed in two ways, since its fields are joined without
// their lengths.
func TestC08AmbiguousTokens(t *testing.T) {
	required := true
	const delimiters = "!|:,;.&=/\\+-_ \"'{}[]()<>%#@~`$^*?"
	t.Run("users", func(t *testing.T) {
		w := world.New(t, world.RequiredWhen(&required))
		users := []string{"a", "b", "ab", "a" + strings.Repeat("b", 254), strings.Repeat("é", 127), "\u202eada", "a\u200bb"}
		for _, delimiter := range delimiters {
			d := string(delimiter)
			users = append(users, "a"+d+"b", d, d+"a", "a"+d, "a"+d+d+"b", "a"+d+"1900000000")
		}
		seen := make(map[string]string)
		for _, user := range users {
			token := w.MustEnroll(user).Token
			got, err := w.EnrollmentUser(w.Ctx, token)
			if err != nil || got != user {
				t.Errorf("%q became %q, %v", user, got, err)
			}
			if other, twice := seen[token]; twice {
				t.Errorf("%q and %q have the same token", user, other)
			}
			seen[token] = user
		}
		for _, user := range []string{"", "a\x00b", "a\nb", "\xff", "a\xc3", "\u0085", strings.Repeat("a", 256), strings.Repeat("a", 64<<10)} {
			world.WantErr(t, w.BeginLogin(w.Ctx, user), mfa.ErrInvalidUser)
		}
	})
	t.Run("users and actions", func(t *testing.T) {
		w := world.New(t)
		const uri = "otpauth://totp/x?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
		app := w.Scan(uri)
		for _, delimiter := range delimiters {
			d := string(delimiter)
			left, right := "a"+d+"b", "b"+d+"c" // joined by ":", both (a, b:c) and (a:b, c) are a:b:c
			for _, pair := range [][2][2]string{{{"a", right}, {left, "c"}}, {{"a", "bc"}, {"ab", "c"}}} {
				for _, claim := range pair {
					world.OK(t, w.ImportTOTP(w.Ctx, claim[0], uri))
				}
				for n, claim := range pair {
					other := pair[1-n]
					challenge, err := w.BeginStepUp(w.Ctx, claim[0], claim[1])
					world.OK(t, err)
					for _, wrong := range [][2]string{other, {claim[0], other[1]}, {other[0], claim[1]}} {
						_, err = w.VerifyStepUp(w.Ctx, wrong[0], challenge.Token, wrong[1], app.Shows())
						world.WantErr(t, err, mfa.ErrInvalidToken)
					}
					login, err := w.VerifyStepUp(w.Ctx, claim[0], challenge.Token, claim[1], app.Shows())
					if err != nil || login.UserID != claim[0] || login.Action != claim[1] {
						t.Errorf("%q: %v", claim, err)
					}
				}
				w.Clock.Advance(step)
			}
		}
	})
}

// C09: malformed input, or calls out of order, cause a panic.
func TestC09MalformedAndOutOfOrder(t *testing.T) {
	states := map[string]func(w *world.World){
		"unknown":     func(*world.World) {},
		"pending":     func(w *world.World) { w.EnrollTOTP(w.Ctx, "ada", "a"); w.EnrollSMS(w.Ctx, "ada", world.Phone) },
		"active":      func(w *world.World) { w.GiveTOTP("ada") },
		"phone":       func(w *world.World) { w.GiveSMS("ada", world.Phone) },
		"delayed":     func(w *world.World) { app, _ := w.GiveTOTP("ada"); lock(w, "ada", app) },
		"disabled":    func(w *world.World) { w.GiveTOTP("ada"); w.Disable("ada", mfa.MethodTOTP, world.FiveDigits) },
		"reset":       func(w *world.World) { w.GiveTOTP("ada"); w.Reset(w.Ctx, "ada") },
		"deleted":     func(w *world.World) { w.GiveTOTP("ada"); w.DeleteUser(w.Ctx, "ada") },
		"passkey":     func(w *world.World) { w.GivePasskey("ada", "key") },
		"new passkey": func(w *world.World) { w.EnrollPasskey(w.Ctx, "ada", "a") },
	}
	texts := []string{"ada", "", "\x00", "\xff\xfe", "nil", "-1", "000000", "aaaa-aaaa", "+", world.Phone, "%s%n", "mfa_tmp_", "mfa_enr_AAAA",
		"otpauth://", "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP", "fac_0000000000000000", "dev_0000000000000000", "{}", `{"id":1}`, "{", strings.Repeat("9", 65), strings.Repeat("é", 1<<10), strings.Repeat("\u202e", 1<<16)}
	engine := reflect.TypeFor[*mfa.Engine]()
	for name, prepare := range states {
		t.Run(name, func(t *testing.T) {
			store := world.NewFaultStore()
			w := world.New(t, world.WithPasskeys, func(c *mfa.Config) { c.Store = store })
			prepare(w)
			before := store.Snapshot()
			calls := 0
			for m := range engine.NumMethod() {
				method := engine.Method(m)
				if method.Name == "Format" {
					continue
				}
				for _, text := range texts {
					store.Arm(before, 0, "")
					call(t, w, method, text)
					calls++
				}
			}
			for _, text := range texts { // and as a code
				store.Arm(before, 0, "")
				var challenge *mfa.ChallengeError
				if errors.As(w.BeginLogin(w.Ctx, "ada"), &challenge) {
					if login, err := w.VerifyLogin(w.Ctx, challenge.Token, text); login != nil || err == nil {
						t.Errorf("with the code %.40q: %v", text, err)
					}
				}
				for _, method := range []mfa.Method{"", mfa.MethodPasskey, mfa.MethodTOTP, mfa.MethodSMS} {
					if err := confirm(w, method, text); err == nil {
						t.Errorf("%s confirmed by %.40q", method, text)
					}
				}
			}
			if calls < 20*len(texts) {
				t.Errorf("only %d calls", calls)
			}
		})
	}
}

// call calls a method of the engine with text as every string argument except
// the user's ID, and then as the user's ID too. The method must not panic, and
// must return either a result or an error.
func call(t *testing.T, w *world.World, method reflect.Method, text string) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			t.Fatalf("%s(%.40q) panics: %v", method.Name, text, p)
		}
	}()
	for n, user := range []string{"ada", text, "ada"} {
		in := []reflect.Value{reflect.ValueOf(w.Engine), reflect.ValueOf(w.Ctx)}
		for i := 2; i < method.Type.NumIn(); i++ {
			kind := method.Type.In(i)
			switch {
			case kind.Kind() == reflect.String && i == 2:
				in = append(in, reflect.ValueOf(user))
			case kind.Kind() == reflect.String:
				in = append(in, reflect.ValueOf(text).Convert(kind))
			case kind == reflect.TypeFor[[]mfa.ChangeOption]() && n == 2:
				in = append(in, reflect.ValueOf(mfa.WithLabel(text)), reflect.ValueOf(mfa.OnlyFactor(text)))
			case kind == reflect.TypeFor[[]mfa.ChangeOption]():
				in = append(in, reflect.Zero(kind.Elem()), reflect.ValueOf(mfa.WithProof(text)))
			case kind == reflect.TypeFor[[]mfa.LoginOption]():
				in = append(in, reflect.Zero(kind.Elem()), reflect.ValueOf(mfa.WithTrustedDevice(text)))
			case kind == reflect.TypeFor[[]mfa.SendOption]():
				in = append(in, reflect.Zero(kind.Elem()), reflect.ValueOf(mfa.ToFactor(text)))
			default:
				t.Fatalf("%s takes a %v: add an argument for it to this test", method.Name, kind)
			}
		}
		out := method.Func.Call(in)
		err, _ := out[len(out)-1].Interface().(error)
		if len(out) == 2 && (err == nil) == out[0].IsZero() {
			t.Errorf("%s(%.40q) returned %v and %v", method.Name, text, out[0], err)
		}
	}
}

// C10: challenges are predictable.
func TestC10PredictableChallenges(t *testing.T) {
	w := world.New(t)
	w.GiveTOTP("ada")
	const n = 20_000
	seen := make(map[string]bool, n)
	var values [][256]bool // the byte values seen at each index
	for range n {
		token := w.Begin("ada").Token
		if seen[token] {
			t.Fatal("a token was issued twice")
		}
		seen[token] = true
		sealed, err := base64.RawURLEncoding.DecodeString(token[len("mfa_tmp_"):])
		world.OK(t, err)
		if values == nil {
			values = make([][256]bool, len(sealed))
		}
		for place, value := range sealed {
			values[place][value] = true
		}
	}
	const header = 5 // the version and the key's ID, the same in all tokens
	for place := header; place < len(values); place++ {
		if slices.Contains(values[place][:], false) { // for a random byte, once in 10^31 runs
			t.Errorf("byte %d of a token is not random", place)
		}
	}
	t.Run("enough randomness is read, each time", func(t *testing.T) {
		source := &countingReader{Reader: rand.Reader}
		rand.Reader = source
		defer func() { rand.Reader = source.Reader }()
		for range 10 {
			source.read = 0
			w.Begin("ada")
			if source.read < 16 {
				t.Errorf("%d random bytes for a challenge, want at least 16", source.read)
			}
		}
	})
}

// A countingReader counts the bytes that are read from it.
type countingReader struct {
	io.Reader
	read int
}

func (r *countingReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.read += n
	return n, err
}

// C11: a challenge is answered with a factor that is not the user's, no longer or
// not yet, or with one that policy has since forbidden.
func TestC11FactorNotAllowed(t *testing.T) {
	t.Run("none of that kind", func(t *testing.T) {
		w := world.New(t)
		app, _ := w.GiveTOTP("ada")
		token := w.Begin("ada").Token
		_, err := w.SendCode(w.Ctx, token)
		world.WantErr(t, err, mfa.ErrMethodUnavailable)
		for _, answer := range []string{"7f3k-2m9p", `{"id":"key"}`} {
			_, err = w.VerifyLogin(w.Ctx, token, answer)
			world.WantTries(t, err, 5) // compared with nothing
		}
		if sent := len(w.Outbox.Messages()); sent != 0 {
			t.Errorf("%d messages were sent", sent)
		}
		_, err = w.VerifyLogin(w.Ctx, token, app.Shows())
		world.OK(t, err)
	})
	t.Run("not confirmed", func(t *testing.T) {
		w := world.New(t)
		app, login := w.GiveTOTP("ada")
		token := w.Begin("ada").Token
		next, err := w.EnrollTOTP(w.Ctx, "ada", "a", mfa.WithProof(login.Proof))
		world.OK(t, err)
		_, err = w.EnrollSMS(w.Ctx, "ada", world.Phone, mfa.WithProof(login.Proof))
		world.OK(t, err)
		for i, code := range []string{w.Scan(next.URI).Shows(), w.Outbox.Code(world.Phone)} {
			_, err = w.VerifyLogin(w.Ctx, token, code)
			world.WantTries(t, err, 4-i)
		}
		_, err = w.SendCode(w.Ctx, token)
		world.WantErr(t, err, mfa.ErrMethodUnavailable)
		_, err = w.VerifyLogin(w.Ctx, token, app.Shows())
		world.OK(t, err)
	})
	t.Run("disabled since", func(t *testing.T) {
		w := world.New(t)
		ada := w.Full("ada", world.Phone)
		w.Disable("ada", mfa.MethodTOTP, world.FiveDigits)
		w.Clock.Advance(longest)
		challenge := w.Begin("ada")
		if slices.Contains(challenge.Methods, mfa.MethodTOTP) {
			t.Errorf("offered: %v", challenge.Methods)
		}
		_, err := w.VerifyLogin(w.Ctx, challenge.Token, ada.Shows())
		world.WantErr(t, err, mfa.ErrFactorDisabled)
		w.AnswerBySMS(challenge)
	})
	t.Run("forbidden since", func(t *testing.T) {
		forbidden := errors.New("no messages any more")
		var policy error
		w := world.New(t, func(c *mfa.Config) {
			c.SMSCodes.Allow = func(context.Context, string, string) error { return policy }
		})
		w.GiveSMS("ada", world.Phone)
		token := w.Begin("ada").Token
		w.SentCode(token)
		w.Clock.Advance(time.Minute)
		policy = forbidden
		sent := len(w.Outbox.Messages())
		_, err := w.SendCode(w.Ctx, token)
		world.WantErr(t, err, forbidden)
		_, err = w.Another(func(c *mfa.Config) { c.SMS = nil }).SendCode(w.Ctx, token)
		world.WantErr(t, err, mfa.ErrMethodUnavailable)
		if got := len(w.Outbox.Messages()); got != sent {
			t.Errorf("%d messages were sent, want none", got-sent)
		}
	})
}

// C12: a remembered device is not bound to its user, can be forged, or is not
// forgotten.
func TestC12RememberedDevice(t *testing.T) {
	trust := func(w *world.World, user, proof string) string {
		device, err := w.TrustDevice(w.Ctx, user, proof, "")
		world.OK(t, err)
		return device.Token
	}
	passes := func(w *world.World, user, device string) bool {
		return w.BeginLogin(w.Ctx, user, mfa.WithTrustedDevice(device)) == nil
	}
	t.Run("never before a second factor", func(t *testing.T) {
		i := issueAll(t)
		for kind, token := range i.tokens {
			if _, err := i.w.TrustDevice(i.w.Ctx, "ada", token, ""); (err == nil) != (kind == "proof") {
				t.Errorf("a token for %s: %v", kind, err)
			}
		}
		_, err := i.w.TrustDevice(i.w.Ctx, "bob", i.tokens["proof"], "")
		world.WantErr(t, err, mfa.ErrInvalidToken)
	})
	t.Run("on another user", func(t *testing.T) {
		w := world.New(t)
		_, ada := w.GiveTOTP("ada")
		w.GiveTOTP("bob")
		device := trust(w, "ada", ada.Proof)
		if !passes(w, "ada", device) || passes(w, "bob", device) {
			t.Error("a device is trusted for another user")
		}
	})
	for name, end := range map[string]func(w *world.World, ada person){
		"ForgetDevices":   func(w *world.World, _ person) { world.OK(t, w.ForgetDevices(w.Ctx, "ada")) },
		"PasswordChanged": func(w *world.World, _ person) { world.OK(t, w.PasswordChanged(w.Ctx, "ada")) },
		"removed, enrolled anew": func(w *world.World, ada person) {
			world.OK(t, w.Unenroll(w.Ctx, "ada", mfa.MethodSMS, mfa.WithProof(ada.Proof)))
			w.GiveSMS("ada", world.Phone, mfa.WithProof(w.Login("ada", ada.Shows()).Proof))
		},
		"app replaced": func(w *world.World, ada person) { w.GiveTOTP("ada", mfa.WithProof(ada.Proof)) },
		"app added":    func(w *world.World, ada person) { w.GiveTOTP("ada", mfa.KeepOthers(), mfa.WithProof(ada.Proof)) },
		"app revoked":  func(w *world.World, _ person) { world.OK(t, w.Revoke(w.Ctx, "ada", mfa.MethodTOTP)) },
		"phone imported, beside an app": func(w *world.World, ada person) {
			world.OK(t, w.Revoke(w.Ctx, "ada", mfa.MethodSMS))
			trusted := trust(w, "ada", w.Login("ada", ada.Shows()).Proof)
			world.OK(t, w.ImportSMS(w.Ctx, "ada", world.Phone2))
			if passes(w, "ada", trusted) {
				t.Error("the device is still trusted after a phone was imported")
			}
		},
		"forgotten alone": func(w *world.World, _ person) {
			world.OK(t, w.ForgetDevice(w.Ctx, "ada", devices(w, "ada")[0].ID))
		},
		"the oldest of 21": func(w *world.World, ada person) {
			for range 20 {
				trust(w, "ada", ada.Proof)
			}
		},
		"reset":   func(w *world.World, _ person) { world.OK(t, w.Reset(w.Ctx, "ada")); w.GiveTOTP("ada") },
		"deleted": func(w *world.World, _ person) { world.OK(t, w.DeleteUser(w.Ctx, "ada")); w.GiveTOTP("ada") },
		"expired": func(w *world.World, _ person) { w.Clock.Advance(30 * 24 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			w := world.New(t)
			ada := w.Full("ada", world.Phone)
			device := trust(w, "ada", ada.Proof)
			if !passes(w, "ada", device) {
				t.Fatal("the device is not trusted to begin with")
			}
			end(w, ada)
			if passes(w, "ada", device) {
				t.Error("still trusted")
			}
		})
	}
	t.Run("one forgotten, the other trusted", func(t *testing.T) {
		w := world.New(t)
		_, login := w.GiveTOTP("ada")
		first, second := trust(w, "ada", login.Proof), trust(w, "ada", login.Proof)
		world.OK(t, w.ForgetDevice(w.Ctx, "ada", devices(w, "ada")[1].ID)) // the older one is listed last
		if passes(w, "ada", first) || !passes(w, "ada", second) {
			t.Error("another device was forgotten")
		}
	})
	t.Run("whoever forgets all leaves no proof to trust the next", func(t *testing.T) {
		w := world.New(t)
		_, login := w.GiveTOTP("ada")
		world.OK(t, w.ForgetDevices(w.Ctx, "ada"))
		_, err := w.TrustDevice(w.Ctx, "ada", login.Proof, "")
		world.WantErr(t, err, mfa.ErrInvalidToken)
	})
	t.Run("backup codes end no trust", func(t *testing.T) {
		w := world.New(t)
		ada := w.Full("ada", world.Phone)
		device := trust(w, "ada", ada.Proof)
		w.Login("ada", ada.Codes[0])
		w.GiveBackupCodes("ada", ada.Proof)
		if !passes(w, "ada", device) {
			t.Error("a trusted device is not")
		}
	})
	t.Run("no way to change factors", func(t *testing.T) {
		w := world.New(t)
		ada := w.Full("ada", world.Phone)
		device := trust(w, "ada", ada.Proof)
		for name := range changes {
			wantUnproved(t, w, name, map[string]string{"a trusted device": device})
		}
		if !passes(w, "ada", device) {
			t.Error("a trusted device is not")
		}
		world.OK(t, changes["EnrollTOTP"](w, "ada", mfa.WithProof(ada.Proof)))
	})
}

// C13: a factor has an ID with which another user can name it too
// (CVE-2020-5240, CVE-2019-19687).
func TestC13FactorOfAnotherUser(t *testing.T) {
	w := world.New(t)
	ada := w.Full("ada", world.Phone)
	bob := w.Full("bob", world.Phone2)
	before := w.Stored("ada")
	for name, change := range changes {
		forged := change(w, "ada", mfa.WithProof("mfa_prf_forged"))
		foreign := change(w, "ada", mfa.WithProof(bob.Proof))
		world.Challenged(t, foreign)
		if foreign.Error() != forged.Error() {
			t.Errorf("%s: with another user's proof %v, with a forged one %v", name, foreign, forged)
		}
	}
	if after := w.Stored("ada"); after.Version != before.Version {
		t.Error("another user's proof changed the record")
	}
	w.Login("ada", ada.Shows())

	// Nor does an ID name another user's factor, however it is spelled.
	var named []string
	for _, method := range engineMethods(t) {
		for _, name := range parameters(method) {
			if strings.HasSuffix(strings.ToLower(name), "id") && name != "userID" {
				named = append(named, method.Name.Name)
			}
		}
	}
	slices.Sort(named)
	if want := []string{"ForgetDevice", "Rename"}; !slices.Equal(named, want) {
		t.Errorf("methods that take an ID: %v, want %v", named, want)
	}
	device, err := w.TrustDevice(w.Ctx, "ada", ada.Proof, "")
	world.OK(t, err)
	foreign, err := w.TrustDevice(w.Ctx, "bob", bob.Proof, "")
	world.OK(t, err)
	before = w.Stored("ada")
	token := w.Begin("ada").Token
	app, phone := w.Factor("ada", mfa.MethodTOTP).ID, w.Factor("ada", mfa.MethodSMS).ID
	for _, id := range []string{
		w.Factor("bob", mfa.MethodTOTP).ID, w.Factor("bob", mfa.MethodSMS).ID, "", "fac_", "fac_0000000000000000", strings.ToUpper(app), app + " ", app + "00",
		app[:len(app)-1], app[len("fac_"):], "dev_" + app[len("fac_"):], device.ID, foreign.ID, "*", "%",
	} {
		for name, err := range map[string]error{
			"Rename":             w.Rename(w.Ctx, "ada", id, "mine"),
			"Revoke an app":      w.Revoke(w.Ctx, "ada", mfa.MethodTOTP, mfa.OnlyFactor(id)),
			"Revoke a phone":     w.Revoke(w.Ctx, "ada", mfa.MethodSMS, mfa.OnlyFactor(id)),
			"Revoke codes":       w.Revoke(w.Ctx, "ada", mfa.MethodBackupCode, mfa.OnlyFactor(id)),
			"Unenroll":           w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP, mfa.OnlyFactor(id), mfa.WithProof(ada.Proof)),
			"EnrollTOTP":         changes["EnrollTOTP"](w, "ada", mfa.OnlyFactor(id), mfa.WithProof(ada.Proof)),
			"EnrollSMS":          changes["EnrollSMS"](w, "ada", mfa.OnlyFactor(id), mfa.WithProof(ada.Proof)),
			"SendCode":           func() error { _, err := w.SendCode(w.Ctx, token, mfa.ToFactor(id)); return err }(),
			"an app as a phone":  w.Revoke(w.Ctx, "ada", mfa.MethodSMS, mfa.OnlyFactor(app)),
			"a phone as an app":  w.Revoke(w.Ctx, "ada", mfa.MethodTOTP, mfa.OnlyFactor(phone)),
			"SendCode to an app": func() error { _, err := w.SendCode(w.Ctx, token, mfa.ToFactor(app)); return err }(),
		} {
			if !errors.Is(err, mfa.ErrNotEnrolled) {
				t.Errorf("%s, given %q: %v", name, id, err)
			}
		}
	}
	for _, id := range []string{foreign.ID, "", "dev_0000000000000000", strings.ToUpper(device.ID), app} {
		world.OK(t, w.ForgetDevice(w.Ctx, "ada", id))
	}
	if after := w.Stored("ada"); after.Version != before.Version || len(devices(w, "bob")) != 1 || w.Factor("bob", mfa.MethodTOTP) == nil {
		t.Error("another user's ID changed a record")
	}
	world.OK(t, w.Revoke(w.Ctx, "ada", mfa.MethodTOTP, mfa.OnlyFactor(app)))
}

// devices returns a user's trusted devices.
func devices(w *world.World, user string) []mfa.TrustedDevice {
	w.T.Helper()
	list, err := w.Devices(w.Ctx, user)
	world.OK(w.T, err)
	return list
}

// changes lists the ways to change a user's factors.
var changes = map[string]func(w *world.World, user string, opts ...mfa.ChangeOption) error{
	"EnrollTOTP": func(w *world.World, user string, opts ...mfa.ChangeOption) error {
		_, err := w.EnrollTOTP(w.Ctx, user, "a", opts...)
		return err
	},
	"EnrollSMS": func(w *world.World, user string, opts ...mfa.ChangeOption) error {
		_, err := w.EnrollSMS(w.Ctx, user, "+4915112345678", opts...)
		return err
	},
	"GenerateBackupCodes": func(w *world.World, user string, opts ...mfa.ChangeOption) error {
		_, err := w.GenerateBackupCodes(w.Ctx, user, opts...)
		return err
	},
	"Unenroll": func(w *world.World, user string, opts ...mfa.ChangeOption) error {
		return w.Unenroll(w.Ctx, user, mfa.MethodTOTP, opts...)
	},
	"Unenroll the backup codes": func(w *world.World, user string, opts ...mfa.ChangeOption) error {
		return w.Unenroll(w.Ctx, user, mfa.MethodBackupCode, opts...)
	},
}

// C14: the code that confirmed one enrollment confirms another (CVE-2022-42731).
func TestC14EnrollmentTwice(t *testing.T) {
	begin := map[mfa.Method]func(w *world.World) (code string){
		mfa.MethodTOTP: func(w *world.World) string {
			enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "a")
			world.OK(t, err)
			return w.Scan(enrollment.URI).Shows()
		},
		mfa.MethodSMS: func(w *world.World) string {
			_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
			world.OK(t, err)
			return w.Outbox.Code(world.Phone)
		},
	}
	required := true
	for method, enroll := range begin {
		w := world.New(t, world.RequiredWhen(&required))
		token := w.MustEnroll("ada").Token
		code := enroll(w)
		_, err := w.VerifyEnrollment(w.Ctx, "ada", method, code)
		world.OK(t, err)
		before := w.Stored("ada")
		for _, engine := range []*mfa.Engine{w.Engine, w.Another()} {
			_, err = engine.VerifyEnrollment(w.Ctx, "ada", method, code)
			world.WantErr(t, err, mfa.ErrNoPendingEnrollment)
			_, err = engine.EnrollmentUser(w.Ctx, token)
			world.WantErr(t, err, mfa.ErrInvalidToken)
		}
		if after := w.Stored("ada"); after.Version != before.Version {
			t.Errorf("%s: the second confirmation changed the record", method)
		}
		w = world.New(t)
		code = enroll(w)
		w.NewEvents()
		world.WantOne(t, w.Race(racers, func(engine *mfa.Engine, _ int) error {
			_, err := engine.VerifyEnrollment(w.Ctx, "ada", method, code)
			return err
		}), mfa.ErrNoPendingEnrollment)
		if told := count(w, mfa.EventEnrolled); told != 1 || !slices.Equal(w.Enrolled("ada"), []mfa.Method{method}) {
			t.Errorf("%s: %d events of an enrollment, enrolled %v", method, told, w.Enrolled("ada"))
		}
	}
}

// C15: one login's success completes the same user's other logins too.
func TestC15OtherLoginsOfTheUser(t *testing.T) {
	for _, d := range doors {
		w := world.New(t)
		ada := w.Full("ada", world.Phone)
		first, second := d.open(w, "ada"), d.open(w, "ada")
		_, err := d.enter(w.Ctx, w.Engine, first, ada.Shows())
		world.OK(t, err)
		for _, code := range []string{"", ada.Shows()} {
			_, err = d.enter(w.Ctx, w.Engine, second, code)
			world.WantErr(t, err, mfa.ErrInvalidCode)
		}
		for _, other := range doors { // a new one asks for a code as well
			_, err := other.enter(w.Ctx, w.Engine, other.open(w, "ada"), ada.Shows())
			world.WantErr(t, err, mfa.ErrInvalidCode)
		}
		_, err = w.EnrollTOTP(w.Ctx, "ada", "a")
		world.Challenged(t, err)
		w.Clock.Advance(step)
		_, err = d.enter(w.Ctx, w.Engine, second, ada.Shows())
		world.OK(t, err)
	}
}

// C16: the result of a check is ignored (CVE-2026-0723).
func TestC16ResultNotLookedAt(t *testing.T) {
	down := errors.New("down")
	t.Run("policy", func(t *testing.T) {
		for _, answer := range []struct {
			required bool
			err      error
		}{{false, nil}, {true, nil}, {false, down}, {true, down}} {
			w := world.New(t, func(c *mfa.Config) {
				c.Required = func(context.Context, string) (bool, error) { return answer.required, answer.err }
			})
			if err := w.BeginLogin(w.Ctx, "ada"); (err == nil) != (answer.err == nil && !answer.required) {
				t.Errorf("%+v: %v", answer, err)
			} else if answer.err != nil {
				world.WantErr(t, err, down)
			}
		}
	})
	t.Run("store", func(t *testing.T) {
		w := world.New(t)
		app, login := w.GiveTOTP("ada")
		bob, _ := w.GiveTOTP("bob")
		device, err := w.TrustDevice(w.Ctx, "ada", login.Proof, "")
		world.OK(t, err)
		good := w.Stored("ada")
		token := w.Begin("ada").Token
		cut := good
		cut.Data = cut.Data[:len(cut.Data)-1]
		older := good
		older.Version--
		for name, answer := range map[string]struct {
			record mfa.Record
			err    error
		}{
			"a good record and an error":    {good, down},
			"a good record, cancelled":      {good, context.Canceled},
			"nothing at all":                {mfa.Record{}, nil},
			"no data":                       {mfa.Record{UserID: "ada", Version: 1}, nil},
			"another user's":                {w.Stored("bob"), nil},
			"cut short":                     {cut, nil},
			"under another version":         {older, nil},
			"a record that was never there": {mfa.Record{UserID: "ada", Version: -1, Data: good.Data}, nil},
		} {
			e := w.Another(func(c *mfa.Config) { c.Store = answeringStore{c.Store, answer.record, answer.err} })
			for what, do := range map[string]func() error{
				"BeginLogin":    func() error { return e.BeginLogin(w.Ctx, "ada") },
				"with a device": func() error { return e.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice(device.Token)) },
				"VerifyLogin": func() error {
					login, err := e.VerifyLogin(w.Ctx, token, app.Shows())
					if login != nil {
						t.Errorf("%s: VerifyLogin returned a Login", name)
					}
					return err
				},
				"VerifyLogin, with bob's code": func() error { _, err := e.VerifyLogin(w.Ctx, token, bob.Shows()); return err },
				"Unenroll":                     func() error { return e.Unenroll(w.Ctx, "ada", mfa.MethodTOTP, mfa.WithProof(login.Proof)) },
				"EnrollTOTP":                   func() error { _, err := e.EnrollTOTP(w.Ctx, "ada", "a"); return err },
			} {
				if err := do(); mfa.ErrorCode(err) != "internal" {
					t.Errorf("%s: %s returned %v", name, what, err)
				}
			}
		}
		_, err = w.VerifyLogin(w.Ctx, token, app.Shows())
		world.OK(t, err)
	})
}

// An answeringStore returns the same from every Load.
type answeringStore struct {
	mfa.Store
	record mfa.Record
	err    error
}

func (s answeringStore) Load(context.Context, string) (mfa.Record, error) { return s.record, s.err }
