package replay

import (
	"strings"

	"github.com/scopegate/scopegate/internal/usage"
)

// Filter selects what a [Report] counts and lists. A line must match every field that is
// set; the zero value selects all.
type Filter struct {
	// Token is the beginning of a token's id, in lower case.
	Token string
	// Owner selects by the owner's name or id, ignoring case; * matches any text and ? one
	// character.
	Owner string
	// Policy selects what this policy refuses, then or now.
	Policy string
}

// token reports whether the filter selects a token. The owner's number is 0 while unknown.
func (f *Filter) token(id, owner string, ownerID int64) bool {
	return strings.HasPrefix(id, f.Token) && (f.Owner == "" || usage.MatchesOwner(f.Owner, owner, ownerID))
}

// policy reports whether the filter selects a refusal by a policy.
func (f *Filter) policy(name string) bool { return f.Policy == "" || f.Policy == name }
