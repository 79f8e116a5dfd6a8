package flaw

import (
	"fmt"
	"go/ast"
	"go/scanner"
	"go/token"
	"go/types"
	"strings"
	"testing"
)

// Every flaw survives that each declaration of the engine moves to a file of its
// own, that every local name changes, and that all format and comments go.
func TestFlawsSurviveAMove(t *testing.T) {
	s := load(t)
	for name, p := range s.packages {
		moved, err := s.checkTexts(p.path, s.moved(p))
		if err != nil {
			t.Fatal(err)
		}
		if len(moved.files) < 2*len(p.files) {
			t.Fatalf("package %s is moved to %d files only", name, len(moved.files))
		}
		s.packages[name] = moved
	}
	for _, f := range All() {
		if _, err := s.Apply(f); err != nil {
			t.Error(err)
		}
	}
}

// moved returns a package with one declaration to a file and other local names,
// each declaration on one line without comments.
func (s *Source) moved(p *goPackage) map[string][]byte {
	texts := make(map[string][]byte)
	renamed := make(map[types.Object]string)
	for _, f := range p.files {
		for _, d := range f.Decls {
			if d, ok := d.(*ast.GenDecl); ok && d.Tok == token.IMPORT {
				continue
			}
			names := make(map[int]string) // by offset
			imports := make(map[types.Object]string)
			ast.Inspect(d, func(n ast.Node) bool {
				ident, ok := n.(*ast.Ident)
				if !ok {
					return true
				}
				object := p.object(ident)
				if imported, ok := object.(*types.PkgName); ok {
					imports[imported] = fmt.Sprintf("import %s %q\n", imported.Name(), imported.Imported().Path())
				}
				if p.local(ident) && ident.Name != "_" {
					if renamed[object] == "" {
						renamed[object] = fmt.Sprintf("moved%d", len(renamed))
					}
					names[s.offset(ident.Pos())] = renamed[object]
				}
				return true
			})
			text := "package " + p.name + "\n"
			for _, line := range imports {
				text += line
			}
			path := fmt.Sprintf("/moved/%s/%d.go", p.name, len(texts))
			texts[path] = []byte(text + oneLine(f.text, s.offset(d.Pos()), s.offset(d.End()), names))
		}
	}
	return texts
}

// oneLine writes the tokens between two offsets on one line, some of them under
// other names.
func oneLine(text []byte, start, end int, names map[int]string) string {
	f := token.NewFileSet().AddFile("", -1, len(text))
	var scan scanner.Scanner
	scan.Init(f, text, nil, 0)
	var line strings.Builder
	for {
		pos, tok, literal := scan.Scan()
		offset := f.Offset(pos)
		switch {
		case tok == token.EOF || offset >= end:
			return line.String() + "\n"
		case offset < start:
			continue
		case names[offset] != "":
			line.WriteString(names[offset])
		case tok == token.SEMICOLON:
			line.WriteString(";")
		case literal != "":
			line.WriteString(literal)
		default:
			line.WriteString(tok.String())
		}
		line.WriteByte(' ')
	}
}
