package webauthn_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/webauthn"
)

func TestNewNamesTheFieldAndTheCure(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*webauthn.Config)
		want   string
	}{
		"no RP ID":            {func(c *webauthn.Config) { c.RPID = "" }, `RPID must be a domain such as "example.com"`},
		"an IP address":       {func(c *webauthn.Config) { c.RPID = "127.0.0.1" }, "RPID must be a domain"},
		"an IPv6 address":     {func(c *webauthn.Config) { c.RPID = "::1" }, "RPID must be a domain"},
		"a URL":               {func(c *webauthn.Config) { c.RPID = "https://example.com" }, "RPID must be a domain"},
		"a port":              {func(c *webauthn.Config) { c.RPID = "example.com:443" }, "RPID must be a domain"},
		"a suffix alone":      {func(c *webauthn.Config) { c.RPID = "com" }, "RPID must be a domain"},
		"capitals":            {func(c *webauthn.Config) { c.RPID = "Example.com" }, "RPID must be in lower case"},
		"no origin":           {func(c *webauthn.Config) { c.Origins = nil }, "Origins must name at least one origin"},
		"a bare domain":       {origins("example.com"), "Origins: \"example.com\" must be scheme, host"},
		"a slash":             {origins("https://example.com/"), "Origins: \"https://example.com/\" must be scheme, host"},
		"a path":              {origins("https://example.com/login"), "must be scheme, host"},
		"a user":              {origins("https://ada@example.com"), "must be scheme, host"},
		"a query":             {origins("https://example.com?x"), "must be scheme, host"},
		"a host in capitals":  {origins("https://Example.com"), "must be scheme, host in lower case"},
		"half a port":         {origins("https://example.com:"), "must be scheme, host"},
		"not a URL":           {origins("https://exa mple.com"), "must be scheme, host"},
		"no encryption":       {origins("http://example.com"), "must begin with https://"},
		"another scheme":      {origins("ftp://example.com"), "must begin with https://"},
		"the usual port":      {origins("https://example.com:443"), "must not have the port"},
		"elsewhere":           {origins("https://example.org"), "is not on RPID \"example.com\" or a subdomain"},
		"ends alike":          {origins("https://notexample.com"), "is not on RPID"},
		"one of two":          {origins("https://example.com", "https://example.org"), "\"https://example.org\" is not on RPID"},
		"localhost elsewhere": {origins("http://localhost:8080"), "is not on RPID"},
		"an app without hash": {origins("android:apk-key-hash:"), "must be scheme, host"},
		"a requirement":       {func(c *webauthn.Config) { c.UserVerification = "always" }, "UserVerification must be Required"},
		"another requirement": {func(c *webauthn.Config) { c.ResidentKey = "always" }, "ResidentKey must be Required"},
		"too short":           {func(c *webauthn.Config) { c.Timeout = time.Millisecond }, "Timeout must be 1 second to 10 minutes"},
		"too long":            {func(c *webauthn.Config) { c.Timeout = time.Hour }, "Timeout must be 1 second to 10 minutes"},
		"negative":            {func(c *webauthn.Config) { c.Timeout = -time.Minute }, "Timeout must be 1 second to 10 minutes"},
	} {
		config := webauthn.Config{RPID: rpID, Origins: []string{origin}}
		test.change(&config)
		v, err := webauthn.New(config)
		if v != nil || !errors.Is(err, mfa.ErrInvalidInput) || !strings.Contains(err.Error(), ": webauthn: Config.") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func origins(list ...string) func(*webauthn.Config) {
	return func(c *webauthn.Config) { c.Origins = list }
}

func TestConfigsAccepted(t *testing.T) {
	for _, config := range []webauthn.Config{
		{RPID: "example.com", Origins: []string{"https://example.com", "https://a.b.example.com:8443"}},
		{RPID: "localhost", Origins: []string{"http://localhost:8080", "http://localhost", "http://app.localhost", "https://localhost:8443"}},
		{RPID: "example.com", Origins: []string{"android:apk-key-hash:4rXNHnD8QEPHwWFXNRJ5Wi_q8lZlHNXEpsF3c9aNQ3w"}},
		{RPID: "xn--bcher-kva.example", Origins: []string{"https://xn--bcher-kva.example"}},
	} {
		v, err := webauthn.New(config)
		if err != nil {
			t.Errorf("%+v: %v", config, err)
			continue
		}
		for _, at := range config.Origins {
			a := newAuthenticator()
			a.origin = at
			passkey, err := creation(v, a, ada, nil)
			if err == nil {
				_, err = request(v, a, passkey, nil)
			}
			if err != nil {
				t.Errorf("at %s: %v", at, err)
			}
		}
	}
}

func TestTheCallersConfigIsItsOwn(t *testing.T) {
	config := webauthn.Config{RPID: rpID, Origins: []string{origin}}
	v, err := webauthn.New(config)
	if err != nil {
		t.Fatal(err)
	}
	config.Origins[0] = "https://evil.example.com"
	a := newAuthenticator()
	if _, err := creation(v, a, ada, nil); err != nil {
		t.Errorf("the origin configured: %v", err)
	}
	a.origin = "https://evil.example.com"
	if _, err := creation(v, a, ada, nil); err == nil {
		t.Error("an origin written into the caller's slice later is accepted")
	}
}
