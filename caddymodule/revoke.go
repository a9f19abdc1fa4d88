package caddymodule

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

func revokeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke <token-id> [--yes]",
		Short: "Revokes a token of a workspace",
		Long: `
Deletes a token, after showing whose it is and asking, and tells the gateway, so
that it refuses the token at once. A token cannot be brought back.

The beginning of the token's id will do, as scopes report shows it, where the
gateway can be asked.

--yes does not ask. It takes the whole id only.
` + signInHelp + addressHelp,
		Args:         cobra.ExactArgs(1),
		SilenceUsage: true,
	}
	yes := cmd.Flags().Bool("yes", false, "do not ask")
	admin, gateway := addSignIn(cmd), addAddress(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		id, err := tokens.ParseID(args[0])
		if err != nil && !*yes {
			id, err = gateway.tokenID(args[0], *admin.workspace)
		}
		if err != nil {
			return err
		}
		workspace, credential, err := admin.resolve("")
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
		describe(cmd.OutOrStdout(), workspace, info)
		if !*yes {
			if err := confirm(cmd, "Revoke this token for good?"); err != nil {
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

// describe prints what tells one token from another.
func describe(out io.Writer, workspace string, info *tokens.Info) {
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(out, "%-10s %s\n", name, usage.Clean(value))
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
	line("creator", info.CreatorName)
	line("owner", fmt.Sprint(info.OwnerID))
	line("scopes", wordsOr(info.Scopes, "none: it may do everything"))
	line("created", date(info.Created))
	line("expires", date(info.Expires))
	if info.NeverExpires {
		line("expires", "never")
	}
	line("last used", date(info.LastUsed))
}
