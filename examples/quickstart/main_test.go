package main

import (
	"bufio"
	"bytes"
	"image/color"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/boombuler/barcode/qr"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfatest"
)

// told lists parts of what every run prints, attended or not.
var told = []string{
	"BeginLogin returns nil",
	"URI: otpauth://totp/ACME:ada@example.com?secret=",
	`{"mfa_required":true,"mfa_token":"mfa_tmp_`,
	`"available_methods":["totp","backup_code"]}`,
	`"available_methods":["totp","sms","backup_code"]}`,
	"is your ACME code to sign in",
	`{"phone":"+23*****678"`,
	"ada is in, by totp (amr: otp, mfa).",
	"ada is in, by sms (amr: sms, mfa).",
	"ada is in, by backup_code (amr: mfa).",
	"again: mfa: invalid code (tries left: 4) (invalid_code)",
	"again: mfa: invalid code: used before (tries left: 5) (invalid_code)",
	"(tries left: 0) (invalid_code)",
	"(invalid_token)",
	"(too_many_attempts)",
	`{"mfa_enrollment_required":true,"mfa_token":"mfa_enr_`,
	"bob is in, by totp (amr: otp, mfa).",
	"(mfa_enforced)",
	`"backup_codes_left":8,"required":true}`,
	"every step behaved",
}

func wantTold(t *testing.T, text string) {
	t.Helper()
	for _, part := range told {
		if !strings.Contains(text, part) {
			t.Errorf("%q is missing", part)
		}
	}
	if t.Failed() {
		t.Log(text)
	}
}

func TestUnattended(t *testing.T) {
	var out bytes.Buffer
	if err := tell(t.Context(), strings.NewReader(""), &out, false); err != nil {
		t.Error(err)
	}
	wantTold(t, out.String())
	if strings.Contains(out.String(), "█") {
		t.Error("a QR code is drawn where nobody can scan it")
	}
}

// A person reads what is printed and types answers.
type person struct {
	heard   bytes.Buffer
	typing  io.Writer
	answers []func(uri string) string
}

var uriLine = regexp.MustCompile(`URI: (otpauth\S+)`)

func (p *person) Write(text []byte) (int, error) {
	p.heard.Write(text)
	if strings.HasSuffix(string(text), `"simulate": `) && len(p.answers) > 0 {
		answer := p.answers[0](uriLine.FindStringSubmatch(p.heard.String())[1])
		p.answers = p.answers[1:]
		go io.WriteString(p.typing, answer+"\n")
	}
	return len(text), nil
}

// app returns an answer with the code that an app which scanned the URI shows after
// the given time.
func app(t *testing.T, in time.Duration) func(uri string) string {
	return func(uri string) string {
		a, err := mfatest.NewAuthenticator(uri)
		if err != nil {
			t.Error(err)
			return ""
		}
		return a.Code(time.Now().Add(in))
	}
}

func hello(string) string { return "hello" }

func wrong(uri string) string {
	a, err := mfatest.NewAuthenticator(uri)
	if err != nil {
		return err.Error()
	}
	return a.WrongCode(time.Now())
}

func TestAttendedWithARealApp(t *testing.T) {
	in, typing := io.Pipe()
	// The second code is that of the next time step, so that the test need not wait.
	p := &person{typing: typing, answers: []func(string) string{hello, wrong, app(t, 0), wrong, hello, app(t, 30*time.Second)}}
	if err := tell(t.Context(), in, p, true); err != nil {
		t.Error(err)
	}
	wantTold(t, p.heard.String())
	if n := strings.Count(p.heard.String(), "Refused: mfa: invalid code (tries left: 4)"); n != 2 {
		t.Errorf("%d mistypings were refused, want 2", n)
	}
	if n := strings.Count(p.heard.String(), "The app shows six digits, such as 287 082."); n != 2 {
		t.Errorf("it was explained %d times what a code looks like, want 2", n)
	}
	if lines := strings.Count(p.heard.String(), "\x1b[0m\n"); lines == 0 || lines > 23 {
		t.Errorf("a QR code of %d lines does not fit a terminal of 24 together with the question", lines)
	}
}

// A person who leaves a prompt until it has expired is asked again, not turned away.
func TestAttendedAfterALongBreak(t *testing.T) {
	var out bytes.Buffer
	s := &story{ctx: t.Context(), out: &out, attended: true}
	begun := 0
	u := &user{story: s, id: "ada"}
	expired := []error{mfa.ErrInvalidToken, mfa.ErrNoPendingEnrollment, nil}
	s.in = bufio.NewReader(strings.NewReader(strings.Repeat("123456\n", len(expired))))
	err := u.answer("Code", func() error { begun++; return nil }, func(string) (*mfa.Login, error) {
		return &mfa.Login{UserID: "ada"}, expired[begun-1]
	})
	if err != nil || begun != len(expired) || strings.Count(out.String(), "took too long") != 2 {
		t.Errorf("%v, begun %d times:\n%s", err, begun, out.String())
	}
}

func TestAttendedAndSimulated(t *testing.T) {
	for _, answer := range []string{"simulate", ""} {
		in, typing := io.Pipe()
		p := &person{typing: typing, answers: []func(string) string{func(string) string { return answer }}}
		if err := tell(t.Context(), in, p, true); err != nil {
			t.Error(err)
		}
		wantTold(t, p.heard.String())
	}
}

func TestAttendedUntilSomebodyLeaves(t *testing.T) {
	var out bytes.Buffer
	if err := tell(t.Context(), strings.NewReader(""), &out, true); err != nil {
		t.Error(err)
	}
	wantTold(t, out.String())
}

func TestTooManyMistypings(t *testing.T) {
	in, typing := io.Pipe()
	p := &person{typing: typing, answers: []func(string) string{wrong, wrong, wrong, wrong, wrong}}
	if err := tell(t.Context(), in, p, true); err == nil || !strings.Contains(err.Error(), "chapter 2") {
		t.Errorf("got %v", err)
	}
}

func TestNullIsNoTerminal(t *testing.T) {
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if isTerminal(null) || isTerminal(file) {
		t.Error("mistaken for a terminal")
	}
}

// The terminal shows the QR code, dark on light, with a quiet zone.
func TestQRCode(t *testing.T) {
	const text = "otpauth://totp/ACME:ada?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=ACME"
	var out strings.Builder
	if err := drawQR(&out, text); err != nil {
		t.Fatal(err)
	}
	var light [][]bool
	for line := range strings.Lines(out.String()) {
		line = strings.TrimSuffix(strings.TrimPrefix(line, "   \x1b[97;40m"), "\x1b[0m\n")
		var top, bottom []bool
		for _, r := range line {
			top = append(top, r == '█' || r == '▀')
			bottom = append(bottom, r == '█' || r == '▄')
		}
		light = append(light, top, bottom)
	}
	want, err := qr.Encode(text, qr.L, qr.Auto)
	if err != nil {
		t.Fatal(err)
	}
	size := want.Bounds().Dx()
	if len(light[0]) != size+8 || len(light) < size+8 {
		t.Fatalf("%d by %d modules, want %d", len(light[0]), len(light), size+8)
	}
	for y := range light {
		for x := range light[y] {
			inside := x >= 4 && y >= 4 && x < size+4 && y < size+4
			if black := inside && want.At(x-4, y-4) == color.Black; light[y][x] == black {
				t.Fatalf("module %d,%d is light: %v", x, y, light[y][x])
			}
		}
	}
}
