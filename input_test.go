package mfa

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// The functions that parse what people type are tested from within the package,
// since the exported API does not show the parsed form.

// digitRuns returns the ranges of Unicode's decimal digits.
func digitRuns() (runs [][2]rune) {
	for _, r := range unicode.Nd.R16 {
		runs = append(runs, [2]rune{rune(r.Lo), rune(r.Hi)})
	}
	for _, r := range unicode.Nd.R32 {
		runs = append(runs, [2]rune{rune(r.Lo), rune(r.Hi)})
	}
	return runs
}

// meant returns what a character stands for according to Unicode's tables, or "" if
// it carries no meaning.
func meant(r rune) string {
	for _, run := range digitRuns() {
		if run[0] <= r && r <= run[1] {
			return string("0123456789"[(r-run[0])%10])
		}
	}
	for _, nothing := range []*unicode.RangeTable{unicode.White_Space, unicode.Dash, unicode.Cf, unicode.Variation_Selector} {
		if unicode.Is(nothing, r) {
			return ""
		}
	}
	if r >= 0xff01 && r <= 0xff5e { // halfwidth and fullwidth forms
		return string(r - 0xff01 + 0x21)
	}
	return string(r)
}

func allMeant(text string) string {
	var b strings.Builder
	for _, r := range text {
		b.WriteString(meant(r))
	}
	return b.String()
}

// TestEveryCharacterIsReadAsMeant covers all of Unicode. normalize relies on digits
// coming in tens; this fails with a version of Unicode in which they do not.
func TestEveryCharacterIsReadAsMeant(t *testing.T) {
	runs := digitRuns()
	if len(runs) < 60 {
		t.Fatalf("only %d ranges of digits", len(runs))
	}
	for _, r := range unicode.Nd.R16 {
		if r.Stride != 1 {
			t.Errorf("the digits from %U on have gaps", r.Lo)
		}
	}
	for _, r := range unicode.Nd.R32 {
		if r.Stride != 1 {
			t.Errorf("the digits from %U on have gaps", r.Lo)
		}
	}
	for _, run := range runs {
		if (run[1]-run[0]+1)%10 != 0 || unicode.IsDigit(run[0]-1) || unicode.IsDigit(run[1]+1) {
			t.Errorf("the digits from %U to %U do not come in tens", run[0], run[1])
		}
	}
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if got, want := normalize(string(r)), meant(r); got != want {
			t.Fatalf("%U is read as %q, want %q", r, got, want)
		}
	}
	for text, want := range map[string]string{
		"٠١٢٣٤٥٦٧٨٩": "0123456789", "۰۱۲۳۴۵۶۷۸۹": "0123456789", "०१२३४५६७८९": "0123456789", "০১২৩৪৫৬৭৮৯": "0123456789", "๐๑๒๓๔๕๖๗๘๙": "0123456789",
		"０１２３４５６７８９": "0123456789", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗": "0123456789", "𝟶𝟷𝟸𝟹𝟺𝟻𝟼𝟽𝟾𝟿": "0123456789", "𞥐𞥑𞥒𞥓𞥔𞥕𞥖𞥗𞥘𞥙": "0123456789",
		"＋４４　（０）－ａｂＺ＃": "+44(0)abZ#", "\u202a1\u200b2\ufeff3\ufe0f\u00ad\u2060\U000e0101\u202c": "123",
		"²①Ⅷ一\u20e3\x00\xff": "²①Ⅷ一\u20e3\x00\ufffd",
	} {
		if got := normalize(text); got != want {
			t.Errorf("%q is read as %q, want %q", text, got, want)
		}
	}
}

var e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// FuzzParsePhone: a number that is accepted is in E.164 form, holds the digits that
// were typed, whatever their script, and no others, and its normal form parses to
// the same number. Input with a zero alone in brackets is refused.
func FuzzParsePhone(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		phone, err := parsePhone(text)
		if err != nil {
			if !errors.Is(err, ErrInvalidPhone) || phone != "" {
				t.Fatalf("refused with %v, but returned %q", err, phone)
			}
			return
		}
		if len(text) > maxTyped || !e164.MatchString(phone) {
			t.Fatalf("%q is read as %q", text, phone)
		}
		typed := allMeant(text)
		if len(typed) > 4 && strings.ToLower(typed[:4]) == "tel:" {
			typed = typed[4:]
		}
		if rest := strings.Trim(typed, "+0123456789.()[]/"); rest != "" || "+"+onlyDigits(typed) != phone || strings.Count(typed, "+") != 1 {
			t.Fatalf("%q has the digits %q, but is read as %q", text, typed, phone)
		}
		if bare := strings.Map(func(r rune) rune {
			if r == '.' || r == '/' {
				return -1
			}
			return r
		}, typed); regexp.MustCompile(`[(\[]0[)\]]`).MatchString(bare) {
			t.Fatalf("%q holds a zero in brackets, but is read as %q", text, phone)
		}
		for _, spelling := range []string{phone, normalize(text), "tel:" + phone} {
			if again, err := parsePhone(spelling); err != nil || again != phone {
				t.Fatalf("%q is read again as %q (%v)", spelling, again, err)
			}
		}
		if mask := maskPhone(phone); len(onlyDigits(mask)) > 5 || len(onlyDigits(mask)) > len(phone)/2 {
			t.Fatalf("%q is masked as %q", phone, mask)
		}
	})
}

// FuzzParseCode: a one-time code consists of the decimal digits that were typed,
// whatever their script, with only meaningless characters between and around them.
// Anything else has a letter or is not a code. Two spellings with the same normal
// form are the same code.
func FuzzParseCode(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		digits, letters, err := parseCode(text)
		typed := strings.Trim(allMeant(text), "`#.,。、،۔"+quotes)
		if long := len(text) > 256 || len(typed) > 64; long != errors.Is(err, ErrInvalidCode) || err != nil && digits+letters != "" {
			t.Fatalf("%d bytes, in normal form %d: %q, %q, %v", len(text), len(typed), digits, letters, err)
		} else if long {
			return
		}
		wantDigits, wantLetters := "", ""
		if regexp.MustCompile(`^[0-9]+$`).MatchString(typed) {
			wantDigits = typed
		} else if strings.ContainsFunc(typed, unicode.IsLetter) {
			wantLetters = typed
		}
		if digits != wantDigits || letters != wantLetters {
			t.Fatalf("%q is read as %q and %q, want %q and %q", text, digits, letters, wantDigits, wantLetters)
		}
		for _, spelling := range []string{typed, " " + digits + letters + "\u200b", "«" + digits + letters + "».", "\u202a" + normalize(text) + "\u202c"} {
			if len(spelling) > 256 {
				continue
			}
			d, l, err := parseCode(spelling)
			if d != digits || l != letters || err != nil {
				t.Fatalf("%q and %q, spelled %q, are read again as %q and %q (%v)", digits, letters, spelling, d, l, err)
			}
		}
	})
}

// quotes holds all of Unicode's quotation marks.
var quotes = func() string {
	var all []rune
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if unicode.Is(unicode.Quotation_Mark, r) {
			all = append(all, r)
		}
	}
	return string(all)
}()

// FuzzParseBackupCode: an accepted code consists of symbols of the alphabet in
// whole groups. Written as the engine writes codes, it parses to the same code,
// and never as a one-time code.
func FuzzParseBackupCode(f *testing.F) {
	f.Fuzz(func(t *testing.T, text string) {
		symbols, ok := parseBackupCode(text)
		if len(symbols) > 3*len(text) { // each invalid byte becomes U+FFFD, which takes three
			t.Fatalf("%d bytes became %d", len(text), len(symbols))
		}
		if again, sameOK := parseBackupCode(allMeant(text)); again != symbols || sameOK != ok {
			t.Fatalf("%q is read as %q, in its normal form as %q", text, symbols, again)
		}
		if !ok {
			return
		}
		if strings.Trim(symbols, backupAlphabet) != "" || len(symbols) < 8 || len(symbols) > 32 || len(symbols)%backupGroup != 0 {
			t.Fatalf("%q is read as %q", text, symbols)
		}
		var groups []string
		for group := range slices.Chunk([]byte(symbols), backupGroup) {
			groups = append(groups, string(group))
		}
		written := strings.Join(groups, "-")
		wide := strings.Map(func(r rune) rune { return r - '!' + '！' }, written)
		for _, spelling := range []string{written, strings.ToUpper(written), strings.Join(groups, " "), symbols, wide, "“" + written + "”."} {
			digits, letters, err := parseCode(spelling)
			again, ok := parseBackupCode(letters)
			if digits != "" || !ok || again != symbols || err != nil {
				t.Fatalf("%q is read again as %q, %q (%v, %v)", spelling, digits, again, ok, err)
			}
		}
	})
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, s)
}

func TestNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"ACME": true, "": true, "Сбербанк Онлайн Россия": true, "ธนาคารกรุงเทพ": true, "भारतीय स्टेट बैंक": true, "日本銀行": true,
		"بانک ملی": true, "گوشی\u200cها": true, "ශ්\u200dරී ලංකා බැංකුව": true, "র\u200d্যাব": true, // with joiners
		"\u200da": false, "a\u200d": false, "a\u200d\u200db": false, "a \u200cb": false, "a\u200d1": false, "👩\u200d💻": false, // joiners elsewhere
		"a\u200bb": false, "a\u202eb": false, "a\ufeffb": false, "a\u00adb": false, "a\nb": false, "a\u2028b": false, "a\x00": false, "a\xff": false, "\xe2\x80": false,
	} {
		if isName(name) != ok {
			t.Errorf("isName(%q) = %v, want %v", name, !ok, ok)
		}
		if utf8.ValidString(name) && printable(name) && !isName(name) {
			t.Errorf("%q is printable, but not a name", name)
		}
	}
}
