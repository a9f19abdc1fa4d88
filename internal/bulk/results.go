package bulk

import (
	"bytes"
	"io"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/usage"
)

// Results is what came of tokens, as commands print it.
type Results struct {
	Workspace string `json:"workspace"`
	// Revoke means that tokens are revoked, and keep no scopes.
	Revoke bool `json:"-"`
	// UndoFile is the name of the file with the former scopes, if there is one.
	UndoFile string   `json:"undo_file,omitempty"`
	DryRun   bool     `json:"dry_run,omitempty"`
	Results  []Result `json:"results"`
}

// Write writes the results as a table, json or csv.
func (r *Results) Write(w io.Writer, format string) error {
	switch format {
	case "json":
		return writeJSON(w, r)
	case "csv":
		rows := [][]string{{"token_id", "owner", "comment", "result", "former", "scopes", "last_used", "why", "problem"}}
		for i := range r.Results {
			one := &r.Results[i]
			rows = append(rows, []string{one.TokenID, one.Owner, one.Comment, string(one.Status), strings.Join(one.Former, " "), strings.Join(one.To, " "), date(one.LastUsed, ""), one.Why, one.Problem})
		}
		return writeCSV(w, rows)
	}
	return r.writeTable(w)
}

func (r *Results) writeTable(w io.Writer) error {
	header := []string{"TOKEN", "OWNER", "RESULT", "FORMER SCOPES", "NEW SCOPES", ""}
	if r.Revoke {
		header = []string{"TOKEN", "OWNER", "RESULT", "LAST USED", "COMMENT", ""}
	}
	var rows [][]string
	for i := range r.Results {
		one := &r.Results[i]
		cells := []string{cell(one.TokenID, idDigits+1), cell(one.Owner, ownerWidth), string(one.Status)}
		if r.Revoke {
			cells = append(cells, date(one.LastUsed, "never"), cell(one.Comment, ownerWidth))
		} else {
			cells = append(cells, cell(Scopes(one.Former), scopesWidth), cell(strings.Join(one.To, " "), scopesWidth))
		}
		why := strings.Trim(one.Why+"; "+one.Problem, "; ")
		rows = append(rows, append(cells, usage.Clean(why)))
	}
	var out bytes.Buffer
	if len(rows) > 0 {
		table(&out, header, rows)
	}
	_, err := w.Write(out.Bytes())
	return err
}

func date(t time.Time, none string) string {
	if t.IsZero() {
		return none
	}
	return t.UTC().Format(time.DateOnly)
}

// Count returns how many results have one of some statuses.
func (r *Results) Count(statuses ...Status) (n int) {
	for i := range r.Results {
		for _, s := range statuses {
			if r.Results[i].Status == s {
				n++
			}
		}
	}
	return n
}

// Changed returns how many tokens were changed.
func (r *Results) Changed() int { return r.Count(Narrowed, Restored, Revoked) }
