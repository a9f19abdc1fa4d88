package usage

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// columns are those of the CSV form. Add new ones at the end.
var columns = []string{
	"token_id", "owner", "owner_id", "creator", "comment", "created", "expires", "never_expires", "scopes", "unscoped", "scopes_needed", "scopes_missing",
	"autoscope_state", "inferred_scopes", "listed", "gone", "calls", "passed", "would_deny", "denied", "unmapped", "operations",
	"first_seen", "last_seen", "last_used", "days", "active_days", "enough_evidence", "operations_cut",
	"recorded_since", "tokens_cut", "evicted", "calls_cut", "cut_since", "evidence_missing",
	"optional_denied",
}

// WriteCSV writes the report as CSV: a header and a line for each token. Lists are
// separated by spaces, and times are in RFC 3339. Each row repeats since when calls
// were recorded and how many tokens were dropped, as CSV has no place for it outside
// the rows.
//
// Text that a spreadsheet would run as a formula gets a leading apostrophe
// (https://owasp.org/www-community/attacks/CSV_Injection).
func (r *Report) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write(columns); err != nil {
		return err
	}
	for i := range r.Rows {
		row := &r.Rows[i]
		seen := row.seen()
		n := func(v uint64) string { return strconv.FormatUint(v, 10) }
		words := func(s []string) string { return harmless(strings.Join(s, " ")) }
		if err := out.Write([]string{
			harmless(row.ID), harmless(row.OwnerName), number(row.OwnerID), harmless(row.Creator), harmless(row.Comment),
			stamp(row.Created), stamp(row.Expires), strconv.FormatBool(row.NeverExpires), words(row.Scopes), strconv.FormatBool(row.Unscoped), words(row.Used), words(row.Added),
			harmless(row.AutoscopeState), words(row.InferredScopes), strconv.FormatBool(row.Listed), strconv.FormatBool(row.Gone),
			n(seen.Calls), n(seen.Passed()), n(seen.WouldDeny), n(seen.Denied), n(seen.Unmapped), strconv.Itoa(len(seen.Uses)),
			stamp(seen.First), stamp(seen.Last), stamp(row.LastUsed), strconv.Itoa(row.Evidence.Days), strconv.Itoa(row.Evidence.ActiveDays), strconv.FormatBool(row.Evidence.Enough), n(seen.Cut.Entries),
			stamp(r.Since), n(r.Cut.Entries), strconv.FormatBool(seen.Evicted), n(seen.Cut.Calls), stamp(seen.Cut.Since), harmless(row.Evidence.Doubt),
			n(seen.Optional),
		}); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// harmless keeps spreadsheets from running text as a formula.
func harmless(s string) string {
	s = Clean(s)
	// Some programs skip spaces, and some accept full-width signs.
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(s, " \u00a0\u3000"))
	if strings.ContainsRune("=+-@＝＋－＠", first) {
		return "'" + s
	}
	return s
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
