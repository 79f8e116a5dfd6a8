package flaw

import (
	"go/ast"
	"go/token"
	"go/types"
)

// A goPackage is one package of the engine, parsed and type-checked.
type goPackage struct {
	name  string
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

// local reports whether an identifier names something that a function declares.
func (p *goPackage) local(ident *ast.Ident) bool {
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

func (p *goPackage) object(ident *ast.Ident) types.Object {
	if object := p.info.Defs[ident]; object != nil {
		return object
	}
	return p.info.Uses[ident]
}
