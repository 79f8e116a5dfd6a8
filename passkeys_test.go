package mfa_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

func TestAPasskeyIsEnrolledAndLogsIn(t *testing.T) {
	w := world.New(t, world.WithPasskeys)
	key, login := w.GivePasskey("ada", "key one", mfa.WithLabel("blue key"))
	if login.Method != mfa.MethodPasskey || !slices.Equal(login.AMR, []string{"pop", "mfa"}) || login.Proof == "" {
		t.Errorf("%+v", *login)
	}
	w.WantEvents(mfa.EventEnrollmentStarted, mfa.EventEnrolled)
	challenge := w.Begin("ada")
	if !slices.Equal(challenge.Methods, []mfa.Method{mfa.MethodPasskey}) || challenge.Factors[0].Label != "blue key" {
		t.Errorf("%+v", challenge.Challenge)
	}
	key.Verified = true
	login, err := w.VerifyLogin(w.Ctx, challenge.Token, w.Asked(key, challenge.Token))
	world.OK(t, err)
	if login.FactorID != challenge.Factors[0].ID || !slices.Equal(login.AMR, []string{"pop", "user", "mfa"}) {
		t.Errorf("%+v", *login)
	}
	w.WantEvents(mfa.EventChallenged, mfa.EventVerified)
}

func TestPasskeysAreAlwaysEnrolledBesideOthers(t *testing.T) {
	w := world.New(t, world.WithPasskeys)
	first, login := w.GivePasskey("ada", "key 0")
	for i := range 7 {
		w.GivePasskey("ada", "key "+string(rune('1'+i)), mfa.WithProof(login.Proof), mfa.KeepOthers())
	}
	_, err := w.EnrollPasskey(w.Ctx, "ada", "a", mfa.WithProof(login.Proof))
	world.WantErr(t, err, mfa.ErrInvalidInput) // the ninth
	_, err = w.EnrollPasskey(w.Ctx, "ada", "a", mfa.WithProof(login.Proof), mfa.OnlyFactor(login.FactorID))
	world.WantErr(t, err, mfa.ErrInvalidInput)
	challenge := w.Begin("ada")
	if len(challenge.Factors) != 8 || len(challenge.Methods) != 1 {
		t.Errorf("%d factors, %v", len(challenge.Factors), challenge.Methods)
	}
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, w.Asked(first, challenge.Token))
	world.OK(t, err)
}

func TestAPasskeyEnrolledTwiceIsRefused(t *testing.T) {
	w := world.New(t, world.WithPasskeys)
	key, login := w.GivePasskey("ada", "key")
	enrollment, err := w.EnrollPasskey(w.Ctx, "ada", "a", mfa.WithProof(login.Proof))
	world.OK(t, err)
	_, err = w.VerifyEnrollment(w.Ctx, "ada", "", key.Answers(enrollment.Options))
	world.WantTries(t, err, 4)
}

func TestAWrongPasskeyIsChargedLikeAWrongCode(t *testing.T) {
	w := world.New(t, world.WithPasskeys)
	key, _ := w.GivePasskey("ada", "key")
	other := &world.SecurityKey{ID: "another"}
	challenge := w.Begin("ada")
	w.NewEvents()
	for left := 4; left >= 1; left-- {
		_, err := w.VerifyLogin(w.Ctx, challenge.Token, w.Asked(other, challenge.Token))
		world.WantTries(t, err, left)
	}
	for _, free := range []string{"{", `{"id":"x"`, "[]", `"x"`, "123456", "", `{"x":"` + strings.Repeat("x", 16<<10) + `"}`} {
		if _, err := w.VerifyLogin(w.Ctx, challenge.Token, free); !errors.Is(err, mfa.ErrInvalidCode) {
			t.Errorf("%.20q: %v", free, err)
		}
	}
	w.WantEvents(mfa.EventRefused, mfa.EventRefused, mfa.EventRefused, mfa.EventRefused)
	_, err := w.VerifyLogin(w.Ctx, challenge.Token, w.Asked(key, challenge.Token))
	world.OK(t, err)
}

func TestAClonedPasskeyIsRefusedWithoutACharge(t *testing.T) {
	w := world.New(t, world.WithPasskeys)
	key, _ := w.GivePasskey("ada", "key")
	clone := *key
	challenge := w.Begin("ada")
	_, err := w.VerifyLogin(w.Ctx, challenge.Token, w.Asked(key, challenge.Token))
	world.OK(t, err)
	challenge = w.Begin("ada")
	for range 6 {
		clone.Counter = 0
		_, err = w.VerifyLogin(w.Ctx, challenge.Token, w.Asked(&clone, challenge.Token))
		world.WantErr(t, err, mfa.ErrClonedPasskey)
		world.WantTries(t, err, 5)
		if code := mfa.ErrorCode(err); code != "invalid_code" {
			t.Errorf("code %q", code)
		}
		if event := w.LastEvent(); event.Type != mfa.EventRefused || !errors.Is(event.Err, mfa.ErrClonedPasskey) {
			t.Errorf("%v", event)
		}
	}
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, w.Asked(key, challenge.Token))
	world.OK(t, err)
}

// TestAPasskeyAnswersOneChallenge: the response to another challenge is a wrong
// answer.
func TestAPasskeyAnswersOneChallenge(t *testing.T) {
	w := world.New(t, world.WithPasskeys)
	key, login := w.GivePasskey("ada", "key")
	first, second := w.Begin("ada"), w.Begin("ada")
	answer := w.Asked(key, first.Token)
	_, err := w.VerifyLogin(w.Ctx, second.Token, answer)
	world.WantTries(t, err, 4)
	enrollment, err := w.EnrollPasskey(w.Ctx, "ada", "a", mfa.WithProof(login.Proof))
	world.OK(t, err)
	_, err = w.VerifyLogin(w.Ctx, second.Token, key.Answers(enrollment.Options))
	world.WantTries(t, err, 3)
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodPasskey, answer)
	world.WantTries(t, err, 4)
	_, err = w.VerifyLogin(w.Ctx, first.Token, answer)
	world.OK(t, err)
	_, err = w.VerifyLogin(w.Ctx, first.Token, answer)
	world.WantErr(t, err, mfa.ErrInvalidToken)
}

func TestPasskeyOptionsAreForLiveChallengesAlone(t *testing.T) {
	w := world.New(t, world.WithPasskeys)
	w.GivePasskey("ada", "key")
	w.GiveTOTP("bob")
	_, err := w.PasskeyOptions(w.Ctx, w.Begin("bob").Token)
	world.WantErr(t, err, mfa.ErrMethodUnavailable)
	challenge := w.Begin("ada")
	_, err = w.Another(func(c *mfa.Config) { c.Passkeys = nil }).PasskeyOptions(w.Ctx, challenge.Token)
	world.WantErr(t, err, mfa.ErrMethodUnavailable)
	w.Clock.Advance(5 * time.Minute)
	w.NewEvents()
	_, err = w.PasskeyOptions(w.Ctx, challenge.Token)
	world.WantErr(t, err, mfa.ErrInvalidToken)
	w.WantEvents(mfa.EventTokenRefused)
}

// TestWithoutAVerifierAPasskeyIsNoWayIn: nor can it be bypassed.
func TestWithoutAVerifierAPasskeyIsNoWayIn(t *testing.T) {
	w := world.New(t, world.WithPasskeys)
	w.GivePasskey("ada", "key")
	without := w.Another(func(c *mfa.Config) { c.Passkeys = nil })
	world.WantErr(t, without.BeginLogin(w.Ctx, "ada"), mfa.ErrMethodUnavailable)
	_, err := without.EnrollPasskey(w.Ctx, "bob", "b")
	world.WantErr(t, err, mfa.ErrMethodUnavailable)
}

// TestKeysMayRotateBetweenOptionsAndAnswer: this happens while processes restart one
// by one.
func TestKeysMayRotateBetweenOptionsAndAnswer(t *testing.T) {
	w := world.New(t, world.WithPasskeys, func(c *mfa.Config) { c.Keys = [][]byte{world.Key(1), world.Key(2)} })
	key, _ := w.GivePasskey("ada", "key")
	challenge := w.Begin("ada")
	answer := w.Asked(key, challenge.Token)
	rotated := w.Another(func(c *mfa.Config) { c.Keys = [][]byte{world.Key(2), world.Key(1)} })
	_, err := rotated.VerifyLogin(w.Ctx, challenge.Token, answer)
	world.OK(t, err)
	challenge = w.Begin("ada")
	_, err = rotated.VerifyLogin(w.Ctx, challenge.Token, w.Asked(&world.SecurityKey{ID: key.ID}, challenge.Token))
	world.WantErr(t, err, mfa.ErrClonedPasskey)
}

func TestAPasskeyThatIsTooLargeIsRefused(t *testing.T) {
	w := world.New(t, world.WithPasskeys)
	for size, ok := range map[int]bool{1200 - 8 - len("key"): true, 1201 - 8 - len("key"): false} {
		enrollment, err := w.EnrollPasskey(w.Ctx, "ada", "a")
		world.OK(t, err)
		key := &world.SecurityKey{ID: "key", Size: size}
		if _, err = w.VerifyEnrollment(w.Ctx, "ada", "", key.Answers(enrollment.Options)); (err == nil) != ok {
			t.Errorf("%d bytes: %v", size, err)
		}
		world.OK(t, w.DeleteUser(w.Ctx, "ada"))
	}
}

// TestPasskeysOnly runs the README's recipe for accounts that resist phishing.
func TestPasskeysOnly(t *testing.T) {
	required := true
	w := world.New(t, world.WithPasskeys, world.RequiredWhen(&required))
	enter := func(login *mfa.Login) bool { return login.Method == mfa.MethodPasskey }
	app, login := w.GiveTOTP("ada")
	if enter(login) || enter(w.Login("ada", app.Shows())) {
		t.Fatal("an app lets the user in")
	}
	key, login := w.GivePasskey("ada", "key", mfa.WithProof(login.Proof))
	world.OK(t, w.Revoke(w.Ctx, "ada", mfa.MethodTOTP))
	if !enter(login) || !slices.Equal(w.Enrolled("ada"), []mfa.Method{mfa.MethodPasskey}) {
		t.Fatal("the passkey does not let the user in, or is not the only factor")
	}
	challenge := w.Begin("ada")
	if !slices.Equal(challenge.Methods, []mfa.Method{mfa.MethodPasskey}) {
		t.Errorf("the challenge offers %v", challenge.Methods)
	}
	login, err := w.VerifyLogin(w.Ctx, challenge.Token, w.Asked(key, challenge.Token))
	world.OK(t, err)
	if !enter(login) {
		t.Error("the passkey does not let the user in")
	}
}
