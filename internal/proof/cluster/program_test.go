package cluster

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// built returns a program that is the main package at that path of a Go module,
// built at that version, unless it is there from another run.
func built(t *testing.T, module, version string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	name := strings.ReplaceAll(strings.TrimPrefix(module, "github.com/"), "/", "-") + "@" + version
	program := filepath.Join(cache, "mfa-cluster", name)
	if _, err := os.Stat(program); err == nil {
		return program
	}
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		t.Fatal(err)
	}
	// In a module of its own, which no replace directive of the program's hinders.
	dir := t.TempDir()
	for _, args := range [][]string{
		{"mod", "init", "build"},
		{"get", module + "@" + version},
		{"build", "-o", program, module},
	} {
		command := exec.Command("go", args...)
		command.Dir = dir
		command.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
		if out, err := command.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	return program
}

// installed returns a program of Debian's.
func installed(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range []string{"/usr/bin", "/usr/sbin", "/usr/lib/postgresql/*/bin"} {
		if found, _ := filepath.Glob(path.Join(dir, name)); len(found) > 0 {
			return found[len(found)-1]
		}
	}
	if os.Getenv("MFA_TEST_REQUIRE") == "1" {
		t.Fatalf("%s is required here, and is not installed", name)
	}
	t.Skipf("skipped: %s is not installed", name)
	return ""
}
