package store

import (
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Build returns the path of a program, the main package of a Go module at a
// version. It builds the program unless an earlier test has.
func Build(t testing.TB, module, version string) string {
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
	// Use a separate module, so that the program's requirements do not become the
	// store's.
	dir := t.TempDir()
	built := program + "." + rand.Text()
	defer os.Remove(built)
	for _, args := range [][]string{
		{"mod", "init", "build"},
		{"get", module + "@" + version},
		{"build", "-o", built, module},
	} {
		command := exec.CommandContext(t.Context(), "go", args...)
		command.Dir = dir
		command.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
		out, err := command.CombinedOutput()
		if err != nil {
			Require(t, module+", to be built,", err)
			t.Fatalf("%s", out)
		}
	}
	// Renamed when it is complete, since other tests may build the same program.
	if err := os.Rename(built, program); err != nil {
		t.Fatal(err)
	}
	return program
}
