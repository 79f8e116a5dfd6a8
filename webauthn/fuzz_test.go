package webauthn_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/protekt/mfa"
)

// Responses that a stranger writes: nothing panics, and only what the passkey has
// signed is accepted. The fields are fuzzed as bytes, since a mutation of base64 is
// hardly ever base64, and the JSON around them as it is.
func FuzzResponse(f *testing.F) {
	v, a := newVerifier(f, nil), newAuthenticator()
	seed := sha256.Sum256([]byte("always the same key, so that inputs mean the same in each process"))
	known := key{must(ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])), es256}
	id := []byte("always the same ID")
	fixed := func(c *ceremony) { c.id, c.rawID, c.attested, c.counter = id, id, id, 5 }
	creationOptions := must(v.CreationOptions(ada, challenge, nil))
	for _, newKey := range []func() key{newEdDSA, newRS256, func() key { return known }} {
		a.newKey = newKey
		created := a.create(creationOptions, fixed)
		f.Add(created, fieldsOf(created).clientData, fieldsOf(created).object, []byte{}, []byte{})
		created = a.create(creationOptions, func(c *ceremony) { fixed(c); c.format = "packed" })
		f.Add(created, fieldsOf(created).clientData, fieldsOf(created).object, []byte{}, []byte{})
	}
	stored := must(v.VerifyCreation(ada, challenge, a.create(creationOptions, fixed)))
	allow := []mfa.Passkey{stored}
	answer := a.get(must(v.RequestOptions(ada, challenge, allow)), nil)
	signed := fieldsOf(answer)
	f.Add(answer, signed.clientData, []byte{}, signed.authData, signed.signature)

	check := func(t *testing.T, response string) {
		passkey, err := v.VerifyRequest(ada, challenge, allow, response)
		if checkResult(t, passkey, err) {
			if !bytes.Equal(passkey.ID, stored.ID) || !bytes.Equal(passkey.Data[7:], stored.Data[7:]) {
				t.Errorf("another passkey: %+v", passkey)
			}
			if got := fieldsOf(response); !bytes.Equal(got.clientData, signed.clientData) || !bytes.Equal(got.authData, signed.authData) {
				t.Errorf("accepted %q, which was not signed", got)
			}
		}
		passkey, err = v.VerifyCreation(ada, challenge, response)
		if checkResult(t, passkey, err) {
			if len(passkey.ID) == 0 || len(passkey.ID)+len(passkey.Data) > 1200 {
				t.Errorf("%d and %d bytes", len(passkey.ID), len(passkey.Data))
			}
			if _, err := v.RequestOptions(ada, challenge, []mfa.Passkey{passkey}); err != nil {
				t.Errorf("what was accepted cannot be read: %v", err)
			}
		}
	}
	f.Fuzz(func(t *testing.T, response string, clientData, object, authData, signature []byte) {
		check(t, response)
		check(t, (&ceremony{id: id, rawID: id}).response(map[string]any{
			"clientDataJSON": base64url(clientData), "attestationObject": base64url(object),
			"authenticatorData": base64url(authData), "signature": base64url(signature),
		}))
	})
}

type fields struct{ clientData, authData, signature, object []byte }

// fieldsOf reads what it can of a response.
func fieldsOf(response string) fields {
	var r struct {
		Response struct{ ClientDataJSON, AuthenticatorData, Signature, AttestationObject string }
	}
	json.Unmarshal([]byte(response), &r)
	decode := func(s string) []byte {
		b, _ := base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
		return b
	}
	return fields{decode(r.Response.ClientDataJSON), decode(r.Response.AuthenticatorData), decode(r.Response.Signature), decode(r.Response.AttestationObject)}
}

// checkResult reports whether a response was accepted.
func checkResult(t *testing.T, passkey mfa.Passkey, err error) bool {
	if err == nil {
		return true
	}
	if passkey.ID != nil || passkey.Data != nil || passkey.UserVerified {
		t.Errorf("refused, and returned: %+v", passkey)
	}
	reason := err.Error()
	if len(reason) > 2000 || strings.Contains(reason, base64url(challenge)) || strings.ContainsFunc(reason, func(r rune) bool { return r < ' ' }) {
		t.Errorf("the reason is %q", reason)
	}
	return false
}

// Stored bytes that were damaged: nothing panics, and what is readable is written
// the same again.
func FuzzStoredPasskey(f *testing.F) {
	v, a := newVerifier(f, nil), newAuthenticator()
	for _, newKey := range []func() key{newES256, newEdDSA, newRS256} {
		a.newKey = newKey
		f.Add(must(creation(v, a, ada, func(c *ceremony) { c.flags |= be; c.counter = 9 })).Data)
	}
	response := a.get(must(v.RequestOptions(ada, challenge, []mfa.Passkey{must(creation(v, a, ada, nil))})), nil)
	id := a.made[len(a.made)-1].id
	f.Fuzz(func(t *testing.T, data []byte) {
		allow := []mfa.Passkey{{ID: id, Data: data}}
		before := bytes.Clone(data)
		passkey, err := v.VerifyRequest(ada, challenge, allow, response)
		if checkResult(t, passkey, err) && !bytes.Equal(passkey.Data, before) { // its counter is 0, before and after
			t.Errorf("%x became %x", before, passkey.Data)
		}
		if !bytes.Equal(data, before) {
			t.Error("the caller's bytes were changed")
		}
		if options, err := v.RequestOptions(ada, challenge, allow); err == nil && !json.Valid(options) {
			t.Errorf("options that are no JSON: %s", options)
		}
	})
}
