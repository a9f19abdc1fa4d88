package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/adminapi"
)

const reportScreen = `
Lists the tokens of a workspace: what each holds, what its calls need, how often it was
used, and what was or would be refused. Tokens that were never seen are listed, too.

  scopegate scopes report
  scopegate scopes report --unscoped --unused 30d
  scopegate scopes report --format csv > tokens.csv

A token must match all filters that are set:
--unscoped           may do everything
--no-expiry          never expires
--expiring <time>    expires within this time, such as 14d
--unused <time>      not used for this long, through the gateway or, as far as
                     Databricks reports it, elsewhere
--owner <name>       its owner has this name or id; * and ? are wildcards

--sort <by>          calls (default), denials, last, expires, created, owner or unmapped
--format <form>      table, json or csv
--workspace <url>    needed if the gateway serves several
--config  --adapter  --address    how to find the gateway
`

func reportCommand(deps Deps) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "report [--unscoped] [--no-expiry] [--unused 30d] [--expiring 14d] [--owner <name>] [--format table|json|csv]",
		Short: "Shows what tokens hold and what they were seen to use",
		Long: `
Asks a running gateway for a report on the tokens of its workspace: owner, comment,
age, expiry, the scopes that each token holds and those that its calls need, the
number of calls, what was or would have been refused, and how much evidence there
is. Tokens that the gateway never saw are listed too.

Filters; a token must match all that are set:
--unscoped keeps tokens that may do everything.
--no-expiry keeps tokens that never expire.
--unused keeps tokens that were not used for this long, such as 30d, through the
  gateway or, as far as Databricks reports it, elsewhere.
--expiring keeps tokens that expire within this time, such as 14d.
--owner keeps tokens whose owner has this name or id; * and ? are wildcards.

--sort is calls, denials, last, expires, created, owner or unmapped. Default: calls.
--format is table, json or csv. Default: table.
--workspace is the URL of the workspace. It is needed if the gateway serves several.
--config names the gateway by its configuration file.
` + adapterHelp + addressHelp,
		Example: `  scopegate scopes report --unscoped --unused 30d
  scopegate scopes report --owner '*@example.com' --sort last
  scopegate scopes report --format csv > tokens.csv`,
		Args:         cobra.NoArgs,
		SilenceUsage: true,
	}
	oneScreen(cmd, reportScreen)
	var query adminapi.ReportQuery
	flags := cmd.Flags()
	flags.StringVar(&query.Format, "format", "table", "table, json or csv")
	flags.StringVar(&query.Sort, "sort", "", "what to sort by (default calls)")
	flags.BoolVar(&query.Unscoped, "unscoped", false, "tokens that may do everything")
	flags.BoolVar(&query.NoExpiry, "no-expiry", false, "tokens that never expire")
	flags.StringVar(&query.Unused, "unused", "", "tokens that were not used for this long")
	flags.StringVar(&query.Expiring, "expiring", "", "tokens that expire within this time")
	flags.StringVar(&query.Owner, "owner", "", "tokens of this owner")
	flags.StringVarP(&query.Workspace, "workspace", "w", "", "URL of the workspace")
	gateway := addAddressFlag(cmd, deps, addConfigFlags(cmd, "configuration file of the gateway"))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		client, err := gateway.client()
		if err != nil {
			return err
		}
		report, err := client.Report(query)
		if err != nil {
			return withHint(err)
		}
		defer report.Close()
		_, err = io.Copy(cmd.OutOrStdout(), report)
		return err
	}
	return cmd
}
