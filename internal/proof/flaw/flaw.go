// Package flaw puts flaws into the engine, to see that tests notice them.
package flaw

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A Mutation is a flaw that somebody might put into the engine, as a change of
// its text.
type Mutation struct {
	Name     string
	File     string // relative to the root of the repository
	Old, New string // Old is there exactly once
}

// Check tells whether the mutation can still be made.
func (m Mutation) Check(root string) error {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(m.File)))
	if err != nil {
		return fmt.Errorf("%s: %w", m.Name, err)
	}
	if n := strings.Count(string(text), m.Old); n != 1 || m.Old == m.New {
		return fmt.Errorf("%s: the text to change is in %s %d times, want once", m.Name, m.File, n)
	}
	return nil
}

// Overlay writes the changed file, and gives the file for go test -overlay that
// takes it in place of the right one.
func (m Mutation) Overlay(t testing.TB, root string) (path string) {
	t.Helper()
	right, err := filepath.Abs(filepath.Join(root, filepath.FromSlash(m.File)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(right)
	if err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	changed := filepath.Join(directory, filepath.Base(m.File))
	if err := os.WriteFile(changed, []byte(strings.Replace(string(text), m.Old, m.New, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	list, err := json.Marshal(map[string]map[string]string{"Replace": {right: changed}})
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(directory, "overlay.json")
	if err := os.WriteFile(path, list, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// Required skips a test that builds the engine anew for each mutation, unless
// MFA_TEST_MUTATIONS=1.
func Required(t testing.TB) {
	t.Helper()
	if os.Getenv("MFA_TEST_MUTATIONS") != "1" {
		t.Skip("skipped: builds the engine with each flaw, which takes minutes; set MFA_TEST_MUTATIONS=1")
	}
}
