package findings

import (
	"fmt"
	"slices"
	"strings"

	"github.com/scopegate/scopegate/internal/didyoumean"
	"github.com/scopegate/scopegate/internal/usage"
)

// Filter selects findings. A finding must match every field that is set.
type Filter struct {
	// State selects one state. Without it, those that hold are selected: new and
	// acknowledged ones.
	State State
	Kind  Kind
	// Owner selects by the owner's name or number, ignoring case; * matches any text and ?
	// one character.
	Owner string
	// TokenID selects tokens whose id begins so.
	TokenID string
}

// ParseKind reads the name of a kind; "" is all.
func ParseKind(s string) (Kind, error) { return parse("kind", s, Kinds) }

// ParseState reads the name of a state; "" is those that hold.
func ParseState(s string) (State, error) { return parse("state", s, States) }

func parse[T ~string](what, s string, known []T) (T, error) {
	if s == "" || slices.Contains(known, T(s)) {
		return T(s), nil
	}
	return "", fmt.Errorf("unknown %s %q; %s", what, s, didyoumean.Hint(s, names(known)))
}

func names[T ~string](all []T) []string {
	out := make([]string, len(all))
	for i, one := range all {
		out[i] = string(one)
	}
	return out
}

// Picks reports whether a finding matches.
func (q *Filter) Picks(f *Finding) bool {
	switch {
	case q.State == "" && f.State == Resolved, q.State != "" && f.State != q.State:
	case q.Kind != "" && f.Kind != q.Kind:
	case q.Owner != "" && !usage.MatchesOwner(q.Owner, f.Owner, f.OwnerID):
	case !strings.HasPrefix(f.TokenID, strings.ToLower(q.TokenID)):
	default:
		return true
	}
	return false
}
