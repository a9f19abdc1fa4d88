package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/adminapi"
)

func recommendCommand(deps Deps) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recommend <token-id> [--used 90d] [--json | --apply [--yes] [--despite-cut]]",
		Short: "Recommends the smallest set of scopes for what a token was seen to use",
		Long: `
Asks a running gateway which scopes cover what a token was seen to use, how much
evidence there is, what would be dropped, whether Databricks' own observations
agree, and how to apply it. Instead of the whole token id, its first eight digits or
more, as scopes report shows them, are enough.

--used leaves out what the token did not use in this time, such as 90d, and lists it.
--json prints JSON.
--apply sets the scopes, after asking. It signs in to the workspace with the flags
  below, not as the gateway.
--yes applies them without asking, if there is enough evidence.
--despite-cut applies them although evidence about the token was dropped to stay within
  limits, or a saved file could not be read. It still asks.

` + signInHelp + addressHelp,
		Example: `  scopegate scopes recommend 3f2a81c09d4e
  scopegate scopes recommend 3f2a81c09d4e --used 90d --apply --profile admin`,
		Args:         oneTokenID,
		SilenceUsage: true,
	}
	flags := cmd.Flags()
	used := flags.String("used", "", "leave out what was not used in this time")
	asJSON := flags.Bool("json", false, "print JSON")
	apply := flags.Bool("apply", false, "set the scopes, after asking")
	yes := flags.Bool("yes", false, "do not ask")
	despiteCut := flags.Bool("despite-cut", false, "apply although evidence is missing")
	admin := addSignInFlags(cmd)
	gateway := addAddressFlag(cmd, deps, admin.config)
	cmd.MarkFlagsMutuallyExclusive("json", "apply")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *yes && !*apply {
			return errors.New("--yes goes with --apply")
		}
		if *despiteCut && !*apply {
			return errors.New("--despite-cut goes with --apply")
		}
		id, err := gateway.tokenID(args[0], *admin.workspace)
		if err != nil {
			return err
		}
		client, err := gateway.client()
		if err != nil {
			return err
		}
		recommendation, err := client.Recommend(adminapi.RecommendQuery{TokenID: id, Workspace: *admin.workspace, Used: *used})
		if err != nil {
			return withHint(err)
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), recommendation, "  ")
		}
		if err := recommendation.WriteText(cmd.OutOrStdout()); err != nil || !*apply {
			return err
		}
		apply := application{id: id, recommendation: recommendation, gateway: gateway, yes: *yes, despiteCut: *despiteCut}
		return apply.run(cmd, deps, admin)
	}
	return cmd
}
