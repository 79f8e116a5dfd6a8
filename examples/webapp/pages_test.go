package main

import (
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
)

// The guide's whole story on the pages: password alone, an app, backup codes, and a
// login with each.
func TestPages(t *testing.T) {
	s := newSite(t, tenCodes)
	b := s.signedUp("ada@example.com")
	setup := b.setUp("/enroll/totp").wants("totp")
	key, picture := setup.find(`<code id="key"[^>]*>([^<]+)`), setup.find(`<img id="qr" src="([^"]+)"`)
	uri := setup.find(`id="otpauth" href="([^"]+)"`)
	if !regexp.MustCompile(`^([A-Z2-7]{4} ){7}[A-Z2-7]{4}$`).MatchString(key) || !strings.HasPrefix(picture, "data:image/png;base64,") ||
		!strings.Contains(uri, "secret="+strings.ReplaceAll(key, " ", "")+"&") {
		t.Errorf("key %q, picture %.30q, URI %q", key, picture, uri)
	}
	a := s.scan(uri)
	wrong := b.post("/enroll/totp/verify", "code", a.wrong()).wants("totp").wantsError(http.StatusUnauthorized, "invalid_code")
	if wrong.find(`id="otpauth" href="([^"]+)"`) != uri {
		t.Error("the code to scan is gone after a wrong code")
	}
	codes := b.post("/enroll/totp/verify", "code", " "+a.shows()[:3]+" "+a.shows()[3:]).wants("backupcodes").
		wantsNotice("Authenticator app is set up").shownCodes()
	if len(codes) != 10 {
		t.Fatalf("%d backup codes", len(codes))
	}
	file := b.get("/backup-codes/download")
	if !strings.Contains(file.header.Get("Content-Disposition"), "attachment") || !strings.HasSuffix(file.body, "\n\n"+strings.Join(codes, "\n")+"\n") {
		t.Errorf("download %v: %q", file.header, file.body)
	}
	b.post("/backup-codes/saved").wants("security")
	if again := b.get("/backup-codes").wants("backupcodes"); len(again.shownCodes()) != 0 || again.find(`id="codes-left" data-left="(\d+)"`) != "10" {
		t.Error("the codes are shown again")
	}
	b.post("/logout").wants("login")

	s.clock.Advance(time.Minute)
	prompt := b.signIn("ada@example.com").wants("prompt")
	if !prompt.has("switch-backup") || prompt.has("switch-sms") || !strings.Contains(prompt.body, `autocomplete="one-time-code"`) {
		t.Errorf("the prompt is %s", prompt.body)
	}
	b.post("/login/mfa", "code", a.wrong()).wants("prompt").wantsError(http.StatusUnauthorized, "invalid_code")
	in := b.post("/login/mfa", "code", a.shows()).wants("dashboard")
	if got := in.find(`id="amr" data-amr="([^"]*)"`); got != "pwd otp mfa" {
		t.Errorf("amr %q", got)
	}
	b.post("/logout").wants("login")

	b.signIn("ada@example.com").wants("prompt")
	if got := b.get("/login/mfa?method=backup_code").wants("prompt"); !got.has("switch-totp") {
		t.Error("no way back to the app")
	}
	b.post("/login/mfa", "code", strings.ToUpper(codes[3]), "method", "backup_code").wants("dashboard").wantsNotice("You used a backup code. 9 codes are left.")
	b.post("/logout").wants("login")
	b.signIn("ada@example.com").wants("prompt")
	b.post("/login/mfa", "code", codes[3], "method", "backup_code").wants("prompt").wantsError(http.StatusUnauthorized, "invalid_code")
}

// New codes stay until the user has saved them, or for ten minutes: every other page
// leads back to them. After that they cannot be downloaded.
func TestBackupCodesAreKeptUntilSaved(t *testing.T) {
	s := newSite(t)
	b, _ := s.withTOTP("ada@example.com")
	codes := b.post("/backup-codes").wants("backupcodes").shownCodes()
	for _, path := range []string{"/dashboard", "/", "/security", "/enroll/sms", "/confirm", "/project", "/nowhere"} {
		again := b.get(path).wants("backupcodes").wantsNotice("Save your backup codes first.").shownCodes()
		if len(codes) != fewCodes || !slices.Equal(again, codes) {
			t.Fatalf("%s leads to %v, not %v", path, again, codes)
		}
	}
	s.clock.Advance(codesTTL - time.Second)
	if file := b.get("/backup-codes/download"); file.status != http.StatusOK || !strings.Contains(file.body, codes[fewCodes-1]) {
		t.Errorf("download %d: %q", file.status, file.body)
	}
	s.clock.Advance(time.Second)
	if shown := b.get("/backup-codes").wants("backupcodes").shownCodes(); len(shown) != 0 {
		t.Errorf("%d codes are shown after %v", len(shown), codesTTL)
	}
	gone := b.get("/backup-codes/download")
	if kind := gone.header.Get("Content-Type"); gone.status != http.StatusGone || !strings.HasPrefix(kind, "text/plain") || gone.header.Get("Content-Disposition") != "" {
		t.Errorf("codes that are gone are downloaded: %d, %v", gone.status, gone.header)
	}
	b.get("/dashboard").wants("dashboard")
}

// A phone is set up and answers a login. Messages have a visible cooldown. The page
// says when a code has expired, and keeps the number to send another.
func TestSMS(t *testing.T) {
	s := newSite(t)
	b := s.signedUp("ada@example.com")
	b.setUp("/enroll/sms", "phone", "0801 234").wants("sms").wantsError(http.StatusUnprocessableEntity, "invalid_phone")
	sent := b.post("/enroll/sms", "phone", "+234 801 234 5678").wants("sms")
	if sent.find(`id="masked">([^<]+)`) != "+23*****678" || sent.find(`id="resend"[^>]*data-seconds="(\d+)"`) != "30" {
		t.Errorf("the page is %s", sent.body)
	}
	soon := b.post("/enroll/sms", "phone", "+234 801 234 5678").wants("sms").wantsError(http.StatusTooManyRequests, "too_many_messages")
	if soon.header.Get("Retry-After") != "30" || soon.find(`id="retry-after" data-seconds="(\d+)"`) != "30" || !soon.has("code") {
		t.Errorf("Retry-After %q on %s", soon.header.Get("Retry-After"), soon.body)
	}
	s.clock.Advance(5 * time.Minute)
	late := b.post("/enroll/sms/verify", "code", s.smsCode(phoneOne)).wants("sms").wantsError(http.StatusConflict, "code_expired")
	if got := late.find(`id="phone"[^>]* value="([^"]*)"`); got != "+234 801 234 5678" {
		t.Errorf("the number is %q", got)
	}
	b.post("/enroll/sms", "phone", "+234 801 234 5678").wants("sms")
	b.post("/enroll/sms/verify", "code", s.smsCode(phoneOne)).wants("backupcodes")

	s.clock.Advance(time.Minute)
	prompt := b.signIn("ada@example.com").wants("prompt")
	if prompt.find(`id="masked">([^<]+)`) != "+23*****678" {
		t.Errorf("the prompt is %s", prompt.body)
	}
	if prompt.find(`id="resend"[^>]*data-seconds="(\d+)"`) != "30" || !prompt.has("code") {
		t.Errorf("the prompt is %s", prompt.body)
	}
	in := b.post("/login/mfa", "code", s.smsCode(phoneOne), "method", "sms").wants("dashboard")
	if got := in.find(`id="amr" data-amr="([^"]*)"`); got != "pwd sms mfa" {
		t.Errorf("amr %q", got)
	}
}

// However many accounts ask, an unconfirmed number gets no more messages than the
// number of one user.
func TestSMSFlood(t *testing.T) {
	s := newSite(t)
	sent := 0
	for i := range 7 {
		b := s.signedUp(strconv.Itoa(i) + "@example.com")
		if b.setUp("/enroll/sms", "phone", phoneOne).wants("sms").status == http.StatusOK {
			sent++
		}
		s.clock.Advance(time.Minute)
	}
	if sent != 5 {
		t.Errorf("%d messages in an hour, want 5", sent)
	}
}

// Replacing a phone takes a fresh proof and a code sent to the new number. Removing a
// factor takes a fresh proof.
func TestReplaceAndRemove(t *testing.T) {
	s := newSite(t)
	b, a := s.withTOTP("ada@example.com")
	b.addSMS(phoneOne)
	if got := b.get("/security").find(`id="sms-phone">([^<]+)`); got != "+23*****678" {
		t.Fatalf("the phone is %q", got)
	}
	s.clock.Advance(16 * time.Minute) // the proof is old
	prompt := b.post("/enroll/sms", "phone", phoneTwo).wants("prompt")
	if prompt.path != "/confirm" || !strings.Contains(prompt.body, "<h1>Confirm it is you</h1>") || prompt.has("trust") {
		t.Errorf("%s: %s", prompt.path, prompt.body)
	}
	if back := b.post("/confirm", "code", a.shows()).wants("sms"); back.path != "/enroll/sms" || !back.has("masked") {
		t.Errorf("%s does not go on with the number: %s", back.path, back.body)
	}
	if got := b.get("/security").find(`id="sms-phone">([^<]+)`); got != "+23*****678" {
		t.Errorf("an unconfirmed number replaced the old one: %q", got)
	}
	b.post("/enroll/sms/verify", "code", s.smsCode(phoneTwo)).wants("security")
	if got := b.get("/security").find(`id="sms-phone">([^<]+)`); got != "+14*****671" {
		t.Errorf("the phone is %q", got)
	}

	s.clock.Advance(16 * time.Minute)
	b.post("/security/remove", "method", "sms").wants("prompt")
	b.post("/confirm/send").wants("prompt")
	gone := b.post("/confirm", "code", s.smsCode(phoneTwo), "method", "sms").wants("security").wantsNotice("Text message was removed")
	if gone.has("remove-sms") || !gone.has("remove-totp") {
		t.Error("the wrong factor is removed")
	}
	b.post("/security/remove", "method", "sms").wants("security").wantsError(http.StatusNotFound, "not_enrolled")
	s.clock.Advance(16 * time.Minute)
	b.post("/backup-codes").wants("prompt")
	if codes := b.post("/confirm", "code", a.shows()).wants("backupcodes").shownCodes(); len(codes) != fewCodes {
		t.Errorf("%d new codes", len(codes))
	}
	b.post("/backup-codes/saved").wants("security")
	b.post("/security/remove", "method", "totp").wants("security")
	b.post("/logout")
	b.signIn("ada@example.com").wants("dashboard")
}

// The first factor takes the password again, so that a borrowed session cannot lock
// its owner out. What was asked for goes on after it.
func TestFirstFactorTakesThePassword(t *testing.T) {
	s := newSite(t)
	b := s.signedUp("ada@example.com")
	b.get(passwordPath).wants("enroll")
	for path, fields := range map[string][]string{totpPath: nil, smsPath: {"phone", phoneOne}} {
		b.post(path, fields...).wants("password")
		b.post(passwordPath, "current", "wrong").wants("password").wantsError(http.StatusUnauthorized, "wrong_password")
	}
	if n := len(s.phone.arrived()); n != 0 {
		t.Errorf("%d messages before the password", n)
	}
	b.post(smsPath, "phone", phoneOne).wants("password")
	b.post(passwordPath, "current", password).wants("sms")
	b.post("/enroll/sms/verify", "code", s.smsCode(phoneOne)).wants("backupcodes")
	b.post("/backup-codes/saved").wants("security")
	b.post(totpPath).wants("totp") // by the proof
}

// A factor that is missing although the application knows of it lets nobody in, until
// an administrator resets the user.
func TestMissingFactorsAreNoWayIn(t *testing.T) {
	s := newSite(t)
	admin, _ := s.withTOTP("root@example.com")
	b, _ := s.withTOTP("ada@example.com")
	b.post("/logout")
	if _, err := s.users.db.Exec("DELETE FROM mfa_users WHERE user_id = ?", s.userID("ada@example.com")); err != nil {
		t.Fatal(err)
	}
	b.signIn("ada@example.com").wants("login").wantsError(http.StatusServiceUnavailable, "internal")
	admin.post("/project/reset", "user", s.userID("ada@example.com")).wants("project")
	b.signIn("ada@example.com").wants("dashboard")
	b.addTOTP()
	b.post("/security/remove", "method", "totp").wants("security")
	b.post("/logout")
	b.signIn("ada@example.com").wants("dashboard")
}

// While MFA is required, a lost phone can be reported behind a fresh proof if another
// factor remains, and by an administrator always.
func TestLostFactorsAreRevoked(t *testing.T) {
	s := newSite(t)
	admin, key := s.withTOTP("root@example.com")
	b, a := s.withTOTP("ada@example.com")
	s.require(true)
	if p := b.get("/security"); p.has("lost-totp") {
		t.Error("the only factor can be reported lost")
	}
	b.post("/security/revoke", "method", "totp").wants("security").wantsError(http.StatusForbidden, "mfa_enforced")
	b.addSMS(phoneOne)
	if p := b.get("/security"); !p.has("lost-totp") || !p.has("lost-sms") || p.has("remove-sms") {
		t.Error("the page does not offer to report a factor lost")
	}
	s.clock.Advance(16 * time.Minute)
	b.post("/security/revoke", "method", "sms").wants("prompt")
	b.post("/confirm", "code", a.shows()).wants("security").wantsNotice("Text message was removed.")
	s.wantsFactors("ada@example.com", 2)

	admin.post("/project/revoke", "user", s.userID("ada@example.com"), "method", "totp").wants("prompt")
	admin.post("/confirm", "code", key.shows()).wants("project").wantsNotice("A factor of ada@example.com was removed.")
	s.wantsFactors("ada@example.com", 0)
	b.get("/dashboard").wants("login")
	b.signIn("ada@example.com").wants("enroll")
}

// Users get mail about all that a thief could be behind.
func TestMail(t *testing.T) {
	s := newSite(t)
	admin, _ := s.withTOTP("root@example.com")
	b, a := s.withTOTP("ada@example.com")
	told := func(want string) {
		t.Helper()
		for _, m := range s.phone.arrived() {
			if m.To == "ada@example.com" && strings.Contains(m.Body, want) {
				return
			}
		}
		t.Errorf("no mail says %q", want)
	}
	told("A second factor was added to your account: Authenticator app.")
	told("New backup codes were generated")
	b.enter("ada@example.com", a, "trust", "1")
	told("A device was trusted")
	b.addSMS(phoneOne)
	b.addSMS(phoneTwo)
	told("The phone of your account was replaced: +14*****671 instead of +23*****678.")
	a = b.addTOTP()
	told("A second factor of your account was replaced: Authenticator app.")
	b.post("/security/revoke", "method", "sms").wants("security")
	told("reported lost or stolen, and removed: Text message.")
	b.post("/security/remove", "method", "totp").wants("prompt") // that proof has ended
	b.post("/confirm", "code", a.shows()).wants("security")
	told("A second factor was removed from your account: Authenticator app.")
	admin.post("/project/reset", "user", s.userID("ada@example.com")).wants("project")
	told("An administrator has removed all second factors")
}

// A user has several apps and phones, with names. The prompt offers a choice of
// phones, one is replaced or removed and the others stay.
func TestSeveralFactors(t *testing.T) {
	s := newSite(t)
	b, first := s.withTOTP("ada@example.com")
	second := b.scan(b.post("/enroll/totp", "keep", "1").wants("totp").find(`id="otpauth" href="([^"]+)"`))
	b.post("/enroll/totp/verify", "code", second.shows()).wants("security")
	b.get("/enroll/sms?change=1&keep=1").wants("sms")
	for _, phone := range []string{phoneOne, phoneTwo} {
		p := b.post("/enroll/sms", "phone", phone, "keep", "1").wants("sms")
		if p.find(`name="keep" value="(1)"`) == "" {
			t.Error("another code would replace the other phone")
		}
		b.post("/enroll/sms/verify", "code", s.smsCode(phone)).wants("security")
		s.clock.Advance(time.Minute)
	}
	s.wantsFactors("ada@example.com", 5)
	factor := func(element string) string {
		t.Helper()
		id := b.get("/security").find(`id="` + element + `" data-factor="([^"]+)"`)
		if id == "" {
			t.Fatalf("there is no %s", element)
		}
		return id
	}
	b.post("/security/rename", "factor", factor("factor-sms-1"), "label", " Work ").wants("security").wantsNotice("The name was changed.")
	b.post("/security/rename", "factor", factor("factor-sms-1"), "label", strings.Repeat("x", 65)).wantsError(http.StatusBadRequest, "invalid_request")
	old := factor("factor-totp")
	third := b.scan(b.post("/enroll/totp", "factor", old).wants("totp").find(`id="otpauth" href="([^"]+)"`))
	b.post("/enroll/totp/verify", "code", third.shows()).wants("security")
	s.wantsFactors("ada@example.com", 5)
	b.post("/logout")

	s.clock.Advance(time.Minute)
	b.signIn("ada@example.com").wants("prompt")
	b.post("/login/mfa", "code", first.shows()).wantsError(http.StatusUnauthorized, "invalid_code")
	prompt := b.get("/login/mfa").wants("prompt")
	work := prompt.find(`name="factor" value="([^"]+)">\s*<button[^>]*>Get a code by text message to &#43;14\*\*\*\*\*671 \(Work\)`)
	sent := b.post("/login/mfa/send", "factor", work, "method", "sms").wants("prompt")
	if sent.find(`(?s)id="masked">(.*?)\.</p>`) != "+14*****671</strong> (Work)" || !strings.Contains(sent.body, "Get a code by text message to &#43;23*****678") {
		t.Errorf("the prompt is %s", sent.body)
	}
	b.post("/login/mfa", "code", s.smsCode(phoneTwo)).wants("dashboard")
	b.post("/security/remove", "method", "sms", "factor", work).wants("security").wantsNotice("Text message was removed.")
	if p := b.get("/security"); strings.Contains(p.body, "Work") || p.find(`id="sms-phone">([^<]+)`) != "+23*****678" {
		t.Error("the wrong phone was removed")
	}
	b.post("/logout")
	s.clock.Advance(time.Minute)
	b.enter("ada@example.com", second)
}

// An administrator requires MFA: users without it are signed out, enroll at the next
// sign-in, and nobody can remove a factor.
func TestRequired(t *testing.T) {
	s := newSite(t)
	admin, a := s.withTOTP("root@example.com")
	early := s.signedUp("bob@example.com") // and signed in without MFA
	early.get("/dashboard").wants("dashboard")
	project := admin.get("/project").wants("project")
	if got := project.find(`(?s)id="without-mfa"[^>]*>(.*?)</ul>`); got != "<li>bob@example.com</li>" {
		t.Errorf("without MFA: %q", got)
	}
	admin.post("/project/mfa-required", "required", "true").wants("project").wantsNotice("MFA is now required.")

	early.get("/dashboard").wants("login").wantsNotice(sessionOver)
	admin.get("/dashboard").wants("dashboard")
	enforced := admin.get("/security").wants("security")
	if !enforced.has("enforced") || enforced.has("remove-totp") || !enforced.has("replace-totp") {
		t.Error("the page does not explain mfa_enforced")
	}
	admin.post("/security/remove", "method", "totp").wants("security").wantsError(http.StatusForbidden, "mfa_enforced")

	b := s.browser()
	b.signIn("bob@example.com").wants("enroll")
	b.addTOTP()
	b.get("/dashboard").wants("dashboard")
	c := s.browser()
	c.post("/signup", "email", "cyd@example.com", "password", password).wants("enroll")
	s.clock.Advance(15 * time.Minute)
	c.get("/enroll/totp").wants("login").wantsNotice(sessionOver)

	admin.post("/project/mfa-required", "required", "false").wants("prompt")
	admin.post("/confirm", "code", a.shows()).wants("project").wantsNotice("MFA is now optional.")
	admin.post("/security/remove", "method", "totp").wants("security").wantsNotice("Authenticator app was removed.")
}

// A trusted device skips the prompt, no other one does, until the user forgets all
// devices.
func TestTrustedDevice(t *testing.T) {
	s := newSite(t)
	b, a := s.withTOTP("ada@example.com")
	b.enter("ada@example.com", a, "trust", "1")
	b.post("/logout")
	b.signIn("ada@example.com").wants("dashboard")
	s.browser().signIn("ada@example.com").wants("prompt")
	other := s.browser()
	s.clock.Advance(time.Minute)
	other.enter("ada@example.com", a, "trust", "1")
	list := b.get("/security").wants("security")
	if strings.Count(list.body, "data-device=") != 2 {
		t.Errorf("the devices are %s", list.body)
	}
	latest := list.find(`data-device="([^"]+)"`)
	b.post("/security/forget-device", "device", latest).wants("security").wantsNotice("That device")
	other.post("/logout")
	other.signIn("ada@example.com").wants("prompt")
	b.post("/logout")
	b.signIn("ada@example.com").wants("dashboard")
	b.post("/security/forget-devices").wants("security").wantsNotice("Every device")
	b.post("/logout")
	b.signIn("ada@example.com").wants("prompt")
}

// A challenge that has expired, or that got too many wrong codes, leads back to the
// sign-in, which says why, once.
func TestChallengeOver(t *testing.T) {
	s := newSite(t)
	b, a := s.withTOTP("ada@example.com")
	b.signIn("ada@example.com").wants("prompt")
	s.clock.Advance(5*time.Minute - time.Second)
	b.get("/login/mfa").wants("prompt")
	s.clock.Advance(time.Second)
	b.post("/login/mfa", "code", a.shows()).wants("login").wantsNotice("That took too long")
	b.signIn("ada@example.com").wants("prompt")
	s.clock.Advance(5 * time.Minute)
	b.get("/login/mfa").wants("login").wantsNotice("That took too long")
	if b.get("/login").has("notice") {
		t.Error("the notice is shown twice")
	}
	b.signIn("ada@example.com").wants("prompt")
	for range 4 {
		b.post("/login/mfa", "code", a.wrong()).wants("prompt").wantsError(http.StatusUnauthorized, "invalid_code")
	}
	b.post("/login/mfa", "code", a.wrong()).wants("login").wantsNotice("Too many wrong codes.")
}

// A form leads to a page with a path of its own, also when it is refused: neither a
// reload nor Enter in the address bar sends the form again.
func TestRefusalsHaveAPage(t *testing.T) {
	s := newSite(t)
	b, a := s.withTOTP("ada@example.com")
	b.addSMS(phoneOne)
	want := func(p *page, name, path, code string) {
		t.Helper()
		if p.wants(name); p.path != path || p.find(`id="error"[^>]*data-code="([a-z_]+)"`) != code {
			t.Errorf("%q at %s, want %q at %s", p.find(`id="error"[^>]*data-code="([a-z_]+)"`), p.path, code, path)
		}
		if again := b.get(path).wants(name); again.status != http.StatusOK || again.has("error") {
			t.Errorf("%s again: %d", path, again.status)
		}
	}
	b.post("/enroll/totp").wants("totp")
	want(b.post("/enroll/totp/verify", "code", "000001"), "totp", "/enroll/totp", "invalid_code")
	want(b.post("/enroll/sms/verify", "code", "000001"), "sms", "/enroll/sms", "no_pending_enrollment")
	want(b.post("/security/remove", "method", "none"), "security", "/security", "not_enrolled")
	want(b.post("/security/password", "current", "wrong"), "security", "/security", "wrong_password")
	if p := b.post("/enroll/sms", "phone", "0801 234").wants("sms"); p.find(`id="phone"[^>]* value="([^"]*)"`) != "0801 234" {
		t.Error("the number is lost")
	}
	b.post("/logout")
	b.signIn("ada@example.com").wants("prompt")
	want(b.post("/login/mfa", "code", a.wrong(), "method", "totp"), "prompt", "/login/mfa", "invalid_code")
	b.post("/login/mfa/send").wants("prompt")
	want(b.post("/login/mfa/send"), "prompt", "/login/mfa", "too_many_messages")
	s.clock.Advance(time.Minute)
	if tries := b.post("/login/mfa", "code", a.wrong()).find(`(\d) tries are left`); tries != "3" {
		t.Errorf("%q tries are left after two wrong codes and reloads", tries)
	}
	b.post("/login/mfa", "code", a.shows()).wants("dashboard")
}

// Every path that somebody may type leads to a page.
func TestTypedAddresses(t *testing.T) {
	s := newSite(t)
	b, _ := s.withTOTP("ada@example.com")
	pages, _ := routed(t)
	for _, r := range pages {
		if p := b.get(r.path); r.method == http.MethodPost && p.status != http.StatusOK {
			t.Errorf("%s leads to %q with %d", r.path, p.name(), p.status)
		}
	}
	b.get("/nowhere").wants("error").wantsError(http.StatusNotFound, "not_found")
	b.post("/nowhere").wants("error").wantsError(http.StatusNotFound, "not_found")
	p := b.post("/dashboard").wants("error").wantsError(http.StatusMethodNotAllowed, "method_not_allowed")
	if got := p.header.Get("Allow"); got != "GET" {
		t.Errorf("Allow is %q", got)
	}
}

// A wait that outlasts the challenge ends with another sign-in, and the prompt offers
// no message that the challenge would not send.
func TestWaitsOutliveTheChallenge(t *testing.T) {
	s := newSite(t)
	b, a := s.withTOTP("ada@example.com")
	b.addSMS(phoneOne)
	b.post("/logout")
	s.clock.Advance(time.Hour)
	b.signIn("ada@example.com").wants("prompt")
	for left := 2; left >= 0; left-- {
		p := b.post("/login/mfa/send").wants("prompt")
		if p.has("resend") != (left > 0) || p.has("last") != (left == 0) || !p.has("code") {
			t.Errorf("with %d messages left: %s", left, p.body)
		}
		s.clock.Advance(time.Minute)
	}
	b.post("/login/mfa", "code", s.smsCode(phoneOne), "method", "sms").wants("dashboard")
	b.post("/logout")

	s.fail("ada@example.com", a, 15)
	b.signIn("ada@example.com").wants("prompt")
	p := b.post("/login/mfa", "code", a.shows()).wants("prompt").wantsError(http.StatusTooManyRequests, "too_many_attempts")
	if got := p.find(`data-again="([^"]+)"`); got != "Sign in again" {
		t.Errorf("after the wait: %q", got)
	}
}

// The password suffices to delete an account, with its factors and sessions. The only
// administrator stays as long as there are other users.
func TestDeleteAccount(t *testing.T) {
	s := newSite(t)
	admin := s.signedUp("root@example.com")
	b, a := s.withTOTP("ada@example.com")
	id, client, other := s.userID("ada@example.com"), s.granted("ada@example.com", a), s.browser()
	other.enter("ada@example.com", a)
	remove := func(b *browser) *page { return b.post("/security/delete", "current", password) }
	b.post("/security/delete", "current", "wrong").wants("security").wantsError(http.StatusUnauthorized, "wrong_password")
	remove(admin).wants("security").wantsError(http.StatusConflict, "last_admin")
	client.status().ok()
	remove(b).wants("login").wantsNotice("Your account was deleted.")
	b.get("/dashboard").wants("login")
	other.get("/dashboard").wants("login")
	client.status().refused(http.StatusUnauthorized, "unauthorized")
	if _, err := s.store.Load(t.Context(), id); !errors.Is(err, mfa.ErrNoRecord) {
		t.Errorf("the record: %v", err)
	}
	b = s.signedUp("ada@example.com")
	if s.userID("ada@example.com") == id {
		t.Error("the ID was given to another user")
	}
	remove(admin).wants("security").wantsError(http.StatusConflict, "last_admin")
	remove(b).wants("login")
	remove(admin).wants("login").wantsNotice("Your account was deleted.")
	s.signedUp("new@example.com").get("/project").wants("project")
}

// The project page is for administrators only, who may reset and unlock users.
func TestProjectRights(t *testing.T) {
	s := newSite(t)
	admin, key := s.withTOTP("root@example.com")
	bob, a := s.withTOTP("bob@example.com")
	id := admin.get("/project").wants("project").find(`(?s)data-user="bob@example.com".*?name="user" value="([^"]+)"`)
	if id == "" {
		t.Fatal("bob is not listed")
	}
	bob.get("/project").wants("error").wantsError(http.StatusForbidden, "forbidden")
	for _, path := range []string{"/project/mfa-required", "/project/reset", "/project/unlock"} {
		bob.post(path, "user", id, "required", "true").wants("error").wantsError(http.StatusForbidden, "forbidden")
	}
	if s.required() {
		t.Error("bob has required MFA")
	}
	admin.post("/project/reset", "user", "usr_nobody").wants("error").wantsError(http.StatusNotFound, "not_found")

	thief := s.browser()
	thief.signIn("bob@example.com").wants("prompt")
	s.fail("bob@example.com", a, 100)
	thief.get("/login/mfa").wants("login") // the challenge is over
	if p := thief.signIn("bob@example.com").wants("prompt"); p.has("switch-totp") || !strings.Contains(p.body, "backup codes that you saved") {
		t.Error("a disabled factor is offered")
	}
	thief.post("/login/mfa", "code", a.shows()).wants("prompt").wantsError(http.StatusForbidden, "factor_disabled")
	admin.post("/project/unlock", "user", id).wants("prompt")
	admin.post("/confirm", "code", key.shows()).wants("project").wantsNotice("bob@example.com was unlocked.")
	s.clock.Advance(time.Minute)
	thief.enter("bob@example.com", a)

	bob.get("/dashboard").wants("dashboard")
	admin.post("/project/reset", "user", id).wants("project").wantsNotice("MFA was reset for bob@example.com.")
	bob.get("/dashboard").wants("login")
	bob.signIn("bob@example.com").wants("dashboard")
}

// The page shows the newest users and says when there are more, which a search
// finds. It marks who is locked, also if the record does not open.
func TestProjectSearch(t *testing.T) {
	s := newSite(t)
	admin, _ := s.withTOTP("root@example.com")
	_, a := s.withTOTP("bob@example.com")
	id := s.userID("bob@example.com")
	locked := func(p *page) bool {
		return strings.Contains(p.find(`(?s)data-user="bob@example.com"(.*?)</h3>`), "Locked")
	}
	if p := admin.get("/project").wants("project"); p.has("more") || locked(p) {
		t.Error("the page says that there are more users, or that one is locked")
	}
	s.clock.Advance(time.Minute)
	for i := range maxMembers {
		if _, err := s.users.db.Exec("INSERT INTO users (id, email, password, created_at, is_admin) VALUES (?, ?, '', ?, 0)",
			"usr_"+strconv.Itoa(i), "user"+strconv.Itoa(i)+"@example.com", s.clock.Now().Unix()); err != nil {
			t.Fatal(err)
		}
	}
	if p := admin.get("/project").wants("project"); !p.has("more") || strings.Contains(p.body, `data-user="bob@`) || strings.Count(p.body, "data-user=") != maxMembers {
		t.Errorf("%d users are shown", strings.Count(p.body, "data-user="))
	}
	s.fail("bob@example.com", a, 100)
	if p := admin.get("/project?search=BOB@").wants("project"); p.has("more") || strings.Count(p.body, "data-user=") != 1 || !locked(p) {
		t.Error("the search does not find one user, who is locked")
	}
	if err := s.engine.Unlock(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if locked(admin.get("/project?search=bob")) {
		t.Error("bob is locked after the unlock")
	}
	if _, err := s.users.db.Exec("UPDATE mfa_users SET data = x'00' WHERE user_id = ?", id); err != nil {
		t.Fatal(err)
	}
	if !locked(admin.get("/project?search=bob").wants("project")) {
		t.Error("a user whose record does not open is not locked")
	}
}
