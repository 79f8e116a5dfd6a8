package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net"
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
	fewCodes = 1 // backup codes in a set: each costs a hash
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
	clock := mfatest.NewClock(time.Date(2030, 1, 1, 0, 0, 10, 0, time.UTC))
	c := config{Key: bytes.Repeat([]byte{1, 2, 3, 4}, 8), Now: clock.Now, BackupCodes: mfa.BackupCodeConfig{Count: fewCodes}}
	for _, a := range adjust {
		a(&c)
	}
	if c.DB == nil {
		db, err := openDatabase(t.Context(), memory)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		c.DB = db
	}
	served := httptest.NewUnstartedServer(nil)
	t.Cleanup(served.Close)
	url := "http://" + served.Listener.Addr().String()
	if c.Origin == atLocalhost {
		url = fmt.Sprintf("http://localhost:%d", served.Listener.Addr().(*net.TCPAddr).Port)
		c.Origin = url
	}
	app, err := newServer(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	app.users.passwords.memory = 8 // KiB: TestPasswords alone pays for a real hash
	served.Config.Handler = app
	served.Start()
	return &site{server: app, t: t, url: url, served: served, clock: clock}
}

// withPasskeys offers passkeys, for which the site is at localhost: browsers refuse
// them for IP addresses.
func withPasskeys(c *config) { c.Origin = atLocalhost }

const atLocalhost = "http://localhost"

// tenCodes sets the application's default number of backup codes.
func tenCodes(c *config) { c.BackupCodes = mfa.BackupCodeConfig{} }

func (s *site) userID(email string) string {
	s.t.Helper()
	u, err := s.users.byEmail(s.t.Context(), email)
	if err != nil {
		s.t.Fatal(err)
	}
	return u.ID
}

// create creates an account without a browser.
func (s *site) create(email string) {
	s.t.Helper()
	if err := s.users.create(s.t.Context(), email, password); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) require(required bool) {
	s.t.Helper()
	if err := s.settings.setMFARequired(s.t.Context(), required); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) required() bool {
	s.t.Helper()
	required, err := s.settings.mfaRequired(s.t.Context(), "")
	if err != nil {
		s.t.Fatal(err)
	}
	return required
}

// wantsFactors checks how many factors a user has, backup codes included.
func (s *site) wantsFactors(email string, n int) {
	s.t.Helper()
	if status, err := s.engine.Status(s.t.Context(), s.userID(email)); err != nil || len(status.Factors) != n {
		s.t.Errorf("the factors are %v, %v, want %d", status, err, n)
	}
}

// fail answers a user's challenges wrongly so many times, each after the wait
// that the last one brought.
func (s *site) fail(email string, a app, times int) {
	s.t.Helper()
	for range times {
		s.clock.Advance(15 * time.Minute)
		var challenge *mfa.ChallengeError
		if err := s.engine.BeginLogin(s.t.Context(), s.userID(email)); !errors.As(err, &challenge) {
			s.t.Fatalf("got %v, want a challenge", err)
		}
		if _, err := s.engine.VerifyLogin(s.t.Context(), challenge.Token, a.wrong()); !errors.Is(err, mfa.ErrInvalidCode) {
			s.t.Fatalf("got %v, want ErrInvalidCode", err)
		}
	}
}

// smsCode returns the code in the last message to a number.
func (s *site) smsCode(number string) string {
	s.t.Helper()
	for _, m := range s.phone.arrived() {
		if code := regexp.MustCompile(`\b(\d{6})\b`).FindStringSubmatch(m.Body); m.To == number && code != nil {
			return code[1]
		}
	}
	s.t.Fatalf("no code was sent to %s", number)
	return ""
}

// resetSecret asks for a reset link, and returns the secret in it.
func (s *site) resetSecret(email string) string {
	s.t.Helper()
	s.browser().post("/forgot", "email", email).wants("login")
	for _, m := range s.phone.arrived() {
		if m.To == email && m.Path != "" {
			return strings.TrimPrefix(m.Path, "/reset?token=")
		}
	}
	s.t.Fatalf("no link was mailed to %s", email)
	return ""
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

// A response is one from the application, with the path that redirects led to.
type response struct {
	t      *testing.T
	status int
	path   string
	header http.Header
	body   string
}

// send sends a request, with names and values as headers.
func (s *site) send(client *http.Client, method, path, body string, headers ...string) response {
	s.t.Helper()
	request, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	r, err := client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Body.Close()
	data, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return response{s.t, r.StatusCode, r.Request.URL.Path, r.Header, string(data)}
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

// A page is a response to a browser.
type page struct{ response }

const formType = "application/x-www-form-urlencoded"

func (b *browser) get(path string) *page {
	b.t.Helper()
	return &page{b.send(b.client, http.MethodGet, path, "")}
}

// post submits a form, given as names and values.
func (b *browser) post(path string, fields ...string) *page {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	return &page{b.send(b.client, http.MethodPost, path, form.Encode(), "Content-Type", formType, "Sec-Fetch-Site", "same-origin")}
}

// cookie returns the value of a cookie, or "" if the browser has none.
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

// stay stops following redirects.
func (b *browser) stay() {
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
}

// signedUp creates an account on its page, and returns the browser.
func (s *site) signedUp(email string) *browser {
	s.t.Helper()
	b := s.browser()
	b.post("/signup", "email", email, "password", password).wants("dashboard")
	return b
}

// signIn signs in with the password.
func (b *browser) signIn(email string) *page {
	b.t.Helper()
	return b.post("/login", "email", email, "password", password)
}

// enter signs in with the password and the app's code, and with further fields of
// the prompt's form.
func (b *browser) enter(email string, a app, fields ...string) *page {
	b.t.Helper()
	b.signIn(email).wants("prompt")
	return b.post("/login/mfa", append(fields, "code", a.shows())...).wants("dashboard")
}

// withTOTP creates an account with an app, whose first code has expired.
func (s *site) withTOTP(email string) (*browser, app) {
	s.t.Helper()
	b := s.signedUp(email)
	return b, b.addTOTP()
}

// beginTOTP starts the setup of an app.
func (b *browser) beginTOTP() app {
	b.t.Helper()
	return b.scan(b.setUp("/enroll/totp").wants("totp").find(`id="otpauth" href="([^"]+)"`))
}

// setUp submits a form that sets a factor up, and gives the password if asked.
func (b *browser) setUp(path string, fields ...string) *page {
	b.t.Helper()
	p := b.post(path, fields...)
	if p.name() == "password" {
		p = b.post(passwordPath, "current", password)
	}
	return p
}

// addTOTP sets an app up, saves the backup codes that may come with it, and lets
// the app's first code expire.
func (b *browser) addTOTP() app {
	b.t.Helper()
	a := b.beginTOTP()
	b.post("/enroll/totp/verify", "code", a.shows())
	b.post("/backup-codes/saved").wants("security")
	b.clock.Advance(time.Minute)
	return a
}

// addSMS sets a phone up, and lets the cooldown pass.
func (b *browser) addSMS(number string) {
	b.t.Helper()
	b.setUp("/enroll/sms", "phone", number).wants("sms")
	b.post("/enroll/sms/verify", "code", b.smsCode(number))
	b.clock.Advance(time.Minute)
}

// name returns which page it is.
func (p *page) name() string { return p.find(`<main [^>]*data-page="([a-z]+)"`) }

// find returns the first group of a pattern in the page, or "" without a match.
func (p *page) find(pattern string) string {
	match := regexp.MustCompile(pattern).FindStringSubmatch(p.body)
	if match == nil {
		return ""
	}
	return html.UnescapeString(match[1])
}

// has reports whether the page has an element with that ID.
func (p *page) has(id string) bool { return strings.Contains(p.body, `id="`+id+`"`) }

// shownCodes returns the backup codes on the page.
func (p *page) shownCodes() (codes []string) {
	for _, match := range regexp.MustCompile(`<li><code>([^<]+)</code>`).FindAllStringSubmatch(p.body, -1) {
		codes = append(codes, match[1])
	}
	return codes
}

// wants fails the test unless it is that page.
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

// An apiUser calls the API with tokens.
type apiUser struct {
	*site
	token        string
	refreshToken string
	app          app
}

// An answer is a response of the API.
type answer struct{ response }

func (s *site) call(method, path, token, contentType, body string) *answer {
	s.t.Helper()
	return &answer{s.send(http.DefaultClient, method, path, body, "Authorization", "Bearer "+token, "Content-Type", contentType)}
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

// logIn sends the password, with further fields.
func (c *apiUser) logIn(email string, fields ...string) *answer {
	c.t.Helper()
	return c.post("/auth/login", append(fields, "email", email, "password", password)...).ok()
}

// challengeToken begins a login at the API.
func (s *site) challengeToken(email string) string {
	s.t.Helper()
	token := (&apiUser{site: s}).logIn(email).text("mfa_token")
	if !strings.HasPrefix(token, "mfa_tmp_") {
		s.t.Fatalf("%s is not challenged: token %q", email, token)
	}
	return token
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

// grantedTOTP creates an account with an app, and signs it in at the API.
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

// text returns the string in the body at a path of names, or "".
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
