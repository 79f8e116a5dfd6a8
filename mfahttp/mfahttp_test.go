package mfahttp_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
	"github.com/protekt/mfa/mfahttp"
)

// TestAUserEnrollsAndLogsIn through all the endpoints, as a client does.
func TestAUserEnrollsAndLogsIn(t *testing.T) {
	h := newHost(t, nil)
	token := h.login("ada", "")
	begun := h.ok(h.post("/mfa/enroll", token, map[string]any{"method": "totp", "label": "phone"}))
	app := h.Scan(begun["totp_uri"].(string))
	if !strings.Contains(begun["totp_uri"].(string), "ada@example.com") || !strings.HasPrefix(begun["qr_code"].(string), "data:image/png") {
		t.Errorf("%v", begun)
	}
	problem := h.refused(h.post("/mfa/verify", token, map[string]any{"code": app.Wrong()}), 401, "invalid_code")
	if problem["tries_left"] != 4.0 {
		t.Errorf("%v", problem)
	}
	login := h.ok(h.post("/mfa/verify", token, map[string]any{"code": app.Shows()}))
	if login["method"] != "totp" || login["user_id"] != "ada" || login["proof"] != nil {
		t.Errorf("%v", login)
	}
	codes := h.ok(h.post("/mfa/backup-codes", token, nil))["backup_codes"].([]any)
	h.Clock.Advance(time.Minute)

	challenge := h.ok(h.post("/auth/login", "", map[string]string{"User": "ada"}))
	factors := challenge["factors"].([]any)
	if challenge["mfa_required"] != true || challenge["expires_at"] == nil || len(factors) != 2 || factors[0].(map[string]any)["label"] != "phone" {
		t.Errorf("%v", challenge)
	}
	tokens := h.ok(h.post("/auth/mfa/verify", "", map[string]any{"mfa_token": challenge["mfa_token"], "code": app.Shows(), "trust_device": true, "device_label": "Firefox on Linux"}))
	device := tokens["device_token"].(string)
	if again := h.ok(h.post("/auth/login", "", map[string]string{"User": "ada", "Device": device})); again["access_token"] == nil {
		t.Errorf("a trusted device: %v", again)
	}
	token = tokens["access_token"].(string)
	devices := h.ok(h.call("GET", "/mfa/devices", token, nil))["devices"].([]any)
	id := devices[0].(map[string]any)["id"]
	for _, bad := range []any{"{}", map[string]any{"device_id": ""}, map[string]any{"device_id": id, "all": true}} {
		h.refused(h.post("/mfa/devices/forget", token, bad), 400, "invalid_request")
	}
	if left := h.ok(h.post("/mfa/devices/forget", token, map[string]any{"device_id": id}))["devices"].([]any); len(left) != 0 {
		t.Errorf("left %v", left)
	}
	status := h.ok(h.call("GET", "/mfa/status", token, nil))
	factor := status["factors"].([]any)[0].(map[string]any)["id"].(string)
	status = h.ok(h.post("/mfa/factors/"+factor, token, map[string]string{"label": "old phone"}))
	if status["factors"].([]any)[0].(map[string]any)["label"] != "old phone" || len(codes) != 1 {
		t.Errorf("%v", status)
	}
	status = h.ok(h.post("/mfa/unenroll", token, map[string]any{"factor_id": factor}))
	if len(status["factors"].([]any)) != 0 {
		t.Errorf("%v", status)
	}
}

func TestAUserWhoMustEnrollIsLoggedInByIt(t *testing.T) {
	required := true
	h := newHost(t, nil, world.RequiredWhen(&required))
	begun := h.ok(h.post("/auth/login", "", map[string]string{"User": "ada"}))
	if begun["mfa_enrollment_required"] != true || begun["expires_at"] == nil {
		t.Fatalf("%v", begun)
	}
	token := begun["mfa_token"].(string)
	enrollment := token
	for _, closed := range []string{"/mfa/backup-codes", "/mfa/unenroll", "/mfa/step-up", "/mfa/revoke"} {
		h.refused(h.post(closed, token, nil), 401, "unauthorized")
	}
	options := h.ok(h.post("/mfa/enroll", token, map[string]string{"method": "passkey"}))["options"]
	raw, _ := json.Marshal(options)
	key := &world.SecurityKey{ID: "key"}
	tokens := h.ok(h.post("/mfa/verify", token, map[string]any{"passkey": json.RawMessage(key.Answers(raw))}))
	access := tokens["access_token"].(string)
	if h.began != enrollment {
		t.Errorf("Complete gets the token %q, want %q", h.began, enrollment)
	}
	h.refused(h.post("/mfa/enroll", token, map[string]string{"method": "totp"}), 401, "invalid_token") // used up
	h.refused(h.post("/mfa/unenroll", access, map[string]string{"method": "passkey"}), 403, "mfa_enforced")

	challenge := h.ok(h.post("/auth/login", "", map[string]string{"User": "ada"}))
	request, _ := json.Marshal(h.ok(h.post("/auth/mfa/passkey", "", map[string]any{"mfa_token": challenge["mfa_token"]})))
	h.ok(h.post("/auth/mfa/verify", "", map[string]any{"mfa_token": challenge["mfa_token"], "passkey": json.RawMessage(key.Answers(request))}))
	if h.began != challenge["mfa_token"] {
		t.Errorf("Complete gets the token %q, want %q", h.began, challenge["mfa_token"])
	}
}

// TestADeviceThatIsNotTrustedCostsNoLogin: the code is spent by then.
func TestADeviceThatIsNotTrustedCostsNoLogin(t *testing.T) {
	store := world.NewFaultStore()
	h := newHost(t, nil, func(c *mfa.Config) { c.Store = store })
	app, _ := h.GiveTOTP("ada")
	h.Clock.Advance(time.Minute)
	begun := h.ok(h.post("/auth/login", "", map[string]string{"User": "ada"}))
	store.Arm(store.Snapshot(), 3, world.Fails) // after the Load and the Save of the answer
	tokens := h.ok(h.post("/auth/mfa/verify", "", map[string]any{"mfa_token": begun["mfa_token"], "code": app.Shows(), "trust_device": true}))
	if tokens["access_token"] == nil || tokens["device_token"] != nil || len(h.faults) != 1 {
		t.Errorf("answer %v, faults %v", tokens, h.faults)
	}
}

// TestALostFactorIsRevokedWhileMFAIsRequired, but not the only one. The host learns
// of it before the client does.
func TestALostFactorIsRevokedWhileMFAIsRequired(t *testing.T) {
	const phone = "+2348012345678"
	required, told, fails := true, 0, error(nil)
	h := newHost(t, func(c *mfahttp.Config) {
		c.OnRemove = func(r *http.Request, userID string) error {
			c.Session.(*host).stands(r)
			if userID != "ada" {
				t.Errorf("told of %q", userID)
			}
			told++
			return fails
		}
	}, world.RequiredWhen(&required))
	lost, _ := h.GiveTOTP("ada")
	h.Clock.Advance(time.Minute)
	token := h.login("ada", lost.Shows())
	h.refused(h.post("/mfa/revoke", token, map[string]string{"method": "totp"}), 403, "mfa_enforced")

	h.ok(h.post("/mfa/enroll", token, map[string]string{"method": "sms", "phone": phone}))
	h.ok(h.post("/mfa/verify", token, map[string]string{"code": h.Outbox.Code(phone)}))
	h.refused(h.post("/mfa/unenroll", token, map[string]string{"method": "totp"}), 403, "mfa_enforced")
	if told != 0 {
		t.Errorf("told of %d removals before any", told)
	}
	status := h.ok(h.post("/mfa/revoke", token, map[string]string{"method": "totp"}))
	if left := status["factors"].([]any); len(left) != 1 || told != 1 {
		t.Errorf("left %v, told of %d", left, told)
	}

	required, fails = false, errBroken
	h.Clock.Advance(time.Minute)
	begun := h.ok(h.post("/auth/login", "", map[string]string{"User": "ada"}))
	h.ok(h.post("/auth/mfa/send", "", map[string]any{"mfa_token": begun["mfa_token"]}))
	token = h.ok(h.post("/auth/mfa/verify", "", map[string]any{"mfa_token": begun["mfa_token"], "code": h.Outbox.Code(phone)}))["access_token"].(string)
	h.refused(h.post("/mfa/unenroll", token, map[string]string{"method": "sms"}), 503, "internal")
}

// TestARemovalWhoseAnswerWasLostIsTold: the factor is gone, and the client, which
// sees a fault, cannot remove it again.
func TestARemovalWhoseAnswerWasLostIsTold(t *testing.T) {
	store, told := world.NewFaultStore(), 0
	h := newHost(t, func(c *mfahttp.Config) {
		c.OnRemove = func(*http.Request, string) error { told++; return nil }
	}, func(c *mfa.Config) { c.Store = store })
	app, _ := h.GiveTOTP("ada")
	h.Clock.Advance(time.Minute)
	token := h.login("ada", app.Shows())
	h.refused(h.post("/mfa/unenroll", token, map[string]string{"method": "sms"}), 404, "not_enrolled")
	if told != 0 {
		t.Errorf("told of a removal that was refused")
	}
	store.Arm(store.Snapshot(), 3, world.FailsLate) // after two Loads
	h.refused(h.post("/mfa/unenroll", token, map[string]string{"method": "totp"}), 503, "internal")
	if told != 1 {
		t.Errorf("told %d times of the removal", told)
	}
	h.refused(h.post("/mfa/unenroll", token, map[string]string{"method": "totp"}), 404, "not_enrolled")
}

// TestAnOldProofAsksForAStepUp, which then goes on.
func TestAnOldProofAsksForAStepUp(t *testing.T) {
	h := newHost(t, nil)
	app, _ := h.GiveTOTP("ada")
	token := h.login("ada", app.Shows())
	h.Clock.Advance(time.Hour)
	for path, body := range map[string]any{
		"/mfa/backup-codes": nil, "/mfa/unenroll": map[string]string{"method": "totp"}, "/mfa/revoke": map[string]string{"method": "totp"},
		"/mfa/enroll": map[string]string{"method": "totp"},
	} {
		problem := h.refused(h.post(path, token, body), 403, "mfa_required")
		if problem["mfa_token"] == nil || problem["factors"] == nil || problem["available_methods"] == nil {
			t.Errorf("%s: %v", path, problem)
		}
	}
	problem := h.refused(h.post("/mfa/backup-codes", token, nil), 403, "mfa_required")
	h.ok(h.post("/mfa/step-up", token, map[string]any{"mfa_token": problem["mfa_token"], "code": app.Shows()}))
	h.ok(h.post("/mfa/backup-codes", token, nil))
	h.ok(h.post("/mfa/revoke", token, map[string]string{"method": "totp"}))
	h.refused(h.post("/mfa/revoke", token, map[string]string{"method": "totp"}), 404, "not_enrolled")
}

// TestAStepUpOfAnotherUserIsRefused: the token may come from anybody's form.
func TestAStepUpOfAnotherUserIsRefused(t *testing.T) {
	h := newHost(t, nil)
	mallory, _ := h.GiveTOTP("mallory")
	ada, _ := h.GiveTOTP("ada")
	token := h.login("ada", ada.Shows())
	challenge, err := h.BeginStepUp(h.Ctx, "mallory", mfa.ActionManage)
	world.OK(t, err)
	h.refused(h.post("/mfa/step-up", token, map[string]string{"mfa_token": challenge.Token, "code": mallory.Shows()}), 401, "invalid_token")
}

func TestKeptTokensNeverReachTheClient(t *testing.T) {
	h := newHost(t, func(c *mfahttp.Config) { c.Tokens = c.Session.(*host) })
	app, _ := h.GiveTOTP("ada")
	challenge := h.post("/auth/login", "", map[string]string{"User": "ada"})
	if strings.Contains(challenge.Body.String(), "mfa_tmp_") || h.kept == "" {
		t.Errorf("%s, kept %q", challenge.Body, h.kept)
	}
	h.refused(h.post("/auth/mfa/verify", "", map[string]any{"mfa_token": h.kept, "code": app.Shows()}), 400, "invalid_request")
	tokens := h.ok(h.post("/auth/mfa/verify", "", map[string]any{"code": app.Shows(), "trust_device": true}))
	if tokens["device_token"] != nil {
		t.Error("scripts can read the device's token")
	}
	h.Clock.Advance(time.Hour)
	refused := h.post("/mfa/backup-codes", tokens["access_token"].(string), nil)
	h.refused(refused, 403, "mfa_required")
	if strings.Contains(refused.Body.String(), "mfa_tmp_") || h.kept == "" {
		t.Errorf("%s, kept %q", refused.Body, h.kept)
	}
	h.ok(h.post("/mfa/step-up", tokens["access_token"].(string), map[string]any{"code": app.Shows()}))
}

func TestRequestsAreReadStrictly(t *testing.T) {
	h := newHost(t, nil)
	app, _ := h.GiveTOTP("ada")
	token := h.login("ada", app.Shows())
	for _, test := range []struct {
		name         string
		answer       answer
		status       int
		code, header string
	}{
		{"another path", h.post("/mfa/other", token, nil), 404, "not_found", ""},
		{"another method", h.call("GET", "/mfa/enroll", token, nil), 405, "method_not_allowed", "Allow: POST"},
		{"another method", h.post("/mfa/status", token, nil), 405, "method_not_allowed", "Allow: GET, HEAD"},
		{"options", h.call("OPTIONS", "/mfa/enroll", token, nil), 405, "method_not_allowed", "Allow: POST"},
		{"a slash more at the end", h.call("GET", "/mfa/status/", token, nil), 404, "not_found", ""},
		{"a factor with a slash in its ID", h.post("/mfa/factors/a%2Fb", token, `{"label":"x"}`), 404, "not_enrolled", ""},
		{"another content type", h.call("POST", "/mfa/enroll", token, "{}", "Content-Type: text/plain"), 415, "unsupported_media_type", ""},
		{"a list", h.post("/mfa/enroll", token, "[]"), 400, "invalid_request", ""},
		{"null", h.post("/mfa/enroll", token, "null"), 400, "invalid_request", ""},
		{"two objects", h.post("/mfa/enroll", token, "{}{}"), 400, "invalid_request", ""},
		{"no object", h.post("/mfa/enroll", token, "{"), 400, "invalid_request", ""},
		{"a number as code", h.post("/mfa/verify", token, `{"code":123456}`), 400, "invalid_request", ""},
		{"a code as passkey", h.post("/mfa/verify", token, `{"passkey":"123456"}`), 400, "invalid_request", ""},
		{"code and passkey", h.post("/mfa/verify", token, `{"code":"1","passkey":{}}`), 400, "invalid_request", ""},
		{"neither method nor factor", h.post("/mfa/unenroll", token, nil), 400, "invalid_request", ""},
		{"an empty factor", h.post("/mfa/unenroll", token, `{"factor_id":""}`), 404, "not_enrolled", ""},
		{"an unknown method", h.post("/mfa/enroll", token, `{"method":"x"}`), 422, "method_unavailable", ""},
		{"16 KiB and more", h.post("/mfa/enroll", token, `{"x":"`+strings.Repeat("x", 16<<10)+`"}`), 413, "too_large", ""},
		{"64 KiB and more", h.post("/mfa/verify", token, `{"x":"`+strings.Repeat("x", 64<<10)+`"}`), 413, "too_large", ""},
		{"nobody", h.call("GET", "/mfa/status", "", nil), 401, "unauthorized", "Www-Authenticate: Bearer"},
		{"somebody else's idea of a token", h.call("GET", "/mfa/status", "at_x", nil), 401, "unauthorized", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			h.refused(test.answer, test.status, test.code)
			if name, value, _ := strings.Cut(test.header, ": "); test.answer.Header().Get(name) != value {
				t.Errorf("%s: %q", name, test.answer.Header().Get(name))
			}
		})
	}
}

// TestNothingIsRedirected: below a prefix that the host strips it would lead
// elsewhere.
func TestNothingIsRedirected(t *testing.T) {
	h := newHost(t, nil)
	for _, path := range []string{"/mfa//status", "//mfa/status", "/mfa/x/../status", "/mfa/./status"} {
		a := answer{ResponseRecorder: httptest.NewRecorder()}
		h.handler.ServeHTTP(a, httptest.NewRequest("GET", path, nil))
		json.Unmarshal(a.Body.Bytes(), &a.body)
		h.refused(a, 404, "not_found")
	}
}

// TestHEADIsAnsweredAsGET, and what nobody reads is no obstacle: the body of a GET,
// parameters of a content type, null for a field that is not there.
func TestHEADIsAnsweredAsGET(t *testing.T) {
	h := newHost(t, nil)
	app, _ := h.GiveTOTP("ada")
	token := h.login("ada", app.Shows())
	if a := h.call("HEAD", "/mfa/status", token, nil); a.Code != 200 || a.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%d %v", a.Code, a.Header())
	}
	h.ok(h.call("GET", "/mfa/status", token, "{"))
	h.ok(h.call("POST", "/mfa/devices/forget", token, `{"all":true}`, "Content-Type: Application/JSON; charset=utf-8"))
	h.Clock.Advance(time.Minute)
	challenge := h.ok(h.post("/auth/login", "", map[string]string{"User": "ada"}))
	h.ok(h.post("/auth/mfa/verify", "", map[string]any{"mfa_token": challenge["mfa_token"], "code": app.Shows(), "passkey": nil}))
}

// TestALabelThatIsRefusedCostsNoLogin: the code is spent by then.
func TestALabelThatIsRefusedCostsNoLogin(t *testing.T) {
	h := newHost(t, nil)
	app, _ := h.GiveTOTP("ada")
	challenge := h.ok(h.post("/auth/login", "", map[string]string{"User": "ada"}))
	tokens := h.ok(h.post("/auth/mfa/verify", "", map[string]any{
		"mfa_token": challenge["mfa_token"], "code": app.Shows(), "trust_device": true, "device_label": strings.Repeat("Mozilla/5.0 ", 9),
	}))
	device := h.ok(h.call("GET", "/mfa/devices", tokens["access_token"].(string), nil))["devices"].([]any)[0].(map[string]any)
	if tokens["device_token"] == nil || device["label"] != nil {
		t.Errorf("%v, %v", tokens, device)
	}
}

// TestADeadTokenInASessionShutsNobodyOut: the host need not take it away.
func TestADeadTokenInASessionShutsNobodyOut(t *testing.T) {
	required := true
	h := newHost(t, func(c *mfahttp.Config) { c.Tokens = c.Session.(*host) }, world.RequiredWhen(&required))
	h.post("/auth/login", "", map[string]string{"User": "ada"})
	used := h.kept
	app := h.Scan(h.ok(h.post("/mfa/enroll", "", map[string]string{"method": "totp"}))["totp_uri"].(string))
	token := h.ok(h.post("/mfa/verify", "", map[string]string{"code": app.Shows()}))["access_token"].(string)
	h.kept = used
	h.ok(h.post("/mfa/enroll", token, map[string]string{"method": "passkey"}))
	h.refused(h.post("/mfa/enroll", "", map[string]string{"method": "passkey"}), 401, "invalid_token")
}

func TestOtherSitesAreRefusedUnlessListed(t *testing.T) {
	h := newHost(t, nil)
	app, _ := h.GiveTOTP("ada")
	token := h.login("ada", app.Shows())
	const listed, other = "https://app.example.com", "https://evil.example"
	for _, test := range []struct {
		method, origin, site string
		preflight            bool
		status               int
		allowed              string
	}{
		{"POST", other, "cross-site", false, 403, ""},
		{"POST", "", "cross-site", false, 403, ""},
		{"POST", listed, "cross-site", false, 200, listed},
		{"POST", "https://example.com", "same-origin", false, 200, ""},
		{"GET", listed, "cross-site", false, 200, listed},
		{"GET", other, "cross-site", false, 200, ""}, // whose scripts cannot read it
		{"OPTIONS", listed, "cross-site", true, 204, listed},
		{"OPTIONS", other, "cross-site", true, 403, ""},
		{"POST", listed + ".evil.example", "cross-site", false, 403, ""},
	} {
		path, body := "/mfa/devices/forget", any(`{"all":true}`)
		if test.method == "GET" {
			path, body = "/mfa/status", nil
		}
		headers := []string{"Sec-Fetch-Site: " + test.site}
		if test.origin != "" {
			headers = append(headers, "Origin: "+test.origin)
		}
		if test.preflight {
			headers = append(headers, "Access-Control-Request-Method: POST")
		}
		a := h.call(test.method, path, token, body, headers...)
		if a.Code != test.status || a.Header().Get("Access-Control-Allow-Origin") != test.allowed {
			t.Errorf("%+v: %d, %v", test, a.Code, a.Header())
		}
	}
}

func TestMiddlewareFailsClosed(t *testing.T) {
	required := false
	h := newHost(t, nil, world.RequiredWhen(&required))
	reached := 0
	page := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ })
	h.mux.Handle("/page", h.handler.RequireLogin(page))
	h.mux.Handle("/mfa-page", h.handler.RequireMFA(page))
	h.mux.Handle("/transfer", h.handler.RequireStepUp("transfer", 5*time.Minute, page))
	token := h.login("ada", "")
	for _, path := range []string{"/page", "/mfa-page", "/transfer"} {
		h.refused(h.call("GET", path, "", nil), 401, "unauthorized")
	}
	h.call("GET", "/page", token, nil)
	h.call("GET", "/mfa-page", token, nil)
	if reached != 2 {
		t.Fatalf("reached %d", reached)
	}
	h.refused(h.call("GET", "/transfer", token, nil), 404, "not_enrolled") // nothing to prove, and no way in
	required = true
	enrollment := h.refused(h.call("GET", "/mfa-page", token, nil), 403, "mfa_enrollment_required")["mfa_token"].(string)
	begun := h.ok(h.post("/mfa/enroll", enrollment, map[string]string{"method": "totp"}))
	app := h.Scan(begun["totp_uri"].(string))
	token = h.ok(h.post("/mfa/verify", enrollment, map[string]string{"code": app.Shows()}))["access_token"].(string)
	h.call("GET", "/mfa-page", token, nil)

	h.Clock.Advance(time.Minute)
	step := h.refused(h.call("GET", "/transfer", token, nil), 403, "mfa_required")["mfa_token"]
	h.refused(h.post("/mfa/step-up", token, map[string]any{"mfa_token": step, "code": app.Shows()}), 401, "invalid_token") // for another action
	h.ok(h.post("/mfa/step-up", token, map[string]any{"mfa_token": step, "code": app.Shows(), "action": "transfer"}))
	h.call("GET", "/transfer", token, nil)
	h.Clock.Advance(5 * time.Minute)
	h.refused(h.call("GET", "/transfer", token, nil), 403, "mfa_required")
	h.Clock.Advance(-10 * time.Minute) // proved in the future
	h.refused(h.call("GET", "/transfer", token, nil), 403, "mfa_required")
	if reached != 4 {
		t.Errorf("reached %d", reached)
	}
	h.broken = errBroken
	for _, path := range []string{"/page", "/mfa-page", "/transfer"} {
		h.refused(h.call("GET", path, token, nil), 503, "internal")
	}
	h.mu.Lock()
	h.broken, h.sessions["Bearer empty"] = nil, mfahttp.User{}
	h.mu.Unlock()
	h.refused(h.call("GET", "/page", "empty", nil), 401, "unauthorized")
	if reached != 4 {
		t.Errorf("reached %d", reached)
	}
}

func TestFaultsAreTheHostsAlone(t *testing.T) {
	h := newHost(t, nil)
	h.broken = errBroken
	a := h.call("GET", "/mfa/status", "x", nil)
	h.refused(a, 503, "internal")
	if strings.Contains(a.Body.String(), "secret") || len(h.faults) != 1 || !errors.Is(h.faults[0], errBroken) {
		t.Errorf("%s, %v", a.Body, h.faults)
	}
	h = newHost(t, nil, func(c *mfa.Config) { c.Store = world.FailingStore{Err: errBroken} })
	a = h.post("/auth/login", "", map[string]string{"User": "ada"})
	h.refused(a, 503, "internal")
	if len(h.faults) != 1 {
		t.Errorf("%v", h.faults)
	}
}

// TestEveryErrorIsExplained, through any wrapping.
func TestEveryErrorIsExplained(t *testing.T) {
	for _, test := range []struct {
		err        error
		status     int
		code       string
		retryAfter int
	}{
		{&mfa.ChallengeError{}, 403, "mfa_required", 0},
		{&mfa.EnrollmentError{}, 403, "mfa_enrollment_required", 0},
		{mfa.ErrEnforced, 403, "mfa_enforced", 0},
		{&mfa.CodeError{TriesLeft: 2}, 401, "invalid_code", 0},
		{mfa.ErrInvalidCode, 401, "invalid_code", 0},
		{mfa.ErrClonedPasskey, 401, "invalid_code", 0},
		{mfa.ErrInvalidToken, 401, "invalid_token", 0},
		{mfa.ErrNotEnrolled, 404, "not_enrolled", 0},
		{mfa.ErrNoPendingEnrollment, 409, "no_pending_enrollment", 0},
		{mfa.ErrMethodUnavailable, 422, "method_unavailable", 0},
		{mfa.ErrInvalidPhone, 422, "invalid_phone", 0},
		{mfa.ErrInvalidUser, 400, "invalid_user", 0},
		{mfa.ErrInvalidInput, 400, "invalid_request", 0},
		{mfa.ErrDelivery, 502, "delivery_failed", 0},
		{mfa.ErrFactorDisabled, 403, "factor_disabled", 0},
		{&mfa.ThrottledError{RetryAfter: 1001 * time.Millisecond}, 429, "too_many_attempts", 2},
		{&mfa.ThrottledError{RetryAfter: time.Nanosecond, Sending: true}, 429, "too_many_messages", 1},
		{mfa.ErrAlreadyEnrolled, 409, "already_enrolled", 0},
		{mfa.ErrConflict, 409, "conflict", 0},
		{mfahttp.ErrNoSession, 401, "unauthorized", 0},
		{errBroken, 503, "internal", 0},
	} {
		for _, err := range []error{test.err, fmt.Errorf("the host: %w", test.err), errors.Join(errBroken, test.err)} {
			p := mfahttp.Explain(err)
			if p.Status != test.status || p.Code != test.code || p.RetryAfter != test.retryAfter || p.Message != mfahttp.Messages()[test.code] || p.Message == "" {
				t.Errorf("%v: %+v", err, p)
			}
		}
	}
}

// TestNoErrorIsNoWayIn: a host that explains nil, or passes it to Challenge,
// writes a refusal.
func TestNoErrorIsNoWayIn(t *testing.T) {
	h := newHost(t, nil)
	h.mux.HandleFunc("/nil", func(w http.ResponseWriter, r *http.Request) { h.handler.Challenge(w, r, nil) })
	h.refused(h.call("GET", "/nil", "", nil), 503, "internal")
}

func TestMessagesAreTheHostsIfItHasThem(t *testing.T) {
	h := newHost(t, func(c *mfahttp.Config) {
		c.Message = func(r *http.Request, code string) string {
			if r.Header.Get("Accept-Language") == "de" && code == "unauthorized" {
				return "Bitte melden Sie sich an."
			}
			return ""
		}
	})
	if got := h.refused(h.call("GET", "/mfa/status", "", nil, "Accept-Language: de"), 401, "unauthorized")["message"]; got != "Bitte melden Sie sich an." {
		t.Errorf("%v", got)
	}
	if got := h.refused(h.call("GET", "/mfa/status", "", nil), 401, "unauthorized")["message"]; got != "Sign in first." {
		t.Errorf("%v", got)
	}
}

func TestASpentCodeSaysSo(t *testing.T) {
	h := newHost(t, nil)
	app, _ := h.GiveTOTP("ada")
	code := app.Shows()
	h.login("ada", code)
	challenge := h.ok(h.post("/auth/login", "", map[string]string{"User": "ada"}))
	problem := h.refused(h.post("/auth/mfa/verify", "", map[string]any{"mfa_token": challenge["mfa_token"], "code": code}), 401, "invalid_code")
	if problem["spent"] != true || problem["tries_left"] != 5.0 {
		t.Errorf("%v", problem)
	}
}

func TestACodeIsSentToThePhoneThatIsNamed(t *testing.T) {
	h := newHost(t, nil)
	login := h.GiveSMS("ada", world.Phone)
	h.GiveSMS("ada", world.Phone2, mfa.WithProof(login.Proof), mfa.KeepOthers())
	challenge := h.ok(h.post("/auth/login", "", map[string]string{"User": "ada"}))
	first := challenge["factors"].([]any)[0].(map[string]any)
	sent := h.ok(h.post("/auth/mfa/send", "", map[string]any{"mfa_token": challenge["mfa_token"], "factor_id": first["id"]}))
	if sent["phone"] != first["phone"] || sent["resend_after"] == nil {
		t.Errorf("%v", sent)
	}
	again := h.post("/auth/mfa/send", "", map[string]any{"mfa_token": challenge["mfa_token"]})
	h.refused(again, 429, "too_many_messages")
	if again.Header().Get("Retry-After") != "30" {
		t.Errorf("%v", again.Header())
	}
}

func TestNewNamesTheFieldAtFault(t *testing.T) {
	h := newHost(t, nil)
	good := mfahttp.Config{Engine: h.Engine, Session: h}
	for field, change := range map[string]func(*mfahttp.Config){
		"Engine":  func(c *mfahttp.Config) { c.Engine = nil },
		"Session": func(c *mfahttp.Config) { c.Session = nil },
		"Origins": func(c *mfahttp.Config) { c.Origins = []string{"app.example.com"} },
	} {
		config := good
		change(&config)
		if _, err := mfahttp.New(config); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
	for _, origin := range []string{"", "*", "https://", "https://a.example/", "https://a.example/x", "null", "https://a@b"} {
		config := good
		config.Origins = []string{origin}
		if _, err := mfahttp.New(config); err == nil {
			t.Errorf("%q is taken", origin)
		}
	}
}
