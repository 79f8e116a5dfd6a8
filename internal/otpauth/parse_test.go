package otpauth

import (
	"encoding/base32"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/protekt/mfa/internal/totp"
)

var algorithms = map[string]totp.Algorithm{"SHA1": totp.SHA1, "SHA256": totp.SHA256, "SHA512": totp.SHA512}

// FuzzParseKeyURI: a URI that is accepted means what any reader of URIs would
// see in it, and the key in it can be written out and read again.
func FuzzParseKeyURI(f *testing.F) {
	f.Fuzz(func(t *testing.T, uri string) {
		key, err := Parse(uri)
		if err != nil {
			if key.Secret != nil {
				t.Fatalf("refused with %v, and yet: %+v", err, key)
			}
			if read, parseErr := url.Parse(uri); parseErr == nil {
				if secret := read.Query().Get("secret"); len(secret) >= 8 && strings.Contains(err.Error(), secret) {
					t.Fatalf("the error quotes the secret: %v", err)
				}
			}
			return
		}
		if len(uri) > maxInput || !key.Valid() {
			t.Fatalf("%d bytes are read as %+v", len(uri), key)
		}
		read, err := url.Parse(strings.TrimSpace(uri))
		if err != nil {
			t.Fatalf("accepted, but %v", err)
		}
		if !strings.EqualFold(read.Scheme, "otpauth") || !strings.EqualFold(read.Host, "totp") {
			t.Fatalf("of scheme %q and type %q", read.Scheme, read.Host)
		}
		parameter := func(name, otherwise string) string {
			if values := read.Query()[name]; len(values) > 1 {
				t.Fatalf("%s is there %d times", name, len(values))
			} else if len(values) == 1 {
				return values[0]
			}
			return otherwise
		}
		for name := range read.Query() {
			parameter(name, "")
		}
		secret, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(strings.ToUpper(strings.TrimRight(parameter("secret", ""), "=")))
		if err != nil || string(secret) != string(key.Secret) {
			t.Fatalf("the secret is %x, read as %x (%v)", secret, key.Secret, err)
		}
		if algorithm := strings.ToUpper(parameter("algorithm", "SHA1")); algorithms[algorithm] != key.Algorithm {
			t.Fatalf("the algorithm is %q, read as %d", algorithm, key.Algorithm)
		}
		if digits := parameter("digits", "6"); digits != strconv.Itoa(key.Digits) {
			t.Fatalf("the digits are %q, read as %d", digits, key.Digits)
		}
		if period := parameter("period", "30"); period != strconv.FormatInt(key.Period, 10) {
			t.Fatalf("the period is %q, read as %d", period, key.Period)
		}
		written, err := URI("Issuer", "account", key)
		if err != nil {
			t.Fatalf("cannot be written out: %v", err)
		}
		again, err := Parse(written)
		if err != nil || string(again.Secret) != string(key.Secret) || again.Algorithm != key.Algorithm || again.Digits != key.Digits || again.Period != key.Period {
			t.Fatalf("%+v, written out, is read as %+v (%v)", key, again, err)
		}
	})
}
