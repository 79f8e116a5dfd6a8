package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/protekt/mfa"
)

// A new user makes an account, scans the QR code, sees the backup codes once,
// signs out, and signs in with the app.
func TestBrowserEnrollsByScanningAndSignsInWithTheApp(t *testing.T) {
	t.Parallel()
	s := newSite(t, tenCodes)
	b := s.chromium()
	b.signUp("ada@example.com").wants("dashboard")
	b.click("#to-enroll").wants("enroll")
	b.click("#choose-totp").wants("totp").wantsFocus("code")
	a := b.scanned()
	b.answer(a.shows()).wants("backupcodes").wantsNotice("Authenticator app is set up.")
	codes := b.texts("#codes code")
	b.click(`nav a[href="/dashboard"]`).wants("backupcodes").wantsNotice("Save your backup codes first.")
	if again := b.texts("#codes code"); len(codes) != 10 || !slices.Equal(again, codes) {
		t.Fatalf("the backup codes %v are %v later", codes, again)
	}
	b.click("#saved").wants("security")
	b.open("/backup-codes").wants("backupcodes")
	if b.has("#codes") || b.text("#codes-left") != "10 codes are left." {
		t.Errorf("the codes are shown twice, or %q", b.text("#codes-left"))
	}
	b.signOut()
	s.clock.Advance(time.Minute)
	b.signIn("ada@example.com").wants("prompt").wantsFocus("code")
	b.answer(a.shows()).wants("dashboard")
	if got := b.text("#amr"); got != "password, authenticator app, more than one factor" {
		t.Errorf("signed in with %q", got)
	}
}

// A new user sets the app up, loses it, and gets in with a backup code, once.
func TestBrowserSignsInWithABackupCodeOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, tenCodes)
	b := s.chromium()
	b.signUp("ada@example.com").wants("dashboard")
	b.open("/security").click("#add-totp").wants("totp")
	b.answer(b.scanned().shows()).wants("backupcodes")
	codes := b.texts("#codes code")
	if len(codes) != 10 {
		t.Fatalf("%d backup codes", len(codes))
	}
	b.click("#saved").wants("security")
	b.signOut()

	b.signIn("ada@example.com").wants("prompt")
	b.click("#switch-backup").wants("prompt").wantsFocus("code")
	b.answer(strings.ToUpper(codes[3])).wants("dashboard").wantsNotice("You used a backup code. 9 codes are left.")
	b.signOut()
	b.signIn("ada@example.com").wants("prompt")
	b.click("#switch-backup")
	b.answer(codes[3]).wants("prompt").wantsError(http.StatusUnauthorized, "invalid_code")
	b.answer(codes[4]).wants("dashboard")

	b.open("/backup-codes").wants("backupcodes")
	b.click("#regenerate").wants("backupcodes")
	if fresh := b.texts("#codes code"); len(fresh) != 10 || slices.Contains(fresh, codes[5]) {
		t.Errorf("the new codes are %d, or the old ones", len(fresh))
	}
}

// Over plain HTTP and not on localhost, as from a phone in the same network, a
// browser sends no Sec-Fetch-Site: the forms work all the same.
func TestBrowserPostsOverPlainHTTP(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.url = strings.Replace(s.url, "127.0.0.1", "lan.example", 1)
	b := s.chromium()
	b.signUp("ada@example.com").wants("dashboard")
	b.signOut()
	b.signIn("ada@example.com").wants("dashboard")
}

// The administrator requires MFA while the project runs: a user without a
// factor is led to enrollment at the next sign-in, and nowhere else.
func TestBrowserRequiredMFALeadsToEnrollmentAndNowhereElse(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin, b := s.chromium(), s.chromium()
	admin.signUp("root@example.com").wants("dashboard")
	b.signUp("bob@example.com").wants("dashboard") // not required yet
	b.signOut()
	admin.open("/project").wants("project")
	if got := admin.texts("#without-mfa li"); !slices.Equal(got, []string{"bob@example.com", "root@example.com"}) {
		t.Errorf("without MFA: %v", got)
	}
	admin.click("#mfa-required").wants("enroll").wantsNotice("Set up a second factor of your own first.")
	admin.answerEnrollment()
	admin.open("/project").wants("project")
	admin.click("#mfa-required").wants("project").wantsNotice("MFA is required now.")
	if got := admin.text("#mfa-label"); got != "MFA is required" {
		t.Errorf("the page says %q", got)
	}

	b.signIn("bob@example.com").wants("enroll")
	if !b.has("#required-text") {
		t.Error("the page does not say why")
	}
	for _, path := range []string{"/", "/dashboard", "/security", "/project", "/backup-codes", "/confirm", "/login", "/login/mfa"} {
		b.open(path).wants("enroll")
	}
	b.click("#choose-totp").wants("totp")
	b.answer(b.scanned().shows()).wants("backupcodes")
	b.click("#saved").wants("security")
	if !b.has("#enforced") || b.has("#remove-totp") || !b.has("#replace-totp") {
		t.Error("the page does not explain that a factor cannot be removed")
	}
	b.open("/dashboard").wants("dashboard")
	admin.open("/project")
	if got := admin.texts("#without-mfa li"); len(got) != 0 {
		t.Errorf("without MFA: %v", got)
	}
}

// A wrong code is told where it was typed: the field has the focus, names the
// message, and takes the right one.
func TestBrowserTellsAWrongCodeInPlace(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.chromium()
	b.signUp("ada@example.com").open("/enroll").click("#choose-totp").wants("totp")
	a := b.scanned()
	b.answer(a.wrong()).wants("totp").wantsError(http.StatusUnauthorized, "invalid_code").wantsFocus("code")
	if again := b.scanned(); again.shows() != a.shows() {
		t.Error("another key is shown after a wrong code")
	}
	b.answer(a.shows()).wants("backupcodes")
	b.click("#saved").signOut()

	s.clock.Advance(time.Minute)
	b.signIn("ada@example.com").wants("prompt")
	b.answer(a.wrong()).wants("prompt").wantsError(http.StatusUnauthorized, "invalid_code").wantsFocus("code")
	if got := b.text("#error"); got != "That code is not right. Please try again. 4 tries are left." {
		t.Errorf("the message is %q", got)
	}
	if got := evaluate[string](b, `[code.value, code.getAttribute("aria-invalid"), code.getAttribute("aria-describedby")].join()`); got != ",true,error prompt-text" {
		t.Errorf("the field is %q", got)
	}
	b.answer(a.shows()).wants("dashboard")
}

// Who is throttled sees how long, counted down; nothing can be sent before, and
// the right code is taken afterwards.
func TestBrowserCountsAThrottleDown(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, a := s.withTOTP("ada@example.com")
	s.fail("ada@example.com", a, 11)
	b := s.chromium()
	b.signIn("ada@example.com").wants("prompt")
	b.answer(a.shows()).wants("prompt").wantsError(http.StatusTooManyRequests, "too_many_attempts")
	const left, enabled = `document.querySelector("#retry-after .left")?.innerText`, `!document.getElementById("submit").disabled`
	if got := b.text("#retry-after"); got != "Try again in 1:04." {
		t.Errorf("the page says %q", got)
	}
	if evaluate[bool](b, enabled) {
		t.Error("a code can be sent while it would be refused")
	}
	if !b.has("[role=alert] .left[role=timer]") {
		t.Error("a screen reader reads each second aloud")
	}
	b.pass(time.Minute)
	b.until(left + ` === "4 seconds"`)
	b.pass(3 * time.Second)
	b.until(left + ` === "1 second"`)
	if evaluate[bool](b, enabled) {
		t.Error("a code can be sent while it would be refused")
	}
	b.pass(time.Second)
	b.until(enabled)
	if got := b.text("#retry-after"); got != "You can try again now." {
		t.Errorf("the page says %q", got)
	}
	b.answer(a.shows()).wants("dashboard")
}

// fail answers wrongly so many times, each after whatever wait the last one
// brought.
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

// Codes by SMS, at enrollment and at login: the number is masked, another
// message can be had once the visible countdown is over, and its code counts.
func TestBrowserEnrollsAndSignsInBySMS(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.chromium()
	b.signUp("ada@example.com").open("/enroll").click("#choose-sms").wants("sms").wantsFocus("phone")
	b.fill("#phone", "0801 234")
	b.click("#submit").wants("sms").wantsError(http.StatusUnprocessableEntity, "invalid_phone").wantsFocus("phone")
	b.fill("#phone", "+234 801 234 5678")
	b.click("#submit").wants("sms").wantsFocus("code")
	b.resends("+23*****678")
	b.answer(b.reads(phoneOne)).wants("backupcodes")
	b.click("#saved").wants("security")
	if got := b.text("#sms-phone"); got != "+23*****678" {
		t.Errorf("the phone is %q", got)
	}
	b.signOut()

	s.clock.Advance(time.Minute)
	b.signIn("ada@example.com").wants("prompt")
	if got := b.text("#masked"); got != "+23*****678" || b.has("#code") {
		t.Errorf("before anything was sent the number is %q", got)
	}
	b.click("#send").wants("prompt").wantsFocus("code")
	b.resends("+23*****678")
	b.answer(b.reads(phoneOne)).wants("dashboard")
	if got := b.text("#amr"); got != "password, text message, more than one factor" {
		t.Errorf("signed in with %q", got)
	}
}

// resends waits the countdown out, and has another message sent.
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

// A phone is replaced with a fresh proof and a code sent to the new number; the
// old one counts until then.
func TestBrowserReplacesAPhone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	first, a := s.withTOTP("ada@example.com")
	first.addSMS(phoneOne)
	b := s.chromium()
	b.signIn("ada@example.com").wants("prompt")
	b.answer(a.shows()).wants("dashboard")
	s.clock.Advance(16 * time.Minute) // the proof is old
	b.open("/security").click("#replace-sms").wants("sms").wantsFocus("phone")
	b.fill("#phone", phoneTwo)
	b.click("#submit").wants("prompt")
	b.answer(a.shows()).wants("sms").wantsFocus("code")
	code := b.reads(phoneTwo)
	other := b.another().open("/security").wants("security")
	if got := other.text("#sms-phone"); got != "+23*****678" {
		t.Errorf("a number that is not confirmed replaced the old one: %q", got)
	}
	b.answer(code).wants("security").wantsNotice("Text message is set up.")
	if got := b.text("#sms-phone"); got != "+14*****671" {
		t.Errorf("the phone is %q", got)
	}
	b.signOut()

	s.clock.Advance(time.Minute)
	b.signIn("ada@example.com").wants("prompt")
	b.click("#switch-sms").wants("prompt")
	b.click("#send").wants("prompt")
	b.answer(b.reads(phoneTwo)).wants("dashboard")
}

// To remove a factor takes a fresh proof, which can be cancelled.
func TestBrowserRemovesAFactorWithAFreshProof(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	first, a := s.withTOTP("ada@example.com")
	first.addSMS(phoneOne)
	b := s.chromium()
	b.signIn("ada@example.com").wants("prompt")
	b.answer(a.shows()).wants("dashboard")
	s.clock.Advance(16 * time.Minute)
	b.open("/security").click("#remove-sms").wants("prompt")
	if got := b.text("h1") + ": " + b.text("#asked"); got != "Confirm it is you: You are about to remove a second factor: Text message. Enter a code first." || b.has("#trust") {
		t.Errorf("the prompt is %q", got)
	}
	b.click("#cancel").wants("security")
	if !b.has("#sms-phone") {
		t.Fatal("removed without a proof")
	}
	b.click("#remove-sms").wants("prompt")
	b.answer(a.shows()).wants("security").wantsNotice("Text message is removed.")
	if b.has("#sms-phone") || !b.has("#remove-totp") {
		t.Error("the wrong factor is removed")
	}
}

// A device that is trusted skips the prompt, it alone, until its user has all
// devices forgotten.
func TestBrowserTrustedDeviceSkipsThePromptUntilForgotten(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, a := s.withTOTP("ada@example.com")
	b, other := s.chromium(), s.chromium()
	b.signIn("ada@example.com").wants("prompt")
	b.press("#trust")
	b.answer(a.shows()).wants("dashboard")
	b.signOut()
	b.signIn("ada@example.com").wants("dashboard")
	other.signIn("ada@example.com").wants("prompt")
	b.open("/security").click("#forget-devices").wants("security").wantsNotice("Every device will be asked for a code again.")
	b.signOut()
	b.signIn("ada@example.com").wants("prompt")
}

// A challenge that expired on the screen leads back to the sign-in, which says
// why and works.
func TestBrowserExpiredChallengeReturnsToSignIn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, a := s.withTOTP("ada@example.com")
	b := s.chromium()
	b.signIn("ada@example.com").wants("prompt")
	s.clock.Advance(5 * time.Minute)
	b.answer(a.shows()).wants("login").wantsNotice("That took too long, or was answered already. Please sign in again.")
	b.open("/dashboard").wants("login")
	if b.has("#notice") {
		t.Error("the notice is told twice")
	}
	b.signIn("ada@example.com").wants("prompt")
	b.answer(a.shows()).wants("dashboard")
}

// Two tabs answer one challenge at the same time, as a double click does: one
// answer counts, and the late one neither enters nor throws the other out.
func TestBrowserTwoTabsAnswerOneChallenge(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, a := s.withTOTP("ada@example.com")
	first := &holding{next: s.server, held: make(chan struct{}), release: make(chan struct{})}
	slow := httptest.NewServer(first)
	t.Cleanup(slow.Close)
	s.url = slow.URL
	one := s.chromium()
	one.signIn("ada@example.com").wants("prompt")
	two := one.another().open("/login/mfa").wants("prompt")

	two.fill("#code", a.shows())
	two.press("#submit") // the server has found its session, and waits for the code
	select {
	case <-first.held:
	case <-time.After(patience):
		t.Fatal("the second tab sent nothing")
	}
	one.answer(a.shows()).wants("dashboard")
	two.leads("the late answer", chromedp.Func(func(context.Context, *chromedp.Target) error {
		close(first.release)
		return nil
	})).wants("dashboard")
	one.open("/security").wants("security")
}

// A double click sends a form once, however far away the server is: the browser
// would drop the first answer, and with it the new session.
func TestBrowserDoubleClick(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		s.ServeHTTP(answer, r)
		if r.Method == http.MethodPost {
			time.Sleep(300 * time.Millisecond)
		}
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		w.Write(answer.Body.Bytes())
	}))
	t.Cleanup(far.Close)
	s.url = far.URL
	b := s.chromium()
	b.signUp("ada@example.com").open("/enroll").click("#choose-totp").wants("totp")
	a := b.scanned()
	b.fill("#code", a.shows())
	b.clickTwice("#submit").wants("backupcodes").wantsNotice("Authenticator app is set up.")
	if codes := b.texts("#codes code"); len(codes) != fewCodes {
		t.Errorf("%d backup codes", len(codes))
	}
	b.click("#saved").signOut()
	s.clock.Advance(time.Minute)
	b.signIn("ada@example.com").wants("prompt")
	b.fill("#code", a.shows())
	b.clickTwice("#submit").wants("dashboard")
}

func (b *tab) clickTwice(selector string) *tab {
	b.t.Helper()
	return b.leads("a double click on "+selector, func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		click := fmt.Sprintf(`{ const button = document.querySelector(%q); setTimeout(() => button.click(), 120); button.click(); }`, selector)
		return chromedp.Evaluate[chromedp.Void](click)(ctx, t)
	})
}

// What is refused is not sent until the wait is over; what is not refused can be:
// a code that has arrived counts while another message would be too soon.
func TestBrowserARefusedMessageLeavesTheCode(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	first, _ := s.withTOTP("ada@example.com")
	first.addSMS(phoneOne)
	s.clock.Advance(time.Hour)
	b := s.chromium()
	b.signIn("ada@example.com").wants("prompt")
	b.click("#switch-sms").wants("prompt")
	stale := b.another().open("/login/mfa?method=sms").wants("prompt")
	b.click("#send").wants("prompt")
	stale.click("#send").wants("prompt").wantsError(http.StatusTooManyRequests, "too_many_attempts").wantsFocus("error")
	if evaluate[bool](stale, "submit.disabled") || !evaluate[bool](stale, "resend.disabled") {
		t.Error("the wrong form waits")
	}
	stale.answer(b.reads(phoneOne)).wants("dashboard")
}

// holding is a server that holds the body of the first answer back.
type holding struct {
	next          http.Handler
	once          sync.Once
	held, release chan struct{}
}

func (h *holding) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost && r.URL.Path == "/login/mfa" {
		h.once.Do(func() { r.Body = heldBody{r.Body, sync.OnceFunc(h.hold)} })
	}
	h.next.ServeHTTP(w, r)
}

func (h *holding) hold() {
	close(h.held)
	select {
	case <-h.release:
	case <-time.After(patience):
	}
}

// A heldBody is read by the application after it has found the session.
type heldBody struct {
	io.ReadCloser
	hold func()
}

func (b heldBody) Read(p []byte) (int, error) {
	b.hold()
	return b.ReadCloser.Read(p)
}

// What one tab ended another cannot go on with: neither a login that was
// cancelled, nor a session that was signed out.
func TestBrowserSecondTabCannotUseWhatTheFirstEnded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, a := s.withTOTP("ada@example.com")
	one := s.chromium()
	one.signIn("ada@example.com").wants("prompt")
	two := one.another().open("/login/mfa").wants("prompt")
	one.click("#cancel").wants("login")
	two.answer(a.shows()).wants("login")
	two.open("/dashboard").wants("login")

	one.signIn("ada@example.com").wants("prompt")
	one.answer(a.shows()).wants("dashboard")
	two.open("/security").click("#new-codes").wants("backupcodes")
	two.click("#regenerate").wants("backupcodes")
	if len(two.texts("#codes code")) != fewCodes {
		t.Fatal("the second tab does not work while the first is in")
	}
	two.click("#saved").wants("security")
	two.click("#new-codes").wants("backupcodes")
	one.open("/dashboard").signOut()
	two.click("#regenerate").wants("login")
	two.open("/backup-codes").wants("login")
}

// The back button shows nothing of what was on the screen before the sign-out.
func TestBrowserBackAfterSignOutShowsNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.chromium()
	b.signUp("ada@example.com").open("/enroll").click("#choose-totp").wants("totp")
	a := b.scanned()
	key := b.text("#key")
	b.answer(a.shows()).wants("backupcodes")
	code := b.text("#codes code")
	if key == "" || code == "" {
		t.Fatal("no secrets were on the screen")
	}
	b.signOut()
	for _, was := range []string{"the backup codes", "the key"} {
		b.leads("going back to "+was, chromedp.NavigateBack()).wants("login")
		if seen := evaluate[string](b, "document.documentElement.outerHTML"); strings.Contains(seen, code) || strings.Contains(seen, key) || strings.Contains(seen, "ada@") {
			t.Errorf("back at %s: %s", was, seen)
		}
	}
}
