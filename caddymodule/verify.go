package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/tokens"
)

func verifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify [--workspace <url>] [--profile <name> | --config <file>] [--application-id <id>]",
		Short: "Proves on a workspace that a token's id is the hash of its value",
		Long: `
Everything scopegate does rests on one rule: that the id of a token is the SHA-256
of its value. This command proves it on the workspace at hand. It mints a token
that lives for a minute, compares, looks it up as the gateway would, deletes it,
and prints what it learned; never the token.

` + signInHelp + `--application-id proves the rule for a token on behalf of that service principal
  as well.

It exits with 0 only if the rule holds.
`,
		Args:         cobra.NoArgs,
		SilenceUsage: true,
	}
	admin := addSignIn(cmd)
	application := cmd.Flags().String("application-id", "", "service principal to mint on behalf of")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		url, credential, err := admin.resolve("")
		if err != nil {
			return err
		}
		// A token that was minted is deleted also when somebody loses patience.
		ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		report, err := tokens.Verify(ctx, url, credential, tokens.VerifyOptions{ApplicationID: *application})
		printProof(cmd.OutOrStdout(), url, report)
		var outage *tokens.UnavailableError
		switch {
		case err == nil:
			fmt.Fprintln(cmd.OutOrStdout(), "The rule holds on this workspace.")
		case errors.As(err, &outage) && outage.Outage == tokens.IDRuleBroken:
			return fmt.Errorf("the rule does not hold on this workspace, so scopegate cannot judge its tokens: %w", err)
		}
		return err
	}
	return cmd
}

func printProof(out io.Writer, workspace string, report tokens.VerifyReport) {
	fmt.Fprintf(out, "workspace  %s", workspace)
	if report.WorkspaceID != 0 {
		fmt.Fprintf(out, " (id %d)", report.WorkspaceID)
	}
	fmt.Fprintln(out)
	for _, proof := range []struct {
		name string
		of   *tokens.TokenProof
	}{{"a token of the admin's own", report.Own}, {"a token on behalf of a service principal", report.OnBehalf}} {
		if proof.of != nil {
			fmt.Fprintf(out, "%s:\n", proof.name)
			printTokenProof(out, proof.of)
		}
	}
}

func printTokenProof(out io.Writer, p *tokens.TokenProof) {
	line := func(what string, yes bool) {
		answer := "yes"
		if !yes {
			answer = "NO"
		}
		fmt.Fprintf(out, "  %-45s %s\n", what, answer)
	}
	line("its id is the SHA-256 of its value", p.IDIsHash)
	if p.Suffixed {
		line("its value ends in a suffix such as -2", true)
		if !p.IDIsHash {
			line("its id is the hash of what is before it", p.IDIsHashWithoutSuffix)
		}
	}
	line("it is found by that id", p.Found)
	if p.Found {
		fmt.Fprintf(out, "  %-45s %s\n", "after", p.FoundAfter.Round(time.Millisecond))
		line("its facts name this workspace", p.WorkspaceIDFits)
		fmt.Fprintf(out, "  %-45s %s\n", "its scopes, having been made with none", wordsOr(p.Info.Scopes, "none"))
	}
	line("it was deleted again", p.Deleted)
}

func wordsOr(words []string, none string) string {
	if len(words) == 0 {
		return none
	}
	return strings.Join(words, ", ")
}
