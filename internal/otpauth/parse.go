package otpauth

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/pquerna/otp"

	"github.com/protekt/mfa/internal/totp"
)

// maxInput bounds what Parse reads, in bytes.
const maxInput = 4 << 10

// Parse decodes a key as another system kept it: an otpauth URI, or a secret in
// base32 for a key with the default settings. Its errors quote nothing of it.
func Parse(text string) (totp.Key, error) {
	if len(text) > maxInput {
		return totp.Key{}, errors.New("the key is longer than 4 KiB")
	}
	if strings.Contains(text, ":") {
		return parseURI(text)
	}
	secret, err := parseSecret(text)
	if err != nil {
		return totp.Key{}, fmt.Errorf("the key is no otpauth URI, and as a secret: %w", err)
	}
	return totp.Key{Secret: secret, Algorithm: totp.SHA1, Digits: 6, Period: 30}, nil
}

func parseURI(uri string) (totp.Key, error) {
	refuse := func(why string) (totp.Key, error) { return totp.Key{}, errors.New("the URI " + why) }
	read, err := otp.NewKeyFromURL(uri)
	if err != nil {
		return refuse("is malformed")
	}
	if scheme, _, _ := strings.Cut(read.String(), ":"); !strings.EqualFold(scheme, "otpauth") {
		return refuse("is not an otpauth URI")
	}
	if !strings.EqualFold(read.Type(), "totp") {
		return refuse("is of another type than totp")
	}
	query, err := parameters(read)
	if err != nil {
		return totp.Key{}, err
	}
	// The library replaces a value that it cannot read with the default.
	understood := func(name, value string) bool { return query.Get(name) == "" || query.Get(name) == value }
	digits, period := read.Digits().Length(), read.Period()
	key := totp.Key{Algorithm: algorithm(query.Get("algorithm")), Digits: digits, Period: int64(min(period, 1<<31))}
	switch {
	case key.Algorithm == 0:
		return refuse("has another algorithm than SHA1, SHA256 and SHA512")
	case !understood("digits", strconv.Itoa(digits)) || digits < totp.MinDigits || digits > totp.MaxDigits:
		return refuse("has other digits than 6, 7 and 8")
	case !understood("period", strconv.FormatUint(period, 10)) || period < 1 || period > totp.MaxPeriod:
		return refuse("has another period than 1 to 120 whole seconds")
	case query.Get("encoder") != "":
		return refuse("has an encoder: its codes are not decimal digits alone")
	}
	if key.Secret, err = parseSecret(read.Secret()); err != nil {
		return totp.Key{}, err
	}
	return key, nil
}

// parameters returns those of a URI. It refuses a query in which the library
// would overlook something that changes the codes.
func parameters(read *otp.Key) (url.Values, error) {
	withoutFragment, _, _ := strings.Cut(read.String(), "#")
	_, rawQuery, _ := strings.Cut(withoutFragment, "?")
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return nil, errors.New("the URI has a malformed query")
	}
	for name, values := range query {
		if len(values) > 1 {
			return nil, errors.New("the URI has a parameter twice")
		}
		if strings.EqualFold(name, "interval") {
			return nil, errors.New("the URI has an interval, which must be called period")
		}
		for _, known := range []string{"secret", "algorithm", "digits", "period", "encoder"} {
			if name != known && strings.EqualFold(name, known) {
				return nil, fmt.Errorf("the URI has the parameter %s in other letters: it must be in lower case", known)
			}
		}
	}
	return query, nil
}

// algorithm reads a name like SHA1, SHA-1 or HmacSHA1; an empty one is the
// default. It returns 0 for an algorithm that no key can have.
func algorithm(name string) totp.Algorithm {
	switch strings.Map(symbol, name) {
	case "", "SHA1", "HMACSHA1":
		return totp.SHA1
	case "SHA256", "HMACSHA256":
		return totp.SHA256
	case "SHA512", "HMACSHA512":
		return totp.SHA512
	}
	return 0
}

// parseSecret decodes base32 as people keep it: in either case, with spaces and
// dashes, padded or not. Bits left over at the end mean nothing, as to apps.
func parseSecret(text string) ([]byte, error) {
	text = strings.TrimRight(strings.Map(symbol, text), "=")
	secret, err := base32NoPadding.DecodeString(text)
	switch {
	case text == "":
		return nil, errors.New("the secret is missing")
	case err != nil:
		return nil, errors.New("the secret is not base32")
	case base32NoPadding.EncodedLen(len(secret)) != len(text): // of which the decoder drops a part
		return nil, errors.New("the secret is cut off: no bytes have as many symbols in base32")
	case len(secret) < totp.MinSecret:
		return nil, fmt.Errorf("the secret has %d bytes, fewer than %d", len(secret), totp.MinSecret)
	case len(secret) > totp.MaxSecret:
		return nil, fmt.Errorf("the secret has %d bytes, more than %d", len(secret), totp.MaxSecret)
	}
	return secret, nil
}

// symbol returns a character of a secret in upper case, and -1 for those between
// which secrets are grouped. Other letters than those of ASCII stay as they are:
// unicode.ToUpper would turn some into them.
func symbol(r rune) rune {
	switch {
	case unicode.IsSpace(r), unicode.Is(unicode.Dash, r):
		return -1
	case 'a' <= r && r <= 'z':
		return r - 'a' + 'A'
	}
	return r
}
