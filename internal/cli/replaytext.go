package cli

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/replay"
	"github.com/scopegate/scopegate/internal/usage"
)

func (r *replayFlags) print(cmd *cobra.Command, answer *replayed) error {
	switch r.format {
	case "json":
		return printJSON(cmd.OutOrStdout(), answer, "  ")
	case "csv":
		for _, note := range answer.Notes {
			fmt.Fprintf(cmd.ErrOrStderr(), "note: %s\n", usage.Clean(note))
		}
		return answer.writeCSV(cmd.OutOrStdout())
	}
	return answer.writeText(cmd.OutOrStdout())
}

// writeText writes what is judged, what would be refused, what would pass, what policies would
// refuse, and what could not be judged.
func (a *replayed) writeText(to io.Writer) error {
	var out bytes.Buffer
	fmt.Fprintf(&out, "Judged by %s: rules %s, map %s, %s", a.Config, a.Rules, a.Catalog, plural(a.Handlers, "handler"))
	if a.AsEnforced {
		out.WriteString(", as if all were enforced")
	}
	out.WriteString(".\n")
	judged := summaryOf(&replay.Change{Operations: a.Judged.Operations, Tokens: a.Judged.Tokens, Calls: a.Judged.Calls})
	if a.Decisions > 0 {
		fmt.Fprintf(&out, "Compared with %s recorded from %s to %s: %s could be judged.\n", plural(a.Decisions, "decision"), stamp(a.First), stamp(a.Last), judged)
		printChange(&out, "passed", "passed", "would be refused", &a.Refused)
		printChange(&out, "was refused", "were refused", "would pass", &a.Permitted)
	} else {
		fmt.Fprintf(&out, "Compared with the rules in force of the gateway of %s: %s seen since %s.\n", usage.Clean(a.Workspace), judged, stamp(a.Since))
		printChange(&out, "passes today", "pass today", "would be refused", &a.Refused)
		printChange(&out, "is refused today", "are refused today", "would pass", &a.Permitted)
	}
	a.writeRehearsals(&out)
	for _, u := range a.Unjudged {
		fmt.Fprintf(&out, "Not judged: %s of %s: %s.\n", plural(u.Calls, "call"), plural(u.Tokens, "token"), u.Why)
	}
	for _, note := range a.Notes {
		fmt.Fprintf(&out, "Note: %s\n", usage.Clean(note))
	}
	_, err := to.Write(out.Bytes())
	return err
}

// writeRehearsals writes what each policy would refuse at which percentage. Steps that add
// nothing are left out.
func (a *replayed) writeRehearsals(to io.Writer) {
	if len(a.Rehearsals) == 0 {
		return
	}
	fmt.Fprintln(to, "What each rehearsed policy alone would refuse of what passes:")
	var table bytes.Buffer
	t := tabwriter.NewWriter(&table, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "POLICY\tENFORCED FOR\tIF ENFORCED FOR\tTOKENS\tCALLS\t")
	for _, r := range a.Rehearsals {
		for i, step := range r.Steps {
			if last := i == len(r.Steps)-1; last || step.Tokens > 0 && (i == 0 || step.Calls != r.Steps[i-1].Calls) {
				fmt.Fprintf(t, "%s\t%d%%\t%d%%\t%d\t%d\t\n", usage.Clean(r.Policy), r.Percent, step.Percent, step.Tokens, step.Calls)
			}
		}
	}
	_ = t.Flush() // to memory
	for line := range bytes.Lines(table.Bytes()) {
		fmt.Fprintf(to, "  %s\n", bytes.TrimRight(line, " \n"))
	}
}

// stamp formats the time of something that happened, to the minute.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "?"
	}
	return t.UTC().Format("2006-01-02 15:04")
}

// replayColumns are those of the CSV form. Add new ones at the end.
var replayColumns = []string{
	"change", "token_id", "owner", "operation", "method", "template", "needs_now", "needs_then", "reason", "policy", "enforced_from", "calls", "last_seen",
}

// writeCSV writes a line for each token and operation of which something changes, and one for
// each reason for which calls could not be judged.
func (a *replayed) writeCSV(to io.Writer) error {
	out := csv.NewWriter(to)
	write := func(cells ...string) {
		for i := range cells {
			cells[i] = usage.CleanCSV(cells[i])
		}
		_ = out.Write(cells) // Error tells
	}
	write(replayColumns...)
	for _, direction := range []struct {
		name string
		replay.Change
	}{{"refused", a.Refused}, {"permitted", a.Permitted}} {
		for i := range direction.Lines {
			l := &direction.Lines[i]
			from := ""
			if l.EnforcedFrom > 0 {
				from = strconv.Itoa(l.EnforcedFrom)
			}
			write(direction.name, l.TokenID, l.Owner, l.Operation, l.Method, l.Template, l.Now, l.Then, string(l.Reason), l.Policy, from,
				strconv.FormatUint(l.Calls, 10), l.Last.UTC().Format(time.RFC3339))
		}
	}
	for _, u := range a.Unjudged {
		write("unjudged", "", "", "", "", "", "", "", u.Why, "", "", strconv.FormatUint(u.Calls, 10), "")
	}
	out.Flush()
	return out.Error()
}
