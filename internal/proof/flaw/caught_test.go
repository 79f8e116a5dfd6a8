package flaw

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// arguments make the tests of a folder search longer, or end sooner once they have
// found something.
var arguments = map[string][]string{
	filepath.Join("..", "model"): {"-rapid.checks=1000", "-rapid.nofailfile", "-rapid.shrinktime=5s"},
}

// An engine with one of the flaws fails every test listed as catching it. The
// engine is built anew for each flaw.
func TestFlawsAreCaught(t *testing.T) {
	if os.Getenv("MFA_TEST_FLAWS") != "1" {
		t.Skip("skipped: builds the engine with each flaw, which takes minutes; set MFA_TEST_FLAWS=1")
	}
	s, tests := load(t), findTests(t)
	for _, f := range All() {
		change, err := s.Apply(f)
		if err != nil {
			t.Error(err)
			continue
		}
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			byFolder := make(map[string][]string)
			for _, name := range strings.Fields(f.Caught) {
				found, err := tests.find(name)
				if err != nil {
					t.Fatal(err)
				}
				byFolder[found.folder] = append(byFolder[found.folder], found.test)
			}
			overlay := change.overlay(t)
			for folder, names := range byFolder {
				output := run(t, folder, names, "-overlay", overlay)
				for _, name := range names {
					if !strings.Contains(output, "--- FAIL: "+name+" ") {
						t.Errorf("%s does not fail:\n%s", name, output)
					}
				}
			}
		})
	}
}

// run runs tests of a folder and returns the output of go test.
func run(t *testing.T, folder string, names []string, more ...string) string {
	t.Helper()
	var patterns []string
	for _, name := range names {
		patterns = append(patterns, "^"+strings.ReplaceAll(name, "/", "$/^")+"$")
	}
	args := append([]string{"test", "-vet=off", "-count=1", "-timeout=5m", "-run", strings.Join(patterns, "|")}, more...)
	args = append(append(args, "."), arguments[folder]...)
	command := exec.CommandContext(t.Context(), "go", args...)
	command.Dir = folder
	out, _ := command.CombinedOutput() // the output shows whether a test fails
	return string(out)
}

// overlay writes a change to a file and returns the overlay file for go test
// -overlay.
func (c Change) overlay(t *testing.T) string {
	t.Helper()
	directory := t.TempDir()
	changed := filepath.Join(directory, filepath.Base(c.Path))
	list, err := json.Marshal(map[string]map[string]string{"Replace": {c.Path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	overlay := filepath.Join(directory, "overlay.json")
	for path, text := range map[string][]byte{changed: c.Text, overlay: list} {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return overlay
}
