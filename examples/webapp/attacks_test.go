package main

import (
	"context"
	"encoding/json"
	"errors"
	"go/ast"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa/mfahttp"
)

// A route is one that the application declares.
type route struct{ method, path string }

func (r route) String() string { return r.method + " " + r.path }

// routed returns the pages, read from the source, and the API as its document
// describes it, so that what is added is tested too.
func routed(t *testing.T) (pages, api []route) {
	t.Helper()
	for _, file := range sources(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 2 {
				return true
			}
			name, _ := call.Fun.(*ast.Ident)
			pattern, _ := call.Args[0].(*ast.BasicLit)
			if name != nil && name.Name == "page" && pattern != nil {
				method, path, _ := strings.Cut(strings.Trim(pattern.Value, `"`), " ")
				pages = append(pages, route{method, strings.TrimSuffix(path, "{$}")})
			}
			return true
		})
	}
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(mfahttp.OpenAPI(), &document); err != nil {
		t.Fatal(err)
	}
	delete(document.Paths, "/openapi.json") // which everybody may read
	for path, methods := range document.Paths {
		for method := range methods {
			api = append(api, route{strings.ToUpper(method), path})
		}
	}
	if len(pages) < 30 || len(api) < 15 {
		t.Fatalf("found %d pages and %d API routes", len(pages), len(api))
	}
	return pages, api
}

func (b *browser) visit(r route) *page {
	b.t.Helper()
	if r.method == http.MethodGet {
		return b.get(r.path)
	}
	return b.post(r.path)
}

// anyState are the routes that a browser may use in every state, as a stranger:
// to sign in as another user, to follow a mailed link, to sign out.
var anyState = []route{{"POST", "/login"}, {"GET", "/reset"}, {"POST", "/reset"}, {"POST", "/logout"}}

// While only the password was right, every page leads to the prompt, whatever is
// typed into the address bar or posted, and the API refuses every call.
func TestPasswordOnlyReachesNothing(t *testing.T) {
	pages, api := routed(t)
	s := newSite(t)
	first, _ := s.withTOTP("ada@example.com") // the administrator, so that no right is missing
	first.get("/project").wants("project")
	b := s.browser()
	b.signIn("ada@example.com").wants("prompt")
	for _, r := range pages {
		if slices.Contains(anyState, r) {
			continue
		}
		if p := b.visit(r); p.name() != "prompt" || p.path != loginPath && p.path != loginPath+"/send" {
			t.Errorf("%s leads to %q at %s", r, p.name(), p.path)
		}
	}
	for _, r := range api {
		for _, token := range []string{"", b.cookie("session"), s.challengeToken("ada@example.com")} {
			if a := s.call(r.method, r.path, token, "application/json", "{}"); a.status < 400 {
				t.Errorf("%s with %.8q answers %d: %s", r, token, a.status, a.body)
			}
		}
	}
	s.wantsFactors("ada@example.com", 2)
}

// A user who must enroll first reaches enrollment only.
func TestEnrollingReachesEnrollmentAlone(t *testing.T) {
	pages, api := routed(t)
	s := newSite(t)
	s.require(true)
	b := s.browser()
	if p := b.post("/signup", "email", "ada@example.com", "password", password).wants("enroll"); !p.has("required-text") {
		t.Error("the page does not say why")
	}
	for _, r := range pages {
		if slices.Contains(anyState, r) {
			continue
		}
		if p := b.visit(r); !strings.HasPrefix(p.path, "/enroll") {
			t.Errorf("%s leads to %q at %s", r, p.name(), p.path)
		}
	}
	c := &apiUser{site: s}
	c.token = c.logIn("ada@example.com").text("mfa_token")
	for _, r := range api {
		if r.path == "/mfa/enroll" || r.path == "/mfa/verify" {
			continue
		}
		if a := s.call(r.method, r.path, c.token, "application/json", "{}"); a.status < 400 {
			t.Errorf("%s answers %d: %s", r, a.status, a.body)
		}
	}
	c.post("/mfa/enroll", "method", "totp").ok()
}

// Strangers reach signing in and signing up only.
func TestAnonymousReachesNothing(t *testing.T) {
	pages, api := routed(t)
	s := newSite(t)
	b := s.browser()
	for _, r := range pages {
		if p := b.visit(r); !slices.Contains([]string{"home", "login", "signup", "forgot", "reset"}, p.name()) {
			t.Errorf("%s leads to %q", r, p.name())
		}
	}
	for _, r := range api {
		for _, token := range []string{"", "at_", "at_x.y", "rt_x.y", strings.Repeat("a", 4000), "mfa_enr_x", "mfa_tmp_x"} {
			if a := s.call(r.method, r.path, token, "application/json", "{}"); a.status != http.StatusUnauthorized {
				t.Errorf("%s with %.8q answers %d: %s", r, token, a.status, a.body)
			}
		}
	}
}

// Another site's form or script changes nothing, on pages and API.
func TestCSRF(t *testing.T) {
	pages, api := routed(t)
	s := newSite(t)
	b := s.signedUp("ada@example.com")
	for _, r := range append(pages, api...) {
		if r.method == http.MethodGet {
			continue
		}
		for _, header := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
			p := b.send(b.client, r.method, r.path, "required=true&method=totp", "Content-Type", formType, header[0], header[1])
			if slices.Contains(api, r) {
				(&answer{p}).refused(http.StatusForbidden, "cross_origin")
				continue
			}
			(&page{p}).wants("error").wantsError(http.StatusForbidden, "cross_origin")
		}
	}
}

// What an administrator may do to others requires a fresh proof of a second factor,
// which a stolen session lacks. A reset ends all that the user was signed in with,
// the administrator's own sessions included.
func TestAdministratorsProveFirst(t *testing.T) {
	s := newSite(t)
	admin := s.signedUp("root@example.com")
	id, other, client := s.userID("root@example.com"), s.browser(), &apiUser{site: s}
	other.signIn("root@example.com").wants("dashboard")
	client.keep(client.logIn("root@example.com"))
	forms := map[string][]string{"mfa-required": {"required", "true"}, "unlock": {"user", id}, "reset": {"user", id}}
	for name, fields := range forms {
		admin.post("/project/"+name, fields...).wants("enroll").wantsNotice("Set up a second factor of your own first.")
	}
	if s.required() {
		t.Error("MFA is required by an administrator without it")
	}
	a := admin.addTOTP()
	other.get("/project").wants("login")
	client.status().refused(http.StatusUnauthorized, "unauthorized")

	other.enter("root@example.com", a)
	client = s.granted("root@example.com", a)
	s.clock.Advance(16 * time.Minute)
	client.refresh()
	for name, fields := range forms {
		admin.post("/project/"+name, fields...).wants("prompt")
	}
	client.status().ok()
	s.wantsFactors("root@example.com", 2)
	admin.post("/project/reset", "user", id).wants("prompt") // the last of them goes on
	admin.post("/confirm", "code", a.shows()).wants("login")
	other.get("/dashboard").wants("login")
	client.status().refused(http.StatusUnauthorized, "unauthorized")
	other.signIn("root@example.com").wants("dashboard")
}

// Requests for links are limited per account and per address, apart from wrong
// passwords: asking for invented accounts clears no counter. They leave no session
// behind.
func TestForgotFlood(t *testing.T) {
	s := newSite(t)
	s.signedUp("ada@example.com")
	b := s.browser()
	for range limitAccount {
		b.post("/login", "email", "ada@example.com", "password", "wrong password").wantsError(http.StatusUnauthorized, "invalid_credentials")
	}
	sessions := func() (n int) {
		if err := s.users.db.QueryRow("SELECT count(*) FROM sessions").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	before := sessions()
	for range limitMessages {
		b.post("/forgot", "email", "ada@example.com").wants("login").wantsNotice("If there is an account")
	}
	b.post("/forgot", "email", "ada@example.com").wants("forgot").wantsError(http.StatusTooManyRequests, "too_many_attempts")
	for i := range limitForgot - limitMessages - 1 {
		b.post("/forgot", "email", strconv.Itoa(i)+"@example.com").wants("login").wantsNotice("If there is an account")
	}
	b.post("/forgot", "email", "bob@example.com").wants("forgot").wantsError(http.StatusTooManyRequests, "too_many_attempts")
	if n := sessions(); n != before {
		t.Errorf("%d sessions, want %d", n, before)
	}
	b.signIn("ada@example.com").wants("login").wantsError(http.StatusTooManyRequests, "too_many_attempts")
}

// A session that an attacker planted is not the one that the victim signs in with.
// Each step up gets a new one, and the old ones open nothing.
func TestSessionFixation(t *testing.T) {
	s := newSite(t)
	_, a := s.withTOTP("ada@example.com")
	attacker := s.signedUp("mallory@example.com")
	attacker.post("/security/password", "current", password, "password", "another password").wants("login") // leaves a session
	planted := attacker.cookie("session")
	if planted == "" {
		t.Fatal("the attacker has no session to plant")
	}
	victim := s.browser()
	seen := map[string]bool{}
	step := func(name string) {
		t.Helper()
		id := victim.cookie("session")
		if id == "" || seen[id] {
			t.Errorf("%s: the session has no new ID", name)
		}
		for old := range seen {
			thief := s.browser()
			thief.setCookie("session", old)
			thief.get("/dashboard").wants("login")
		}
		seen[id] = true
	}
	victim.setCookie("session", planted)
	seen[planted] = true
	victim.signIn("ada@example.com").wants("prompt")
	step("password")
	victim.post("/login/mfa", "code", a.shows()).wants("dashboard")
	step("code")
	s.clock.Advance(16 * time.Minute)
	victim.post("/enroll/totp").wants("prompt")
	victim.post("/confirm", "code", a.shows()).wants("totp")
	step("fresh proof")
	s.clock.Advance(time.Minute)
	victim.addTOTP()
	step("replaced factor")
	attacker.get("/dashboard").wants("login")

	for _, forged := range []string{"x", strings.Repeat("A", 43), strings.Repeat("x", 8000)} {
		victim := s.browser()
		victim.setCookie("session", forged)
		victim.signIn("ada@example.com").wants("prompt")
		if got := victim.cookie("session"); got == forged || got == "" {
			t.Errorf("the session's ID is %.8q, chosen by someone else", got)
		}
	}
}

// After a log-out there is nothing behind the back button: no page of a session
// may be stored, and the old cookie opens none.
func TestBackAfterLogOut(t *testing.T) {
	s := newSite(t)
	b, _ := s.withTOTP("ada@example.com")
	paths := []string{"/dashboard", "/security", "/project", "/backup-codes", "/enroll", "/enroll/totp", "/enroll/sms"}
	for _, path := range paths {
		if p := b.get(path); p.path != path || !strings.Contains(strings.Join(p.header.Values("Cache-Control"), ","), "no-store") {
			t.Errorf("%s may be stored: %v", p.path, p.header.Values("Cache-Control"))
		}
	}
	old := b.cookie("session")
	b.post("/logout").wants("login")
	if b.cookie("session") != "" {
		t.Error("the cookie is still there")
	}
	b.setCookie("session", old)
	for _, path := range paths {
		b.get(path).wants("login")
	}
}

// A request that was under way while the user logged out does not bring the
// session back.
func TestLogOutIsFinal(t *testing.T) {
	store, ends := &sessionStore{newSite(t).users.db}, time.Now().Add(time.Hour)
	if err := store.Commit("t", []byte("data"), ends); err != nil {
		t.Fatal(err)
	}
	if data, found, err := store.Find("t"); string(data) != "data" || !found || err != nil {
		t.Fatalf("%q, %v, %v", data, found, err)
	}
	if err := store.Delete("t"); err != nil {
		t.Fatal(err)
	}
	if err := store.Commit("t", []byte("late"), ends); !errors.Is(err, errSessionOver) {
		t.Errorf("the late request gets %v", err)
	}
	if _, found, err := store.Find("t"); found || err != nil {
		t.Errorf("the session is back: %v, %v", found, err)
	}
}

// Every response says what a page may do in a browser.
func TestHeaders(t *testing.T) {
	s := newSite(t)
	b := s.signedUp("ada@example.com")
	for path, want := range map[string]string{
		"/": policy, "/login": policy, "/dashboard": policy, "/phone": policy, "/nowhere": policy, "/static/app.js": policy, "/mfa/status": policy,
		"/enroll/totp": strings.Replace(policy, "img-src 'self'", "img-src 'self' data:", 1),
		"/docs":        clientPolicy, "/app/": clientPolicy,
	} {
		p := b.get(path)
		if got := p.header.Get("Content-Security-Policy"); got != want || strings.Contains(got, "unsafe") {
			t.Errorf("%s: policy %q", path, got)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY"} {
			if got := p.header.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		for _, inline := range []string{"<script>", " style=", "onclick=", "http-equiv"} {
			if strings.Contains(p.body, inline) {
				t.Errorf("%s contains %s", path, inline)
			}
		}
	}
}

// Cookies are out of reach of scripts and other sites, and bound to this host over
// TLS.
func TestCookies(t *testing.T) {
	for _, secure := range []bool{false, true} {
		s := newSite(t, func(c *config) { c.Secure = secure })
		s.create("ada@example.com")
		b := s.browser()
		b.stay()
		p := b.signIn("ada@example.com")
		cookies, err := http.ParseSetCookie(p.header.Get("Set-Cookie"))
		if err != nil || p.header.Get("Location") != "/dashboard" {
			t.Fatalf("%v, then %s", err, p.header.Get("Location"))
		}
		if c := cookies; !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure != secure || c.Name != cookieName("session", secure) || c.Path != "/" || c.Domain != "" {
			t.Errorf("secure %v: cookie %v", secure, c)
		}
		if sts := p.header.Get("Strict-Transport-Security"); (sts != "") != secure {
			t.Errorf("secure %v: Strict-Transport-Security %q", secure, sts)
		}
	}
}

// Bodies that are too large, truncated, of another kind, or followed by more are
// refused.
func TestMalformedBodies(t *testing.T) {
	s := newSite(t)
	s.create("ada@example.com")
	good := `{"email":"ada@example.com","password":"` + password + `"}`
	login := func(contentType, body string) *answer {
		return s.call(http.MethodPost, "/auth/login", "", contentType, body)
	}
	login("application/json; charset=utf-8", good).ok()
	login("application/json", good+" \n ").ok()
	login("application/json", `{"unknown":1,`+good[1:]).ok()
	for _, body := range []string{"", " ", "{", "null", "null ]", good[:20], good + good, good + "x", good + "]", "[]", `"x"`, `{"email":1}`, `{"email":["a"]}`, "\x00", strings.Repeat("[", 5000)} {
		login("application/json", body).refused(http.StatusBadRequest, "invalid_request")
	}
	for _, contentType := range []string{"", "text/plain", formType, "multipart/form-data"} {
		login(contentType, good).refused(http.StatusUnsupportedMediaType, "unsupported_media_type")
	}
	login("application/json", `{"email":"`+strings.Repeat("a", maxBody)+`"}`).refused(http.StatusRequestEntityTooLarge, "too_large")
	login("application/json", good+strings.Repeat(" ", maxBody)).refused(http.StatusRequestEntityTooLarge, "too_large")

	b := s.browser()
	b.post("/login", "email", "ada@example.com", "password", password, "more", strings.Repeat("a", maxBody)).
		wants("error").wantsError(http.StatusRequestEntityTooLarge, "too_large")
	b.post("/login?%zz", "email", "ada@example.com", "password", password).wants("error").wantsError(http.StatusBadRequest, "invalid_request")
	b.get("/dashboard").wants("login")
}

// A request that finds its session over sets no cookie: if another one of this
// browser has moved on to a new session, the late cookie would sign it out.
func TestSessionOverSetsNoCookie(t *testing.T) {
	s := newSite(t)
	b := s.signedUp("ada@example.com")
	if err := s.users.endSessions(t.Context(), s.userID("ada@example.com")); err != nil {
		t.Fatal(err)
	}
	b.stay()
	if p := b.get("/dashboard"); p.header.Get("Location") != "/login" || p.header.Get("Set-Cookie") != "" {
		t.Errorf("the late request goes to %q with %q", p.header.Get("Location"), p.header.Get("Set-Cookie"))
	}
	b.get("/login").wants("login").wantsNotice(sessionOver)
}

// Two tabs answer one challenge at the same time. One answer counts, and the late
// one, whose session the server has read before, neither enters nor signs the
// browser out, but leads where the first did.
func TestTwoTabsAnswerOneChallenge(t *testing.T) {
	s := newSite(t)
	_, a := s.withTOTP("ada@example.com")
	b := s.browser()
	b.signIn("ada@example.com").wants("prompt")
	form, typing := io.Pipe()
	reading := make(chan struct{})
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got100Continue: func() { close(reading) }})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/login/mfa", form)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", formType)
	request.Header.Set("Expect", "100-continue") // which the server sends when it reads the form
	late := make(chan error)
	go func() {
		response, err := b.client.Do(request)
		if err == nil {
			defer response.Body.Close()
			if response.Request.URL.Path != "/dashboard" {
				err = errors.New("the late answer leads to " + response.Request.URL.Path)
			}
		}
		late <- err
	}()
	<-reading
	b.post("/login/mfa", "code", a.shows()).wants("dashboard")
	io.WriteString(typing, "code="+a.shows())
	typing.Close()
	if err := <-late; err != nil {
		t.Error(err)
	}
	b.post("/login/mfa", "code", a.shows()).wants("dashboard") // as does one with the new session
}

// A browser or client that goes away once a change is saved does not keep it from
// ending the sessions that it must end: on the pages, at the API, at the support
// desk. No backup codes exist that nobody saw.
func TestAbortedChangesEndSessions(t *testing.T) {
	const (
		recorded = "SET has_mfa" // once the engine has saved
		required = "WHERE id NOT IN"
		key      = "pk_a_key_of_the_project"
	)
	for name, test := range map[string]struct {
		before  string // part of the statement before which the request is aborted
		factors int    // afterwards
		// prepare returns the request to abort, of a user with another session.
		prepare func(s *site) *http.Request
	}{
		"a first factor, on its page": {recorded, 1, func(s *site) *http.Request {
			b := s.browser()
			b.signIn("ada@example.com").wants("dashboard")
			return b.request("/enroll/totp/verify", "code", b.beginTOTP().shows())
		}},
		"a first factor, at the API": {recorded, 1, func(s *site) *http.Request {
			c := &apiUser{site: s}
			c.keep(c.logIn("ada@example.com"))
			a := s.scan(c.post("/mfa/enroll", "method", "totp").ok().text("totp_uri"))
			return c.request(http.MethodPost, "/mfa/verify", `{"code":"`+a.shows()+`"}`)
		}},
		"a removal, at the API": {recorded, 0, func(s *site) *http.Request {
			c := &apiUser{site: s}
			c.keep(c.logIn("ada@example.com"))
			a := s.scan(c.post("/mfa/enroll", "method", "totp").ok().text("totp_uri"))
			c.post("/mfa/verify", "code", a.shows()).ok()
			return c.request(http.MethodPost, "/mfa/unenroll", `{"method":"totp"}`)
		}},
		"a reset": {recorded, 0, func(s *site) *http.Request {
			return s.administrator().request("/project/reset", "user", s.userID("ada@example.com"))
		}},
		"MFA required, on its page": {required, 0, func(s *site) *http.Request {
			return s.administrator().request("/project/mfa-required", "required", "true")
		}},
		"MFA required, at the API": {required, 0, func(s *site) *http.Request {
			c := &apiUser{site: s, token: key}
			return c.request(http.MethodPatch, "/projects/proj_1", `{"mfa_required":true}`)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			h, onHooks := hooked(t)
			s := newSite(t, onHooks, func(c *config) { c.ProjectKey = key })
			var served context.Context // of the latest request
			handler := s.handler
			s.handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				served = r.Context()
				handler.ServeHTTP(w, r)
			})
			s.create("root@example.com")
			s.create("ada@example.com")
			request := test.prepare(s)
			generation := func() int64 {
				u, err := s.users.byID(t.Context(), s.userID("ada@example.com"))
				if err != nil {
					t.Fatal(err)
				}
				return u.Generation
			}
			before := generation()
			ctx, abort := context.WithCancel(t.Context())
			h.before = func(statement string) {
				if strings.Contains(statement, test.before) {
					abort()
					<-served.Done()
				}
			}
			if _, err := http.DefaultClient.Do(request.WithContext(ctx)); !errors.Is(err, context.Canceled) {
				t.Fatalf("got %v, want context.Canceled", err)
			}
			s.served.Close() // once the request has ended
			if generation() == before {
				t.Error("the user's other sessions go on")
			}
			s.wantsFactors("ada@example.com", test.factors)
		})
	}
}

// MFA becomes required after the engine has asked whether it is, and before it saves
// the removal of the last factor. No session is left without one.
func TestMFARequiredDuringARemoval(t *testing.T) {
	for name, remove := range map[string]func(b *browser, c *apiUser){
		"on its page": func(b *browser, _ *apiUser) {
			b.post("/security/remove", "method", "totp").wants("error").wantsError(http.StatusUnauthorized, "unauthorized")
		},
		"at the API": func(_ *browser, c *apiUser) {
			c.post("/mfa/unenroll", "method", "totp").refused(http.StatusUnauthorized, "unauthorized")
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, onHooks := hooked(t)
			s := newSite(t, onHooks)
			c := s.grantedTOTP("ada@example.com")
			b := s.browser()
			b.enter("ada@example.com", c.app)
			h.before = func(statement string) {
				if !strings.HasPrefix(statement, `UPDATE "mfa_users"`) {
					return
				}
				h.before = nil
				if err := s.requireMFA(t.Context(), true); err != nil {
					t.Error(err)
				}
			}
			remove(b, c)
			s.wantsFactors("ada@example.com", 0)
			b.get("/dashboard").wants("login").wantsNotice(sessionOver)
			c.status().refused(http.StatusUnauthorized, "unauthorized")
			c.post("/auth/refresh", "refresh_token", c.refreshToken).refused(http.StatusUnauthorized, "unauthorized")
			b.signIn("ada@example.com").wants("enroll")
		})
	}
}

// A factor is removed, and the store's answer is lost. The browser sees a fault, and the
// removal still ends the user's other sessions, and locks nobody out.
func TestARemovalWhoseAnswerIsLost(t *testing.T) {
	for name, test := range map[string]struct {
		remove func(b *browser, c *apiUser)
		ends   func(b *browser, c *apiUser)
	}{
		"on its page": {
			func(b *browser, _ *apiUser) {
				b.post("/security/remove", "method", "totp").wants("security").wantsError(http.StatusServiceUnavailable, "internal")
				b.get("/dashboard").wants("dashboard")
			},
			func(_ *browser, c *apiUser) { c.status().refused(http.StatusUnauthorized, "unauthorized") },
		},
		"at the API": {
			func(_ *browser, c *apiUser) {
				c.post("/mfa/unenroll", "method", "totp").refused(http.StatusServiceUnavailable, "internal")
				c.status().ok()
			},
			func(b *browser, _ *apiUser) { b.get("/dashboard").wants("login").wantsNotice(sessionOver) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			h, onHooks := hooked(t)
			s := newSite(t, onHooks)
			c := s.grantedTOTP("ada@example.com")
			b := s.browser()
			b.enter("ada@example.com", c.app)
			h.lose = func(statement string) error {
				if !strings.HasPrefix(statement, `UPDATE "mfa_users"`) {
					return nil
				}
				h.lose = nil
				return errors.New("the answer is lost")
			}
			test.remove(b, c)
			test.ends(b, c)
			s.wantsFactors("ada@example.com", 0)
			s.browser().signIn("ada@example.com").wants("dashboard")
		})
	}
}

// administrator signs in the administrator, who has just proved a second factor.
func (s *site) administrator() *browser {
	s.t.Helper()
	b := s.browser()
	b.signIn("root@example.com").wants("dashboard")
	b.addTOTP()
	return b
}

// request returns the request of a form, with the browser's cookies.
func (b *browser) request(path string, fields ...string) *http.Request {
	b.t.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	request, err := http.NewRequest(http.MethodPost, b.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	request.Header.Set("Content-Type", formType)
	for _, cookie := range b.client.Jar.Cookies(request.URL) {
		request.AddCookie(cookie)
	}
	return request
}

// request returns a request with the client's token.
func (c *apiUser) request(method, path, body string) *http.Request {
	c.t.Helper()
	request, err := http.NewRequest(method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+c.token)
	return request
}

// The form that asked for a fresh proof is handled after it: the latest alone, once,
// and by its own session.
func TestFreshProofGoesOnOnce(t *testing.T) {
	s := newSite(t)
	b, a := s.withTOTP("ada@example.com")
	b.addSMS(phoneOne)
	s.clock.Advance(16 * time.Minute)
	other := s.browser()
	other.enter("ada@example.com", a)
	s.clock.Advance(16 * time.Minute)

	b.post("/security/remove", "method", "totp").wants("prompt")
	b.post("/enroll/sms", "phone", phoneTwo).wants("prompt") // in place of it
	other.post("/confirm", "code", a.shows(), "method", "totp").wants("security")
	p := b.post("/confirm", "code", a.wrong()).wants("prompt")
	if got := p.find(`id="asked">([^<]*)`); got != "You are about to set up the phone number "+phoneTwo+". Enter a code first." {
		t.Errorf("the prompt is for %q", got)
	}
	s.clock.Advance(time.Minute)
	b.post("/confirm", "code", a.shows(), "phone", phoneOne).wants("sms")
	s.smsCode(phoneTwo)
	messages := len(s.phone.arrived())
	s.clock.Advance(time.Minute)
	b.post("/confirm", "code", a.shows()).wants("security")
	if n := len(s.phone.arrived()); n != messages {
		t.Errorf("%d messages after %d: it was done twice", n, messages)
	}
	s.wantsFactors("ada@example.com", 3)
}

// Whoever knows a password or has a mailed link is served, whatever state the
// browser was in, and that state ends.
func TestAnotherUserInTheSameBrowser(t *testing.T) {
	s := newSite(t)
	_, a := s.withTOTP("ada@example.com")
	s.signedUp("bob@example.com")
	for name, begin := range map[string]func(b *browser){
		"at the prompt": func(b *browser) { b.signIn("ada@example.com").wants("prompt") },
		"signed in":     func(b *browser) { s.clock.Advance(time.Minute); b.enter("ada@example.com", a) },
	} {
		b := s.browser()
		begin(b)
		b.post("/login", "email", "bob@example.com", "password", "wrong password").wants("login").wantsError(http.StatusUnauthorized, "invalid_credentials")
		if p := b.signIn("bob@example.com").wants("dashboard"); p.find(`<strong id="who">([^<]+)`) != "bob@example.com" {
			t.Errorf("%s: somebody else is in", name)
		}

		b = s.browser()
		begin(b)
		secret := s.resetSecret("bob@example.com")
		b.get("/reset?token=" + url.QueryEscape(secret)).wants("reset")
		b.post("/reset", "token", secret, "password", password).wants("login").wantsNotice("Your password was changed.")
	}
}
