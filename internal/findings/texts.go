package findings

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/scopegate/scopegate/internal/sanitize"
	"github.com/scopegate/scopegate/internal/usage"
)

const (
	maxCell     = 320 // characters of a name
	maxSentence = 600 // characters of a text
	maxListed   = 8   // scopes in a text
	// shortID is how many digits of an id commands show. They take it for the whole id.
	shortID = 12
)

// What to do, as commands to paste.
const (
	replace    = "databricks tokens create --lifetime-seconds 7776000"
	driftShow  = "scopegate scopes drift"
	driftWrite = "scopegate scopes drift --write routes.tsv"
)

func revoke(id string) string    { return "scopegate scopes revoke " + short(id) }
func recommend(id string) string { return "scopegate scopes recommend " + short(id) }

func short(id string) string { return id[:min(shortID, len(id))] }

func ownerGoneText(row *usage.Row) string {
	return fmt.Sprintf("The owner %s was deleted or deactivated, and the token still exists; revoke it.", row.Owner())
}

func unscopedText(row *usage.Row) string {
	why := "has no scopes"
	if len(row.Scopes) > 0 {
		why = "holds all-apis"
	}
	if len(row.Used) == 0 {
		return fmt.Sprintf("The token %s, so it may do everything its owner may; narrow it once it has been seen in use.", why)
	}
	return fmt.Sprintf("The token %s, so it may do everything its owner may; its calls need %s.", why, list(row.Used))
}

func neverExpiresText(row *usage.Row) string {
	since := ""
	if !row.Created.IsZero() {
		since = ", and was created on " + day(row.Created)
	}
	return "The token never expires" + since + "; have its owner replace it with one that does, then revoke it."
}

func unusedText(row *usage.Row) string {
	last := row.Last()
	if last.IsZero() {
		return fmt.Sprintf("The token was created on %s and has not been seen in use; ask its owner, then revoke it.", day(row.Created))
	}
	return fmt.Sprintf("The token was last used on %s; ask its owner, then revoke it.", day(last))
}

func nearExpiryText(row *usage.Row) string {
	if last := row.Last(); !last.IsZero() {
		return fmt.Sprintf("The token ends on %s and was last used on %s; its owner should create another one and switch to it.", day(row.Expires), day(last))
	}
	return fmt.Sprintf("The token ends on %s; if it is needed, its owner should create another one and switch to it.", day(row.Expires))
}

func unusedScopesText(row *usage.Row, idle []string) string {
	return fmt.Sprintf("The token holds %s, and its calls need only %s.", list(idle), list(row.Used))
}

func refusedOftenText(n uint64, row *usage.Row) string {
	text := fmt.Sprintf("Of the token's calls, about %d were refused, or would have been, within the last one or two days", n)
	if top := topRefusal(row); top != nil {
		text += fmt.Sprintf("; most of all %s (%s)", top.Operation.Name, top.Reason)
	}
	return text + "."
}

// topRefusal returns the operation with the most refusals; nil if none is known.
func topRefusal(row *usage.Row) (top *usage.Use) {
	if row.Seen == nil {
		return nil
	}
	for i := range row.Seen.Uses {
		use := &row.Seen.Uses[i]
		if n := use.Denied + use.WouldDeny; n > 0 && (top == nil || n > top.Denied+top.WouldDeny) {
			top = use
		}
	}
	return top
}

func disagreementText(rows []*usage.DriftRow) string {
	r := rows[0]
	for _, other := range rows {
		if other.State == usage.DriftWrong {
			r = other
			break
		}
	}
	request := r.Method + " " + r.Template
	if r.State == usage.DriftWrong {
		return fmt.Sprintf("The map says that %s needs %s, and the workspace says %s.", request, r.Needs, r.Correction)
	}
	return fmt.Sprintf("The workspace's answers disagree with the map about %s, which lists %s: %s.", request, r.Needs, r.Problem)
}

// list writes scopes in a sentence.
func list(scopes []string) string {
	if n := len(scopes) - maxListed; n > 0 {
		return strings.Join(scopes[:maxListed], ", ") + fmt.Sprintf(" and %d more", n)
	}
	return strings.Join(scopes, ", ")
}

func day(t time.Time) string {
	if t.IsZero() {
		return "an unknown day"
	}
	return t.UTC().Format(time.DateOnly)
}

// cell makes a name, and sentence a text, safe to show and short.
func cell(s string) string     { return cut(s, maxCell) }
func sentence(s string) string { return cut(s, maxSentence) }

func cut(s string, width int) string {
	if s = sanitize.String(s, sanitize.MaxText); utf8.RuneCountInString(s) > width {
		return string([]rune(s)[:width-1]) + "…"
	}
	return s
}
