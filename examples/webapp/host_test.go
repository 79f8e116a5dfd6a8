package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// What the engine cannot prove alone: the host's part, by the classes of
// published flaws.

// sources are the application's files.
func sources(t *testing.T) map[string]*ast.File {
	t.Helper()
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	files := make(map[string]*ast.File)
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = file
	}
	return files
}

// callers are the functions in which a method of that name is called.
func callers(t *testing.T, method string) (names []string) {
	t.Helper()
	for _, file := range sources(t) {
		for _, declaration := range file.Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(function, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					if selector, ok := call.Fun.(*ast.SelectorExpr); ok && selector.Sel.Name == method {
						names = append(names, function.Name.Name)
					}
				}
				return true
			})
		}
	}
	slices.Sort(names)
	return names
}

func (s *site) userID(email string) string {
	s.t.Helper()
	u, err := s.users.byEmail(s.t.Context(), email)
	if err != nil {
		s.t.Fatal(err)
	}
	return u.ID
}

func (s *site) require(required bool) {
	s.t.Helper()
	if err := s.settings.setMFARequired(s.t.Context(), required); err != nil {
		s.t.Fatal(err)
	}
}

// challengeToken begins a login at the API.
func (s *site) challengeToken(email string) string {
	s.t.Helper()
	token := (&apiUser{site: s}).post("/auth/login", "email", email, "password", password).ok().text("mfa_token")
	if !strings.HasPrefix(token, "mfa_tmp_") {
		s.t.Fatalf("%s is not challenged: token %q", email, token)
	}
	return token
}

// E05: every door goes through one function, and challenges the same user.
func TestE05EveryDoorIsTheSame(t *testing.T) {
	for method, want := range map[string][]string{
		"BeginLogin": {"signIn"},
		"check":      {"rightPassword"},
		"matches":    {"check"},
		"begin":      {"apiLogin", "apiVerify", "apiVerifyLogin"},
		"signIn":     {"apiLogin", "signInPage"},
	} {
		if names := callers(t, method); !slices.Equal(names, want) {
			t.Errorf("%s is called in %v, want %v", method, names, want)
		}
	}
	s := newSite(t)
	b, a := s.withTOTP("ada@example.com")
	b.post("/logout")
	doors := map[string]func(b *browser) *page{
		"login": func(b *browser) *page { return b.signIn("ada@example.com") },
		"signup": func(b *browser) *page {
			b.post("/signup", "email", "ada@example.com", "password", password)
			return b.get("/dashboard")
		},
		"reset": func(b *browser) *page {
			b.post("/forgot", "email", "ada@example.com").wants("login")
			b.post("/reset", "token", strings.TrimPrefix(s.mailed("ada@example.com"), "/reset?token="), "password", password).wants("login")
			return b.signIn("ada@example.com")
		},
	}
	for name, door := range doors {
		want := "prompt"
		if name == "signup" {
			want = "login" // the address is taken, whatever the password
		}
		b := s.browser()
		if p := door(b); p.name() != want {
			t.Errorf("%s leads to %q, want %q", name, p.name(), want)
		}
		b.get("/security").wants(want)
	}
	c := &apiUser{site: s}
	challenge := c.post("/auth/login", "email", "ada@example.com", "password", password).ok()
	if challenge.text("access_token") != "" {
		t.Error("the API gives tokens for a password")
	}
	if c.post("/auth/mfa/verify", "mfa_token", challenge.text("mfa_token"), "code", a.shows()).ok().text("access_token") == "" {
		t.Error("the API gives no tokens for a code")
	}
}

// E06: a new password, by mail or by the security page, is no way around the
// second factor; and what was begun or trusted under the old one is over.
func TestE06PasswordResetKeepsMFA(t *testing.T) {
	s := newSite(t)
	b, a := s.withTOTP("ada@example.com")
	b.post("/logout")
	b.signIn("ada@example.com").wants("prompt")
	b.post("/login/mfa", "code", a.shows(), "trust", "1").wants("dashboard")
	trusted := s.browser()
	trusted.setCookie(deviceCookie, b.cookie(deviceCookie))
	trusted.signIn("ada@example.com").wants("dashboard")
	pending := s.browser()
	pending.signIn("ada@example.com").wants("prompt")
	token := s.challengeToken("ada@example.com")

	thief := s.browser() // who reads the mail
	thief.post("/forgot", "email", "ada@example.com").wants("login")
	secret := strings.TrimPrefix(s.mailed("ada@example.com"), "/reset?token=")
	thief.get("/reset?token=" + secret).wants("reset")
	thief.post("/reset", "token", secret, "password", "short").wants("reset").wantsError(http.StatusUnprocessableEntity, "invalid_password")
	thief.post("/reset", "token", secret, "password", "a new password").wants("login").wantsNotice("Your password is changed.")
	thief.post("/reset", "token", secret, "password", "another password").wants("reset").wantsError(http.StatusUnprocessableEntity, "invalid_link")
	thief.post("/login", "email", "ada@example.com", "password", password).wants("login").wantsError(http.StatusUnauthorized, "invalid_credentials")
	thief.post("/login", "email", "ada@example.com", "password", "a new password").wants("prompt")
	thief.get("/dashboard").wants("prompt")

	s.clock.Advance(time.Minute)
	for name, b := range map[string]*browser{"signed in": b, "trusted": trusted, "pending": pending} {
		if p := b.get("/dashboard"); p.name() != "login" {
			t.Errorf("%s: %q after the password changed", name, p.name())
		}
	}
	(&apiUser{site: s}).post("/auth/mfa/verify", "mfa_token", token, "code", a.shows()).refused(http.StatusUnauthorized, "invalid_token")
	trusted.post("/login", "email", "ada@example.com", "password", "a new password").wants("prompt")
	trusted.post("/login/mfa", "code", a.shows()).wants("dashboard")

	trusted.post("/security/password", "current", "wrong", "password", "a third password").wants("security").wantsError(http.StatusUnauthorized, "wrong_password")
	trusted.post("/security/password", "current", "a new password", "password", "a third password").wants("login").wantsNotice("Your password is changed.")
	trusted.post("/login", "email", "ada@example.com", "password", "a third password").wants("prompt")
	if names := callers(t, "PasswordChanged"); !slices.Equal(names, []string{"newPassword"}) {
		t.Errorf("PasswordChanged is called in %v", names)
	}
	if names := callers(t, "setPassword"); !slices.Equal(names, []string{"newPassword"}) {
		t.Errorf("setPassword is called in %v", names)
	}
}

// H04: before the password was right nothing tells whether there is such a
// user, or what factors they have: neither the answer nor the work.
func TestH04NoEnumeration(t *testing.T) {
	s := newSite(t)
	s.withTOTP("totp@example.com")
	s.signedUp("plain@example.com")
	client := &apiUser{site: s}
	emails := []string{"totp@example.com", "plain@example.com", "nobody@example.com"}
	first := map[string]string{}
	for _, email := range emails {
		p := s.browser().post("/login", "email", email, "password", "wrong password").wants("login").wantsError(http.StatusUnauthorized, "invalid_credentials")
		a := client.post("/auth/login", "email", email, "password", "wrong password").refused(http.StatusUnauthorized, "invalid_credentials")
		f := s.browser().post("/forgot", "email", email).wants("login")
		for kind, body := range map[string]string{"page": p.body, "API": a.body, "forgot": f.body} {
			body = strings.ReplaceAll(body, email, "EMAIL")
			if first[kind] == "" {
				first[kind] = body
			}
			if body != first[kind] {
				t.Errorf("%s tells %s from the first", kind, email)
			}
		}
	}
	hashes := s.countHashes()
	for _, email := range emails {
		before := hashes.Load()
		client.post("/auth/login", "email", email, "password", "wrong password").refused(http.StatusUnauthorized, "invalid_credentials")
		if n := hashes.Load() - before; n != 1 {
			t.Errorf("%s costs %d hashes, want one", email, n)
		}
	}
	for _, email := range emails {
		before := s.countRows()
		s.browser().post("/forgot", "email", email).wants("login")
		if n := s.countRows() - before; n != 2 {
			t.Errorf("asking for a link for %s writes %d rows, want one away and one in its place", email, n)
		}
	}
	s.browser().signIn("totp@example.com").wants("prompt")
}

// countRows is how many rows were written so far.
func (s *site) countRows() (n int) {
	s.t.Helper()
	if err := s.users.db.QueryRow("SELECT total_changes()").Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// countHashes counts how many hashes of passwords are computed from now on: one
// cannot begin or end without being seen here.
func (s *site) countHashes() *atomic.Int64 {
	var count atomic.Int64
	unbuffered, done := make(passwords), make(chan struct{})
	s.users.passwords = unbuffered
	s.t.Cleanup(func() { close(done) })
	go func() {
		for {
			select {
			case <-unbuffered:
				count.Add(1)
				unbuffered <- struct{}{}
			case <-done:
				return
			}
		}
	}()
	return &count
}

// C02: a challenge belongs to the browser that began it, and its token is never
// there to be taken along.
func TestC02ChallengeStaysInItsBrowser(t *testing.T) {
	s := newSite(t)
	b, a := s.withTOTP("ada@example.com")
	b.post("/logout")
	p := b.signIn("ada@example.com").wants("prompt")
	for name, text := range map[string]string{"page": p.body, "cookie": b.cookie("session"), "address": p.path} {
		if strings.Contains(text, "mfa_tmp_") {
			t.Errorf("the %s has the token", name)
		}
	}
	stored := s.dump()
	if strings.Contains(stored, "mfa_tmp_") {
		t.Error("the database has the token as it is")
	}
	other := s.browser()
	token := s.challengeToken("ada@example.com") // even with a live token
	other.post("/login/mfa", "mfa_token", token, "token", token, "code", a.shows()).wants("login")
	other.get("/login/mfa?mfa_token=" + token).wants("login")
	bob, _ := s.withTOTP("bob@example.com")
	bob.post("/logout")
	bob.signIn("bob@example.com").wants("prompt")
	s.clock.Advance(time.Minute)
	bob.post("/login/mfa", "mfa_token", token, "user", s.userID("ada@example.com"), "code", a.shows()).wants("prompt").
		wantsError(http.StatusUnauthorized, "invalid_code") // it is compared with bob's app
	b.post("/login/mfa", "code", a.shows()).wants("dashboard")

	// At the API a step-up token of one user is worthless for another.
	ada, bobs := s.grantedTOTP("cyd@example.com"), s.grantedTOTP("dan@example.com")
	s.clock.Advance(16 * time.Minute)
	ada.refresh()
	bobs.refresh()
	theirs := ada.post("/mfa/enroll", "method", "totp").refused(http.StatusForbidden, "mfa_required").text("error", "mfa_token")
	bobs.post("/mfa/step-up", "mfa_token", theirs, "code", ada.app.shows()).refused(http.StatusUnauthorized, "invalid_token")
	bobs.post("/mfa/enroll", "method", "totp").refused(http.StatusForbidden, "mfa_required")
}

// D14: a factor is confirmed while a login without one is under way. The
// session that comes out of that login is over before it can do anything.
func TestD14FactorConfirmedDuringLogin(t *testing.T) {
	s := newSite(t)
	owner := s.signedUp("ada@example.com")
	thief := s.browser()
	request, err := http.NewRequest(http.MethodPost, s.url+"/login", nil)
	if err != nil {
		t.Fatal(err)
	}
	thief.signIn("ada@example.com").wants("dashboard") // as long as there is no factor
	thief.post("/logout")

	u, err := s.signIn(request, "ada@example.com", password, "") // nil: no factor yet
	if err != nil {
		t.Fatalf("got %v, want to be in", err)
	}
	granted, err := s.grants.begin(t.Context(), u.ID, u.Generation, "")
	if err != nil {
		t.Fatal(err)
	}
	client := &apiUser{site: s, token: granted.Access}
	client.status().ok()
	early := s.browser()
	early.signIn("ada@example.com").wants("dashboard")

	a := owner.addTOTP() // meanwhile
	late, err := s.grants.begin(t.Context(), u.ID, u.Generation, "")
	if err != nil {
		t.Fatal(err)
	}
	client.status().refused(http.StatusUnauthorized, "unauthorized")
	(&apiUser{site: s, token: late.Access}).status().refused(http.StatusUnauthorized, "unauthorized")
	early.get("/dashboard").wants("login").wantsNotice("Your session is over.")
	owner.get("/dashboard").wants("dashboard")
	early.signIn("ada@example.com").wants("prompt")
	early.post("/login/mfa", "code", a.shows()).wants("dashboard")
}

// B09: however the address is spelled, it is one user with one budget of wrong
// codes, and one of wrong passwords.
func TestB09OneUserHoweverSpelled(t *testing.T) {
	s := newSite(t)
	b, a := s.withTOTP("Ada@Example.com")
	b.post("/logout")
	b.post("/signup", "email", " ADA@example.COM ", "password", password).wants("signup").wantsError(http.StatusConflict, "email_taken")
	spellings := []string{"ada@example.com", "ADA@EXAMPLE.COM", " Ada@Example.com", "aDa@example.com\t", "ada@exAmple.com"}
	id := s.userID("ada@example.com")
	for _, email := range spellings {
		b := s.browser()
		b.signIn(email).wants("prompt")
		b.post("/login/mfa", "code", a.wrong()).wants("prompt").wantsError(http.StatusUnauthorized, "invalid_code")
		if s.userID(email) != id {
			t.Errorf("%q is another user", email)
		}
	}
	last := s.browser()
	last.signIn("adA@example.com").wants("prompt")
	last.post("/login/mfa", "code", a.shows()).wants("prompt").wantsError(http.StatusTooManyRequests, "too_many_attempts")

	client := &apiUser{site: s}
	for i := range limitAccount {
		client.post("/auth/login", "email", spellings[i%len(spellings)], "password", "wrong password").refused(http.StatusUnauthorized, "invalid_credentials")
	}
	throttled := client.post("/auth/login", "email", "Ada@example.com", "password", password).refused(http.StatusTooManyRequests, "too_many_attempts")
	wait, err := time.ParseDuration(throttled.header.Get("Retry-After") + "s")
	if err != nil || wait <= 0 || wait > limitWindow {
		t.Fatalf("Retry-After %q", throttled.header.Get("Retry-After"))
	}
	s.clock.Advance(wait)
	client.post("/auth/login", "email", "Ada@example.com", "password", password).ok()
	if names := callers(t, "byEmail"); !slices.Equal(names, []string{"check", "mailReset"}) {
		t.Errorf("users are looked up by their address in %v", names)
	}
}

// A stranger who types wrong passwords locks all others out, but not the owner
// on a device that the account has trusted: its count is its own. Another
// account's device is a stranger.
func TestStrangersDoNotLockOutATrustedDevice(t *testing.T) {
	s := newSite(t)
	b, a := s.withTOTP("ada@example.com")
	mallory, key := s.withTOTP("mallory@example.com")
	for email, trusting := range map[string]struct {
		*browser
		app
	}{"ada@example.com": {b, a}, "mallory@example.com": {mallory, key}} {
		trusting.post("/logout")
		trusting.signIn(email).wants("prompt")
		trusting.post("/login/mfa", "code", trusting.shows(), "trust", "1").wants("dashboard")
		trusting.post("/logout")
	}
	guess := func(b *browser) *page {
		return b.post("/login", "email", "ada@example.com", "password", "wrong password")
	}
	for range limitAccount {
		guess(mallory).wantsError(http.StatusUnauthorized, "invalid_credentials")
	}
	guess(mallory).wantsError(http.StatusTooManyRequests, "too_many_attempts")
	s.browser().signIn("ada@example.com").wantsError(http.StatusTooManyRequests, "too_many_attempts")
	b.signIn(" Ada@Example.com").wants("dashboard")
	b.post("/logout")
	for range limitAccount {
		guess(b).wantsError(http.StatusUnauthorized, "invalid_credentials")
	}
	b.signIn("ada@example.com").wantsError(http.StatusTooManyRequests, "too_many_attempts")
	(&apiUser{site: s}).post("/auth/login", "email", "ada@example.com", "password", password, "device_token", b.cookie(deviceCookie)+"\n").
		refused(http.StatusTooManyRequests, "too_many_attempts") // it is one device however it is spelled
}

// No password is kept between the steps, in any form; no code, token or secret
// is stored as it is.
func TestNothingSecretIsKept(t *testing.T) {
	var log bytes.Buffer
	s := newSite(t, func(c *config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	b := s.signedUp("ada@example.com")
	setup := b.post("/enroll/totp").wants("totp")
	key := strings.ReplaceAll(setup.find(`<code id="key"[^>]*>([^<]+)`), " ", "")
	during := s.dump()
	a := s.scan(setup.find(`id="otpauth" href="([^"]+)"`))
	codes := b.post("/enroll/totp/verify", "code", a.shows()).wants("backupcodes").shownCodes()
	shown := s.dump()
	b.post("/logout")
	s.clock.Advance(time.Minute)
	b.signIn("ada@example.com").wants("prompt")
	between := s.dump()
	b.post("/login/mfa", "code", a.shows(), "trust", "1").wants("dashboard")
	client := s.granted("ada@example.com", a)
	stored := during + shown + between + s.dump()
	secrets := append([]string{password, key, client.token, client.refreshToken, b.cookie("session"), b.cookie(deviceCookie), "mfa_tmp_", "mfa_prf_"}, codes...)
	for _, secret := range secrets {
		if secret == "" {
			t.Fatal("a secret is missing")
		}
		if strings.Contains(stored, secret) {
			t.Errorf("%.8q is stored as it is", secret)
		}
		if strings.Contains(log.String(), secret) {
			t.Errorf("%.8q is logged", secret)
		}
	}
	if !strings.Contains(stored, "ada@example.com") || !strings.Contains(log.String(), "event.type=verified") {
		t.Error("nothing was looked at")
	}
}

// No step of the login keeps the password: it is not in what the session holds,
// once that is opened.
func TestNoPasswordBetweenSteps(t *testing.T) {
	s := newSite(t)
	b, _ := s.withTOTP("ada@example.com")
	b.post("/logout")
	b.signIn("ada@example.com").wants("prompt")
	opened := s.openSessions()
	if !strings.Contains(opened, "mfa_tmp_") {
		t.Fatal("no session with a challenge was opened")
	}
	if strings.Contains(opened, password) {
		t.Error("the session has the password")
	}
}

// openSessions are the sessions in the database, opened.
func (s *site) openSessions() string {
	s.t.Helper()
	rows, err := s.users.db.Query("SELECT data FROM sessions WHERE data IS NOT NULL")
	if err != nil {
		s.t.Fatal(err)
	}
	defer rows.Close()
	var opened strings.Builder
	for rows.Next() {
		var sealed []byte
		if err := rows.Scan(&sealed); err != nil {
			s.t.Fatal(err)
		}
		data, err := s.grants.sealer.open(sessionData, sealed)
		if err != nil {
			s.t.Fatal(err)
		}
		opened.Write(data)
	}
	return opened.String()
}

// dump is all that the database holds, the engine's records included.
func (s *site) dump() string {
	s.t.Helper()
	var all strings.Builder
	tables, err := s.users.db.Query("SELECT name FROM sqlite_schema WHERE type = 'table'")
	if err != nil {
		s.t.Fatal(err)
	}
	var names []string
	for tables.Next() {
		var name string
		if err := tables.Scan(&name); err != nil {
			s.t.Fatal(err)
		}
		names = append(names, name)
	}
	tables.Close()
	for _, name := range names {
		rows, err := s.users.db.Query("SELECT * FROM " + name)
		if err != nil {
			s.t.Fatal(err)
		}
		columns, err := rows.Columns()
		if err != nil {
			s.t.Fatal(err)
		}
		for rows.Next() {
			values := make([]any, len(columns))
			for i := range values {
				values[i] = new([]byte)
			}
			if err := rows.Scan(values...); err != nil {
				s.t.Fatal(err)
			}
			for _, value := range values {
				all.Write(*value.(*[]byte))
				all.WriteByte(' ')
			}
		}
		rows.Close()
	}
	return all.String()
}
