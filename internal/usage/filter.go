package usage

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Filter selects tokens. A token must match every field that is set; the zero value
// selects all. Fields other than Owner match only tokens that the workspace lists.
type Filter struct {
	// Unscoped selects tokens that may do everything.
	Unscoped bool
	// NoExpiry selects tokens that never expire.
	NoExpiry bool
	// Unused selects tokens that are at least this old and were not used for this
	// long, either here or, according to Databricks, elsewhere. Tokens about which
	// evidence is missing do not count as unused unless Databricks says so.
	Unused time.Duration
	// Expiring selects tokens that will expire within this time.
	Expiring time.Duration
	// Owner selects by the owner's name or id, ignoring case; * matches any text and ?
	// one character.
	Owner string
}

// Filter returns the report with the rows that match.
func (r Report) Filter(f Filter) Report {
	rows := make([]Row, 0, len(r.Rows))
	doubtful := 0
	for i := range r.Rows {
		switch row := &r.Rows[i]; {
		case !f.picks(row, r.At):
		case f.Unused > 0 && r.mayHaveUsed(row, f.Unused):
			doubtful++
		default:
			rows = append(rows, *row)
		}
	}
	r.Rows = rows
	if doubtful > 0 {
		r.Notes = append(slices.Clone(r.Notes), fmt.Sprintf("%s left out of the unused: evidence that was dropped or could not be read may show their use", were(doubtful, "token")))
	}
	return r
}

// mayHaveUsed reports whether a token that counts as unused may have been used, for all
// that is known. If Databricks says when it was last used, that is certain.
func (r *Report) mayHaveUsed(row *Row, d time.Duration) bool {
	state := State{Cut: r.Cut, Unread: r.Unread}
	return row.LastUsed.IsZero() && (len(state.Unread) > 0 || state.lost(row.Seen, row.Created, r.At.Add(-d)))
}

func (f *Filter) picks(r *Row, now time.Time) bool {
	if (f.Unscoped || f.NoExpiry || f.Unused > 0 || f.Expiring > 0) && !r.Listed {
		return false
	}
	switch {
	case f.Unscoped && !r.Unscoped:
	case f.NoExpiry && !r.NeverExpires:
	case f.Unused > 0 && !r.unused(f.Unused, now):
	case f.Expiring > 0 && (r.Expires.IsZero() || r.Expired(now) || r.Expires.Sub(now) > f.Expiring):
	case f.Owner != "" && !MatchesOwner(f.Owner, r.OwnerName, r.OwnerID):
	default:
		return true
	}
	return false
}

// unused reports whether a token has not been used for a time. A token younger than
// that does not count as unused.
func (r *Row) unused(d time.Duration, now time.Time) bool {
	// Databricks reports the day only, so the use may have been at its end.
	byDatabricks := r.LastUsed
	if !byDatabricks.IsZero() {
		byDatabricks = byDatabricks.Add(24 * time.Hour)
	}
	return now.Sub(r.Created) >= d && now.Sub(byDatabricks) >= d && now.Sub(r.seen().Last) >= d
}

// MatchesOwner reports whether an owner's name or number matches a pattern, ignoring case; *
// matches any text and ? one character. An empty name and 0 are unknown, which matches nothing.
func MatchesOwner(pattern, name string, id int64) bool {
	return glob(pattern, name) || glob(pattern, number(id))
}

// glob matches text with a pattern of * and ?, ignoring case. No pattern matches an
// unknown name.
func glob(pattern, s string) bool {
	if s == "" {
		return false
	}
	p, t := []rune(strings.ToLower(pattern)), []rune(strings.ToLower(s))
	i, j, star, mark := 0, 0, -1, 0
	for j < len(t) {
		switch {
		case i < len(p) && p[i] == '*':
			star, mark = i, j
			i++
		case i < len(p) && (p[i] == '?' || p[i] == t[j]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = star+1, mark
		default:
			return false
		}
	}
	for i < len(p) && p[i] == '*' {
		i++
	}
	return i == len(p)
}

func number(id int64) string {
	if id == 0 {
		return ""
	}
	return strconv.FormatInt(id, 10)
}
