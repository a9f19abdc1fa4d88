package policy

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

// Route is a method (* for all) and a path template.
type Route struct {
	Method   string
	Template scopes.Template
}

// ParseRoute parses a route of a policy.
func ParseRoute(method, template string) (Route, error) {
	parsed, err := scopes.ParseTemplate(template)
	if err != nil {
		return Route{}, err
	}
	switch method = strings.ToUpper(method); method {
	case "*", http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return Route{method, parsed}, nil
	}
	return Route{}, fmt.Errorf("unknown method %q; use * or a method such as GET", method)
}

func (r Route) String() string { return r.Method + " " + r.Template.String() }

// allows reports whether the route covers a method and a path, in this exact case.
func (r Route) allows(method, path string) bool {
	return r.matches(method) && r.Template.Match(path)
}

// denies is allows ignoring case: many names in Unity Catalog are case-insensitive,
// and a route that denies one spelling means all of them.
func (r Route) denies(method, path string) bool {
	return r.matches(strings.ToUpper(method)) && r.Template.MatchFold(path)
}

// matches reports whether the route covers a method. HEAD counts as GET.
func (r Route) matches(method string) bool {
	return r.Method == "*" || r.Method == method || r.Method == http.MethodGet && method == http.MethodHead
}

// within reports whether another route has the same template and covers this method.
func (r Route) within(other Route) bool {
	return r.Template.String() == other.Template.String() && other.matches(r.Method)
}

// Covers reports whether the route covers an operation of the catalog. A route that
// covers none may be misspelled.
func (r Route) Covers(operation *scopes.Operation) bool {
	if operation.Method != "*" && !r.matches(operation.Method) {
		return false
	}
	if r.Template.MatchFold(operation.Template) {
		return true // parameter names stand in for values: a template reads as a path
	}
	theirs, err := scopes.ParseTemplate(operation.Template)
	return err == nil && theirs.MatchFold(r.Template.String())
}
