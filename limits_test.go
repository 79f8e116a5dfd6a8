package mfa_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

// slack is what a call may allocate whatever it is given, in bytes.
const slack = 4 << 10

// TestLongInputIsRefusedBeforeAnyWork: what is longer than it may be is not
// looked at, whether by a byte or by a megabyte.
func TestLongInputIsRefusedBeforeAnyWork(t *testing.T) {
	store := &world.CountingStore{Store: mfa.NewMemoryStore()}
	w := world.New(t, func(c *mfa.Config) { c.Store = store; c.OnEvent = nil })
	_, login := w.GiveTOTP("ada")
	token := w.Begin("ada").Token
	stepUp, err := w.BeginStepUp(w.Ctx, "ada", "pay")
	world.OK(t, err)
	const uri = "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP&x="
	for name, test := range map[string]struct {
		limit int
		fits  string // something as long as it may be, which is looked at; "" where nothing of that length is
		call  func(text string) error
		want  error
	}{
		"a code": {256, "123456" + strings.Repeat(" ", 250), func(text string) error { _, err := w.VerifyLogin(w.Ctx, token, text); return err }, mfa.ErrInvalidCode},
		"a step-up's code": {256, "123456" + strings.Repeat(" ", 250), func(text string) error {
			_, err := w.VerifyStepUp(w.Ctx, stepUp.Token, "pay", text)
			return err
		}, mfa.ErrInvalidCode},
		"an enrollment's code": {256, "123456" + strings.Repeat(" ", 250), func(text string) error {
			_, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, text)
			return err
		}, mfa.ErrInvalidCode},
		"a login's token":       {1 << 10, "", func(text string) error { _, err := w.VerifyLogin(w.Ctx, text, "123456"); return err }, mfa.ErrInvalidToken},
		"a message's token":     {1 << 10, "", func(text string) error { _, err := w.SendCode(w.Ctx, text); return err }, mfa.ErrInvalidToken},
		"an enrollment's token": {1 << 10, "", func(text string) error { _, err := w.EnrollmentUser(w.Ctx, text); return err }, mfa.ErrInvalidToken},
		"a user ID":             {255, strings.Repeat("1", 255), func(text string) error { _, err := w.Status(w.Ctx, text); return err }, mfa.ErrInvalidUser},
		"an account name": {255, strings.Repeat("1", 255), func(text string) error {
			_, err := w.EnrollTOTP(w.Ctx, "ada", text, mfa.WithProof(login.Proof))
			return err
		}, mfa.ErrInvalidInput},
		"an action":      {64, strings.Repeat("1", 64), func(text string) error { _, err := w.BeginStepUp(w.Ctx, "ada", text); return err }, mfa.ErrInvalidInput},
		"a phone number": {256, "+" + strings.Repeat(" ", 240) + "123456789012345", func(text string) error { return w.ImportSMS(w.Ctx, "bob", text) }, mfa.ErrInvalidPhone},
		"a secret":       {4 << 10, "JBSWY3DPEHPK3PXP" + strings.Repeat(" ", 4<<10-16), func(text string) error { return w.ImportTOTP(w.Ctx, "bob", text) }, mfa.ErrInvalidInput},
		"a key URI":      {4 << 10, uri + strings.Repeat("x", 4<<10-len(uri)), func(text string) error { return w.ImportTOTP(w.Ctx, "bob", text) }, mfa.ErrInvalidInput},
	} {
		if test.fits != "" {
			store.Loads = 0
			if test.call(test.fits); store.Loads == 0 {
				t.Errorf("%s of %d bytes is not looked at", name, len(test.fits))
			}
		}
		for _, n := range []int{test.limit + 1, 1 << 20} {
			long := test.fits + strings.Repeat(" ", n-len(test.fits)) // dropped where it is read
			if test.fits == "" {
				long = "mfa_tmp_" + strings.Repeat("A", n-8)
			}
			store.Loads, store.Saves = 0, 0
			world.WantErr(t, test.call(long), test.want)
			if size := allocated(func() { test.call(long) }); size > slack || store.Loads+store.Saves > 0 {
				t.Errorf("%s of %d bytes takes %d bytes and %d calls of the store to refuse", name, n, size, store.Loads+store.Saves)
			}
		}
	}

	// Of a code, what is left of it counts too.
	store.Loads = 0
	_, err = w.VerifyLogin(w.Ctx, token, strings.Repeat("1", 65))
	world.WantErr(t, err, mfa.ErrInvalidCode)
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, strings.Repeat("١", 65))
	world.WantErr(t, err, mfa.ErrInvalidCode)
	if store.Loads > 0 {
		t.Errorf("a code of 65 digits takes %d loads to refuse", store.Loads)
	}

	// Options are refused by being worth nothing.
	long := "mfa_prf_" + strings.Repeat("A", 1<<20)
	w.Begin("ada", mfa.WithTrustedDevice(login.Proof))
	least := allocated(func() { w.Begin("ada", mfa.WithTrustedDevice(login.Proof)) })
	if size := allocated(func() { w.Begin("ada", mfa.WithTrustedDevice(long)) }); size > least+slack {
		t.Errorf("a device's token of a megabyte takes %d bytes, a short one %d", size, least)
	}
	if size := allocated(func() { w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP, mfa.WithProof(long)) }); size > 2*least+slack {
		t.Errorf("a proof of a megabyte takes %d bytes", size)
	}
}

// TestReadingTakesMemoryInProportion: twice the input takes at most about twice
// the memory, whatever it is full of.
func TestReadingTakesMemoryInProportion(t *testing.T) {
	w := world.New(t, func(c *mfa.Config) { c.OnEvent = nil })
	w.GiveTOTP("ada")
	token := w.Begin("ada").Token
	frozen := w.Another(func(c *mfa.Config) { c.Store = frozenStore{w.Store} })
	for name, test := range map[string]struct {
		limit int
		call  func(text string)
		units map[string]string // of which the input is made
	}{
		"a key URI": {4 << 10, func(text string) { frozen.ImportTOTP(w.Ctx, "bob", "otpauth://totp/x?"+text) }, map[string]string{
			"parameters": "a&", "one parameter again": "a=b&", "escapes": "%41", "broken escapes": "%", "pluses": "+", "slashes": "/", "fragments": "#", "broken bytes": "\xff",
		}},
		"a secret": {4 << 10, func(text string) { frozen.ImportTOTP(w.Ctx, "bob", text) }, map[string]string{
			"symbols": "A", "spaces": "A ", "padding": "=", "wide letters": "Ａ", "broken bytes": "\xff",
		}},
		"a phone number": {256, func(text string) { frozen.ImportSMS(w.Ctx, "bob", text) }, map[string]string{
			"digits": "1", "fillers": "( ", "wide digits": "１", "broken bytes": "\xff",
		}},
		"a code": {256, func(text string) { frozen.VerifyLogin(w.Ctx, token, text) }, map[string]string{
			"digits": "1 ", "letters": "a-", "wide digits": "１", "no-break spaces": "\u00a0", "broken bytes": "\xff", "broken bytes and letters": "a\xff",
		}},
	} {
		for unit, text := range test.units {
			fill := func(n int) string { return strings.Repeat(text, n/len(text)) }
			half := allocated(func() { test.call(fill(test.limit / 2)) })
			whole := allocated(func() { test.call(fill(test.limit - 32)) })
			if whole > 3*half+slack || whole > uint64(200*test.limit)+slack {
				t.Errorf("%s of %s: %d bytes for half of what it may be, %d for all", name, unit, half, whole)
			}
		}
	}
}

// allocated is how many bytes do takes, given back or not: the least of a few
// runs, since the runtime takes some too.
func allocated(do func()) uint64 {
	least := ^uint64(0)
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		do()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}
