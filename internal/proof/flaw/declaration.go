package flaw

import (
	"fmt"
	"go/ast"
	"go/types"
	"strings"
)

// Declaration returns a function, constant, variable or type by its name in the
// form of Flaw.In.
func (s *Source) Declaration(in string) (ast.Node, error) {
	_, node, err := s.declaration(in)
	return node, err
}

func (s *Source) declaration(in string) (*goPackage, ast.Node, error) {
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
