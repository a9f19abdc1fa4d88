package policy

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/scopes"
)

// Route is a method (* for all) and a path template. It stands for the operations that
// they name, under whatever paths these can be called.
type Route struct {
	Method   string
	Template scopes.Template

	rule scopes.Rule
}

// ParseRoute parses a route of a policy.
func ParseRoute(method, template string) (Route, error) {
	parsed, err := scopes.ParseTemplate(template)
	if err != nil {
		return Route{}, err
	}
	switch method = strings.ToUpper(method); method {
	case "*", http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return Route{method, parsed, scopes.NewRule(parsed)}, nil
	}
	return Route{}, fmt.Errorf("unknown method %q; use * or a method such as GET", method)
}

func (r Route) String() string { return r.Method + " " + r.Template.String() }

// bind looks the route's operations up in a catalog.
func (r *Route) bind(catalog *scopes.Catalog) {
	r.rule = catalog.Rule(r.Template, func(method string) bool { return method == "*" || r.matches(method) })
}

// allows reports whether the route covers a reading of a request, see [scopes.Rule].
func (r *Route) allows(method string, reading *scopes.Reading) bool {
	return r.matches(method) && r.rule.Allows(reading)
}

// denies reports whether the route covers a reading of a request. It errs on the side of
// covering: unlike allows it ignores letter case, and covers unknown paths that could be
// spellings of its operations.
func (r *Route) denies(method string, reading *scopes.Reading) bool {
	return r.matches(strings.ToUpper(method)) && r.rule.Denies(reading)
}

// deniesRow reports whether the route covers a row of the catalog as a whole. Parameter
// names stand in for values: a template reads as a path.
func (r Route) deniesRow(method, template string) bool {
	return r.matches(method) && r.Template.MatchFold(template)
}

// matches reports whether the route covers a method. HEAD counts as GET.
func (r Route) matches(method string) bool {
	return r.Method == "*" || r.Method == method || r.Method == http.MethodGet && method == http.MethodHead
}

// permitsReads reports whether the route covers an operation that only reads.
func (r Route) permitsReads(operations []scopes.Operation) bool {
	return slices.ContainsFunc(operations, func(o scopes.Operation) bool { return o.Reads() && r.Covers(&o) })
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
