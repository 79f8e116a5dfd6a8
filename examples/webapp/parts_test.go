package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa"
	"github.com/protekt/mfa/mfatest"
)

// A limit holds per key, and ends with its window.
func TestLimit(t *testing.T) {
	clock := mfatest.NewClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	l := newLimit(clock.Now, 3)
	l.giveBack("a") // nothing to give
	for i := range 3 {
		if err := l.take("a"); err != nil {
			t.Fatalf("attempt %d: %v", i, err)
		}
	}
	clock.Advance(time.Minute)
	var throttled *mfa.ThrottledError
	if err := l.take("a"); !errors.As(err, &throttled) || throttled.RetryAfter != limitWindow-time.Minute {
		t.Errorf("got %v", err)
	}
	if err := l.take("b"); err != nil {
		t.Errorf("another key: %v", err)
	}
	l.giveBack("a")
	if err := l.take("a"); err != nil {
		t.Errorf("after one was given back: %v", err)
	}
	clock.Advance(limitWindow)
	if err := l.take("a"); err != nil {
		t.Errorf("in the next window: %v", err)
	}
}

// Memory is bounded, and no flood makes a limit forget whom it holds back. It forgets
// newcomers, and refuses them if it holds back all others.
func TestLimitUnderFlood(t *testing.T) {
	clock := mfatest.NewClock(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	l := newLimit(clock.Now, 2)
	var throttled *mfa.ThrottledError
	for l.take("victim") == nil {
	}
	for i := range 3 * maxCounters {
		if err := l.take(strconv.Itoa(i)); err != nil {
			t.Fatalf("newcomer %d: %v", i, err)
		}
	}
	if len(l.counters) > maxCounters {
		t.Errorf("%d counters", len(l.counters))
	}
	if err := l.take("victim"); !errors.As(err, &throttled) {
		t.Errorf("after the flood: %v", err)
	}
	for i := range maxCounters {
		for l.take(strconv.Itoa(i)) == nil {
		}
	}
	if err := l.take("newcomer"); !errors.As(err, &throttled) || throttled.RetryAfter <= 0 {
		t.Errorf("where all are held back: %v", err)
	}
	if err := l.take("victim"); !errors.As(err, &throttled) {
		t.Errorf("after the second flood: %v", err)
	}
	clock.Advance(limitWindow)
	if err := l.take("newcomer"); err != nil {
		t.Errorf("in the next window: %v", err)
	}
}

func TestAddress(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:1234":          "192.0.2.1",
		"[::ffff:192.0.2.1]:1234": "192.0.2.1",
		"[2001:db8:1:2:3::4]:1":   "2001:db8:1:2::/64",
		"[2001:db8:1:2:ffff::]:9": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:80":       "fe80::/64",
		"somewhere":               "somewhere",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = remote
		r.Header.Set("X-Forwarded-For", "203.0.113.9")
		if got := address(r); got != want {
			t.Errorf("%s is counted as %s, want %s", remote, got, want)
		}
	}
}

// The key's file is created once, readable by its owner only, and read from then on.
func TestKey(t *testing.T) {
	t.Setenv("MFA_KEY", "")
	database := filepath.Join(t.TempDir(), "demo.db")
	first, from, err := loadKey(database)
	if err != nil || len(first) != keySize || !strings.Contains(from, "demonstration") {
		t.Fatalf("%d bytes, %q, %v", len(first), from, err)
	}
	info, err := os.Stat(database + ".key")
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	if again, _, err := loadKey(database); err != nil || string(again) != string(first) {
		t.Errorf("another key the second time: %v", err)
	}
	other, _, err := loadKey(filepath.Join(t.TempDir(), "other.db"))
	if err != nil || string(other) == string(first) {
		t.Errorf("two files have the same key: %v", err)
	}
	if err := os.WriteFile(database+".key", []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := loadKey(database); err == nil {
		t.Error("a damaged key is accepted")
	}
	if err := errors.Join(os.Remove(database+".key"), os.WriteFile(database, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := loadKey(database); err == nil || !strings.Contains(err.Error(), "MFA_KEY") {
		t.Errorf("a database whose key is lost: %v", err)
	}
	if _, err := os.Stat(database + ".key"); err == nil {
		t.Error("a new key was created")
	}
	t.Setenv("MFA_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
	if key, from, err := loadKey(database); err != nil || from != "MFA_KEY" || key[31] != 31 {
		t.Errorf("%q, %v", from, err)
	}
	t.Setenv("MFA_KEY", "c2hvcnQ=")
	if _, _, err := loadKey(database); err == nil {
		t.Error("a short key is accepted")
	}
}

func TestPasswords(t *testing.T) {
	p := newPasswordHasher()
	stored, err := p.hash(t.Context(), password)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		password, stored string
		want             bool
	}{{password, stored, true}, {"wrong", stored, false}, {"", stored, false}, {password, "", false}, {"", "", false}} {
		if got, err := p.matches(t.Context(), test.password, test.stored); err != nil || got != test.want {
			t.Errorf("%+v: %v, %v", test, got, err)
		}
	}
	if ok, err := p.matches(t.Context(), password, stored[:20]); ok || err == nil {
		t.Errorf("damaged: %v, %v", ok, err)
	}
	full := &passwordHasher{} // has no slot, ever
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := full.hash(ended, password); !errors.Is(err, context.Canceled) {
		t.Errorf("waiting ends with %v", err)
	}
}

// An authenticator app can be set up for every address that is accepted.
func TestEmails(t *testing.T) {
	s := newSite(t)
	for _, good := range []string{"ada@example.com", "a+b@x", "müller@example.com", "o'neil@example.co.uk"} {
		if err := checkEmail(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "ada", "@x", "ada@", "a:b@x", "a b@x", "a@b@c", "a@.x", "a@x.", "a@x\n", "a\x00@x", "\xff@x", "<a@x>", `"a"@x`, strings.Repeat("a", 120) + "@x", strings.Repeat("é", 54) + "@x.example"} {
		if err := checkEmail(bad); !errors.Is(err, errEmail) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, letter := range []string{"a", "+", "é", "語", "😀"} {
		email := "@x.example"
		for checkEmail(letter+email) == nil {
			email = letter + email
		}
		if p := s.signedUp(email).setUp("/enroll/totp").wants("totp"); !p.has("qr") {
			t.Errorf("%q cannot enroll: %s", email, p.body)
		}
	}
}

func TestBrowserName(t *testing.T) {
	for userAgent, want := range map[string]string{
		"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0":                                                                  "Firefox on Linux",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0":               "Edge on Windows",
		"Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1": "Safari on iPhone",
		"Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36":                         "Chrome on Android",
		"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15":                   "Safari on macOS",
		"curl/8.14.1": "",
		"":            "",
	} {
		if got := browserName(userAgent); got != want {
			t.Errorf("%q is %q, want %q", userAgent, got, want)
		}
	}
}

// What is sealed for one purpose under one key opens for no other.
func TestSealer(t *testing.T) {
	one, err := newSealer([]byte("a test's key may be read by all!"))
	if err != nil {
		t.Fatal(err)
	}
	two, err := newSealer([]byte("another key that all may read...."))
	if err != nil {
		t.Fatal(err)
	}
	sealed := one.seal("x", []byte("secret"))
	if got, err := one.open("x", sealed); err != nil || string(got) != "secret" {
		t.Fatalf("%q, %v", got, err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"purpose": func() ([]byte, error) { return one.open("y", sealed) },
		"key":     func() ([]byte, error) { return two.open("x", sealed) },
		"cut":     func() ([]byte, error) { return one.open("x", sealed[:10]) },
		"nothing": func() ([]byte, error) { return one.open("x", nil) },
	} {
		if got, err := open(); !errors.Is(err, errSealed) {
			t.Errorf("another %s: %q, %v", name, got, err)
		}
	}
}

// With a file the application continues where it was: users, factors, sessions.
func TestRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c.db")
	onFile := func(c *config) {
		db, err := openDatabase(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		c.DB = db
	}
	first := newSite(t, onFile)
	b, a := first.withTOTP("ada@example.com")
	files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*.db*"))
	if err != nil || len(files) < 2 {
		t.Fatalf("the files are %q, %v", files, err)
	}
	for _, file := range files {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("others can read %s: %v, %v", file, info.Mode(), err)
		}
	}
	first.users.db.Close()

	b.site = newSite(t, onFile)
	b.clock.Advance(time.Minute)
	b.get("/dashboard").wants("dashboard") // cookies ignore ports
	b.signIn("ada@example.com").wants("prompt")
	a.clock = b.clock
	b.post("/login/mfa", "code", a.shows()).wants("dashboard")
}

// The command serves the addresses that it prints, and stops when its context ends.
func TestRun(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t, built(t, filepath.Join(t.TempDir(), "dist")))
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, listener, s.server) }()
	text := directions("http://"+listener.Addr().String(), "x.db", "MFA_KEY")
	urls := 0
	for _, word := range strings.Fields(text) {
		if !strings.HasPrefix(word, "http://") {
			continue
		}
		urls++
		response, err := http.Get(word)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			t.Errorf("%s answers %d", word, response.StatusCode)
		}
	}
	if urls != 6 {
		t.Errorf("%d addresses in %s", urls, text)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("it ended with %v", err)
	}
	if err := run(t.Context(), "256.0.0.1:0", memory, config{}); err == nil {
		t.Error("it listens where nothing is")
	}
}
