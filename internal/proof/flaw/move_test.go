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

// Every flaw still applies after each declaration of the engine has moved to a file
// of its own, every local name has changed, and formatting and comments are gone.
func TestFlawsSurviveAMove(t *testing.T) {
	if testing.Short() {
		t.Skip("left out by -short: injects each flaw into a rewritten engine")
	}
	s := load(t)
	for name, p := range s.packages {
		moved, err := s.checkTexts(p.path, s.moved(p))
		if err != nil {
			t.Fatal(err)
		}
		if len(moved.files) < 2*len(p.files) {
			t.Fatalf("package %s was moved to only %d files", name, len(moved.files))
		}
		s.packages[name] = moved
	}
	for _, f := range All() {
		if _, err := s.Apply(f); err != nil {
			t.Error(err)
		}
	}
}

// moved returns the files of a package rewritten with one declaration per file,
// other local names, and each declaration on one line without comments.
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

// oneLine returns the tokens between two offsets on one line, some of them renamed.
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
