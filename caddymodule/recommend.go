package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

func recommendCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recommend <token-id> [--json | --apply [--yes]]",
		Short: "Tells the smallest set of scopes for what a token was seen to use",
		Long: `
Asks a running gateway which scopes cover what a token was seen to use, how much
evidence there is for that, what would be dropped, whether Databricks' own
observations agree, and how to apply it.

--json prints it for programs.
--apply sets the scopes, after asking. It signs in to the workspace as described
  below, not as the gateway.
--yes does so without asking, if there is enough evidence.
--workspace, where the gateway serves several, says which one.
` + signInHelp + addressHelp,
		Args:         cobra.ExactArgs(1),
		SilenceUsage: true,
	}
	flags := cmd.Flags()
	asJSON := flags.Bool("json", false, "print JSON")
	apply := flags.Bool("apply", false, "set the scopes, after asking")
	yes := flags.Bool("yes", false, "do not ask")
	admin, gateway := addSignIn(cmd), addAddress(cmd)
	cmd.MarkFlagsMutuallyExclusive("json", "apply")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		// Here already, so that a token which was pasted by mistake goes nowhere.
		id, err := tokens.ParseID(args[0])
		if err != nil {
			return err
		}
		if *yes && !*apply {
			return errors.New("--yes goes with --apply")
		}
		query := url.Values{"token_id": {id.String()}, queryFormat: {"json"}}
		if *admin.workspace != "" {
			query.Set(queryWorkspace, *admin.workspace)
		}
		var answer usage.Recommendation
		if err := gateway.read("recommend", query, &answer); err != nil {
			return err
		}
		if *asJSON {
			encoder := json.NewEncoder(cmd.OutOrStdout())
			encoder.SetIndent("", "  ")
			return encoder.Encode(answer)
		}
		if err := answer.WriteText(cmd.OutOrStdout()); err != nil || !*apply {
			return err
		}
		return applyRecommendation(cmd, id, &answer, admin, gateway, *yes)
	}
	return cmd
}

// applyRecommendation sets the recommended scopes, if the token is still as it was
// when they were recommended.
func applyRecommendation(cmd *cobra.Command, id tokens.ID, answer *usage.Recommendation, admin signIn, gateway adminAddress, yes bool) error {
	change := answer.Change
	switch {
	case change == nil:
		return errors.New("there is nothing to apply")
	case yes && !answer.Evidence.Enough:
		return fmt.Errorf("not enough evidence yet to apply it unasked (%s); leave out --yes to decide yourself", answer.Evidence.Missing)
	}
	workspace, credential, err := admin.resolve(answer.Workspace)
	switch {
	case err != nil:
		return err
	case workspace != answer.Workspace:
		return fmt.Errorf("the gateway judges for %s, but the credential is for %s; name the workspace with --workspace, or another credential", answer.Workspace, workspace)
	}
	changer, err := tokens.NewChanger(workspace, credential)
	if err != nil {
		return err
	}
	defer changer.Close()
	now, err := changer.Get(cmd.Context(), id)
	switch {
	case err != nil:
		return err
	case !slices.Equal(slices.Sorted(slices.Values(now.Scopes)), slices.Sorted(slices.Values(answer.Facts.Scopes))):
		return errors.New("the token's scopes were changed in the meantime; ask for the recommendation again")
	}
	scopes := strings.Join(change.Scopes, ", ")
	if !yes {
		fmt.Fprintln(cmd.OutOrStdout())
		if err := confirm(cmd, fmt.Sprintf("Set the scopes of this token to %s?", scopes)); err != nil {
			return err
		}
	}
	if err := changer.SetScopes(cmd.Context(), id, change.Scopes); err != nil {
		return err
	}
	gateway.forget(cmd.ErrOrStderr(), id)
	fmt.Fprintf(cmd.OutOrStdout(), "The token now has the scopes %s. Databricks may take ten minutes to act on it.\n", scopes)
	return nil
}
