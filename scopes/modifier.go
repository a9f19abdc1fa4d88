package scopes

import (
	"net/http"
	"slices"
	"strings"
)

// A token may hold a part of a scope: "clusters:read" is what only reads of clusters, and
// "sql:restricted-query" is running statements that only read. Databricks takes such names for
// personal access tokens and OAuth tokens alike, see
// https://docs.databricks.com/aws/en/dev-tools/auth/scope-modifiers.
const (
	modifierRead  = "read"             // GET and HEAD requests
	modifierQuery = "restricted-query" // of sql only: statements, by the API and by drivers
)

// queries are what the operations that run statements are called, or begin with.
var queries = []string{"sql.StatementExecution.", "sqlstatements.", "sqlsessions.", "thrift."}

// Unmodified returns the scope that a name with modifiers is a part of, as "sql" for
// "sql:read:restricted-query". It is false for a name without modifiers, with one that is not
// known, and with one that its scope does not have: such a name opens nothing.
func Unmodified(name string) (scope string, ok bool) {
	scope, rest, ok := strings.Cut(name, ":")
	if !ok || scope == "" || strings.Contains(scope, ".") {
		return "", false // a dotted name may have a colon, and is an alias as a whole
	}
	for modifier := range strings.SplitSeq(rest, ":") {
		if modifier != modifierRead && (modifier != modifierQuery || scope != "sql") {
			return "", false
		}
	}
	return scope, true
}

// permitsModified is Permits for the names with modifiers among the scopes held. A row for all
// methods counts as a read: the request may be one, and Databricks judges it again.
func (o *Operation) permitsModified(held []string) bool {
	var whole []string
	for _, name := range held {
		scope, ok := Unmodified(name)
		if !ok || !o.within(name[len(scope):]) {
			continue
		}
		if whole == nil {
			whole = slices.Clone(held)
		}
		whole = append(whole, scope)
	}
	return whole != nil && o.permits(whole, o.AnyOf)
}

// within reports whether one of the modifiers of a scope covers o.
func (o *Operation) within(modifiers string) bool {
	for modifier := range strings.SplitSeq(modifiers[1:], ":") {
		switch modifier {
		case modifierRead:
			if o.Method == http.MethodGet || o.Method == http.MethodHead || o.Method == "*" {
				return true
			}
		case modifierQuery:
			if slices.ContainsFunc(queries, func(name string) bool { return strings.HasPrefix(o.Name, name) }) {
				return true
			}
		}
	}
	return false
}
