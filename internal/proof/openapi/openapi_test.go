package openapi

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/internal/proof/world"
	"github.com/protekt/mfa/internal/record"
	"github.com/protekt/mfa/mfahttp"
)

func TestTheDocumentIsWhatIsAnswered(t *testing.T) {
	d := newDocument(t)
	for name, walk := range map[string]func(*testing.T, *document){
		"requests that are wrong in themselves": wrongRequests,
		"users without a session":               strangers,
		"faults of the host's":                  faults,
		"the host's own endpoints":              hostsOwn,
		"an app, backup codes and devices":      appWalk,
		"a phone":                               phoneWalk,
		"a passkey":                             passkeyWalk,
		"enrollment under policy":               policyWalk,
		"proofs that are too old":               proofWalk,
		"conflicts":                             conflicts,
		"disabled factors":                      disabledFactors,
		"methods that are not there":            missingMethods,
	} {
		t.Run(name, func(t *testing.T) { walk(t, d) })
	}
	d.checkAllSeen(t)
}

// each sends the document's own example to each of the handler's endpoints for which
// pick returns true.
func each(h *host, d *document, token string, pick func(operation) bool, headers ...string) {
	h.t.Helper()
	for _, o := range d.operations {
		if !o.host() && pick(o) {
			h.send(o.method, strings.Replace(o.path, "{id}", "fac_x", 1), token, o.example(), headers...)
		}
	}
}

func secured(o operation) bool { return len(o.Security) > 0 }

func wrongRequests(t *testing.T, d *document) {
	h := newHost(t, d)
	token := h.login("ada")
	for _, o := range d.operations {
		path := strings.Replace(o.path, "{id}", "fac_x", 1)
		if o.host() {
			continue
		}
		h.send("DELETE", path, token, "")
		if o.method == "POST" {
			h.send("POST", path, token, o.example(), "Sec-Fetch-Site", "cross-site")
		}
		if o.takes() {
			for _, body := range []string{"[]", "null", "{", `"x"`} {
				h.send("POST", path, token, body)
			}
			h.send("POST", path, token, o.example(), "Content-Type", "text/plain")
			h.send("POST", path, token, `{"x":"`+strings.Repeat("x", 64<<10)+`"}`)
		}
	}
	h.send("GET", "/openapi.json", "", "")
	for path, bodies := range map[string][]string{
		"/mfa/verify":         {`{"code":"1","passkey":{}}`, `{"passkey":"x"}`, `{"code":1}`},
		"/mfa/step-up":        {`{"mfa_token":"x","code":"1","passkey":{}}`},
		"/auth/mfa/verify":    {`{"mfa_token":"x","code":"1","passkey":{}}`, `{"mfa_token":1,"code":"1"}`},
		"/mfa/enroll":         {`{"method":"totp","label":"` + strings.Repeat("x", 65) + `"}`, `{"method":"totp","keep_others":"yes"}`},
		"/mfa/unenroll":       {`{}`, `{"method":1}`},
		"/mfa/revoke":         {`{}`, `{"factor_id":1}`},
		"/mfa/devices/forget": {`{}`, `{"device_id":""}`, `{"all":false}`, `{"device_id":"x","all":true}`, `{"all":"yes"}`},
		"/mfa/factors/fac_x":  {`{"label":"` + strings.Repeat("x", 65) + `"}`},
	} {
		for _, body := range bodies {
			h.send("POST", path, token, body)
		}
	}
}

func strangers(t *testing.T, d *document) {
	h := newHost(t, d)
	each(h, d, "", secured)
	each(h, d, "mfa_enr_x", secured)
	each(h, d, "", func(o operation) bool { return !secured(o) }) // with the tokens of the examples
	token := h.login("ada")
	h.refused("invalid_token", "/mfa/step-up", token, fields{"mfa_token": "mfa_tmp_x", "code": "123456"})
	h.sessions["Bearer nameless"] = mfahttp.User{ID: "\x00"}
	each(h, d, "nameless", secured)
}

func faults(t *testing.T, d *document) {
	h := newHost(t, d)
	app, login := h.GiveTOTP("ada")
	h.GivePasskey("ada", "key", mfa.WithProof(login.Proof))
	token := h.begin("ada")
	h.store.load = errBroken
	for _, path := range []string{"/auth/mfa/verify", "/auth/mfa/send", "/auth/mfa/passkey"} {
		body := fields{"mfa_token": token}
		if path == "/auth/mfa/verify" {
			body["code"] = app.Shows()
		}
		h.refused("internal", path, "", body)
	}
	h.broken = errBroken
	each(h, d, "x", secured)
}

func hostsOwn(t *testing.T, d *document) {
	h := newHost(t, d)
	token := h.ok("/auth/refresh", "", fields{"refresh_token": h.login("ada")})["access_token"].(string)
	h.refused("unauthorized", "/auth/refresh", "", fields{"refresh_token": "x"})
	h.ok("/auth/logout", token, nil)
	h.refused("unauthorized", "/auth/logout", token, nil)
	if a, _ := h.send("PATCH", "/projects/p", "key", `{"mfa_required":true}`); a["mfa_required"] != true {
		t.Errorf("%v", a)
	}
	h.send("PATCH", "/projects/p", "x", `{"mfa_required":true}`)
	if a := h.ok("/auth/login", "", fields{"email": "ada@example.com", "password": "x"}); a["mfa_enrollment_required"] != true {
		t.Errorf("%v", a)
	}
}

// appWalk also answers wrongly until it is too early to answer.
func appWalk(t *testing.T, d *document) {
	h := newHost(t, d)
	token := h.login("ada")
	h.refused("no_pending_enrollment", "/mfa/verify", token, fields{"code": "123456"})
	begun := h.ok("/mfa/enroll", token, fields{"method": "totp", "label": "phone"})
	app := h.Scan(begun["totp_uri"].(string))
	h.refused("invalid_code", "/mfa/verify", token, fields{"code": app.Wrong()})
	h.refused("method_unavailable", "/mfa/verify", token, fields{"method": "backup_code", "code": app.Wrong()})
	h.ok("/mfa/verify", token, fields{"code": app.Shows()})
	codes := h.ok("/mfa/backup-codes", token, nil)["backup_codes"].([]any)
	h.send("GET", "/mfa/status", token, "")
	h.Clock.Advance(time.Minute)

	code := app.Shows()
	trusted := h.ok("/auth/mfa/verify", "", fields{"mfa_token": h.begin("ada"), "code": code, "trust_device": true, "device_label": "Firefox"})
	token = trusted["access_token"].(string)
	if a := h.refused("invalid_code", "/auth/mfa/verify", "", fields{"mfa_token": h.begin("ada"), "code": code}); a["spent"] != true {
		t.Errorf("%v", a)
	}
	h.answerWith("ada", codes[0].(string))
	h.refused("invalid_code", "/auth/mfa/verify", "", fields{"mfa_token": h.begin("ada"), "code": ""})
	devices, _ := h.send("GET", "/mfa/devices", token, "")
	h.ok("/mfa/devices/forget", token, fields{"device_id": devices["devices"].([]any)[0].(map[string]any)["id"]})
	h.ok("/mfa/devices/forget", token, fields{"all": true})
	factor := h.Factor("ada", mfa.MethodTOTP).ID
	h.ok("/mfa/factors/"+factor, token, fields{"label": "old phone"})
	h.refused("not_enrolled", "/mfa/factors/fac_x", token, fields{"label": "x"})
	h.refused("not_enrolled", "/mfa/unenroll", token, fields{"method": "sms"})
	h.refused("not_enrolled", "/mfa/revoke", token, fields{"factor_id": "fac_x"})

	step, err := h.BeginStepUp(h.Ctx, "ada", "transfer")
	world.OK(t, err)
	wrong := fields{"mfa_token": step.Token, "code": app.Wrong(), "action": "transfer"}
	for range 10 {
		if _, code := h.post("/mfa/step-up", token, wrong); code != "invalid_code" {
			break
		}
	}
	login := h.begin("ada")
	for range 10 {
		if _, code := h.post("/auth/mfa/verify", "", fields{"mfa_token": login, "code": app.Wrong()}); code != "invalid_code" {
			break
		}
	}
	step, err = h.BeginStepUp(h.Ctx, "ada", mfa.ActionManage)
	world.OK(t, err)
	h.refused("too_many_attempts", "/mfa/step-up", token, fields{"mfa_token": step.Token, "code": app.Wrong()})
	h.Clock.Advance(time.Hour)
	token = h.answerWith("ada", app.Shows())
	h.ok("/mfa/unenroll", token, fields{"factor_id": h.Factor("ada", mfa.MethodTOTP).ID})
	h.refused("not_enrolled", "/mfa/backup-codes", token, nil)
}

func phoneWalk(t *testing.T, d *document) {
	h := newHost(t, d)
	token := h.login("ada")
	h.refused("invalid_phone", "/mfa/enroll", token, fields{"method": "sms", "phone": "12"})
	h.ok("/mfa/enroll", token, fields{"method": "sms", "phone": world.Phone})
	h.refused("too_many_messages", "/mfa/enroll", token, fields{"method": "sms", "phone": world.Phone})
	h.ok("/mfa/verify", token, fields{"method": "sms", "code": h.Outbox.Code(world.Phone)})
	h.Clock.Advance(time.Minute)
	challenge := h.begin("ada")
	h.refused("not_enrolled", "/auth/mfa/send", "", fields{"mfa_token": challenge, "factor_id": "fac_x"})
	h.ok("/auth/mfa/send", "", fields{"mfa_token": challenge})
	h.refused("too_many_messages", "/auth/mfa/send", "", fields{"mfa_token": challenge, "factor_id": h.Factor("ada", mfa.MethodSMS).ID})
	token = h.ok("/auth/mfa/verify", "", fields{"mfa_token": challenge, "code": h.Outbox.Code(world.Phone)})["access_token"].(string)
	h.Clock.Advance(time.Minute)
	h.sender = func(context.Context, mfa.SMS) error { return errBroken }
	h.refused("delivery_failed", "/auth/mfa/send", "", fields{"mfa_token": h.begin("ada")})
	h.Clock.Advance(time.Minute)
	h.refused("delivery_failed", "/mfa/enroll", token, fields{"method": "sms", "phone": world.Phone2})
}

func passkeyWalk(t *testing.T, d *document) {
	h := newHost(t, d)
	token := h.login("ada")
	key := &world.SecurityKey{ID: "key"}
	answers := func(options any) json.RawMessage {
		return json.RawMessage(key.Answers(json.RawMessage(world.JSON(t, options))))
	}
	begun := h.ok("/mfa/enroll", token, fields{"method": "passkey", "label": "key"})
	h.ok("/mfa/verify", token, fields{"passkey": answers(begun["options"])})
	challenge := h.begin("ada")
	options := h.ok("/auth/mfa/passkey", "", fields{"mfa_token": challenge})
	h.ok("/auth/mfa/verify", "", fields{"mfa_token": challenge, "passkey": answers(options)})
	challenge = h.begin("ada")
	for range 10 {
		if _, code := h.post("/auth/mfa/verify", "", fields{"mfa_token": challenge, "passkey": fields{"id": "x"}}); code != "invalid_code" {
			break
		}
	}
	h.refused("too_many_attempts", "/auth/mfa/passkey", "", fields{"mfa_token": h.begin("ada")})
}

func policyWalk(t *testing.T, d *document) {
	h := newHost(t, d)
	h.mux.Handle("GET "+guarded, h.handler.RequireMFA(h.handler.RequireStepUp("transfer", time.Minute, nil)))
	token := h.login("ada")
	h.required = true
	if _, code := h.send("GET", guarded, token, ""); code != "mfa_enrollment_required" {
		t.Error(code)
	}
	enrollment := h.begin("ada")
	app := h.Scan(h.ok("/mfa/enroll", enrollment, fields{"method": "totp"})["totp_uri"].(string))
	h.refused("unauthorized", "/mfa/backup-codes", enrollment, nil)
	token = h.ok("/mfa/verify", enrollment, fields{"code": app.Shows()})["access_token"].(string)
	h.refused("invalid_token", "/mfa/verify", enrollment, fields{"code": app.Shows()})
	h.refused("mfa_enforced", "/mfa/unenroll", token, fields{"method": "totp"})
	h.refused("mfa_enforced", "/mfa/revoke", token, fields{"method": "totp"})
	if _, code := h.send("GET", guarded, token, ""); code != "mfa_required" {
		t.Error(code)
	}
}

// changes are the requests that require a proof.
var changes = map[string]any{
	"/mfa/enroll": fields{"method": "totp"}, "/mfa/backup-codes": nil,
	"/mfa/unenroll": fields{"method": "totp"}, "/mfa/revoke": fields{"method": "totp"},
}

func proofWalk(t *testing.T, d *document) {
	h := newHost(t, d)
	app, _ := h.GiveTOTP("ada")
	token := h.answerWith("ada", app.Shows())
	h.Clock.Advance(time.Hour)
	for path, body := range changes {
		h.refused("mfa_required", path, token, body)
	}
	step := h.refused("mfa_required", "/mfa/unenroll", token, fields{"method": "totp"})
	h.refused("invalid_code", "/mfa/step-up", token, fields{"mfa_token": step["mfa_token"], "code": app.Wrong()})
	h.Clock.Advance(time.Minute)
	h.ok("/mfa/step-up", token, fields{"mfa_token": step["mfa_token"], "code": app.Shows()})
	h.ok("/mfa/revoke", token, fields{"method": "totp"})
}

func conflicts(t *testing.T, d *document) {
	h := newHost(t, d)
	app, login := h.GiveTOTP("ada")
	h.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
	token := h.answerWith("ada", app.Shows())
	begun := h.ok("/mfa/enroll", token, fields{"method": "totp"})
	h.Clock.Advance(time.Minute)
	challenge := h.begin("ada")
	step, err := h.BeginStepUp(h.Ctx, "ada", mfa.ActionManage)
	world.OK(t, err)
	h.store.save = mfa.ErrConflict
	h.refused("conflict", "/mfa/verify", token, fields{"code": h.Scan(begun["totp_uri"].(string)).Shows()})
	h.refused("conflict", "/auth/mfa/verify", "", fields{"mfa_token": challenge, "code": app.Shows()})
	h.refused("conflict", "/auth/mfa/send", "", fields{"mfa_token": challenge})
	h.refused("conflict", "/mfa/step-up", token, fields{"mfa_token": step.Token, "code": app.Shows()})
	h.refused("conflict", "/mfa/factors/"+h.Factor("ada", mfa.MethodTOTP).ID, token, fields{"label": "x"})
	for path, body := range changes {
		h.refused("conflict", path, token, body)
	}
	h.store.save = nil
	token = h.ok("/auth/mfa/verify", "", fields{"mfa_token": challenge, "code": app.Shows(), "trust_device": true})["access_token"].(string)
	h.store.save = mfa.ErrConflict
	h.refused("conflict", "/mfa/devices/forget", token, fields{"all": true})
}

// disabledFactors has all factors disabled after the challenges were issued.
func disabledFactors(t *testing.T, d *document) {
	h := newHost(t, d)
	app, login := h.GiveTOTP("ada")
	login = h.GiveSMS("ada", world.Phone, mfa.WithProof(login.Proof))
	h.GivePasskey("ada", "key", mfa.WithProof(login.Proof))
	challenge := h.begin("ada")
	step, err := h.BeginStepUp(h.Ctx, "ada", mfa.ActionManage)
	world.OK(t, err)
	h.Tamper("ada", func(u *record.User) {
		u.Lanes.TOTP.Disabled, u.Lanes.SMS.Disabled, u.Lanes.Passkey.Disabled = true, true, true
	})
	h.sessions["Bearer at_x"] = mfahttp.User{ID: "ada"}
	for path, body := range changes {
		h.refused("factor_disabled", path, "at_x", body)
	}
	h.refused("factor_disabled", "/auth/login", "", fields{"email": "ada@example.com", "password": "x"})
	h.refused("factor_disabled", "/auth/mfa/verify", "", fields{"mfa_token": challenge, "code": app.Shows()})
	h.refused("factor_disabled", "/auth/mfa/send", "", fields{"mfa_token": challenge})
	h.refused("factor_disabled", "/auth/mfa/passkey", "", fields{"mfa_token": challenge})
	h.refused("factor_disabled", "/mfa/step-up", "at_x", fields{"mfa_token": step.Token, "code": app.Shows()})
}

func missingMethods(t *testing.T, d *document) {
	h := newHost(t, d)
	h.GiveTOTP("app")
	challenge := h.begin("app")
	h.refused("method_unavailable", "/auth/mfa/send", "", fields{"mfa_token": challenge})
	h.refused("method_unavailable", "/auth/mfa/passkey", "", fields{"mfa_token": challenge})
	h.refused("method_unavailable", "/mfa/enroll", h.login("ada"), fields{"method": "x"})

	h.GiveSMS("grace", world.Phone)
	without := newHost(t, d, func(c *mfa.Config) { c.Store, c.SMS = h.store, nil })
	without.sessions["Bearer at_x"] = mfahttp.User{ID: "grace"}
	for path := range changes {
		without.refused("method_unavailable", path, "at_x", fields{"method": "sms", "phone": world.Phone})
	}
}
