package flaw

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const module = "github.com/protekt/mfa"

// A Source is the engine's source: every package of its module that a host
// links in.
type Source struct {
	set      *token.FileSet
	importer types.Importer
	packages map[string]*Package // by name
}

// A Package is one package of the engine, parsed and type-checked.
type Package struct {
	Name  string
	path  string
	set   *token.FileSet
	files map[string]file // by absolute path
	types *types.Package
	info  *types.Info
}

type file struct {
	*ast.File
	text []byte
}

// Load reads the engine whose module lies in the folder root.
func Load(root string) (*Source, error) {
	command := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Dir,GoFiles,Export,Module", ".")
	command.Dir = root
	out, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	exports := make(map[string]string)
	texts := make(map[string]map[string][]byte)
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var listed struct {
			ImportPath, Dir, Export string
			GoFiles                 []string
			Module                  *struct{ Path string }
		}
		if err := decoder.Decode(&listed); err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		exports[listed.ImportPath] = listed.Export
		if listed.Module == nil || listed.Module.Path != module {
			continue
		}
		texts[listed.ImportPath] = make(map[string][]byte)
		for _, name := range listed.GoFiles {
			path := filepath.Join(listed.Dir, name)
			if texts[listed.ImportPath][path], err = os.ReadFile(path); err != nil {
				return nil, err
			}
		}
	}
	return newSource(texts, exports)
}

// newSource type-checks packages, given by import path and path of the file.
// What they import is read from exports, files by import path.
func newSource(texts map[string]map[string][]byte, exports map[string]string) (*Source, error) {
	s := &Source{set: token.NewFileSet(), packages: make(map[string]*Package)}
	s.importer = importer.ForCompiler(s.set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	for path, texts := range texts {
		p, err := s.checkTexts(path, texts)
		if err != nil {
			return nil, err
		}
		if s.packages[p.Name] != nil {
			return nil, fmt.Errorf("two packages are named %s", p.Name)
		}
		s.packages[p.Name] = p
	}
	return s, nil
}

// checkTexts parses and type-checks a package.
func (s *Source) checkTexts(path string, texts map[string][]byte) (*Package, error) {
	files := make(map[string]file)
	for path, text := range texts {
		var err error
		if files[path], err = s.parse(path, text); err != nil {
			return nil, err
		}
	}
	return s.check(path, files)
}

// parse parses a file.
func (s *Source) parse(path string, text []byte) (file, error) {
	parsed, err := parser.ParseFile(s.set, path, text, parser.SkipObjectResolution)
	return file{parsed, text}, err
}

// check type-checks a package, which it also returns if that fails.
func (s *Source) check(path string, files map[string]file) (*Package, error) {
	p := &Package{path: path, set: s.set, files: files, info: &types.Info{
		Defs:      make(map[*ast.Ident]types.Object),
		Uses:      make(map[*ast.Ident]types.Object),
		Implicits: make(map[ast.Node]types.Object),
	}}
	var parsed []*ast.File
	for _, path := range slices.Sorted(maps.Keys(files)) {
		parsed = append(parsed, files[path].File)
	}
	var failures []error
	config := types.Config{Importer: s.importer, Error: func(err error) { failures = append(failures, err) }}
	p.types, _ = config.Check(path, s.set, parsed, p.info) // its error is the first of the failures
	p.Name = p.types.Name()
	return p, errors.Join(failures...)
}

// Files returns all files of the engine.
func (s *Source) Files() (files []*ast.File) {
	for _, p := range s.packages {
		for _, f := range p.files {
			files = append(files, f.File)
		}
	}
	return files
}

// Position returns the place of a node of the engine.
func (s *Source) Position(n ast.Node) token.Position { return s.set.Position(n.Pos()) }

func (s *Source) offset(pos token.Pos) int { return s.set.Position(pos).Offset }

// Declaration returns a function, constant, variable or type by the name that
// Flaw.In has for it.
func (s *Source) Declaration(in string) (ast.Node, error) {
	_, node, err := s.declaration(in)
	return node, err
}

func (s *Source) declaration(in string) (*Package, ast.Node, error) {
	pkg, name, _ := strings.Cut(in, ": ")
	p := s.packages[pkg]
	if p == nil {
		return nil, nil, fmt.Errorf("%s: the engine has no such package", in)
	}
	for _, f := range p.files {
		for _, d := range f.Decls {
			if node := declared(d, name); node != nil {
				return p, node, nil
			}
		}
	}
	return nil, nil, fmt.Errorf("%s: the package has no such declaration", in)
}

// declared returns the part of a declaration that declares name, or nil.
func declared(d ast.Decl, name string) ast.Node {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if functionName(d) == name {
			return d
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.ValueSpec:
				for _, ident := range spec.Names {
					if ident.Name == name {
						return spec
					}
				}
			case *ast.TypeSpec:
				if spec.Name.Name == name {
					return spec
				}
			}
		}
	}
	return nil
}

func functionName(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return d.Name.Name
	}
	receiver := types.ExprString(d.Recv.List[0].Type)
	if receiver[0] == '*' {
		receiver = "(" + receiver + ")"
	}
	return receiver + "." + d.Name.Name
}

// local reports whether an identifier names something that a function declares.
func (p *Package) local(ident *ast.Ident) bool {
	object := p.object(ident)
	if object == nil || object.Pkg() != p.types {
		return false
	}
	if _, ok := object.(*types.PkgName); ok {
		return false
	}
	scope := object.Parent() // nil for fields and methods
	return scope != nil && scope != p.types.Scope()
}

func (p *Package) object(ident *ast.Ident) types.Object {
	if object := p.info.Defs[ident]; object != nil {
		return object
	}
	return p.info.Uses[ident]
}
