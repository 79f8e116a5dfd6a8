package main

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/protekt/mfa/mfahttp"
)

var update = flag.Bool("update", false, "write the line numbers in README.md")

var lineLink = regexp.MustCompile(`\[(\w+)\]\((\w+\.go)#L(\d+)\)`)

// Every link leads to the function that it names, and the README describes every
// route and error code of the API. After a change run
// go test -run TestREADME -update .
func TestREADME(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	links := lineLink.FindAllStringSubmatch(string(text), -1)
	if len(links) < 40 {
		t.Fatalf("found %d links", len(links))
	}
	updated := string(text)
	for _, link := range links {
		want := strconv.Itoa(functionLine(t, link[2], link[1]))
		if link[3] != want && !*update {
			t.Errorf("%s is on line %s, not %s", link[1], want, link[3])
		}
		updated = strings.Replace(updated, link[0], "["+link[1]+"]("+link[2]+"#L"+want+")", 1)
	}
	if *update {
		if err := os.WriteFile("README.md", []byte(updated), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, link := range regexp.MustCompile(`\]\((templates/\w+\.html)\)`).FindAllStringSubmatch(string(text), -1) {
		if _, err := os.Stat(link[1]); err != nil {
			t.Error(err)
		}
	}
	_, api := routed(t)
	for _, route := range api {
		if !strings.Contains(string(text), "`"+route.String()+"`") {
			t.Errorf("%s is not described", route)
		}
	}
	for code := range mfahttp.Messages() {
		if !strings.Contains(string(text), "`"+code+"`") {
			t.Errorf("the code %s is not described", code)
		}
	}
}

// functionLine returns the line on which a file declares a function.
func functionLine(t *testing.T, file, name string) int {
	t.Helper()
	positions := token.NewFileSet()
	parsed, err := parser.ParseFile(positions, file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, declaration := range parsed.Decls {
		if function, ok := declaration.(*ast.FuncDecl); ok && function.Name.Name == name {
			return positions.Position(function.Pos()).Line
		}
	}
	t.Fatalf("%s has no function %s", file, name)
	return 0
}
