package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/sanitize"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

// application is a recommendation that is about to be applied.
type application struct {
	id             tokens.ID
	recommendation *usage.Recommendation
	gateway        addressFlag
	yes            bool // do not ask
	despiteCut     bool // although evidence is missing
}

// check reports why the recommendation cannot be applied.
func (a *application) check() error {
	switch r := a.recommendation; {
	case r.Change == nil:
		return errors.New("there is nothing to apply")
	case r.TokenID != a.id.String():
		return errors.New("the gateway answered for another token")
	case !a.despiteCut && missing(&r.Evidence) != "":
		return fmt.Errorf("evidence about this token is missing (%s), so the scopes may leave out some that it needs; ask its owner, then add --despite-cut to narrow it all the same", usage.Clean(missing(&r.Evidence)))
	case a.yes && !r.Evidence.Enough:
		return fmt.Errorf("there is not enough evidence to apply this without asking (%s); omit --yes to decide yourself", r.Evidence.Missing)
	}
	return nil
}

// missing says which evidence was dropped or could not be read.
func missing(e *usage.Evidence) string {
	if e.Doubt == "" && e.Cut.Entries > 0 { // a gateway of an older version
		return e.Cut.String()
	}
	return e.Doubt
}

// run signs in and sets the recommended scopes, if the token is still as it was when
// they were recommended.
func (a *application) run(cmd *cobra.Command, deps Deps, admin signInFlags) error {
	if err := a.check(); err != nil {
		return err
	}
	changer, err := admin.changer(deps, a.recommendation.Workspace)
	if err != nil {
		return err
	}
	defer changer.Close()
	return a.set(cmd, changer)
}

func (a *application) set(cmd *cobra.Command, changer *tokens.Changer) error {
	wanted := a.recommendation.Change.Scopes
	workspace := a.recommendation.Workspace
	now, err := changer.Get(cmd.Context(), a.id)
	switch {
	case errors.Is(err, tokens.ErrUnknownToken):
		return a.outdated(cmd, fmt.Errorf("%s: %w", workspace, err))
	case err != nil:
		return fmt.Errorf("%s: %w", workspace, err)
	case !tokens.SameScopes(now.Scopes, a.recommendation.Facts.Scopes):
		return a.outdated(cmd, errors.New("the token's scopes were changed in the meantime; ask for the recommendation again"))
	}
	// Another program may listen at the address. Never trust its word that this narrows
	// the token.
	if !narrows(now.Scopes, wanted) {
		return errors.New("the gateway recommends scopes that the token does not hold, or all-apis; nothing was changed")
	}
	list := sanitize.String(strings.Join(wanted, ", "), sanitize.MaxText)
	if !a.yes {
		fmt.Fprintln(cmd.OutOrStdout())
		if err := confirm(cmd, fmt.Sprintf("Set the scopes of this token to %s?", list)); err != nil {
			return err
		}
	}
	if err := changer.SetScopes(cmd.Context(), a.id, wanted); err != nil {
		return fmt.Errorf("%s: %w", workspace, err)
	}
	told, _ := a.gateway.forget(cmd.ErrOrStderr(), a.id, workspace)
	fmt.Fprintf(cmd.OutOrStdout(), "The token now has the scopes %s. Databricks may take ten minutes to enforce them.\n", list)
	told.await(cmd)
	return nil
}

// outdated tells the gateway to forget a token about which it was wrong: it may have missed a
// change. It returns why nothing was changed.
func (a *application) outdated(cmd *cobra.Command, why error) error {
	told, ok := a.gateway.forget(cmd.ErrOrStderr(), a.id, a.recommendation.Workspace)
	if ok {
		fmt.Fprintln(cmd.ErrOrStderr(), "note: the gateway has forgotten what it knew about this token")
		told.await(cmd)
	}
	return why
}

// narrows reports whether a token with the held scopes, where none stands for all, could
// do less with the wanted ones, and nothing more.
func narrows(held, wanted []string) bool {
	everything := len(held) == 0 || slices.Contains(held, scopes.AllAPIs)
	for _, scope := range wanted {
		if scope == "" || scope == scopes.AllAPIs || !everything && !slices.Contains(held, scope) {
			return false
		}
	}
	return len(wanted) > 0
}
