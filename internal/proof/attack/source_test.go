package attack_test

import (
	"fmt"
	"go/ast"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/protekt/mfa/internal/proof/flaw"
)

// goList runs go list on the engine's module without the workspace.
func goList(t *testing.T, args ...string) []string {
	t.Helper()
	command := exec.Command("go", append([]string{"list"}, args...)...)
	command.Dir = moduleRoot
	command.Env = append(os.Environ(), "GOWORK=off")
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go list %s: %v", strings.Join(args, " "), err)
	}
	return strings.Fields(string(out))
}

// A sourceFile is a file that is compiled into a host.
type sourceFile struct {
	*ast.File
	name   string // relative to the module
	source *flaw.Source
}

// at returns the position of a node, as file:line.
func (f sourceFile) at(node ast.Node) string {
	return fmt.Sprintf("%s:%d", f.name, f.source.Position(node).Line)
}

// engineSource returns all files that are compiled into a host.
func engineSource(t *testing.T) (files []sourceFile) {
	t.Helper()
	source, err := flaw.Load(moduleRoot)
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs(moduleRoot)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range source.Files() {
		name, err := filepath.Rel(root, source.Position(file).Filename)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, sourceFile{file, filepath.ToSlash(name), source})
	}
	if len(files) < 15 {
		t.Fatalf("found only %d files", len(files))
	}
	return files
}

// variables returns the names of the file's package-level variables.
func (f sourceFile) variables() (names []string) {
	for _, declaration := range f.Decls {
		group, ok := declaration.(*ast.GenDecl)
		if !ok || group.Tok != token.VAR {
			continue
		}
		for _, spec := range group.Specs {
			for _, name := range spec.(*ast.ValueSpec).Names {
				if name.Name != "_" {
					names = append(names, name.Name)
				}
			}
		}
	}
	return names
}

// assigned returns the names of the variables that statements in the file
// change: x = ..., x.f = ..., x[i] = ..., x++.
func (f sourceFile) assigned() (names []string) {
	root := func(e ast.Expr) {
		for {
			switch x := e.(type) {
			case *ast.SelectorExpr:
				e = x.X
				continue
			case *ast.IndexExpr:
				e = x.X
				continue
			case *ast.StarExpr:
				e = x.X
				continue
			case *ast.Ident:
				names = append(names, x.Name)
			}
			return
		}
	}
	ast.Inspect(f.File, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				for _, e := range n.Lhs {
					root(e)
				}
			}
		case *ast.IncDecStmt:
			root(n.X)
		}
		return true
	})
	slices.Sort(names)
	return slices.Compact(names)
}

// exportedTypes returns the names of the file's exported types.
func (f sourceFile) exportedTypes() (names []string) {
	for _, declaration := range f.Decls {
		if group, ok := declaration.(*ast.GenDecl); ok && group.Tok == token.TYPE {
			for _, spec := range group.Specs {
				if name := spec.(*ast.TypeSpec).Name.Name; ast.IsExported(name) {
					names = append(names, name)
				}
			}
		}
	}
	return names
}
