package flaw

import (
	"fmt"
	"go/ast"
	"go/types"
	"strconv"
)

// imports returns the edits after which a file imports what it uses and nothing
// else.
func (s *Source) imports(p *goPackage, path string) (list edits) {
	used := make(map[types.Object]bool) // packages among others
	for _, object := range p.info.Uses {
		used[object] = true
	}
	missing := make(map[string]bool)
	ast.Inspect(p.files[path].File, func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok {
			if ident, ok := selector.X.(*ast.Ident); ok && p.object(ident) == nil {
				missing[s.imported(ident.Name)] = true
			}
		}
		return true
	})
	delete(missing, "")
	for _, spec := range p.files[path].Imports {
		if name := p.info.PkgNameOf(spec); name != nil && !used[name] {
			list = append(list, edit{s.offset(spec.Pos()), s.offset(spec.End()), "_ " + spec.Path.Value})
		}
	}
	end := s.offset(p.files[path].Name.End())
	for known := range missing {
		list = append(list, edit{end, end, fmt.Sprintf("; import %s", strconv.Quote(known))})
	}
	return list
}

// imported returns the path of the package with that name, as imported by some
// package of the engine, or "".
func (s *Source) imported(name string) string {
	for _, p := range s.packages {
		for _, imported := range p.types.Imports() {
			if imported.Name() == name {
				return imported.Path()
			}
		}
	}
	return ""
}
