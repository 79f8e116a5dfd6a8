package model

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutations are faults of the engine that TestRandomHistories finds.
var mutations = []struct {
	name     string
	file     string // from the root of the repository
	old, new string
	profile  string // that finds it
}{
	{"an earlier step is accepted after a later one", "internal/record/totp.go",
		"step <= s[len(s)-1]", "step == s[len(s)-1]", "logins"},
	{"a challenge works twice", "internal/record/challenge.go",
		"c.Used = true", "c.Used = false", "logins"},
	{"a challenge takes any number of wrong codes", "internal/record/challenge.go",
		"return c, ok && c.triesLeft() > 0", "return c, ok", "guessing"},
	{"the first delay comes a failure late", "internal/throttle/throttle.go",
		"OneTimeCodes = Schedule{Free: 5,", "OneTimeCodes = Schedule{Free: 6,", "guessing"},
	{"no number of failures disables a factor", "internal/throttle/throttle.go",
		"Limit = 100", "Limit = 1000", "guessing"},
	{"a challenge outlives the replacement of its factor", "internal/record/enrollment.go",
		"if !had || replaced {", "if !had {", "everything"},
	{"what was begun without a proof outlives the first factor", "internal/record/enrollment.go",
		"p != nil && !p.Proven", "p != nil && false", "everything"},
	{"proofs and devices outlive the password", "mfa.go",
		"u.DropPending()\n\t\t\tu.Renew()", "u.DropPending()", "everything"},
	{"a factor can be removed while MFA is required", "mfa.go",
		"if required {\n\t\treturn ErrEnforced", "if required && false {\n\t\treturn ErrEnforced", "everything"},
	{"a success is told though its save failed", "mfa.go",
		"u); err == nil {\n\t\t\te.emit", "u); err == nil || verdict == nil && !errors.Is(err, ErrConflict) {\n\t\t\te.emit", "faults"},
	{"a challenge is good for another action", "challenge.go",
		"if claims.Action != action {", "if false {", "everything"},
	{"a forgotten device is trusted", "challenge.go",
		"claims.UserID == u.id && claims.Epoch == u.Devices", "claims.UserID == u.id", "everything"},
	{"a token lives an instant too long", "challenge.go",
		"!now.Before(claims.Expires)", "now.After(claims.Expires)", "everything"},
	{"messages to enroll a phone are not limited", "sms.go",
		"return u.throttled(u.Sent.NextAt(), MethodSMS, ActionEnroll)", "return nil", "messages"},
	{"a code that was not delivered is good", "internal/record/sms.go",
		"c.Code = nil", "c.Sends += 0", "messages"},
	{"messages for a challenge are not limited by time", "internal/record/sms.go",
		"latest(u.Sent.NextAt(), u.SMS.RetryAt())", "u.SMS.RetryAt()", "messages"},
	{"what dies of too many challenges lives again", "internal/record/challenge.go",
		"u.Forgotten = latest(u.Forgotten, kept[oldest].Issued)", "", "many challenges"},
	{"a spent backup code works again", "internal/record/backupcodes.go",
		"slices.Delete(slices.Clone(b.Hashes), found, found+1)", "slices.Clone(b.Hashes)", "backup codes"},
}

const root = "../.."

// TestMutationsApply: each is a change of one place that is still there.
func TestMutationsApply(t *testing.T) {
	for _, m := range mutations {
		text, err := os.ReadFile(filepath.Join(root, m.file))
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), m.old); n != 1 || m.old == m.new {
			t.Errorf("%s: %q is %d times in %s", m.name, m.old, n, m.file)
		}
	}
}

// TestMutationsAreFound: the random histories find each.
func TestMutationsAreFound(t *testing.T) {
	if os.Getenv("MFA_TEST_MUTATIONS") == "" {
		t.Skip("MFA_TEST_MUTATIONS=1 compiles the engine with each fault, and takes minutes")
	}
	for _, m := range mutations {
		t.Run(m.name, func(t *testing.T) {
			command := exec.Command("go", "test", "-overlay", overlay(t, m.file, m.old, m.new), "-count=1", "-timeout=5m",
				"-run=^TestRandomHistories$/^profiles$/^"+strings.ReplaceAll(m.profile, " ", "_")+"$", "-rapid.nofailfile", "-rapid.shrinktime=5s", ".")
			out, err := command.CombinedOutput()
			if err == nil || !bytes.Contains(out, []byte("engine and model disagree")) {
				t.Fatalf("not found: %v\n%s", err, out)
			}
			_, shown, _ := bytes.Cut(out, []byte("engine and model disagree"))
			shown, _, _ = bytes.Cut(shown, []byte("To reproduce"))
			t.Logf("found by %s, in %d calls", m.profile, bytes.Count(shown, []byte(" engine ")))
		})
	}
}

// overlay is a file for go test -overlay that replaces text in one of the
// engine's.
func overlay(t *testing.T, file, from, to string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	mutant := filepath.Join(dir, "mutant.go")
	if err := os.WriteFile(mutant, bytes.Replace(text, []byte(from), []byte(to), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(map[string]map[string]string{"Replace": {path: mutant}})
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(name, list, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}
