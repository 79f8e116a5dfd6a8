package webauthn_test

import (
	"testing"

	"github.com/protekt/mfa"
)

func BenchmarkVerifyRequest(b *testing.B) {
	for _, test := range []struct {
		name   string
		newKey func() key
	}{{"ES256", newES256}, {"EdDSA", newEdDSA}, {"RS256", newRS256}} {
		b.Run(test.name, func(b *testing.B) {
			v, a := newVerifier(b, nil), newAuthenticator()
			a.newKey = test.newKey
			passkey := must(creation(v, a, ada, nil))
			allow := []mfa.Passkey{passkey}
			response := a.get(must(v.RequestOptions(ada, challenge, allow)), nil)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.VerifyRequest(ada, challenge, allow, response); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(passkey.ID)+len(passkey.Data)), "B/passkey")
		})
	}
}

func BenchmarkVerifyCreation(b *testing.B) {
	v, a := newVerifier(b, nil), newAuthenticator()
	response := a.create(must(v.CreationOptions(ada, challenge, nil)), nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.VerifyCreation(ada, challenge, response); err != nil {
			b.Fatal(err)
		}
	}
}
