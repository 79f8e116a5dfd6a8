package house_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// licences are recognized by a phrase in their text, the more specific ones first.
var licences = []struct{ name, phrase string }{
	{"Apache-2.0", "Apache License"},
	{"MPL-2.0", "Mozilla Public License"},
	{"ISC", "Permission to use, copy, modify, and/or distribute this software"},
	{"ISC", "Permission to use, copy, modify, and distribute this software"},
	{"MIT", "Permission is hereby granted, free of charge"},
	{"BSD-3-Clause", "Neither the name"},
	{"BSD-2-Clause", "Redistributions in binary form"},
}

// TestDependenciesAreListed: every module that this repository is built or tested
// with is listed, under a known and permissive licence. After an intended change,
// run
//
//	go test -run TestDependenciesAreListed ./internal/proof/house -update
func TestDependenciesAreListed(t *testing.T) {
	if testing.Short() || runtime.GOOS != "linux" {
		t.Skip("skipped: runs the go command, and lists what Linux needs")
	}
	const format = `{{with .Module}}{{if not .Main}}{{.Path}}|{{.Dir}}{{end}}{{end}}`
	used := make(map[string]map[string]bool) // by dependency: our modules that use it
	directories := make(map[string]string)
	for _, ours := range workspace(t) {
		command := exec.Command("go", "list", "-deps", "-test", "-f", format, "./...")
		command.Dir = ours.directory
		out, err := command.Output()
		if err != nil {
			t.Fatalf("%s: %v", ours.path, err)
		}
		for _, line := range strings.Fields(string(out)) {
			path, directory, _ := strings.Cut(line, "|")
			if used[path] == nil {
				used[path] = make(map[string]bool)
			}
			used[path][ours.name()], directories[path] = true, directory
		}
	}
	if len(used) < 5 {
		t.Fatalf("found only %v", used)
	}
	var list strings.Builder
	list.WriteString("# Dependencies\n\nThe modules that each module of this repository is built and tested with. Hosts that\nimport the engine get those of the root alone.\n\n| module | license | used by |\n| --- | --- | --- |\n")
	for _, path := range slices.Sorted(maps.Keys(used)) {
		fmt.Fprintf(&list, "| %s | %s | %s |\n", path, licence(t, path, directories[path]), strings.Join(slices.Sorted(maps.Keys(used[path])), ", "))
	}
	golden := filepath.Join(root, "docs", "dependencies.md")
	if *update {
		if err := os.WriteFile(golden, []byte(list.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if list.String() != string(want) {
		t.Errorf("the dependencies are not those of docs/dependencies.md:\n%s", list.String())
	}
}

// A workModule is a module of go.work.
type workModule struct{ path, directory string }

// name returns the module's path below the root's, or "the root".
func (m workModule) name() string {
	if name := strings.TrimPrefix(m.path, module+"/"); name != m.path {
		return name
	}
	return "the root"
}

// workspace returns the modules of go.work.
func workspace(t *testing.T) (modules []workModule) {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Path}}|{{.Dir}}").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Fields(string(out)) {
		path, directory, _ := strings.Cut(line, "|")
		modules = append(modules, workModule{path, directory})
	}
	return modules
}

// licence returns the name of the licence in a module's directory.
func licence(t *testing.T, path, directory string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(directory, "LICEN[CS]E*"))
	if err != nil || len(files) == 0 {
		t.Errorf("%s has no licence", path)
		return "none"
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	folded := strings.Join(strings.Fields(string(text)), " ")
	for _, known := range licences {
		if strings.Contains(folded, known.phrase) {
			return known.name
		}
	}
	t.Errorf("%s has an unknown licence", path)
	return "unknown"
}
