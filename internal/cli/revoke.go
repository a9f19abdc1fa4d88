package cli

import (
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
			id, err = gateway.tokenID(args[0], *admin.workspace)
		}
		if err != nil {
			return err
		}
		workspace, credential, err := admin.resolve(deps, "")
		if err != nil {
			return err
		}
		changer, err := tokens.NewChanger(workspace, credential)
		if err != nil {
			return err
		}
		defer changer.Close()
		info, err := changer.Get(cmd.Context(), id)
		if err != nil {
			return err
		}
		printToken(cmd.OutOrStdout(), workspace, info)
		if !*yes {
			if err := confirm(cmd, "Revoke this token permanently?"); err != nil {
				return err
			}
		}
		if err := changer.Revoke(cmd.Context(), id); err != nil {
			return err
		}
		gateway.forget(cmd.ErrOrStderr(), id)
		fmt.Fprintln(cmd.OutOrStdout(), "The token is revoked.")
		return nil
	}
	return cmd
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
