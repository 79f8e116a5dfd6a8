package world

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strings"
)

// Logged is how slog shows a value, as text and as JSON.
func Logged(key string, value any) string {
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("", key, value)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("", key, value)
	return b.String()
}

// What fmt shows of a value with each verb that asks the value first; %p of
// what is no pointer does not, and go vet finds that. Inside another value the
// verbs of errors and strings do.
const (
	Verbs       = "vsqxXdtTbcoOUeEfFgG"
	VerbsInside = "vsqxXd"
)

// Printed is what fmt shows of a value with each of the verbs and each flag.
func Printed(value any, verbs string) string {
	var b strings.Builder
	for _, verb := range verbs {
		for _, flag := range []string{"", "+", "#", " ", "0", "-", "10.5"} {
			fmt.Fprintf(&b, "%"+flag+string(verb)+" ", value)
		}
	}
	return b.String() + fmt.Sprintln(value)
}

// Spellings are the forms in which a secret could be stored or shown by
// mistake.
func Spellings(secret string) [][]byte {
	forms := [][]byte{
		[]byte(secret), []byte(strings.ToUpper(secret)), []byte(strings.ReplaceAll(secret, "-", "")),
		[]byte(hex.EncodeToString([]byte(secret))), []byte(strings.ToUpper(hex.EncodeToString([]byte(secret)))),
	}
	for shift := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat(" ", shift) + secret))
		forms = append(forms, []byte(encoded[(shift*8+5)/6:len(encoded)-1]))
	}
	if raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(secret); err == nil && len(raw) >= 10 {
		forms = append(forms, raw, []byte(hex.EncodeToString(raw)), []byte(base64.StdEncoding.EncodeToString(raw)))
	}
	return forms
}
