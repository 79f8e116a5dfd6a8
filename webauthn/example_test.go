package webauthn_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/webauthn"
)

// A passkey is enrolled and logs in. The browser is a double.
func Example() {
	ctx, browser := context.Background(), newAuthenticator()

	passkeys, err := webauthn.New(webauthn.Config{
		RPID:    "example.com",
		Origins: []string{"https://login.example.com"},
	})
	if err != nil {
		panic(err)
	}
	engine, err := mfa.New(mfa.Config{
		Issuer:   "ACME",
		Store:    mfa.NewMemoryStore(),
		Keys:     [][]byte{[]byte("\x9032 random bytes of your own.....")[:32]}, // crypto/rand, kept secret
		Passkeys: passkeys,
	})
	if err != nil {
		panic(err)
	}

	// The browser passes Options to navigator.credentials.create.
	enrollment, err := engine.EnrollPasskey(ctx, "ada", "ada@example.com", mfa.WithLabel("security key"))
	if err != nil {
		panic(err)
	}
	response := browser.create(enrollment.Options, nil)
	if _, err := engine.VerifyEnrollment(ctx, "ada", mfa.MethodPasskey, response); err != nil {
		panic(err)
	}

	// Later, after the password: the browser passes options to navigator.credentials.get.
	challenge, _ := errors.AsType[*mfa.ChallengeError](engine.BeginLogin(ctx, "ada"))
	options, err := engine.PasskeyOptions(ctx, challenge.Token)
	if err != nil {
		panic(err)
	}
	login, err := engine.VerifyLogin(ctx, challenge.Token, browser.get(options, nil))
	if err != nil {
		panic(err)
	}
	fmt.Println(login.UserID, login.Method, login.AMR)

	// A page elsewhere relays the challenge: the browser signs its origin too.
	browser.origin = "https://login.example.com.evil.example"
	challenge, _ = errors.AsType[*mfa.ChallengeError](engine.BeginLogin(ctx, "ada"))
	if options, err = engine.PasskeyOptions(ctx, challenge.Token); err != nil {
		panic(err)
	}
	_, err = engine.VerifyLogin(ctx, challenge.Token, browser.get(options, nil))
	fmt.Println("phished:", errors.Is(err, mfa.ErrInvalidCode))
	// Output:
	// ada passkey [pop user mfa]
	// phished: true
}
