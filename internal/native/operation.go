package native

import (
	"net/http"
	"slices"

	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

// operation is one that a token was seen to call.
type operation struct {
	scopes.Operation
	calls uint64
	works bool // a client may rely on it
}

// isRead reports whether an operation counts as a read where rules have the qualifier READ.
// Databricks goes by the method.
func isRead(o *scopes.Operation) bool {
	return o.Method == http.MethodGet || o.Method == http.MethodHead
}

// operationsOf returns what a token was seen to call, with what the recommendation says that it
// needs: the workspace may have named other scopes than the map.
func operationsOf(s *Subject) (all []operation) {
	r := s.Recommendation
	never := slices.Concat(r.Refused, r.Optional, r.Older)
	add := func(uses []usage.Use, works func(*usage.Use) bool) {
		for i := range uses {
			u := &uses[i]
			if !slices.ContainsFunc(all, func(o operation) bool { return same(&o.Operation, &u.Operation) }) {
				all = append(all, operation{u.Operation, u.Calls, works(u)})
			}
		}
	}
	yes, no := func(*usage.Use) bool { return true }, func(*usage.Use) bool { return false }
	for _, need := range slices.Concat(r.Needs, r.Add) {
		add(need.Operations, yes)
	}
	if r.AllAPIs != nil {
		add(r.AllAPIs.Because, yes)
	}
	add(never, no)
	add(s.Seen, func(u *usage.Use) bool {
		return u.Passed() && !u.Operation.Optional && u.Operation.Access != scopes.AccountOnly
	})
	return all
}

// same reports whether two rows are of one operation, as far as rules go. Rows of one path may
// need other scopes, if the map changed in the meantime; but what the workspace itself said
// goes over the map. Operations that were dropped have no path.
func same(known, o *scopes.Operation) bool {
	return known.Method == o.Method && known.Template == o.Template &&
		(known.Evidence == scopes.Observed && known.Template != "" || known.Access == o.Access && slices.Equal(known.AnyOf, o.AnyOf))
}
