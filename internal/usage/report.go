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
	// OwnerName is empty while unknown: the list has the id only.
	OwnerName string `json:"owner,omitempty"`
	// Creator made the token, and is not always its owner.
	Creator string `json:"creator,omitempty"`
	Comment string `json:"comment,omitempty"`
	// LastUsed is the last day on which Databricks saw the token used, through this
	// gateway or around it; zero if unknown.
	LastUsed time.Time `json:"last_used,omitzero"`
	TokenFacts
}

// Report joins what the gateway saw with the workspace's list.
type Report struct {
	At time.Time `json:"at"`
	// Since is when recording began, and Days the days since then (UTC, inclusive).
	Since time.Time `json:"since,omitzero"`
	Days  int       `json:"days"`
	// Calls counts those of all tokens, including any that were filtered out.
	Calls uint64 `json:"calls"`
	// Cut counts tokens that are missing because there were too many, and Evicted those
	// that are there without their operations.
	Cut     Cut `json:"cut,omitzero"`
	Evicted int `json:"evicted,omitempty"`
	// Unread are saved files whose counts are missing.
	Unread []Unread `json:"unread,omitempty"`
	// Map says what the workspace's answers say about the map.
	Map Answers `json:"map,omitzero"`
	// Listed is false if the workspace's list was unavailable: the report then has
	// only tokens that were seen, without their scopes.
	Listed bool `json:"listed"`
	// Tokens is the number of tokens before filtering.
	Tokens int   `json:"tokens"`
	Rows   []Row `json:"rows"`
	// Notes say what is missing or not known yet, and why.
	Notes []string `json:"notes,omitempty"`
}

// Row is one token of a report.
type Row struct {
	ListedToken
	// Listed means that the workspace lists the token, Gone that it no longer does:
	// it was revoked.
	Listed bool `json:"listed"`
	Gone   bool `json:"gone,omitempty"`
	// Unscoped means that the token may do everything.
	Unscoped bool `json:"unscoped"`
	// Used lists the scopes that its calls need: the smallest set, see recommend.
	// Added lists those that it does not hold.
	Used  []string `json:"scopes_used"`
	Added []string `json:"scopes_missing,omitempty"`
	// Evidence says how much data Used rests on.
	Evidence Evidence `json:"evidence"`
	// Seen is what the gateway saw; nil if it never saw the token, or, if
	// Evidence.Doubt says so, no longer knows.
	Seen *Token `json:"seen,omitempty"`
}

// NewReport joins a state with the workspace's list of tokens. A nil list means that
// it was unavailable. Rows are sorted by [ByCalls].
func NewReport(state State, listed []ListedToken, now time.Time) Report {
	r := Report{At: now, Since: state.Since, Calls: state.Calls(), Cut: state.Cut, Unread: state.Unread, Listed: listed != nil}
	if !state.Since.IsZero() {
		r.Days = max(1, daysBetween(state.Since, now))
	}
	state.confirm()
	r.Map = state.answers()
	seen := make(map[string]*Token, len(state.Tokens))
	for i := range state.Tokens {
		seen[state.Tokens[i].ID] = &state.Tokens[i]
		if state.Tokens[i].Evicted {
			r.Evicted++
		}
	}
	r.Rows = make([]Row, 0, max(len(listed), len(seen)))
	for _, l := range listed {
		r.Rows = append(r.Rows, newRow(&state, l, seen[l.ID], true, now))
		delete(seen, l.ID)
	}
	for id, t := range seen {
		row := newRow(&state, ListedToken{ID: id, OwnerID: t.OwnerID, Creator: t.Creator}, t, false, now)
		row.Gone = r.Listed
		r.Rows = append(r.Rows, row)
	}
	r.Tokens = len(r.Rows)
	r.Sort(ByCalls)
	return r
}

func newRow(state *State, l ListedToken, seen *Token, isListed bool, now time.Time) Row {
	l.Scopes = list(l.Scopes)
	row := Row{ListedToken: l, Listed: isListed, Unscoped: isListed && l.Unscoped(), Used: []string{}, Seen: seen}
	doubt := state.doubt(seen, l.Created, time.Time{})
	if seen == nil {
		row.Evidence = evidenceOf(Token{}, doubt)
		return row
	}
	recommended := recommend(*seen, l.TokenFacts, now, doubt)
	row.Used, row.Added, row.Evidence = recommended.Scopes, recommended.addNames(), recommended.Evidence
	if recommended.AllAPIs != nil && !slices.Contains(row.Used, scopes.AllAPIs) {
		row.Added = append(row.Added, scopes.AllAPIs)
	}
	return row
}

// Last returns when the token was last used, here or elsewhere.
func (r *Row) Last() time.Time {
	last := r.LastUsed
	if r.Seen != nil && r.Seen.Last.After(last) {
		last = r.Seen.Last
	}
	return last
}

// Owner returns the owner's name, the id if the name is unknown, and otherwise
// "unknown".
func (r *Row) Owner() string { return cmp.Or(r.OwnerName, number(r.OwnerID), "unknown") }

// seen returns what was seen, or an empty Token.
func (r *Row) seen() Token {
	if r.Seen == nil {
		return Token{}
	}
	return *r.Seen
}

// holds formats the scopes that the token holds.
func (r *Row) holds() string {
	switch {
	case !r.Listed:
		return "?"
	case len(r.Scopes) == 0:
		return "(everything)"
	}
	return strings.Join(r.Scopes, " ")
}

// uses formats the scopes that the token needs.
func (r *Row) uses() string {
	s := strings.Join(r.Used, " ")
	for _, scope := range r.Added {
		s += " +" + scope
	}
	return strings.TrimSpace(s)
}

// notes returns the labels of a row.
func (r *Row) notes(now time.Time) (notes []string) {
	add := func(when bool, note string) {
		if when {
			notes = append(notes, note)
		}
	}
	add(r.Gone, "gone")
	add(r.Listed && r.Expired(now), "expired")
	add(r.Seen == nil && r.Evidence.Doubt == "", "never seen")
	add(r.Seen == nil && r.Evidence.Doubt != "", "evidence missing: "+Clean(r.Evidence.Doubt))
	add(r.Seen != nil && !r.Evidence.Enough, "little evidence")
	add(r.Seen != nil && r.Evidence.Doubt != "", "cut: "+Clean(r.Evidence.Doubt))
	add(slices.Contains(slices.Concat(r.Used, r.Added), scopes.AllAPIs), "needs all-apis")
	add(r.seen().Optional > 0, count(r.seen().Optional, "optional call")+" refused")
	add(r.autoscope() == "running", "autoscope running")
	return notes
}

// WriteJSON writes the report as JSON, which decodes into a [Report] again.
func (r *Report) WriteJSON(w io.Writer) error { return writeJSON(w, r) }

// writeJSON writes a report for people and programs.
func writeJSON(w io.Writer, report any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(report)
}
