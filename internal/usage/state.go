package usage

import (
	"slices"
	"strings"
	"time"
)

// State is what a [Ledger] knows at one time. Times are in UTC, to the millisecond.
type State struct {
	// Since is when recording began.
	Since time.Time `json:"since,omitzero"`
	// Tokens are sorted by id.
	Tokens []Token `json:"tokens"`
	// Lessons are what the workspace's answers said about rows of the map. Those with the
	// most disagreements come first.
	Lessons []Lesson `json:"lessons,omitempty"`
	// Cut counts tokens that are missing because there were too many.
	Cut Cut `json:"cut,omitzero"`
	// Unread are saved files whose counts are missing.
	Unread []Unread `json:"unread,omitempty"`
}

// Token returns what is known about one token.
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
		n = plus(n, s.Tokens[i].Calls)
	}
	return n
}

// Token is what one token was seen to do.
type Token struct {
	// ID is the token's id, never its value.
	ID string `json:"id"`
	// OwnerID and Creator are the latest from the workspace.
	OwnerID int64  `json:"owner_id,omitempty"`
	Creator string `json:"creator,omitempty"`
	// First and Last are when it was first and last seen.
	First time.Time `json:"first_seen,omitzero"`
	Last  time.Time `json:"last_seen,omitzero"`
	// ActiveDays is the number of days (UTC) with at least one call.
	ActiveDays int `json:"active_days"`
	// Calls counts all requests, including refused ones.
	Calls uint64 `json:"calls"`
	// Denied counts refusals, WouldDeny rehearsed ones.
	Denied    uint64 `json:"denied"`
	WouldDeny uint64 `json:"would_deny"`
	// Optional counts refusals of operations that clients go on without. They are not
	// in Denied, and rehearsed ones are not in WouldDeny.
	Optional uint64 `json:"optional_denied,omitempty"`
	// Unmapped counts calls of paths that the catalog does not have.
	Unmapped uint64 `json:"unmapped"`
	// Uses lists the operations, most called first.
	Uses []Use `json:"operations"`
	// Evicted means that there were too many tokens: all of the operations are
	// missing.
	Evicted bool `json:"evicted,omitempty"`
	// Cut counts operations that are missing because there were too many.
	Cut Cut `json:"cut,omitzero"`
}

// Passed returns how many calls were not refused.
func (t *Token) Passed() uint64 { return t.Calls - min(t.Denied+t.Optional, t.Calls) }

// list turns nil into an empty list, which JSON distinguishes.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// none turns an empty list into nil.
func none[T any](s []T) []T {
	if len(s) == 0 {
		return nil
	}
	return s
}

func sortTokens(tokens []Token) {
	slices.SortFunc(tokens, func(a, b Token) int { return strings.Compare(a.ID, b.ID) })
}
