package policy

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

// Route is a method, or * for all, and a path template.
type Route struct {
	Method   string
	Template scopes.Template
}

// ParseRoute reads a route of a policy.
func ParseRoute(method, template string) (Route, error) {
	parsed, err := scopes.ParseTemplate(template)
	if err != nil {
		return Route{}, err
	}
	switch method = strings.ToUpper(method); method {
	case "*", http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return Route{method, parsed}, nil
	}
	return Route{}, fmt.Errorf("%q is no method; write * or one such as GET", method)
}

func (r Route) String() string { return r.Method + " " + r.Template.String() }

// allows reports whether a route permits a reading.
func (r Route) allows(method, path string) bool {
	return r.fits(method) && r.Template.Match(path)
}

// denies is allows without regard to letter case: many names in Unity Catalog are
// the same in any, and a route that denies one spelling means them all.
func (r Route) denies(method, path string) bool {
	return r.fits(strings.ToUpper(method)) && r.Template.MatchFold(path)
}

// fits reports whether the route is about a method. HEAD is GET without the body.
func (r Route) fits(method string) bool {
	return r.Method == "*" || r.Method == method || r.Method == http.MethodGet && method == http.MethodHead
}

// within reports whether another route covers this one, as far as equal templates
// tell.
func (r Route) within(other Route) bool {
	return r.Template.String() == other.Template.String() && other.fits(r.Method)
}

// Covers reports whether an operation of a catalogue is among the route's. A
// route without any may be a misspelt one.
func (r Route) Covers(operation *scopes.Operation) bool {
	if operation.Method != "*" && !r.fits(operation.Method) {
		return false
	}
	if r.Template.MatchFold(operation.Template) {
		return true // its names for parts are a path like any other
	}
	theirs, err := scopes.ParseTemplate(operation.Template)
	return err == nil && theirs.MatchFold(r.Template.String())
}
