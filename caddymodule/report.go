package caddymodule

import (
	"net/url"
	"strconv"

	"github.com/spf13/cobra"
)

func reportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "report [--unscoped] [--no-expiry] [--unused 30d] [--expiring 14d] [--owner <name>] [--format table|json|csv]",
		Short: "Tells what tokens hold and what they were seen to use",
		Long: `
Asks a running gateway for its report on the workspace's tokens: owner, comment,
age, expiry, the scopes that each holds and those that its calls need, how many
calls there were, what was or would have been refused, and how much evidence that
is. Tokens that were never seen are listed too.

All filters that are set must hold:
--unscoped picks tokens that may do everything.
--no-expiry picks tokens that never expire.
--unused picks tokens that were not used for that long, here or, as far as
  Databricks tells, elsewhere, such as 30d.
--expiring picks tokens that expire within that time, such as 14d.
--owner picks by the owner's name or id; * and ? are wildcards.

--sort is calls, denials, last, expires, created, owner or unmapped.
--format is table, json or csv.
--workspace names one where the gateway serves several.
` + addressHelp,
		Example: `  scopegate scopes report --unscoped --unused 30d
  scopegate scopes report --format csv > tokens.csv`,
		Args:         cobra.NoArgs,
		SilenceUsage: true,
	}
	flags := cmd.Flags()
	format := flags.String("format", "table", "table, json or csv")
	sort := flags.String("sort", "", "what to sort by (default calls)")
	unscoped := flags.Bool("unscoped", false, "tokens that may do everything")
	noExpiry := flags.Bool("no-expiry", false, "tokens that never expire")
	unused := flags.String("unused", "", "tokens that were not used for this long")
	expiring := flags.String("expiring", "", "tokens that expire within this time")
	owner := flags.String("owner", "", "tokens of this owner")
	workspace := flags.StringP("workspace", "w", "", "URL of the workspace")
	gateway := addAddress(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		// What is empty counts as not given.
		query := url.Values{
			queryFormat: {*format}, querySort: {*sort}, queryWorkspace: {*workspace}, queryOwner: {*owner},
			queryUnused: {*unused}, queryExpiring: {*expiring},
			queryUnscoped: {strconv.FormatBool(*unscoped)}, queryNoExpiry: {strconv.FormatBool(*noExpiry)},
		}
		return gateway.print(cmd.OutOrStdout(), "usage", query)
	}
	return cmd
}
