package main

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// A user's first day: an account, an app set up by scanning, backup codes, a
// phone, and sign-ins with all of it. After a sign-out the back button shows
// nothing of what was on the screen before. The README's screenshots are taken on
// the way.
func TestBrowserFirstDay(t *testing.T) {
	needsBrowser(t)
	s := newSite(t, tenCodes)
	b := s.chromium()
	b.signUp("ada@example.com").wants("dashboard")
	b.click("#to-enroll").wants("enroll")
	b.click("#choose-totp").passwordAgain().wants("totp")
	a, key := b.scanned(), b.text("#key")
	b.pictures("setup")
	b.size(375, 667, true)
	b.open("/enroll/totp").wants("totp").wantsInView("qr")
	b.answer(a.wrong()).wants("totp").wantsError(http.StatusUnauthorized, "invalid_code").wantsFocus("code").wantsInView("code", "error")
	b.size(900, 640, false)
	b.answer(a.shows()).wants("backupcodes").wantsNotice("Authenticator app is set up.")
	b.pictures("backup-codes")
	codes := b.texts("#codes code")
	if key == "" || len(codes) != 10 {
		t.Fatalf("key %q, %d backup codes", key, len(codes))
	}
	b.signOut()
	for _, was := range []string{"the backup codes", "the key"} {
		b.leads("going back to "+was, chromedp.NavigateBack()).wants("login")
		seen := evaluate[string](b, "document.documentElement.outerHTML")
		if strings.Contains(seen, codes[0]) || strings.Contains(seen, key) || strings.Contains(seen, "ada@") {
			t.Errorf("back at %s: %s", was, seen)
		}
	}

	b.signIn("ada@example.com").wants("prompt")
	b.click("#switch-backup").wants("prompt").wantsFocus("code")
	b.answer(strings.ToUpper(codes[3])).wants("dashboard").wantsNotice("You used a backup code. 9 codes are left.")
	b.open("/security").click("#add-sms").wants("sms").wantsFocus("phone")
	b.fill("#phone", phoneTwo)
	b.click("#submit").wants("sms").wantsFocus("code")
	b.resends("+14*****671")
	b.answer(s.smsCode(phoneTwo)).wants("security").wantsNotice("Text message is set up.")
	b.signOut()

	s.clock.Advance(24 * time.Hour)
	b.signIn("ada@example.com").wants("prompt").wantsFocus("code")
	b.pictures("prompt")
	b.press("#trust")
	b.answer(a.shows()).wants("dashboard")
	if got := b.text("#amr"); got != "password, authenticator app, more than one factor" {
		t.Errorf("signed in with %q", got)
	}
	b.open("/security").wants("security")
	b.press("#rename-totp")
	b.fill("#label-totp", "Pixel 9")
	b.click("#factor-totp .rename button").wants("security").wantsNotice("The name was changed.")
	if got := b.text("[data-device] h3"); got != "Chrome on Linux" {
		t.Errorf("the trusted device is %q", got)
	}
	b.open("/security").wants("security")
	b.pictures("security")
}

// resends waits until the countdown is over, and has another message sent.
func (b *tab) resends(masked string) {
	b.t.Helper()
	const enabled = `!document.getElementById("resend").disabled`
	if got := b.text("#masked") + " " + b.text("#resend-hint"); got != masked+" in 30 seconds" || evaluate[bool](b, enabled) {
		b.t.Errorf("the page says %q", got)
	}
	before := len(b.phone.arrived())
	b.pass(29 * time.Second)
	b.until(`document.getElementById("resend-hint").innerText === "in 1 second"`)
	b.pass(time.Second)
	b.until(enabled)
	b.click("#resend")
	if got := len(b.phone.arrived()); got != before+1 || b.text("#resend-hint") != "in 30 seconds" {
		b.t.Errorf("%d messages after %d, and the page says %q", got, before, b.text("#resend-hint"))
	}
}

// A throttled form shows how long to wait, counted down, and cannot be sent
// before. Other forms can: a code that has arrived still counts while another
// message would be too soon.
func TestBrowserCountsWaitsDown(t *testing.T) {
	needsBrowser(t)
	s := newSite(t)
	first, a := s.withTOTP("ada@example.com")
	first.addSMS(phoneOne)
	s.fail("ada@example.com", a, 11)
	b := s.chromium()
	b.signIn("ada@example.com").wants("prompt")
	b.answer(a.shows()).wants("prompt").wantsError(http.StatusTooManyRequests, "too_many_attempts")
	const left, enabled = `document.querySelector("#retry-after .left")?.innerText`, `!document.getElementById("submit").disabled`
	if got := b.text("#retry-after"); got != "Try again in 1:04." || evaluate[bool](b, enabled) {
		t.Errorf("the page says %q, or lets a code be sent", got)
	}
	if !b.has("[role=alert] .left[role=timer]") {
		t.Error("a screen reader reads each second aloud")
	}
	b.pass(time.Minute)
	b.until(left + ` === "4 seconds"`)
	b.pass(3 * time.Second)
	b.until(left + ` === "1 second"`)
	if evaluate[bool](b, enabled) {
		t.Error("a code can be sent although it would be refused")
	}
	b.pass(time.Second)
	b.until(enabled)
	if got := b.text("#retry-after"); got != "You can try again now." {
		t.Errorf("the page says %q", got)
	}

	stale := b.another().open("/login/mfa").wants("prompt")
	b.click("#switch-sms").wants("prompt").wantsFocus("code")
	b.resends("+23*****678")
	stale.click("#switch-sms").wants("prompt").wantsError(http.StatusTooManyRequests, "too_many_messages").wantsFocus("error")
	if evaluate[bool](stale, "submit.disabled") || !evaluate[bool](stale, "resend.disabled") {
		t.Error("the wrong form waits")
	}
	stale.answer(s.smsCode(phoneOne)).wants("dashboard")
}

// A double click sends a form once, however far away the server is: otherwise the
// browser would drop the first response, and with it the new session. The server
// is also one that speaks plain HTTP and is not localhost, to which browsers send
// no Sec-Fetch-Site.
func TestBrowserDoubleClickOnAFarServer(t *testing.T) {
	needsBrowser(t)
	s := newSite(t)
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		s.ServeHTTP(answer, r)
		if r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/verify") {
			time.Sleep(300 * time.Millisecond)
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		w.Write(answer.Body.Bytes())
	}))
	t.Cleanup(far.Close)
	s.url = strings.Replace(far.URL, "127.0.0.1", "lan.example", 1)
	b := s.chromium()
	b.signUp("ada@example.com").open("/enroll").click("#choose-totp").passwordAgain().wants("totp")
	b.fill("#code", b.scan(b.link("#otpauth")).shows())
	b.leads("a double click", func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		return chromedp.Evaluate[chromedp.Void](`{ setTimeout(() => submit.click(), 120); submit.click(); }`)(ctx, t)
	}).wants("backupcodes").wantsNotice("Authenticator app is set up.")
	if codes := b.texts("#codes code"); len(codes) != fewCodes {
		t.Errorf("%d backup codes", len(codes))
	}
}

// Everything works without JavaScript: the sign-up, the app's setup, the sign-in,
// the sign-out.
func TestBrowserWithoutJavaScript(t *testing.T) {
	needsBrowser(t)
	s := newSite(t)
	b := s.chromium()
	b.scripts(false)
	b.signUp("ada@example.com").wants("dashboard")
	b.open("/enroll").click("#choose-totp").passwordAgain().wants("totp")
	if !evaluate[bool](b, `document.getElementById("copy-key").hidden && typeof countDown === "undefined"`) {
		t.Fatal("JavaScript is on")
	}
	a := b.scan(b.link("#otpauth"))
	b.answer(a.wrong()).wants("totp").wantsError(http.StatusUnauthorized, "invalid_code").wantsFocus("code")
	b.answer(a.shows()).wants("backupcodes")
	if evaluate[bool](b, `document.getElementById("copy-codes").hidden === false`) || !b.has("#download-codes") {
		t.Error("the page offers what does not work, or not what does")
	}
	b.click("#saved").wants("security")
	b.signOut()
	s.clock.Advance(time.Minute)
	b.signIn("ada@example.com").wants("prompt").wantsFocus("code")
	b.press("#trust")
	b.answer(a.shows()).wants("dashboard")
	b.signOut()
	b.signIn("ada@example.com").wants("dashboard")
}

// The browser's tests find what they look for: what a page says on the console,
// what its policy blocks, what has no name, what is pale.
func TestBrowserTestsFindFaults(t *testing.T) {
	needsBrowser(t)
	faulty := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Security-Policy", "script-src 'self' 'nonce-right'")
		fmt.Fprint(w, `<!doctype html><html lang="en"><title>Faulty</title><link rel="icon" href="data:,">
			<body style="background: #fff"><input><button></button><input aria-label="faint" id="faint" placeholder="faint" style="border: 1px solid #ccc"><p style="color: #999">pale</p><p style="color: #555">not pale</p><style>::placeholder { color: #999 }</style>
			<script>document.title = "stopped"</script>
			<script nonce="right">console.error("an error"); console.warn("a warning"); undefinedFunction()</script>`)
	}))
	t.Cleanup(faulty.Close)
	b := (&site{t: t, url: faulty.URL}).chromium()
	perform(b, "opening", chromedp.Navigate(faulty.URL))
	if got := b.nameless(); !slices.Equal(got, []string{"textbox", "button"}) {
		t.Errorf("without a name: %v", got)
	}
	if got := b.small(); !slices.Equal(got, []string{"", "", "faint"}) {
		t.Errorf("small: %q", got)
	}
	if got := b.pale(); !slices.Equal(got, []string{"1.61 for the edge of faint", "2.85 for faint", "2.85 for pale"}) {
		t.Errorf("pale: %v", got)
	}
	perform(b, "opening what is missing", chromedp.Navigate(faulty.URL+"/missing"))
	said := b.unexpected()
	for _, want := range []string{"console.error", "console.warning", "exception", "security error", "network error"} {
		if !slices.ContainsFunc(said, func(s string) bool { return strings.HasPrefix(s, want) }) {
			t.Errorf("%q is not among %q", want, said)
		}
	}
	b.mu.Lock()
	b.expected["404"]++
	b.mu.Unlock()
	if rest := b.unexpected(); len(rest) != len(said)-1 {
		t.Errorf("%d are left of %d", len(rest), len(said))
	}
	b.mu.Lock()
	b.said = nil // all of it was intended
	b.mu.Unlock()
}
