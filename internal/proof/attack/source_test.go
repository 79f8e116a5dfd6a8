package attack_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// goList runs go list on the engine's module alone.
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

// A sourceFile is a file that a host links in.
type sourceFile struct {
	*ast.File
	name string // relative to the module
	set  *token.FileSet
}

// at is where a node is.
func (f sourceFile) at(node ast.Node) string {
	return f.name + ":" + f.set.Position(node.Pos()).String()[len(f.name)+1:]
}

// engineSource are all files that a host links in.
func engineSource(t *testing.T) (files []sourceFile) {
	t.Helper()
	const format = `{{if .Module}}{{if eq .Module.Path "github.com/protekt/mfa"}}{{range .GoFiles}}{{$.Dir}}/{{.}}
{{end}}{{end}}{{end}}`
	root, err := filepath.Abs(moduleRoot)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range goList(t, "-deps", "-f", format, ".") {
		name, err := filepath.Rel(root, path)
		if err != nil {
			t.Fatal(err)
		}
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		set := token.NewFileSet()
		name = filepath.ToSlash(name)
		file, err := parser.ParseFile(set, name, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, sourceFile{file, name, set})
	}
	if len(files) < 15 {
		t.Fatalf("found %d files only", len(files))
	}
	return files
}

// function is the body of a function or method.
func function(t *testing.T, files []sourceFile, file, name string) *ast.BlockStmt {
	t.Helper()
	for _, f := range files {
		for _, declaration := range f.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok && f.name == file && function.Name.Name == name {
				return function.Body
			}
		}
	}
	t.Fatalf("%s has no function %s", file, name)
	return nil
}

// calls are the functions that are called in there, as they are written.
func calls(node ast.Node) (names []string) {
	ast.Inspect(node, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			names = append(names, types.ExprString(call.Fun))
		}
		return true
	})
	return names
}

// variables are the names of a file's package-level variables.
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

// assigned are the variables that statements in the file change: x = ...,
// x.f = ..., x[i] = ..., x++.
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

// exportedTypes are the names of a file's exported types.
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
