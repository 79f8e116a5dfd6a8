package flaw

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../../.."

func load(t *testing.T) *Source {
	t.Helper()
	s, err := Load(root)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// applies returns an error unless a flaw's code is found and, without -short, the
// engine compiles with it.
func applies(s *Source, f Flaw) error {
	if testing.Short() {
		_, err := s.Find(f.In, f.Old, f.Where...)
		return err
	}
	_, err := s.Apply(f)
	return err
}

// The tables are up to date: every flaw can be injected, the engine compiles with
// it, and the tests that catch it exist.
func TestEveryFlawApplies(t *testing.T) {
	s, tests := load(t), findTests(t)
	known := make(map[string]bool)
	for _, f := range All() {
		if known[f.Name] {
			t.Errorf("two flaws are named %q", f.Name)
		}
		known[f.Name] = true
		if f.Old == f.New {
			t.Errorf("%s: changes nothing", f.Name)
		}
		if err := applies(s, f); err != nil {
			t.Error(err)
		}
		if f.Caught == "" {
			t.Errorf("%s: no test catches it", f.Name)
		}
		for _, name := range strings.Fields(f.Caught) {
			if _, err := tests.find(name); err != nil {
				t.Errorf("%s: %v", f.Name, err)
			}
		}
	}
	if len(known) <= 100 {
		t.Errorf("%d flaws, but SECURITY.md says more than a hundred", len(known))
	}
}

// docs/security-tests.md lists the flaws as the tables do.
func TestFlawsAreWrittenDown(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "security-tests.md"))
	if err != nil {
		t.Fatal(err)
	}
	var rows strings.Builder
	for _, f := range All() {
		caught := regexp.MustCompile(`Test\S+`).ReplaceAllString(f.Caught, "`$0`")
		rows.WriteString("| " + f.Name + " | " + strings.ReplaceAll(caught, " ", ", ") + " |\n")
	}
	if want := "\n| flaw | caught by |\n| --- | --- |\n" + rows.String() + "\n"; !strings.Contains(string(text), want) {
		t.Errorf("docs/security-tests.md does not contain this table:\n%s", want)
	}
}
