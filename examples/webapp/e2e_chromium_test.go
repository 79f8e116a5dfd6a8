package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long one step of a browser may take before the test gives
// up. No test asserts how long anything took.
const patience = 30 * time.Second

// chromium is the one browser process of the package, started by the first test
// that needs it.
var chromium struct {
	once sync.Once
	ctx  context.Context
	stop func()
	err  error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if chromium.stop != nil {
		chromium.stop()
	}
	if testing.Short() {
		fmt.Println("short: left out the tests that start a browser (e2e_*_test.go)")
	}
	os.Exit(code)
}

func startChromium() {
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath("chromium"),
		chromedp.NoSandbox, // it opens only the application's own pages, and may run as root
		chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("hide-scrollbars", true),
		chromedp.Flag("host-resolver-rules", "MAP lan.example 127.0.0.1"), // a host that is not localhost
		// No spare renderer processes: starting them costs more than the pages do.
		chromedp.Flag("disable-features", "Translate,BlinkGenPropertyTrees,SpareRendererForSitePerProcess"),
	)
	ctx, stopAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stopBrowser := chromedp.NewContext(ctx)
	chromium.ctx, chromium.err = ctx, chromedp.Do(ctx)
	chromium.stop = func() { stopBrowser(); stopAllocator() }
}

// needsBrowser starts the browser that all tests share, and lets t run in parallel.
// Without Chromium, or the program that reads QR codes, it skips the test, or fails
// it if MFA_TEST_REQUIRE=1.
func needsBrowser(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a browser")
	}
	for _, program := range []string{"chromium", "zbarimg"} {
		if _, err := exec.LookPath(program); err != nil {
			missing := program + " is not installed: apt-get install chromium zbar-tools"
			if os.Getenv("MFA_TEST_REQUIRE") == "1" {
				t.Fatal(missing)
			}
			t.Skip(missing)
		}
	}
	chromium.once.Do(startChromium)
	if chromium.err != nil {
		t.Fatalf("starting Chromium: %v", chromium.err)
	}
	t.Parallel()
}

// A tab is a tab of a real browser.
type tab struct {
	*site
	ctx    context.Context
	status int64 // of the page that is shown

	mu        sync.Mutex
	said      []string       // on the console, which must stay silent
	expected  map[string]int // refusals by status, which the browser logs as failed requests
	requested []string       // the addresses
}

// chromium opens a tab that shares nothing with the tabs of other calls.
func (s *site) chromium() *tab {
	s.t.Helper()
	return s.newTab(chromium.ctx, chromedp.WithNewBrowserContext())
}

// another opens a second tab, which shares b's cookies.
func (b *tab) another() *tab {
	b.t.Helper()
	return b.newTab(b.ctx)
}

func (s *site) newTab(parent context.Context, options ...chromedp.ContextOption) *tab {
	s.t.Helper()
	b := &tab{site: s, expected: make(map[string]int)}
	ctx, cancel := chromedp.NewContext(parent, append(options, chromedp.WithListener(b.listen))...)
	b.ctx = ctx
	s.t.Cleanup(func() {
		b.wantsSilence()
		cancel()
	})
	if err := chromedp.Do(ctx); err != nil {
		s.t.Fatal(err)
	}
	command(b, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	command(b, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: stoppedClock})
	b.size(900, 640, false)
	return b
}

// stoppedClock stops the clock of a page, so that a countdown stands still until
// the test lets time pass.
const stoppedClock = `{
	let now = Date.now();
	Date.now = () => now;
	window.pass = (milliseconds) => { now += milliseconds; };
}`

// pass advances the clocks of the server and of the page that is shown.
func (b *tab) pass(d time.Duration) {
	b.t.Helper()
	b.clock.Advance(d)
	evaluate[chromedp.Void](b, fmt.Sprintf("pass(%d)", d.Milliseconds()))
}

// size resizes the window, in CSS pixels.
func (b *tab) size(width, height int64, phone bool) {
	b.t.Helper()
	command(b, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: width, Height: height, DeviceScaleFactor: 1, Mobile: phone,
	})
}

// perform performs one step, and fails the test if it fails.
func perform[T any](b *tab, what string, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	result, err := chromedp.Run(ctx, action)
	if err != nil {
		b.t.Fatalf("%s: %v, on %s", what, err, b.describe())
	}
	return result
}

// command sends one command of the DevTools protocol.
func command[P, R any](b *tab, c cdp.Command[P, R], params P) R {
	b.t.Helper()
	return perform(b, c.Method, func(ctx context.Context, t *chromedp.Target) (R, error) { return cdp.Call(ctx, t, c, params) })
}

func evaluate[T any](b *tab, expression string) T {
	b.t.Helper()
	return perform(b, expression, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// describe returns the path and text of the page, for a test that fails.
func (b *tab) describe() string {
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.pathname + "\n" + document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return text
}

// leads performs a step that leads to another page, and waits for that.
func (b *tab) leads(what string, step chromedp.Action[chromedp.Void]) *tab {
	b.t.Helper()
	response := perform(b, what, func(ctx context.Context, t *chromedp.Target) (int64, error) {
		response, err := chromedp.RunResponse(ctx, step)
		if err != nil {
			return 0, err
		}
		return response.Status, nil
	})
	b.status = response
	return b
}

// open types a path into the address bar.
func (b *tab) open(path string) *tab {
	b.t.Helper()
	return b.leads("opening "+path, chromedp.Navigate(b.url+path))
}

// click clicks an element that leads to another page.
func (b *tab) click(selector string) *tab {
	b.t.Helper()
	return b.leads("clicking on "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// press clicks an element that does not.
func (b *tab) press(selector string) {
	b.t.Helper()
	perform(b, "pressing "+selector, chromedp.Click(chromedp.CSS(selector)))
}

// fill replaces the text in a field.
func (b *tab) fill(selector, text string) {
	b.t.Helper()
	evaluate[bool](b, fmt.Sprintf("document.querySelector(%q).select(), true", selector))
	command(b, input.InsertText, input.InsertTextParams{Text: text})
}

// answer types a code and submits it.
func (b *tab) answer(code string) *tab {
	b.t.Helper()
	b.fill("#code", code)
	return b.click("#submit")
}

// signUp creates an account on its page.
func (b *tab) signUp(email string) *tab {
	b.t.Helper()
	b.open("/signup").wants("signup")
	b.fill("#email", email)
	b.fill("#password", password)
	return b.click("#submit")
}

// signIn signs in with the password.
func (b *tab) signIn(email string) *tab {
	b.t.Helper()
	b.open("/login").wants("login")
	b.fill("#email", email)
	b.fill("#password", password)
	return b.click("#submit")
}

// passwordAgain returns the password, which is asked for before a first factor.
func (b *tab) passwordAgain() *tab {
	b.t.Helper()
	b.wants("password").wantsFocus("current")
	b.fill("#current", password)
	return b.click("#submit")
}

func (b *tab) signOut() *tab {
	b.t.Helper()
	return b.click("#logout").wants("login")
}

// scanned returns an app that has read the QR code from a screenshot of the page.
func (b *tab) scanned() app {
	b.t.Helper()
	evaluate[chromedp.Void](b, `document.getElementById("qr").scrollIntoView({block: "center"})`)
	file := filepath.Join(b.t.TempDir(), "page.png")
	if err := os.WriteFile(file, b.screenshot(), 0o600); err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(b.t.Context(), patience)
	defer cancel()
	read, err := exec.CommandContext(ctx, "zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", file).Output()
	if err != nil {
		b.t.Fatalf("reading the QR code: %v", err)
	}
	return b.scan(strings.TrimSpace(string(read)))
}

// screenshot returns what the window shows, as a PNG.
func (b *tab) screenshot() []byte {
	b.t.Helper()
	return command(b, cdppage.CaptureScreenshot, cdppage.CaptureScreenshotParams{}).Data
}

// name returns the name of the page that is shown.
func (b *tab) name() string {
	return evaluate[string](b, `document.querySelector("main")?.dataset.page ?? ""`)
}

// wants fails the test unless that page is shown.
func (b *tab) wants(name string) *tab {
	b.t.Helper()
	if got := b.name(); got != name {
		b.t.Fatalf("the page is %q, want %q: %s", got, name, b.describe())
	}
	return b
}

// wantsNotice checks the beginning of the notice.
func (b *tab) wantsNotice(text string) *tab {
	b.t.Helper()
	if got := b.text("#notice"); !strings.HasPrefix(got, text) || text == "" {
		b.t.Errorf("notice %q, want %q", got, text)
	}
	return b
}

// wantsError checks which error is shown, and that it is in an area that screen
// readers announce.
func (b *tab) wantsError(status int64, code string) *tab {
	b.t.Helper()
	got := evaluate[string](b, `document.querySelector("[aria-live=assertive] #error[role=alert]")?.dataset.code ?? ""`)
	if got != code || b.status != status {
		b.t.Errorf("error %q with status %d, want %q with %d", got, b.status, code, status)
	}
	b.mu.Lock()
	b.expected[fmt.Sprint(status)]++
	b.mu.Unlock()
	return b
}

// wantsFocus checks which element has the focus, once the browser has rendered
// the page: it is then that autofocus takes effect.
func (b *tab) wantsFocus(id string) *tab {
	b.t.Helper()
	var got string
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if got = evaluate[string](b, `document.activeElement.id`); got == id {
			return b
		}
	}
	b.t.Errorf("the focus is on %q, want %q", got, id)
	return b
}

func (b *tab) has(selector string) bool {
	return evaluate[bool](b, fmt.Sprintf("document.querySelector(%q) !== null", selector))
}

// text returns the visible text of an element, or "" if there is none.
func (b *tab) text(selector string) string {
	return evaluate[string](b, fmt.Sprintf(`(document.querySelector(%q)?.innerText ?? "").trim()`, selector))
}

// texts returns the visible texts of all elements that match.
func (b *tab) texts(selector string) []string {
	return evaluate[[]string](b, fmt.Sprintf(`[...document.querySelectorAll(%q)].map((e) => e.innerText.trim())`, selector))
}

// link returns where a link leads.
func (b *tab) link(selector string) string {
	return evaluate[string](b, fmt.Sprintf("document.querySelector(%q).href", selector))
}

// scripts switches JavaScript on or off.
func (b *tab) scripts(on bool) {
	b.t.Helper()
	command(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
}

// wantsWidth checks that the page is no wider than that, in CSS pixels.
func (b *tab) wantsWidth(most int64) {
	b.t.Helper()
	if got := evaluate[int64](b, "document.documentElement.scrollWidth"); got > most {
		b.t.Errorf("%s is %d pixels wide, want at most %d", b.name(), got, most)
	}
}

// wantsInView checks that elements are within the window, as far as it has scrolled.
func (b *tab) wantsInView(ids ...string) *tab {
	b.t.Helper()
	for _, id := range ids {
		if !evaluate[bool](b, fmt.Sprintf(`(() => {
			const box = document.getElementById(%q).getBoundingClientRect();
			return box.top >= 0 && box.bottom <= innerHeight;
		})()`, id)) {
			b.t.Errorf("%q is out of view on %s", id, b.name())
		}
	}
	return b
}

// until waits until a condition holds in the page.
func (b *tab) until(condition string) {
	b.t.Helper()
	evaluate[bool](b, fmt.Sprintf(`new Promise((done) => {
		const look = () => (%s) ? done(true) : setTimeout(look, 20);
		look();
	})`, condition))
}

// listen records the requests, and what the console says: errors and warnings,
// exceptions, violations of the content security policy.
func (b *tab) listen(event any) {
	var said string
	switch event := event.(type) {
	case *network.EventRequestWillBeSent:
		b.mu.Lock()
		defer b.mu.Unlock()
		b.requested = append(b.requested, event.Request.URL)
		return
	case *runtime.EventExceptionThrown:
		said = "exception: " + event.ExceptionDetails.Text
	case *runtime.EventConsoleAPICalled:
		said = fmt.Sprintf("console.%s", event.Type)
		for _, arg := range event.Args {
			said += " " + string(arg.Value)
		}
	case *log.EventEntryAdded:
		if event.Entry.Level != log.EntryLevelError && event.Entry.Level != log.EntryLevelWarning {
			return
		}
		if strings.HasPrefix(event.Entry.Text, "The Cross-Origin-Opener-Policy header has been ignored") {
			return // as over plain HTTP
		}
		said = fmt.Sprintf("%s %s: %s %s", event.Entry.Source, event.Entry.Level, event.Entry.Text, event.Entry.URL)
	default:
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.said = append(b.said, said)
}

// requests returns the addresses of all requests so far.
func (b *tab) requests() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.requested)
}

var failedRequest = regexp.MustCompile(`^network error: .* the server responded with a status of (\d+)`)

// unexpected returns what the console said, apart from the refusals that the test
// expected.
func (b *tab) unexpected() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.said), func(said string) bool {
		status := failedRequest.FindStringSubmatch(said)
		if status == nil || b.expected[status[1]] == 0 {
			return false
		}
		b.expected[status[1]]--
		return true
	})
}

func (b *tab) wantsSilence() {
	for _, said := range b.unexpected() {
		b.t.Errorf("the console is not silent: %s", said)
	}
}

// namedRoles are the roles of elements that need a name.
var namedRoles = []string{"textbox", "searchbox", "checkbox", "radio", "combobox", "spinbutton", "switch", "button", "link", "image", "navigation", "region"}

// nameless returns the roles of elements that have no name for screen readers.
func (b *tab) nameless() (found []string) {
	b.t.Helper()
	tree := command(b, accessibility.GetFullAXTree, accessibility.GetFullAXTreeParams{})
	seen := 0
	for _, node := range tree.Nodes {
		role := textOf(node.Role)
		if node.Ignored || !slices.Contains(namedRoles, role) {
			continue
		}
		seen++
		if textOf(node.Name) == "" {
			found = append(found, role)
		}
	}
	if seen == 0 {
		b.t.Errorf("nothing to operate on %s", b.describe())
	}
	return found
}

func textOf(value *accessibility.Value) string {
	if value == nil {
		return ""
	}
	text, err := strconv.Unquote(string(value.Value))
	if err != nil {
		return string(value.Value)
	}
	return strings.TrimSpace(text)
}
