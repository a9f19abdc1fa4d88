package cli

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/tokens"
)

func revokeCommand(deps Deps) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke <token-id> [--yes]",
		Short: "Revokes a token of a workspace",
		Long: `
Shows a token and its owner, asks, and deletes the token. It also tells the gateway,
so that it refuses the token at once. A deleted token cannot be restored.

If the gateway has edges, it waits up to five seconds for them, and says how many have
acknowledged the change, and which have not. If the gateway cannot tell the other
gateways, as while Redis is down, it says so: run the command once more with --address
of each. A gateway is also told about a token that the workspace no longer has.

Instead of the whole token id, its first eight digits or more, as scopes report
shows them, are enough if the gateway can be reached.

--yes does not ask. It needs the whole token id.

` + signInHelp + addressHelp,
		Example: `  scopegate scopes revoke 3f2a81c09d4e --profile admin
  scopegate scopes revoke 3f2a81c09d4e --config Caddyfile`,
		Args:         oneTokenID,
		SilenceUsage: true,
	}
	yes := cmd.Flags().Bool("yes", false, "do not ask")
	admin := addSignInFlags(cmd)
	gateway := addAddressFlag(cmd, deps, admin.config)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		id, err := tokens.ParseID(args[0])
		switch {
		case err == nil:
		case *yes:
			err = fmt.Errorf("--yes needs the whole token id: %w", err)
		default:
			var asked string
			if asked, err = admin.asked(deps); err == nil {
				id, err = gateway.tokenID(args[0], asked)
			}
		}
		if err != nil {
			return err
		}
		return revoke(cmd, deps, admin, gateway, id, *yes)
	}
	return cmd
}

// revoke shows a token, asks, revokes it, and tells the gateway.
func revoke(cmd *cobra.Command, deps Deps, admin signInFlags, gateway addressFlag, id tokens.ID, yes bool) error {
	workspace, credential, err := admin.resolve(deps, "")
	if err != nil {
		return err
	}
	changer, err := tokens.NewChanger(workspace, credential)
	if err != nil {
		return fmt.Errorf("%s: %w", workspace, err)
	}
	defer changer.Close()
	info, err := changer.Get(cmd.Context(), id)
	if errors.Is(err, tokens.ErrUnknownToken) {
		return gateway.forgetGone(cmd, id, workspace)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", workspace, err)
	}
	printToken(cmd.OutOrStdout(), workspace, info)
	if !yes {
		if err := confirm(cmd, "Revoke this token permanently?"); err != nil {
			return err
		}
	}
	err = changer.Revoke(cmd.Context(), id)
	if errors.Is(err, tokens.ErrUnknownToken) { // revoked while the command asked
		return gateway.forgetGone(cmd, id, workspace)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", workspace, err)
	}
	told, _ := gateway.forget(cmd.ErrOrStderr(), id, workspace)
	fmt.Fprintln(cmd.OutOrStdout(), "The token is revoked.")
	told.await(cmd)
	return nil
}

// forgetGone tells the gateway about a token that the workspace does not have: the gateway may
// have missed that it was revoked. It fails if the gateway cannot be told either.
func (f addressFlag) forgetGone(cmd *cobra.Command, id tokens.ID, workspace string) error {
	told, ok := f.forget(cmd.ErrOrStderr(), id, workspace)
	if !ok {
		return fmt.Errorf("%s: %w", workspace, tokens.ErrUnknownToken)
	}
	fmt.Fprintf(cmd.OutOrStdout(), "The workspace %s has no token of this id (any more); the gateway has forgotten it.\n", workspace)
	told.await(cmd)
	return nil
}

// printToken prints what tells one token from another.
func printToken(out io.Writer, workspace string, info *tokens.Info) {
	line := func(name, value string) {
		if value != "" {
			printLine(out, name, value)
		}
	}
	date := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.DateOnly)
	}
	line("workspace", workspace)
	line("token", info.ID.String())
	line("comment", info.Comment)
	line("creator", info.Creator.String())
	line("owner", info.Owner.String())
	line("scopes", joinOr(info.Scopes, "none: it may do everything"))
	line("created", date(info.Created))
	switch ends, ok := info.Expires.At(); {
	case ok:
		line("expires", date(ends))
	case info.Expires.Never():
		line("expires", "never")
	default:
		line("expires", "unknown")
	}
	line("last used", date(info.LastUsed))
}
