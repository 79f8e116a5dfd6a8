package attack_test

import (
	"context"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/protekt/mfa/internal/proof/flaw"
)

// An injected flaw is a mutation and the tests that must notice it, with | between them.
type injected struct {
	flaw.Mutation
	caught string
}

// allMutations are those of sections A to D and of E to I.
func allMutations() []injected { return slices.Concat(mutationsAToD, mutationsEToI) }

// TestMutations: the table has not rotted.
func TestMutations(t *testing.T) {
	tests := testNames(t)
	for _, m := range allMutations() {
		if err := m.Check(moduleRoot); err != nil {
			t.Error(err)
		}
		for _, name := range m.catchers() {
			if !slices.Contains(tests, name) {
				t.Errorf("%s: there is no %s", m.Name, name)
			}
		}
	}
}

func (m injected) catchers() []string { return strings.Split(m.caught, "|") }

// TestMutationsAreCaught: an engine with one of these flaws fails the tests of
// its class. It builds the engine anew for each, which takes minutes.
func TestMutationsAreCaught(t *testing.T) {
	flaw.Required(t)
	var all []string
	for _, m := range allMutations() {
		all = append(all, m.catchers()...)
	}
	slices.Sort(all)
	if out, err := runTests(t, slices.Compact(all), ""); err != nil {
		t.Fatalf("without a mutation: %v\n%s", err, out)
	}
	for _, m := range allMutations() {
		t.Run(m.Name, func(t *testing.T) {
			out, err := runTests(t, m.catchers(), m.Overlay(t, moduleRoot))
			if err == nil || strings.Contains(out, "[build failed]") {
				t.Fatalf("%s: nothing failed, or all did: %v\n%s", m.caught, err, out)
			}
			for _, name := range m.catchers() {
				if !strings.Contains(out, "--- FAIL: "+name) {
					t.Errorf("%s does not fail:\n%s", name, out)
				}
			}
		})
	}
}

// runTests runs tests of this package, against the engine with that overlay.
func runTests(t *testing.T, names []string, overlay string) (output string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	args := []string{"test", "-vet=off", "-count=1", "-timeout=5m", "-run", "^(" + strings.Join(names, "|") + ")$"}
	if overlay != "" {
		args = append(args, "-overlay", overlay)
	}
	out, err := exec.CommandContext(ctx, "go", append(args, "github.com/protekt/mfa/internal/proof/attack")...).CombinedOutput()
	return string(out), err
}
