package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/fleetreport"
)

const fleetScreen = `
Shows the gateways that share what they know, and their edges: what this gateway is,
whether its store or authority can be reached, and which edges are behind.

  scopegate scopes fleet            a table of gateways and edges
  scopegate scopes fleet --behind   only edges that are behind, or have left lately
  scopegate scopes fleet --check    for monitoring: exits with 1 if something is wrong

An edge knows only its own authority; ask an authority for the edges.

--check              wrong is: a store or an authority is down, a store refuses
                     operations, or an edge is behind for more than ten seconds
--format <form>      table, json or csv
--workspace <url>    default: all workspaces of the gateway
--config  --adapter  --address    how to find the gateway
`

func fleetCommand(deps Deps) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fleet [--behind] [--check] [--format table|json|csv]",
		Short: "Shows the gateways that share what they know, and the edges",
		Long: `
Asks a running gateway about its fleet, for each workspace: what the gateway is (on
its own, sharing through a store, an authority or an edge), whether its store or its
authority can be reached, the other gateways, and the edges with their version, what
they have not applied yet, and when they were last heard of. An edge knows only its
own authority; ask an authority for the edges.

--behind lists only edges that are behind, or that have left lately.
--check exits with 1 if a store or an authority is down, if a store refuses operations
  (one that is full takes no changes), or if an edge has been behind for more than ten
  seconds. It waits that long for edges that are behind now. An edge that has left is
  no problem.
--format is table, json or csv. Default: table. BEHIND is the time between the last
  change and the last that the edge has applied.
--workspace is the URL of the workspace. Default: all of the gateway's.
--config names the gateway by its configuration file.
` + adapterHelp + addressHelp,
		Example: `  scopegate scopes fleet
  scopegate scopes fleet --behind
  scopegate scopes fleet --check --format json`,
		Args:         cobra.NoArgs,
		SilenceUsage: true,
	}
	oneScreen(cmd, fleetScreen)
	flags := cmd.Flags()
	behind := flags.Bool("behind", false, "only edges that are behind, or have left")
	check := flags.Bool("check", false, "exit with 1 if something is down or behind")
	format := flags.String("format", "table", "table, json or csv")
	workspace := flags.StringP("workspace", "w", "", "URL of the workspace")
	gateway := addAddressFlag(cmd, deps, addConfigFlags(cmd, "configuration file of the gateway"))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		write := (*fleetreport.Report).WriteTable
		switch *format {
		case "table":
		case "json":
			write = (*fleetreport.Report).WriteJSON
		case "csv":
			write = (*fleetreport.Report).WriteCSV
		default:
			return fmt.Errorf("--format must be table, json or csv, not %q", *format)
		}
		client, err := gateway.client()
		if err != nil {
			return err
		}
		report, err := askFleet(client, *workspace)
		if err != nil {
			return withHint(err)
		}
		shown := report
		if *behind {
			shown = report.Behind()
		}
		if err := write(&shown, cmd.OutOrStdout()); err != nil || !*check {
			return err
		}
		showNow(cmd)
		return checkFleet(cmd.Context(), client, *workspace, &report)
	}
	return cmd
}

func askFleet(client adminapi.Client, workspace string) (fleetreport.Report, error) {
	all, err := client.Fleet(workspace)
	return fleetreport.Report{At: time.Now(), Fleets: all}, err
}

// checkFleet fails if something is down, or an edge stays behind.
func checkFleet(ctx context.Context, client adminapi.Client, workspace string, report *fleetreport.Report) error {
	problems := report.Down()
	if len(problems) == 0 {
		lags, err := stillBehind(ctx, client, workspace, report)
		if err != nil {
			return withHint(err)
		}
		if n := len(lags); n > 0 {
			verb := "have"
			if n == 1 {
				verb = "has"
			}
			problems = append(problems, fmt.Sprintf("%s %s been behind for more than %s: %s", edges(n), verb, fleetreport.Patience, someNames(lags.Names(), n)))
		}
	}
	if len(problems) > 0 {
		return errors.New(strings.Join(problems, "; "))
	}
	return nil
}

// stillBehind asks again until no edge is behind the last change of the first report, or they
// have had their time. One that keeps up with the changes is behind from time to time.
func stillBehind(ctx context.Context, client adminapi.Client, workspace string, first *fleetreport.Report) (fleetreport.Lags, error) {
	lags := first.Lags()
	deadline := first.At.Add(fleetreport.Patience)
	for len(lags) > 0 && time.Now().Before(deadline) {
		if err := sleep(ctx, lastPoll); err != nil {
			return nil, err
		}
		now, err := askFleet(client, workspace)
		if err != nil {
			return nil, err
		}
		lags = lags.Still(&now)
	}
	return lags, nil
}
