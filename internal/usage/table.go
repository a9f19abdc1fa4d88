package usage

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/scopegate/scopegate/internal/sanitize"
)

// Widths of columns with text of any length, in characters.
const (
	idDigits     = 12
	ownerWidth   = 28
	commentWidth = 28
	scopesWidth  = 48
)

// WriteTable writes the report as text: a summary, and an aligned table with a line for
// each token.
func (r *Report) WriteTable(w io.Writer) error {
	var out bytes.Buffer
	out.WriteString(r.summary())
	out.WriteString("\n")
	if len(r.Rows) > 0 {
		out.WriteString("\n")
		t := tabwriter.NewWriter(&out, 0, 8, 2, ' ', 0)
		fmt.Fprintln(t, "TOKEN\tOWNER\tCOMMENT\tAGE\tEXPIRES\tHOLDS\tNEEDS\tCALLS\tLAST USED\tWOULD BREAK\tREFUSED\tUNMAPPED\tNOTES")
		for i := range r.Rows {
			row := &r.Rows[i]
			seen := row.seen()
			fmt.Fprintln(t, strings.Join([]string{
				cell(row.ID, idDigits+1), cell(row.Owner(), ownerWidth), cell(row.Comment, commentWidth),
				ago(row.Created, r.At), expiry(&row.ListedToken, row.Listed, r.At),
				cell(row.holds(), scopesWidth), cell(row.uses(), scopesWidth),
				fmt.Sprint(seen.Calls), cell(lastUsed(row, r.At), scopesWidth), fmt.Sprint(seen.WouldDeny), fmt.Sprint(seen.Denied), fmt.Sprint(seen.Unmapped),
				strings.Join(row.notes(r.At), ", "),
			}, "\t"))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	// Every cell is padded, including the last of a line.
	for line := range bytes.Lines(out.Bytes()) {
		if _, err := fmt.Fprintf(w, "%s\n", bytes.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// summary says how much data the report rests on.
func (r *Report) summary() string {
	s := count(r.Tokens, "token")
	if len(r.Rows) != r.Tokens {
		s = fmt.Sprintf("%d of %s", len(r.Rows), s)
	}
	if r.Since.IsZero() {
		s += "; nothing recorded yet."
	} else {
		s += fmt.Sprintf("; %s recorded since %s (%s).", count(r.Calls, "call"), date(r.Since), count(r.Days, "day"))
	}
	if said := r.Map.String(); said != "" {
		s += "\n" + said
	}
	if r.Cut.Entries > 0 {
		s += fmt.Sprintf("\nCut: %s with %s, the least recently used, dropped since %s.", count(r.Cut.Entries, "token"), count(r.Cut.Calls, "call"), date(r.Cut.Since))
	}
	if r.Evicted > 0 {
		s += fmt.Sprintf("\nCut: of %s, the least recently used, only a summary is kept.", count(r.Evicted, "token"))
	}
	if unread := unreadText(r.Unread); unread != "" {
		s += "\nMissing: " + unread + "; the usage saved there is not counted."
	}
	if !r.Listed {
		s += "\nThe workspace's list of tokens is unavailable: scopes, expiry and tokens that were never seen are missing."
	}
	for _, note := range r.Notes {
		s += "\nNote: " + Clean(note)
	}
	return s
}

func lastUsed(r *Row, now time.Time) string {
	last := r.Last()
	if last.IsZero() {
		if r.Evidence.Doubt != "" {
			return "?"
		}
		return "never"
	}
	s := ago(last, now) + " ago"
	if r.Seen == nil || r.LastUsed.After(r.Seen.Last) {
		s += " (elsewhere)" // according to Databricks, and not seen here
	}
	return s
}

func expiry(t *ListedToken, listed bool, now time.Time) string {
	switch {
	case !listed:
		return "?"
	case t.NeverExpires:
		return "never"
	case t.Expires.IsZero():
		return "?"
	case t.Expired(now):
		return ago(t.Expires, now) + " ago"
	}
	return "in " + span(t.Expires.Sub(now))
}

// ago formats how long ago something was.
func ago(t, now time.Time) string {
	if t.IsZero() {
		return "?"
	}
	return span(now.Sub(t))
}

// span formats a duration in its largest unit: 34d, 5h, 12m.
func span(d time.Duration) string {
	switch d = max(0, d); {
	case d >= 24*time.Hour:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d >= time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dm", d/time.Minute)
}

// cell makes text fit a table.
func cell(s string, width int) string {
	if s = Clean(s); utf8.RuneCountInString(s) > width {
		s = string([]rune(s)[:width-1]) + "…"
	}
	return s
}

// Clean hides secrets in text that others chose, and escapes what a terminal would obey.
func Clean(s string) string { return sanitize.String(s, sanitize.MaxText) }

// CleanCSV is [Clean] for a cell of a CSV file, which spreadsheets must not run as a formula.
func CleanCSV(s string) string { return harmless(s) }
