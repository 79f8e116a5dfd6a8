package mfa_test

import (
	"os"
	"strings"
	"testing"
)

// TestREADME: the code on its first screen is the body of Example, which runs.
func TestREADME(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, body, found := strings.Cut(string(source), "\nfunc Example() {\n")
	body, _, closed := strings.Cut(body, "\n}\n")
	_, shown, fenced := strings.Cut(string(readme), "\n```go\n")
	shown, _, ended := strings.Cut(shown, "\n```\n")
	if !found || !closed || !fenced || !ended {
		t.Fatal("Example, or the code of the README, is not where it was")
	}
	if shown != body {
		t.Error("the README's first code is not the body of Example")
	}
	if lines := strings.Count(shown[:strings.Index(shown, "// Output:")], "\n"); lines > 32 {
		t.Errorf("the README's first code has %d lines", lines)
	}
}
