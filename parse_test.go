package mfa

import (
	"encoding/base32"
	"errors"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// The functions that read what people type and other systems export. They are
// tested from inside, since the public API does not tell what was read.

// FuzzParseKeyURI: a URI that is accepted means what any reader of URIs would
// see in it, and the key in it can be written out and read again.
func FuzzParseKeyURI(f *testing.F) {
	f.Fuzz(func(t *testing.T, uri string) {
		key, err := parseKeyURI(uri)
		if err != nil {
			if !errors.Is(err, ErrInvalidInput) || key.Secret != nil {
				t.Fatalf("refused with %v, and yet: %+v", err, key)
			}
			if read, parseErr := url.Parse(uri); parseErr == nil {
				if secret := read.Query().Get("secret"); len(secret) >= 8 && strings.Contains(err.Error(), secret) {
					t.Fatalf("the error quotes the secret: %v", err)
				}
			}
			return
		}
		if len(uri) > maxURI || !key.Valid() {
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
		if algorithm := Algorithm(strings.ToUpper(parameter("algorithm", "SHA1"))); algorithm.number() != key.Algorithm {
			t.Fatalf("the algorithm is %q, read as %d", algorithm, key.Algorithm)
		}
		if digits := parameter("digits", "6"); digits != strconv.Itoa(key.Digits) {
			t.Fatalf("the digits are %q, read as %d", digits, key.Digits)
		}
		if period := parameter("period", "30"); period != strconv.FormatInt(key.Period, 10) {
			t.Fatalf("the period is %q, read as %d", period, key.Period)
		}
		written, err := keyURI("Issuer", "account", key)
		if err != nil {
			t.Fatalf("cannot be written out: %v", err)
		}
		again, err := parseKeyURI(written)
		if err != nil || string(again.Secret) != string(key.Secret) || again.Algorithm != key.Algorithm || again.Digits != key.Digits || again.Period != key.Period {
			t.Fatalf("%+v, written out, is read as %+v (%v)", key, again, err)
		}
	})
}

var e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// FuzzParsePhone: a number that is accepted is in E.164 form, holds the digits
// that were typed and no others, and stays as it is when it is read again.
func FuzzParsePhone(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		phone, err := parsePhone(text)
		if err != nil {
			if !errors.Is(err, ErrInvalidPhone) || phone != "" {
				t.Fatalf("refused with %v, and yet: %q", err, phone)
			}
			return
		}
		if len(text) > maxPhoneInput || !e164.MatchString(phone) {
			t.Fatalf("%q is read as %q", text, phone)
		}
		if typed := onlyDigits(text); "+"+typed != phone || strings.Count(text, "+") != 1 {
			t.Fatalf("%q has the digits %q, but is read as %q", text, typed, phone)
		}
		for _, r := range text {
			if unicode.IsLetter(r) || r > unicode.MaxASCII && unicode.IsDigit(r) || r == utf8.RuneError {
				t.Fatalf("%q holds %q, and is read as %q", text, r, phone)
			}
		}
		if again, err := parsePhone(phone); err != nil || again != phone {
			t.Fatalf("%q is read again as %q (%v)", phone, again, err)
		}
		if mask := maskPhone(phone); len(mask) != 11 || len(onlyDigits(mask)) > 5 {
			t.Fatalf("%q is masked as %q", phone, mask)
		}
	})
}

// FuzzParseCode: what is taken for a one-time code is the ASCII digits that
// were typed, with nothing but white space and dashes between; everything else
// has a letter or is no code.
func FuzzParseCode(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		digits, letters := parseCode(text)
		// Each broken byte becomes U+FFFD, which has three.
		if len(digits)+len(letters) > 3*len(text) {
			t.Fatalf("%d bytes became %d", len(text), len(digits)+len(letters))
		}
		switch {
		case digits != "" && letters != "":
			t.Fatalf("%q is both %q and %q", text, digits, letters)
		case digits != "":
			rest := strings.Map(func(r rune) rune {
				if '0' <= r && r <= '9' || unicode.IsSpace(r) || unicode.Is(unicode.Dash, r) {
					return -1
				}
				return r
			}, text)
			if digits != onlyDigits(text) || rest != "" {
				t.Fatalf("%q is read as %q, with %q left", text, digits, rest)
			}
		case letters != "":
			if !strings.ContainsFunc(text, unicode.IsLetter) || onlyDigits(letters) != onlyDigits(text) {
				t.Fatalf("%q is read as %q", text, letters)
			}
		}
		if digits == "" && letters == "" {
			return
		}
		if d, l := parseCode(digits + letters); d != digits || l != letters {
			t.Fatalf("%q and %q are read again as %q and %q", digits, letters, d, l)
		}
	})
}

// FuzzParseBackupCode: what is accepted is symbols of the alphabet in whole
// groups; written as the engine writes codes, it is the same code, and none
// that could be taken for a one-time code.
func FuzzParseBackupCode(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		symbols, ok := parseBackupCode(text)
		if len(symbols) > 3*len(text) {
			t.Fatalf("%d bytes became %d", len(text), len(symbols))
		}
		if !ok {
			return
		}
		if strings.Trim(symbols, backupAlphabet) != "" || len(symbols) < 8 || len(symbols) > 32 || len(symbols)%backupGroup != 0 {
			t.Fatalf("%q is read as %q", text, symbols)
		}
		var groups []string
		for i := 0; i < len(symbols); i += backupGroup {
			groups = append(groups, symbols[i:i+backupGroup])
		}
		written := strings.Join(groups, "-")
		for _, spelling := range []string{written, strings.ToUpper(written), strings.Join(groups, " "), symbols} {
			digits, letters := parseCode(spelling)
			again, ok := parseBackupCode(letters)
			if digits != "" || !ok || again != symbols {
				t.Fatalf("%q is read again as %q, %q (%v)", spelling, digits, again, ok)
			}
		}
	})
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, s)
}
