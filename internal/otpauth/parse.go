package otpauth

import (
	"errors"
	"net/url"
	"strconv"
	"strings"

	"github.com/pquerna/otp"

	"github.com/protekt/mfa/internal/totp"
)

// maxInput bounds what Parse reads, in bytes.
const maxInput = 4 << 10

// Parse decodes the key in an otpauth URI. Its errors quote nothing of the URI.
func Parse(uri string) (totp.Key, error) {
	refuse := func(why string) (totp.Key, error) { return totp.Key{}, errors.New("the URI " + why) }
	if len(uri) > maxInput {
		return refuse("is too long")
	}
	read, err := otp.NewKeyFromURL(uri)
	if scheme, _, _ := strings.Cut(uri, ":"); err != nil || !strings.EqualFold(strings.TrimSpace(scheme), "otpauth") {
		return refuse("is not an otpauth URI")
	}
	if !strings.EqualFold(read.Type(), "totp") {
		return refuse("is not of type totp")
	}
	withoutFragment, _, _ := strings.Cut(read.String(), "#")
	_, rawQuery, _ := strings.Cut(withoutFragment, "?")
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return refuse("is malformed")
	}
	for _, values := range query {
		if len(values) > 1 {
			return refuse("has a parameter twice")
		}
	}
	// The library replaces what it cannot read with the default.
	for name, understood := range map[string]string{
		"algorithm": read.Algorithm().String(),
		"digits":    read.Digits().String(),
		"period":    strconv.FormatUint(read.Period(), 10),
		"encoder":   string(read.Encoder()),
	} {
		if query.Has(name) && !strings.EqualFold(query.Get(name), understood) {
			return refuse("has an unknown " + name)
		}
	}
	key := totp.Key{
		Secret:    parseSecret(read.Secret()),
		Algorithm: algorithm(read.Algorithm()),
		Digits:    read.Digits().Length(),
		Period:    int64(min(read.Period(), 1<<31)),
	}
	if read.Encoder() != otp.EncoderDefault || !key.Valid() {
		return refuse("has a key out of bounds: 10 to 64 bytes of base32, SHA1, SHA256 or SHA512, 6 to 8 digits, 1 to 120 seconds")
	}
	return key, nil
}

// algorithm returns 0 for one that no key can have.
func algorithm(a otp.Algorithm) totp.Algorithm {
	switch a {
	case otp.AlgorithmSHA1:
		return totp.SHA1
	case otp.AlgorithmSHA256:
		return totp.SHA256
	case otp.AlgorithmSHA512:
		return totp.SHA512
	}
	return 0
}

// parseSecret decodes base32 in either case, padded or not. It returns nil
// where the same secret could be spelled in another way (RFC 4648 §3.5).
func parseSecret(text string) []byte {
	text = strings.ToUpper(strings.TrimRight(text, "="))
	secret, err := base32NoPadding.DecodeString(text)
	if err != nil || base32NoPadding.EncodeToString(secret) != text {
		return nil
	}
	return secret
}
