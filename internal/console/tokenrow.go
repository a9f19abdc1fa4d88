package console

import (
	"time"

	"github.com/scopegate/scopegate/internal/usage"
)

// maxScopes is how many scopes a cell lists.
const maxScopes = 6

// tokenRow is a token in a table.
type tokenRow struct {
	ID             string
	Owner, Comment string
	// Everything means that the token may do everything; Holds lists scopes otherwise.
	// Unknown means that the workspace does not list it.
	Everything, Unknown bool
	Holds, Needs        scopeCell
	// Missing lists scopes that its calls need and that it does not hold.
	Missing []string
	Calls   string
	Refused uint64
	Would   uint64
	Last    when
	Expires when
	Flags   []flagLabel
	// Weak says what falls short for what it needs to be reliable.
	Weak string
}

// scopeCell lists scopes as far as they fit.
type scopeCell struct {
	Names []string
	More  int
}

func newScopeCell(names []string) scopeCell {
	shown := min(len(names), maxScopes)
	return scopeCell{names[:shown], len(names) - shown}
}

// flagLabel is a flag with the class that colors it.
type flagLabel struct {
	Text, Class, Title string
}

// flagLabels say how flags look, and in a sentence what they mean.
var flagLabels = map[usage.Flag]flagLabel{
	usage.FlagGone:        {Class: "", Title: "The workspace no longer lists it."},
	usage.FlagExpired:     {Class: "", Title: "Its expiry has passed."},
	usage.FlagRefused:     {Class: "bad", Title: "The gateway refused calls."},
	usage.FlagWouldRefuse: {Class: "bad", Title: "Calls passed that mode enforce would refuse."},
	usage.FlagUnscoped:    {Class: "warning", Title: "It may do everything."},
	usage.FlagNoExpiry:    {Class: "warning", Title: "It lasts until it is revoked."},
	usage.FlagExpiring:    {Class: "info", Title: "Its owner should replace it."},
	usage.FlagUnused:      {Class: "warning", Title: "Neither the gateway nor Databricks saw it used."},
	usage.FlagMissing:     {Class: "bad", Title: "It lacks scopes that its calls need."},
	usage.FlagExcess:      {Class: "info", Title: "It holds scopes that no call needed."},
}

// flagOwnerGone stands before the others.
var flagOwnerGone = flagLabel{"owner gone", "bad", "Its owner was deleted or deactivated."}

func newFlagLabels(flags []usage.Flag) (labels []flagLabel) {
	for _, flag := range flags {
		label := flagLabels[flag]
		label.Text = string(flag)
		labels = append(labels, label)
	}
	return labels
}

func newTokenRow(report *usage.Report, row *usage.Row, limits usage.Limits) tokenRow {
	out := tokenRow{
		ID: row.ID, Owner: row.Owner(), Comment: row.Comment,
		Everything: row.Unscoped, Unknown: !row.Listed, Holds: newScopeCell(row.Scopes),
		Needs: newScopeCell(row.Used), Missing: row.Added, Calls: "0",
		Last: newWhen(row.Last(), report.At), Expires: expiryOf(row, report.At),
		Flags: newFlagLabels(report.Flags(row, limits)),
	}
	if seen := row.Seen; seen != nil {
		out.Calls, out.Refused, out.Would = usage.Thousands(seen.Calls), seen.Denied, seen.WouldDeny
		if !row.Evidence.Enough {
			out.Weak = row.Evidence.Missing
		}
	}
	return out
}

// ownerGone adds a flag.
func (t *tokenRow) ownerGone(gone bool) {
	if gone {
		t.Flags = append([]flagLabel{flagOwnerGone}, t.Flags...)
	}
}

// when is a time as tables show it.
type when struct {
	Text string
	At   time.Time // zero if there is none
}

// newWhen says how far a time is from now. The zero time is never.
func newWhen(t, now time.Time) when {
	if t.After(now) {
		return when{"in " + span(t.Sub(now)), t}
	}
	return when{ago(t, now), t}
}

// expiryOf says when a token expires.
func expiryOf(row *usage.Row, now time.Time) when {
	switch {
	case !row.Listed:
		return when{Text: "not known"}
	case row.NeverExpires:
		return when{Text: "never"}
	case row.Expires.IsZero():
		return when{Text: "not known"}
	}
	return newWhen(row.Expires, now)
}
