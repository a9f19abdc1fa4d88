package bulk

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"github.com/scopegate/scopegate/internal/sanitize"
	"github.com/scopegate/scopegate/internal/usage"
)

// Widths of columns with text of any length, in characters.
const (
	idDigits    = 12
	ownerWidth  = 32
	scopesWidth = 48
)

// Formats are the forms of plans and results.
var Formats = []string{"table", "json", "csv"}

// Scopes lists scopes for people.
func Scopes(names []string) string {
	if len(names) == 0 {
		return "(everything)"
	}
	return usage.Clean(strings.Join(names, " "))
}

// Write writes the plan as a table, json or csv.
func (p *Plan) Write(w io.Writer, format string) error {
	switch format {
	case "json":
		return writeJSON(w, p)
	case "csv":
		return p.writeCSV(w)
	}
	return p.writeTable(w)
}

func (p *Plan) writeTable(w io.Writer) error {
	var out bytes.Buffer
	counts := make(map[Action]int)
	var rows [][]string
	for i := range p.Rows {
		row := &p.Rows[i]
		counts[row.Action]++
		to := cell(Scopes(row.To), scopesWidth)
		if row.Action != Narrow {
			to = string(row.Action) + ": " + cell(row.Reason, 2*scopesWidth)
		}
		breaks := "-"
		if n := len(row.WouldBreak); n > 0 {
			breaks = count(n, "operation")
		}
		rows = append(rows, []string{cell(row.TokenID, idDigits+1), cell(row.Owner, ownerWidth), cell(Scopes(row.Now), scopesWidth), to, breaks, cell(row.Comment, ownerWidth)})
	}
	fmt.Fprintf(&out, "%d of %s of %s: %d to narrow, %d to keep, %d skipped.\n", len(p.Rows), count(p.Tokens, "token"), usage.Clean(p.Workspace), counts[Narrow], counts[Keep], counts[Skip])
	for _, note := range p.Notes {
		fmt.Fprintf(&out, "Note: %s\n", usage.Clean(note))
	}
	if len(rows) > 0 {
		out.WriteString("\n")
		table(&out, []string{"TOKEN", "OWNER", "NOW", "NARROWED TO", "WOULD BREAK", "COMMENT"}, rows)
	}
	p.listUses(&out, "Would break once the gateway enforces, whether narrowed or not:", func(row *Row) []Use { return row.WouldBreak })
	p.listUses(&out, "Optional calls, which clients go on without:", func(row *Row) []Use { return row.Optional })
	p.listNotes(&out)
	_, err := w.Write(out.Bytes())
	return err
}

// listNotes lists what to know before tokens are narrowed, each note once.
func (p *Plan) listNotes(out *bytes.Buffer) {
	var notes []string
	whose := make(map[string][]string)
	for i := range p.Rows {
		for _, note := range p.Rows[i].Notes {
			if p.Rows[i].Action != Narrow {
				continue
			}
			if whose[note] == nil {
				notes = append(notes, note)
			}
			whose[note] = append(whose[note], cell(p.Rows[i].TokenID, idDigits+1))
		}
	}
	var rows [][]string
	for _, note := range notes {
		ids := "  " + whose[note][0]
		if more := len(whose[note]) - 1; more > 0 {
			ids += fmt.Sprintf(" and %d more", more)
		}
		rows = append(rows, []string{ids, usage.Clean(note)})
	}
	if len(rows) > 0 {
		out.WriteString("\nNotes on tokens to narrow:\n")
		table(out, nil, rows)
	}
}

// listUses lists operations of all tokens.
func (p *Plan) listUses(out *bytes.Buffer, title string, of func(*Row) []Use) {
	var rows [][]string
	for i := range p.Rows {
		for _, u := range of(&p.Rows[i]) {
			rows = append(rows, []string{"  " + cell(p.Rows[i].TokenID, idDigits+1), usage.Clean(u.Method + " " + u.Template), count(int(min(u.Calls, 1<<53)), "call"), usage.Clean(u.why)})
		}
	}
	if len(rows) > 0 {
		fmt.Fprintf(out, "\n%s\n", title)
		table(out, nil, rows)
	}
}

func (p *Plan) writeCSV(w io.Writer) error {
	rows := [][]string{{"token_id", "owner_id", "owner", "comment", "action", "reason", "now", "narrow_to", "would_break", "optional", "calls", "days", "enough_evidence"}}
	for i := range p.Rows {
		row := &p.Rows[i]
		number := ""
		if row.OwnerID != 0 {
			number = strconv.FormatInt(row.OwnerID, 10)
		}
		rows = append(rows, []string{
			row.TokenID, number, row.Owner, row.Comment, string(row.Action), row.Reason, strings.Join(row.Now, " "), strings.Join(row.To, " "),
			usesText(row.WouldBreak), usesText(row.Optional), strconv.FormatUint(row.Evidence.Calls, 10), strconv.Itoa(row.Evidence.Days), strconv.FormatBool(row.Evidence.Enough),
		})
	}
	return writeCSV(w, rows)
}

func usesText(uses []Use) string {
	var texts []string
	for _, u := range uses {
		text := u.Method + " " + u.Template
		if u.why != "" {
			text += ": " + u.why
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, "; ")
}

// table writes aligned columns. Without a header there is none.
func table(out *bytes.Buffer, header []string, rows [][]string) {
	var aligned bytes.Buffer
	t := tabwriter.NewWriter(&aligned, 0, 8, 2, ' ', 0)
	if header != nil {
		fmt.Fprintln(t, strings.Join(header, "\t"))
	}
	for _, row := range rows {
		fmt.Fprintln(t, strings.Join(row, "\t"))
	}
	_ = t.Flush() // to memory
	for line := range bytes.Lines(aligned.Bytes()) {
		fmt.Fprintf(out, "%s\n", bytes.TrimRight(line, " \n"))
	}
}

// cell makes text fit a table. Spaces in it do not look like the end of the column.
func cell(s string, width int) string {
	if s = strings.Join(strings.Fields(usage.Clean(s)), " "); utf8.RuneCountInString(s) > width {
		s = string([]rune(s)[:width-1]) + "…"
	}
	return s
}

func writeCSV(w io.Writer, rows [][]string) error {
	out := csv.NewWriter(w)
	for _, row := range rows {
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

func writeJSON(w io.Writer, value any) error {
	document, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(sanitize.JSON(document), '\n'))
	return err
}
