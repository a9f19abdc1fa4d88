package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/routesfile"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

const driftScreen = `
Shows where the workspace's own answers disagree with the map, and corrects it.

  scopegate scopes drift                           what disagrees, and what is right
  scopegate scopes drift --write routes.tsv        corrects the rows in a routes file
  scopegate scopes drift --upstream > report.tsv   for the maintainers of the map

One refusal can be enough to know what an operation needs. Where answers contradict each
other, the command says so and leaves the row as it is.

--all                also list what the workspace confirmed, or what was corrected
--write <file>       beside the rows that are there; a gateway whose option routes names
                     the file uses it within seconds
--routes             print the corrected rows instead
--upstream           print a report without hosts, paths, tokens, names and counts
--format <form>      table, json or csv
--workspace <url>    needed if the gateway serves several
--config  --adapter  --address    how to find the gateway

The exit code is 0 with and without disagreements.
`

func driftCommand(deps Deps) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "drift [--all] [--format table|json|csv | --write <routes file> | --routes | --upstream]",
		Short: "Shows where the workspace's own answers disagree with the map, and corrects it",
		Long: `
Asks a running gateway what it learned from the workspace's answers: the operations
that need other scopes than the map says, and what they need. One refusal can be
enough to know; where answers contradict each other, the command says so and leaves
the row as it is.

--write puts the corrected rows into this routes file, beside the rows that are
  there, and creates the file if there is none. A row that is corrected stays in it
  as a comment. A gateway whose option routes names the file uses it within seconds.
--routes prints the corrected rows instead.
--upstream prints a report to send to the maintainers of the map. It has no host,
  path, token, name or count, and no rows of your own.
--all lists also the operations that the workspace confirmed or that were corrected.
--format is table, json or csv. Default: table.
--workspace is the URL of the workspace. It is needed if the gateway serves several.
--config names the gateway by its configuration file.
` + adapterHelp + addressHelp + `
The exit code is 0 with and without disagreements.
`,
		Example: `  scopegate scopes drift
  scopegate scopes drift --write routes.tsv
  scopegate scopes drift --upstream > map-report.tsv`,
		Args:         cobra.NoArgs,
		SilenceUsage: true,
	}
	oneScreen(cmd, driftScreen)
	var query adminapi.DriftQuery
	flags := cmd.Flags()
	flags.BoolVar(&query.All, "all", false, "list confirmed and corrected operations, too")
	flags.StringVar(&query.Format, "format", "table", "table, json or csv")
	write := flags.String("write", "", "routes file to put corrected rows into")
	rows := flags.Bool("routes", false, "print corrected rows")
	upstream := flags.Bool("upstream", false, "print a report to send upstream")
	flags.StringVarP(&query.Workspace, "workspace", "w", "", "URL of the workspace")
	gateway := addAddressFlag(cmd, deps, addConfigFlags(cmd, "configuration file of the gateway"))
	cmd.MarkFlagsMutuallyExclusive("format", "write", "routes", "upstream")
	cmd.MarkFlagsMutuallyExclusive("all", "write", "routes", "upstream")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		client, err := gateway.client()
		if err != nil {
			return err
		}
		if *write == "" && !*rows && !*upstream {
			report, err := client.DriftReport(query)
			if err != nil {
				return withHint(err)
			}
			defer report.Close()
			_, err = io.Copy(cmd.OutOrStdout(), report)
			return err
		}
		query.All = *upstream // what was corrected here is news elsewhere
		drift, err := client.Drift(query)
		switch {
		case err != nil:
			return withHint(err)
		case *upstream:
			return drift.WriteUpstream(cmd.OutOrStdout())
		}
		defer noteDrift(cmd.ErrOrStderr(), drift)
		corrections, err := drift.Corrections()
		switch {
		case err != nil:
			return err
		case *rows:
			return scopes.Format(cmd.OutOrStdout(), corrections)
		}
		return writeRoutes(cmd.OutOrStdout(), *write, drift.At, corrections, func() (*scopes.Catalog, error) { return client.Base(query.Workspace) })
	}
	return cmd
}

// noteDrift says what could not be corrected, and why.
func noteDrift(to io.Writer, drift *usage.Drift) {
	for _, note := range drift.Notes {
		fmt.Fprintf(to, "note: %s\n", usage.Clean(note))
	}
	for i := range drift.Rows {
		if r := &drift.Rows[i]; r.State == usage.DriftUndecided {
			fmt.Fprintf(to, "note: no row for %s %s: %s\n", usage.Clean(r.Method), usage.Clean(r.Template), usage.Clean(r.Problem))
		}
	}
}

// writeRoutes puts rows into a routes file that goes over the gateway's map, and says what to
// do with it.
func writeRoutes(out io.Writer, file string, at time.Time, rows []scopes.Operation, base func() (*scopes.Catalog, error)) error {
	over, err := base()
	if err != nil {
		return withHint(err)
	}
	merged, err := routesfile.Merge(file, "from scopegate scopes drift, "+at.UTC().Format(time.DateOnly), rows, over)
	if err != nil {
		return fmt.Errorf("writing the routes file: %w", err)
	}
	for _, part := range []struct {
		what string
		rows []scopes.Operation
	}{{"added", merged.Added}, {"replaced", merged.Replaced}, {"there already", merged.Same}} {
		for i := range part.rows {
			row := &part.rows[i]
			printLine(out, part.what, fmt.Sprintf("%s %s %s", row.Method, row.Template, row.Needs()))
		}
	}
	switch {
	case merged.Changed():
		fmt.Fprintf(out, "A gateway that uses this file takes it up within seconds. Otherwise name it with the option routes, and reload.\n")
	case len(merged.Same) > 0:
		fmt.Fprintf(out, "The file was not changed. The gateway does not use it yet: name it with the option routes, and reload.\n")
	default:
		fmt.Fprintf(out, "There is nothing to correct, so no file was written.\n")
	}
	return nil
}
