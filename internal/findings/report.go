package findings

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/scopegate/scopegate/internal/usage"
)

// Report is what a book shows.
type Report struct {
	At time.Time `json:"at"`
	// Workspace is the URL of the workspace.
	Workspace string `json:"workspace"`
	// Evaluated is when the tokens were last judged; zero if not yet.
	Evaluated time.Time `json:"evaluated,omitzero"`
	// Counts are of all findings by state, filtered out or not.
	Counts map[State]int `json:"counts"`
	// Cut is how many findings are missing because there are too many.
	Cut int `json:"cut,omitempty"`
	// Findings are those that the filter selects, what matters most first.
	Findings []Finding `json:"findings"`
	// Notes say what could not be judged or saved, and why.
	Notes []string `json:"notes,omitempty"`
}

// Report returns the findings that a filter selects. It does not wait.
func (b *Book) Report(q Filter) Report {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := Report{
		At: b.options.Now(), Workspace: b.options.Workspace, Evaluated: b.evaluated, Cut: b.cut,
		Counts: map[State]int{New: 0, Acknowledged: 0, Resolved: 0}, Findings: []Finding{}, Notes: slices.Clone(b.notes),
	}
	if b.problem != "" {
		r.Notes = append(r.Notes, "what is shown may be old, or is not saved: "+b.problem)
	}
	for i := range b.shown {
		f := &b.shown[i]
		r.Counts[f.State]++
		if q.Picks(f) {
			r.Findings = append(r.Findings, f.clone())
		}
	}
	return r
}

// WriteJSON writes the report as JSON, which decodes into a [Report] again.
func (r *Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(r)
}

// columns are those of the CSV form. Add new ones at the end.
var columns = []string{
	"key", "kind", "severity", "state", "token_id", "operation", "owner", "owner_id", "creator", "text", "do", "since", "resolved",
	"acknowledged_by", "acknowledged_at", "note", "until", "workspace",
}

// WriteCSV writes the findings as CSV: a header and a line for each. Times are in RFC 3339.
// Text that a spreadsheet would run as a formula gets a leading apostrophe.
func (r *Report) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write(columns); err != nil {
		return err
	}
	for i := range r.Findings {
		f := &r.Findings[i]
		by := Acknowledgment{}
		if f.Acknowledged != nil {
			by = *f.Acknowledged
		}
		owner := ""
		if f.OwnerID != 0 {
			owner = strconv.FormatInt(f.OwnerID, 10)
		}
		row := []string{
			f.Key, string(f.Kind), string(f.Severity), string(f.State), f.TokenID, f.Operation, f.Owner, owner, f.Creator, f.Text, f.Do,
			stamp(f.Since), stamp(f.Resolved), by.By, stamp(by.At), by.Note, stamp(by.Until), f.Workspace,
		}
		for i := range row {
			row[i] = usage.CleanCSV(row[i])
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// WriteTable writes the report as text: a summary, and a line for each finding.
func (r *Report) WriteTable(w io.Writer) error {
	var out bytes.Buffer
	out.WriteString(r.summary() + "\n")
	if len(r.Findings) == 0 && r.Counts[New]+r.Counts[Acknowledged]+r.Counts[Resolved] > 0 {
		out.WriteString("\nNo finding matches.\n")
	}
	if len(r.Findings) > 0 {
		out.WriteString("\n")
		t := tabwriter.NewWriter(&out, 0, 8, 2, ' ', 0)
		fmt.Fprintln(t, "KEY\tSEVERITY\tSTATE\tOWNER\tSINCE\tWHAT\tDO")
		for i := range r.Findings {
			f := &r.Findings[i]
			fmt.Fprintln(t, strings.Join([]string{
				shortKey(f), string(f.Severity), string(f.State), usage.Clean(cut(f.Owner, 28)), f.Since.UTC().Format(time.DateOnly),
				usage.Clean(f.Text) + said(f), usage.Clean(f.Do),
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

// shortKey returns as much of a key as names a finding.
func shortKey(f *Finding) string {
	if f.TokenID != "" {
		return keyOf(f.Kind, short(f.TokenID))
	}
	return usage.Clean(f.Key)
}

// said is what was said of a finding when it was acknowledged.
func said(f *Finding) string {
	a := f.Acknowledged
	if a == nil {
		return ""
	}
	text := " (acknowledged"
	if a.By != "" {
		text += " by " + usage.Clean(a.By)
	}
	if !a.Until.IsZero() {
		text += " until " + a.Until.UTC().Format(time.DateOnly)
	}
	if a.Note != "" {
		text += ": " + usage.Clean(cut(a.Note, 80))
	}
	return text + ")"
}

func (r *Report) summary() string {
	s := fmt.Sprintf("%d new, %d acknowledged, %d resolved within 30 days", r.Counts[New], r.Counts[Acknowledged], r.Counts[Resolved])
	if r.Evaluated.IsZero() {
		s += "; not evaluated yet."
	} else {
		s += fmt.Sprintf("; evaluated at %s.", r.Evaluated.UTC().Format("2006-01-02 15:04"))
	}
	if r.Cut > 0 {
		s += fmt.Sprintf("\nCut: %d more, which matter least, are not kept.", r.Cut)
	}
	for _, note := range r.Notes {
		s += "\nNote: " + usage.Clean(note)
	}
	return s
}
