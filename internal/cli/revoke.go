package cli

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/tokens"
)

const revokeScreen = `
Revokes a token of a workspace, or many. A revoked token cannot be restored.

  scopegate scopes revoke <token-id>                      shows one token, and asks
  scopegate scopes revoke --unused 90d --expired-owner    all that match, after asking

--unused <time>      tokens that are at least this old and were not used for this long,
                     through the gateway or, as far as Databricks reports it, elsewhere
--owner <name>       tokens whose owner has this name or id; * and ? are wildcards
--expired-owner      tokens whose owner is inactive, or is not in the workspace any more
--dry-run            look at each token, and change nothing
--yes                do not ask; for one token it needs the whole id
--keep-going         go on after a token that cannot be revoked
--format <form>      table, json or csv, for many
--workspace  --profile  --config  --adapter    where to sign in, as a workspace admin
--address            the gateway's admin API, see the manual

Never among the many: tokens with which this command or the gateway signs in.

Example: scopegate scopes revoke --unused 90d --owner '*@example.com' --dry-run
Exit code: 0 done, or nothing to do; 1 failed, nothing was changed; 4 done in part
`

const revokeHelp = `
Shows a token and its owner, asks, and deletes the token. It also tells the gateway,
so that it refuses the token at once. A deleted token cannot be restored.

If the gateway has edges, it waits up to five seconds for them, and says how many have
acknowledged the change, and which have not. If the gateway cannot tell the other
gateways, as while Redis is down, it says so: run the command once more with --address
of each. A gateway is also told about a token that the workspace no longer has.

Instead of the whole token id, its first eight digits or more, as scopes report
shows them, are enough if the gateway can be reached.

--yes does not ask. For one token it needs the whole token id.

Many tokens at once; a token must match all flags that are set:
--unused revokes tokens that are at least this old and were not used for this long, such as
  90d, through the gateway or, as far as Databricks reports it, elsewhere. Those about which
  evidence is missing do not count as unused.
--owner revokes tokens whose owner has this name or id; * and ? are wildcards.
--expired-owner revokes tokens whose owner is inactive, or is not in the workspace any more.
  It asks the workspace's SCIM API about each owner, signed in as you.
--dry-run looks at each token in the workspace, and changes nothing.
--keep-going goes on after a token that cannot be revoked. Otherwise the command stops there.
  Running it again does the rest.
--format is table, json or csv. Default: table.
Tokens with which this command or the gateway signs in are skipped.
The exit code is 0 if all is done, or there is nothing to do; 1 if nothing was changed
  because of an error; 4 if some tokens were revoked and others not.

`

func revokeCommand(deps Deps) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke <token-id> | --unused 90d | --owner <name> | --expired-owner [--yes]",
		Short: "Revokes a token of a workspace, or many",
		Long:  revokeHelp + signInHelp + addressHelp,
		Example: `  scopegate scopes revoke 3f2a81c09d4e --profile admin
  scopegate scopes revoke 3f2a81c09d4e --config Caddyfile
  scopegate scopes revoke --unused 90d --owner '*@example.com' --dry-run
  scopegate scopes revoke --expired-owner --yes --format csv > revoked.csv`,
		SilenceUsage: true,
	}
	oneScreen(cmd, revokeScreen)
	yes := cmd.Flags().Bool("yes", false, "do not ask")
	many := addRevokeManyFlags(cmd)
	admin := addSignInFlags(cmd)
	gateway := addAddressFlag(cmd, deps, admin.config)
	cmd.Args = many.args
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := many.check(cmd); err != nil {
			return err
		}
		if many.on() {
			return many.run(cmd, deps, admin, gateway, *yes)
		}
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
