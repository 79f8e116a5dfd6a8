package mfa

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/protekt/mfa/internal/record"
	"github.com/protekt/mfa/internal/seal"
	"github.com/protekt/mfa/internal/token"
)

// A PasskeyVerifier implements WebAuthn without I/O and without state: it checks
// origin, RP ID, user presence, signature and counter, and the engine keeps what
// it returns in the user's record. Module webauthn has one. Methods may be called
// at the same time.
//
// challenge is the random value that the response must be to. An error refuses
// the response, and is charged like a wrong code; one that wraps
// [ErrClonedPasskey] is refused without being charged.
type PasskeyVerifier interface {
	// CreationOptions returns the options for navigator.credentials.create. The
	// authenticators of exclude must not be enrolled twice.
	CreationOptions(user PasskeyUser, challenge []byte, exclude []Passkey) (json.RawMessage, error)

	// VerifyCreation returns the passkey that a response to CreationOptions
	// creates.
	VerifyCreation(user PasskeyUser, challenge []byte, response string) (Passkey, error)

	// RequestOptions returns the options for navigator.credentials.get, which let
	// one of allow answer.
	RequestOptions(user PasskeyUser, challenge []byte, allow []Passkey) (json.RawMessage, error)

	// VerifyRequest returns the one of allow that a response to RequestOptions is
	// from, with its new counter.
	VerifyRequest(user PasskeyUser, challenge []byte, allow []Passkey, response string) (Passkey, error)
}

// A PasskeyUser is a user as authenticators know them.
type PasskeyUser struct {
	// Handle is random and the same for all passkeys of the user (WebAuthn
	// §5.4.3).
	Handle []byte
	// Account is the name given to EnrollPasskey; empty in a request.
	Account string
}

// A Passkey is a WebAuthn credential as its verifier keeps it.
type Passkey struct {
	// ID is the credential ID.
	ID []byte
	// Data holds the public key, counter and flags, encoded by the verifier. ID
	// and Data together are at most 1,200 bytes; a longer passkey is refused.
	Data []byte
	// UserVerified reports whether the authenticator verified its user in this
	// ceremony, by a PIN or biometrics. It is not stored.
	UserVerified bool
}

// A PasskeyEnrollment holds what a browser needs to create a passkey.
type PasskeyEnrollment struct {
	// Options is the argument of navigator.credentials.create, as JSON.
	Options   json.RawMessage `json:"options"`
	ExpiresAt time.Time       `json:"expires_at"`
}

// EnrollPasskey begins the enrollment of a passkey beside those of the user, in
// place of one begun before. account is what the authenticator shows, such as an
// e-mail address: 1 to 255 printable bytes. The passkey counts once
// VerifyEnrollment has accepted the browser's response. A user with a confirmed
// factor who passes no fresh proof gets a *ChallengeError (ActionManage).
func (e *Engine) EnrollPasskey(ctx context.Context, userID, account string, opts ...ChangeOption) (*PasskeyEnrollment, error) {
	if e.config.Passkeys == nil {
		return nil, ErrMethodUnavailable
	}
	options, err := readOptions(opts)
	if err != nil {
		return nil, err
	}
	if options.only != nil {
		return nil, fmt.Errorf("%w: a passkey takes no other's place", ErrInvalidInput)
	}
	if err := checkAccount(account); err != nil {
		return nil, err
	}
	options.keep = true
	var pending record.Pending
	var handle record.Handle
	var exclude []Passkey
	err = e.update(ctx, userID, func(u *user) error {
		p, err := e.mayEnroll(u, MethodPasskey, options)
		if err != nil {
			return err
		}
		p.Account = account
		pending, handle, exclude = *u.Begin(p), u.SetHandle(), passkeys(u.Credentials())
		u.event(Event{Type: EventEnrollmentStarted, Method: MethodPasskey, FactorID: factorID(pending.ID), Action: ActionEnroll})
		return nil
	})
	if err != nil {
		return nil, err
	}
	challenge := e.ring.MAC(passkeyEnrollment, userID, string(pending.ID[:]))
	creation, err := e.config.Passkeys.CreationOptions(PasskeyUser{Handle: handle[:], Account: account}, challenge.Sum[:], exclude)
	if err != nil {
		return nil, fmt.Errorf("mfa: options for a new passkey: %w", err)
	}
	return &PasskeyEnrollment{Options: creation, ExpiresAt: pending.Expires}, nil
}

// PasskeyOptions returns the argument of navigator.credentials.get, as JSON, for
// the challenge of a token. The browser's response is the answer to
// VerifyLogin or VerifyStepUp.
func (e *Engine) PasskeyOptions(ctx context.Context, token string) (json.RawMessage, error) {
	claims, err := e.openChallenge(ctx, token)
	if err != nil {
		return nil, err
	}
	u, err := e.load(ctx, claims.UserID)
	if err != nil {
		return nil, err
	}
	if err := e.mayRequest(u, claims); err != nil {
		e.emit(ctx, u.events...)
		return nil, err
	}
	challenge := e.ring.MAC(passkeyChallenge, claims.UserID, string(claims.ID[:]))
	options, err := e.config.Passkeys.RequestOptions(PasskeyUser{Handle: u.Handle[:]}, challenge.Sum[:], passkeys(u.Credentials()))
	if err != nil {
		return nil, fmt.Errorf("mfa: options for a passkey: %w", err)
	}
	return options, nil
}

// mayRequest returns nil if a passkey of u may answer a challenge now.
func (e *Engine) mayRequest(u *user, claims token.Claims) error {
	if _, ok := u.Answerable(ticketOf(claims), u.now); !ok {
		return u.report(record.Verdict{Result: record.Ended}, e.aboutChallenge(claims))
	}
	switch {
	case e.config.Passkeys == nil || !u.Has(MethodPasskey):
		return ErrMethodUnavailable
	case u.Lane(MethodPasskey).Closed(u.now):
		return ErrFactorDisabled
	}
	about := e.aboutChallenge(claims)
	about.Method = MethodPasskey
	return u.throttled(u.RetryAt(MethodPasskey), false, about)
}

// Labels of the keyed hashes that are WebAuthn challenges. Nothing is stored for
// them: they are used once and expire with the engine's challenge or the pending
// factor of which they are hashes.
const (
	passkeyEnrollment = "passkey enrollment"
	passkeyChallenge  = "passkey challenge"
)

// passkeyCreation returns the verifier of a response for a pending passkey.
func (e *Engine) passkeyCreation(u *user, response string) func(record.Pending) (record.Credential, error) {
	handle := u.Handle
	return func(p record.Pending) (record.Credential, error) {
		user := PasskeyUser{Handle: handle[:], Account: p.Account}
		return underEachKey(e.ring.MACs(passkeyEnrollment, u.id, string(p.ID[:])), func(challenge []byte) (Passkey, error) {
			return e.config.Passkeys.VerifyCreation(user, challenge, response)
		})
	}
}

// passkeyRequest returns the verifier of a response to a challenge.
func (e *Engine) passkeyRequest(u *user, claims token.Claims, response string) func([]record.Credential) (record.Credential, error) {
	handle := u.Handle
	return func(allow []record.Credential) (record.Credential, error) {
		user := PasskeyUser{Handle: handle[:]}
		return underEachKey(e.ring.MACs(passkeyChallenge, u.id, string(claims.ID[:])), func(challenge []byte) (Passkey, error) {
			return e.config.Passkeys.VerifyRequest(user, challenge, passkeys(allow), response)
		})
	}
}

// underEachKey tries the challenge under each of Config.Keys: the process that
// made the options may have had another first key, as during a rotation. The
// first error counts, unless a response that is right under another key is from a
// clone.
func underEachKey(challenges []seal.Tag, verify func(challenge []byte) (Passkey, error)) (record.Credential, error) {
	var first error
	for _, challenge := range challenges {
		passkey, err := verify(challenge.Sum[:])
		if err == nil {
			return record.Credential(passkey), nil
		}
		if first == nil || errors.Is(err, ErrClonedPasskey) {
			first = err
		}
	}
	return record.Credential{}, first
}

func passkeys(credentials []record.Credential) []Passkey {
	list := make([]Passkey, len(credentials))
	for i, c := range credentials {
		list[i] = Passkey{ID: bytes.Clone(c.ID), Data: bytes.Clone(c.Data)}
	}
	return list
}
