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
)

const module = "github.com/protekt/mfa"

// A Source is the engine's source: every package of its module that a host
// links in.
type Source struct {
	set      *token.FileSet
	importer types.Importer
	packages map[string]*goPackage // by name
}

// Load reads the engine whose module is in the folder root.
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

// newSource type-checks packages, given by import path and path of the file. Their
// imports are read from exports, which holds files by import path.
func newSource(texts map[string]map[string][]byte, exports map[string]string) (*Source, error) {
	s := &Source{set: token.NewFileSet(), packages: make(map[string]*goPackage)}
	s.importer = importer.ForCompiler(s.set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	for path, texts := range texts {
		p, err := s.checkTexts(path, texts)
		if err != nil {
			return nil, err
		}
		if s.packages[p.name] != nil {
			return nil, fmt.Errorf("two packages are named %s", p.name)
		}
		s.packages[p.name] = p
	}
	return s, nil
}

// checkTexts parses and type-checks a package.
func (s *Source) checkTexts(path string, texts map[string][]byte) (*goPackage, error) {
	files := make(map[string]file)
	for path, text := range texts {
		var err error
		if files[path], err = s.parse(path, text); err != nil {
			return nil, err
		}
	}
	return s.check(path, files)
}

func (s *Source) parse(path string, text []byte) (file, error) {
	parsed, err := parser.ParseFile(s.set, path, text, parser.SkipObjectResolution)
	return file{parsed, text}, err
}

// check type-checks a package, which it also returns if that fails.
func (s *Source) check(path string, files map[string]file) (*goPackage, error) {
	p := &goPackage{path: path, set: s.set, files: files, info: &types.Info{
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
	p.name = p.types.Name()
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
