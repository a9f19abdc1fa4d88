package cli

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/tokens"
)

const verifyScreen = `
Proves for a workspace that a token's id is the SHA-256 of its value, which scopegate
relies on, and compares the workspace's scope names with those that it knows.

  scopegate scopes verify --workspace https://<name>.cloud.databricks.com
  scopegate scopes verify --config Caddyfile

It creates a token with a lifetime of one minute, looks it up as the gateway would, and
deletes it. It prints the results, never the token.

--application-id <id>   prove it for a token on behalf of this service principal, too
--json                  print a JSON object
--workspace  --profile  --config  --adapter    where to sign in, as a workspace admin

Exit code: 0 the rule holds; 1 otherwise. Names that differ do not change it.
`

func verifyCommand(deps Deps) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify [--workspace <url>] [--profile <name> | --config <file>] [--application-id <id>] [--json]",
		Short: "Proves for a workspace that a token's id is the hash of its value, and compares its scope names",
		Long: `
scopegate relies on one rule: the id of a token is the SHA-256 of its value. This
command proves it for a workspace. It creates a token with a lifetime of one minute,
compares its id with the hash, looks it up as the gateway would, and deletes it. It
prints the results, never the token. It also counts the tokens that the gateway would
not judge, because the workspace does not say when they expire, or says something of
them that makes no sense.

It also compares the workspace's own lists of scope names with those that this version
knows: scopes_supported of its OAuth server, which it asks without a credential, and
GET /api/2.0/token-scopes. If one cannot be read, it says so and goes on.

` + signInHelp + `--application-id also proves the rule for a token on behalf of this service
  principal.
--json prints a JSON object.

The exit code is 0 only if the rule holds. Names that differ do not change it: they are
for your information.
`,
		Example: `  scopegate scopes verify --workspace https://example.cloud.databricks.com --profile admin
  scopegate scopes verify --config Caddyfile --json`,
		Args:         cobra.NoArgs,
		SilenceUsage: true,
	}
	oneScreen(cmd, verifyScreen)
	admin := addSignInFlags(cmd)
	application := cmd.Flags().String("application-id", "", "service principal to create a token on behalf of")
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		url, credential, err := admin.resolve(deps, "")
		if err != nil {
			return err
		}
		// The new token is deleted even if the command is interrupted.
		ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		report, err := tokens.Verify(ctx, url, credential, tokens.VerifyOptions{ApplicationID: *application})
		names := readNames(ctx, url, credential)
		if *asJSON {
			err = errors.Join(err, printJSON(cmd.OutOrStdout(), newVerifyAnswer(url, report, names, err), ""))
		} else {
			printProof(cmd.OutOrStdout(), url, report)
			printNames(cmd.OutOrStdout(), &names)
		}
		if err == nil {
			if !*asJSON {
				fmt.Fprintln(cmd.OutOrStdout(), "The rule holds on this workspace.")
			}
			return nil
		}
		if ruleIsBroken(err) {
			return fmt.Errorf("the rule does not hold on this workspace, so scopegate cannot judge its tokens: %w", err)
		}
		return err
	}
	return cmd
}

// ruleIsBroken reports whether an error says that the workspace does not keep the id rule.
func ruleIsBroken(err error) bool {
	outage, ok := errors.AsType[*tokens.UnavailableError](err)
	return ok && outage.Outage == tokens.IDRuleBroken
}

func printProof(out io.Writer, workspace string, report tokens.VerifyReport) {
	if report.WorkspaceID != 0 {
		workspace = fmt.Sprintf("%s (id %d)", workspace, report.WorkspaceID)
	}
	printLine(out, "workspace", workspace)
	for _, proof := range []struct {
		name string
		of   *tokens.TokenProof
	}{{"a token of the admin's own", report.Own}, {"a token on behalf of a service principal", report.OnBehalf}} {
		if proof.of != nil {
			fmt.Fprintf(out, "%s:\n", proof.name)
			printTokenProof(out, proof.of)
		}
	}
	printListProof(out, report)
}

// printListProof says which tokens the gateway would not judge.
func printListProof(out io.Writer, report tokens.VerifyReport) {
	line := func(what string, n int) { fmt.Fprintf(out, "  %-45s %d\n", what, n) }
	switch list := report.List; {
	case list != nil:
		fmt.Fprintf(out, "all tokens:\n")
		line("in the list", list.Tokens)
		line("whose expiry is unknown", list.UnknownExpiry)
		for _, kind := range slices.Sorted(maps.Keys(list.Unusable)) {
			line("whose facts cannot be used ("+string(kind)+")", list.Unusable[kind])
		}
		if list.UnknownExpiry > 0 {
			fmt.Fprintln(out, "Tokens whose expiry is unknown are refused with 503. Replace them, or set unknown_expiry allow.")
		}
		if len(list.Unusable) > 0 {
			fmt.Fprintln(out, "Tokens whose facts cannot be used are refused with 503. Replace them.")
		}
	case report.ListErr != nil:
		fmt.Fprintf(out, "all tokens could not be counted: %v\n", report.ListErr)
	}
}

func printTokenProof(out io.Writer, p *tokens.TokenProof) {
	line := func(what, answer string) { fmt.Fprintf(out, "  %-45s %s\n", what, answer) }
	check := func(what string, ok bool) {
		answer := "yes"
		if !ok {
			answer = "NO"
		}
		line(what, answer)
	}
	check("its id is the SHA-256 of its value", p.IDIsHash)
	if p.Suffixed {
		check("its value ends in a suffix such as -2", true)
		if !p.IDIsHash {
			check("its id is the hash of what is before it", p.IDIsHashWithoutSuffix)
		}
	}
	check("it is found by that id", p.Found)
	if p.Found {
		line("after", p.FoundAfter.Round(time.Millisecond).String())
		check("its facts name this workspace", p.WorkspaceIDFits)
		line("its scopes (it was created with none)", joinOr(p.Info.Scopes, "none"))
	}
	check("it was deleted again", p.Deleted)
}
