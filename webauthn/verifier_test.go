package webauthn_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/webauthn"
)

const (
	rpID   = "example.com"
	origin = "https://login.example.com"
)

var (
	ada = mfa.PasskeyUser{Handle: []byte("the handle of ada, 32 bytes long"), Account: "ada@example.com"}
	eve = mfa.PasskeyUser{Handle: []byte("the handle of eve, 32 bytes long"), Account: "eve@example.com"}

	challenge = []byte("a challenge that the engine made")
	another   = []byte("some other challenge, of its own")
)

func newVerifier(t testing.TB, change func(*webauthn.Config)) *webauthn.Verifier {
	t.Helper()
	config := webauthn.Config{RPID: rpID, Origins: []string{"https://example.com", origin}}
	if change != nil {
		change(&config)
	}
	v, err := webauthn.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// creation is a whole ceremony.
func creation(v *webauthn.Verifier, a *authenticator, user mfa.PasskeyUser, change func(*ceremony)) (mfa.Passkey, error) {
	options, err := v.CreationOptions(user, challenge, nil)
	if err != nil {
		return mfa.Passkey{}, err
	}
	return v.VerifyCreation(user, challenge, a.create(options, change))
}

func request(v *webauthn.Verifier, a *authenticator, passkey mfa.Passkey, change func(*ceremony)) (mfa.Passkey, error) {
	allow := []mfa.Passkey{passkey}
	options, err := v.RequestOptions(ada, challenge, allow)
	if err != nil {
		return mfa.Passkey{}, err
	}
	return v.VerifyRequest(ada, challenge, allow, a.get(options, change))
}

func TestAPasskeyOfEachAlgorithm(t *testing.T) {
	for name, newKey := range map[string]func() key{"ES256": newES256, "EdDSA": newEdDSA, "RS256": newRS256} {
		t.Run(name, func(t *testing.T) {
			v, a := newVerifier(t, nil), newAuthenticator()
			a.newKey = newKey
			passkey, err := creation(v, a, ada, func(c *ceremony) { c.counter = 7 })
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(passkey.ID, a.made[0].id) || !passkey.UserVerified {
				t.Errorf("%+v", passkey)
			}
			for range 2 {
				answered, err := request(v, a, passkey, nil)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(answered.ID, passkey.ID) || bytes.Equal(answered.Data, passkey.Data) {
					t.Errorf("another ID, or the counter of before: %+v", answered)
				}
				passkey = answered
			}
		})
	}
}

// What is stored is written down, so that it can be read for ever.
func TestStoredForm(t *testing.T) {
	v, a := newVerifier(t, nil), newAuthenticator()
	a.newKey = func() key { return key{ed25519.NewKeyFromSeed(make([]byte, 32)), eddsa} }
	passkey, err := creation(v, a, ada, func(c *ceremony) { c.flags |= be | bs; c.counter = 258 })
	if err != nil {
		t.Fatal(err)
	}
	want := "01" + "01" + "21" + "00000102" + // version, BE, USB and internal, counter
		"a4010103272006215820" + "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"
	if got := hex.EncodeToString(passkey.Data); got != want {
		t.Errorf("stored %s, want %s", got, want)
	}
}

func TestCreationOptions(t *testing.T) {
	v, a := newVerifier(t, func(c *webauthn.Config) { c.Name = "ACME" }), newAuthenticator()
	first, err := creation(v, a, ada, func(c *ceremony) { c.id, c.rawID, c.attested = []byte("first"), []byte("first"), []byte("first") })
	if err != nil {
		t.Fatal(err)
	}
	options, err := v.CreationOptions(ada, challenge, []mfa.Passkey{first})
	if err != nil {
		t.Fatal(err)
	}
	equalJSON(t, options, `{"publicKey": {
		"rp": {"id": "example.com", "name": "ACME"},
		"user": {"id": "`+base64url(ada.Handle)+`", "name": "ada@example.com", "displayName": "ada@example.com"},
		"challenge": "`+base64url(challenge)+`",
		"pubKeyCredParams": [{"type": "public-key", "alg": -7}, {"type": "public-key", "alg": -8}, {"type": "public-key", "alg": -257}],
		"timeout": 300000,
		"excludeCredentials": [{"type": "public-key", "id": "Zmlyc3Q", "transports": ["usb", "internal"]}],
		"authenticatorSelection": {"residentKey": "discouraged", "requireResidentKey": false, "userVerification": "preferred"},
		"attestation": "none"
	}}`)
}

func TestRequestOptions(t *testing.T) {
	v, a := newVerifier(t, func(c *webauthn.Config) {
		c.UserVerification, c.ResidentKey, c.Timeout = webauthn.Required, webauthn.Required, time.Minute
	}), newAuthenticator()
	passkey, err := creation(v, a, ada, func(c *ceremony) { c.id, c.rawID, c.attested = []byte("first"), []byte("first"), []byte("first") })
	if err != nil {
		t.Fatal(err)
	}
	options, err := v.RequestOptions(ada, challenge, []mfa.Passkey{passkey})
	if err != nil {
		t.Fatal(err)
	}
	equalJSON(t, options, `{"publicKey": {
		"challenge": "`+base64url(challenge)+`",
		"timeout": 60000,
		"rpId": "example.com",
		"allowCredentials": [{"type": "public-key", "id": "Zmlyc3Q", "transports": ["usb", "internal"]}],
		"userVerification": "required"
	}}`)
}

func equalJSON(t *testing.T, got json.RawMessage, want string) {
	t.Helper()
	var a, b any
	must(0, json.Unmarshal(got, &a))
	must(0, json.Unmarshal([]byte(want), &b))
	if x, y := must(json.Marshal(a)), must(json.Marshal(b)); !bytes.Equal(x, y) {
		t.Errorf("got  %s\nwant %s", x, y)
	}
}

// Each case changes one thing of a ceremony that succeeds without it. These are
// of both kinds.
var refused = map[string]func(*ceremony){
	"an origin elsewhere":                  func(c *ceremony) { c.origin = "https://example.org" },
	"an origin that begins alike":          func(c *ceremony) { c.origin = "https://example.com.evil.org" },
	"a subdomain that is not listed":       func(c *ceremony) { c.origin = "https://evil.example.com" },
	"another port":                         func(c *ceremony) { c.origin = "https://example.com:8443" },
	"another scheme":                       func(c *ceremony) { c.origin = "http://example.com" },
	"an origin in other letters":           func(c *ceremony) { c.origin = "https://EXAMPLE.com" },
	"an origin with a user":                func(c *ceremony) { c.origin = "https://evil@example.com" },
	"an origin with a path":                func(c *ceremony) { c.origin = "https://example.com/" },
	"no origin":                            func(c *ceremony) { c.origin = "" },
	"a frame of another origin":            func(c *ceremony) { c.extra = `,"crossOrigin":true` },
	"a frame in a listed origin":           func(c *ceremony) { c.extra = `,"crossOrigin":true,"topOrigin":"https://example.com"` },
	"token binding without a known status": func(c *ceremony) { c.extra = `,"tokenBinding":{"status":"x"}` },

	"another RP ID":                func(c *ceremony) { c.rpID = "example.org" },
	"the RP ID of a subdomain":     func(c *ceremony) { c.rpID = "login.example.com" },
	"an app ID that was not asked": func(c *ceremony) { c.rpID, c.outputs = "https://evil.org", map[string]any{"appid": true} },

	"another challenge": func(c *ceremony) { c.challenge = base64url(another) },
	"no challenge":      func(c *ceremony) { c.challenge = "" },
	"half a challenge":  func(c *ceremony) { c.challenge = c.challenge[:22] },
	"a longer one":      func(c *ceremony) { c.challenge += "A" },
	"a padded one":      func(c *ceremony) { c.challenge += "=" },

	"no user present":               func(c *ceremony) { c.flags &^= up },
	"no user present, but verified": func(c *ceremony) { c.flags = c.flags&^up | uv },
	"a backup that there cannot be": func(c *ceremony) { c.flags |= bs },

	"an ID that is not the raw ID":  func(c *ceremony) { c.id = []byte("another") },
	"no ID":                         func(c *ceremony) { c.id, c.rawID = nil, nil },
	"another type":                  func(c *ceremony) { c.typ = "payment.get" },
	"no type":                       func(c *ceremony) { c.typ = "" },
	"client data that is no JSON":   func(c *ceremony) { c.changeClientData = func(b []byte) []byte { return b[1:] } },
	"authenticator data cut short":  func(c *ceremony) { c.changeAuthData = func(b []byte) []byte { return b[:36] } },
	"authenticator data with more":  func(c *ceremony) { c.changeAuthData = func(b []byte) []byte { return append(b, 0) } },
	"extensions that are not there": func(c *ceremony) { c.changeAuthData = func(b []byte) []byte { b[32] |= 1 << 7; return b } },
}

func TestRequestsRefused(t *testing.T) {
	v := newVerifier(t, nil)
	stranger := newES256()
	cases := map[string]func(*ceremony){
		"a creation's type":            func(c *ceremony) { c.typ = "webauthn.create" },
		"the handle of another user":   func(c *ceremony) { c.handle = eve.Handle },
		"the signature of another key": func(c *ceremony) { c.key = stranger },
		"no signature":                 func(c *ceremony) { c.changeSignature = func([]byte) []byte { return nil } },
		"a changed signature":          func(c *ceremony) { c.changeSignature = func(b []byte) []byte { b[len(b)-1] ^= 1; return b } },
		"a signature with more":        func(c *ceremony) { c.changeSignature = func(b []byte) []byte { return append(b, 0) } },
		"a signature of zeros": func(c *ceremony) {
			c.changeSignature = func([]byte) []byte { return []byte{0x30, 6, 2, 1, 0, 2, 1, 0} }
		},
		"a counter changed once signed": func(c *ceremony) { c.changeAuthData = func(b []byte) []byte { b[36]++; return b } },
		"user verification added once signed": func(c *ceremony) {
			c.flags &^= uv
			c.changeAuthData = func(b []byte) []byte { b[32] |= uv; return b }
		},
		"client data changed once signed": func(c *ceremony) {
			c.changeClientData = func(b []byte) []byte { return append(b[:len(b)-1], ` }`...) }
		},
		"backup eligible all at once": func(c *ceremony) { c.flags |= be },
		"the ID of another passkey":   func(c *ceremony) { c.id, c.rawID = []byte("another"), []byte("another") },
	}
	refuse(t, refused, func(a *authenticator, change func(*ceremony)) (mfa.Passkey, error) {
		passkey := must(creation(v, a, ada, nil))
		if _, err := request(v, a, passkey, nil); err != nil {
			t.Fatal(err)
		}
		return request(v, a, passkey, change)
	})
	refuse(t, cases, func(a *authenticator, change func(*ceremony)) (mfa.Passkey, error) {
		return request(v, a, must(creation(v, a, ada, nil)), change)
	})
}

func TestCreationsRefused(t *testing.T) {
	v := newVerifier(t, nil)
	self := func(c *ceremony) { c.format = "packed" }
	cases := map[string]func(*ceremony){
		"a request's type":              func(c *ceremony) { c.typ = "webauthn.get" },
		"an algorithm not offered":      func(c *ceremony) { c.key = newES384(); c.cose = coseKey(c.key) },
		"ES256 with a P-384 key":        func(c *ceremony) { k := newES384(); k.alg = es256; c.cose = coseKey(k) },
		"RSA that claims to be ES256":   func(c *ceremony) { k := newRS256(); k.alg = es256; c.cose = coseKey(k) },
		"P-256 that claims to be RS256": func(c *ceremony) { k := newES256(); k.alg = rs256; c.cose = coseKey(k) },
		"a point that is not on the curve": func(c *ceremony) {
			c.cose = cbor([]pair{{1, 2}, {3, es256}, {-1, 1}, {-2, make([]byte, 32)}, {-3, make([]byte, 32)}})
		},
		"two algorithms in a key":      func(c *ceremony) { c.cose = append([]byte{0xa3, 3, 0x26, 3, 0x26}, cbor([]pair{{1, 2}})[1:]...) },
		"no key":                       func(c *ceremony) { c.cose = nil },
		"no credential at all":         func(c *ceremony) { c.flags &^= at },
		"the ID of another credential": func(c *ceremony) { c.attested = []byte("another") },
		"an ID above 1,023 bytes":      func(c *ceremony) { c.id = make([]byte, 1024); c.rawID, c.attested = c.id, c.id },
		"a statement without a format": func(c *ceremony) { c.statement = []pair{{"sig", []byte("x")}} },
		"a format not asked for":       func(c *ceremony) { c.format = "tpm" },
		"a format that nobody knows":   func(c *ceremony) { c.format = "x\n" },
		"a certificate":                func(c *ceremony) { self(c); c.statement = []pair{{"x5c", []byte("x")}} },
		"a statement signed by another key": func(c *ceremony) {
			self(c)
			k := newES256()
			c.key = k
		},
		"a statement that is not signed": func(c *ceremony) { self(c); c.changeSignature = func([]byte) []byte { return nil } },
	}
	for _, cases := range []map[string]func(*ceremony){refused, cases} {
		refuse(t, cases, func(a *authenticator, change func(*ceremony)) (mfa.Passkey, error) {
			if _, err := creation(v, a, ada, nil); err != nil {
				t.Fatal(err)
			}
			return creation(v, a, ada, change)
		})
	}
	if _, err := creation(v, newAuthenticator(), ada, self); err != nil {
		t.Errorf("a statement by the passkey itself: %v", err)
	}
}

// refuse requires that each change is refused, for a reason that holds nothing of
// what was compared.
func refuse(t *testing.T, cases map[string]func(*ceremony), run func(*authenticator, func(*ceremony)) (mfa.Passkey, error)) {
	t.Helper()
	for name, change := range cases {
		passkey, err := run(newAuthenticator(), change)
		if err == nil || passkey.ID != nil || passkey.Data != nil || passkey.UserVerified {
			t.Errorf("%s: %+v, %v", name, passkey, err)
			continue
		}
		reason := err.Error()
		if !strings.HasPrefix(reason, "webauthn: ") || strings.ContainsFunc(reason, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%s: the reason is %q", name, reason)
		}
		for _, secret := range [][]byte{challenge, another, ada.Handle} {
			if strings.Contains(reason, base64url(secret)) || strings.Contains(reason, hex.EncodeToString(secret)) || strings.Contains(reason, string(secret)) {
				t.Errorf("%s: the reason shows %q: %s", name, secret, reason)
			}
		}
	}
}

func TestACounterThatDoesNotGrowIsAClone(t *testing.T) {
	for _, test := range []struct {
		stored, next uint32
		cloned       bool
	}{
		{0, 0, false}, // does not count
		{0, 1, false},
		{1, 2, false},
		{1, 1<<32 - 1, false},
		{1, 1, true},
		{2, 1, true},
		{1, 0, true}, // stopped counting
		{1<<32 - 1, 0, true},
	} {
		v, a := newVerifier(t, nil), newAuthenticator()
		passkey := must(creation(v, a, ada, func(c *ceremony) { c.counter = test.stored }))
		answered, err := request(v, a, passkey, func(c *ceremony) { c.counter = test.next })
		switch {
		case !test.cloned && err != nil:
			t.Errorf("%d after %d: %v", test.next, test.stored, err)
		case test.cloned && answered.Data != nil:
			t.Errorf("%d after %d: a passkey is returned", test.next, test.stored)
		case test.cloned:
			mustBe(t, err, mfa.ErrClonedPasskey)
		}
		// Only who has the key can report a clone.
		_, err = request(v, a, passkey, func(c *ceremony) { c.counter, c.key = test.next, newES256() })
		if err == nil || strings.Contains(err.Error(), mfa.ErrClonedPasskey.Error()) {
			t.Errorf("%d after %d, signed by another key: %v", test.next, test.stored, err)
		}
	}
}

func TestBackupEligibilityNeverChanges(t *testing.T) {
	for _, test := range []struct {
		created, answered byte
		ok                bool
	}{
		{0, 0, true},
		{be, be, true},
		{be, be | bs, true},
		{be | bs, be, true},
		{0, be, false},
		{be, 0, false},
		{be | bs, bs, false},
	} {
		v, a := newVerifier(t, nil), newAuthenticator()
		passkey := must(creation(v, a, ada, func(c *ceremony) { c.flags |= test.created }))
		passkey, err := request(v, a, passkey, func(c *ceremony) { c.flags |= test.answered })
		if (err == nil) != test.ok {
			t.Errorf("created with %#x, answered with %#x: %v", test.created, test.answered, err)
		}
		if !test.ok {
			continue
		}
		if _, err := request(v, a, passkey, func(c *ceremony) { c.flags |= test.created }); err != nil {
			t.Errorf("created with %#x, once answered with %#x: %v", test.created, test.answered, err)
		}
	}
}

func TestUserVerification(t *testing.T) {
	without := func(c *ceremony) { c.flags &^= uv }
	for _, requirement := range []webauthn.Requirement{"", webauthn.Preferred, webauthn.Discouraged, webauthn.Required} {
		v, a := newVerifier(t, func(c *webauthn.Config) { c.UserVerification = requirement }), newAuthenticator()
		with, err := creation(v, a, ada, nil)
		if err != nil || !with.UserVerified {
			t.Fatalf("%q: created with it: %+v, %v", requirement, with, err)
		}
		if again, err := request(v, a, with, nil); err != nil || !again.UserVerified {
			t.Errorf("%q: answered with it: %v, %v", requirement, again.UserVerified, err)
		}
		ok := requirement != webauthn.Required
		if answered, err := request(v, a, with, without); (err == nil) != ok || answered.UserVerified {
			t.Errorf("%q: answered without it: %v, %v", requirement, answered.UserVerified, err)
		}
		if created, err := creation(v, a, ada, without); (err == nil) != ok || created.UserVerified {
			t.Errorf("%q: created without it: %v, %v", requirement, created.UserVerified, err)
		}
	}
}

// Each prefix of a response is refused, and so is a response with something
// behind it.
func TestDamagedResponsesAreRefused(t *testing.T) {
	v, a := newVerifier(t, nil), newAuthenticator()
	options := must(v.CreationOptions(ada, challenge, nil))
	created := a.create(options, func(c *ceremony) { c.format = "packed" })
	passkey := must(v.VerifyCreation(ada, challenge, created))
	allow := []mfa.Passkey{passkey}
	answered := a.get(must(v.RequestOptions(ada, challenge, allow)), nil)
	if _, err := v.VerifyRequest(ada, challenge, allow, answered); err != nil {
		t.Fatal(err)
	}
	for name, verify := range map[string]func(string) error{
		created:  func(s string) error { _, err := v.VerifyCreation(ada, challenge, s); return err },
		answered: func(s string) error { _, err := v.VerifyRequest(ada, challenge, allow, s); return err },
	} {
		for n := range len(name) {
			if verify(name[:n]) == nil {
				t.Fatalf("accepted after %d of %d bytes: %s", n, len(name), name)
			}
		}
		for _, more := range []string{"{}", "x", strings.Repeat(" ", 16<<10)} {
			if verify(name+more) == nil {
				t.Errorf("accepted with %.5q behind it", more)
			}
		}
		if fits := strings.Repeat(" ", 16<<10-len(name)); verify(name+fits) != nil {
			t.Error("refused with 16 KiB")
		}
	}
	for _, junk := range []string{"", "null", "[]", "{}", `{"id":1}`, `{"id":"AA","rawId":"AA","type":"public-key","response":{}}`} {
		if _, err := v.VerifyCreation(ada, challenge, junk); err == nil {
			t.Errorf("created by %s", junk)
		}
		if _, err := v.VerifyRequest(ada, challenge, allow, junk); err == nil {
			t.Errorf("answered by %s", junk)
		}
	}
}

// What clients report of extensions that were not requested decides nothing.
func TestExtensionsAreIgnored(t *testing.T) {
	v, a := newVerifier(t, nil), newAuthenticator()
	outputs := func(c *ceremony) {
		c.outputs = map[string]any{"credProps": map[string]any{"rk": true}, "appid": false, "x": 1}
	}
	passkey, err := creation(v, a, ada, outputs)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := request(v, a, passkey, outputs); err != nil {
		t.Error(err)
	}
}

func TestOnlyTheUsersPasskeysMayAnswer(t *testing.T) {
	v, a, b := newVerifier(t, nil), newAuthenticator(), newAuthenticator()
	hers := must(creation(v, a, ada, nil))
	others := must(creation(v, b, eve, nil))
	options := must(v.RequestOptions(eve, challenge, []mfa.Passkey{others}))
	response := b.get(options, nil)
	if _, err := v.VerifyRequest(eve, challenge, []mfa.Passkey{others}, response); err != nil {
		t.Fatal(err)
	}
	for name, allow := range map[string][]mfa.Passkey{
		"of another user": {hers},
		"none":            nil,
		// Who can write another's ID into a record cannot answer for it.
		"the same ID with another key": {{ID: others.ID, Data: hers.Data}},
	} {
		silent := b.get(options, func(c *ceremony) { c.handle = nil })
		if _, err := v.VerifyRequest(ada, challenge, allow, silent); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := v.VerifyRequest(ada, challenge, []mfa.Passkey{others}, response); err == nil {
		t.Error("accepted although the response names another user")
	}
	if options, err := v.RequestOptions(ada, challenge, nil); err == nil {
		t.Errorf("options for whatever the browser has: %s", options)
	}
}

// A handle is not required: only discoverable passkeys know theirs.
func TestAResponseNeedNotNameTheUser(t *testing.T) {
	v, a := newVerifier(t, nil), newAuthenticator()
	passkey := must(creation(v, a, ada, nil))
	if _, err := request(v, a, passkey, func(c *ceremony) { c.handle = nil }); err != nil {
		t.Error(err)
	}
}

func TestWhatDoesNotFitIsRefused(t *testing.T) {
	v, a := newVerifier(t, nil), newAuthenticator()
	k := newRS256()
	a.newKey = func() key { return k }
	room := 1200 - 7 - len(coseKey(k))
	for length, ok := range map[int]bool{room: true, room + 1: false} {
		passkey, err := creation(v, a, ada, func(c *ceremony) { c.id = make([]byte, length); c.rawID, c.attested = c.id, c.id })
		if (err == nil) != ok {
			t.Errorf("an ID of %d bytes: %v", length, err)
		}
		if size := len(passkey.ID) + len(passkey.Data); ok && size != 1200 {
			t.Errorf("it takes %d bytes", size)
		}
	}
}

func TestSizesOfRSAKeys(t *testing.T) {
	v, a := newVerifier(t, nil), newAuthenticator()
	for bits, ok := range map[int]bool{1024: false, 2047: false, 2048: true, 4096: true, 4097: false} {
		modulus := new(big.Int).SetBit(big.NewInt(1), bits-1, 1).Bytes()
		_, err := creation(v, a, ada, func(c *ceremony) {
			c.cose = cbor([]pair{{1, 3}, {3, rs256}, {-1, modulus}, {-2, []byte{1, 0, 1}}})
		})
		if (err == nil) != ok {
			t.Errorf("%d bits: %v", bits, err)
		}
	}
}

func TestDamagedPasskeysAreRefused(t *testing.T) {
	v, a := newVerifier(t, nil), newAuthenticator()
	good := must(creation(v, a, ada, nil))
	response := a.get(must(v.RequestOptions(ada, challenge, []mfa.Passkey{good})), nil)
	changed := func(at int, to byte) []byte {
		data := bytes.Clone(good.Data)
		data[at] = to
		return data
	}
	for name, passkey := range map[string]mfa.Passkey{
		"no ID":                  {Data: good.Data},
		"no data":                {ID: good.ID},
		"another version":        {ID: good.ID, Data: changed(0, 2)},
		"unknown flags":          {ID: good.ID, Data: changed(1, 2)},
		"unknown transports":     {ID: good.ID, Data: changed(2, 1<<6)},
		"no key":                 {ID: good.ID, Data: good.Data[:7]},
		"half a key":             {ID: good.ID, Data: good.Data[:40]},
		"something behind a key": {ID: good.ID, Data: append(bytes.Clone(good.Data), 0)},
	} {
		if _, err := v.VerifyRequest(ada, challenge, []mfa.Passkey{passkey}, response); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestWhatTheEngineMustPass(t *testing.T) {
	v, a := newVerifier(t, nil), newAuthenticator()
	allow := []mfa.Passkey{must(creation(v, a, ada, nil))}
	for name, test := range map[string]struct {
		user      mfa.PasskeyUser
		challenge []byte
	}{
		"no handle":         {mfa.PasskeyUser{}, challenge},
		"a long handle":     {mfa.PasskeyUser{Handle: make([]byte, 65)}, challenge},
		"no challenge":      {ada, nil},
		"a short challenge": {ada, challenge[:15]},
	} {
		_, err1 := v.CreationOptions(test.user, test.challenge, nil)
		_, err2 := v.VerifyCreation(test.user, test.challenge, a.create(must(v.CreationOptions(ada, challenge, nil)), func(c *ceremony) { c.challenge = base64url(test.challenge) }))
		_, err3 := v.RequestOptions(test.user, test.challenge, allow)
		_, err4 := v.VerifyRequest(test.user, test.challenge, allow, a.get(must(v.RequestOptions(ada, challenge, allow)), func(c *ceremony) { c.challenge, c.handle = base64url(test.challenge), nil }))
		if err1 == nil || err2 == nil || err3 == nil || err4 == nil {
			t.Errorf("%s: %v, %v, %v, %v", name, err1, err2, err3, err4)
		}
	}
}

func TestAVerifierIsSafeForConcurrentUse(t *testing.T) {
	v := newVerifier(t, nil)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			a := newAuthenticator()
			passkey, err := creation(v, a, ada, nil)
			if err == nil {
				_, err = request(v, a, passkey, nil)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
}
