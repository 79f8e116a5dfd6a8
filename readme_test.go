package mfa_test

import (
	"os"
	"strings"
	"testing"
)

// TestREADMEOverHTTP checks that the README's code over HTTP is in the Example of
// package mfahttp.
func TestREADMEOverHTTP(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("mfahttp/example_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(readme), "\n## Over HTTP\n")
	_, shown, fenced := strings.Cut(section, "\n```go\n")
	shown, _, ended := strings.Cut(shown, "\n```\n")
	if !found || !fenced || !ended || !strings.Contains(string(example), "\n"+shown+"\n") {
		t.Error("the README's code over HTTP is not in the Example of mfahttp")
	}
}

// TestREADME checks that the code on the README's first screen is the body of
// Example, which runs.
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
		t.Fatal("cannot find the body of Example, or the README's first code block")
	}
	if shown != body {
		t.Error("the README's first code block is not the body of Example")
	}
	if lines := strings.Count(shown, "\n"); lines > 32 {
		t.Errorf("the README's first code block has %d lines and its output, want at most 32", lines)
	}
}
