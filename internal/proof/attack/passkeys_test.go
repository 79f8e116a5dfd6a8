package attack_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
	"github.com/protekt/mfa/internal/record"
)

// These tests show the engine's part: which challenge and user a response belongs
// to, how often it works, and what a wrong one costs. The verifier checks origins,
// RP IDs and signatures; module webauthn tests it with real ceremonies.

// strange returns a function that answers with a passkey that no user has.
func strange(w *world.World) func(token string) string {
	return func(token string) string {
		return w.Asked(&world.SecurityKey{ID: "nobody's", Counter: 1000}, token)
	}
}

// pendingPasskey begins the enrollment of a passkey and returns the key's answer.
func pendingPasskey(w *world.World, user string, key *world.SecurityKey, opts ...mfa.ChangeOption) (answer string) {
	w.T.Helper()
	enrollment, err := w.EnrollPasskey(w.Ctx, user, "ada@example.com", opts...)
	if err != nil {
		w.T.Fatalf("EnrollPasskey: %v", err)
	}
	return key.Answers(enrollment.Options)
}

// J01: a response answers a challenge of another login, action or user, or that of
// an enrollment.
func TestJ01ResponseToAnotherChallenge(t *testing.T) {
	w := world.New(t, world.WithPasskeys)
	key, login := w.GivePasskey("ada", "key")
	bobs, _ := w.GivePasskey("bob", "bob's key")
	token := w.Begin("ada").Token
	foreign := w.Another(func(c *mfa.Config) { c.Keys, c.Store = [][]byte{world.Key(100)}, mfa.NewMemoryStore() })
	elsewhere := &world.World{Engine: foreign, T: t, Ctx: w.Ctx, Clock: w.Clock}
	elsewhere.GivePasskey("ada", "key")
	creation := pendingPasskey(w, "ada", &world.SecurityKey{ID: "new"}, mfa.WithProof(login.Proof))
	other := w.Begin("ada").Token
	for name, answer := range map[string]string{
		"of another login":          w.Asked(key, other),
		"of a step-up":              w.Asked(key, stepUp("transfer").open(w, "ada")),
		"of another user":           w.Asked(bobs, w.Begin("bob").Token),
		"of another engine":         elsewhere.Asked(key, world.Challenged(t, foreign.BeginLogin(w.Ctx, "ada")).Token),
		"of an enrollment":          creation,
		"with her key, asked bob":   w.Asked(&world.SecurityKey{ID: "key", Counter: 500}, w.Begin("bob").Token),
		"with bob's key, asked ada": w.Asked(bobs, token),
		"to no challenge":           `{"id":"a2V5","counter":99}`,
	} {
		w.Tamper("ada", func(u *record.User) { u.Lanes, u.Challenges = record.Lanes{}, nil })
		login, err := w.VerifyLogin(w.Ctx, token, answer)
		if login != nil {
			t.Errorf("a response %s is accepted", name)
		}
		world.WantTries(t, err, 4)
	}
	_, err := w.VerifyLogin(w.Ctx, token, w.Asked(key, token)) // each is accepted for its own challenge
	world.OK(t, err)
	_, err = w.VerifyLogin(w.Ctx, other, w.Asked(key, other))
	world.OK(t, err)

	// Nor does a response to a login, or to another enrollment, confirm a passkey.
	first := pendingPasskey(w, "ada", &world.SecurityKey{ID: "new"}, mfa.WithProof(login.Proof))
	second := pendingPasskey(w, "ada", &world.SecurityKey{ID: "new"}, mfa.WithProof(login.Proof))
	bob := pendingPasskey(w, "eve", &world.SecurityKey{ID: "new"})
	for i, answer := range []string{first, bob, w.Asked(&world.SecurityKey{ID: "new"}, w.Begin("ada").Token)} {
		world.WantTries(t, confirm(w, mfa.MethodPasskey, answer), 4-i)
	}
	world.OK(t, confirm(w, mfa.MethodPasskey, second))
}

// J02: a response works twice, or after its challenge has ended (CVE-2022-42731).
func TestJ02ResponseTwice(t *testing.T) {
	for _, d := range doors {
		w := world.New(t, world.WithPasskeys)
		key, _ := w.GivePasskey("ada", "key")
		token := d.open(w, "ada")
		answer := w.Asked(key, token)
		wantOneUse(w, func() []error {
			return w.Race(racers, func(engine *mfa.Engine, _ int) error {
				_, err := d.enter(w.Ctx, engine, token, answer)
				return err
			})
		}, mfa.ErrInvalidToken)
		_, err := d.enter(w.Ctx, w.Another(), token, answer)
		world.WantErr(t, err, mfa.ErrInvalidToken)
		for name, end := range map[string]func(token string){
			"expired":              func(string) { w.Clock.Advance(5 * time.Minute) },
			"the password changed": func(string) { world.OK(t, w.PasswordChanged(w.Ctx, "ada")) },
			"five wrong ones": func(token string) {
				for range 5 {
					d.enter(w.Ctx, w.Engine, token, strange(w)(token))
				}
				world.OK(t, w.Unlock(w.Ctx, "ada"))
			},
		} {
			token := d.open(w, "ada")
			answer := w.Asked(key, token)
			end(token)
			if _, err := d.enter(w.Ctx, w.Engine, token, answer); !errors.Is(err, mfa.ErrInvalidToken) {
				t.Errorf("%s, %s: %v", d.name, name, err)
			}
			_, err := w.PasskeyOptions(w.Ctx, token)
			world.WantErr(t, err, mfa.ErrInvalidToken)
		}
	}
	t.Run("of an enrollment", func(t *testing.T) {
		w := world.New(t, world.WithPasskeys)
		answer := pendingPasskey(w, "ada", &world.SecurityKey{ID: "key"})
		world.WantOne(t, w.Race(racers, func(engine *mfa.Engine, _ int) error {
			_, err := engine.VerifyEnrollment(w.Ctx, "ada", mfa.MethodPasskey, answer)
			return err
		}), mfa.ErrNoPendingEnrollment)
		world.OK(t, w.Reset(w.Ctx, "ada"))
		pendingPasskey(w, "ada", &world.SecurityKey{ID: "key"})
		world.WantTries(t, confirm(w, mfa.MethodPasskey, answer), 4) // it answers another challenge
		late := pendingPasskey(w, "ada", &world.SecurityKey{ID: "key"})
		w.Clock.Advance(15 * time.Minute)
		world.WantErr(t, confirm(w, mfa.MethodPasskey, late), mfa.ErrNoPendingEnrollment)
	})
}

// J03: wrong responses are not counted, or input that is not a response is.
func TestJ03WrongResponsesAreCounted(t *testing.T) {
	w := world.New(t, world.WithPasskeys)
	key, login := w.GivePasskey("ada", "key")
	app, _ := w.GiveTOTP("ada", mfa.WithProof(login.Proof))
	for range free + 1 {
		token := w.Begin("ada").Token
		_, err := w.VerifyLogin(w.Ctx, token, strange(w)(token))
		world.WantTries(t, err, 4)
	}
	open := w.Begin("ada").Token
	_, err := w.PasskeyOptions(w.Ctx, open)
	world.WantThrottled(t, err, time.Second)
	before := w.Stored("ada").Version
	_, err = w.VerifyLogin(w.Ctx, open, `{"id":"a2V5"}`) // no response is judged during a delay
	world.WantThrottled(t, err, time.Second)
	if w.Stored("ada").Version != before {
		t.Error("a refusal changed the record")
	}
	w.Login("ada", app.Shows()) // the app has a count of its own
	w.Clock.Advance(time.Second)
	_, err = w.VerifyLogin(w.Ctx, open, w.Asked(key, open))
	world.OK(t, err)

	w.Disable("ada", mfa.MethodPasskey, func(string) string { return `{"id":"a2V5"}` })
	w.Clock.Advance(longest)
	challenge := w.Begin("ada")
	if slices.Contains(challenge.Methods, mfa.MethodPasskey) {
		t.Errorf("offered: %v", challenge.Methods)
	}
	_, err = w.PasskeyOptions(w.Ctx, challenge.Token)
	world.WantErr(t, err, mfa.ErrFactorDisabled)
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, `{"id":"a2V5"}`)
	world.WantErr(t, err, mfa.ErrFactorDisabled)
	w.Login("ada", app.Shows())
	world.OK(t, w.Unlock(w.Ctx, "ada"))

	// Input that is not a JSON object, or is too long, costs nothing and reaches no
	// verifier.
	token := w.Begin("ada").Token
	before = w.Stored("ada").Version
	deaf := w.Another(func(c *mfa.Config) { c.Passkeys = nil })
	long := fmt.Sprintf(`{"id":%q}`, strings.Repeat("a", 16<<10))
	for name, answer := range map[string]string{
		"cut": `{"id":"a2V5"`, "two": `{}{}`, "not JSON": "{id}", "too long": long, "spaces around what is too long": " " + long[:16<<10] + "}",
		"a bracket": "{", "bad UTF-8": "{\"\xff", "a list": `["{}"`,
	} {
		if _, err := w.VerifyLogin(w.Ctx, token, answer); !isInvalidCode(err) {
			t.Errorf("%s: %v", name, err)
		}
		if err := confirm(w, mfa.MethodPasskey, answer); err == nil {
			t.Errorf("%s confirms a passkey", name)
		}
	}
	_, err = deaf.VerifyLogin(w.Ctx, token, w.Asked(key, token)) // nor if the engine has no verifier
	world.WantTries(t, err, 5)
	if w.Stored("ada").Version != before {
		t.Error("input that is not a response was charged")
	}
	spaced := " \n" + w.Asked(key, token) + "\n"
	_, err = w.VerifyLogin(w.Ctx, token, spaced[:len(spaced)-2]+strings.Repeat(" ", 16<<10-len(spaced))+"}")
	world.OK(t, err)
}

// J04: a copied authenticator goes unnoticed, although its counter goes back
// (CVE-2023-45669: the counter was not stored).
func TestJ04ClonedAuthenticator(t *testing.T) {
	w := world.New(t, world.WithPasskeys)
	key, _ := w.GivePasskey("ada", "key")
	clone := *key // has its own counter from now on
	answer := func(key *world.SecurityKey) (string, error) {
		token := w.Begin("ada").Token
		_, err := w.VerifyLogin(w.Ctx, token, w.Asked(key, token))
		return token, err
	}
	for range 3 {
		_, err := answer(key)
		world.OK(t, err)
	}
	before := w.Stored("ada").Version
	for range 3 { // with counters that the engine has seen
		w.NewEvents()
		token, err := answer(&clone)
		world.WantErr(t, err, mfa.ErrClonedPasskey)
		world.WantTries(t, err, 5)
		if code := mfa.ErrorCode(err); code != "invalid_code" {
			t.Errorf("the client gets the code %s, want invalid_code", code)
		}
		if event := w.LastEvent(); event.Type != mfa.EventRefused || event.Method != mfa.MethodPasskey || !errors.Is(event.Err, mfa.ErrClonedPasskey) {
			t.Errorf("emitted %+v", event)
		}
		w.WantEvents(mfa.EventChallenged, mfa.EventRefused)
		_, err = w.VerifyLogin(w.Ctx, token, "?") // the challenge has lost no try
		world.WantTries(t, err, 5)
	}
	if w.Stored("ada").Version != before { // a copy does not lock the owner out
		t.Error("a copy's response changed the record")
	}
	_, err := answer(key)
	world.OK(t, err)

	// The same holds while keys are rotated: the challenge is tried under each
	// key, and the copy is detected only under the second.
	token := w.Begin("ada").Token
	copied := w.Asked(&world.SecurityKey{ID: "key"}, token)
	rotated := w.Another(func(c *mfa.Config) { c.Keys = [][]byte{world.Key(2), world.Key(1)} })
	_, err = rotated.VerifyLogin(w.Ctx, token, copied)
	world.WantErr(t, err, mfa.ErrClonedPasskey)
	world.WantTries(t, err, 5)
}

// A lyingVerifier returns a passkey that the test chose, as a faulty verifier
// might.
type lyingVerifier struct {
	world.Verifier
	creates, answers func(mfa.Passkey) mfa.Passkey // if nil, it does not lie
}

func (v lyingVerifier) VerifyCreation(user mfa.PasskeyUser, challenge []byte, response string) (mfa.Passkey, error) {
	p, err := v.Verifier.VerifyCreation(user, challenge, response)
	if err == nil && v.creates != nil {
		p = v.creates(p)
	}
	return p, err
}

func (v lyingVerifier) VerifyRequest(user mfa.PasskeyUser, challenge []byte, allow []mfa.Passkey, response string) (mfa.Passkey, error) {
	p, err := v.Verifier.VerifyRequest(user, challenge, allow, response)
	if err == nil && v.answers != nil {
		p = v.answers(p)
	}
	return p, err
}

// J05: a credential that is not the user's, or no longer is, logs in.
func TestJ05ForeignCredential(t *testing.T) {
	w := world.New(t, world.WithPasskeys)
	first, login := w.GivePasskey("ada", "first")
	second, _ := w.GivePasskey("ada", "second", mfa.WithProof(login.Proof))
	bobs, _ := w.GivePasskey("bob", "bob's key")
	token := w.Begin("ada").Token

	// The options contain the user's own credentials, and a handle that no other
	// user has.
	var message struct {
		PublicKey struct {
			Handle []byte   `json:"handle"`
			IDs    [][]byte `json:"ids"`
		} `json:"publicKey"`
	}
	options, err := w.PasskeyOptions(w.Ctx, token)
	world.OK(t, err)
	world.OK(t, json.Unmarshal(options, &message))
	offered := message.PublicKey
	ada, bob := w.Decoded("ada"), w.Decoded("bob")
	if len(offered.IDs) != 2 || !bytes.Equal(offered.Handle, ada.Handle[:]) || ada.Handle == bob.Handle {
		t.Errorf("offered %q to %x", offered.IDs, offered.Handle)
	}

	// The engine does not accept a credential that is not among the user's, even
	// if the verifier does.
	for name, lie := range map[string]func(p mfa.Passkey) mfa.Passkey{
		"another user's": func(p mfa.Passkey) mfa.Passkey { p.ID = []byte(bobs.ID); return p },
		"nobody's":       func(p mfa.Passkey) mfa.Passkey { p.ID = []byte("nobody's"); return p },
		"none":           func(p mfa.Passkey) mfa.Passkey { p.ID = nil; return p },
		"empty":          func(mfa.Passkey) mfa.Passkey { return mfa.Passkey{} },
		"a prefix":       func(p mfa.Passkey) mfa.Passkey { p.ID = p.ID[:3]; return p },
		"one too long":   func(p mfa.Passkey) mfa.Passkey { p.Data = make([]byte, 1200); return p },
	} {
		w.Tamper("ada", func(u *record.User) { u.Lanes, u.Challenges = record.Lanes{}, nil })
		liar := w.Another(func(c *mfa.Config) { c.Passkeys = lyingVerifier{answers: lie} })
		got, err := liar.VerifyLogin(w.Ctx, token, w.Asked(first, token))
		if got != nil {
			t.Errorf("%s: %+v", name, got)
		}
		world.WantTries(t, err, 4)
	}
	if after := w.Decoded("ada"); !bytes.Equal(after.Passkeys[0].Data, ada.Passkeys[0].Data) {
		t.Error("a refused response changed a passkey")
	}

	// A passkey that was removed no longer works; the other still does.
	world.OK(t, w.Revoke(w.Ctx, "ada", mfa.MethodPasskey, mfa.OnlyFactor(w.StatusOf("ada").Factors[1].ID)))
	token = w.Begin("ada").Token
	_, err = w.VerifyLogin(w.Ctx, token, w.Asked(second, token))
	world.WantTries(t, err, 4)
	got, err := w.VerifyLogin(w.Ctx, token, w.Asked(first, token))
	world.OK(t, err)
	if want := w.StatusOf("ada").Factors[0].ID; got == nil || got.FactorID != want || !slices.Equal(got.AMR, []string{"pop", "mfa"}) {
		t.Errorf("%+v, want a login with the passkey %s", got, want)
	}
}

// J06: a passkey is enrolled without proof, in another's place or twice, or their
// number is unlimited (CVE-2021-3632).
func TestJ06EnrolledUnproved(t *testing.T) {
	w := world.New(t, world.WithPasskeys)
	ada := w.Full("ada", world.Phone)
	before, sent := w.Stored("ada"), len(w.Outbox.Messages())
	for kind, proof := range notProofs(w) {
		if _, err := w.EnrollPasskey(w.Ctx, "ada", "a", mfa.WithProof(proof)); !errors.As(err, new(*mfa.ChallengeError)) {
			t.Errorf("by %s: %v", kind, err)
		}
	}
	if after := w.Stored("ada"); after.Version != before.Version || len(w.Outbox.Messages()) != sent {
		t.Error("an enrollment was begun without a proof")
	}
	for _, opt := range []mfa.ChangeOption{mfa.OnlyFactor(w.StatusOf("ada").Factors[0].ID), mfa.OnlyFactor("")} {
		_, err := w.EnrollPasskey(w.Ctx, "ada", "a", opt, mfa.WithProof(ada.Proof))
		world.WantErr(t, err, mfa.ErrInvalidInput)
	}

	// A passkey is added to the other factors. It ends no proof, but all trust in
	// devices.
	device, err := w.TrustDevice(w.Ctx, "ada", ada.Proof, "")
	world.OK(t, err)
	for i := range record.MaxPasskeys {
		w.GivePasskey("ada", fmt.Sprint("key ", i), mfa.WithProof(ada.Proof))
	}
	if got := w.Decoded("ada"); len(got.Passkeys) != record.MaxPasskeys || len(got.TOTP) != 1 || len(got.SMS) != 1 {
		t.Errorf("enrolled %v", w.Enrolled("ada"))
	}
	w.Begin("ada", mfa.WithTrustedDevice(device.Token))
	_, err = w.EnrollPasskey(w.Ctx, "ada", "a", mfa.WithProof(ada.Proof))
	world.WantErr(t, err, mfa.ErrInvalidInput)

	// The same authenticator twice would be one factor under two names. The
	// options exclude it, and the engine refuses it.
	world.OK(t, w.Revoke(w.Ctx, "ada", mfa.MethodPasskey, mfa.OnlyFactor(w.StatusOf("ada").Factors[0].ID)))
	proof := mfa.WithProof(w.Login("ada", ada.Shows()).Proof)
	enrollment, err := w.EnrollPasskey(w.Ctx, "ada", "a", proof)
	world.OK(t, err)
	if !strings.Contains(string(enrollment.Options), `"a2V5IDE="`) { // "key 1"
		t.Errorf("the key is not excluded in %s", enrollment.Options)
	}
	world.WantTries(t, confirm(w, mfa.MethodPasskey, (&world.SecurityKey{ID: "key 1", Counter: 9}).Answers(enrollment.Options)), 4)

	// An enrollment begun before there was a factor to prove may be a stranger's.
	thief := pendingPasskey(w, "eve", &world.SecurityKey{ID: "the thief's"})
	world.OK(t, w.ImportSMS(w.Ctx, "eve", world.Phone2))
	_, err = w.VerifyEnrollment(w.Ctx, "eve", mfa.MethodPasskey, thief)
	world.WantErr(t, err, mfa.ErrNoPendingEnrollment)

	// A code of an app confirms no passkey, and a passkey's response confirms no
	// app.
	app := enrollTOTP(w, "kim")
	answer := pendingPasskey(w, "kim", &world.SecurityKey{ID: "key"})
	for method, wrong := range map[mfa.Method]string{mfa.MethodPasskey: app.Shows(), mfa.MethodTOTP: answer} {
		_, err = w.VerifyEnrollment(w.Ctx, "kim", method, wrong)
		world.WantErr(t, err, mfa.ErrInvalidCode)
	}
	_, err = w.VerifyEnrollment(w.Ctx, "kim", "", answer)
	world.OK(t, err)
}

// J07: a credential of any size is stored.
func TestJ07CredentialsAreBounded(t *testing.T) {
	const most = 1200
	sized := func(n int) func(mfa.Passkey) mfa.Passkey { // ID and data together
		return func(p mfa.Passkey) mfa.Passkey { p.Data = make([]byte, n-len(p.ID)); return p }
	}
	for name, test := range map[string]struct {
		creates func(mfa.Passkey) mfa.Passkey
		taken   bool
	}{
		"as long as may be": {sized(most), true},
		"one byte more":     {sized(most + 1), false},
		"a megabyte":        {sized(1 << 20), false},
		"all ID":            {func(mfa.Passkey) mfa.Passkey { return mfa.Passkey{ID: make([]byte, most)} }, true},
		"too much ID":       {func(mfa.Passkey) mfa.Passkey { return mfa.Passkey{ID: make([]byte, most), Data: []byte{1}} }, false},
		"no ID":             {func(p mfa.Passkey) mfa.Passkey { return mfa.Passkey{Data: p.Data} }, false},
	} {
		w := world.New(t, func(c *mfa.Config) { c.Passkeys = lyingVerifier{creates: test.creates} })
		err := confirm(w, mfa.MethodPasskey, pendingPasskey(w, "ada", &world.SecurityKey{ID: "key"}))
		if test.taken {
			world.OK(t, err)
			w.Begin("ada")
			continue
		}
		world.WantTries(t, err, 4)
		if w.Enrolled("ada") != nil || len(w.Stored("ada").Data) > 1<<10 {
			t.Errorf("%s: enrolled %v, %d bytes", name, w.Enrolled("ada"), len(w.Stored("ada").Data))
		}
	}
}

// J08: a rotation of keys between the options and the answer loses the challenge,
// or a dropped key's challenge stays valid.
func TestJ08KeysRotateMeanwhile(t *testing.T) {
	old, next := world.Key(1), world.Key(2)
	with := func(w *world.World, keys ...[]byte) *mfa.Engine {
		return w.Another(func(c *mfa.Config) { c.Keys = keys })
	}
	for name, keys := range map[string]struct{ before, after [][]byte }{
		"a new one is appended":     {[][]byte{old}, [][]byte{old, next}},
		"it is moved to the front":  {[][]byte{old, next}, [][]byte{next, old}},
		"one process is yet to":     {[][]byte{next, old}, [][]byte{old, next}},
		"the old one is dropped":    {[][]byte{next, old}, [][]byte{next}},
		"nothing changes meanwhile": {[][]byte{old}, [][]byte{old}},
	} {
		w := world.New(t, world.WithPasskeys)
		before, after, key := with(w, keys.before...), with(w, keys.after...), &world.SecurityKey{ID: "key"}
		enrollment, err := before.EnrollPasskey(w.Ctx, "ada", "a")
		world.OK(t, err)
		if _, err = after.VerifyEnrollment(w.Ctx, "ada", mfa.MethodPasskey, key.Answers(enrollment.Options)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		token := world.Challenged(t, before.BeginLogin(w.Ctx, "ada")).Token
		options, err := before.PasskeyOptions(w.Ctx, token)
		world.OK(t, err)
		if _, err = after.VerifyLogin(w.Ctx, token, key.Answers(options)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}

	// A challenge made under a key that was dropped is not valid.
	w := world.New(t, world.WithPasskeys)
	enrollment, err := with(w, old, next).EnrollPasskey(w.Ctx, "ada", "a")
	world.OK(t, err)
	world.OK(t, with(w, next, old).Reseal(w.Ctx, "ada"))
	_, err = with(w, next).VerifyEnrollment(w.Ctx, "ada", mfa.MethodPasskey, (&world.SecurityKey{ID: "key"}).Answers(enrollment.Options))
	world.WantTries(t, err, 4)
}
