package flaw

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// tests are the sources of tests by folder.
type tests map[string]string

// findTests reads the tests of internal/proof.
func findTests(t *testing.T) tests {
	t.Helper()
	found := make(tests)
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		found[filepath.Dir(path)] += string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// A caughtBy is a test that notices a flaw.
type caughtBy struct{ folder, test string }

// find returns the test of that name, as "TestX" or "TestX/subtest", or class.
func (t tests) find(name string) (found caughtBy, err error) {
	top, subtests, _ := strings.Cut(name, "/")
	pattern := regexp.MustCompile(`(?m)^func (` + top + `|Test` + top + `[A-Z]\w*)\(t \*testing\.T\)`)
	for folder, source := range t {
		for _, match := range pattern.FindAllStringSubmatch(source, -1) {
			if found.test != "" {
				return found, fmt.Errorf("two tests are called %s", name)
			}
			found = caughtBy{folder, match[1]}
		}
	}
	if found.test == "" {
		return found, fmt.Errorf("no test is called %s", name)
	}
	for subtest := range strings.FieldsFuncSeq(subtests, func(r rune) bool { return r == '/' }) {
		if !strings.Contains(t[found.folder], `"`+strings.ReplaceAll(subtest, "_", " ")+`"`) {
			return found, fmt.Errorf("%s has no subtest %s", found.test, subtest)
		}
		found.test += "/" + subtest
	}
	return found, nil
}
