package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/findings"
)

const findingsScreen = `
Shows what is wrong with the tokens of a workspace, and what to do about it.

  scopegate scopes findings                                what holds, the gravest first
  scopegate scopes findings acknowledge <key> --note why   marks one that may stay
  scopegate scopes findings --fail-on new                  for CI: exits with 1

--kind <kind>        owner_gone, unscoped, never_expires, unused, near_expiry,
                     refused_often, map_disagreement or unused_scopes
--state <state>      new, acknowledged or resolved; default: new and acknowledged
--owner <name>       only this owner's tokens, by name or id; * and ? are wildcards
--token <id>         only this token, by the first digits of its id
--fail-on new        exit with 1 if any of these findings is new
--format <form>      table, json or csv
--workspace <url>    needed if the gateway serves several
--config  --adapter  --address    how to find the gateway

Example: scopegate scopes findings --kind unscoped --owner '*@example.com'
`

func findingsCommand(deps Deps) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "findings [--state <state>] [--kind <kind>] [--owner <name>] [--fail-on new] [--format table|json|csv]",
		Short: "Shows what is wrong with the tokens of a workspace, and what to do",
		Long: `
Asks a running gateway what is wrong with the tokens of its workspace. A finding is
new until someone acknowledges it, and resolved once its cause has ended.

--state is new, acknowledged or resolved. Default: new and acknowledged.
--kind is owner_gone, unscoped, never_expires, unused, near_expiry, refused_often,
  map_disagreement or unused_scopes. Default: all.
--owner keeps those of this owner, by name or id; * and ? are wildcards.
--token keeps those of one token, by its id or the beginning of it.
--fail-on new exits with 1 if any finding of this kind, owner and token is new.
--format is table, json or csv. Default: table.
--workspace is the URL of the workspace. It is needed if the gateway serves several.
--config names the gateway by its configuration file.
` + adapterHelp + addressHelp,
		Example: `  scopegate scopes findings
  scopegate scopes findings --kind unscoped --fail-on new
  scopegate scopes findings --state resolved --format csv > resolved.csv
  scopegate scopes findings acknowledge never_expires:3f2a81c09d4e --note JIRA-42`,
		Args:         cobra.NoArgs,
		SilenceUsage: true,
	}
	oneScreen(cmd, findingsScreen)
	var query adminapi.FindingsQuery
	flags := cmd.Flags()
	flags.StringVar(&query.Format, "format", "table", "table, json or csv")
	flags.StringVar(&query.State, "state", "", "new, acknowledged or resolved")
	flags.StringVar(&query.Kind, "kind", "", "what is wrong")
	flags.StringVar(&query.Owner, "owner", "", "findings about tokens of this owner")
	flags.StringVar(&query.TokenID, "token", "", "findings about the token with this id")
	failOn := flags.String("fail-on", "", "new: exit with 1 if there are new findings")
	flags.StringVarP(&query.Workspace, "workspace", "w", "", "URL of the workspace")
	gateway := addAddressFlag(cmd, deps, addConfigFlags(cmd, "configuration file of the gateway"))
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *failOn != "" && *failOn != string(findings.New) {
			return fmt.Errorf("--fail-on must be new, not %q", *failOn)
		}
		client, err := gateway.client()
		if err != nil {
			return err
		}
		report, err := client.FindingsReport(query)
		if err != nil {
			return withHint(err)
		}
		defer report.Close()
		if _, err := io.Copy(cmd.OutOrStdout(), report); err != nil || *failOn == "" {
			return err
		}
		return failOnNew(client, query)
	}
	cmd.AddCommand(acknowledgeCommand(deps))
	return cmd
}

// failOnNew fails if any finding is new that a query selects, but for its state.
func failOnNew(client adminapi.Client, query adminapi.FindingsQuery) error {
	query.State = string(findings.New)
	report, err := client.Findings(query)
	if err != nil {
		return withHint(err)
	}
	switch n := len(report.Findings); n {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("1 finding is new")
	default:
		return fmt.Errorf("%d findings are new", n)
	}
}
