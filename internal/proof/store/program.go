package store

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Build returns the path of a program, the main package of a Go module at a
// version. It builds the program unless an earlier test has. It returns an error if
// the module cannot be fetched.
func Build(t testing.TB, module, version string) (program string, err error) {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	name := strings.ReplaceAll(strings.TrimPrefix(module, "github.com/"), "/", "-") + "@" + version
	program = filepath.Join(cache, "mfa-cluster", name)
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	if err := os.MkdirAll(filepath.Dir(program), 0o755); err != nil {
		t.Fatal(err)
	}
	// Use a separate module, so that the program's requirements do not become the
	// store's.
	dir := t.TempDir()
	built := program + "." + rand.Text()
	defer os.Remove(built)
	run := func(args ...string) error {
		command := exec.CommandContext(t.Context(), "go", args...)
		command.Dir = dir
		command.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod")
		if out, err := command.CombinedOutput(); err != nil {
			return fmt.Errorf("go %s: %w: %s", args[0], err, bytes.TrimSpace(out))
		}
		return nil
	}
	if err := run("mod", "init", "build"); err != nil {
		t.Fatal(err)
	}
	if err := run("get", module+"@"+version); err != nil {
		return "", err
	}
	if err := run("list", "-deps", module); err != nil { // fetches what it imports
		return "", err
	}
	if err := run("build", "-o", built, module); err != nil {
		t.Fatal(err)
	}
	// Renamed when it is complete, since other tests may build the same program.
	if err := os.Rename(built, program); err != nil {
		t.Fatal(err)
	}
	return program, nil
}
