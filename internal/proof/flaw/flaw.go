// Package flaw injects flaws into the engine, to see that tests notice them: a
// test that cannot fail shows nothing.
//
// A flaw names a declaration and the code in it that it changes. It refers to no
// file and to no local variable by name, so moving code between the files of a
// package, renaming local variables and reformatting break no flaw.
package flaw

import (
	"fmt"
	"maps"
	"slices"
)

// A Flaw is a mistake that somebody might make in the engine.
type Flaw struct {
	Name string

	// In names the declaration, by package: "record: (*User).Renew",
	// "token: Claims.append", "throttle: Limit".
	In string

	// Old is the code to change, which occurs exactly once in the declaration:
	// an expression, an element of a composite literal, statements or clauses of
	// a switch. Local names need not be those of the source: "u.Renew()" also
	// matches "account.Renew()" if account is local.
	Old string

	// Where lists other code of the declaration, for local names that New uses
	// and Old does not.
	Where []string

	// New replaces Old. It may use any package that some package of the engine
	// imports.
	New string

	// Caught lists the tests that fail with this flaw, separated by spaces, each
	// by its name or by its class in docs/security-tests.md.
	Caught string
}

// All returns every flaw, by section of docs/security-tests.md.
func All() []Flaw {
	return slices.Concat(codes, guessing, binding, enrollment, policy, input, storage, disclosure, messages, passkeys)
}

// A Change is the text of a file with a flaw in it.
type Change struct {
	Path string // absolute
	Text []byte
}

// Apply returns the change that injects a flaw into the engine. It fails unless the
// flaw's code occurs exactly once and the engine still compiles.
func (s *Source) Apply(f Flaw) (Change, error) {
	match, err := s.Find(f.In, f.Old, f.Where...)
	if err != nil {
		return Change{}, fmt.Errorf("%s: %w", f.Name, err)
	}
	change, err := s.compile(match, match.rename(f.New))
	if err != nil {
		return Change{}, fmt.Errorf("%s: in %s, with\n%s\n%w", f.Name, f.In, f.New, err)
	}
	return change, nil
}

// compile replaces a match, and imports what the file then uses.
func (s *Source) compile(m Match, text string) (Change, error) {
	start, end := s.set.Position(m.pos), s.set.Position(m.end)
	path := start.Filename
	changed := edits{{start.Offset, end.Offset, text}}.apply(m.pkg.files[path].text)
	flawed, err := s.replace(m.pkg, path, changed)
	if err != nil && flawed != nil {
		changed = s.imports(flawed, path).apply(changed)
		_, err = s.replace(m.pkg, path, changed)
	}
	return Change{path, changed}, err
}

// replace type-checks a package with another text of one file. It returns no
// package if the text does not parse.
func (s *Source) replace(p *goPackage, path string, text []byte) (*goPackage, error) {
	files := maps.Clone(p.files)
	var err error
	if files[path], err = s.parse(path, text); err != nil {
		return nil, err
	}
	return s.check(p.path, files)
}
