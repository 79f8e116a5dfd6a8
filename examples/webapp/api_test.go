package main

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfatest"
)

// The guide's whole story at the API: password alone, enrollment, backup codes,
// the challenge to the letter, and removal.
func TestAPIStory(t *testing.T) {
	s := newSite(t, tenCodes)
	s.create("ada@example.com")
	c := &apiUser{site: s}
	c.keep(c.logIn("ada@example.com"))
	if got := c.status().ok().body; got != `{"factors":[],"backup_codes_left":0,"required":false}` {
		t.Errorf("status %s", got)
	}
	c.post("/mfa/backup-codes").refused(http.StatusNotFound, "not_enrolled")
	c.post("/mfa/verify", "code", "000000").refused(http.StatusConflict, "no_pending_enrollment")
	c.post("/mfa/enroll", "method", "pigeon").refused(http.StatusUnprocessableEntity, "method_unavailable")

	enrollment := c.post("/mfa/enroll", "method", "totp").ok()
	if !strings.HasPrefix(enrollment.text("qr_code"), "data:image/png;base64,") || enrollment.text("secret") == "" {
		t.Errorf("enrollment %s", enrollment.body)
	}
	c.app = s.scan(enrollment.text("totp_uri"))
	wrong := c.post("/mfa/verify", "code", c.app.wrong()).refused(http.StatusUnauthorized, "invalid_code")
	if !strings.Contains(wrong.body, `"tries_left":4`) {
		t.Errorf("wrong code: %s", wrong.body)
	}
	c.post("/mfa/verify", "code", c.app.shows()).ok()
	codes := regexp.MustCompile(`"[0-9a-z]{4}-[0-9a-z]{4}"`).FindAllString(c.post("/mfa/backup-codes").ok().body, -1)
	if len(codes) != 10 {
		t.Fatalf("%d backup codes", len(codes))
	}

	c.post("/mfa/enroll", "method", "sms", "phone", "12").refused(http.StatusUnprocessableEntity, "invalid_phone")
	if sent := c.post("/mfa/enroll", "method", "sms", "phone", phoneOne).ok(); sent.text("phone") != "+23*****678" {
		t.Errorf("sent %s", sent.body)
	}
	soon := c.post("/mfa/enroll", "method", "sms", "phone", phoneOne).refused(http.StatusTooManyRequests, "too_many_messages")
	if soon.header.Get("Retry-After") != "30" || !strings.Contains(soon.body, `"retry_after":30`) {
		t.Errorf("Retry-After %q, %s", soon.header.Get("Retry-After"), soon.body)
	}
	c.post("/mfa/verify", "code", s.smsCode(phoneOne)).ok()
	c.post("/auth/logout").ok()
	c.status().refused(http.StatusUnauthorized, "unauthorized")

	s.clock.Advance(time.Minute)
	challenge := c.logIn("ada@example.com")
	letter := regexp.MustCompile(`^\{"mfa_required":true,"mfa_token":"mfa_tmp_[A-Za-z0-9_-]+","available_methods":\["totp","sms","backup_code"\],"expires_at":"2030-01-01T00:06:10Z",` +
		`"factors":\[\{"id":"fac_[0-9a-f]+","method":"totp"\},\{"id":"fac_[0-9a-f]+","method":"sms","phone":"\+23\*\*\*\*\*678"\},\{"method":"backup_code"\}\]\}$`)
	if !letter.MatchString(challenge.body) || challenge.header.Get("Cache-Control") != "no-store" {
		t.Errorf("challenge %s, %v", challenge.body, challenge.header)
	}
	token := challenge.text("mfa_token")
	c.post("/auth/mfa/verify", "mfa_token", token, "code", c.app.wrong()).refused(http.StatusUnauthorized, "invalid_code")
	c.post("/auth/mfa/send", "mfa_token", token).ok()
	c.keep(c.post("/auth/mfa/verify", "mfa_token", token, "code", s.smsCode(phoneOne)))
	c.post("/auth/mfa/verify", "mfa_token", s.challengeToken("ada@example.com"), "code", c.app.shows()).ok()
	if a := c.post("/auth/mfa/verify", "mfa_token", s.challengeToken("ada@example.com"), "code", c.app.shows()).refused(http.StatusUnauthorized, "invalid_code"); !strings.Contains(a.body, `"spent":true`) {
		t.Errorf("a code used before: %s", a.body)
	}
	c.post("/auth/mfa/verify", "mfa_token", token, "code", c.app.shows()).refused(http.StatusUnauthorized, "invalid_token")
	if got := c.status().ok(); !strings.Contains(got.body, `"backup_codes_left":10`) || !strings.Contains(got.body, `"phone":"+23*****678"`) {
		t.Errorf("status %s", got.body)
	}

	c.post("/auth/logout").ok()
	backup := strings.Trim(codes[0], `"`)
	c.keep(c.post("/auth/mfa/verify", "mfa_token", s.challengeToken("ada@example.com"), "code", backup))
	c.post("/auth/mfa/verify", "mfa_token", s.challengeToken("ada@example.com"), "code", backup).refused(http.StatusUnauthorized, "invalid_code")
	if got := c.post("/mfa/unenroll", "method", "sms").ok(); strings.Contains(got.body, `"sms"`) {
		t.Errorf("status %s", got.body)
	}
	c.post("/mfa/unenroll", "method", "sms").refused(http.StatusNotFound, "not_enrolled")
}

// While MFA is required, a user without it enrolls first, with the token of that
// answer as the bearer, and is in then. Removal is mfa_enforced.
func TestAPIRequired(t *testing.T) {
	s := newSite(t)
	s.require(true)
	s.create("ada@example.com")
	c := &apiUser{site: s}
	must := c.logIn("ada@example.com")
	letter := regexp.MustCompile(`^\{"mfa_enrollment_required":true,"mfa_token":"mfa_enr_[A-Za-z0-9_-]+","available_methods":\["totp","sms"\],"expires_at":"2030-01-01T00:15:10Z"\}$`)
	if !letter.MatchString(must.body) {
		t.Errorf("enrollment %s", must.body)
	}
	c.token = must.text("mfa_token")
	c.status().refused(http.StatusUnauthorized, "unauthorized")
	c.app = s.scan(c.post("/mfa/enroll", "method", "totp").ok().text("totp_uri"))
	used := *c
	c.keep(c.post("/mfa/verify", "method", "totp", "code", c.app.shows()))
	used.post("/mfa/enroll", "method", "totp").refused(http.StatusUnauthorized, "invalid_token")
	c.status().ok()
	c.post("/mfa/unenroll", "method", "totp").refused(http.StatusForbidden, "mfa_enforced")
	s.require(false)
	c.post("/mfa/unenroll", "method", "totp").ok()
}

// The guide's mfa.verify({code}) means what the user last began, also while the
// user must enroll.
func TestAPIVerifiesWhatWasBegunLast(t *testing.T) {
	for _, required := range []bool{false, true} {
		s := newSite(t)
		s.require(required)
		s.create("ada@example.com")
		a := (&apiUser{site: s}).logIn("ada@example.com")
		c := &apiUser{site: s, token: cmp.Or(a.text("access_token"), a.text("mfa_token"))}
		c.post("/mfa/verify", "code", "123456").refused(http.StatusConflict, "no_pending_enrollment")
		app := s.scan(c.post("/mfa/enroll", "method", "totp").ok().text("totp_uri"))
		c.post("/mfa/enroll", "method", "sms", "phone", phoneOne).ok()
		c.post("/mfa/enroll", "method", "sms", "phone", "0801 234").refused(http.StatusUnprocessableEntity, "invalid_phone")
		c.post("/mfa/verify", "code", app.shows()).refused(http.StatusUnauthorized, "invalid_code")
		c.post("/mfa/verify", "code", s.smsCode(phoneOne)).ok()
	}
}

// Changing factors requires a fresh proof. The error contains the challenge, whose
// token serves nothing else.
func TestAPIStepUp(t *testing.T) {
	s := newSite(t)
	c := s.grantedTOTP("ada@example.com")
	c.post("/mfa/backup-codes").ok()
	s.clock.Advance(14 * time.Minute)
	c.refresh()
	refusal := c.post("/mfa/backup-codes").refused(http.StatusForbidden, "mfa_required")
	if !strings.Contains(refusal.body, `"available_methods":["totp","backup_code"],"factors":[{"id":"fac_`) {
		t.Errorf("refusal %s", refusal.body)
	}
	token := refusal.text("error", "mfa_token")
	c.post("/auth/mfa/verify", "mfa_token", token, "code", c.app.shows()).refused(http.StatusUnauthorized, "invalid_token")
	c.post("/mfa/step-up", "mfa_token", token, "code", c.app.wrong()).refused(http.StatusUnauthorized, "invalid_code")
	done := c.post("/mfa/step-up", "mfa_token", token, "code", c.app.shows()).ok()
	if strings.Contains(done.body, "mfa_prf_") {
		t.Error("the proof leaves the server")
	}
	c.post("/mfa/backup-codes").ok()
	c.refresh() // keeps the proof
	c.post("/mfa/unenroll", "method", "totp").ok()
}

// Refreshing replaces both tokens. Reusing a refresh token ends the grant, and so
// does a new password.
func TestAPIRefresh(t *testing.T) {
	s := newSite(t)
	c := s.grantedTOTP("ada@example.com")
	old := *c
	c.refresh()
	old.status().refused(http.StatusUnauthorized, "unauthorized")
	c.status().ok()
	s.clock.Advance(accessTTL)
	c.status().refused(http.StatusUnauthorized, "unauthorized")
	c.refresh()
	c.status().ok()
	c.post("/auth/refresh", "refresh_token", c.token).refused(http.StatusUnauthorized, "unauthorized")
	c.status().ok()
	c.post("/auth/refresh", "refresh_token", old.refreshToken).refused(http.StatusUnauthorized, "unauthorized")
	c.status().refused(http.StatusUnauthorized, "unauthorized")
	c.post("/auth/refresh", "refresh_token", c.refreshToken).refused(http.StatusUnauthorized, "unauthorized")

	d := s.granted("ada@example.com", c.app)
	s.clock.Advance(refreshTTL)
	d.post("/auth/refresh", "refresh_token", d.refreshToken).refused(http.StatusUnauthorized, "unauthorized")

	e := s.granted("ada@example.com", c.app)
	if err := s.newPassword(t.Context(), s.userID("ada@example.com"), "a new password"); err != nil {
		t.Fatal(err)
	}
	e.status().refused(http.StatusUnauthorized, "unauthorized")
	e.post("/auth/refresh", "refresh_token", e.refreshToken).refused(http.StatusUnauthorized, "unauthorized")
}

// A client may log out with an access token that has expired, or that another of its
// requests has replaced. The refresh token is worthless from then on.
func TestAPILogOutEndsTheGrant(t *testing.T) {
	for name, age := range map[string]func(c *apiUser){
		"expired": func(c *apiUser) { c.clock.Advance(accessTTL) },
		"replaced": func(c *apiUser) {
			old := c.token
			c.refresh()
			c.token = old
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.create("ada@example.com")
			c, other := &apiUser{site: s}, &apiUser{site: s}
			c.keep(c.logIn("ada@example.com"))
			other.keep(other.logIn("ada@example.com"))
			age(c)
			c.status().refused(http.StatusUnauthorized, "unauthorized")
			c.post("/auth/logout").ok()
			c.post("/auth/refresh", "refresh_token", c.refreshToken).refused(http.StatusUnauthorized, "unauthorized")
			c.post("/auth/logout").refused(http.StatusUnauthorized, "unauthorized")
			other.refresh()
		})
	}
}

// A device skips the challenge until the user forgets all devices.
func TestAPITrustedDevice(t *testing.T) {
	s := newSite(t)
	c := s.grantedTOTP("ada@example.com")
	answer := s.call(http.MethodPost, "/auth/mfa/verify", "", "application/json",
		`{"mfa_token":"`+s.challengeToken("ada@example.com")+`","code":"`+c.app.shows()+`","trust_device":true}`).ok()
	device := answer.text("device_token")
	if device == "" {
		t.Fatalf("answer %s", answer.body)
	}
	c.keep(c.logIn("ada@example.com", "device_token", device))
	c.post("/mfa/unenroll", "method", "backup_code").refused(http.StatusForbidden, "mfa_required") // a device is no proof
	if err := s.engine.ForgetDevices(t.Context(), s.userID("ada@example.com")); err != nil {
		t.Fatal(err)
	}
	if got := c.logIn("ada@example.com", "device_token", device); got.text("mfa_token") == "" || got.text("access_token") != "" {
		t.Errorf("answer %s", got.body)
	}
}

// Users with several apps and phones name them, choose where a message goes, and
// remove one, also a lost one while MFA is required.
func TestAPISeveralFactors(t *testing.T) {
	s := newSite(t)
	c := s.grantedTOTP("ada@example.com")
	enroll := func(body string) *answer {
		return s.call(http.MethodPost, "/mfa/enroll", c.token, "application/json", body)
	}
	second := s.scan(enroll(`{"method":"totp","label":"Spare","keep_others":true}`).ok().text("totp_uri"))
	c.post("/mfa/verify", "code", second.shows()).ok()
	for _, phone := range []string{phoneOne, phoneTwo} {
		enroll(`{"method":"sms","phone":"` + phone + `","keep_others":true}`).ok()
		c.post("/mfa/verify", "code", s.smsCode(phone)).ok()
		s.clock.Advance(time.Minute)
	}
	var status mfa.Status
	read := func(a *answer) []mfa.Factor {
		t.Helper()
		if err := json.Unmarshal([]byte(a.ok().body), &status); err != nil {
			t.Fatal(err)
		}
		return status.Factors
	}
	factors := read(c.status())
	if len(factors) != 5 || factors[1].Label != "Spare" {
		t.Fatalf("factors %+v", factors)
	}
	if got := read(c.post("/mfa/factors/"+factors[0].ID, "label", "Pixel"))[0].Label; got != "Pixel" {
		t.Errorf("the label is %q", got)
	}
	c.post("/mfa/factors/"+factors[0].ID, "label", strings.Repeat("x", 65)).refused(http.StatusBadRequest, "invalid_request")
	c.post("/mfa/factors/fac_0", "label", "x").refused(http.StatusNotFound, "not_enrolled")

	token := s.challengeToken("ada@example.com")
	if sent := c.post("/auth/mfa/send", "mfa_token", token, "factor_id", factors[2].ID).ok(); sent.text("phone") != "+23*****678" {
		t.Errorf("sent %s", sent.body)
	}
	d := &apiUser{site: s}
	d.keep(d.post("/auth/mfa/verify", "mfa_token", token, "code", s.smsCode(phoneOne)))
	d.post("/mfa/step-up", "mfa_token", token, "code", "123456").refused(http.StatusUnauthorized, "invalid_token")
	s.require(true)
	d.post("/mfa/unenroll", "factor_id", factors[2].ID).refused(http.StatusForbidden, "mfa_enforced")
	d.post("/mfa/revoke", "factor_id", "fac_0").refused(http.StatusNotFound, "not_enrolled")
	if left := read(d.post("/mfa/revoke", "factor_id", factors[2].ID)); len(left) != 4 || left[2].Phone != "+14*****671" {
		t.Errorf("left are %+v", left)
	}
	c.status().refused(http.StatusUnauthorized, "unauthorized") // another session
	d.post("/mfa/revoke", "method", "sms").refused(http.StatusForbidden, "mfa_required")
}

// Trusted devices have names, are listed, and are forgotten one by one.
func TestAPIDevices(t *testing.T) {
	s := newSite(t)
	c := s.grantedTOTP("ada@example.com")
	var tokens []string
	for _, label := range []string{"Firefox on Linux", "A phone"} {
		a := s.call(http.MethodPost, "/auth/mfa/verify", "", "application/json",
			`{"mfa_token":"`+s.challengeToken("ada@example.com")+`","code":"`+c.app.shows()+`","trust_device":true,"device_label":"`+label+`"}`).ok()
		tokens = append(tokens, a.text("device_token"))
		s.clock.Advance(time.Minute)
	}
	c = s.granted("ada@example.com", c.app)
	list := func(a *answer) (devices []mfa.TrustedDevice) {
		t.Helper()
		var body struct{ Devices []mfa.TrustedDevice }
		if err := json.Unmarshal([]byte(a.ok().body), &body); err != nil {
			t.Fatal(err)
		}
		return body.Devices
	}
	forget := func(body string) *answer {
		return s.call(http.MethodPost, "/mfa/devices/forget", c.token, "application/json", body)
	}
	devices := list(s.call(http.MethodGet, "/mfa/devices", c.token, "", ""))
	if len(devices) != 2 || devices[1].Label != "Firefox on Linux" {
		t.Fatalf("devices %+v", devices)
	}
	for _, body := range []string{`{}`, `{"device_id":""}`, `{"all":false}`} {
		forget(body).refused(http.StatusBadRequest, "invalid_request")
	}
	if left := list(forget(`{"device_id":"` + devices[1].ID + `"}`)); len(left) != 1 || left[0].Label != "A phone" {
		t.Errorf("left are %+v", left)
	}
	if a := c.logIn("ada@example.com", "device_token", tokens[0]); a.text("mfa_token") == "" {
		t.Errorf("a forgotten device skips the challenge: %s", a.body)
	}
	if a := c.logIn("ada@example.com", "device_token", tokens[1]); a.text("access_token") == "" {
		t.Errorf("the other device does not: %s", a.body)
	}
	if left := list(forget(`{"all":true}`)); len(left) != 0 {
		t.Errorf("left are %+v", left)
	}
}

// A provider or database that fails is reported as such, without its own words.
func TestFaults(t *testing.T) {
	outbox := &mfatest.Outbox{}
	s := newSite(t, func(c *config) { c.SMS = outbox })
	c := s.grantedTOTP("ada@example.com")
	b := s.browser()
	b.enter("ada@example.com", c.app)
	c.post("/mfa/enroll", "method", "sms", "phone", phoneOne).ok()
	s.clock.Advance(time.Minute)
	outbox.FailWith(errors.New("the provider's own words"))
	failed := c.post("/mfa/enroll", "method", "sms", "phone", phoneOne).refused(http.StatusBadGateway, "delivery_failed")
	p := b.post("/enroll/sms", "phone", phoneTwo).wants("sms").wantsError(http.StatusBadGateway, "delivery_failed")
	if strings.Contains(failed.body+p.body, "own words") {
		t.Error("the provider's words are shown")
	}

	b.get("/security").wants("security")
	if _, err := s.users.db.Exec("DROP TABLE users"); err != nil {
		t.Fatal(err)
	}
	fault := c.status().refused(http.StatusServiceUnavailable, "internal")
	p = b.get("/security").wants("error").wantsError(http.StatusServiceUnavailable, "internal")
	if strings.Contains(fault.body+p.body, "table") {
		t.Error("the database's words are shown")
	}
}

// A browser's access token is also in a cookie out of reach of its scripts, which a
// token in the header overrides, and which the login of another user replaces with
// the grant that it stands for.
func TestAPICookie(t *testing.T) {
	for _, secure := range []bool{false, true} {
		s := newSite(t, func(c *config) { c.Secure = secure })
		s.create("ada@example.com")
		s.create("bob@example.com")
		login := func(email, cookie string) *answer {
			return &answer{s.send(http.DefaultClient, http.MethodPost, "/auth/login", `{"email":"`+email+`","password":"`+password+`"}`,
				"Content-Type", "application/json", "Cookie", cookie)}
		}
		with := func(path, method, cookie string, headers ...string) *answer {
			return &answer{s.send(http.DefaultClient, method, path, "", append(headers, "Cookie", cookie)...)}
		}
		cookie, err := http.ParseSetCookie(login("ada@example.com", "").ok().header.Get("Set-Cookie"))
		if err != nil {
			t.Fatal(err)
		}
		if c := cookie; c.Name != cookieName(accessCookie, secure) || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Secure != secure || c.Path != "/" || c.Domain != "" {
			t.Errorf("secure %v: cookie %v", secure, c)
		}
		ada := cookie.Name + "=" + cookie.Value
		with("/mfa/status", http.MethodGet, ada).ok()
		with("/mfa/status", http.MethodGet, ada, "Authorization", "Bearer at_x.y").refused(http.StatusUnauthorized, "unauthorized")
		with("/auth/logout", http.MethodPost, ada, "Sec-Fetch-Site", "cross-site").refused(http.StatusForbidden, "cross_origin")
		with("/mfa/status", http.MethodGet, ada).ok()

		login("bob@example.com", ada).ok()
		with("/mfa/status", http.MethodGet, ada).refused(http.StatusUnauthorized, "unauthorized")
	}
}

// A login that ends with an enrollment replaces the browser's cookie as well, although
// its own token stands in the header. Another user's grant in that cookie ends, also
// if it needs a refresh.
func TestAPIEnrollmentReplacesTheCookie(t *testing.T) {
	for name, age := range map[string]time.Duration{"valid": 0, "expired": accessTTL} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.create("ada@example.com")
			s.create("bob@example.com")
			ada := &apiUser{site: s}
			ada.keep(ada.logIn("ada@example.com"))
			s.clock.Advance(age)
			s.require(true)
			token := (&apiUser{site: s}).logIn("bob@example.com").text("mfa_token")
			post := func(path, body string) *answer {
				return &answer{s.send(http.DefaultClient, http.MethodPost, path, body, "Content-Type", "application/json",
					"Authorization", "Bearer "+token, "Cookie", accessCookie+"="+ada.token)}
			}
			app := s.scan(post("/mfa/enroll", `{"method":"totp"}`).ok().text("totp_uri"))
			bob := &apiUser{site: s}
			bob.keep(post("/mfa/verify", `{"code":"`+app.shows()+`"}`))
			ada.status().refused(http.StatusUnauthorized, "unauthorized")
			ada.post("/auth/refresh", "refresh_token", ada.refreshToken).refused(http.StatusUnauthorized, "unauthorized")
			bob.status().ok()
		})
	}
}

// Other servers change the project with its key alone, at which they have few
// guesses. Without a key nobody may.
func TestAPIProject(t *testing.T) {
	const key = "pk_a_key_of_the_project"
	s := newSite(t, func(c *config) { c.ProjectKey = key })
	update := func(bearer, body string) *answer {
		return s.call(http.MethodPatch, "/projects/proj_1", bearer, "application/json", body)
	}
	if got := update(key, `{"mfa_required":true}`).ok().body; got != `{"id":"proj_1","mfa_required":true}`+"\n" || !s.required() {
		t.Errorf("answer %q, required %v", got, s.required())
	}
	for _, body := range []string{`{}`, `{"mfa_required":null}`, `{"mfa_required":"no"}`} {
		update(key, body).refused(http.StatusBadRequest, "invalid_request")
	}
	for range limitAddress {
		update("pk_another", `{"mfa_required":false}`).refused(http.StatusUnauthorized, "unauthorized")
	}
	update(key, `{"mfa_required":false}`).refused(http.StatusTooManyRequests, "too_many_attempts")
	if !s.required() {
		t.Error("a wrong key switched MFA off")
	}
	none := newSite(t)
	none.call(http.MethodPatch, "/projects/proj_1", "", "application/json", `{"mfa_required":true}`).refused(http.StatusUnauthorized, "unauthorized")
}

// The token of an enrollment does not outlive its user's account.
func TestAPIEnrollmentOfADeletedUser(t *testing.T) {
	s := newSite(t)
	s.require(true)
	s.create("root@example.com")
	s.create("ada@example.com")
	c := &apiUser{site: s}
	c.token = c.logIn("ada@example.com").text("mfa_token")
	id := s.userID("ada@example.com")
	if err := s.users.remove(t.Context(), id, func(tx *sql.Tx) error { return s.store.DeleteTx(t.Context(), tx, id) }); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"totp", "sms"} {
		c.post("/mfa/enroll", "method", method, "phone", phoneOne).refused(http.StatusUnauthorized, "unauthorized")
	}
}

// Unknown paths and methods are refused as JSON, as every error is.
func TestAPIUnknownCalls(t *testing.T) {
	s := newSite(t)
	_, api := routed(t)
	for _, r := range api {
		for _, other := range []string{http.MethodGet, http.MethodPost, http.MethodDelete} {
			if other == r.method {
				continue
			}
			a := s.call(other, r.path, "", "", "").refused(http.StatusMethodNotAllowed, "method_not_allowed")
			if got, _, _ := strings.Cut(a.header.Get("Allow"), ","); got != r.method {
				t.Errorf("%s %s allows %q", other, r.path, got)
			}
		}
	}
	for _, path := range []string{"/auth/", "/auth/nope", "/mfa/nope", "/mfa/status/more"} {
		s.call(http.MethodGet, path, "", "", "").refused(http.StatusNotFound, "not_found")
		s.call(http.MethodPost, path, "", "", "").refused(http.StatusNotFound, "not_found")
	}
}
