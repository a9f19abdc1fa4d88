package scopes

import (
	"cmp"
	"strings"
)

// AllAPIs is the scope that permits everything a token can do. It is the only
// scope that permits a path outside the catalog.
const AllAPIs = "all-apis"

// Access is the kind of permission an operation requires. The zero value is
// strict, so that an incomplete row permits nothing.
type Access uint8

const (
	// ScopedAccess requires one of the scopes in AnyOf.
	ScopedAccess Access = iota
	// AnyScope requires a token with at least one scope, whichever it is.
	AnyScope
	// Public requires no token: clients call it before they have one.
	Public
	// AccountOnly marks the account API. A personal access token is a workspace
	// credential and can never call it.
	AccountOnly
)

// The words for these kinds in the any_of column, and the one for [Operation.Optional].
const (
	wordAnyScope    = "*"
	wordPublic      = "public"
	wordAccountOnly = "account"
	wordOptional    = "optional"
)

// String returns "scoped" for [ScopedAccess] and otherwise the word used in the
// any_of column: "*", "public" or "account".
func (a Access) String() string {
	switch a {
	case AnyScope:
		return wordAnyScope
	case Public:
		return wordPublic
	case AccountOnly:
		return wordAccountOnly
	default:
		return "scoped"
	}
}

// Evidence is how the scopes of a row are known.
type Evidence string

const (
	// Documented means that an official page lists the operation under the scope.
	Documented Evidence = "documented"
	// Observed means that the server named the scope in a recorded refusal.
	Observed Evidence = "observed"
	// Sibling means that documented or observed operations of the same service
	// need the scope.
	Sibling Evidence = "sibling"
	// Inferred means that we concluded it. If several scopes are likely, the row
	// lists all of them.
	Inferred Evidence = "inferred"
	// Operator is the default for rows that state no evidence, as in an operator's
	// routes file.
	Operator Evidence = "operator"
	// Unmapped marks the operation that stands for paths outside the catalog.
	Unmapped Evidence = "unmapped"
)

// grades are the valid values of the evidence column, best first.
var grades = []Evidence{Documented, Observed, Sibling, Inferred, Operator}

// Operation is one row of the catalog: something a request can do, and what it
// needs for that. A [Catalog] shares the operations it returns; do not modify
// them.
type Operation struct {
	// Method is the HTTP method, or "*" for all methods.
	Method string
	// Template is the path, in the grammar of [Template].
	Template string
	// AnyOf lists the alternatives that permit the operation, sorted. A token needs only
	// one of them. An alternative is a scope, or several that are needed together, joined
	// by [And]. AnyOf is empty unless Access is ScopedAccess.
	AnyOf []string
	// Optional means that clients go on without the operation, as with telemetry: they
	// should be refused quietly, and need no scope for it.
	Optional bool
	// Access is the kind of permission required.
	Access Access
	// Evidence is how AnyOf and Access are known.
	Evidence Evidence
	// Name is "package.Method" or "package.Interface.Method", as in the Go SDK:
	// "jobs.RunNow", "compute.Clusters.List". It is stable across releases. Rows for
	// several paths of one operation share it.
	Name string
	// strict are the alternatives of Strict, if they do not follow from the other fields.
	strict []string
	// Source is the documentation page, the recorded refusal or the reasoning
	// behind the row.
	Source string
	// Effect is whether the operation only reads, see [Operation.Reads].
	Effect Effect
	// EffectReason says why Effect is what it is. It is empty where that follows from the
	// method: GET and HEAD read, all others write.
	EffectReason string
}

// Unmapped reports whether o stands for the paths outside the catalog.
func (o *Operation) Unmapped() bool { return o.Evidence == Unmapped }

// Compare orders rows as in the catalog file: by template, then method, then name.
func Compare(a, b Operation) int {
	return cmp.Or(
		strings.Compare(a.Template, b.Template),
		strings.Compare(a.Method, b.Method),
		strings.Compare(a.Name, b.Name),
	)
}
