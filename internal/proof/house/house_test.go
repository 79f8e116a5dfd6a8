package house_test

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	root   = "../../.." // of the repository, relative to this package
	module = "github.com/protekt/mfa"
)

// goTool runs the go command in a directory of the repository, without the
// workspace.
func goTool(t *testing.T, directory string, args ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped: runs the go command")
	}
	command := exec.Command("go", args...)
	command.Dir = filepath.Join(root, directory)
	command.Env = append(os.Environ(), "GOWORK=off")
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// TestDependencies: the engine needs three modules beyond the standard library
// and opens no connection.
func TestDependencies(t *testing.T) {
	allowed := []string{"github.com/boombuler/barcode", "github.com/pquerna/otp", "golang.org/x/crypto"}
	direct := strings.Fields(goTool(t, ".", "list", "-m", "-f", "{{if not (or .Indirect .Main)}}{{.Path}}{{end}}", "all"))
	slices.Sort(direct)
	if !slices.Equal(direct, allowed) {
		t.Errorf("requires %v, want %v", direct, allowed)
	}
	for _, path := range strings.Fields(goTool(t, ".", "list", "-deps", ".")) {
		if path == "net" || strings.HasPrefix(path, "net/http") || path == "os/exec" {
			t.Errorf("depends on %s", path)
		}
		if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") && !within(path, module) &&
			!slices.ContainsFunc(append(allowed, "golang.org/x/sys"), func(m string) bool { return within(path, m) }) {
			t.Errorf("depends on %s", path)
		}
	}
}

// within reports whether a slash-separated path is parent or lies below it.
func within(path, parent string) bool {
	return path == parent || strings.HasPrefix(path, parent+"/")
}

// TestClockAndRandomness: the engine has one clock, Config.Now, and one source
// of randomness, crypto/rand; and it starts no goroutine.
func TestClockAndRandomness(t *testing.T) {
	clockAllowed := map[string]int{"config.go": 1} // the default of Config.Now
	for _, path := range engineFiles(t) {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			if name, _ := strconv.Unquote(spec.Path.Value); strings.HasPrefix(name, "math/rand") || name == "unsafe" {
				t.Errorf("%s imports %s", path, name)
			}
		}
		clocks := 0
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s starts a goroutine", path)
			case *ast.SelectorExpr:
				if pkg, ok := n.X.(*ast.Ident); ok && pkg.Name == "time" && slices.Contains([]string{"Now", "Since", "Until", "Sleep", "After", "Tick", "NewTimer", "NewTicker", "AfterFunc"}, n.Sel.Name) {
					clocks++
				}
			}
			return true
		})
		if clocks > clockAllowed[path] {
			t.Errorf("%s reads the clock %d times, want %d", path, clocks, clockAllowed[path])
		}
	}
}

// engineFiles returns the files of the root module that a host's binary
// contains, relative to the root.
func engineFiles(t *testing.T) (paths []string) {
	t.Helper()
	const format = `{{if .Module}}{{if eq .Module.Path "` + module + `"}}{{range .GoFiles}}{{$.Dir}}/{{.}}
{{end}}{{end}}{{end}}`
	base, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(goTool(t, ".", "list", "-deps", "-f", format, ".")) {
		path, err := filepath.Rel(base, path)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, filepath.ToSlash(path))
	}
	if len(paths) < 15 {
		t.Fatalf("found only %v", paths)
	}
	return paths
}
