package main

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// canonical returns the one spelling of an address that is stored and compared.
func canonical(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

const (
	maxEmail   = 120
	maxEscaped = 300 // as part of the otpauth URI, whose length the engine bounds
)

// checkEmail returns errEmail for what is no address, or one that an authenticator
// app could not show.
func checkEmail(email string) error {
	local, domain, _ := strings.Cut(email, "@")
	odd := func(r rune) bool {
		return !unicode.IsPrint(r) || unicode.IsSpace(r) || strings.ContainsRune(`"(),:;<>@[\]`, r)
	}
	if len(email) > maxEmail || len(url.QueryEscape(email)) > maxEscaped || local == "" || !utf8.ValidString(email) || strings.ContainsFunc(local+domain, odd) ||
		strings.Trim(domain, ".") != domain || domain == "" {
		return errEmail
	}
	return nil
}
