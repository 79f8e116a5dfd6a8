package attack_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// sections lists the sections of the catalogue and how many classes each has.
var sections = []struct {
	letter  string
	classes int
}{
	{"A", 16}, // one-time use of codes
	{"B", 22}, // guessing and throttling
	{"C", 16}, // binding, challenges and tokens
	{"D", 16}, // enrollment and life cycle
	{"E", 8},  // policy
	{"F", 9},  // input
	{"G", 17}, // randomness, storage, store errors, audit
	{"H", 10}, // disclosure
	{"I", 7},  // SMS
	{"J", 8},  // passkeys
}

// sharedWithWebapp lists the classes that also concern what a host does around
// the engine. Each has a test here for the engine's part and one in
// examples/webapp for the host's.
var sharedWithWebapp = map[string]string{
	"B09": "one canonical user ID",
	"C02": "challenges bound to the browser's session",
	"D14": "sessions from before MFA was enabled",
	"E05": "other ways in",
	"E06": "password reset",
	"H04": "what is told before the first factor",
}

// TestCatalogueIsComplete checks that every class has a test, and every test a
// class.
func TestCatalogueIsComplete(t *testing.T) {
	tests := testNames(t)
	known := make(map[string]bool)
	for _, section := range sections {
		for i := range section.classes {
			id := fmt.Sprintf("%s%02d", section.letter, i+1)
			known[id] = true
			var found []string
			for _, name := range tests {
				if classOf(name) == id {
					found = append(found, name)
				}
			}
			if len(found) != 1 {
				t.Errorf("%s has the tests %v, want one", id, found)
			}
		}
	}
	if len(known) != 129 { // the number in SECURITY.md
		t.Errorf("%d classes, want 129", len(known))
	}
	for id := range sharedWithWebapp {
		if !known[id] {
			t.Errorf("there is no class %s", id)
		}
	}
	for _, name := range tests {
		if class := classOf(name); class != "" && !known[class] {
			t.Errorf("%s is named after a class that does not exist", name)
		}
	}
}

// TestCatalogueIsWrittenDown checks that docs/security-tests.md names every test.
func TestCatalogueIsWrittenDown(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(moduleRoot, "docs", "security-tests.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range testNames(t) {
		if classOf(name) != "" && !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("%s is not in docs/security-tests.md", name)
		}
	}

	// Each claim names classes and tests that exist.
	_, claims, _ := strings.Cut(string(text), "## Claims of SECURITY.md\n")
	claims, _, _ = strings.Cut(claims, "## Flaws\n")
	rows := regexp.MustCompile(`(?m)^\| [^-|][^|]* \| ([^|]+) \|$`).FindAllStringSubmatch(claims, -1)
	tests := regexp.MustCompile(`(?m)^func (Test\w+)`)
	named := make(map[string]bool)
	for _, pattern := range []string{"*_test.go", "internal/*/*_test.go", "internal/proof/*/*_test.go"} {
		paths, err := filepath.Glob(filepath.Join(moduleRoot, filepath.FromSlash(pattern)))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range tests.FindAllStringSubmatch(string(source), -1) {
				named[match[1]], named[classOf(match[1])] = true, true
			}
		}
	}
	if len(rows) < 40 {
		t.Errorf("found only %d rows of claims", len(rows))
	}
	for _, row := range rows {
		if row[1] == "shown by" {
			continue
		}
		for _, name := range strings.FieldsFunc(strings.ReplaceAll(row[1], " to ", ", "), func(r rune) bool { return strings.ContainsRune(", `", r) }) {
			if !named[name] {
				t.Errorf("the claim %q names %s, which does not exist", row[0], name)
			}
		}
	}
}

var className = regexp.MustCompile(`^Test([A-Z][0-9]{2})`)

// classOf returns the ID in the name of a test, or "" if there is none.
func classOf(test string) string {
	if match := className.FindStringSubmatch(test); match != nil {
		return match[1]
	}
	return ""
}

// testNames returns the names of the test functions in this directory.
func testNames(t *testing.T) (names []string) {
	t.Helper()
	paths, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range file.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok && strings.HasPrefix(function.Name.Name, "Test") {
				names = append(names, function.Name.Name)
			}
		}
	}
	return names
}
