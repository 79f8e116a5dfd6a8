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

// tests are the tests of internal/proof.
type tests struct {
	list    []caughtBy
	sources map[string]string // by folder
}

var testFunction = regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)

// findTests reads the tests of internal/proof.
func findTests(t *testing.T) tests {
	t.Helper()
	found := tests{sources: make(map[string]string)}
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		folder := filepath.Dir(path)
		found.sources[folder] += string(text)
		for _, match := range testFunction.FindAllSubmatch(text, -1) {
			found.list = append(found.list, caughtBy{folder, string(match[1])})
		}
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
	pattern := regexp.MustCompile(`^(` + top + `|Test` + top + `[A-Z]\w*)$`)
	for _, one := range t.list {
		if !pattern.MatchString(one.test) {
			continue
		}
		if found.test != "" {
			return found, fmt.Errorf("two tests are called %s", name)
		}
		found = one
	}
	if found.test == "" {
		return found, fmt.Errorf("no test is called %s", name)
	}
	for subtest := range strings.FieldsFuncSeq(subtests, func(r rune) bool { return r == '/' }) {
		if !strings.Contains(t.sources[found.folder], `"`+strings.ReplaceAll(subtest, "_", " ")+`"`) {
			return found, fmt.Errorf("%s has no subtest %s", found.test, subtest)
		}
		found.test += "/" + subtest
	}
	return found, nil
}
