package usage

import (
	"cmp"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

// ListedToken is a token in the workspace's own list.
type ListedToken struct {
	ID      string `json:"id"`
	OwnerID int64  `json:"owner_id,omitempty"`
	// OwnerName is empty while it is not known: the list tells the id alone.
	OwnerName string `json:"owner,omitempty"`
	// Creator is who made the token, not always its owner.
	Creator string `json:"creator,omitempty"`
	Comment string `json:"comment,omitempty"`
	// LastUsed is the day on which Databricks saw the token used last, through this
	// gateway or past it; zero where it tells none.
	LastUsed time.Time `json:"last_used,omitzero"`
	TokenFacts
}

// Report joins what the gateway saw with the workspace's list.
type Report struct {
	At time.Time `json:"at"`
	// Since is when recording began, and Days since then (UTC, both included).
	Since time.Time `json:"since,omitzero"`
	Days  int       `json:"days"`
	// Calls counts those of all tokens, the ones that a filter left out among them.
	Calls uint64 `json:"calls"`
	// Cut tells of tokens that are missing because the recorder was full.
	Cut Cut `json:"cut,omitzero"`
	// Listed is false where the workspace's list could not be had: then there are
	// only the tokens that were seen, and nothing is known of their scopes.
	Listed bool `json:"listed"`
	// Tokens is their number before a filter.
	Tokens int   `json:"tokens"`
	Rows   []Row `json:"rows"`
	// Notes are sentences about what is missing or not known yet, and why.
	Notes []string `json:"notes,omitempty"`
}

// Row is one token of a report.
type Row struct {
	ListedToken
	// Listed says that the workspace lists the token, Gone that it does not any
	// more: it was revoked.
	Listed bool `json:"listed"`
	Gone   bool `json:"gone,omitempty"`
	// Unscoped says that the token may do everything.
	Unscoped bool `json:"unscoped"`
	// Used are the scopes that its calls need: the smallest set, see recommend.
	// Added are those that it does not hold.
	Used  []string `json:"scopes_used"`
	Added []string `json:"scopes_missing,omitempty"`
	// Evidence tells how much Used rests on.
	Evidence Evidence `json:"evidence"`
	// Seen is what the gateway saw; nil if it never saw the token.
	Seen *Token `json:"seen,omitempty"`
}

// NewReport joins a state with the workspace's list of tokens. A nil list means
// that it could not be had. Rows are sorted by [ByCalls].
func NewReport(state State, listed []ListedToken, now time.Time) Report {
	r := Report{At: now, Since: state.Since, Calls: state.Calls(), Cut: state.Cut, Listed: listed != nil}
	if !state.Since.IsZero() {
		r.Days = max(1, daysBetween(state.Since, now))
	}
	seen := make(map[string]*Token, len(state.Tokens))
	for i := range state.Tokens {
		seen[state.Tokens[i].ID] = &state.Tokens[i]
	}
	r.Rows = make([]Row, 0, max(len(listed), len(seen)))
	for _, l := range listed {
		r.Rows = append(r.Rows, newRow(l, seen[l.ID], true, now))
		delete(seen, l.ID)
	}
	for id, t := range seen {
		row := newRow(ListedToken{ID: id, OwnerID: t.OwnerID, Creator: t.Creator}, t, false, now)
		row.Gone = r.Listed
		r.Rows = append(r.Rows, row)
	}
	r.Tokens = len(r.Rows)
	r.Sort(ByCalls)
	return r
}

func newRow(l ListedToken, seen *Token, isListed bool, now time.Time) Row {
	l.Scopes = list(l.Scopes)
	row := Row{ListedToken: l, Listed: isListed, Unscoped: isListed && l.Unscoped(), Used: []string{}, Seen: seen}
	if seen == nil {
		row.Evidence = evidenceOf(Token{})
		return row
	}
	recommended := recommend(*seen, l.TokenFacts, now)
	row.Used, row.Added, row.Evidence = recommended.Scopes, recommended.addNames(), recommended.Evidence
	if recommended.AllAPIs != nil && !slices.Contains(row.Used, scopes.AllAPIs) {
		row.Added = append(row.Added, scopes.AllAPIs)
	}
	return row
}

// Last returns when the token was used last, as far as anybody knows.
func (r *Row) Last() time.Time {
	last := r.LastUsed
	if r.Seen != nil && r.Seen.Last.After(last) {
		last = r.Seen.Last
	}
	return last
}

// Owner returns the owner's name, or its id where the name is not known.
func (r *Row) Owner() string { return cmp.Or(r.OwnerName, number(r.OwnerID)) }

// seen returns what was seen, which may be nothing.
func (r *Row) seen() Token {
	if r.Seen == nil {
		return Token{}
	}
	return *r.Seen
}

// holds writes the scopes that the token holds.
func (r *Row) holds() string {
	switch {
	case !r.Listed:
		return "?"
	case len(r.Scopes) == 0:
		return "(everything)"
	}
	return strings.Join(r.Scopes, " ")
}

// uses writes the scopes that the token needs.
func (r *Row) uses() string {
	s := strings.Join(r.Used, " ")
	for _, scope := range r.Added {
		s += " +" + scope
	}
	return strings.TrimSpace(s)
}

// notes are the words that a row is marked with.
func (r *Row) notes(now time.Time) (notes []string) {
	add := func(when bool, note string) {
		if when {
			notes = append(notes, note)
		}
	}
	add(r.Gone, "gone")
	add(r.Listed && r.Expired(now), "expired")
	add(r.Seen == nil, "never seen")
	add(r.Seen != nil && !r.Evidence.Enough, "little evidence")
	add(r.Seen != nil && r.Seen.Cut.Entries > 0, "cut")
	add(slices.Contains(slices.Concat(r.Used, r.Added), scopes.AllAPIs), "needs all-apis")
	add(r.autoscope() == "running", "autoscope runs")
	return notes
}

// WriteJSON writes the report for tools. [Report] can be read back from it.
func (r *Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}
