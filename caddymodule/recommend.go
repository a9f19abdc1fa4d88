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
	"github.com/scopegate/scopegate/scopes"
)

func recommendCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recommend <token-id> [--used 90d] [--json | --apply [--yes]]",
		Short: "Tells the smallest set of scopes for what a token was seen to use",
		Long: `
Asks a running gateway which scopes cover what a token was seen to use, how much
evidence there is for that, what would be dropped, whether Databricks' own
observations agree, and how to apply it. The first eight digits of the token's id
will do, as scopes report shows them.

--used leaves out what the token did not use in that time, such as 90d, and lists it.
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
	used := flags.String(queryUsed, "", "leave out what was not used in this time")
	asJSON := flags.Bool("json", false, "print JSON")
	apply := flags.Bool("apply", false, "set the scopes, after asking")
	yes := flags.Bool("yes", false, "do not ask")
	admin, gateway := addSignIn(cmd), addAddress(cmd)
	cmd.MarkFlagsMutuallyExclusive("json", "apply")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *yes && !*apply {
			return errors.New("--yes goes with --apply")
		}
		id, err := gateway.tokenID(args[0], *admin.workspace)
		if err != nil {
			return err
		}
		query := url.Values{"token_id": {id.String()}, queryFormat: {"json"}, queryWorkspace: {*admin.workspace}}
		if *used != "" {
			query.Set(queryUsed, *used)
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
	case answer.TokenID != id.String():
		return errors.New("the gateway answered for another token")
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
	case !tokens.SameScopes(now.Scopes, answer.Facts.Scopes):
		return errors.New("the token's scopes were changed in the meantime; ask for the recommendation again")
	}
	// Whoever listens at the address told what to set. It is not believed that this
	// narrows the token.
	if !narrows(now.Scopes, change.Scopes) {
		return errors.New("the gateway recommends scopes that the token does not hold, or all-apis; nothing was changed")
	}
	list := usage.Clean(strings.Join(change.Scopes, ", "))
	if !yes {
		fmt.Fprintln(cmd.OutOrStdout())
		if err := confirm(cmd, fmt.Sprintf("Set the scopes of this token to %s?", list)); err != nil {
			return err
		}
	}
	if err := changer.SetScopes(cmd.Context(), id, change.Scopes); err != nil {
		return err
	}
	gateway.forget(cmd.ErrOrStderr(), id)
	fmt.Fprintf(cmd.OutOrStdout(), "The token now has the scopes %s. Databricks may take ten minutes to act on it.\n", list)
	return nil
}

// narrows reports whether a token that holds some scopes, or everything, can do less
// with others and nothing more.
func narrows(held, wanted []string) bool {
	everything := len(held) == 0 || slices.Contains(held, scopes.AllAPIs)
	for _, scope := range wanted {
		if scope == "" || scope == scopes.AllAPIs || !everything && !slices.Contains(held, scope) {
			return false
		}
	}
	return len(wanted) > 0
}
