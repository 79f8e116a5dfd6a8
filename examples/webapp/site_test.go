package main

import (
	"bytes"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfatest"
)

const (
	password = "correct horse battery"
	phoneOne = "+2348012345678"
	phoneTwo = "+14155552671"
	fewCodes = 2 // backup codes of a set: each costs a password hash
)

// A site is the application as it is served, on a database and a clock of its
// own.
type site struct {
	*server
	t      *testing.T
	url    string
	served *httptest.Server
	clock  *mfatest.Clock
}

func newSite(t *testing.T, adjust ...func(*config)) *site {
	t.Helper()
	db, err := openDatabase(t.Context(), memory)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	clock := mfatest.NewClock(time.Date(2030, 1, 1, 0, 0, 10, 0, time.UTC))
	c := config{DB: db, Key: bytes.Repeat([]byte{1, 2, 3, 4}, 8), Now: clock.Now, BackupCodes: mfa.BackupCodeConfig{Count: fewCodes}}
	for _, a := range adjust {
		a(&c)
	}
	app, err := newServer(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	served := httptest.NewServer(app)
	t.Cleanup(served.Close)
	return &site{server: app, t: t, url: served.URL, served: served, clock: clock}
}

// tenCodes is what the application has when nobody says otherwise.
func tenCodes(c *config) { c.BackupCodes = mfa.BackupCodeConfig{} }

// smsCode is the code in the last message to a number.
func (s *site) smsCode(number string) string {
	s.t.Helper()
	for _, m := range s.phone.arrived() {
		if code := regexp.MustCompile(`^(\d{6}) is your`).FindStringSubmatch(m.Body); m.To == number && code != nil {
			return code[1]
		}
	}
	s.t.Fatalf("no code was sent to %s", number)
	return ""
}

// mailed is the path in the last mail to an address.
func (s *site) mailed(email string) string {
	s.t.Helper()
	for _, m := range s.phone.arrived() {
		if m.To == email && m.Path != "" {
			return m.Path
		}
	}
	s.t.Fatalf("no link was mailed to %s", email)
	return ""
}

// signedUp makes an account by its page, and gives the browser.
func (s *site) signedUp(email string) *browser {
	s.t.Helper()
	b := s.browser()
	b.post("/signup", "email", email, "password", password).wants("dashboard")
	return b
}

// withTOTP makes an account with an app, and lets its first code grow old.
func (s *site) withTOTP(email string) (*browser, app) {
	s.t.Helper()
	b := s.signedUp(email)
	return b, b.addTOTP()
}

// An app is a user's authenticator app.
type app struct {
	*mfatest.Authenticator
	clock *mfatest.Clock
}

func (a app) shows() string { return a.Code(a.clock.Now()) }
func (a app) wrong() string { return a.WrongCode(a.clock.Now()) }

func (s *site) scan(uri string) app {
	s.t.Helper()
	authenticator, err := mfatest.NewAuthenticator(uri)
	if err != nil {
		s.t.Fatal(err)
	}
	return app{authenticator, s.clock}
}

// A browser keeps cookies and follows redirects.
type browser struct {
	*site
	client *http.Client
}

func (s *site) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &browser{s, &http.Client{Jar: jar}}
}

// A page is what a browser shows in the end.
type page struct {
	t      *testing.T
	status int
	path   string
	header http.Header
	body   string
}

func (b *browser) get(path string) *page {
	b.t.Helper()
	request, err := http.NewRequest(http.MethodGet, b.url+path, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(request)
}

// post submits a form, given as names and values.
func (b *browser) post(path string, fields ...string) *page {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	request, err := http.NewRequest(http.MethodPost, b.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.do(request)
}

func (b *browser) do(request *http.Request) *page {
	b.t.Helper()
	response, err := b.client.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return &page{b.t, response.StatusCode, response.Request.URL.Path, response.Header, string(body)}
}

// cookie is the value of one of the browser's cookies; "" if it has none.
func (b *browser) cookie(name string) string {
	at, err := url.Parse(b.url)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range b.client.Jar.Cookies(at) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// setCookie plants a cookie.
func (b *browser) setCookie(name, value string) {
	at, err := url.Parse(b.url)
	if err != nil {
		b.t.Fatal(err)
	}
	b.client.Jar.SetCookies(at, []*http.Cookie{{Name: name, Value: value, Path: "/"}})
}

// name is which page it is.
func (p *page) name() string { return p.find(`<main [^>]*data-page="([a-z]+)"`) }

// find is the first group of a pattern in the page; "" without a match.
func (p *page) find(pattern string) string {
	match := regexp.MustCompile(pattern).FindStringSubmatch(p.body)
	if match == nil {
		return ""
	}
	return html.UnescapeString(match[1])
}

// wants checks which page it is.
func (p *page) wants(name string) *page {
	p.t.Helper()
	if p.name() != name {
		p.t.Fatalf("the page is %q (%s, %d), want %q\n%s", p.name(), p.path, p.status, name, p.find(`(?s)<main[^>]*>(.*)</main>`))
	}
	return p
}

// wantsError checks which error is shown.
func (p *page) wantsError(status int, code string) *page {
	p.t.Helper()
	if got := p.find(`id="error"[^>]*data-code="([a-z_]+)"`); got != code || p.status != status {
		p.t.Errorf("error %q with status %d, want %q with %d", got, p.status, code, status)
	}
	return p
}

// wantsNotice checks the beginning of the notice.
func (p *page) wantsNotice(text string) *page {
	p.t.Helper()
	if got := p.find(`<p id="notice"[^>]*>([^<]*)`); !strings.HasPrefix(got, text) || text == "" {
		p.t.Errorf("notice %q, want %q", got, text)
	}
	return p
}

// has tells whether the page has an element of that id.
func (p *page) has(id string) bool { return strings.Contains(p.body, `id="`+id+`"`) }

// addTOTP sets an app up, whose first code is spent and old then, and saves the
// backup codes that may come with it.
func (b *browser) addTOTP() app {
	b.t.Helper()
	a := b.scan(b.post("/enroll/totp").wants("totp").find(`id="otpauth" href="([^"]+)"`))
	b.post("/enroll/totp/verify", "code", a.shows())
	b.post("/backup-codes/saved").wants("security")
	b.clock.Advance(time.Minute)
	return a
}

// addSMS sets a phone up, and lets the cooldown pass.
func (b *browser) addSMS(number string) {
	b.t.Helper()
	b.post("/enroll/sms", "phone", number).wants("sms")
	b.post("/enroll/sms/verify", "code", b.smsCode(number))
	b.clock.Advance(time.Minute)
}

// shownCodes are the backup codes on the page.
func (p *page) shownCodes() (codes []string) {
	for _, match := range regexp.MustCompile(`<li><code>([^<]+)</code>`).FindAllStringSubmatch(p.body, -1) {
		codes = append(codes, match[1])
	}
	return codes
}

// signIn types the password.
func (b *browser) signIn(email string) *page {
	b.t.Helper()
	return b.post("/login", "email", email, "password", password)
}

// An apiUser calls the API with tokens.
type apiUser struct {
	*site
	token        string
	refreshToken string
	app          app
}

// granted signs a user in at the API with an app's code.
func (s *site) granted(email string, a app) *apiUser {
	s.t.Helper()
	s.clock.Advance(time.Minute)
	c := &apiUser{site: s, app: a}
	c.keep(c.post("/auth/mfa/verify", "mfa_token", s.challengeToken(email), "code", a.shows()))
	s.clock.Advance(time.Minute)
	return c
}

// grantedTOTP makes an account with an app, and signs it in at the API.
func (s *site) grantedTOTP(email string) *apiUser {
	s.t.Helper()
	_, a := s.withTOTP(email)
	return s.granted(email, a)
}

// keep keeps the tokens of an answer.
func (c *apiUser) keep(a *answer) {
	c.t.Helper()
	c.token, c.refreshToken = a.ok().text("access_token"), a.text("refresh_token")
	if c.token == "" || c.refreshToken == "" {
		c.t.Fatalf("no tokens in %s", a.body)
	}
}

func (c *apiUser) refresh() {
	c.t.Helper()
	c.keep(c.post("/auth/refresh", "refresh_token", c.refreshToken))
}

// An answer is one of the API's.
type answer struct {
	t      *testing.T
	status int
	header http.Header
	body   string
}

func (s *site) call(method, path, token, contentType, body string) *answer {
	s.t.Helper()
	request, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return &answer{s.t, response.StatusCode, response.Header, string(data)}
}

// post sends names and values as a JSON object of strings.
func (c *apiUser) post(path string, fields ...string) *answer {
	c.t.Helper()
	object := make(map[string]string)
	for i := 0; i < len(fields); i += 2 {
		object[fields[i]] = fields[i+1]
	}
	body, err := json.Marshal(object)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.call(http.MethodPost, path, c.token, "application/json", string(body))
}

func (c *apiUser) status() *answer { return c.call(http.MethodGet, "/mfa/status", c.token, "", "") }

// ok checks that it is a success.
func (a *answer) ok() *answer {
	a.t.Helper()
	if a.status != http.StatusOK {
		a.t.Fatalf("status %d, want 200: %s", a.status, a.body)
	}
	return a
}

// refused checks which error it is.
func (a *answer) refused(status int, code string) *answer {
	a.t.Helper()
	if got := a.text("error", "code"); a.status != status || got != code {
		a.t.Errorf("error %q with status %d, want %q with %d: %s", got, a.status, code, status, a.body)
	}
	return a
}

// text is a string in the body, by its path of names; "" where there is none.
func (a *answer) text(names ...string) string {
	a.t.Helper()
	var value any
	if err := json.Unmarshal([]byte(a.body), &value); err != nil {
		a.t.Fatalf("no JSON: %v: %s", err, a.body)
	}
	for _, name := range names {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	text, _ := value.(string)
	return text
}
