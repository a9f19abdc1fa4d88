// Package drift compares what the map says of an operation with what the workspace
// answered. The workspace's own words are the best evidence there is for a row, but only
// those: what customers' code answers through the workspace is not one of them, and
// nothing that is not a scope's name is taken from an answer.
package drift

import (
	"net/http"
	"slices"

	"github.com/scopegate/scopegate/scopes"
)

// EventDisagreement: the workspace disagrees with the map about an operation; the first time
// for each. Data: workspace, operation, method, template, map (what the row lists), named
// (what the workspace named, empty if the request passed), held (the token's scopes).
const EventDisagreement = "databricks_map_disagreement"

// Verdict is what an answer says about the row of the map that the request was judged by.
type Verdict uint8

const (
	// Silent: it says nothing about scopes, or nothing that can be relied on.
	Silent Verdict = iota
	// Agreed: it confirms the row.
	Agreed
	// Disagreed: the workspace needs something else than the row says.
	Disagreed
)

// Passed returns what it means that the workspace did what a request asked for. The token
// holds the scopes held; all-apis says nothing, because it is always enough.
func Passed(o *scopes.Operation, held []string) Verdict {
	switch {
	case o.Unmapped(), o.Access == scopes.Public, len(held) == 0, slices.Contains(held, scopes.AllAPIs):
		return Silent
	case o.Permits(held):
		return Agreed
	case relays(o):
		return Silent // it may be the page for people who are not logged in
	}
	return Disagreed
}

// Refused returns what it means that the workspace refused a token and named scopes.
//
// If the token holds all of them, the refusal is not about the scopes as they are known
// here: a change of the token's scopes takes minutes to arrive everywhere. Operations that
// relay to customers' code are silent, because that code can answer anything.
func Refused(o *scopes.Operation, held []string, named Named) Verdict {
	switch {
	case len(named.Scopes) == 0, o.Access == scopes.Public, relays(o):
		return Silent
	case len(held) == 0, slices.Contains(held, scopes.AllAPIs), containsAll(held, named.Scopes):
		return Silent
	case !o.Permits(o.HeldFor(http.MethodPost, held)) && names(o, named.Scopes): // it may have been a write
		return Agreed
	}
	return Disagreed
}

// names reports whether a row asks for what was named: for nothing else, and for some of
// it in each of its alternatives.
func names(o *scopes.Operation, named []string) bool {
	if o.Access != scopes.ScopedAccess || !containsAll(o.Scopes(), named) {
		return false
	}
	without := slices.DeleteFunc(slices.Clone(o.Scopes()), func(s string) bool { return slices.Contains(named, s) })
	rest := scopes.Operation{AnyOf: o.AnyOf}
	return !rest.Permits(without)
}

func containsAll(all, some []string) bool {
	return !slices.ContainsFunc(some, func(s string) bool { return !slices.Contains(all, s) })
}
