package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/adminapi"
)

const recommendHelp = `
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
`

func recommendCommand(deps Deps) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recommend <token-id> [--used 90d] [--json | --apply [--yes] [--despite-cut] | --native]",
		Short: "Recommends the smallest set of scopes for what a token was seen to use",
		Long:  recommendHelp + nativeHelp + "\n" + signInHelp + addressHelp,
		Example: `  scopegate scopes recommend 3f2a81c09d4e
  scopegate scopes recommend 3f2a81c09d4e --used 90d --apply --profile admin
  scopegate scopes recommend 3f2a81c09d4e --native --format terraform > native.tf
  scopegate scopes recommend 3f2a81c09d4e 77b0c2d5 --native --allow-others`,
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
	forDatabricks := addNativeFlags(cmd)
	cmd.Args = forDatabricks.args
	cmd.MarkFlagsMutuallyExclusive("json", "apply")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkApply(*apply, *yes, *despiteCut); err != nil {
			return err
		}
		if err := forDatabricks.check(cmd); err != nil {
			return err
		}
		asked, err := admin.asked(deps)
		if err != nil {
			return err
		}
		ids, err := uniqueIDs(gateway, args, asked)
		if err != nil {
			return err
		}
		id := ids[0]
		client, err := gateway.client()
		if err != nil {
			return err
		}
		if *forDatabricks.on {
			return forDatabricks.run(cmd, ids, client, asked, *used)
		}
		recommendation, err := client.Recommend(adminapi.RecommendQuery{TokenID: id, Workspace: asked, Used: *used})
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

// checkApply refuses what means nothing without --apply.
func checkApply(apply, yes, despiteCut bool) error {
	switch {
	case yes && !apply:
		return errors.New("--yes goes with --apply")
	case despiteCut && !apply:
		return errors.New("--despite-cut goes with --apply")
	}
	return nil
}
