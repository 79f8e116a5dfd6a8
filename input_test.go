package mfa

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// The functions that read what people type are tested from inside, since the
// public API does not show what was read.

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
		if len(text) > maxPhone || !e164.MatchString(phone) {
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
