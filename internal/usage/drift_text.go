package usage

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// WriteTable writes the report as text: a summary, an aligned table with a line for each
// operation, and what to do next.
func (d *Drift) WriteTable(w io.Writer) error {
	var out bytes.Buffer
	out.WriteString(d.summary() + "\n")
	if len(d.Rows) > 0 {
		out.WriteString("\n")
		t := tabwriter.NewWriter(&out, 0, 8, 2, ' ', 0)
		fmt.Fprintln(t, "STATE\tOPERATION\tREQUEST\tMAP SAYS\tWORKSPACE SAYS\tAGREED\tDISAGREED\tFIRST\tLAST")
		for i := range d.Rows {
			r := &d.Rows[i]
			fmt.Fprintln(t, strings.Join([]string{
				string(r.State), Clean(r.Operation), Clean(r.Method + " " + r.Template), Clean(needsInWords(r.Needs)), Clean(r.says()),
				strconv.FormatUint(r.Agreed, 10), strconv.FormatUint(r.Disagreed, 10), date(r.First), date(r.Last),
			}, "\t"))
		}
		if err := t.Flush(); err != nil {
			return err
		}
	}
	if next := d.next(); next != "" {
		out.WriteString("\n" + next)
	}
	// Every cell is padded, including the last of a line.
	for line := range bytes.Lines(out.Bytes()) {
		if _, err := fmt.Fprintf(w, "%s\n", bytes.TrimRight(line, " \n")); err != nil {
			return err
		}
	}
	return nil
}

// says is what the workspace's answers say about the row.
func (r *DriftRow) says() string {
	switch {
	case r.Correction != "":
		return needsInWords(r.Correction)
	case r.Disagreed == 0:
		return "the same"
	case len(r.Named) > 0:
		return "names " + strings.Join(r.Named, ", ")
	}
	return "?"
}

// needsInWords writes an any_of column as a person would.
func needsInWords(column string) string {
	switch column {
	case "*":
		return "any scope"
	case "public":
		return "no token"
	case "account":
		return "an account-level token"
	}
	needs, optional := strings.CutSuffix(column, ",optional")
	needs = strings.NewReplacer(",", " or ", "+", " and ").Replace(needs)
	if optional {
		needs += " (optional)"
	}
	return needs
}

// summary says how much there is to correct, and what that rests on.
func (d *Drift) summary() string {
	s := "No answer of the workspace could be compared with the map yet."
	if d.Operations > 0 {
		s = fmt.Sprintf("%s of the workspace about %s: %d agreed with the map, %d disagreed.",
			count(d.Agreed+d.Disagreed, "answer"), count(d.Operations, "operation"), d.Agreed, d.Disagreed)
	}
	for _, note := range d.Notes {
		s += "\nNote: " + Clean(note)
	}
	return s
}

// next says what to do.
func (d *Drift) next() string {
	var b strings.Builder
	for _, r := range d.in(DriftUndecided) {
		fmt.Fprintf(&b, "Undecided: %s %s: %s.\n", Clean(r.Method), Clean(r.Template), Clean(r.Problem))
	}
	switch wrong := len(d.in(DriftWrong)); {
	case wrong > 0:
		fmt.Fprintf(&b, "To correct %s here: scopegate scopes drift --write routes.tsv, the file that the option\nroutes names. To have the map corrected for all: scopegate scopes drift --upstream.\n", count(wrong, "row"))
	case b.Len() == 0 && d.Operations > 0:
		b.WriteString("There is nothing to correct.\n")
	}
	return b.String()
}

// driftColumns are those of the CSV form. Add new ones at the end.
var driftColumns = []string{"state", "operation", "method", "template", "needs", "evidence", "shipped_needs", "named", "correction", "problem", "agreed", "disagreed", "first_seen", "last_seen"}

// WriteCSV writes the report as CSV: a header and a line for each operation. Lists are
// separated by spaces, and times are in RFC 3339. See [Report.WriteCSV] for formulas.
func (d *Drift) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write(driftColumns); err != nil {
		return err
	}
	for i := range d.Rows {
		r := &d.Rows[i]
		if err := out.Write([]string{
			string(r.State), harmless(r.Operation), harmless(r.Method), harmless(r.Template), harmless(r.Needs), string(r.Evidence), harmless(r.ShippedNeeds),
			harmless(strings.Join(r.Named, " ")), harmless(r.Correction), harmless(r.Problem),
			strconv.FormatUint(r.Agreed, 10), strconv.FormatUint(r.Disagreed, 10), stamp(r.First), stamp(r.Last),
		}); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// WriteUpstream writes a report for the maintainers of the map, out of Upstream. It has
// nothing of the customer's: no host, path, token, name or count, no time finer than a day,
// and only rows that the gateway ships with.
func (d *Drift) WriteUpstream(w io.Writer) error {
	t := &textWriter{w: w}
	t.line("# Rows of the scopegate map that a workspace's answers contradict.")
	t.line("# catalog %s, reported %s", Clean(d.Shipped), date(d.At))
	t.line("# method\ttemplate\toperation\tshipped\tanswers say\tnamed in refusals\tlast seen")
	for i := range d.Upstream {
		r := &d.Upstream[i]
		t.line("%s\t%s\t%s\t%s\t%s\t%s\t%s", Clean(r.Method), Clean(r.Template), Clean(r.Operation), Clean(r.Needs), cmp.Or(Clean(r.Correction), "?"), cmp.Or(join(r.Named), "-"), date(r.Last))
	}
	return t.err
}
