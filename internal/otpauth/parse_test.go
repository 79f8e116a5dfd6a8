package otpauth

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/protekt/mfa/internal/totp"
)

var algorithms = map[string]totp.Algorithm{
	"": totp.SHA1, "sha1": totp.SHA1, "hmacsha1": totp.SHA1, "sha256": totp.SHA256, "hmacsha256": totp.SHA256, "sha512": totp.SHA512, "hmacsha512": totp.SHA512,
}

// compact drops what may be between the symbols of a secret, or of the name of an
// algorithm.
func compact(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.White_Space, unicode.Dash) {
			return -1
		}
		return r
	}, text)
}

// decoded returns the whole bytes of text in base32, read bit by bit.
func decoded(t *testing.T, text string) string {
	t.Helper()
	var secret []byte
	bits, n := 0, 0
	for _, symbol := range []byte(strings.TrimRight(compact(text), "=")) {
		value := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", symbol)
		if value < 0 {
			value = strings.IndexByte("abcdefghijklmnopqrstuvwxyz", symbol)
		}
		if value < 0 {
			t.Fatalf("a secret with %q in it is accepted", symbol)
		}
		if bits, n = bits<<5|value, n+5; n >= 8 {
			secret, n = append(secret, byte(bits>>(n-8))), n-8
		}
		bits &= 0xff
	}
	if n >= 5 {
		t.Fatalf("a secret with a symbol too many is accepted: %q", text)
	}
	return string(secret)
}

// FuzzParse: a URI that is accepted means what any reader of URIs would see in
// it, a secret alone what its symbols say, and the key can be written out and
// read again.
func FuzzParse(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		key, err := Parse(text)
		if err != nil {
			if key.Secret != nil {
				t.Fatalf("refused with %v, and yet: %+v", err, key)
			}
			if len(text) >= 12 && strings.Contains(err.Error(), text) {
				t.Fatalf("the error quotes the key: %v", err)
			}
			if read, parseErr := url.Parse(text); parseErr == nil {
				if secret := read.Query().Get("secret"); len(secret) >= 8 && strings.Contains(err.Error(), secret) {
					t.Fatalf("the error quotes the secret: %v", err)
				}
			}
			return
		}
		if len(text) > maxInput || !key.Valid() {
			t.Fatalf("%d bytes are read as %+v", len(text), key)
		}
		secret, query := text, url.Values{}
		if strings.Contains(text, ":") {
			read, err := url.Parse(strings.TrimSpace(text))
			if err != nil {
				t.Fatalf("accepted, but %v", err)
			}
			if !strings.EqualFold(read.Scheme, "otpauth") || !strings.EqualFold(read.Host, "totp") {
				t.Fatalf("of scheme %q and type %q", read.Scheme, read.Host)
			}
			if query, err = url.ParseQuery(read.RawQuery); err != nil {
				t.Fatalf("accepted, but %v", err)
			}
			secret = query.Get("secret")
		}
		for name, values := range query {
			if len(values) > 1 {
				t.Fatalf("%s is there %d times", name, len(values))
			}
			if lower := strings.ToLower(name); lower == "interval" || lower != name && slices.Contains([]string{"secret", "algorithm", "digits", "period", "encoder"}, lower) {
				t.Fatalf("%q is overlooked", name)
			}
		}
		if string(key.Secret) != decoded(t, secret) {
			t.Fatalf("the secret of %q is read as %x", text, key.Secret)
		}
		if algorithm, known := algorithms[strings.ToLower(compact(query.Get("algorithm")))]; !known || algorithm != key.Algorithm {
			t.Fatalf("the algorithm is %q, read as %d", query.Get("algorithm"), key.Algorithm)
		}
		if digits := query.Get("digits"); digits != strconv.Itoa(key.Digits) && (digits != "" || key.Digits != 6) {
			t.Fatalf("the digits are %q, read as %d", digits, key.Digits)
		}
		if period := query.Get("period"); period != strconv.FormatInt(key.Period, 10) && (period != "" || key.Period != 30) {
			t.Fatalf("the period is %q, read as %d", period, key.Period)
		}
		if encoder := query.Get("encoder"); encoder != "" {
			t.Fatalf("the encoder %q is overlooked", encoder)
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

// TestAlgorithms: as other systems write them, and nothing that is only like it.
func TestAlgorithms(t *testing.T) {
	for _, name := range []string{"SHA1", "sha1", "SHA-1", "HmacSHA1", "HMAC-SHA-1", "hmac-sha1", " SHA 1 ", ""} {
		if got := algorithm(name); got != totp.SHA1 {
			t.Errorf("%q is read as %d", name, got)
		}
	}
	for _, name := range []string{"SHA256", "sha-256", "SHA\u2010256", "HmacSHA256"} {
		if got := algorithm(name); got != totp.SHA256 {
			t.Errorf("%q is read as %d", name, got)
		}
	}
	for _, name := range []string{"SHA512", "Sha-512", "HMACSHA512", "hmac-sha-512"} {
		if got := algorithm(name); got != totp.SHA512 {
			t.Errorf("%q is read as %d", name, got)
		}
	}
	for _, name := range []string{"MD5", "HMAC", "SHA", "SHA2", "SHA224", "SHA384", "SHA3-256", "SHA-512/256", "HMACHMACSHA1", "SHA10", "\u017fHA1", "ＳＨＡ１", "1"} {
		if got := algorithm(name); got != 0 {
			t.Errorf("%q is read as %d", name, got)
		}
	}
}
