package mfa

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// The limits of what is read, in bytes.
const (
	maxCode    = 64
	maxPhone   = 64
	maxAction  = 64
	maxAccount = 255
)

// parseCode classifies what somebody typed, without white space and dashes:
// ASCII digits alone, or something with a letter in it, or neither.
func parseCode(text string) (digits, letters string) {
	if isDigits(text) { // as nearly always
		return text, ""
	}
	text = strings.Map(func(r rune) rune {
		if isFiller(r) {
			return -1
		}
		return r
	}, text)
	if isDigits(text) {
		return text, ""
	}
	if strings.ContainsFunc(text, unicode.IsLetter) {
		return "", text
	}
	return "", ""
}

// parseBackupCode brings what somebody typed into the form that is hashed: the
// symbols alone, in lower case, o read as 0, i and l as 1. It reports whether
// that can be a backup code.
func parseBackupCode(letters string) (symbols string, ok bool) {
	symbols = strings.Map(func(r rune) rune {
		switch {
		case isFiller(r):
			return -1
		case 'A' <= r && r <= 'Z': // unicode.ToLower would let other letters in
			r += 'a' - 'A'
		}
		switch r {
		case 'o':
			return '0'
		case 'i', 'l':
			return '1'
		}
		return r
	}, letters)
	groups := len(symbols) / backupGroup
	ok = len(symbols)%backupGroup == 0 && groups >= 2 && groups <= 8 &&
		strings.Trim(symbols, backupAlphabet) == "" && !isDigits(symbols)
	return symbols, ok
}

// parsePhone brings a number into E.164 form.
func parsePhone(text string) (string, error) {
	if len(text) > maxPhone {
		return "", ErrInvalidPhone
	}
	phone := strings.Map(func(r rune) rune {
		if isFiller(r) || strings.ContainsRune(".()[]", r) {
			return -1
		}
		return r
	}, text)
	digits, found := strings.CutPrefix(phone, "+")
	if !found || len(digits) < 7 || len(digits) > 15 || !isDigits(digits) || digits[0] == '0' {
		return "", ErrInvalidPhone
	}
	return phone, nil
}

// isFiller reports whether people type r between digits or letters without
// meaning it: white space and dashes.
func isFiller(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Dash, r) }

// isDigits reports whether s consists of ASCII digits.
func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return len(s) > 0
}

// printable reports whether s can be shown as it is.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
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
