// Package otpauth writes and reads key URIs, the format in which authenticator
// apps exchange keys, and draws them as QR codes.
package otpauth

import (
	"encoding/base32"
	"errors"
	"strconv"
	"strings"

	"github.com/protekt/mfa/internal/totp"
)

// MaxURI is the length in bytes up to which a URI makes a code that scans from
// a screen: of three pixels a module at least, within 400.
const MaxURI = 600

// base32NoPadding is the encoding that apps expect of a secret (RFC 4648 §6).
var base32NoPadding = base32.StdEncoding.WithPadding(base32.NoPadding)

// Secret encodes a key's secret for typing by hand.
func Secret(key totp.Key) string { return base32NoPadding.EncodeToString(key.Secret) }

// URI encodes a key as an otpauth URI. It leaves out parameters that have their
// default values: a smaller code scans better.
func URI(issuer, account string, key totp.Key) (string, error) {
	issuer, account = Escape(issuer), Escape(account)
	uri := "otpauth://totp/" + issuer + ":" + account + "?secret=" + Secret(key) + "&issuer=" + issuer
	switch key.Algorithm {
	case totp.SHA256:
		uri += "&algorithm=SHA256"
	case totp.SHA512:
		uri += "&algorithm=SHA512"
	}
	if key.Digits != 6 {
		uri += "&digits=" + strconv.Itoa(key.Digits)
	}
	if key.Period != 30 {
		uri += "&period=" + strconv.FormatInt(key.Period, 10)
	}
	if len(uri) > MaxURI {
		return "", errors.New("the account name is too long for a QR code")
	}
	return uri, nil
}

// Escape percent-encodes every character outside the unreserved set of RFC 3986
// §2.3, '@' excepted, which no part of the URI needs encoded. A space becomes
// %20: apps show '+' as it is.
func Escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~@", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}
