package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// The keyboard alone suffices for signing in, past a wrong code, and signing out,
// and the focus is always visible.
func TestBrowserKeyboardAlone(t *testing.T) {
	needsBrowser(t)
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

// tabTo presses Tab until an element has the focus, which must be visible at each
// stop.
func (b *tab) tabTo(id string) {
	b.t.Helper()
	for range 20 {
		if evaluate[string](b, "document.activeElement.id") == id {
			return
		}
		b.keys(kb.Tab)
		if outline := evaluate[string](b, "getComputedStyle(document.activeElement).outline"); !strings.Contains(outline, "solid 3px") {
			b.t.Errorf("the focus is not visible: %q", outline)
		}
	}
	b.t.Fatalf("the keyboard does not reach %q", id)
}

// What is copied can be pasted: the key without its spaces, a code with a space in
// its middle, and the backup codes. They can be printed, too.
func TestBrowserCopiesAndPastes(t *testing.T) {
	needsBrowser(t)
	s := newSite(t)
	b := s.chromium()
	b.signUp("ada@example.com").open("/enroll").click("#choose-totp").passwordAgain().wants("totp")
	a := b.scan(b.link("#otpauth"))
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

// edit sends an editing command, such as "paste".
func (b *tab) edit(edit string) {
	b.t.Helper()
	command(b, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeRawKeyDown, Commands: []string{edit}})
}

// An error is shown at its form, whose field has the focus, is marked, and is
// described by the message.
func TestBrowserMarksTheRightField(t *testing.T) {
	needsBrowser(t)
	s := newSite(t)
	_, a := s.withTOTP("ada@example.com")
	b := s.chromium()
	marked := func(field, description, said string) {
		t.Helper()
		b.wantsFocus(field)
		got := evaluate[string](b, `[...document.querySelectorAll("[aria-invalid=true]")].map((e) => e.id + ": " + e.getAttribute("aria-describedby")).join()`)
		if want := field + ": " + description; got != want {
			t.Errorf("marked is %q, want %q", got, want)
		}
		if got := b.text("#error"); got != said {
			t.Errorf("the page says %q, want %q", got, said)
		}
	}
	b.open("/signup")
	b.fill("#email", "bob@example.com")
	b.fill("#password", "😀😀😀😀") // eight characters for the browser
	b.click("#submit").wantsError(http.StatusUnprocessableEntity, "invalid_password")
	marked("password", "error password-hint", "A password must have 8 to 256 characters.")
	b.fill("#email", "ada@example.com")
	b.fill("#password", password)
	b.click("#submit").wantsError(http.StatusConflict, "email_taken")
	marked("email", "error", "An account with this address already exists.")
	b.open("/login")
	b.fill("#email", "ada@example.com")
	b.fill("#password", "wrong password")
	b.click("#submit").wantsError(http.StatusUnauthorized, "invalid_credentials")
	marked("password", "error", "The e-mail address or the password is wrong.")
	b.signIn("ada@example.com").wants("prompt")
	b.answer(a.wrong()).wantsError(http.StatusUnauthorized, "invalid_code")
	marked("code", "error prompt-text", "That code is not right. Please try again. 4 tries are left.")
	b.answer(a.shows()).wants("dashboard")
	for field, form := range map[string]string{"current": "change-password", "delete-current": "delete-account"} {
		b.open("/security").wants("security")
		b.fill("#"+field, "wrong password")
		if field == "current" {
			b.fill("#password", "another password")
		}
		b.click("#"+form).wantsError(http.StatusUnauthorized, "wrong_password")
		marked(field, "error", "That is not your current password.")
		if evaluate[bool](b, fmt.Sprintf(`!error.closest("section").contains(document.getElementById(%q))`, form)) {
			t.Errorf("the error of %s is elsewhere", form)
		}
	}
}

// On every page each control has a name for those who cannot see it, the text
// stands out in the light and in the dark, and a narrow screen is wide enough,
// however long the address.
func TestBrowserEveryPageCanBeHeardAndRead(t *testing.T) {
	needsBrowser(t)
	s := newSite(t, withPasskeys)
	email := strings.Repeat("a", 100) + "@example.com"
	owner, a := s.withTOTP(email)
	owner.addSMS(phoneOne)
	b := s.chromium()
	seen := map[string]bool{}
	look := func() {
		t.Helper()
		seen[b.name()] = true
		if found := b.nameless(); found != nil {
			t.Errorf("without a name: %v, on %s", found, b.describe())
		}
		for _, scheme := range []string{"light", "dark"} {
			b.scheme(scheme)
			for _, pale := range b.pale() {
				t.Errorf("%s, %s: %s", b.name(), scheme, pale)
			}
		}
		b.size(320, 640, true)
		b.wantsWidth(320)
		for _, small := range b.small() {
			t.Errorf("%s: %q is too small to touch", b.name(), small)
		}
		b.size(900, 640, false)
	}
	for _, path := range []string{"/", "/signup", "/login", "/forgot", "/reset?token=none", "/phone"} {
		b.open(path)
		look()
	}
	b.signUp("cyd@example.com").open("/enroll").click("#choose-totp").wants("password")
	look()
	b.signOut()
	b.fill("#email", "nobody@example.com")
	b.fill("#password", "wrong password")
	b.click("#submit").wantsError(http.StatusUnauthorized, "invalid_credentials")
	look()
	b.signIn(email).wants("prompt")
	for _, way := range []string{"#switch-backup", "#switch-sms", "#switch-totp"} {
		b.click(way).wants("prompt")
		look()
	}
	b.answer(a.wrong()).wantsError(http.StatusUnauthorized, "invalid_code")
	look()
	b.answer(a.shows()).wants("dashboard")
	look()
	for _, path := range []string{"/security", "/enroll", "/enroll/totp", "/enroll/sms", "/enroll/passkey", "/backup-codes", "/project"} {
		b.open(path)
		look()
	}
	b.click("#mfa-required").wants("project").wantsNotice("MFA is now required.")
	look()
	b.open("/security").click("#replace-totp").wants("totp")
	look()
	b.open("/enroll/passkey").click("#start").wants("passkey")
	look()
	s.clock.Advance(time.Minute) // the cooldown
	b.open("/enroll/sms")
	b.fill("#phone", phoneTwo)
	b.click("#submit").wants("sms")
	look()
	b.open("/backup-codes").click("#regenerate").wants("backupcodes")
	look()
	b.signOut()

	b.signUp("bob@example.com").wants("enroll")
	look()
	b.click("#choose-totp").wants("totp")
	b.answer(b.scan(b.link("#otpauth")).shows()).wants("backupcodes")
	b.click("#saved").open("/project").wants("error").wantsError(http.StatusForbidden, "forbidden")
	look()
	for name := range s.pages {
		if !seen[name] {
			t.Errorf("page %q was not looked at", name)
		}
	}
}

// scheme sets the color scheme that the user prefers, "light" or "dark".
func (b *tab) scheme(scheme string) {
	b.t.Helper()
	command(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme},
		{Name: "prefers-reduced-motion", Value: "reduce"},
	}})
}

// small returns what is to be touched, apart from links in a text, and is less than
// 44 pixels high.
func (b *tab) small() []string {
	b.t.Helper()
	return evaluate[[]string](b, `[...document.querySelectorAll("button, .button, summary, nav a, .others a, label.check, input:not([type=hidden], [type=checkbox])")]
		.filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 44)
		.map((e) => e.id || e.innerText)`)
}

// pale returns the texts and placeholders with a contrast below 4.5 (WCAG 2.2,
// 1.4.3), and the fields and switches whose edge has less than 3 (1.4.11), except
// for disabled controls.
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
