package usage

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// State is what a recorder knows at one time. Times are in UTC and to the
// millisecond.
type State struct {
	// Since is when recording began.
	Since time.Time `json:"since,omitzero"`
	// Tokens are sorted by id.
	Tokens []Token `json:"tokens"`
	// Cut tells of the tokens that are missing because there were too many.
	Cut Cut `json:"cut,omitzero"`
}

// Token returns what is known of one token.
func (s *State) Token(id string) (Token, bool) {
	i, found := slices.BinarySearchFunc(s.Tokens, id, func(t Token, id string) int { return strings.Compare(t.ID, id) })
	if !found {
		return Token{}, false
	}
	return s.Tokens[i], true
}

// Calls returns the number of calls of all tokens.
func (s *State) Calls() (n uint64) {
	for i := range s.Tokens {
		n += s.Tokens[i].Calls
	}
	return n
}

// Token is what one token was seen to do.
type Token struct {
	// ID is the token's id, never its value.
	ID string `json:"id"`
	// OwnerID and Creator are what the workspace told last.
	OwnerID int64  `json:"owner_id,omitempty"`
	Creator string `json:"creator,omitempty"`
	// First and Last are when it was seen first and last.
	First time.Time `json:"first_seen,omitzero"`
	Last  time.Time `json:"last_seen,omitzero"`
	// ActiveDays is the number of days (UTC) with at least one call.
	ActiveDays int `json:"active_days"`
	// Calls counts all requests, the refused ones among them.
	Calls uint64 `json:"calls"`
	// Denied counts refusals, WouldDeny those that were only rehearsed.
	Denied    uint64 `json:"denied"`
	WouldDeny uint64 `json:"would_deny"`
	// Unmapped counts calls of paths outside the catalogue.
	Unmapped uint64 `json:"unmapped"`
	// Uses are the operations, the most called first.
	Uses []Use `json:"operations"`
	// Cut tells of the operations that are missing because there were too many.
	Cut Cut `json:"cut,omitzero"`
}

// Passed returns how many calls were not refused.
func (t *Token) Passed() uint64 { return t.Calls - min(t.Denied, t.Calls) }

// Use is one operation that a token was seen to call.
type Use struct {
	// Operation is the catalogue's row of that time, without its source.
	Operation scopes.Operation
	// Calls counts all, Denied the refused and WouldDeny those whose refusal was
	// rehearsed.
	Calls, Denied, WouldDeny uint64
	First, Last              time.Time
	// Reason is why the last denial, carried out or not, was one.
	Reason string
}

// Passed reports whether the operation was let through at least once, so that
// somebody relies on it.
func (u *Use) Passed() bool { return u.Calls > u.Denied }

// Cut tells what was left out to stay within the caps. The zero value means that
// nothing was.
type Cut struct {
	// Entries counts what was left out: tokens of a state, operations of a token.
	Entries uint64 `json:"entries"`
	// Calls counts their calls.
	Calls uint64 `json:"calls"`
	// Since is when the first was left out.
	Since time.Time `json:"since,omitzero"`
}

// add counts what c and other left out together.
func (c Cut) add(other Cut) Cut {
	switch {
	case c.Entries == 0:
		return other
	case other.Entries == 0:
		return c
	}
	c.Entries += other.Entries
	c.Calls += other.Calls
	if other.Since.Before(c.Since) {
		c.Since = other.Since
	}
	return c
}

// useJSON is the form of a Use for people's tools. The names of its columns are
// those of scopes explain.
type useJSON struct {
	Operation string          `json:"operation"`
	Method    string          `json:"method"`
	Template  string          `json:"template"`
	AnyOf     []string        `json:"any_of"`
	Access    string          `json:"access"`
	Evidence  scopes.Evidence `json:"evidence,omitempty"`
	Calls     uint64          `json:"calls"`
	Denied    uint64          `json:"denied"`
	WouldDeny uint64          `json:"would_deny"`
	First     time.Time       `json:"first_seen,omitzero"`
	Last      time.Time       `json:"last_seen,omitzero"`
	Reason    string          `json:"reason,omitempty"`
}

// MarshalJSON writes the operation's columns beside the counts.
func (u Use) MarshalJSON() ([]byte, error) {
	o := &u.Operation
	return json.Marshal(useJSON{
		o.Name, o.Method, o.Template, list(o.AnyOf), o.Access.String(), o.Evidence,
		u.Calls, u.Denied, u.WouldDeny, u.First, u.Last, u.Reason,
	})
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (u *Use) UnmarshalJSON(data []byte) error {
	var w useJSON
	if err := json.Unmarshal(data, &w); err != nil {
		return err
	}
	access, err := parseAccess(w.Access)
	if err != nil {
		return err
	}
	*u = Use{
		Operation: scopes.Operation{Method: w.Method, Template: w.Template, AnyOf: none(w.AnyOf), Access: access, Evidence: w.Evidence, Name: w.Operation},
		Calls:     w.Calls, Denied: w.Denied, WouldDeny: w.WouldDeny, First: w.First, Last: w.Last, Reason: w.Reason,
	}
	return nil
}

// parseAccess reads what Access.String returns.
func parseAccess(s string) (scopes.Access, error) {
	for _, a := range []scopes.Access{scopes.ScopedAccess, scopes.AnyScope, scopes.Public, scopes.AccountOnly} {
		if a.String() == s {
			return a, nil
		}
	}
	return 0, fmt.Errorf("there is no access %q", s)
}

// list makes nil an empty list, since JSON tells the two apart.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// none makes an empty list nil.
func none[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return s
}

func sortTokens(tokens []Token) {
	slices.SortFunc(tokens, func(a, b Token) int { return strings.Compare(a.ID, b.ID) })
}

func sortUses(uses []Use) { slices.SortFunc(uses, compareUses) }

// compareUses orders operations by how much they are called, then by their row.
func compareUses(a, b Use) int {
	return cmp.Or(cmp.Compare(b.Calls, a.Calls), scopes.Compare(a.Operation, b.Operation),
		cmp.Compare(a.Operation.Access, b.Operation.Access), slices.Compare(a.Operation.AnyOf, b.Operation.AnyOf),
		cmp.Compare(a.Operation.Evidence, b.Operation.Evidence))
}
