package mfa_test

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

// goTool runs the go command on this module alone.
func goTool(t *testing.T, args ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("runs the go command")
	}
	command := exec.Command("go", args...)
	command.Env = append(os.Environ(), "GOWORK=off")
	out, err := command.Output()
	if err != nil {
		t.Fatalf("go %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// TestAPI: a change of what hosts see shows in review. After one that is meant,
// run go test -run TestAPI -update .
func TestAPI(t *testing.T) {
	for name, path := range map[string]string{"mfa": ".", "mfatest": "./mfatest"} {
		golden := filepath.Join("testdata", "api", name+".txt")
		got := goTool(t, "doc", "-all", path)
		if *update {
			if err := os.MkdirAll(filepath.Dir(golden), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("the API of %s is not that of %s", name, golden)
		}
	}
}

// TestDependencies: three modules beside the standard library, and nothing that
// opens a connection.
func TestDependencies(t *testing.T) {
	allowed := []string{"github.com/boombuler/barcode", "github.com/pquerna/otp", "golang.org/x/crypto"}
	direct := strings.Fields(goTool(t, "list", "-m", "-f", "{{if not (or .Indirect .Main)}}{{.Path}}{{end}}", "all"))
	slices.Sort(direct)
	if !slices.Equal(direct, allowed) {
		t.Errorf("requires %v, want %v", direct, allowed)
	}
	for _, path := range strings.Fields(goTool(t, "list", "-deps", ".")) {
		if path == "net" || strings.HasPrefix(path, "net/http") || path == "os/exec" {
			t.Errorf("depends on %s", path)
		}
		if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") && !strings.HasPrefix(path, "github.com/protekt/mfa") &&
			!slices.ContainsFunc(append(allowed, "golang.org/x/sys"), func(m string) bool { return path == m || strings.HasPrefix(path, m+"/") }) {
			t.Errorf("depends on %s", path)
		}
	}
}

// TestClockAndChance: the engine has one clock, Config.Now, and one source of
// chance, crypto/rand; and it starts no goroutine.
func TestClockAndChance(t *testing.T) {
	clockAllowed := map[string]int{"config.go": 1} // the default of Config.Now
	for _, path := range engineFiles(t) {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
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
			t.Errorf("%s looks at the clock %d times, want %d", path, clocks, clockAllowed[path])
		}
	}
}

// engineFiles are the files that a host links in.
func engineFiles(t *testing.T) (paths []string) {
	t.Helper()
	const format = `{{if .Module}}{{if eq .Module.Path "github.com/protekt/mfa"}}{{range .GoFiles}}{{$.Dir}}/{{.}}
{{end}}{{end}}{{end}}`
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range strings.Fields(goTool(t, "list", "-deps", "-f", format, ".")) {
		path, err := filepath.Rel(here, path)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, filepath.ToSlash(path))
	}
	if len(paths) < 15 {
		t.Fatalf("found %v only", paths)
	}
	return paths
}
