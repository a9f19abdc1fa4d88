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

// HeldFor returns those of the scopes held that count for a request with a method: a part that
// only reads opens nothing to a request that may write. That matters for the rows for all
// methods, which do not say which method the request has; others return held as it is.
func (o *Operation) HeldFor(method string, held []string) []string {
	if o.Method != "*" || o.Access != ScopedAccess || isRead(method) || !slices.ContainsFunc(held, readsOnly) {
		return held
	}
	kept := make([]string, 0, len(held))
	for _, name := range held {
		if !readsOnly(name) {
			kept = append(kept, name)
		} else if scope, _ := Unmodified(name); strings.Contains(name, ":"+modifierQuery) {
			kept = append(kept, scope+":"+modifierQuery)
		}
	}
	return kept
}

// readsOnly reports whether a name has the modifier for reads, maybe among others.
func readsOnly(name string) bool {
	_, ok := Unmodified(name)
	return ok && strings.Contains(name, ":"+modifierRead)
}

func isRead(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// permitsModified is Permits for the names with modifiers among the scopes held. A row for all
// methods counts as a read, because the request may be one, see [Operation.HeldFor].
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
			if isRead(o.Method) || o.Method == "*" {
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
