package webauthn_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/big"
	"testing"
)

// The flags of authenticator data (WebAuthn §6.1).
const (
	up = 1 << 0 // user present
	uv = 1 << 2 // user verified
	be = 1 << 3 // backup eligible
	bs = 1 << 4 // backup state
	at = 1 << 6 // attested credential data
)

// COSE algorithms.
const (
	es256 = -7
	eddsa = -8
	es384 = -35
	rs256 = -257
)

// An authenticator is one in software, together with the browser in front of it.
// Unlike a real one it does what a test asks of it, whatever the options say.
type authenticator struct {
	origin string
	flags  byte
	newKey func() key
	made   []*credential
}

// A credential is what an authenticator holds of a passkey.
type credential struct {
	id      []byte
	key     key
	handle  []byte
	counter uint32
}

// A key is a key pair. alg is what it says that it is for.
type key struct {
	crypto.Signer
	alg int
}

// A ceremony is one response, before it is signed.
type ceremony struct {
	typ, challenge, origin, extra string // client data
	rpID                          string
	flags                         byte
	counter                       uint32
	key                           key
	id, rawID, attested, handle   []byte
	cose                          []byte // creation
	format                        string // creation
	statement                     []pair // creation

	changeSignature  func([]byte) []byte
	changeClientData func([]byte) []byte // once it is signed
	changeAuthData   func([]byte) []byte // once it is signed
	outputs          map[string]any      // of extensions
}

// newAuthenticator returns one that makes ES256 keys, in a browser at origin.
func newAuthenticator() *authenticator {
	return &authenticator{origin: origin, flags: up | uv, newKey: newES256}
}

func newES256() key {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return key{must(k, err), es256}
}

func newES384() key {
	k, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	return key{must(k, err), es384}
}

func newEdDSA() key {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	return key{must(k, err), eddsa}
}

func newRS256() key {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	return key{must(k, err), rs256}
}

// create answers navigator.credentials.create.
func (a *authenticator) create(options json.RawMessage, change func(*ceremony)) string {
	var o struct {
		PublicKey struct {
			Challenge string
			RP        struct{ ID string }
			User      struct{ ID string }
		}
	}
	must(0, json.Unmarshal(options, &o))
	made := &credential{id: make([]byte, 32), key: a.newKey(), handle: unbase64(o.PublicKey.User.ID)}
	rand.Read(made.id)
	c := &ceremony{
		typ: "webauthn.create", challenge: o.PublicKey.Challenge, origin: a.origin, rpID: o.PublicKey.RP.ID,
		flags: a.flags | at, key: made.key, id: made.id, rawID: made.id, attested: made.id, format: "none",
	}
	c.cose = coseKey(made.key)
	if change != nil {
		change(c)
	}
	made.id, made.key, made.counter = c.attested, c.key, c.counter
	a.made = append(a.made, made)

	clientData, authData, signature := c.sign()
	statement := c.statement
	if c.format == "packed" {
		statement = append([]pair{{"alg", c.key.alg}, {"sig", signature}}, statement...)
	}
	object := cbor([]pair{{"fmt", c.format}, {"attStmt", statement}, {"authData", authData}})
	return c.response(map[string]any{
		"clientDataJSON": base64url(clientData), "attestationObject": base64url(object), "transports": []string{"usb", "internal"},
	})
}

// get answers navigator.credentials.get, by the newest passkey among those
// allowed.
func (a *authenticator) get(options json.RawMessage, change func(*ceremony)) string {
	var o struct {
		PublicKey struct {
			Challenge, RPID  string
			AllowCredentials []struct{ ID string }
		}
	}
	must(0, json.Unmarshal(options, &o))
	var by *credential
	for _, made := range a.made {
		for _, allowed := range o.PublicKey.AllowCredentials {
			if allowed.ID == base64url(made.id) {
				by = made
			}
		}
	}
	if by == nil {
		panic("no passkey of this authenticator is allowed")
	}
	if by.counter > 0 {
		by.counter++
	}
	c := &ceremony{
		typ: "webauthn.get", challenge: o.PublicKey.Challenge, origin: a.origin, rpID: o.PublicKey.RPID,
		flags: a.flags, counter: by.counter, key: by.key, id: by.id, rawID: by.id, handle: by.handle,
	}
	if change != nil {
		change(c)
	}
	clientData, authData, signature := c.sign()
	response := map[string]any{
		"clientDataJSON": base64url(clientData), "authenticatorData": base64url(authData), "signature": base64url(signature),
	}
	if c.handle != nil {
		response["userHandle"] = base64url(c.handle)
	}
	return c.response(response)
}

// sign returns the client data, the authenticator data and the signature over
// both.
func (c *ceremony) sign() (clientData, authData, signature []byte) {
	clientData = []byte(`{"type":"` + c.typ + `","challenge":"` + c.challenge + `","origin":"` + c.origin + `"` + c.extra + `}`)
	rpIDHash, clientDataHash := sha256.Sum256([]byte(c.rpID)), sha256.Sum256(clientData)
	authData = binary.BigEndian.AppendUint32(append(rpIDHash[:], c.flags), c.counter)
	if c.flags&at != 0 {
		authData = append(authData, make([]byte, 16)...) // AAGUID
		authData = binary.BigEndian.AppendUint16(authData, uint16(len(c.attested)))
		authData = append(append(authData, c.attested...), c.cose...)
	}
	message := append(bytes.Clone(authData), clientDataHash[:]...)
	hash := crypto.SHA256
	digest := sha256.Sum256(message)
	if c.key.alg == eddsa {
		hash = 0
	} else {
		message = digest[:]
	}
	signature = must(c.key.Sign(rand.Reader, message, hash))
	if c.changeSignature != nil {
		signature = c.changeSignature(signature)
	}
	if c.changeClientData != nil {
		clientData = c.changeClientData(clientData)
	}
	if c.changeAuthData != nil {
		authData = c.changeAuthData(authData)
	}
	return clientData, authData, signature
}

func (c *ceremony) response(response map[string]any) string {
	outputs := c.outputs
	if outputs == nil {
		outputs = map[string]any{}
	}
	return string(must(json.Marshal(map[string]any{
		"id": base64url(c.id), "rawId": base64url(c.rawID), "type": "public-key", "response": response, "clientExtensionResults": outputs,
	})))
}

// coseKey encodes a public key (RFC 9053 §7).
func coseKey(k key) []byte {
	switch public := k.Public().(type) {
	case *ecdsa.PublicKey:
		point := must(public.Bytes())
		size := len(point) / 2
		curve := map[int]int{32: 1, 48: 2}[size]
		return cbor([]pair{{1, 2}, {3, k.alg}, {-1, curve}, {-2, point[1 : 1+size]}, {-3, point[1+size:]}})
	case ed25519.PublicKey:
		return cbor([]pair{{1, 1}, {3, k.alg}, {-1, 6}, {-2, []byte(public)}})
	case *rsa.PublicKey:
		return cbor([]pair{{1, 3}, {3, k.alg}, {-1, public.N.Bytes()}, {-2, big.NewInt(int64(public.E)).Bytes()}})
	}
	panic("unknown key")
}

// A pair is an entry of a CBOR map.
type pair struct{ key, value any }

// cbor encodes a value (RFC 8949 §3).
func cbor(value any) []byte {
	head := func(major byte, n int) []byte {
		switch {
		case n < 24:
			return []byte{major<<5 | byte(n)}
		case n < 256:
			return []byte{major<<5 | 24, byte(n)}
		}
		return []byte{major<<5 | 25, byte(n >> 8), byte(n)}
	}
	switch v := value.(type) {
	case int:
		if v < 0 {
			return head(1, -1-v)
		}
		return head(0, v)
	case []byte:
		return append(head(2, len(v)), v...)
	case string:
		return append(head(3, len(v)), v...)
	case []pair:
		b := head(5, len(v))
		for _, p := range v {
			b = append(append(b, cbor(p.key)...), cbor(p.value)...)
		}
		return b
	}
	panic("no CBOR for this type")
}

func base64url(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func unbase64(s string) []byte { return must(base64.RawURLEncoding.DecodeString(s)) }

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func mustBe(t testing.TB, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("got %v, want %v", err, target)
	}
}
