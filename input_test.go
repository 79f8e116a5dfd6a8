package mfa_test

import (
	"strings"
	"testing"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

func TestAMalformedCodeCostsNothing(t *testing.T) {
	w := world.New(t)
	a, _ := w.GiveTOTP("ada")
	w.CheapBackupCodes("ada")
	challenge := w.Begin("ada")
	w.Told()
	for _, code := range []string{"", " ", "-", "\x00", "+123456", "12.3456", "１２３４５６", "٠١٢٣٤٥", "\u200b123456", "?", strings.Repeat("1", 65), strings.Repeat("a", 1<<20), "\xff\xff"} {
		_, err := w.VerifyLogin(w.Ctx, challenge.Token, code)
		world.WantErr(t, err, mfa.ErrInvalidCode)
	}
	w.WantTold()
	_, err := w.VerifyLogin(w.Ctx, challenge.Token, "12345") // a wrong length is a try
	world.WantTries(t, err, 4)
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, "")
	world.WantTries(t, err, 4)
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, a.Shows())
	world.OK(t, err)
}

func TestAMalformedCodeCostsAnEnrollmentNothing(t *testing.T) {
	w := world.New(t)
	enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "a")
	world.OK(t, err)
	for _, code := range []string{"", " ", "abc123", "１２３４５６", "+12345", strings.Repeat("1", 65)} {
		_, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, code)
		world.WantErr(t, err, mfa.ErrInvalidCode)
	}
	for left := 4; left >= 3; left-- { // digits of a wrong length are a try
		_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, "12345")
		world.WantTries(t, err, left)
	}
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, w.Scan(enrollment.URI).Shows())
	world.OK(t, err)
}
