package mfa

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The limits of what is read, in bytes.
const (
	maxTyped   = 256 // as people type or paste it
	maxCode    = 64  // once normalized
	maxAction  = 64
	maxLabel   = 64
	maxPasskey = 16 << 10
	maxAccount = 255
)

// An answer is what somebody answered a challenge with: at most one of its fields
// is set, none for what cannot be an answer.
type answer struct {
	digits  string // a one-time code
	letters string // a backup code
	passkey string // a browser's JSON
}

// parseAnswer classifies an answer. A JSON object can only be a passkey's.
func parseAnswer(text string) (answer, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		if len(text) > maxPasskey || !json.Valid([]byte(text)) {
			return answer{}, ErrInvalidCode
		}
		return answer{passkey: text}, nil
	}
	digits, letters, err := parseCode(text)
	return answer{digits: digits, letters: letters}, err
}

// normalize returns what people type or paste as they mean it: without white
// space, dashes and characters that nobody sees, with decimal digits of any
// script and full-width letters and signs in ASCII. What is normalized stays as
// it is when it is normalized again.
func normalize(text string) string { return strings.Map(normalRune, text) }

func normalRune(r rune) rune {
	switch {
	case unicode.IsDigit(r): // the digits of a script follow each other from 0 to 9
		before := rune(0)
		for unicode.IsDigit(r - before - 1) {
			before++
		}
		return '0' + before%10
	case unicode.IsSpace(r), unicode.In(r, unicode.Dash, unicode.Cf, unicode.Variation_Selector):
		return -1
	case '！' <= r && r <= '～': // full width, in the order of ASCII
		return r - '！' + '!'
	}
	return r
}

// parseCode normalizes a code and classifies it: ASCII digits alone, or something
// with a letter in it, or neither. One that is too long is ErrInvalidCode.
func parseCode(text string) (digits, letters string, err error) {
	if len(text) > maxTyped {
		return "", "", ErrInvalidCode
	}
	code := strings.TrimFunc(normalize(text), surroundsCode)
	switch {
	case len(code) > maxCode:
		return "", "", ErrInvalidCode
	case isDigits(code):
		return code, "", nil
	case strings.ContainsFunc(code, unicode.IsLetter):
		return "", code, nil
	}
	return "", "", nil
}

// surroundsCode reports whether r may come along with a code that is copied out
// of a sentence.
func surroundsCode(r rune) bool {
	return unicode.Is(unicode.Quotation_Mark, r) || strings.ContainsRune("`#.,。、،۔", r)
}

// parseBackupCode brings a backup code into the form that is hashed: the symbols
// alone, in lower case, o read as 0, i and l as 1. It reports whether that can be
// a backup code.
func parseBackupCode(letters string) (symbols string, ok bool) {
	symbols = strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' { // unicode.ToLower would let other letters in
			r += 'a' - 'A'
		}
		switch r {
		case 'o':
			return '0'
		case 'i', 'l':
			return '1'
		}
		return r
	}, normalize(letters))
	groups := len(symbols) / backupGroup
	ok = len(symbols)%backupGroup == 0 && groups >= 2 && groups <= 8 &&
		strings.Trim(symbols, backupAlphabet) == "" && !isDigits(symbols)
	return symbols, ok
}

// parsePhone brings a number into E.164 form.
func parsePhone(text string) (string, error) {
	if len(text) > maxTyped {
		return "", ErrInvalidPhone
	}
	phone := normalize(text)
	if scheme := "tel:"; len(phone) > len(scheme) && strings.EqualFold(phone[:len(scheme)], scheme) {
		phone = phone[len(scheme):]
	}
	phone = strings.Map(func(r rune) rune {
		switch r {
		case '.', '/':
			return -1
		case '[':
			return '('
		case ']':
			return ')'
		}
		return r
	}, phone)
	if strings.Contains(phone, "(0)") { // a trunk prefix, of which only the country knows whether it stays
		return "", ErrInvalidPhone
	}
	phone = strings.ReplaceAll(strings.ReplaceAll(phone, "(", ""), ")", "")
	digits, found := strings.CutPrefix(phone, "+")
	if !found || len(digits) < 7 || len(digits) > 15 || !isDigits(digits) || digits[0] == '0' {
		return "", ErrInvalidPhone
	}
	return phone, nil
}

// isDigits reports whether s consists of ASCII digits.
func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) > 0
}

// checkAccount checks the name that an authenticator shows for a user.
func checkAccount(account string) error {
	if account == "" || len(account) > maxAccount || !isName(account) {
		return fmt.Errorf("%w: the account name must be 1 to %d printable bytes", ErrInvalidInput, maxAccount)
	}
	return nil
}

// printable reports whether s can be shown as it is.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// isName reports whether s is printable, or would be without the joiners within
// its words, which Persian and the languages of India write.
func isName(s string) bool {
	runes := []rune(s)
	inWord := func(i int) bool { return 0 <= i && i < len(runes) && unicode.In(runes[i], unicode.L, unicode.M) }
	for i, r := range runes {
		joins := (r == '\u200c' || r == '\u200d') && inWord(i-1) && inWord(i+1)
		if !joins && !unicode.IsPrint(r) {
			return false
		}
	}
	return utf8.ValidString(s)
}

// isHost reports whether s is a host name without scheme, port, path or space.
func isHost(s string) bool {
	odd := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-')
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, odd) {
			return false
		}
	}
	return len(s) <= 253
}
