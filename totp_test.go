package mfa_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/boombuler/barcode/qr"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
)

func TestAnAppIsEnrolledByItsFirstCode(t *testing.T) {
	w := world.New(t)
	enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "ada@example.com")
	world.OK(t, err)
	a := w.Scan(enrollment.URI)
	if !regexp.MustCompile(`^[A-Z2-7]{32}$`).MatchString(enrollment.Secret) {
		t.Errorf("Secret %q", enrollment.Secret)
	}
	if want := w.Clock.Now().Add(15 * time.Minute); !enrollment.ExpiresAt.Equal(want) {
		t.Errorf("ExpiresAt %v, want %v", enrollment.ExpiresAt, want)
	}
	w.WantEvents(mfa.EventEnrollmentStarted)

	// A pending factor does not count.
	world.OK(t, w.BeginLogin(w.Ctx, "ada"))
	if got := w.Enrolled("ada"); got != nil {
		t.Errorf("enrolled %v", got)
	}

	login, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, a.Shows())
	world.OK(t, err)
	if login.UserID != "ada" || login.Method != mfa.MethodTOTP || login.Action != mfa.ActionEnroll || login.Proof == "" || !login.Time.Equal(w.Clock.Now()) {
		t.Errorf("%+v", *login)
	}
	w.WantEvents(mfa.EventPassed, mfa.EventEnrolled)
	if f := w.Factor("ada", mfa.MethodTOTP); f == nil || !f.EnrolledAt.Equal(w.Clock.Now()) || !f.LastUsedAt.IsZero() || f.Disabled || !f.RetryAt.IsZero() {
		t.Errorf("%+v", f)
	}

	// The code that confirmed is spent.
	challenge := w.Begin("ada")
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, a.Shows())
	world.WantTries(t, err, 5)
	w.WantEvents(mfa.EventChallenged, mfa.EventReplayed)
	w.Clock.Advance(30 * time.Second)
	_, err = w.VerifyLogin(w.Ctx, challenge.Token, a.Shows())
	world.OK(t, err)
	w.WantEvents(mfa.EventVerified)

	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, a.Shows())
	world.WantErr(t, err, mfa.ErrNoPendingEnrollment)
}

func TestAnEnrollmentExpiresAfterFifteenMinutes(t *testing.T) {
	w := world.New(t)
	for _, test := range []struct {
		after time.Duration
		alive bool
	}{{15*time.Minute - 1, true}, {15 * time.Minute, false}} {
		user := fmt.Sprint(test.after)
		enrollment, err := w.EnrollTOTP(w.Ctx, user, "a")
		world.OK(t, err)
		w.Clock.Advance(test.after)
		_, err = w.VerifyEnrollment(w.Ctx, user, mfa.MethodTOTP, w.Scan(enrollment.URI).Shows())
		if test.alive {
			world.OK(t, err)
		} else {
			world.WantErr(t, err, mfa.ErrNoPendingEnrollment)
		}
	}
}

func TestExpiredEnrollmentsStayDeadWhenTheClockGoesBack(t *testing.T) {
	w := world.New(t)
	enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "a")
	world.OK(t, err)
	a := w.Scan(enrollment.URI)
	w.Clock.Advance(15 * time.Minute)
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, a.Shows())
	world.WantErr(t, err, mfa.ErrNoPendingEnrollment)
	w.Clock.Advance(-2 * time.Minute)
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, a.Shows())
	world.WantErr(t, err, mfa.ErrNoPendingEnrollment)
}

func TestKeyURIReadsTheSameEverywhere(t *testing.T) {
	for _, test := range []struct {
		name, issuer, account string
		config                mfa.TOTPConfig
		prefix, suffix        string // around the secret
	}{
		{"plain", "Protekt", "user@example.com", mfa.TOTPConfig{}, "otpauth://totp/Protekt:user@example.com?secret=", "&issuer=Protekt"},
		{"spaces", "ACME Co", "Ada Lovelace", mfa.TOTPConfig{}, "otpauth://totp/ACME%20Co:Ada%20Lovelace?secret=", "&issuer=ACME%20Co"},
		{"a plus", "A+B", "a+b@x.io", mfa.TOTPConfig{}, "otpauth://totp/A%2BB:a%2Bb@x.io?secret=", "&issuer=A%2BB"},
		{"reserved", "x&secret=AAAA", "a?period=1#/%", mfa.TOTPConfig{}, "otpauth://totp/x%26secret%3DAAAA:a%3Fperiod%3D1%23%2F%25?secret=", "&issuer=x%26secret%3DAAAA"},
		{"unreserved", "a-b._~", "~", mfa.TOTPConfig{}, "otpauth://totp/a-b._~:~?secret=", "&issuer=a-b._~"},
		{"letters of the world", "Ünï", "日本", mfa.TOTPConfig{}, "otpauth://totp/%C3%9Cn%C3%AF:%E6%97%A5%E6%9C%AC?secret=", "&issuer=%C3%9Cn%C3%AF"},
		{"other settings", "P", "a", mfa.TOTPConfig{Algorithm: mfa.SHA256, Digits: 8, Period: time.Minute}, "otpauth://totp/P:a?secret=", "&issuer=P&algorithm=SHA256&digits=8&period=60"},
		{"SHA512", "P", "a", mfa.TOTPConfig{Algorithm: mfa.SHA512}, "otpauth://totp/P:a?secret=", "&issuer=P&algorithm=SHA512"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := world.New(t, func(c *mfa.Config) { c.Issuer, c.TOTP = test.issuer, test.config })
			enrollment, err := w.EnrollTOTP(w.Ctx, "ada", test.account)
			if err != nil {
				t.Fatal(err)
			}
			if want := test.prefix + enrollment.Secret + test.suffix; enrollment.URI != want {
				t.Errorf("got  %s\nwant %s", enrollment.URI, want)
			}
			u, err := url.Parse(enrollment.URI)
			if err != nil {
				t.Fatal(err)
			}
			if u.Path != "/"+test.issuer+":"+test.account || u.Query().Get("issuer") != test.issuer || len(u.Query()["secret"]) != 1 {
				t.Errorf("parsed as %+v", u)
			}
			read, err := otp.NewKeyFromURL(enrollment.URI)
			if err != nil || read.Issuer() != test.issuer || read.AccountName() != test.account || read.Secret() != enrollment.Secret {
				t.Errorf("another library reads %v, %v", read, err)
			}
			code, err := totp.GenerateCodeCustom(read.Secret(), w.Clock.Now(), totp.ValidateOpts{Period: uint(read.Period()), Digits: read.Digits(), Algorithm: read.Algorithm()})
			world.OK(t, err)
			_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, code)
			world.OK(t, err)
		})
	}
}

func TestAccountNamesMustFitTheURI(t *testing.T) {
	w := world.New(t)
	for _, test := range []struct {
		name, account string
		ok            bool
	}{
		{"one letter", "a", true},
		{"as long as scans", strings.Repeat("a", 255), true},
		{"empty", "", false},
		{"256 bytes", strings.Repeat("a", 256), false},
		{"a URI of 600 bytes", strings.Repeat("é", 86) + "aa", true},
		{"a URI of 601 bytes", strings.Repeat("é", 86) + "aaa", false},
		{"joiners within words", "گوشی\u200cها", true},
		{"a joiner at the end", "a\u200d", false},
		{"a colon", "a:b", false},
		{"a line break", "a\nb", false},
		{"NUL", "a\x00", false},
		{"invalid UTF-8", "a\xff", false},
		{"direction marks", "a\u202eb", false},
	} {
		enrollment, err := w.EnrollTOTP(w.Ctx, "ada", test.account)
		if test.ok {
			if err != nil || len(enrollment.URI) > 600 {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		world.WantErr(t, err, mfa.ErrInvalidInput)
		if enrollment != nil {
			t.Errorf("%s: %v", test.name, enrollment)
		}
	}
}

// TestQRCodeHoldsTheURI: the URI is drawn in modules of whole pixels, one bit each,
// with a quiet zone, so that it scans from a screen.
func TestQRCodeHoldsTheURI(t *testing.T) {
	w := world.New(t)
	for _, account := range []string{"a", "ada@example.com", strings.Repeat("a", 255), strings.Repeat("é", 86) + "aa"} {
		enrollment, err := w.EnrollTOTP(w.Ctx, "ada", account)
		if err != nil {
			t.Fatal(err)
		}
		picture := decodeQR(t, enrollment.QRCode)
		width := picture.Bounds().Dx()
		if width < 200 || width > 400 || picture.Bounds().Dy() != width {
			t.Errorf("%v pixels", picture.Bounds())
		}
		want, err := qr.Encode(enrollment.URI, qr.M, qr.Auto)
		if err != nil {
			t.Fatal(err)
		}
		modules := want.Bounds().Dx() + 8
		if width%modules != 0 {
			t.Fatalf("%d pixels for %d modules", width, modules)
		}
		scale := width / modules
		for y := range width {
			for x := range width {
				mx, my := x/scale-4, y/scale-4
				black := mx >= 0 && my >= 0 && mx < modules-8 && my < modules-8 && want.At(mx, my) == color.Black
				if got := picture.ColorIndexAt(x, y) == 1; got != black {
					t.Fatalf("pixel %d,%d is black: %v", x, y, got)
				}
			}
		}
	}
}

// decodeQR decodes the picture in a data URL and checks that it has one bit per
// pixel, white and black.
func decodeQR(t *testing.T, dataURL string) *image.Paletted {
	t.Helper()
	encoded, found := strings.CutPrefix(dataURL, "data:image/png;base64,")
	data, err := base64.StdEncoding.DecodeString(encoded)
	if !found || err != nil {
		t.Fatalf("not a data URL: %.40s, %v", dataURL, err)
	}
	if depth := data[24]; depth != 1 { // in the IHDR chunk
		t.Errorf("%d bits per pixel, want 1", depth)
	}
	decoded, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	picture, isPaletted := decoded.(*image.Paletted)
	if !isPaletted || len(picture.Palette) != 2 {
		t.Fatalf("%T does not have exactly two colors", decoded)
	}
	r, _, _, _ := picture.Palette[0].RGBA()
	if r2, _, _, _ := picture.Palette[1].RGBA(); r != 0xffff || r2 != 0 {
		t.Errorf("colors %v", picture.Palette)
	}
	return picture
}

func TestImportTOTPTakesKeysOfOtherSystems(t *testing.T) {
	const secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	at := time.Unix(59, 0)
	for _, test := range []struct {
		name, uri, code string
	}{
		{"the least", "otpauth://totp/x?secret=" + secret, "287082"},
		{"all", "otpauth://totp/Old%20Co:ada@example.com?secret=" + secret + "&issuer=Old%20Co&algorithm=SHA1&digits=8&period=30", "94287082"},
		{"lower case, padded", "otpauth://totp/x?secret=gezdgnbvgy3tqojqgezdgnbvgy3tqojqgezdgnbvgy3tqojqgeza====&algorithm=sha256&digits=8", "46119246"},
		{"SHA512", "otpauth://totp/x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQGEZDGNA&algorithm=SHA512&digits=8", "90693936"},
		{"capitals", "OTPAUTH://TOTP/x?secret=" + secret, "287082"},
		{"ten bytes", "otpauth://totp/x?secret=JBSWY3DPEHPK3PXP", ""},
		{"64 bytes", "otpauth://totp/x?secret=" + strings.Repeat("A", 103), ""},
		{"two minutes", "otpauth://totp/x?secret=" + secret + "&period=120", ""},
		{"seven digits, a minute", "otpauth://totp/x?secret=" + secret + "&digits=7&period=60", ""},
		{"a fragment", "otpauth://totp/x?secret=" + secret + "#&digits=8", "287082"},
		{"foreign parameters", "otpauth://totp/x?secret=" + secret + "&image=https%3A%2F%2Fx&color=red", "287082"},
		{"empty parameters", "otpauth://totp/x?secret=" + secret + "&algorithm=&digits=&period=&encoder=&issuer=", "287082"},
		{"spaces and dashes in the secret", "otpauth://totp/x?secret=GEZD+GNBV%20GY3T-QOJQ-gezd-gnbv%0Agy3tqojq", "287082"},
		{"bits left over", "otpauth://totp/x?secret=" + secret + "GB", ""},
		{"a secret alone", secret, "287082"},
		{"a secret as people keep it", " gezd gnbv gy3t qojq\u2013gezd-gnbv-gy3t-qojq====\r\n", "287082"},
		{"a secret alone with bits left over", secret + "GB", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := world.New(t)
			w.Clock.Set(at)
			world.OK(t, w.ImportTOTP(w.Ctx, "ada", test.uri))
			w.WantEvents(mfa.EventEnrolled)
			code := test.code
			if code == "" {
				_, encoded, isURI := strings.Cut(test.uri, "secret=")
				if !isURI {
					encoded = test.uri
				}
				code = w.Scan("otpauth://totp/x?secret=" + encoded).Shows()
			}
			w.Login("ada", code)
		})
	}
}

// TestImportTOTPRefusesWhatIsNoKey: the error names the fault without quoting the
// key.
func TestImportTOTPRefusesWhatIsNoKey(t *testing.T) {
	const (
		secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
		uri    = "otpauth://totp/x?secret=" + secret
	)
	w := world.New(t)
	said := make(map[string]string)
	for fault, keys := range map[string][]string{
		"longer than 4 KiB":       {uri + "&x=" + strings.Repeat("a", 4096), strings.Repeat("A", 4097)},
		"the URI is malformed":    {uri[:30] + "\x00", "otpauth://totp:x/", "otpauth://[totp/x", ":"},
		"not an otpauth URI":      {"https://totp/x?secret=" + secret, "otpauth-migration://offline?data=" + secret},
		"another type than totp":  {"otpauth://hotp/x?secret=" + secret + "&counter=1", "otpauth:totp/x?secret=" + secret},
		"malformed query":         {uri + "&issuer=%zz", uri + ";digits=8"},
		"a parameter twice":       {uri + "&secret=" + secret, uri + "&secret#", uri + "&digits=6&digits=6", uri + "&x=1&x=2"},
		"has an interval":         {uri + "&interval=60", uri + "&Interval=60"},
		"the parameter secret":    {"otpauth://totp/x?Secret=" + secret, uri + "&SECRET=" + secret, uri + "&\u017fecret=x"},
		"the parameter digits":    {uri + "&Digits=8", uri + "&digits=6&DIGITS=8"},
		"the parameter period":    {uri + "&Period=60"},
		"the parameter algorithm": {uri + "&Algorithm=SHA512"},
		"the parameter encoder":   {uri + "&Encoder=steam"},
		"another algorithm":       {uri + "&algorithm=MD5", uri + "&algorithm=SHA3", uri + "&algorithm=SHA3-256", uri + "&algorithm=HMAC", uri + "&algorithm=\u017fha1"},
		"other digits than": {uri + "&digits=5", uri + "&digits=9", uri + "&digits=six", uri + "&digits=06", uri + "&digits=+6", uri + "&digits=18446744073709551616",
			uri + "&digits=18446744073709551615", uri + "&digits=４"},
		"another period than":   {uri + "&period=0", uri + "&period=121", uri + "&period=18446744073709551615", uri + "&period=-30", uri + "&period=30.5", uri + "&period=30s"},
		"an encoder":            {uri + "&encoder=steam", uri + "&encoder=odd"},
		"the secret is missing": {"", " - ", "====", "otpauth://totp/x", "otpauth://totp/x?secret=", "otpauth://totp/x?secret=%20--"},
		"the secret is not base32": {"otpauth://totp/x?secret=GEZDGNBVGY3TQOJ1", "otpauth://totp/x?secret=GEZDGNBVGY3TQOJ=GEZDGNBV", "GEZDGNBV\u200bGY3TQOJQ", "GEZDGNBVGY3TQO\u017fQ",
			"GEZDGNBVGY3TQOJ\xff", "otpauth//totp/x?secret=" + secret, "no key!", secret + "\x00", "ＧＥＺＤＧＮＢＶＧＹ３ＴＱＯＪＱ"},
		"the secret is cut off":              {secret + "A", secret + "AAA", secret + "AAAAAA", uri + "A"},
		"the secret has 9 bytes, fewer than": {"otpauth://totp/x?secret=" + strings.Repeat("A", 15), strings.Repeat("A", 15)},
		"the secret has 65 bytes, more than": {"otpauth://totp/x?secret=" + strings.Repeat("A", 104), strings.Repeat("A", 104)},
	} {
		for _, key := range keys {
			err := w.ImportTOTP(w.Ctx, "ada", key)
			world.WantErr(t, err, mfa.ErrInvalidInput)
			if err == nil {
				t.Errorf("%s: %q is accepted", fault, key)
			} else if !strings.Contains(err.Error(), fault) {
				t.Errorf("%.100q: %v, want %q", key, err, fault)
			} else if strings.Contains(err.Error(), "GEZDGNBV") || strings.Contains(err.Error(), "totp/x") {
				t.Errorf("%s: the error quotes the key: %v", fault, err)
			} else if other := said[err.Error()]; other != "" && other != fault {
				t.Errorf("%q and %q have the same error: %v", fault, other, err)
			} else {
				said[err.Error()] = fault
			}
		}
	}
	if got := w.Enrolled("ada"); got != nil {
		t.Errorf("enrolled %v", got)
	}
}

func TestAMalformedCodeCostsAnEnrollmentNothing(t *testing.T) {
	w := world.New(t)
	enrollment, err := w.EnrollTOTP(w.Ctx, "ada", "a")
	world.OK(t, err)
	for _, code := range []string{"", " ", "abc123", "①②③④⑤⑥", "+12345", strings.Repeat("1", 65)} {
		_, err := w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, code)
		world.WantErr(t, err, mfa.ErrInvalidCode)
	}
	for left := 4; left >= 3; left-- { // digits of the wrong length count as a try
		_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, "12345")
		world.WantTries(t, err, left)
	}
	_, err = w.VerifyEnrollment(w.Ctx, "ada", mfa.MethodTOTP, w.Scan(enrollment.URI).Shows())
	world.OK(t, err)
}
