package flaw

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"maps"
	"reflect"
	"strings"
)

// A Match is a place where a pattern occurs.
type Match struct {
	pkg      *goPackage
	pos, end token.Pos
	names    names
}

// Position returns the position at which the match begins.
func (m Match) Position() token.Position { return m.pkg.set.Position(m.pos) }

// names maps the local names of the pattern to those of the source.
type names map[string]string

// Find returns the only match of old in a declaration. Each of where must occur
// there as well, with the same local names.
func (s *Source) Find(in, old string, where ...string) (Match, error) {
	p, node, err := s.declaration(in)
	if err != nil {
		return Match{}, err
	}
	candidates := []Match{{pkg: p, names: names{}}}
	for _, text := range append(where, old) {
		pattern, err := parse(text)
		if err != nil {
			return Match{}, err
		}
		var matches []Match
		for _, c := range candidates {
			matches = append(matches, p.matches(node, pattern, c.names)...)
		}
		if len(matches) == 0 {
			return Match{}, fmt.Errorf("%s does not contain\n%s", in, text)
		}
		candidates = matches
	}
	if len(candidates) > 1 {
		return Match{}, fmt.Errorf("%s contains more than once:\n%s", in, old)
	}
	return candidates[0], nil
}

// parse reads a pattern. It is one node, or several statements or clauses.
func parse(text string) ([]ast.Node, error) {
	if e, err := parser.ParseExpr(text); err == nil {
		return []ast.Node{e}, nil
	}
	if e, err := parser.ParseExpr("_{" + text + "}"); err == nil {
		if list := e.(*ast.CompositeLit).Elts; len(list) == 1 {
			return []ast.Node{list[0]}, nil
		}
	}
	for _, frame := range []string{"func() {\n%s\n}", "func() { switch {\n%s\n} }"} {
		e, err := parser.ParseExpr(fmt.Sprintf(frame, text))
		if err != nil {
			continue
		}
		list := e.(*ast.FuncLit).Body.List
		if strings.Contains(frame, "switch") {
			list = list[0].(*ast.SwitchStmt).Body.List
		}
		return nodes(list), nil
	}
	return nil, errors.New("not Go code:\n" + text)
}

func nodes[T ast.Node](list []T) []ast.Node {
	converted := make([]ast.Node, len(list))
	for i, n := range list {
		converted[i] = n
	}
	return converted
}

// matches returns the places in root where a pattern occurs.
func (p *goPackage) matches(root ast.Node, pattern []ast.Node, known names) (found []Match) {
	try := func(at []ast.Node) {
		m := Match{pkg: p, pos: at[0].Pos(), end: at[len(at)-1].End(), names: maps.Clone(known)}
		for i := range at {
			if !m.same(reflect.ValueOf(pattern[i]), reflect.ValueOf(at[i])) {
				return
			}
		}
		found = append(found, m)
	}
	ast.Inspect(root, func(n ast.Node) bool {
		if n == nil {
			return false
		}
		if len(pattern) == 1 {
			try([]ast.Node{n})
			return true
		}
		list := nodes(statements(n))
		for i := 0; i+len(pattern) <= len(list); i++ {
			try(list[i : i+len(pattern)])
		}
		return true
	})
	return found
}

// statements returns the list of statements in a node.
func statements(n ast.Node) []ast.Stmt {
	switch n := n.(type) {
	case *ast.BlockStmt:
		return n.List
	case *ast.CaseClause:
		return n.Body
	case *ast.CommClause:
		return n.Body
	}
	return nil
}

var position = reflect.TypeFor[token.Pos]()

// same reports whether a part of a pattern and one of the source are the same
// code, whatever their format.
func (m Match) same(pattern, source reflect.Value) bool {
	if pattern.Kind() == reflect.Interface {
		pattern, source = pattern.Elem(), source.Elem()
	}
	if !pattern.IsValid() || !source.IsValid() {
		return pattern.IsValid() == source.IsValid()
	}
	if pattern.Type() != source.Type() {
		return false
	}
	switch pattern.Kind() {
	case reflect.Pointer:
		if pattern.IsNil() || source.IsNil() {
			return pattern.IsNil() == source.IsNil()
		}
		switch source := source.Interface().(type) {
		case *ast.Ident:
			return m.bind(pattern.Interface().(*ast.Ident), source)
		case *ast.CommentGroup:
			return true
		case *ast.CallExpr: // an ellipsis is recorded only by its position
			if source.Ellipsis.IsValid() != pattern.Interface().(*ast.CallExpr).Ellipsis.IsValid() {
				return false
			}
		}
		return m.same(pattern.Elem(), source.Elem())
	case reflect.Struct:
		for i := range pattern.NumField() {
			if pattern.Type().Field(i).Type != position && !m.same(pattern.Field(i), source.Field(i)) {
				return false
			}
		}
		return true
	case reflect.Slice:
		if pattern.Len() != source.Len() {
			return false
		}
		for i := range pattern.Len() {
			if !m.same(pattern.Index(i), source.Index(i)) {
				return false
			}
		}
		return true
	}
	return pattern.Equal(source)
}

// bind matches an identifier. A local one may have any name, but the same each time.
func (m Match) bind(pattern, source *ast.Ident) bool {
	if !m.pkg.local(source) {
		return pattern.Name == source.Name
	}
	if known, ok := m.names[pattern.Name]; ok {
		return known == source.Name
	}
	m.names[pattern.Name] = source.Name
	return true
}

// rename returns code written like the pattern with the local names of the source.
func (m Match) rename(code string) string {
	set := token.NewFileSet()
	f := set.AddFile("", -1, len(code))
	var scan scanner.Scanner
	scan.Init(f, []byte(code), nil, 0)
	var list edits
	for before := token.ILLEGAL; ; {
		pos, tok, text := scan.Scan()
		if tok == token.EOF {
			return string(list.apply([]byte(code)))
		}
		if name, ok := m.names[text]; ok && tok == token.IDENT && before != token.PERIOD {
			start := f.Offset(pos)
			list = append(list, edit{start, start + len(text), name})
		}
		before = tok
	}
}
