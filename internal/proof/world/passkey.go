package world

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"

	"github.com/protekt/mfa"
)

// A Verifier is an mfa.PasskeyVerifier without cryptography: a response names its
// challenge and its passkey. It shows what the engine does with a verifier's
// results; module webauthn tests the ceremonies.
type Verifier struct{}

// A response is the answer of a SecurityKey.
type response struct {
	Handle    []byte `json:"handle"`
	Challenge []byte `json:"challenge"`
	ID        []byte `json:"id"`
	Counter   uint64 `json:"counter"`
	Size      int    `json:"size"` // of the passkey's data, in bytes
	Verified  bool   `json:"verified"`
}

type options struct {
	PublicKey publicKey `json:"publicKey"`
}

type publicKey struct {
	Handle    []byte   `json:"handle"`
	Challenge []byte   `json:"challenge"`
	IDs       [][]byte `json:"ids"` // of passkeys to exclude, or that may answer
}

func (Verifier) CreationOptions(user mfa.PasskeyUser, challenge []byte, exclude []mfa.Passkey) (json.RawMessage, error) {
	return writeOptions(user, challenge, exclude)
}

func (Verifier) RequestOptions(user mfa.PasskeyUser, challenge []byte, allow []mfa.Passkey) (json.RawMessage, error) {
	return writeOptions(user, challenge, allow)
}

func writeOptions(user mfa.PasskeyUser, challenge []byte, passkeys []mfa.Passkey) (json.RawMessage, error) {
	o := publicKey{Handle: user.Handle, Challenge: challenge}
	for _, p := range passkeys {
		o.IDs = append(o.IDs, p.ID)
	}
	return json.Marshal(options{o})
}

var errResponse = errors.New("the response is to another challenge, from another user, or unreadable")

func read(user mfa.PasskeyUser, challenge []byte, text string) (r response, err error) {
	if json.Unmarshal([]byte(text), &r) != nil || !bytes.Equal(r.Challenge, challenge) || !bytes.Equal(r.Handle, user.Handle) {
		return r, errResponse
	}
	return r, nil
}

func (r response) passkey() mfa.Passkey {
	return mfa.Passkey{ID: r.ID, Data: binary.BigEndian.AppendUint64(make([]byte, r.Size), r.Counter), UserVerified: r.Verified}
}

func (Verifier) VerifyCreation(user mfa.PasskeyUser, challenge []byte, text string) (mfa.Passkey, error) {
	r, err := read(user, challenge, text)
	return r.passkey(), err
}

func (Verifier) VerifyRequest(user mfa.PasskeyUser, challenge []byte, allow []mfa.Passkey, text string) (mfa.Passkey, error) {
	r, err := read(user, challenge, text)
	if err != nil {
		return mfa.Passkey{}, err
	}
	for _, p := range allow {
		if bytes.Equal(p.ID, r.ID) {
			if n := len(p.Data); r.Counter <= binary.BigEndian.Uint64(p.Data[n-8:]) {
				return mfa.Passkey{}, mfa.ErrClonedPasskey
			}
			return r.passkey(), nil
		}
	}
	return mfa.Passkey{}, errResponse
}

// A SecurityKey is a user's authenticator whose answers a Verifier accepts.
type SecurityKey struct {
	ID       string
	Counter  uint64
	Size     int  // of the data that the verifier keeps for it, without the counter
	Verified bool // whether it verifies its user
}

// Answers returns the response to options.
func (k *SecurityKey) Answers(to json.RawMessage) string {
	var o options
	if err := json.Unmarshal(to, &o); err != nil {
		panic(err)
	}
	k.Counter++
	text, err := json.Marshal(response{Handle: o.PublicKey.Handle, Challenge: o.PublicKey.Challenge, ID: []byte(k.ID), Counter: k.Counter, Size: k.Size, Verified: k.Verified})
	if err != nil {
		panic(err)
	}
	return string(text)
}

// WithPasskeys adjusts a configuration to accept passkeys.
func WithPasskeys(c *mfa.Config) { c.Passkeys = Verifier{} }

// GivePasskey enrolls a passkey for a user.
func (w *World) GivePasskey(user, id string, opts ...mfa.ChangeOption) (*SecurityKey, *mfa.Login) {
	w.T.Helper()
	enrollment, err := w.EnrollPasskey(w.Ctx, user, "ada@example.com", opts...)
	if err != nil {
		w.T.Fatalf("EnrollPasskey: %v", err)
	}
	key := &SecurityKey{ID: id}
	login, err := w.VerifyEnrollment(w.Ctx, user, mfa.MethodPasskey, key.Answers(enrollment.Options))
	if err != nil {
		w.T.Fatalf("VerifyEnrollment: %v", err)
	}
	return key, login
}

// Asked returns a key's response to a challenge.
func (w *World) Asked(key *SecurityKey, token string) string {
	w.T.Helper()
	options, err := w.PasskeyOptions(w.Ctx, token)
	if err != nil {
		w.T.Fatalf("PasskeyOptions: %v", err)
	}
	return key.Answers(options)
}
