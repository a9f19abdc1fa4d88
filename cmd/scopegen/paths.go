package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// readPath returns the template for the expression of a path.
func (s *sdk) readPath(c *call, dir string, f *ast.FuncDecl, expr ast.Expr) (string, error) {
	if lit, ok := expr.(*ast.BasicLit); ok && lit.Kind == token.STRING {
		s.consumed[lit] = true
		return strconv.Unquote(lit.Value)
	}
	sprintf, ok := expr.(*ast.CallExpr)
	if !ok || !isSelector(sprintf.Fun, "fmt", "Sprintf") {
		return "", errors.New("the path is neither a string nor fmt.Sprintf")
	}
	lit, ok := sprintf.Args[0].(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", errors.New("the format of the path is not a string")
	}
	s.consumed[lit] = true
	format, err := strconv.Unquote(lit.Value)
	if err != nil {
		return "", err
	}
	pieces := strings.Split(format, "%v")
	args := sprintf.Args[1:]
	if len(pieces)-1 != len(args) || strings.Contains(strings.Join(pieces, ""), "%") {
		return "", fmt.Errorf("the format %q does not have one %%v for each of its %d arguments", format, len(args))
	}
	var b strings.Builder
	b.WriteString(pieces[0])
	used := make(map[string]int)
	for i, arg := range args {
		text, err := s.readParam(c, dir, f, arg, b.String(), pieces[i+1], used)
		if err != nil {
			return "", err
		}
		b.WriteString(text)
		b.WriteString(pieces[i+1])
	}
	return b.String(), nil
}

// readParam returns the template of one argument of the format: a parameter or, for
// a resource name, the segments of the name.
func (s *sdk) readParam(c *call, dir string, f *ast.FuncDecl, arg ast.Expr, before, after string, used map[string]int) (string, error) {
	multi := false
	if inner, ok := arg.(*ast.CallExpr); ok {
		switch {
		case isMethod(inner.Fun, "ConfiguredAccountID"):
			c.account = true
			return "{account_id}", nil
		case isSelector(inner.Fun, "httpclient", "EncodeMultiSegmentPathParameter") && len(inner.Args) == 1:
			multi, arg = true, inner.Args[0]
		default:
			return "", errors.New("a part of the path comes from an unknown call")
		}
	}
	fields, err := fieldPath(arg)
	if err != nil {
		return "", err
	}
	name := snake(fields[len(fields)-1])
	if used[name]++; used[name] > 1 {
		name += strconv.Itoa(used[name])
	}
	if multi {
		// The value starts with the slash that the format omits.
		if after != "" || strings.HasSuffix(before, "/") {
			return "", errors.New("a path of several segments is not at the end of the template and cannot be matched")
		}
		return "/{" + name + "...}", nil
	}
	if !strings.HasSuffix(before, "/") {
		return "", fmt.Errorf("parameter %s starts in the middle of a segment", name)
	}
	pattern, err := s.names.pattern(c, before, name, s.fieldDoc(dir, f, fields))
	if err != nil {
		return "", err
	}
	if pattern == "" {
		return "{" + name + "}", nil
	}
	if strings.HasPrefix(pattern, "accounts/{") {
		c.account = true
	}
	return pattern, nil
}

// fieldPath returns the field names in an expression such as request.Endpoint.Name.
func fieldPath(expr ast.Expr) ([]string, error) {
	var fields []string
	for {
		switch e := expr.(type) {
		case *ast.SelectorExpr:
			fields = append([]string{e.Sel.Name}, fields...)
			expr = e.X
			continue
		case *ast.Ident:
			if e.Name == "request" && len(fields) > 0 {
				return fields, nil
			}
		}
		return nil, errors.New("a part of the path is not a field of the request")
	}
}

// fieldDoc returns the comment of a field of f's request, or "".
func (s *sdk) fieldDoc(dir string, f *ast.FuncDecl, fields []string) string {
	var typ ast.Expr
	for _, p := range f.Type.Params.List {
		for _, name := range p.Names {
			if name.Name == "request" {
				typ = p.Type
			}
		}
	}
	for i, field := range fields {
		if star, ok := typ.(*ast.StarExpr); ok {
			typ = star.X
		}
		id, ok := typ.(*ast.Ident)
		if !ok || s.structs[dir][id.Name] == nil {
			return ""
		}
		found := false
		for _, candidate := range s.structs[dir][id.Name].Fields.List {
			for _, name := range candidate.Names {
				if name.Name == field {
					found, typ = true, candidate.Type
					if i == len(fields)-1 {
						return strings.Join(strings.Fields(candidate.Doc.Text()), " ")
					}
				}
			}
		}
		if !found {
			return ""
		}
	}
	return ""
}

func isSelector(expr ast.Expr, x, sel string) bool {
	e, ok := expr.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	id, ok := e.X.(*ast.Ident)
	return ok && id.Name == x && e.Sel.Name == sel
}

func isMethod(expr ast.Expr, name string) bool {
	e, ok := expr.(*ast.SelectorExpr)
	return ok && e.Sel.Name == name
}

var wordStart = regexp.MustCompile(`([a-z0-9])([A-Z])`)

// snake converts ClusterId to cluster_id.
func snake(s string) string {
	return strings.Map(unicode.ToLower, wordStart.ReplaceAllString(s, "${1}_${2}"))
}
