package house_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// private lists the directories at the root whose packages no host imports.
var private = []string{"internal", "examples", "benchmarks"}

// sources returns the non-test files of every package that hosts import or
// install, in all modules, by directory relative to the root. Of each file only
// the package clause and the imports are parsed.
func sources(t *testing.T) map[string][]*ast.File {
	t.Helper()
	found := make(map[string][]*ast.File)
	tree := os.DirFS(root)
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (slices.Contains(private, name) || strings.HasPrefix(entry.Name(), ".") ||
			entry.Name() == "testdata" || entry.Name() == "node_modules"):
			return fs.SkipDir
		case entry.IsDir() || path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.ImportsOnly)
		found[path.Dir(name)] = append(found[path.Dir(name)], file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, directory := range []string{".", "mfatest", "stores/sqlstore"} {
		if len(found[directory]) == 0 {
			t.Fatalf("found no files in %s", directory)
		}
	}
	return found
}

// TestHostsPackagesStandAlone: outside of its tests, a package that hosts import
// uses the exported API of the root and never its internal packages. Go would
// allow a nested module to import them, but then a change inside the root could
// break an older store used with a newer root.
func TestHostsPackagesStandAlone(t *testing.T) {
	for directory, files := range sources(t) {
		if directory == "." { // the engine itself
			continue
		}
		for _, file := range files {
			for _, spec := range file.Imports {
				imported, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				if within(imported, module+"/internal") {
					t.Errorf("%s imports %s", directory, imported)
				}
			}
		}
	}
}

// TestAPI: a change to the exported API shows in review. After an intended one, run
//
//	go test -run TestAPI ./internal/proof/house -update
func TestAPI(t *testing.T) {
	const goldens = "testdata/api"
	want := make(map[string]bool) // paths of golden files
	for directory, files := range sources(t) {
		if files[0].Name.Name == "main" || slices.Contains(strings.Split(directory, "/"), "internal") {
			continue
		}
		got := goTool(t, directory, "doc", "-all", ".")
		golden := filepath.Join(goldens, path.Join("mfa", directory)+".txt")
		want[golden] = true
		if *update {
			if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(golden)
		if err != nil {
			t.Error(err)
		} else if got != string(text) {
			t.Errorf("the API of %s is not that of %s", directory, golden)
		}
	}
	err := filepath.WalkDir(goldens, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && !want[name] {
			t.Errorf("%s belongs to no package that hosts import", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
