package main

import (
	"fmt"
	"go/ast"
	"strings"
)

// clients returns which clients offer each interface of a service, such as
// "iam.Users".
func (s *sdk) clients() (map[string]client, error) {
	offered := make(map[string]client)
	for _, side := range []struct {
		file, name string
		client     client
	}{{"workspace_client.go", "WorkspaceClient", workspaceClient}, {"account_client.go", "AccountClient", accountClient}} {
		st := s.structs["."][side.name]
		if st == nil {
			return nil, fmt.Errorf("reading %s: it has no struct %s", side.file, side.name)
		}
		for _, field := range st.Fields.List {
			typ := field.Type
			if star, ok := typ.(*ast.StarExpr); ok {
				typ = star.X
			}
			sel, ok := typ.(*ast.SelectorExpr)
			if !ok {
				continue
			}
			pkg, ok := sel.X.(*ast.Ident)
			if !ok {
				continue
			}
			name := strings.TrimSuffix(strings.TrimSuffix(sel.Sel.Name, "Interface"), "API")
			offered[strings.ToLower(pkg.Name+"."+name)] |= side.client
		}
	}
	return offered, nil
}

type client uint8

const (
	workspaceClient client = 1 << iota
	accountClient
)

// checkClients compares two signs of an account-level operation: its path names an
// account, and only the account client offers it.
func (s *sdk) checkClients(offered map[string]client) {
	for i := range s.calls {
		c := &s.calls[i]
		if !c.generated {
			continue
		}
		// Settings have an interface that neither client offers directly, so only
		// the path tells.
		switch of := offered[strings.ToLower(c.pkg+"."+c.iface)]; {
		case of == accountClient && !c.account:
			s.problems = append(s.problems, fmt.Errorf("%s: only the account client has %s, but its path %s names no account", c.at, c.name(), c.template))
		case of == workspaceClient && c.account:
			s.problems = append(s.problems, fmt.Errorf("%s: only the workspace client has %s, but its path %s names an account", c.at, c.name(), c.template))
		}
	}
}
