package world

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Logged returns how slog logs a value, as text and as JSON, without the time of the
// log line: it differs each time, and its digits could be taken for a code.
func Logged(key string, value any) string {
	options := &slog.HandlerOptions{ReplaceAttr: func(groups []string, attr slog.Attr) slog.Attr {
		if attr.Key == slog.TimeKey && len(groups) == 0 {
			return slog.Attr{}
		}
		return attr
	}}
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, options)).Info("", key, value)
	slog.New(slog.NewJSONHandler(&b, options)).Info("", key, value)
	return b.String()
}

// Verbs are the verbs for which fmt calls the methods of a value; it does not for
// %p of a value that is no pointer, which go vet finds. VerbsInside are those for
// which it calls the methods of a value inside another: the verbs of errors and
// strings.
const (
	Verbs       = "vsqxXdtTbcoOUeEfFgG"
	VerbsInside = "vsqxXd"
)

// Printed returns a value as fmt prints it with each of the verbs and each flag,
// each of these texts once.
func Printed(value any, verbs string) string {
	texts := map[string]bool{fmt.Sprintln(value): true}
	for _, verb := range verbs {
		for _, flag := range []string{"", "+", "#", " ", "0", "-", "10.5"} {
			texts[fmt.Sprintf("%"+flag+string(verb)+" ", value)] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(texts)), "")
}

// Spellings returns the forms in which a secret could be stored or shown by
// mistake.
func Spellings(secret string) [][]byte {
	raw := []byte(secret)
	spaced := fmt.Sprintf("% x", raw)
	forms := []string{
		secret, strings.ToUpper(secret), strings.ReplaceAll(secret, "-", ""), string(reversed(raw)),
		inner(strconv.Quote(secret)), url.QueryEscape(secret),
		hex.EncodeToString(raw), strings.ToUpper(hex.EncodeToString(raw)), spaced, strings.ToUpper(spaced),
		inner(fmt.Sprint(raw)), strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", raw), "[]byte{"), "}"),
	}
	if whole := len(raw) / 5 * 5; whole > 0 {
		forms = append(forms, base32.StdEncoding.EncodeToString(raw[:whole]))
	}
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for shift := range 3 {
			encoded := encoding.EncodeToString([]byte(strings.Repeat(" ", shift) + secret))
			forms = append(forms, encoded[(shift*8+5)/6:len(encoded)-1])
		}
	}
	if key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret); err == nil && len(key) >= 10 {
		forms = append(forms, string(key), hex.EncodeToString(key), base64.StdEncoding.EncodeToString(key), inner(fmt.Sprint(key)))
	}
	spellings := make([][]byte, len(forms))
	for i, form := range forms {
		spellings[i] = []byte(form)
	}
	return spellings
}

// inner returns s without its first and last byte.
func inner(s string) string { return s[1 : len(s)-1] }

func reversed(b []byte) []byte {
	b = bytes.Clone(b)
	slices.Reverse(b)
	return b
}
