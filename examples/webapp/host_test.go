package main

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfahttp"
)

// What the engine cannot prove alone: the host's part in the classes of published
// flaws.

// sources returns the application's files, parsed.
func sources(t *testing.T) (files []*ast.File) {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	return files
}

// wantsCallers checks in which functions a method of that name is called.
func wantsCallers(t *testing.T, method string, want ...string) {
	t.Helper()
	var names []string
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
	if !slices.Equal(names, want) {
		t.Errorf("%s is called in %v, want %v", method, names, want)
	}
}

// E05: every way in goes through one function, and challenges the same user.
func TestE05EveryDoorIsTheSame(t *testing.T) {
	wantsCallers(t, "BeginLogin", "signIn")
	wantsCallers(t, "check", "rightPassword")
	wantsCallers(t, "matches", "check")
	wantsCallers(t, "begin", "Complete", "begin", "logIn")
	wantsCallers(t, "signIn", "logIn", "signInPage")
	s := newSite(t)
	_, a := s.withTOTP("ada@example.com")
	b := s.browser()
	b.signIn("ada@example.com").wants("prompt")
	b.get("/security").wants("prompt")
	b = s.browser()
	b.post("/signup", "email", "ada@example.com", "password", password) // the address is taken, whatever the password
	b.get("/security").wants("login")
	b.post("/reset", "token", s.resetSecret("ada@example.com"), "password", password).wants("login")
	b.get("/security").wants("login")
	b.signIn("ada@example.com").wants("prompt")
	b.get("/security").wants("prompt")
	c := &apiUser{site: s}
	challenge := c.logIn("ada@example.com")
	if challenge.text("access_token") != "" {
		t.Error("the API returns tokens for a password")
	}
	c.keep(c.post("/auth/mfa/verify", "mfa_token", challenge.text("mfa_token"), "code", a.shows()))
}

// E06: a new password, by mail or on the security page, is no way around the
// second factor, and what was begun or trusted under the old one is over.
func TestE06PasswordResetKeepsMFA(t *testing.T) {
	wantsCallers(t, "PasswordChanged", "newPassword")
	wantsCallers(t, "setPassword", "newPassword")
	s := newSite(t)
	b, a := s.withTOTP("ada@example.com")
	b.enter("ada@example.com", a, "trust", "1")
	trusted := s.browser()
	trusted.setCookie(deviceCookie, b.cookie(deviceCookie))
	trusted.signIn("ada@example.com").wants("dashboard")
	pending := s.browser()
	pending.signIn("ada@example.com").wants("prompt")
	token := s.challengeToken("ada@example.com")

	thief, secret := s.browser(), s.resetSecret("ada@example.com") // who reads the mail
	signIn := func(b *browser, password string) *page {
		return b.post("/login", "email", "ada@example.com", "password", password)
	}
	thief.get("/reset?token=" + secret).wants("reset")
	thief.post("/reset", "token", secret, "password", "short").wants("reset").wantsError(http.StatusUnprocessableEntity, "invalid_password")
	thief.post("/reset", "token", secret, "password", "a new password").wants("login").wantsNotice("Your password was changed.")
	thief.post("/reset", "token", secret, "password", "another password").wants("reset").wantsError(http.StatusUnprocessableEntity, "invalid_link")
	signIn(thief, password).wants("login").wantsError(http.StatusUnauthorized, "invalid_credentials")
	signIn(thief, "a new password").wants("prompt")
	thief.get("/dashboard").wants("prompt")

	s.clock.Advance(time.Minute)
	for name, b := range map[string]*browser{"signed in": b, "trusted": trusted, "pending": pending} {
		if p := b.get("/dashboard"); p.name() != "login" {
			t.Errorf("%s: %q after the password changed", name, p.name())
		}
	}
	(&apiUser{site: s}).post("/auth/mfa/verify", "mfa_token", token, "code", a.shows()).refused(http.StatusUnauthorized, "invalid_token")
	signIn(trusted, "a new password").wants("prompt")
	trusted.post("/login/mfa", "code", a.shows()).wants("dashboard")

	trusted.post("/security/password", "current", "wrong", "password", "a third password").wants("security").wantsError(http.StatusUnauthorized, "wrong_password")
	trusted.post("/security/password", "current", "a new password", "password", "a third password").wants("login").wantsNotice("Your password was changed.")
	signIn(trusted, "a third password").wants("prompt")
}

// H04: before the password was right nothing reveals whether there is such a user,
// or which factors they have: neither the answer nor the work.
func TestH04NoEnumeration(t *testing.T) {
	s := newSite(t)
	s.withTOTP("totp@example.com")
	s.signedUp("plain@example.com")
	client := &apiUser{site: s}
	first := map[string]string{}
	hashes := s.countHashes()
	for _, email := range []string{"totp@example.com", "plain@example.com", "nobody@example.com"} {
		p := s.browser().post("/login", "email", email, "password", "wrong password").wants("login").wantsError(http.StatusUnauthorized, "invalid_credentials")
		before := hashes.Load()
		a := client.post("/auth/login", "email", email, "password", "wrong password").refused(http.StatusUnauthorized, "invalid_credentials")
		if n := hashes.Load() - before; n != 1 {
			t.Errorf("%s costs %d hashes, want one", email, n)
		}
		s.browser().post("/forgot", "email", email)
		rows := s.countRows()
		f := s.browser().post("/forgot", "email", email).wants("login")
		if n := s.countRows() - rows; n != 2 {
			t.Errorf("asking for a link for %s writes %d rows, want one deleted and one in its place", email, n)
		}
		for kind, body := range map[string]string{"page": p.body, "API": a.body, "forgot": f.body} {
			body = strings.ReplaceAll(body, email, "EMAIL")
			if first[kind] == "" {
				first[kind] = body
			}
			if body != first[kind] {
				t.Errorf("%s distinguishes %s from the first", kind, email)
			}
		}
	}
}

// countRows returns how many rows were written so far.
func (s *site) countRows() (n int) {
	s.t.Helper()
	if err := s.users.db.QueryRow("SELECT total_changes()").Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// countHashes counts the hashes of passwords from now on, by handing out the slots
// that they need.
func (s *site) countHashes() *atomic.Int64 {
	var count atomic.Int64
	slots, done := make(chan struct{}), make(chan struct{})
	s.users.passwords.slots = slots
	s.t.Cleanup(func() { close(done) })
	go func() {
		for {
			select {
			case <-slots:
				count.Add(1)
				slots <- struct{}{}
			case <-done:
				return
			}
		}
	}()
	return &count
}

// C02: a challenge belongs to the browser that began it, which never gets to see
// its token.
func TestC02ChallengeStaysInItsBrowser(t *testing.T) {
	s := newSite(t)
	_, a := s.withTOTP("ada@example.com")
	s.withTOTP("bob@example.com")
	b, bob, other := s.browser(), s.browser(), s.browser()
	p := b.signIn("ada@example.com").wants("prompt")
	for name, text := range map[string]string{"page": p.body, "cookie": b.cookie("session"), "path": p.path, "database": s.dump()} {
		if strings.Contains(text, "mfa_tmp_") {
			t.Errorf("the %s contains the token", name)
		}
	}
	token := s.challengeToken("ada@example.com") // even with a valid token
	other.post("/login/mfa", "mfa_token", token, "token", token, "code", a.shows()).wants("login")
	other.get("/login/mfa?mfa_token=" + token).wants("login")
	bob.signIn("bob@example.com").wants("prompt")
	bob.post("/login/mfa", "mfa_token", token, "user", s.userID("ada@example.com"), "code", a.shows()).wants("prompt").
		wantsError(http.StatusUnauthorized, "invalid_code") // it is compared with bob's app
	b.post("/login/mfa", "code", a.shows()).wants("dashboard")

	// At the API, one user's step-up token is worthless for another.
	ada, bobs := s.grantedTOTP("cyd@example.com"), s.grantedTOTP("dan@example.com")
	s.clock.Advance(16 * time.Minute)
	ada.refresh()
	bobs.refresh()
	theirs := ada.post("/mfa/enroll", "method", "totp").refused(http.StatusForbidden, "mfa_required").text("error", "mfa_token")
	bobs.post("/mfa/step-up", "mfa_token", theirs, "code", ada.app.shows()).refused(http.StatusUnauthorized, "invalid_token")
	bobs.post("/mfa/enroll", "method", "totp").refused(http.StatusForbidden, "mfa_required")
}

// D14: a factor is confirmed while a login without one is under way. The session
// that results from that login is over before it can do anything.
func TestD14FactorConfirmedDuringLogin(t *testing.T) {
	s := newSite(t)
	owner, early := s.signedUp("ada@example.com"), s.browser()
	early.signIn("ada@example.com").wants("dashboard") // while there is no factor
	request, err := http.NewRequest(http.MethodPost, s.url+"/login", nil)
	if err != nil {
		t.Fatal(err)
	}
	u, err := s.signIn(request, "ada@example.com", password, "") // nil: no factor yet
	if err != nil {
		t.Fatalf("got %v, want to be in", err)
	}
	begin := func() *apiUser {
		granted, err := s.grants.begin(t.Context(), grant{UserID: u.ID, Generation: u.Generation})
		if err != nil {
			t.Fatal(err)
		}
		return &apiUser{site: s, token: granted.Access}
	}
	client := begin()
	client.status().ok()

	a := owner.addTOTP() // meanwhile
	client.status().refused(http.StatusUnauthorized, "unauthorized")
	begin().status().refused(http.StatusUnauthorized, "unauthorized")
	early.get("/dashboard").wants("login").wantsNotice(sessionOver)
	owner.get("/dashboard").wants("dashboard")
	if _, err := s.users.endOthers(t.Context(), u.ID, u.Generation); !errors.Is(err, mfahttp.ErrNoSession) {
		t.Errorf("a session that has ended goes on: %v", err)
	}
	owner.get("/dashboard").wants("login") // two changes at once end each other's
	early.enter("ada@example.com", a)
}

// Whichever of two changes is recorded last, the record covers both. A wrong one would
// lock the user out, or let in a user whose factors are missing.
func TestChangesAtOnceAreRecorded(t *testing.T) {
	enroll := func(s *site, id string) error {
		enrollment, err := s.engine.EnrollTOTP(s.t.Context(), id, "ada@example.com")
		if err == nil {
			_, err = s.engine.VerifyEnrollment(s.t.Context(), id, mfa.MethodTOTP, s.scan(enrollment.URI).shows())
		}
		return err
	}
	reset := func(s *site, id string) error { return s.engine.Reset(s.t.Context(), id) }
	for name, test := range map[string]struct {
		before, first, second func(s *site, id string) error // second while first is recorded
		want                  bool
	}{
		"a removal overtakes an enrollment": {before: reset, first: enroll, second: reset, want: false},
		"an enrollment overtakes a removal": {before: enroll, first: reset, second: enroll, want: true},
	} {
		t.Run(name, func(t *testing.T) {
			h, onHooks := hooked(t)
			s := newSite(t, onHooks)
			s.create("ada@example.com")
			id := s.userID("ada@example.com")
			if err := test.before(s, id); err != nil {
				t.Fatal(err)
			}
			h.before = func(statement string) {
				if !strings.Contains(statement, "SET has_mfa") {
					return
				}
				h.before = nil
				if err := test.second(s, id); err != nil {
					t.Error(err)
				}
			}
			if err := test.first(s, id); err != nil || h.before != nil {
				t.Fatalf("got %v, or nothing was recorded", err)
			}
			if u, err := s.users.byID(t.Context(), id); err != nil || u.HasMFA != test.want {
				t.Errorf("the record is %v, %v, want %v", u.HasMFA, err, test.want)
			}
		})
	}
}

// B09: however the address is spelled, it is one user with one budget of wrong
// codes and one of wrong passwords.
func TestB09OneUserHoweverSpelled(t *testing.T) {
	wantsCallers(t, "byEmail", "check", "mailReset", "trusts")
	s := newSite(t)
	b, a := s.withTOTP("Ada@Example.com")
	b.post("/logout")
	b.post("/signup", "email", " ADA@example.COM ", "password", password).wants("signup").wantsError(http.StatusConflict, "email_taken")
	spellings := []string{"ada@example.com", "ADA@EXAMPLE.COM", " Ada@Example.com", "aDa@example.com\t", "ada@exAmple.com"}
	for _, email := range spellings {
		b := s.browser()
		b.signIn(email).wants("prompt")
		b.post("/login/mfa", "code", a.wrong()).wants("prompt").wantsError(http.StatusUnauthorized, "invalid_code")
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
	client.logIn("Ada@example.com")
}

// A stranger who types wrong passwords locks everybody out, but not the owner on a
// device that the account trusts, which has a count of its own. A device of another
// account counts as a stranger's.
func TestStrangersDoNotLockOutATrustedDevice(t *testing.T) {
	s := newSite(t)
	b, a := s.withTOTP("ada@example.com")
	mallory, key := s.withTOTP("mallory@example.com")
	b.enter("ada@example.com", a, "trust", "1")
	mallory.enter("mallory@example.com", key, "trust", "1")
	guess := func(b *browser) *page {
		return b.post("/login", "email", "ada@example.com", "password", "wrong password")
	}
	for range limitAccount {
		guess(mallory).wantsError(http.StatusUnauthorized, "invalid_credentials")
	}
	guess(mallory).wantsError(http.StatusTooManyRequests, "too_many_attempts")
	s.browser().signIn("ada@example.com").wantsError(http.StatusTooManyRequests, "too_many_attempts")
	b.signIn(" Ada@Example.com").wants("dashboard")
	for range limitAccount {
		guess(b).wantsError(http.StatusUnauthorized, "invalid_credentials")
	}
	b.signIn("ada@example.com").wantsError(http.StatusTooManyRequests, "too_many_attempts")
	(&apiUser{site: s}).post("/auth/login", "email", "ada@example.com", "password", password, "device_token", b.cookie(deviceCookie)+"\n").
		refused(http.StatusTooManyRequests, "too_many_attempts") // it is one device however it is spelled
}

// The cookie of a device that the account no longer trusts brings no guesses of its
// own: they would add up, and outlast a new password.
func TestDevicesOfThePastBringNoGuesses(t *testing.T) {
	for name, end := range map[string]func(s *site, id string) error{
		"forgotten":      func(s *site, id string) error { return s.engine.ForgetDevices(s.t.Context(), id) },
		"a new password": func(s *site, id string) error { return s.newPassword(s.t.Context(), id, "another password") },
		"expired":        func(s *site, _ string) error { s.clock.Advance(30 * 24 * time.Hour); return nil },
		"no account": func(s *site, id string) error {
			return s.users.remove(s.t.Context(), id, func(tx *sql.Tx) error { return s.store.DeleteTx(s.t.Context(), tx, id) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.create("root@example.com")
			b, a := s.withTOTP("ada@example.com")
			b.enter("ada@example.com", a, "trust", "1")
			if err := end(s, s.userID("ada@example.com")); err != nil {
				t.Fatal(err)
			}
			guess := func() *page { return b.post("/login", "email", "ada@example.com", "password", "wrong password") }
			for range limitAccount {
				s.browser().post("/login", "email", "ada@example.com", "password", "wrong password").wantsError(http.StatusUnauthorized, "invalid_credentials")
			}
			guess().wantsError(http.StatusTooManyRequests, "too_many_attempts")
			s.clock.Advance(limitWindow)
			for range limitAccount {
				guess().wantsError(http.StatusUnauthorized, "invalid_credentials")
			}
			s.browser().signIn("ada@example.com").wantsError(http.StatusTooManyRequests, "too_many_attempts")
		})
	}
}

// No step keeps the password in any form, and no code, token or secret is stored or
// logged in the clear.
func TestNothingSecretIsKept(t *testing.T) {
	var log bytes.Buffer
	s := newSite(t, func(c *config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	b := s.signedUp("ada@example.com")
	setup := b.setUp("/enroll/totp").wants("totp")
	key := strings.ReplaceAll(setup.find(`<code id="key"[^>]*>([^<]+)`), " ", "")
	stored := s.dump()
	a := s.scan(setup.find(`id="otpauth" href="([^"]+)"`))
	codes := b.post("/enroll/totp/verify", "code", a.shows()).wants("backupcodes").shownCodes()
	stored += s.dump()
	b.post("/logout")
	s.clock.Advance(time.Minute)
	b.signIn("ada@example.com").wants("prompt")
	stored += s.dump()
	ctx, err := s.sessions.Load(t.Context(), b.cookie("session"))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := json.Marshal(s.sessions.Get(ctx, sessionKey))
	if err != nil || !bytes.Contains(opened, []byte("mfa_tmp_")) || bytes.Contains(opened, []byte(password)) {
		t.Errorf("the session has no challenge, or the password: %s, %v", opened, err)
	}
	b.post("/login/mfa", "code", a.shows(), "trust", "1").wants("dashboard")
	client := s.granted("ada@example.com", a)
	stored += s.dump()
	secrets := append([]string{password, key, client.token, client.refreshToken, b.cookie("session"), b.cookie(deviceCookie), "mfa_tmp_", "mfa_prf_"}, codes...)
	for _, secret := range secrets {
		if secret == "" || strings.Contains(stored, secret) || strings.Contains(log.String(), secret) {
			t.Errorf("%.8q is missing, or stored or logged in the clear", secret)
		}
	}
	if !strings.Contains(stored, "ada@example.com") || !strings.Contains(log.String(), "event.type=verified") {
		t.Error("nothing was looked at")
	}
}

// dump returns the database's file, the engine's records included.
func (s *site) dump() string {
	s.t.Helper()
	path := filepath.Join(s.t.TempDir(), "dump.db")
	if _, err := s.users.db.Exec("VACUUM INTO ?", path); err != nil {
		s.t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}
