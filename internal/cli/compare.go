package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/mapbundle"
	"github.com/scopegate/scopegate/internal/mapimpact"
	"github.com/scopegate/scopegate/internal/regularfile"
	"github.com/scopegate/scopegate/internal/replay"
	"github.com/scopegate/scopegate/internal/sanitize"
)

const compareHelp = `
--against-usage asks a running gateway what the file of --diff would do to the calls that
  it has seen: which tokens call operations that pass today and would be refused, and
  the reverse. The file is a new one then: a map bundle takes the place of the gateway's
  map, and other rows take the place of its routes. The exit code is 1 if any call would
  be refused.
--workspace is the URL of the workspace. It is needed if the gateway serves several.
`

// compareFlags are the flags that compare a file with usage.
type compareFlags struct {
	againstUsage *bool
	workspace    *string
	gateway      addressFlag
}

func addCompareFlags(cmd *cobra.Command, gateway addressFlag) compareFlags {
	return compareFlags{
		againstUsage: cmd.Flags().Bool("against-usage", false, "compare with the calls that the gateway has seen"),
		workspace:    cmd.Flags().StringP("workspace", "w", "", "URL of the workspace"),
		gateway:      gateway,
	}
}

func (f compareFlags) run(out io.Writer, file string) error {
	if file == "" {
		return errors.New("--against-usage goes with --diff <file>, a map bundle or a routes file")
	}
	content, err := regularfile.Read(file, mapbundle.MaxSize)
	if err != nil {
		return err
	}
	client, err := f.gateway.client()
	if err != nil {
		return err
	}
	impact, err := client.Compare(*f.workspace, file, content)
	if err != nil {
		return withHint(err)
	}
	if err := printImpact(out, &impact); err != nil {
		return err
	}
	if refused := impact.Refused; refused.Calls > 0 {
		return fmt.Errorf("%s would refuse %s", file, summaryOf(&refused))
	}
	return nil
}

// printImpact prints what would be refused, then what would pass.
func printImpact(to io.Writer, impact *mapimpact.Impact) error {
	var out bytes.Buffer
	printChange(&out, "passes today", "pass today", "would be refused", &impact.Refused)
	printChange(&out, "is refused today", "are refused today", "would pass", &impact.Permitted)
	for _, note := range impact.Notes {
		fmt.Fprintf(&out, "Note: %s\n", sanitize.String(note, sanitize.MaxText))
	}
	_, err := to.Write(out.Bytes())
	return err
}

// printChange prints calls that do one thing today, in the singular and plural, and would do
// another.
func printChange(to io.Writer, does, do, would string, change *replay.Change) {
	if change.Calls == 0 {
		fmt.Fprintf(to, "No call that %s %s.\n", does, would)
		return
	}
	if change.Calls == 1 {
		do = does
	}
	fmt.Fprintf(to, "%s %s and %s:\n", summaryOf(change), do, would)
	var table bytes.Buffer
	t := tabwriter.NewWriter(&table, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "OPERATION\tMETHOD\tNEEDS NOW\tWOULD NEED\tTOKEN\tOWNER\tCALLS\tLAST\tREASON\t")
	for i := range change.Lines {
		line := &change.Lines[i]
		reason := string(line.Reason)
		if line.Policy != "" {
			reason += " by " + line.Policy
		}
		if line.EnforcedFrom > 0 {
			reason += fmt.Sprintf(" from %d%%", line.EnforcedFrom)
		}
		cells := []string{line.Operation, line.Method, line.Now, line.Then, line.TokenID[:min(12, len(line.TokenID))], line.Owner, fmt.Sprint(line.Calls), line.Last.UTC().Format(time.DateOnly), reason}
		for k := range cells {
			cells[k] = sanitize.String(cells[k], sanitize.MaxText)
		}
		fmt.Fprintln(t, strings.Join(cells, "\t")+"\t")
	}
	_ = t.Flush() // to memory
	for line := range bytes.Lines(table.Bytes()) {
		fmt.Fprintf(to, "  %s\n", bytes.TrimRight(line, " \n"))
	}
	if n := change.Tokens; len(change.Lines) == replay.MaxLines {
		fmt.Fprintf(to, "  … only the first %d lines of %d tokens are shown; all of these %s\n", replay.MaxLines, n, would)
	}
}

// summaryOf counts a change in words.
func summaryOf(change *replay.Change) string {
	return fmt.Sprintf("%s of %s by %s", plural(change.Calls, "call"), plural(change.Operations, "operation"), plural(change.Tokens, "token"))
}

func plural[N int | uint64](n N, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
