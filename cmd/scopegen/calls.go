package main

import (
	"errors"
	"fmt"
	"go/ast"
	"path"
	"strconv"
	"strings"
)

// readFunc reads the calls in the body of f.
func (s *sdk) readFunc(file string, f *ast.FuncDecl) {
	c := call{pkg: path.Base(path.Dir(file)), generated: path.Base(file) == "impl.go"}
	if f.Recv != nil {
		c.iface = interfaceOf(f.Recv.List[0].Type)
	}
	c.method = strings.TrimPrefix(f.Name.Name, "internal")
	ast.Inspect(f.Body, func(n ast.Node) bool {
		expr, ok := n.(*ast.CallExpr)
		if !ok || len(expr.Args) < 3 {
			return true
		}
		if sel, ok := expr.Fun.(*ast.SelectorExpr); !ok || sel.Sel.Name != "Do" {
			return true
		}
		// All clients of the SDK send with Do(ctx, method, path, …).
		c := c
		c.at = s.at(expr)
		err := s.readCall(&c, file, f, expr)
		switch {
		case err == nil && (strings.HasPrefix(file, "service/") || strings.HasPrefix(c.template, "/api/")):
			s.calls = append(s.calls, c)
		case !strings.HasPrefix(file, "service/"):
			// The other calls are discovery and log-in, whose rows are in extra.tsv.
			// checkConsumed reports any that are not.
		case unreadable[c.name()] != "":
		default:
			s.fail(expr, "reading %s: %w", c.name(), err)
		}
		return true
	})
}

// interfaceOf returns "Jobs" for the receivers *jobsImpl and *JobsAPI.
func interfaceOf(recv ast.Expr) string {
	if star, ok := recv.(*ast.StarExpr); ok {
		recv = star.X
	}
	id, ok := recv.(*ast.Ident)
	if !ok {
		return ""
	}
	name := strings.TrimSuffix(strings.TrimSuffix(id.Name, "Impl"), "API")
	return strings.ToUpper(name[:1]) + name[1:]
}

func (s *sdk) readCall(c *call, file string, f *ast.FuncDecl, expr *ast.CallExpr) error {
	verb, err := readVerb(expr.Args[1])
	if err != nil {
		return err
	}
	c.verb = verb
	arg := expr.Args[2]
	if id, ok := arg.(*ast.Ident); ok {
		if arg, err = assigned(f, id.Name); err != nil {
			return err
		}
	}
	c.template, err = s.readPath(c, path.Dir(file), f, arg)
	return err
}

// readVerb reads http.MethodGet or "GET".
func readVerb(expr ast.Expr) (string, error) {
	switch e := expr.(type) {
	case *ast.SelectorExpr:
		if x, ok := e.X.(*ast.Ident); ok && x.Name == "http" {
			if verb, ok := strings.CutPrefix(e.Sel.Name, "Method"); ok {
				return strings.ToUpper(verb), nil
			}
		}
	case *ast.BasicLit:
		if verb, err := strconv.Unquote(e.Value); err == nil {
			return verb, nil
		}
	}
	return "", errors.New("the HTTP method is neither http.Method… nor a string")
}

// assigned returns the only value that f assigns to the variable name.
func assigned(f *ast.FuncDecl, name string) (ast.Expr, error) {
	var values []ast.Expr
	ast.Inspect(f.Body, func(n ast.Node) bool {
		a, ok := n.(*ast.AssignStmt)
		if !ok {
			return true
		}
		for i, left := range a.Lhs {
			if id, ok := left.(*ast.Ident); ok && id.Name == name && len(a.Lhs) == len(a.Rhs) {
				values = append(values, a.Rhs[i])
			}
		}
		return true
	})
	if len(values) != 1 {
		return nil, fmt.Errorf("the path is in the variable %s, which has %d values", name, len(values))
	}
	return values[0], nil
}
