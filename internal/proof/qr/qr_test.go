package qr_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"github.com/protekt/mfa"
)

// TestEveryEnrollmentIsRead: both decoders read the shortest URI, the longest, and
// those between, with names in many scripts.
func TestEveryEnrollmentIsRead(t *testing.T) {
	zbarimg := findZbarimg(t)
	const longest = 600 // bytes
	check := func(issuer, account string, settings mfa.TOTPConfig) (uri string) {
		t.Helper()
		enrollment := enroll(t, issuer, account, settings)
		data := decodeURL(t, enrollment.QRCode)
		picture, err := png.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		wantGeometry(t, picture)
		if got := zbar(t, zbarimg, data); got != enrollment.URI {
			t.Errorf("zbarimg reads %q, want %q", got, enrollment.URI)
		}
		text, level := zxing(t, picture)
		if text != enrollment.URI || level != "M" {
			t.Errorf("ZXing reads %q at level %s, want %q at level M", text, level, enrollment.URI)
		}
		return enrollment.URI
	}

	for length := 1; length <= 255; length += 12 {
		check("A", strings.Repeat("a", length), mfa.TOTPConfig{})
	}
	for _, issuer := range []string{"ACME Co", "Сбербанк Онлайн Россия", "ธนาคารกรุงเทพ", "भारतीय स्टेट बैंक", "بانک\u200cداری", strings.Repeat("行", 25)} {
		check(issuer, strings.Repeat("a", 64), mfa.TOTPConfig{})
	}
	for _, settings := range []mfa.TOTPConfig{{}, {Algorithm: mfa.SHA256}, {Algorithm: mfa.SHA512, Digits: 8}} {
		for account := "a"; ; account += "é" {
			if rest := longest - len(enroll(t, "A", account, settings).URI); rest < 6 {
				if uri := check("A", account+strings.Repeat("a", rest), settings); len(uri) != longest {
					t.Errorf("a URI of %d bytes, want %d", len(uri), longest)
				}
				break
			}
		}
	}
}

// findZbarimg skips the test if zbarimg is not installed.
func findZbarimg(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("zbarimg")
	switch {
	case err == nil:
	case os.Getenv("MFA_TEST_REQUIRE") == "1":
		t.Fatal("zbarimg is required, but not installed: apt-get install zbar-tools")
	default:
		t.Skip("skipped: zbarimg is not installed: apt-get install zbar-tools")
	}
	return path
}

func enroll(t *testing.T, issuer, account string, settings mfa.TOTPConfig) *mfa.TOTPEnrollment {
	t.Helper()
	key := make([]byte, 32)
	rand.Read(key)
	engine, err := mfa.New(mfa.Config{Issuer: issuer, Store: mfa.NewMemoryStore(), Keys: [][]byte{key}, TOTP: settings})
	if err != nil {
		t.Fatal(err)
	}
	enrollment, err := engine.EnrollTOTP(t.Context(), "ada", account)
	if err != nil {
		t.Fatal(err)
	}
	return enrollment
}

func decodeURL(t *testing.T, url string) []byte {
	t.Helper()
	encoded, found := strings.CutPrefix(url, "data:image/png;base64,")
	data, err := base64.StdEncoding.DecodeString(encoded)
	if !found || err != nil {
		t.Fatalf("not the URL of a PNG: %.40s, %v", url, err)
	}
	return data
}

// wantGeometry checks that a picture is 200 to 400 pixels wide and made of whole
// modules, with a quiet zone of four. The length of a module is read from the
// finder pattern, seven modules of black at the top left (ISO/IEC 18004).
func wantGeometry(t *testing.T, picture image.Image) {
	t.Helper()
	width := picture.Bounds().Dx()
	if width < 200 || width > 400 || picture.Bounds().Dy() != width {
		t.Fatalf("%v pixels, want a square of 200 to 400", picture.Bounds())
	}
	black := func(x, y int) bool { r, _, _, _ := picture.At(x, y).RGBA(); return r == 0 }
	first := 0
	for first < width && !black(first, first) {
		first++
	}
	end := first
	for end < width && black(end, first) {
		end++
	}
	module := (end - first) / 7
	if module < 3 || (end-first)%7 != 0 || width%module != 0 || first != 4*module {
		t.Fatalf("%d pixels, finder pattern from %d to %d: want modules of 3 pixels or more, and a quiet zone of 4 modules", width, first, end)
	}
	for y := range width {
		for x := range width {
			if black(x, y) != black(x/module*module, y/module*module) {
				t.Fatalf("the pixel at %d, %d differs from its module", x, y)
			}
			if quiet := min(x, y, width-1-x, width-1-y) < 4*module; quiet && black(x, y) {
				t.Fatalf("the pixel at %d, %d of the quiet zone is black", x, y)
			}
		}
	}
}

func zbar(t *testing.T, zbarimg string, data []byte) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), zbarimg, "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", "png:-")
	command.Stdin = bytes.NewReader(data)
	out, err := command.Output()
	if err != nil {
		t.Fatalf("zbarimg: %v", err)
	}
	return strings.TrimSuffix(string(out), "\n")
}

// zxing reads a picture that holds a QR code and nothing else. If ZXing has to
// locate the code first, as in a photograph, it fails for one random secret in
// sixty. zbarimg, which always has to, never fails.
func zxing(t *testing.T, picture image.Image) (text, level string) {
	t.Helper()
	bitmap, err := gozxing.NewBinaryBitmapFromImage(picture)
	if err != nil {
		t.Fatal(err)
	}
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_PURE_BARCODE: true})
	if err != nil {
		t.Fatalf("ZXing: %v", err)
	}
	return result.GetText(), fmt.Sprint(result.GetResultMetadata()[gozxing.ResultMetadataType_ERROR_CORRECTION_LEVEL])
}
