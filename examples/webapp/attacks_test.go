package main

import (
	"context"
	"errors"
	"go/ast"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"github.com/protekt/mfa"
)

// routed are the patterns of routes and apiRoutes, read from the source: a page
// that is added is tested too.
func routed(t *testing.T) (pages, api []string) {
	t.Helper()
	for _, file := range sources(t) {
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) < 2 {
				return true
			}
			name, _ := call.Fun.(*ast.Ident)
			pattern, _ := call.Args[0].(*ast.BasicLit)
			switch {
			case name == nil || pattern == nil:
			case name.Name == "page":
				pages = append(pages, strings.Trim(pattern.Value, `"`))
			case name.Name == "route":
				api = append(api, strings.Trim(pattern.Value, `"`))
			}
			return true
		})
	}
	if len(pages) < 30 || len(api) < 10 {
		t.Fatalf("found %d pages and %d API routes", len(pages), len(api))
	}
	return pages, api
}

// visitPattern asks for a page by its pattern.
func (b *browser) visitPattern(pattern string) *page {
	b.t.Helper()
	method, path, _ := strings.Cut(pattern, " ")
	path = strings.TrimSuffix(path, "{$}")
	if method == http.MethodGet {
		return b.get(path)
	}
	return b.post(path)
}

// anyState are what a browser may ask for in every state, as a stranger: to sign
// in as somebody else, to follow a link that was mailed, to sign out.
var anyState = map[string]bool{"POST /login": true, "GET /reset": true, "POST /reset": true, "POST /logout": true}

// While only the password was right, every page leads to the prompt, whatever
// is typed into the address bar or posted; and every call of the API is
// refused.
func TestPasswordOnlyReachesNothing(t *testing.T) {
	pages, api := routed(t)
	s := newSite(t)
	first, _ := s.withTOTP("ada@example.com") // the administrator, so that no right is missing
	first.get("/project").wants("project")
	b := s.browser()
	b.signIn("ada@example.com").wants("prompt")
	for _, pattern := range pages {
		if anyState[pattern] {
			continue
		}
		p := b.visitPattern(pattern)
		if p.name() != "prompt" || p.path != loginPath && p.path != loginPath+"/send" {
			t.Errorf("%s leads to %q at %s", pattern, p.name(), p.path)
		}
	}
	for _, pattern := range api {
		method, path, _ := strings.Cut(pattern, " ")
		for _, token := range []string{"", b.cookie("session"), s.challengeToken("ada@example.com")} {
			a := s.call(method, path, token, "application/json", "{}")
			if a.status == http.StatusOK || a.status < 400 {
				t.Errorf("%s with %.8q answers %d: %s", pattern, token, a.status, a.body)
			}
		}
	}
	if status, err := s.engine.Status(t.Context(), s.userID("ada@example.com")); err != nil || len(status.Factors) != 2 {
		t.Errorf("the factors are %v, %v", status, err)
	}
}

// The same for a user who must enroll first: enrollment, and nothing else.
func TestEnrollingReachesEnrollmentAlone(t *testing.T) {
	pages, api := routed(t)
	s := newSite(t)
	s.require(true)
	b := s.browser()
	b.post("/signup", "email", "ada@example.com", "password", password).wants("enroll")
	for _, pattern := range pages {
		if anyState[pattern] {
			continue
		}
		p := b.visitPattern(pattern)
		if !strings.HasPrefix(p.path, "/enroll") {
			t.Errorf("%s leads to %q at %s", pattern, p.name(), p.path)
		}
	}
	token := (&apiUser{site: s}).post("/auth/login", "email", "ada@example.com", "password", password).ok().text("mfa_token")
	for _, pattern := range api {
		method, path, _ := strings.Cut(pattern, " ")
		if path == "/mfa/enroll" || path == "/mfa/verify" {
			continue
		}
		if a := s.call(method, path, token, "application/json", "{}"); a.status < 400 {
			t.Errorf("%s answers %d: %s", pattern, a.status, a.body)
		}
	}
	(&apiUser{site: s, token: token}).post("/mfa/enroll", "method", "totp").ok()
}

// Nothing but sign-in and sign-up is there for strangers.
func TestAnonymousReachesNothing(t *testing.T) {
	pages, api := routed(t)
	s := newSite(t)
	b := s.browser()
	public := map[string]bool{"home": true, "login": true, "signup": true, "forgot": true, "reset": true}
	for _, pattern := range pages {
		if p := b.visitPattern(pattern); !public[p.name()] {
			t.Errorf("%s leads to %q", pattern, p.name())
		}
	}
	for _, pattern := range api {
		method, path, _ := strings.Cut(pattern, " ")
		for _, token := range []string{"", "at_", "at_x.y", "rt_x.y", strings.Repeat("a", 4000), "mfa_enr_x", "mfa_tmp_x"} {
			a := s.call(method, path, token, "application/json", "{}")
			if a.status != http.StatusUnauthorized {
				t.Errorf("%s with %.8q answers %d: %s", pattern, token, a.status, a.body)
			}
		}
	}
}

// Another site's form or script changes nothing, on pages and API.
func TestCSRF(t *testing.T) {
	pages, api := routed(t)
	s := newSite(t)
	b := s.signedUp("ada@example.com")
	for _, pattern := range append(pages, api...) {
		method, path, _ := strings.Cut(pattern, " ")
		if method == http.MethodGet {
			continue
		}
		for _, header := range [][2]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
			request, err := http.NewRequest(method, b.url+path, strings.NewReader("required=true&method=totp"))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			request.Header.Set(header[0], header[1])
			p := b.do(request)
			if slices.Contains(api, pattern) {
				(&answer{t, p.status, p.header, p.body}).refused(http.StatusForbidden, "cross_origin")
				continue
			}
			p.wants("error").wantsError(http.StatusForbidden, "cross_origin")
		}
	}
	b.addTOTP()
	b.post("/project/mfa-required", "required", "true").wants("project").wantsNotice("MFA is required now.")
}

// What an administrator may do to others asks for a fresh proof of a second
// factor: a stolen session has none, and who requires MFA has it. A reset ends
// all that the user was signed in with, the administrator's own included.
func TestAdministratorsProveFirst(t *testing.T) {
	s := newSite(t)
	admin := s.signedUp("root@example.com")
	id, other, client := s.userID("root@example.com"), s.browser(), &apiUser{site: s}
	other.signIn("root@example.com").wants("dashboard")
	client.keep(client.post("/auth/login", "email", "root@example.com", "password", password))
	forms := map[string][]string{"mfa-required": {"required", "true"}, "unlock": {"user", id}, "reset": {"user", id}}
	for name, fields := range forms {
		admin.post("/project/"+name, fields...).wants("enroll").wantsNotice("Set up a second factor of your own first.")
	}
	if required, err := s.settings.mfaRequired(t.Context(), ""); err != nil || required {
		t.Errorf("required %v, %v", required, err)
	}
	a := admin.addTOTP()
	admin.post("/project/mfa-required", "required", "true").wants("project").wantsNotice("MFA is required now.")
	other.get("/project").wants("login")
	client.status().refused(http.StatusUnauthorized, "unauthorized")

	other.signIn("root@example.com").wants("prompt")
	other.post("/login/mfa", "code", a.shows()).wants("dashboard")
	client = s.granted("root@example.com", a)
	s.clock.Advance(proofTTL)
	client.refresh()
	for name, fields := range forms {
		admin.post("/project/"+name, fields...).wants("prompt")
	}
	client.status().ok()
	if status, err := s.engine.Status(t.Context(), id); err != nil || len(status.Factors) != 2 {
		t.Errorf("the factors are %v, %v", status, err)
	}
	admin.post("/project/reset", "user", id).wants("prompt") // the last of them goes on
	admin.post("/confirm", "code", a.shows()).wants("login")
	other.get("/dashboard").wants("login")
	client.status().refused(http.StatusUnauthorized, "unauthorized")
	other.signIn("root@example.com").wants("enroll")
}

// Over plain HTTP, as from a phone in the same network, browsers do not send
// Sec-Fetch-Site. Their Origin is this site's then: "null" is what a form has
// on a page whose policy is no-referrer.
func TestFormsOverPlainHTTP(t *testing.T) {
	s := newSite(t)
	b := s.browser()
	form := url.Values{"email": {"ada@example.com"}, "password": {password}}
	request, err := http.NewRequest(http.MethodPost, b.url+"/signup", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Origin", b.url)
	if b.get("/signup").header.Get("Referrer-Policy") == "no-referrer" {
		request.Header.Set("Origin", "null")
	}
	b.do(request).wants("dashboard")
}

// Asking for links costs mails to an account, requests of an address, and no
// counter of wrong passwords: asking for invented accounts forgets nothing. It
// leaves no session behind.
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

// A session that an attacker has planted is not the one that the victim signs
// in with, and each step up gives a new one; the old ones are dead.
func TestSessionFixation(t *testing.T) {
	s := newSite(t)
	ada, a := s.withTOTP("ada@example.com")
	ada.post("/logout")

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
			t.Errorf("the session's ID is %.8q, which somebody else chose", got)
		}
	}
}

// After the log-out there is nothing behind the back button: no page of a
// session may be stored, and the old cookie opens none.
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
	s := newSite(t)
	store := &sessionStore{s.users.db}
	ends := time.Now().Add(time.Hour)
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

// What a page may do in a browser is said on every answer.
func TestHeaders(t *testing.T) {
	s := newSite(t)
	b := s.signedUp("ada@example.com")
	for path, picture := range map[string]bool{"/": false, "/login": false, "/dashboard": false, "/enroll/totp": true, "/phone": false, "/nowhere": false, "/static/app.js": false, "/mfa/status": false} {
		p := b.get(path)
		want := policy
		if picture {
			want = strings.Replace(policy, "img-src 'self'", "img-src 'self' data:", 1)
		}
		if got := p.header.Get("Content-Security-Policy"); got != want || strings.Contains(got, "unsafe") {
			t.Errorf("%s: policy %q", path, got)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY"} {
			if got := p.header.Get(name); got != want {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		if strings.Contains(p.body, "<script>") || strings.Contains(p.body, " style=") || strings.Contains(p.body, "onclick=") {
			t.Errorf("%s has script or style in line", path)
		}
		if strings.Contains(p.body, "http-equiv") {
			t.Errorf("%s changes by itself, which nobody can stop", path)
		}
	}
}

// Files are served by their name, and no list of them.
func TestStatic(t *testing.T) {
	b := newSite(t).browser()
	for path, want := range map[string]int{
		"/static/app.js": http.StatusOK, "/static/app.css": http.StatusOK, "/static/icon.svg": http.StatusOK,
		"/static/": http.StatusNotFound, "/static": http.StatusNotFound, "/static/.": http.StatusNotFound, "/static/nothing": http.StatusNotFound,
		"/static/%2e": http.StatusNotFound, "/static/%2e%2e": http.StatusBadRequest, "/static/..%2ftemplates%2flayout.html": http.StatusBadRequest,
	} {
		if p := b.get(path); p.status != want {
			t.Errorf("%s answers %d, want %d: %s", path, p.status, want, p.body)
		}
	}
}

// Cookies are out of reach of scripts and other sites, and bound to this host
// where TLS allows it.
func TestCookies(t *testing.T) {
	for _, secure := range []bool{false, true} {
		s := newSite(t, func(c *config) { c.Secure = secure })
		s.users.create(t.Context(), "ada@example.com", password)
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		response, err := client.PostForm(s.url+"/login", url.Values{"email": {"ada@example.com"}, "password": {password}})
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		cookies := response.Cookies()
		if len(cookies) != 1 || response.Header.Get("Location") != "/dashboard" {
			t.Fatalf("%d cookies, then %s", len(cookies), response.Header.Get("Location"))
		}
		c := cookies[0]
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Secure != secure || c.Name != cookieName("session", secure) || c.Path != "/" || c.Domain != "" {
			t.Errorf("secure %v: cookie %v", secure, c)
		}
		if sts := response.Header.Get("Strict-Transport-Security"); (sts != "") != secure {
			t.Errorf("secure %v: Strict-Transport-Security %q", secure, sts)
		}
	}
}

// Bodies that are too large, cut short, of another kind, or followed by more.
func TestMalformedJSON(t *testing.T) {
	s := newSite(t)
	if err := s.users.create(t.Context(), "ada@example.com", password); err != nil {
		t.Fatal(err)
	}
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
	for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"} {
		login(contentType, good).refused(http.StatusUnsupportedMediaType, "unsupported_media_type")
	}
	huge := `{"email":"` + strings.Repeat("a", maxBody) + `"}`
	login("application/json", huge).refused(http.StatusRequestEntityTooLarge, "too_large")
	login("application/json", good+strings.Repeat(" ", maxBody)).refused(http.StatusRequestEntityTooLarge, "too_large")

	b := s.browser()
	b.post("/login", "email", "ada@example.com", "password", password, "more", strings.Repeat("a", maxBody)).
		wants("error").wantsError(http.StatusRequestEntityTooLarge, "too_large")
	b.post("/login?%zz", "email", "ada@example.com", "password", password).wants("error").wantsError(http.StatusBadRequest, "invalid_request")
	b.get("/dashboard").wants("login")
	b.signIn("ada@example.com").wants("dashboard")
}

// A request that finds its session over, while another one of this browser has
// moved on to a new session, does not take the browser back.
func TestLateRequestDoesNotSignOut(t *testing.T) {
	s := newSite(t)
	b := s.signedUp("ada@example.com")
	a := s.scan(b.post("/enroll/totp").wants("totp").find(`id="otpauth" href="([^"]+)"`))
	holding := &holdingStore{Store: s.sessions.Store, held: make(chan struct{}), release: make(chan struct{})}
	s.sessions.Store = holding
	release := sync.OnceFunc(func() { close(holding.release) })
	t.Cleanup(release)

	request, err := http.NewRequest(http.MethodGet, s.url+"/dashboard", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.AddCookie(&http.Cookie{Name: "session", Value: b.cookie("session")})
	late := make(chan *http.Response, 1)
	go func() {
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			t.Error(err)
			close(late)
			return
		}
		response.Body.Close()
		late <- response
	}()
	<-holding.held
	b.post("/enroll/totp/verify", "code", a.shows()).wants("backupcodes") // ends the others, and gets a new ID
	release()
	response, ok := <-late
	if !ok {
		t.FailNow()
	}
	if response.Header.Get("Location") != "/login" || len(response.Cookies()) != 0 {
		t.Errorf("the late request gets %d cookies and goes to %q", len(response.Cookies()), response.Header.Get("Location"))
	}
	b.get("/security").wants("backupcodes")
}

// Nor does one that finds its session over, while the other is about to move on:
// a cookie with the old ID could reach the browser after the one with the new.
func TestOverIsToldWithoutACookie(t *testing.T) {
	s := newSite(t)
	b := s.signedUp("ada@example.com")
	if err := s.users.endSessions(t.Context(), s.userID("ada@example.com")); err != nil {
		t.Fatal(err)
	}
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if p := b.get("/dashboard"); p.header.Get("Location") != "/login" || p.header.Get("Set-Cookie") != "" {
		t.Errorf("the late request goes to %q with %q", p.header.Get("Location"), p.header.Get("Set-Cookie"))
	}
	b.get("/login").wants("login").wantsNotice(sessionOver)
}

// A second click that comes with the new session already leads on as the first.
func TestLateAnswersLeadOn(t *testing.T) {
	s := newSite(t)
	b := s.signedUp("ada@example.com")
	a := s.scan(b.post("/enroll/totp").wants("totp").find(`id="otpauth" href="([^"]+)"`))
	for range 2 {
		if p := b.post("/enroll/totp/verify", "code", a.shows()).wants("backupcodes"); p.status != http.StatusOK || len(p.shownCodes()) != fewCodes {
			t.Errorf("status %d, %d codes", p.status, len(p.shownCodes()))
		}
	}
	b.post("/backup-codes/saved")
	b.post("/logout")
	s.clock.Advance(time.Minute)
	b.signIn("ada@example.com").wants("prompt")
	for range 2 {
		b.post("/login/mfa", "code", a.shows()).wants("dashboard")
	}
}

// A browser that goes away while its factor is confirmed, as on a double click,
// leaves nothing half done: the other sessions are over, the old cookie opens
// nothing, and no backup codes were made that nobody saw.
func TestAbortedEnrollmentIsWhole(t *testing.T) {
	ctx, abort := context.WithCancel(t.Context())
	confirmed := make(chan struct{})
	s := newSite(t, func(c *config) { c.Log = slog.New(&aborting{slog.DiscardHandler, abort, confirmed}) })
	b, other := s.signedUp("ada@example.com"), s.browser()
	other.signIn("ada@example.com").wants("dashboard")
	a := s.scan(b.post("/enroll/totp").wants("totp").find(`id="otpauth" href="([^"]+)"`))
	form := strings.NewReader(url.Values{"code": {a.shows()}}.Encode())
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/enroll/totp/verify", form)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if _, err := b.client.Do(request); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled", err)
	}
	<-confirmed
	s.served.Close() // once the request has ended

	again := httptest.NewServer(s.server)
	t.Cleanup(again.Close)
	s.url = again.URL
	s.clock.Advance(time.Minute)
	other.get("/dashboard").wants("login").wantsNotice(sessionOver)
	b.get("/dashboard").wants("login").wantsNotice(sessionOver)
	b.signIn("ada@example.com").wants("prompt")
	b.post("/login/mfa", "code", a.shows()).wants("dashboard")
	if left := b.get("/backup-codes").wants("backupcodes").find(`data-left="(\d+)"`); left != "0" {
		t.Errorf("%s codes are left, which nobody saw", left)
	}
}

// An aborting log ends a request as soon as a factor is confirmed in it, and
// waits until the server knows.
type aborting struct {
	slog.Handler
	abort     func()
	confirmed chan struct{}
}

func (a *aborting) Enabled(context.Context, slog.Level) bool { return true }

func (a *aborting) Handle(ctx context.Context, r slog.Record) error {
	r.Attrs(func(attr slog.Attr) bool {
		if event, ok := attr.Value.Any().(mfa.Event); ok && event.Type == mfa.EventEnrolled {
			a.abort()
			<-ctx.Done()
			close(a.confirmed)
		}
		return true
	})
	return nil
}

// The form that asked for a fresh proof is done once it is there: it alone, once,
// and by its own session.
func TestFreshProofGoesOnOnce(t *testing.T) {
	s := newSite(t)
	b, a := s.withTOTP("ada@example.com")
	b.addSMS(phoneOne)
	s.clock.Advance(16 * time.Minute)
	other := s.browser()
	other.signIn("ada@example.com").wants("prompt")
	other.post("/login/mfa", "code", a.shows()).wants("dashboard")
	s.clock.Advance(16 * time.Minute)

	b.post("/security/remove", "method", "totp").wants("prompt")
	b.post("/enroll/sms", "phone", phoneTwo).wants("prompt") // in place of it
	other.post("/confirm", "code", a.shows(), "method", "totp").wants("security")
	if p := b.post("/confirm", "code", a.wrong()).wants("prompt"); !strings.Contains(p.body, "the phone number "+strings.ReplaceAll(phoneTwo, "+", "&#43;")) {
		t.Error("the prompt does not say what it is for")
	}
	s.clock.Advance(time.Minute)
	b.post("/confirm", "code", a.shows(), "phone", phoneOne).wants("sms")
	if sent := s.smsCode(phoneTwo); sent == "" {
		t.Error("nothing was sent")
	}
	messages := len(s.phone.arrived())
	s.clock.Advance(time.Minute)
	b.post("/confirm", "code", a.shows()).wants("security")
	if n := len(s.phone.arrived()); n != messages {
		t.Errorf("%d messages after %d: it was done twice", n, messages)
	}
	status, err := s.engine.Status(t.Context(), s.userID("ada@example.com"))
	if err != nil || len(status.Factors) != 3 {
		t.Errorf("the factors are %v, %v", status, err)
	}
}

// Whoever knows a password or has a link from the mail is heard, whatever the
// browser was about; and what it was about is over.
func TestAnotherUserInTheSameBrowser(t *testing.T) {
	s := newSite(t)
	ada, a := s.withTOTP("ada@example.com")
	ada.post("/logout")
	s.signedUp("bob@example.com")
	for name, begin := range map[string]func(b *browser){
		"at the prompt": func(b *browser) { b.signIn("ada@example.com").wants("prompt") },
		"signed in": func(b *browser) {
			s.clock.Advance(time.Minute)
			b.signIn("ada@example.com").wants("prompt")
			b.post("/login/mfa", "code", a.shows()).wants("dashboard")
		},
	} {
		b := s.browser()
		begin(b)
		b.post("/login", "email", "bob@example.com", "password", "wrong password").wants("login").wantsError(http.StatusUnauthorized, "invalid_credentials")
		if p := b.signIn("bob@example.com").wants("dashboard"); !strings.Contains(p.body, `<strong id="who">bob@example.com<`) {
			t.Errorf("%s: somebody else is in", name)
		}

		b = s.browser()
		begin(b)
		b.post("/forgot", "email", "bob@example.com")
		s.browser().post("/forgot", "email", "bob@example.com").wants("login")
		link := s.mailed("bob@example.com")
		b.get(link).wants("reset")
		b.post("/reset", "token", strings.TrimPrefix(link, "/reset?token="), "password", password).wants("login").wantsNotice("Your password is changed.")
	}
}

// A holdingStore holds the first session back that it finds.
type holdingStore struct {
	scs.Store
	found         atomic.Bool
	held, release chan struct{}
}

func (s *holdingStore) Find(token string) ([]byte, bool, error) {
	data, found, err := s.Store.Find(token)
	if s.found.CompareAndSwap(false, true) {
		close(s.held)
		<-s.release
	}
	return data, found, err
}
