package scopes

import (
	"cmp"
	"slices"
	"strings"
)

// AllAPIs is the scope that permits everything a token can do at all, and the
// only one that permits a path outside the catalogue.
const AllAPIs = "all-apis"

// Access says what kind of permission an operation asks for. The zero value is
// the strict one, so that a row somebody forgot to fill in stays shut.
type Access uint8

const (
	// ScopedAccess asks for one of the scopes in AnyOf.
	ScopedAccess Access = iota
	// AnyScope is content with a token that has any scope whatever.
	AnyScope
	// Public needs no token: clients call it before they have one.
	Public
	// AccountOnly belongs to the account API. A personal access token is a
	// workspace credential and can never call it.
	AccountOnly
)

// The words that stand for these kinds in the any_of column.
const (
	wordAnyScope    = "*"
	wordPublic      = "public"
	wordAccountOnly = "account"
)

// String returns "scoped" or the word that the catalogue uses.
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

// Evidence grades how a row's scopes are known.
type Evidence string

const (
	// Documented: an official page lists the operation under the scope.
	Documented Evidence = "documented"
	// Observed: somebody recorded the server naming the scope in a refusal.
	Observed Evidence = "observed"
	// Sibling: documented operations of the same service agree on the scope.
	Sibling Evidence = "sibling"
	// Inferred: our own reading; where several scopes are likely, all are listed.
	Inferred Evidence = "inferred"
	// Operator: a row that a routes file states without naming its evidence.
	Operator Evidence = "operator"
	// Unmapped marks the synthetic row of paths outside the catalogue.
	Unmapped Evidence = "unmapped"
)

// grades are the values that the evidence column may have.
var grades = []Evidence{Documented, Observed, Sibling, Inferred, Operator}

// Operation is one row of the catalogue: something that a request can do and
// what it needs for that. Operations handed out by a [Catalog] are shared; do
// not modify them.
type Operation struct {
	// Method is the HTTP method, or "*" for all of them.
	Method string
	// Template is the path, in the grammar of [ParseTemplate].
	Template string
	// AnyOf lists the scopes of which any one suffices, sorted. It is empty
	// unless Access is ScopedAccess.
	AnyOf []string
	// Access is the kind of permission asked for.
	Access Access
	// Evidence grades the row.
	Evidence Evidence
	// Name is "package.Method" or "package.Interface.Method", as in the Go SDK:
	// "jobs.RunNow", "compute.Clusters.List". It is stable across releases.
	Name string
	// Source names the page, the recorded refusal or the reasoning.
	Source string
}

// Unmapped reports whether o stands for the paths outside the catalogue.
func (o *Operation) Unmapped() bool { return o.Evidence == Unmapped }

// Permits reports whether a token that holds the scopes held may call o. A
// public operation is always permitted and an account-level one never; holding
// [AllAPIs] permits all others. A token without any scope list, which
// Databricks lets do everything, is for the caller to recognize: here an empty
// list holds nothing.
func (o *Operation) Permits(held []string) bool {
	switch o.Access {
	case Public:
		return true
	case AccountOnly:
		return false
	case AnyScope:
		return len(held) > 0
	}
	for _, h := range held {
		if h == AllAPIs || slices.Contains(o.AnyOf, h) {
			return true
		}
	}
	return false
}

// agrees reports whether a and b ask for the same.
func (o *Operation) agrees(p *Operation) bool {
	return o.Access == p.Access && slices.Equal(o.AnyOf, p.AnyOf)
}

// Compare orders rows as the catalogue file does: by template, then by method.
func Compare(a, b Operation) int {
	return cmp.Or(
		strings.Compare(a.Template, b.Template),
		strings.Compare(a.Method, b.Method),
		strings.Compare(a.Name, b.Name),
	)
}

// narrow returns what a request needs that may be any of the operations: only
// what all of them permit. Account-level wins over everything, a scope over
// "any scope" and that over public; scope lists are intersected, and where they
// have nothing in common only all-apis satisfies both.
func narrow(ops []*Operation) (Access, []string) {
	access, anyOf := Public, []string(nil)
	for _, o := range ops {
		switch o.Access {
		case AccountOnly:
			return AccountOnly, nil
		case ScopedAccess:
			if access != ScopedAccess {
				access, anyOf = ScopedAccess, slices.Clone(o.AnyOf)
				continue
			}
			anyOf = slices.DeleteFunc(anyOf, func(s string) bool { return !slices.Contains(o.AnyOf, s) })
		case AnyScope:
			if access == Public {
				access = AnyScope
			}
		}
	}
	if access == ScopedAccess && len(anyOf) == 0 {
		anyOf = []string{AllAPIs}
	}
	return access, anyOf
}
