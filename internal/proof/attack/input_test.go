package attack_test

import (
	"encoding/base32"
	"errors"
	"fmt"
	"math"
	"math/rand"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/pquerna/otp/hotp"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
	"github.com/protekt/mfa/internal/record"
	"github.com/protekt/mfa/internal/totp"
)

// nothings lists inputs that might equal a code that does not exist.
var nothings = []string{"", " ", "      ", "\x00", "\x00\x00\x00\x00\x00\x00", "-", "------", "\u200b", "\ufeff",
	"null", "nil", "undefined", "0", "000000", "00000000", "00000000-", "0000-0000"}

// F01 (CVE-2025-12374, CVE-2023-45292): an empty code or token equals one that
// does not exist.
func TestF01NothingIsNoCode(t *testing.T) {
	appOnly := func(w *world.World) (token, code string) {
		world.OK(t, w.ImportTOTP(w.Ctx, "ada", importedURI))
		return w.Begin("ada").Token, w.Scan(importedURI).Shows()
	}
	bySMS := func(w *world.World) (token, code string) {
		scriptCodes(t, 314159)
		world.OK(t, w.ImportSMS(w.Ctx, "ada", world.Phone))
		token = w.Begin("ada").Token
		return token, w.SentCode(token)
	}
	withCodes := func(w *world.World) (token, code string) {
		world.OK(t, w.ImportTOTP(w.Ctx, "ada", importedURI))
		w.PlantCodes("ada", "7f3k-2m9p")
		return w.Begin("ada").Token, "7f3k-2m9p"
	}
	for _, state := range []struct {
		name string
		have func(w *world.World) (token, code string)                   // a right code
		lose func(w *world.World, token, code string) (challenge string) // ends it
	}{
		{"an app, its code used", appOnly, func(w *world.World, token, code string) string {
			w.VerifyLogin(w.Ctx, token, code)
			return w.Begin("ada").Token
		}},
		{"no message sent yet", bySMS, func(w *world.World, _, _ string) string { return w.Begin("ada").Token }},
		{"the message expired", bySMS, func(w *world.World, token, _ string) string {
			w.Clock.Advance(time.Minute)
			return token
		}},
		{"the code by SMS used", bySMS, func(w *world.World, token, code string) string {
			w.VerifyLogin(w.Ctx, token, code)
			return w.Begin("ada").Token
		}},
		{"the message not delivered", bySMS, func(w *world.World, token, _ string) string {
			w.Clock.Advance(30 * time.Second)
			w.Outbox.FailWith(errors.New("down"))
			w.SendCode(w.Ctx, token)
			return token
		}},
		{"a code of zeros in the record", bySMS, func(w *world.World, token, _ string) string {
			w.Tamper("ada", func(u *record.User) { u.Challenges[0].Code.Tag.Sum = [16]byte{} })
			return token
		}},
		{"a code of no key in the record", bySMS, func(w *world.World, token, _ string) string {
			w.Tamper("ada", func(u *record.User) { u.Challenges[0].Code = &record.Code{Expires: w.Clock.Now().Add(time.Minute)} })
			return token
		}},
		{"no backup codes left", withCodes, func(w *world.World, token, code string) string {
			w.VerifyLogin(w.Ctx, token, code)
			return w.Begin("ada").Token
		}},
		{"no set of backup codes", withCodes, func(w *world.World, _, _ string) string {
			w.Tamper("ada", func(u *record.User) { u.BackupCodes = nil })
			return w.Begin("ada").Token
		}},
		{"a backup code of zeros in the record", withCodes, func(w *world.World, token, _ string) string {
			w.Tamper("ada", func(u *record.User) { u.BackupCodes.Hashes[0] = record.BackupHash{} })
			return token
		}},
	} {
		t.Run(state.name, func(t *testing.T) {
			settings := func(c *mfa.Config) { c.SMSCodes.TTL = time.Minute }
			w := world.New(t, settings)
			token, code := state.have(w)
			_, err := w.VerifyLogin(w.Ctx, token, code)
			world.OK(t, err)
			for _, nothing := range append(nothings, code) {
				w := world.New(t, settings)
				token, right := state.have(w)
				token = state.lose(w, token, right)
				if login, err := w.VerifyLogin(w.Ctx, token, nothing); login != nil || !errors.Is(err, mfa.ErrInvalidCode) {
					t.Errorf("%q: %+v, %v", nothing, login, err)
				}
			}
		})
	}

	t.Run("enrollment", func(t *testing.T) {
		w := world.New(t)
		w.GiveSMS("eve", world.Phone2)
		for _, nothing := range nothings {
			for _, method := range []mfa.Method{mfa.MethodTOTP, mfa.MethodSMS} {
				_, err := w.VerifyEnrollment(w.Ctx, "ada", method, nothing)
				world.WantErr(t, err, mfa.ErrNoPendingEnrollment)
			}
			w := world.New(t)
			scriptCodes(t, 314159)
			_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
			world.OK(t, err)
			_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, nothing)
			world.WantErr(t, err, mfa.ErrInvalidCode)
		}
	})

	t.Run("tokens", func(t *testing.T) {
		w := world.New(t)
		ada := w.Given("ada", world.Phone)
		w.Login("ada", ada.Shows())
		for _, nothing := range append(nothings, "mfa_tmp_", "mfa_enr_", "mfa_prf_", "mfa_dev_") {
			_, err := w.VerifyLogin(w.Ctx, nothing, "")
			world.WantErr(t, err, mfa.ErrInvalidToken)
			_, err = w.VerifyStepUp(w.Ctx, "ada", nothing, "", "")
			world.WantErr(t, err, mfa.ErrInvalidToken)
			_, err = w.SendCode(w.Ctx, nothing)
			world.WantErr(t, err, mfa.ErrInvalidToken)
			_, err = w.EnrollmentUser(w.Ctx, nothing)
			world.WantErr(t, err, mfa.ErrInvalidToken)
			_, err = w.TrustDevice(w.Ctx, "ada", nothing, "")
			world.WantErr(t, err, mfa.ErrInvalidToken)
			w.Begin("ada", mfa.WithTrustedDevice(nothing))
			world.Challenged(t, w.Unenroll(w.Ctx, "ada", mfa.MethodTOTP, mfa.WithProof(nothing)))
		}
	})

	t.Run("damaged records", untimed(func(t *testing.T) {
		w := world.New(t)
		world.OK(t, w.ImportTOTP(w.Ctx, "ada", importedURI))
		w.Login("ada", w.Scan(importedURI).Shows())
		w.Clock.Advance(time.Minute)
		token := w.Begin("ada").Token
		refused := func(name string) {
			t.Helper()
			for _, code := range []string{"", "000000", w.Scan(importedURI).Shows()} {
				if login, err := w.VerifyLogin(w.Ctx, token, code); login != nil || mfa.ErrorCode(err) != "internal" {
					t.Errorf("%s, %q: %+v, %v", name, code, login, err)
				}
			}
			if err := w.BeginLogin(w.Ctx, "ada"); mfa.ErrorCode(err) != "internal" {
				t.Errorf("%s: BeginLogin returned %v", name, err)
			}
		}
		whole := w.Opened("ada")
		for n := range whole {
			w.Plant("ada", whole[:n])
			refused(fmt.Sprintf("cut after %d bytes", n))
		}
		w.Plant("ada", append(slices.Clone(whole), 0))
		refused("longer")
		w.Plant("ada", whole)
		for _, secret := range [][]byte{nil, {}, make([]byte, totp.MinSecret-1)} {
			w.Plant("ada", whole)
			w.Tamper("ada", func(u *record.User) { u.TOTP[0].Key.Secret = secret })
			refused(fmt.Sprintf("a secret of %d bytes", len(secret)))
		}
		w.Plant("ada", whole)
		_, err := w.VerifyLogin(w.Ctx, token, w.Scan(importedURI).Shows())
		world.OK(t, err)
	}))
}

// F02: a code is read as a number, a condition or a query.
func TestF02CodesAreStrings(t *testing.T) {
	w := world.New(t)
	world.OK(t, w.ImportTOTP(w.Ctx, "ada", importedURI))
	app := w.Scan(importedURI)
	w.Login("ada", app.Shows())
	w.Clock.Advance(time.Minute)
	code := app.Shows()
	number, err := strconv.Atoi(code)
	world.OK(t, err)
	for _, odd := range []string{
		fmt.Sprintf("%e", float64(number)), fmt.Sprintf("%#x", number), fmt.Sprintf("0b%b", number), fmt.Sprintf("0o%o", number),
		"+" + code, code + ".0", code[:3] + "." + code[3:], code[:3] + "," + code[3:], code[:3] + "_" + code[3:],
		code + "e0", code + "\x00", "\x00" + code, code + ";", code + "%00", "%" + fmt.Sprintf("%x", code[0]) + code[1:],
		`{"code":"` + code + `"}`, "[" + code + "]", "{" + code + "}", `{"$ne":null}`, `{"$gt":""}`, "' OR '1'='1", "1 OR 1", "true", "NaN", "Infinity", "*", ".*", "^[0-9]{6}$",
		code + code, code + "\r\n" + code, code[:5], code[1:], "0" + code, code + "0",
	} {
		token := w.Begin("ada").Token
		if login, err := w.VerifyLogin(w.Ctx, token, odd); login != nil || !errors.Is(err, mfa.ErrInvalidCode) {
			t.Errorf("%q: %+v, %v", odd, login, err)
		}
		world.OK(t, w.Unlock(w.Ctx, "ada"))
	}
	w.Login("ada", code)

	// A user ID is an opaque string, whatever it means elsewhere.
	for _, user := range []string{`{"$ne":null}`, `{"$gt":""}`, "' OR '1'='1", "ada' --", "*", "a*", "%", "_da", "../ada", "ada/", "ada%00", "ada\u0301", "0", "ada;", "ada,bob"} {
		spy := &world.SpyStore{Store: w.Store}
		engine := w.Another(func(c *mfa.Config) { c.Store = spy })
		world.OK(t, engine.BeginLogin(w.Ctx, user))
		world.OK(t, engine.ImportSMS(w.Ctx, user, world.Phone))
		if !slices.Equal(spy.IDs, []string{user}) {
			t.Errorf("%q is stored as %q", user, spy.IDs)
		}
		if got := world.Challenged(t, engine.BeginLogin(w.Ctx, user)).Methods; !slices.Equal(got, []mfa.Method{mfa.MethodSMS}) {
			t.Errorf("%q has the methods %v", user, got)
		}
	}
	if got := w.Enrolled("ada"); !slices.Equal(got, []mfa.Method{mfa.MethodTOTP}) {
		t.Errorf("ada has the methods %v", got)
	}
}

// zeros returns the digit zero of every script, except ASCII's.
func zeros() (zeros []rune) {
	for _, r16 := range unicode.Nd.R16 {
		for zero := rune(r16.Lo); zero <= rune(r16.Hi); zero += 10 {
			zeros = append(zeros, zero)
		}
	}
	for _, r32 := range unicode.Nd.R32 {
		for zero := rune(r32.Lo); zero <= rune(r32.Hi); zero += 10 {
			zeros = append(zeros, zero)
		}
	}
	return slices.DeleteFunc(zeros, func(zero rune) bool { return zero == '0' })
}

// F03: digits of another script make another code of one that is spent, are read
// as the wrong digits, or cause a crash.
func TestF03ForeignDigits(t *testing.T) {
	w := world.New(t)
	world.OK(t, w.ImportTOTP(w.Ctx, "ada", importedURI))
	app := w.Scan(importedURI)
	scripts := zeros()
	if len(scripts) < 60 {
		t.Fatalf("only %d scripts", len(scripts))
	}
	for _, zero := range scripts {
		w.Clock.Advance(step)
		code := app.Shows()
		for _, wrong := range []string{moved(code[:5], zero) + string(zero+('9'-rune(code[5]))), moved(code, zero+1), moved(code, zero-1)} {
			if login, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, wrong); login != nil || !errors.Is(err, mfa.ErrInvalidCode) {
				t.Errorf("%q (%+q) for %s: %+v, %v", wrong, wrong, code, login, err)
			}
		}
		world.OK(t, w.Unlock(w.Ctx, "ada"))
		w.Login("ada", moved(code[:3], zero)+code[3:])
		for _, again := range []string{moved(code, zero), code[:5] + moved(code[5:], zero), code} {
			_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, again)
			world.WantTries(t, err, 5)
		}
	}

	// Characters that only look like digits are not read as digits, and cost nothing.
	w.Clock.Advance(step)
	token, code := w.Begin("ada").Token, app.Shows()
	for _, zero := range "\u2070\u2080\u24ea\u2776\u3007\u3220" { // superscripts, subscripts, circles, ideographs
		_, err := w.VerifyLogin(w.Ctx, token, moved(code, zero))
		world.WantErr(t, err, mfa.ErrInvalidCode)
	}
	_, err := w.VerifyLogin(w.Ctx, token, code)
	world.OK(t, err)

	// Nor are letters that only look like, or fold to, those of a backup code.
	w.PlantCodes("ada", "7f3k-2m9p")
	for _, code := range []string{"7f3\u212a-2m9p", "7ꜰ3k-2m9p", "7f3k-2m9ᵖ", "7ƒ3k-2m9p", "\u0668f3k-2m9p", "7f3k-2m9р"} {
		_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, code)
		world.WantErr(t, err, mfa.ErrInvalidCode)
		world.OK(t, w.Unlock(w.Ctx, "ada"))
	}
	w.Login("ada", "\u0667F３K-２ｍ9Ｐ")
}

// F04: white space, dashes and invisible characters are dropped in one place but
// not in another.
func TestF04OneSpelling(t *testing.T) {
	fillers := []rune("\u00ad\u061c\u180b\u180e\u200b\u200d\u200f\u202a\u202c\u202e\u2060\u2069\ufe00\ufe0f\ufeff\U000e0001\U000e0039\U000e0100\U000e01ef")
	for _, table := range []*unicode.RangeTable{unicode.White_Space, unicode.Dash} {
		for r := rune(0); r <= unicode.MaxRune; r++ {
			if unicode.Is(table, r) {
				fillers = append(fillers, r)
			}
		}
	}
	if len(fillers) < 40 {
		t.Fatalf("only %d fillers", len(fillers))
	}
	spell := func(code string, filler rune) string {
		f := string(filler)
		return f + code[:3] + f + f + code[3:] + f
	}
	for _, filler := range fillers {
		w := world.New(t)
		world.OK(t, w.ImportTOTP(w.Ctx, "ada", importedURI))
		w.PlantCodes("ada", "7f3k2m9p")
		app := w.Scan(importedURI)
		for _, code := range []string{app.Shows(), "7f3k2m9p"} {
			// A spelling is the same code: it is accepted once, which spends the
			// code and all its other spellings.
			if _, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, spell(code, filler)); err != nil {
				t.Errorf("%q: %v", spell(code, filler), err)
			}
			for _, again := range []string{code, spell(code, filler), spell(code, ' '), code + "\n"} {
				if _, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, again); !errors.Is(err, mfa.ErrInvalidCode) {
					t.Errorf("%q after %q: %v", again, spell(code, filler), err)
				}
			}
			world.OK(t, w.Unlock(w.Ctx, "ada"))
		}
		// Wrong codes are counted together, whatever their spelling.
		for _, wrong := range []string{app.Wrong(), spell(app.Wrong(), filler), spell(app.Wrong(), '-'), " " + app.Wrong(), spell(app.Wrong(), filler)} {
			_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, wrong)
			world.WantErr(t, err, mfa.ErrInvalidCode)
		}
		_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, spell(app.Wrong(), filler))
		world.WantThrottled(t, err, time.Second)
	}

	// Characters that only look like these are not dropped.
	w := world.New(t)
	world.OK(t, w.ImportTOTP(w.Ctx, "ada", importedURI))
	code := w.Scan(importedURI).Shows()
	for _, r := range "\x00\x1f\u0301\u20e3\u2800\u3164._/'+#" {
		_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, code[:3]+string(r)+code[3:])
		world.WantErr(t, err, mfa.ErrInvalidCode)
	}
	// Padding counts toward the limit of 256 bytes.
	_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, strings.Repeat(" ", 251)+code)
	world.WantErr(t, err, mfa.ErrInvalidCode)
	w.Login("ada", strings.Repeat(" ", 250)+code)
}

// rfcURI holds the key of the RFCs' test vectors: "12345678901234567890".
const rfcURI = "otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

// F05: leading zeros are lost or added by a conversion to a number.
func TestF05LeadingZeros(t *testing.T) {
	reformed := func(code string) []string {
		forms := []string{strings.TrimLeft(code, "0"), code[1:], "0" + code, "00" + code, code + ".0"}
		if len(code) < 8 {
			forms = append(forms, fmt.Sprintf("%08s", code))
		}
		return forms
	}
	try := func(name, code string, verify func(code string) error) {
		t.Helper()
		for _, form := range reformed(code) {
			if err := verify(form); !errors.Is(err, mfa.ErrInvalidCode) {
				t.Errorf("%s: %s for %s: %v", name, form, code, err)
			}
		}
		if err := verify(code); err != nil {
			t.Errorf("%s: %s: %v", name, code, err)
		}
	}
	for _, test := range []struct {
		uri  string
		at   int64
		code string
	}{
		{rfcURI, 36 * 30, "003784"}, {rfcURI, 44 * 30, "000152"}, {rfcURI, 366 * 30, "000866"},
		{rfcURI + "&digits=8", 1111111109, "07081804"},
	} {
		w := world.New(t)
		w.Clock.Set(time.Unix(test.at, 0))
		world.OK(t, w.ImportTOTP(w.Ctx, "ada", test.uri))
		try("app", test.code, func(code string) error {
			world.OK(t, w.Unlock(w.Ctx, "ada"))
			_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, code)
			return err
		})
	}
	for _, n := range []uint32{0, 7, 42, 99_999, 100_000, 999_999} {
		code := fmt.Sprintf("%06d", n)
		w := world.New(t)
		scriptCodes(t, n, n, n)
		for range 2 { // the second message grants new tries, enough for all forms
			_, err := w.EnrollSMS(w.Ctx, "ada", world.Phone)
			world.OK(t, err)
			w.Clock.Advance(30 * time.Second)
		}
		message := w.Outbox.Messages()[0]
		if message.Code != code || !strings.HasPrefix(message.Body, code+" ") {
			t.Errorf("the message contains %q, %q; want %s", message.Code, message.Body, code)
		}
		forms := reformed(code)
		if n >= 100_000 {
			forms = forms[1:] // there is no zero to strip
		}
		for _, form := range forms[:4] {
			_, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, form)
			world.WantErr(t, err, mfa.ErrInvalidCode)
		}
		_, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodSMS, code)
		world.OK(t, err)
		w.Clock.Advance(30 * time.Second)
		token := w.Begin("ada").Token
		w.SentCode(token)
		for _, form := range forms[:4] {
			_, err := w.VerifyLogin(w.Ctx, token, form)
			world.WantErr(t, err, mfa.ErrInvalidCode)
		}
		_, err = w.VerifyLogin(w.Ctx, token, code)
		world.OK(t, err)
	}
	w := world.New(t)
	world.OK(t, w.ImportTOTP(w.Ctx, "ada", importedURI))
	w.PlantCodes("ada", "0000-000a", "0a00-0000")
	for _, code := range []string{"a", "000a", "0000000a0", "00000000a", "a000-0000", "0a00-000", "a00-0000"} {
		_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, code)
		world.WantErr(t, err, mfa.ErrInvalidCode)
	}
	w.Login("ada", "0000000a")
	w.Login("ada", "0a000000")
}

// perHash is how many bytes one password hash of a backup code allocates.
const perHash = 19 << 20

// allocated returns how many bytes do allocates.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// allocations returns the number of allocations of do, the least of several runs:
// some refill a pool, which the race detector empties at random.
func allocations(do func()) float64 {
	least := math.Inf(1)
	for range 20 {
		least = min(least, testing.AllocsPerRun(1, do))
	}
	return least
}

// F06 (CVE-2018-1000809): a long input, or a backup code, buys work.
func TestF06BoundedWork(t *testing.T) {
	w := world.New(t)
	ada := w.Given("ada", world.Phone)
	_, err := w.EnrollTOTP(w.Ctx, "bob", "bob")
	world.OK(t, err)
	token := w.Begin("ada").Token
	inputs := map[string]func(long string) error{
		"code for login": func(s string) error { _, err := w.VerifyLogin(w.Ctx, token, s); return err },
		"code for step-up": func(s string) error {
			_, err := w.VerifyStepUp(w.Ctx, "ada", token, mfa.ActionManage, s)
			return err
		},
		"code for enrollment": func(s string) error { _, err := w.VerifyEnrollment(w.Ctx, "bob", mfa.MethodTOTP, s); return err },
		"challenge token":     func(s string) error { _, err := w.VerifyLogin(w.Ctx, "mfa_tmp_"+s, "123456"); return err },
		"token to send for":   func(s string) error { _, err := w.SendCode(w.Ctx, "mfa_tmp_"+s); return err },
		"enrollment token":    func(s string) error { _, err := w.EnrollmentUser(w.Ctx, "mfa_enr_"+s); return err },
		"proof":               func(s string) error { _, err := w.TrustDevice(w.Ctx, "ada", "mfa_prf_"+s, ""); return err },
		"trusted device":      func(s string) error { return w.BeginLogin(w.Ctx, "ada", mfa.WithTrustedDevice("mfa_dev_"+s)) },
		"user":                func(s string) error { return w.BeginLogin(w.Ctx, s) },
		"user to enroll":      func(s string) error { _, err := w.EnrollSMS(w.Ctx, s, world.Phone); return err },
		"account":             func(s string) error { _, err := w.EnrollTOTP(w.Ctx, "bob", s); return err },
		"phone":               func(s string) error { _, err := w.EnrollSMS(w.Ctx, "bob", "+"+s); return err },
		"URI":                 func(s string) error { return w.ImportTOTP(w.Ctx, "bob", importedURI+"&x="+s) },
		"action":              func(s string) error { _, err := w.BeginStepUp(w.Ctx, "ada", s); return err },
		"action to answer":    func(s string) error { _, err := w.VerifyStepUp(w.Ctx, "ada", token, s, "123456"); return err },
	}
	letters, digits := strings.Repeat("a", 64<<20), strings.Repeat("1", 64<<20)
	for name, call := range inputs {
		for _, long := range []string{letters, digits} {
			prefix := uint64(0)
			if strings.Contains(name, "token") || name == "proof" || name == "trusted device" || name == "phone" || name == "URI" {
				prefix = uint64(len(long)) + 1<<10 // the test itself allocates this to join the parts
			}
			if err := call(long[:8<<10]); err == nil {
				t.Errorf("%s of 8 KiB is accepted", name)
			}
			small, large := allocated(func() { call(long[:8<<10]) }), allocated(func() { call(long) })
			if large > small+prefix+8<<10 {
				t.Errorf("%s: %d bytes are allocated for 8 KiB, %d for 64 MiB", name, small, large)
			}
		}
		// The number of allocations for wrong input does not grow with its length.
		if short, long := allocations(func() { call(letters[:5<<10]) }), allocations(func() { call(letters[:1<<20]) }); long > short+1 {
			t.Errorf("%s: %v allocations for 5 KiB, %v for 1 MiB", name, short, long)
		}
	}
	w.Login("ada", ada.Shows()) // none of it cost ada a try

	// Judging a backup code costs one hash, however many codes there are. No
	// other input costs a hash.
	hashes := func(do func()) uint64 { return allocated(do) / perHash }
	owasp := record.Argon2{Time: 2, Memory: 19 << 10, Threads: 1}
	for _, left := range []int{0, 1, 10} {
		w.Tamper("ada", func(u *record.User) {
			u.SetBackupCodes([16]byte{}, owasp, make([]record.BackupHash, left), w.Clock.Now())
		})
		if n := hashes(func() { w.VerifyLogin(w.Ctx, w.Begin("ada").Token, "7f3k-2m9p") }); n > 1 {
			t.Errorf("%d hashes for a wrong code, with %d codes left", n, left)
		}
	}
	w = world.New(t)
	ada = w.Full("ada", world.Phone)
	code := w.GiveBackupCodes("ada", ada.Proof)[0] // hashed at the real cost
	if n := hashes(func() { w.VerifyLogin(w.Ctx, w.Begin("ada").Token, "7f3k-2m9p") }); n != 1 {
		t.Errorf("%d hashes for a wrong code, want 1", n)
	}
	if n := hashes(func() { w.Login("ada", code) }); n != 1 {
		t.Errorf("%d hashes for a right code, want 1", n)
	}
	used, ended := w.Begin("ada").Token, w.Begin("ada").Token
	w.Clock.Advance(time.Minute)
	_, err = w.VerifyLogin(w.Ctx, used, ada.Shows())
	world.OK(t, err)
	for range 5 {
		w.VerifyLogin(w.Ctx, ended, "zz")
	}
	world.OK(t, w.Unlock(w.Ctx, "ada"))
	for name, guess := range map[string]func(){
		"six digits":         func() { w.VerifyLogin(w.Ctx, w.Begin("ada").Token, "123456") },
		"eight digits":       func() { w.VerifyLogin(w.Ctx, w.Begin("ada").Token, "12345678") },
		"digits with a dash": func() { w.VerifyLogin(w.Ctx, w.Begin("ada").Token, "1234-5678") },
		"odd letters":        func() { w.VerifyLogin(w.Ctx, w.Begin("ada").Token, "uuuu-uuuu") },
		"seven symbols":      func() { w.VerifyLogin(w.Ctx, w.Begin("ada").Token, "7f3k-2m9") },
		"65 bytes":           func() { w.VerifyLogin(w.Ctx, w.Begin("ada").Token, strings.Repeat("a", 65)) },
		"a used challenge":   func() { w.VerifyLogin(w.Ctx, used, "7f3k-2m9p") },
		"an ended challenge": func() { w.VerifyLogin(w.Ctx, ended, "7f3k-2m9p") },
		"a forged token":     func() { w.VerifyLogin(w.Ctx, used+"A", "7f3k-2m9p") },
		"another action":     func() { w.VerifyStepUp(w.Ctx, "ada", w.Begin("ada").Token, "transfer", "7f3k-2m9p") },
		"enrollment":         func() { w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, "7f3k-2m9p") },
		"delayed": func() {
			w.Tamper("ada", func(u *record.User) {
				u.Lanes.BackupCode.Consecutive, u.Lanes.BackupCode.LastFailure = 10, w.Clock.Now()
			})
			_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, "7f3k-2m9p")
			wantThrottled(t, err)
		},
		"disabled": func() {
			w.Tamper("ada", func(u *record.User) { u.Lanes.BackupCode.Disabled = true })
			_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, "7f3k-2m9p")
			world.WantErr(t, err, mfa.ErrFactorDisabled)
		},
	} {
		world.OK(t, w.Unlock(w.Ctx, "ada"))
		if n := hashes(guess); n != 0 {
			t.Errorf("%s: %d hashes", name, n)
		}
	}
}

// F07 (GHSA-g7m4-839x-ch6v, GHSA-2jx3-65f3-xr8r): a number overflows: a step
// before the first, ten to the power of the digits, a counter at its limit.
func TestF07NumbersAtTheirEnds(t *testing.T) {
	refusedOrWorks := func(seconds int64) {
		w := world.New(t)
		w.Clock.Set(time.Unix(seconds, 0))
		if err := w.ImportTOTP(w.Ctx, "ada", rfcURI); err == nil && seconds >= 0 {
			w.Login("ada", w.Scan(rfcURI).Shows())
		} else if err == nil {
			_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, w.Scan(rfcURI).Shows())
			world.WantErr(t, err, mfa.ErrInvalidCode)
		} else if mfa.ErrorCode(err) != "internal" {
			t.Errorf("second %d: %v", seconds, err)
		}
		w.Clock.Set(time.Unix(1<<31, 0)) // the record still works at a later time
		world.OK(t, w.Unlock(w.Ctx, "ada"))
		if w.Enrolled("ada") != nil {
			world.OK(t, w.Revoke(w.Ctx, "ada", mfa.MethodTOTP))
		}
		world.OK(t, w.ImportTOTP(w.Ctx, "ada", importedURI))
		w.Login("ada", w.Scan(importedURI).Shows())
	}
	for _, seconds := range []int64{0, 1, 29, 30, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 4_294_967_296 * 30, 253_402_300_799,
		-1, -30, -31, -62_135_596_800, 1 << 40, math.MaxInt64, math.MinInt64} {
		refusedOrWorks(seconds)
	}

	// In the first step there is no code of the step before, and its counter does
	// not wrap to the last of 2^64.
	w := world.New(t)
	w.Clock.Set(time.Unix(0, 0))
	world.OK(t, w.ImportTOTP(w.Ctx, "ada", rfcURI))
	for _, counter := range []uint64{math.MaxUint64, math.MaxUint64 - 1, math.MaxInt64, math.MaxUint32} {
		code, err := hotp.GenerateCode("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", counter)
		world.OK(t, err)
		_, err = w.VerifyLogin(w.Ctx, w.Begin("ada").Token, code)
		world.WantTries(t, err, 4) // and was not used either
	}
	w.Login("ada", "755224") // RFC 4226, appendix D, counter 0

	for parameter, taken := range map[string]bool{
		"digits=6": true, "digits=7": true, "digits=8": true, "period=1": true, "period=120": true,
		"digits=0": false, "digits=5": false, "digits=9": false, "digits=10": false, "digits=19": false, "digits=-6": false, "digits=4294967302": false, "digits=18446744073709551622": false,
		"period=0": false, "period=-30": false, "period=121": false, "period=4294967326": false, "period=18446744073709551646": false, "period=1e1": false,
		"Digits=8": false, "PERIOD=60": false, "Algorithm=SHA512": false, "algorithm=MD5": false, "encoder=steam": false, "interval=60": false, "Secret=JBSWY3DPEHPK3PXP": false,
	} {
		w := world.New(t)
		err := w.ImportTOTP(w.Ctx, "ada", rfcURI+"&"+parameter)
		if !taken {
			world.WantErr(t, err, mfa.ErrInvalidInput)
			world.OK(t, w.BeginLogin(w.Ctx, "ada")) // nothing was enrolled
			continue
		}
		world.OK(t, err)
		w.Login("ada", w.Scan(rfcURI+"&"+parameter).Shows())
	}

	// Counters at their limits do not wrap.
	now := world.New(t).Clock.Now()
	many := func(n int) []int64 { return slices.Repeat([]int64{now.Unix() / 900}, n) }
	for name, test := range map[string]struct {
		change func(u *record.User)
		want   error
		code   string // of an error that has no sentinel
	}{
		"no change":             {func(*record.User) {}, nil, ""},
		"failures at the limit": {func(u *record.User) { u.Lanes.TOTP.Consecutive, u.Lanes.TOTP.LastFailure = 100, now }, mfa.ErrFactorDisabled, ""},
		"failures of the month": {func(u *record.User) { u.Lanes.TOTP.Recent = many(100) }, mfa.ErrFactorDisabled, ""},
		"a failure ahead":       {func(u *record.User) { u.Lanes.TOTP.Consecutive, u.Lanes.TOTP.LastFailure = 99, now.Add(time.Hour) }, nil, "too_many_attempts"},
		"the last step": {func(u *record.User) {
			u.TOTP[0].Spent = record.Spent{Next: math.MaxInt64, Steps: []int64{math.MaxInt64 - 1}}
		}, mfa.ErrInvalidCode, ""},
		"one more than the last": {func(u *record.User) {
			u.TOTP[0].Spent = record.Spent{Next: math.MinInt64, Steps: []int64{math.MaxInt64}}
		}, nil, "internal"},
		"the last step, and first": {func(u *record.User) {
			u.TOTP[0].Spent = record.Spent{Next: math.MaxInt64, Steps: []int64{math.MinInt64, math.MaxInt64}}
		}, nil, "internal"},
		"failures over the limit": {func(u *record.User) { u.Lanes.TOTP.Consecutive = 101 }, nil, "internal"},
		"failures of 64 bits":     {func(u *record.User) { u.Lanes.TOTP.Consecutive = math.MaxInt64 }, nil, "internal"},
		"failures that wrapped":   {func(u *record.User) { u.Lanes.TOTP.Consecutive = -1 }, nil, "internal"},
		"too many in the month":   {func(u *record.User) { u.Lanes.TOTP.Recent = many(101) }, nil, "internal"},
		"tries used up":           {func(u *record.User) { u.Challenges[0].Failures = 5 }, mfa.ErrInvalidToken, ""},
		"tries over the limit":    {func(u *record.User) { u.Challenges[0].Failures = 7 }, nil, "internal"},
	} {
		w := world.New(t)
		world.OK(t, w.ImportTOTP(w.Ctx, "ada", rfcURI))
		token := w.Begin("ada").Token
		w.VerifyLogin(w.Ctx, token, "0") // so that the record holds the challenge
		w.Tamper("ada", test.change)
		login, err := w.VerifyLogin(w.Ctx, token, w.Scan(rfcURI).Shows())
		switch {
		case name == "no change":
			world.OK(t, err)
		case login != nil || test.want != nil && !errors.Is(err, test.want) || test.code != "" && mfa.ErrorCode(err) != test.code:
			t.Errorf("%s: %+v, %v", name, login, err)
		}
	}
}

// sixDigits tries every n-th code of six digits and returns those that verify
// accepts.
func sixDigits(n int, verify func(code string) bool) (taken []string) {
	for i := 0; i < 1_000_000; i += n {
		if code := fmt.Sprintf("%06d", i); verify(code) {
			taken = append(taken, code)
		}
	}
	return taken
}

// F08: a code for testing or support opens every account.
func TestF08NoMagicCode(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: every seventh code of six digits")
	}
	// People choose numbers with a pattern: all of the forms aaaaaa, ababab and
	// abcabc are multiples of seven.
	every := 7
	if os.Getenv("MFA_TEST_LONG") != "" {
		every = 1
	}
	w := world.New(t)
	scriptCodes(t, 271831, 314167) // multiples of seven too
	world.OK(t, w.ImportTOTP(w.Ctx, "ada", rfcURI))
	world.OK(t, w.ImportSMS(w.Ctx, "ada", world.Phone))
	token := w.Begin("ada").Token
	w.SentCode(token)
	right := []string{"271831"}
	for offset := -step; offset <= step; offset += step {
		right = append(right, w.Scan(rfcURI).Code(w.Clock.Now().Add(offset)))
	}
	slices.Sort(right)
	engine := w.Another(func(c *mfa.Config) { c.Store, c.OnEvent = world.FrozenStore{Store: w.Store}, nil })
	login := func(code string) bool { _, err := engine.VerifyLogin(w.Ctx, token, code); return err == nil }
	var want []string
	for _, code := range right {
		if n, err := strconv.Atoi(code); err != nil || !login(code) {
			t.Errorf("%s is refused", code)
		} else if n%every == 0 {
			want = append(want, code)
		}
	}
	if taken := sixDigits(every, login); !slices.Equal(taken, want) {
		t.Errorf("a login accepts %v, want %v", taken, want)
	}

	_, err := w.EnrollSMS(w.Ctx, "bob", world.Phone2)
	world.OK(t, err)
	if taken := sixDigits(every, func(code string) bool {
		_, err := engine.VerifyEnrollment(w.Ctx, "bob", mfa.MethodSMS, code)
		return err == nil
	}); !slices.Equal(taken, []string{"314167"}) {
		t.Errorf("an enrollment accepts %v, want 314167", taken)
	}

	// Words and other lengths.
	w.PlantCodes("ada", "7f3k-2m9p")
	for _, magic := range []string{"test", "TEST", "debug", "demo", "admin", "bypass", "master", "override", "support", "letmein", "mfa", "password",
		"0", "1", "0000", "1111", "1234", "12345", "1234567", "123456", "654321", "012345", "123123", "000001", "00000000", "12345678", "42424242", "ffff-ffff", "0000-000a", "aaaa-aaaa", "test-test", "abcd-efgh"} {
		if _, err := engine.VerifyLogin(w.Ctx, token, magic); !errors.Is(err, mfa.ErrInvalidCode) {
			t.Errorf("%q: %v", magic, err)
		}
	}
	_, err = engine.VerifyLogin(w.Ctx, token, "7f3k-2m9p")
	world.OK(t, err)
}

// F09: every code is accepted, or others than the standard's.
func TestF09CodesAreThoseOfTheStandard(t *testing.T) {
	const seed = "1234567890123456789012345678901234567890123456789012345678901234"
	keys := map[mfa.Algorithm]string{mfa.SHA1: base32NoPadding(seed[:20]), mfa.SHA256: base32NoPadding(seed[:32]), mfa.SHA512: base32NoPadding(seed[:64])}
	for _, vector := range []struct { // RFC 6238, appendix B
		at                   int64
		sha1, sha256, sha512 string
	}{
		{59, "94287082", "46119246", "90693936"},
		{1111111109, "07081804", "68084774", "25091201"},
		{1111111111, "14050471", "67062674", "99943326"},
		{1234567890, "89005924", "91819424", "93441116"},
		{2000000000, "69279037", "90698825", "38618901"},
		{20000000000, "65353130", "77737706", "47863826"},
	} {
		for algorithm, code := range map[mfa.Algorithm]string{mfa.SHA1: vector.sha1, mfa.SHA256: vector.sha256, mfa.SHA512: vector.sha512} {
			for _, digits := range []int{6, 7, 8} {
				w := world.New(t)
				w.Clock.Set(time.Unix(vector.at, 0))
				uri := fmt.Sprintf("otpauth://totp/x?secret=%s&algorithm=%s&digits=%d", keys[algorithm], algorithm, digits)
				world.OK(t, w.ImportTOTP(w.Ctx, "ada", uri))
				right := code[8-digits:]
				for other, otherCode := range map[mfa.Algorithm]string{mfa.SHA1: vector.sha1, mfa.SHA256: vector.sha256, mfa.SHA512: vector.sha512} {
					if other != algorithm {
						_, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, otherCode[8-digits:])
						world.WantErr(t, err, mfa.ErrInvalidCode)
					}
				}
				if _, err := w.VerifyLogin(w.Ctx, w.Begin("ada").Token, right); err != nil {
					t.Errorf("%s of %d digits at %d: %v", algorithm, digits, vector.at, err)
				}
			}
		}
	}

	// No neighbor of a right code is accepted: one digit off, or one symbol off.
	w := world.New(t)
	world.OK(t, w.ImportTOTP(w.Ctx, "ada", rfcURI+"&digits=8"))
	w.PlantCodes("ada", "7f3k-2m9p")
	token := w.Begin("ada").Token
	engine := w.Another(func(c *mfa.Config) { c.Store = world.FrozenStore{Store: w.Store} })
	accepts := func(code string) bool { _, err := engine.VerifyLogin(w.Ctx, token, code); return err == nil }
	right := w.Scan(rfcURI + "&digits=8").Shows()
	for _, test := range []struct{ code, symbols string }{{right, "0123456789"}, {"7f3k2m9p", "0123456789abcdefghjkmnpqrstvwxyz"}} {
		if !accepts(test.code) {
			t.Fatalf("%s is refused", test.code)
		}
		for place := range test.code {
			for _, symbol := range test.symbols {
				other := test.code[:place] + string(symbol) + test.code[place+1:]
				if other != test.code && accepts(other) {
					t.Errorf("%s is accepted for %s", other, test.code)
				}
			}
		}
	}
	random := rand.New(rand.NewSource(1))
	for range 20_000 {
		if code := fmt.Sprintf("%08d", random.Intn(100_000_000)); accepts(code) {
			t.Errorf("%s is accepted", code)
		}
	}
	// In strict mode, only the current step's code is accepted.
	strict := w.Another(func(c *mfa.Config) { c.Store, c.TOTP.Strict = world.FrozenStore{Store: w.Store}, true })
	for offset := -3 * time.Minute; offset <= 3*time.Minute; offset += 30 * time.Second {
		code := w.Scan(rfcURI + "&digits=8").Code(w.Clock.Now().Add(offset))
		_, err := strict.VerifyLogin(w.Ctx, token, code)
		if taken := err == nil; taken != (offset == 0) {
			t.Errorf("strict, %v off: accepted %v", offset, taken)
		}
		if taken := accepts(code); taken != (offset.Abs() <= 30*time.Second) {
			t.Errorf("%v off: accepted %v", offset, taken)
		}
	}
}

func base32NoPadding(secret string) string {
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(secret))
}
