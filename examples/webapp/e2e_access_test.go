package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// With the keyboard alone: through the sign-in, past a wrong code and into the
// application, with the focus always to be seen.
func TestBrowserKeyboardAlone(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	_, a := s.withTOTP("ada@example.com")
	b := s.chromium()
	b.open("/login").wants("login")
	b.keys(kb.Tab)
	if got := evaluate[string](b, "document.activeElement.className"); got != "skip" {
		t.Errorf("the first stop is %q", got)
	}
	b.tabTo("email")
	b.keys("ada@example.com" + kb.Tab)
	b.wantsFocus("password")
	b.keys(password)
	b.leads("Enter", chromedp.KeyEvent(kb.Enter)).wants("prompt").wantsFocus("code")
	b.keys(a.wrong())
	b.leads("Enter", chromedp.KeyEvent(kb.Enter)).wants("prompt").wantsError(http.StatusUnauthorized, "invalid_code").wantsFocus("code")
	b.keys(a.shows() + kb.Tab)
	b.wantsFocus("trust")
	b.keys(" ")
	if !evaluate[bool](b, `document.getElementById("trust").checked`) {
		t.Error("the space bar does not tick the box")
	}
	b.tabTo("submit")
	b.leads("Enter", chromedp.KeyEvent(kb.Enter)).wants("dashboard")
	b.tabTo("logout")
	b.leads("Enter", chromedp.KeyEvent(kb.Enter)).wants("login")
}

// keys presses keys, wherever the focus is.
func (b *tab) keys(keys string) {
	b.t.Helper()
	perform(b, "pressing keys", chromedp.KeyEvent(keys))
}

// tabTo presses Tab until an element has the focus, and checks at each stop
// that it is to be seen.
func (b *tab) tabTo(id string) {
	b.t.Helper()
	for range 20 {
		if evaluate[string](b, "document.activeElement.id") == id {
			return
		}
		b.keys(kb.Tab)
		if outline := evaluate[string](b, "getComputedStyle(document.activeElement).outline"); !strings.Contains(outline, "solid 3px") {
			b.t.Errorf("the focus is not to be seen: %q", outline)
		}
	}
	b.t.Fatalf("the keyboard does not reach %q", id)
}

// What is copied can be pasted: the key without its spaces, a code with one in
// its middle, and the backup codes.
func TestBrowserCopiesAndPastes(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.chromium()
	b.signUp("ada@example.com").open("/enroll").click("#choose-totp").wants("totp")
	a := b.scanned()
	b.press("#copy-key")
	b.until(`document.getElementById("copy-key").innerText === "Copied"`)
	if got := b.text("[role=status]#said"); got != "Copied" {
		t.Errorf("screen readers hear %q", got)
	}
	b.press("#code")
	b.edit("paste")
	if got := evaluate[string](b, "code.value"); got == "" || got != strings.ReplaceAll(b.text("#key"), " ", "") {
		t.Errorf("the key %q is copied as %q", b.text("#key"), got)
	}
	shown := a.shows()
	b.edit("selectAll")
	b.keys(shown[:3] + " " + shown[3:])
	b.edit("selectAll")
	b.edit("cut")
	b.edit("paste")
	if got := evaluate[string](b, "code.value"); got != shown[:3]+" "+shown[3:] {
		t.Fatalf("pasted %q", got)
	}
	b.click("#submit").wants("backupcodes")
	codes := b.texts("#codes code")
	command(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	if sheet := b.text("main"); !strings.Contains(sheet, "For ada@example.com at Protekt") || !strings.Contains(sheet, codes[0]) || strings.Contains(sheet, "I saved them") {
		t.Errorf("the printed sheet is %q", sheet)
	}
	command(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{})
	b.press("#copy-codes")
	b.until(`document.getElementById("copy-codes").innerText === "Copied"`)
	b.click("#saved").wants("security")
	b.press("#current")
	b.edit("paste")
	if got := evaluate[string](b, "current.value"); got == "" || got != strings.Join(codes, " ") { // in a field of one line
		t.Errorf("the codes %v are copied as %q", codes, got)
	}
}

// edit is a command of the keyboard's, such as to paste.
func (b *tab) edit(edit string) {
	b.t.Helper()
	command(b, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeRawKeyDown, Commands: []string{edit}})
}

// Everything works without JavaScript: the sign-up, the app's setup, the
// sign-in, the sign-out.
func TestBrowserWithoutJavaScript(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.chromium()
	command(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.signUp("ada@example.com").wants("dashboard")
	b.open("/enroll").click("#choose-totp").wants("totp").wantsFocus("code")
	if !evaluate[bool](b, `document.getElementById("copy-key").hidden && typeof countDown === "undefined"`) {
		t.Fatal("JavaScript is on")
	}
	a := b.scanned()
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
	b.click("#logout").wants("login")
}

// What was refused is said at its form, and its field has the focus, is marked
// and described.
func TestBrowserMarksTheRightField(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.signedUp("ada@example.com")
	b := s.chromium()
	marked := func(field, said string) {
		t.Helper()
		b.wantsFocus(field)
		got := evaluate[[]string](b, `[...document.querySelectorAll("[aria-invalid=true]")].map((e) => e.id)`)
		if want := fmt.Sprintf("[%s] error", field); !strings.HasPrefix(fmt.Sprint(got, " ", evaluate[string](b, `document.activeElement.getAttribute("aria-describedby")`)), want) {
			t.Errorf("%v are marked, and it is described by %q", got, evaluate[string](b, `document.activeElement.getAttribute("aria-describedby")`))
		}
		if got := b.text("#error"); got != said {
			t.Errorf("the page says %q, want %q", got, said)
		}
	}
	b.open("/signup")
	b.fill("#email", "bob@example.com")
	b.fill("#password", "😀😀😀😀") // eight for the browser
	b.click("#submit").wantsError(http.StatusUnprocessableEntity, "invalid_password")
	marked("password", "A password has 8 to 256 characters.")
	b.fill("#email", "ada@example.com")
	b.fill("#password", password)
	b.click("#submit").wantsError(http.StatusConflict, "email_taken")
	marked("email", "There is an account with this address already.")
	b.open("/login")
	b.fill("#email", "ada@example.com")
	b.fill("#password", "wrong password")
	b.click("#submit").wantsError(http.StatusUnauthorized, "invalid_credentials")
	marked("password", "The e-mail address or the password is wrong.")

	b.signIn("ada@example.com").wants("dashboard")
	for field, form := range map[string]string{"current": "change-password", "delete-current": "delete-account"} {
		b.open("/security").wants("security")
		b.fill("#"+field, "wrong password")
		if field == "current" {
			b.fill("#password", "another password")
		}
		b.click("#"+form).wantsError(http.StatusUnauthorized, "wrong_password")
		marked(field, "That is not your current password.")
		if evaluate[bool](b, fmt.Sprintf(`!error.closest("section").contains(document.getElementById(%q))`, form)) {
			t.Errorf("the error of %s is elsewhere", form)
		}
	}
}

// On a narrow screen nothing is wider, however long the address.
func TestBrowserLongAddressOnANarrowScreen(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.chromium()
	b.size(320, 640, true)
	b.signUp(strings.Repeat("a", 100) + "@example.com").wants("dashboard")
	for _, path := range []string{"/dashboard", "/security", "/enroll"} {
		b.open(path)
		if width := evaluate[int](b, "document.documentElement.scrollWidth"); width > 320 {
			t.Errorf("%s is %d pixels wide", path, width)
		}
	}
	b.click("#choose-totp").wants("totp")
	b.answer(b.scanned().shows()).wants("backupcodes")
	if width := evaluate[int](b, "document.documentElement.scrollWidth"); width > 320 {
		t.Errorf("the page of backup codes is %d pixels wide", width)
	}
}

// Each thing to operate, on each page, has a name for those who cannot see it,
// and its text stands out in the light and in the dark.
func TestBrowserEveryPageCanBeHeardAndRead(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	owner, a := s.withTOTP("ada@example.com")
	owner.addSMS(phoneOne)
	b := s.chromium()
	seen := map[string]bool{}
	look := func(b *tab) *tab {
		t.Helper()
		seen[b.name()] = true
		for _, scheme := range []string{"light", "dark"} {
			b.scheme(scheme)
			for _, pale := range b.pale() {
				t.Errorf("%s, %s: %s", b.path(), scheme, pale)
			}
		}
		return b
	}
	for _, path := range []string{"/", "/signup", "/login", "/forgot", "/reset?token=none", "/phone"} {
		look(b.open(path))
	}
	b.open("/login")
	b.fill("#email", "nobody@example.com")
	b.fill("#password", "wrong password")
	look(b.click("#submit").wantsError(http.StatusUnauthorized, "invalid_credentials"))
	b.signIn("ada@example.com").wants("prompt")
	for _, way := range []string{"#switch-backup", "#switch-sms", "#send", "#switch-totp"} {
		look(b.click(way).wants("prompt"))
	}
	look(b.answer(a.wrong()).wantsError(http.StatusUnauthorized, "invalid_code"))
	look(b.answer(a.shows()).wants("dashboard"))
	for _, path := range []string{"/security", "/enroll", "/enroll/totp", "/enroll/sms", "/backup-codes", "/project"} {
		look(b.open(path))
	}
	look(b.click("#mfa-required").wants("project"))
	look(b.open("/security").click("#replace-totp").wants("totp"))
	s.clock.Advance(time.Minute) // the cooldown
	b.open("/enroll/sms")
	b.fill("#phone", phoneTwo)
	look(b.click("#submit").wants("sms"))
	look(b.open("/backup-codes").click("#regenerate").wants("backupcodes"))

	bob := s.chromium()
	look(bob.signUp("bob@example.com").wants("enroll"))
	bob.answerEnrollment()
	look(bob.open("/project").wants("error").wantsError(http.StatusForbidden, "forbidden"))
	for name := range s.pages {
		if !seen[name] {
			t.Errorf("page %q was not looked at", name)
		}
	}
}

// answerEnrollment sets an app up where one is required.
func (b *tab) answerEnrollment() {
	b.t.Helper()
	b.click("#choose-totp").wants("totp")
	b.answer(b.scanned().shows()).wants("backupcodes")
	b.click("#saved").wants("security")
}

// scheme is what the user prefers, "light" or "dark".
func (b *tab) scheme(scheme string) {
	b.t.Helper()
	command(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme},
		{Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// pale are the texts with a contrast below 4.5 (WCAG 2.2, 1.4.3), placeholders
// too, and the fields and switches whose edge has less than 3 (1.4.11); disabled
// controls excepted.
func (b *tab) pale() []string {
	b.t.Helper()
	result := evaluate[struct {
		Texts int
		Pale  []string
	}](b, paleTexts)
	if result.Texts == 0 {
		b.t.Errorf("no text on %s", b.describe())
	}
	return result.Pale
}

const paleTexts = `(() => {
	const channels = (color) => color.match(/[\d.]+/g).map(Number);
	const luminance = (color) => {
		const [r, g, b] = channels(color).map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const behind = (element) => {
		for (; element; element = element.parentElement) {
			const color = getComputedStyle(element).backgroundColor;
			const alpha = channels(color)[3];
			if (alpha === undefined) return color;
			if (alpha !== 0) throw new Error("a half transparent background: " + color);
		}
		return "rgb(255, 255, 255)";
	};
	const result = {Texts: 0, Pale: []};
	const check = (color, background, least, what) => {
		const lights = [luminance(color), luminance(background)].sort((a, b) => b - a);
		const contrast = (lights[0] + 0.05) / (lights[1] + 0.05);
		if (contrast < least) result.Pale.push(contrast.toFixed(2) + " for " + what);
	};
	for (const input of document.querySelectorAll("input:not([type=hidden], [type=checkbox]), [role=switch]")) {
		if (!input.checkVisibility() || input.disabled) continue;
		const style = getComputedStyle(input);
		const edge = input.matches("input") ? style.borderTopColor : style.backgroundColor;
		check(edge, behind(input.parentElement), 3, "the edge of " + (input.id || input.type));
		if (!input.placeholder) continue;
		const placeholder = getComputedStyle(input, "::placeholder");
		if (placeholder.opacity !== "1") result.Pale.push("opacity " + placeholder.opacity + " for " + input.placeholder);
		check(placeholder.color, behind(input), 4.5, input.placeholder);
	}
	const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	while (texts.nextNode()) {
		const element = texts.currentNode.parentElement;
		if (!texts.currentNode.textContent.trim() || !element.checkVisibility() || element.closest(":disabled")) continue;
		result.Texts++;
		check(getComputedStyle(element).color, behind(element), 4.5, texts.currentNode.textContent.trim());
	}
	return result;
})()`

// The tests of this package find what they look for: what a page says on the
// console, what its policy stops, what has no name, what is pale.
func TestBrowserTestsFindFaults(t *testing.T) {
	t.Parallel()
	faulty := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Security-Policy", "script-src 'self' 'nonce-right'")
		io.WriteString(w, `<!doctype html><html lang="en"><title>Faulty</title><link rel="icon" href="data:,">
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
	b.said = nil // all of it was meant
	b.mu.Unlock()
}
