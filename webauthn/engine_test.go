package webauthn_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfatest"
)

var (
	keyA = []byte{0: 1, 31: 2}
	keyB = []byte{0: 3, 31: 4}
)

// A host is an engine with what a host supplies.
type host struct {
	*mfa.Engine
	t      *testing.T
	clock  *mfatest.Clock
	events []mfa.Event
}

func newHost(t *testing.T, store mfa.Store, keys ...[]byte) *host {
	t.Helper()
	h := &host{t: t, clock: mfatest.NewClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))}
	var err error
	h.Engine, err = mfa.New(mfa.Config{
		Issuer: "ACME", Store: store, Keys: keys, Passkeys: newVerifier(t, nil), Now: h.clock.Now,
		OnEvent: func(_ context.Context, e mfa.Event) { h.events = append(h.events, e) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func newMemoryHost(t *testing.T) *host { return newHost(t, mfa.NewMemoryStore(), keyA) }

// enroll begins and finishes an enrollment.
func (h *host) enroll(user string, a *authenticator, change func(*ceremony), opts ...mfa.ChangeOption) (*mfa.Login, error) {
	h.t.Helper()
	e, err := h.EnrollPasskey(h.t.Context(), user, user+"@example.com", opts...)
	if err != nil {
		h.t.Fatal(err)
	}
	return h.VerifyEnrollment(h.t.Context(), user, mfa.MethodPasskey, a.create(e.Options, change))
}

// enrolled returns the login with which an enrollment ends.
func (h *host) enrolled(user string, a *authenticator, change func(*ceremony), opts ...mfa.ChangeOption) *mfa.Login {
	h.t.Helper()
	login, err := h.enroll(user, a, change, opts...)
	if err != nil {
		h.t.Fatal(err)
	}
	return login
}

// challenged begins a login, and returns its token and the browser's options.
func (h *host) challenged(user string) (token string, options json.RawMessage) {
	h.t.Helper()
	challenge, ok := errors.AsType[*mfa.ChallengeError](h.BeginLogin(h.t.Context(), user))
	if !ok {
		h.t.Fatal("no challenge")
	}
	return challenge.Token, h.options(challenge.Token)
}

func (h *host) options(token string) json.RawMessage {
	h.t.Helper()
	options, err := h.PasskeyOptions(h.t.Context(), token)
	if err != nil {
		h.t.Fatal(err)
	}
	return options
}

// triesLeft requires a wrong answer, and returns how many are left.
func triesLeft(t *testing.T, err error) int {
	t.Helper()
	code, ok := errors.AsType[*mfa.CodeError](err)
	if !ok {
		t.Fatalf("got %v, want a CodeError", err)
	}
	return code.TriesLeft
}

func TestEnrollLogInAndStepUp(t *testing.T) {
	h, key, phone := newMemoryHost(t), newAuthenticator(), newAuthenticator()
	first := h.enrolled("ada", key, func(c *ceremony) { c.counter = 1 })
	if !slices.Contains(first.AMR, "pop") || !slices.Contains(first.AMR, "user") {
		t.Errorf("the enrollment's AMR is %q", first.AMR)
	}
	second := h.enrolled("ada", phone, nil, mfa.WithProof(first.Proof), mfa.WithLabel("phone"))

	for range 2 {
		for a, factor := range map[*authenticator]string{key: first.FactorID, phone: second.FactorID} {
			token, options := h.challenged("ada")
			login, err := h.VerifyLogin(t.Context(), token, a.get(options, nil))
			if err != nil {
				t.Fatal(err)
			}
			if login.UserID != "ada" || login.Method != mfa.MethodPasskey || login.FactorID != factor {
				t.Errorf("logged in as %+v, want factor %s", login, factor)
			}
		}
	}

	challenge, err := h.BeginStepUp(t.Context(), "ada", "pay")
	if err != nil {
		t.Fatal(err)
	}
	answer := key.get(h.options(challenge.Token), func(c *ceremony) { c.flags &^= uv })
	if _, err := h.VerifyStepUp(t.Context(), "ada", challenge.Token, "other", answer); !errors.Is(err, mfa.ErrInvalidToken) {
		t.Errorf("for another action: %v", err)
	}
	login, err := h.VerifyStepUp(t.Context(), "ada", challenge.Token, "pay", answer)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(login.AMR, "pop") || slices.Contains(login.AMR, "user") {
		t.Errorf("AMR without user verification: %q", login.AMR)
	}
}

// The browser is told which passkeys a new one must not be beside.
func TestAnAuthenticatorIsEnrolledOnce(t *testing.T) {
	h, a := newMemoryHost(t), newAuthenticator()
	login := h.enrolled("ada", a, nil)
	e, err := h.EnrollPasskey(t.Context(), "ada", "ada@example.com", mfa.WithProof(login.Proof))
	if err != nil {
		t.Fatal(err)
	}
	if id := base64url(a.made[0].id); !strings.Contains(string(e.Options), `"excludeCredentials":[{"type":"public-key","id":"`+id+`"`) {
		t.Errorf("%s is not excluded: %s", id, e.Options)
	}
	same := a.made[0].id
	response := a.create(e.Options, func(c *ceremony) { c.id, c.rawID, c.attested = same, same, same })
	_, err = h.VerifyEnrollment(t.Context(), "ada", mfa.MethodPasskey, response)
	mustBe(t, err, mfa.ErrInvalidCode)
	if status, err := h.Status(t.Context(), "ada"); err != nil || len(status.Factors) != 1 {
		t.Errorf("%+v, %v", status, err)
	}
}

// A response is good once, for the ceremony that it is of.
func TestResponsesAreNotReplayed(t *testing.T) {
	h, a := newMemoryHost(t), newAuthenticator()
	e, err := h.EnrollPasskey(t.Context(), "ada", "ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	creation := a.create(e.Options, nil)
	enrolled, err := h.VerifyEnrollment(t.Context(), "ada", mfa.MethodPasskey, creation)
	if err != nil {
		t.Fatal(err)
	}
	token, options := h.challenged("ada")
	used := a.get(options, nil)
	if _, err := h.VerifyLogin(t.Context(), token, used); err != nil {
		t.Fatal(err)
	}

	_, err = h.VerifyLogin(t.Context(), token, used)
	mustBe(t, err, mfa.ErrInvalidToken)
	token, options = h.challenged("ada")
	other, _ := h.challenged("ada")
	for name, answer := range map[string]string{
		"of a login before":       used,
		"of another login":        a.get(h.options(other), nil),
		"that created it":         creation,
		"changed to the new type": strings.Replace(creation, "webauthn.create", "webauthn.get", 1),
		"of no ceremony":          "{}",
	} {
		token, _ := h.challenged("ada")
		_, err = h.VerifyLogin(t.Context(), token, answer)
		if triesLeft(t, err) != 4 {
			t.Errorf("a response %s: %v", name, err)
		}
		if err := h.Unlock(t.Context(), "ada"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.VerifyLogin(t.Context(), token, a.get(options, nil)); err != nil {
		t.Errorf("the right response: %v", err)
	}

	if _, err := h.EnrollPasskey(t.Context(), "ada", "ada@example.com", mfa.WithProof(enrolled.Proof)); err != nil {
		t.Fatal(err)
	}
	for name, answer := range map[string]string{"of the enrollment before": creation, "of a login": used} {
		if _, err := h.VerifyEnrollment(t.Context(), "ada", mfa.MethodPasskey, answer); !errors.Is(err, mfa.ErrInvalidCode) {
			t.Errorf("a new passkey by the response %s: %v", name, err)
		}
	}
}

func TestPasskeysOfAnotherUserAreRefused(t *testing.T) {
	h, hers, others := newMemoryHost(t), newAuthenticator(), newAuthenticator()
	h.enrolled("ada", hers, nil)
	h.enrolled("eve", others, nil)
	token, options := h.challenged("ada")
	// Eve's browser is made to answer Ada's challenge, by the passkey of Eve.
	eves := newAuthenticator()
	eves.made = []*credential{{id: hers.made[0].id, key: others.made[0].key}}
	for name, answer := range map[string]string{
		"with its own ID":      eves.get(options, func(c *ceremony) { c.id, c.rawID = others.made[0].id, others.made[0].id }),
		"with the ID of Ada's": eves.get(options, nil),
	} {
		_, err := h.VerifyLogin(t.Context(), token, answer)
		if err == nil || triesLeft(t, err) == 5 {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Eve answers her own challenge, for Ada's login.
	_, options = h.challenged("eve")
	_, err := h.VerifyLogin(t.Context(), token, others.get(options, nil))
	triesLeft(t, err)
	// A credential ID proves nothing: Mallory enrolls a key of his own under Ada's.
	stolen := &authenticator{origin: origin, flags: up, newKey: func() key { return others.made[0].key }}
	h.enrolled("mallory", stolen, func(c *ceremony) { c.id, c.rawID, c.attested = hers.made[0].id, hers.made[0].id, hers.made[0].id })
	if err := h.Unlock(t.Context(), "ada"); err != nil {
		t.Fatal(err)
	}
	token, options = h.challenged("ada")
	_, err = h.VerifyLogin(t.Context(), token, stolen.get(options, func(c *ceremony) { c.handle = nil }))
	triesLeft(t, err)
	if _, err := h.VerifyLogin(t.Context(), token, hers.get(options, nil)); err != nil {
		t.Errorf("Ada herself: %v", err)
	}
}

// A user without a passkey is not one whom anybody's passkey logs in.
func TestAUserWithoutAPasskeyHasNoneToAnswerWith(t *testing.T) {
	h, others := newMemoryHost(t), newAuthenticator()
	h.enrolled("eve", others, nil)
	enrollment, err := h.EnrollTOTP(t.Context(), "ada", "ada@example.com")
	if err != nil {
		t.Fatal(err)
	}
	app, err := mfatest.NewAuthenticator(enrollment.URI)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.VerifyEnrollment(t.Context(), "ada", mfa.MethodTOTP, app.Code(h.clock.Now())); err != nil {
		t.Fatal(err)
	}
	challenge, ok := errors.AsType[*mfa.ChallengeError](h.BeginLogin(t.Context(), "ada"))
	if !ok || slices.Contains(challenge.Methods, mfa.MethodPasskey) {
		t.Fatalf("%+v", challenge)
	}
	_, err = h.PasskeyOptions(t.Context(), challenge.Token)
	mustBe(t, err, mfa.ErrMethodUnavailable)
	_, options := h.challenged("eve")
	if login, err := h.VerifyLogin(t.Context(), challenge.Token, others.get(options, nil)); err == nil {
		t.Errorf("logged in as %+v", login)
	}
}

func TestAClonedPasskeyIsRefusedAndNotCharged(t *testing.T) {
	for name, keys := range map[string][][]byte{"one key": {keyA}, "while keys are rotated": {keyB, keyA}} {
		t.Run(name, func(t *testing.T) {
			store := mfa.NewMemoryStore()
			before, a := newHost(t, store, keyA), newAuthenticator()
			before.enrolled("ada", a, func(c *ceremony) { c.counter = 10 })
			h := newHost(t, store, keys...)

			token, options := before.challenged("ada")
			_, err := h.VerifyLogin(t.Context(), token, a.get(options, func(c *ceremony) { c.counter = 10 }))
			mustBe(t, err, mfa.ErrClonedPasskey)
			mustBe(t, err, mfa.ErrInvalidCode)
			if triesLeft(t, err) != 5 {
				t.Errorf("%d tries are left", triesLeft(t, err))
			}
			if last := h.events[len(h.events)-1]; last.Type != mfa.EventRefused || !errors.Is(last.Err, mfa.ErrClonedPasskey) {
				t.Errorf("the event is %+v", last)
			}
			if _, err := h.VerifyLogin(t.Context(), token, a.get(options, func(c *ceremony) { c.counter = 11 })); err != nil {
				t.Errorf("the genuine one: %v", err)
			}
		})
	}
}

// What the verifier refuses, the engine charges like a wrong code, and the reason
// goes to the host's events, not to the client.
func TestRefusalsAreCharged(t *testing.T) {
	h, a := newMemoryHost(t), newAuthenticator()
	h.enrolled("ada", a, nil)
	token, options := h.challenged("ada")
	for left := 4; left >= 0; left-- {
		_, err := h.VerifyLogin(t.Context(), token, a.get(options, func(c *ceremony) { c.origin = "https://example.org" }))
		if triesLeft(t, err) != left || strings.Contains(err.Error(), "origin") {
			t.Errorf("with %d left: %v", left, err)
		}
		if last := h.events[len(h.events)-1]; last.Type != mfa.EventRefused || !strings.Contains(last.Err.Error(), `the origin "https://example.org"`) {
			t.Errorf("the event is %+v", last)
		}
	}
	_, err := h.VerifyLogin(t.Context(), token, a.get(options, nil))
	mustBe(t, err, mfa.ErrInvalidToken)
}
