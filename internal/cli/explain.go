package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/scopenames"
	"github.com/scopegate/scopegate/scopes"
)

const explainScreen = `
Shows what a request needs, and whether a token may make it. Needs no gateway.

  scopegate scopes explain GET /api/2.1/jobs/list --scopes sql
  scopegate scopes explain GET /api/2.1/jobs/list --config Caddyfile
  scopegate scopes explain --batch < calls.jsonl

--scopes <a,b>       scopes that the token holds; without any, it may do everything,
                     unless the configuration says unscoped_tokens deny
--as <what>          more about the token, for policies, separated by commas:
                     owner=<name or id>, creator=<name or id>, comment=<text>,
                     kind=pat|oauth, token=<id>, lifetime=<time or never>
--config <file>      judge by the routes and rules of this configuration
--adapter <name>     how to read that file
--json               print a JSON object
--batch              read lines {"method":…,"path":…,"scopes":[…]} from standard input,
                     and print a JSON object for each
`

func explainCommand(deps Deps) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain <METHOD> <path> [--scopes a,b] [--config <file>] [--json]",
		Short: "Shows what a request needs, and whether a token may make it",
		Long: `
Prints the operation that a request calls, the scopes of which it needs one, whether
it only reads, the evidence for that, and the verdict for a token with the given scopes. For a refused
request it also prints the smallest change that would permit it.

--scopes are the scopes that the token holds, separated by commas. A token without
  scopes may do everything, unless the configuration says unscoped_tokens deny.
  Default: none.
--as describes the token further, for policies: kind=<pat or oauth>, owner=<name or
  id>, creator=<name or id>, comment=<text>, token=<id>, lifetime=<duration or never>,
  separated by commas. An OAuth token may hold names such as sql.statement-execution.
  Give owner and creator twice for both name and id: what is not given is unknown,
  and matches.
--config judges by the routes and rules of the databricks_scopes handler in a
  Caddyfile or JSON configuration.
` + adapterHelp + `--json prints a JSON object.
--batch reads JSON lines {"method":…,"path":…,"scopes":[…]} from standard input
  and prints a JSON object for each.
`,
		Example: `  scopegate scopes explain GET /api/2.1/jobs/list --scopes sql
  scopegate scopes explain GET /api/2.1/jobs/list --config Caddyfile --as comment="analyst laptop",lifetime=90d
  echo '{"method":"GET","path":"/api/2.1/jobs/list","scopes":["sql"]}' | scopegate scopes explain --batch`,
		Args: cobra.MaximumNArgs(2),
		// After an error in the question, usage text would only hide the error.
		SilenceUsage: true,
	}
	oneScreen(cmd, explainScreen)
	flags := cmd.Flags()
	held := flags.StringSlice("scopes", nil, "scopes that the token holds")
	as := flags.StringSlice("as", nil, "more about the token, for policies")
	config := addConfigFlags(cmd, "configuration file to judge by")
	asJSON := flags.Bool("json", false, "print JSON")
	batch := flags.Bool("batch", false, "read JSON lines from standard input")
	cmd.ValidArgsFunction = completeMethod
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		judge, err := config.judge(deps)
		if err != nil {
			return err
		}
		switch {
		case *batch && len(args) > 0:
			return errors.New("--batch reads requests from standard input and takes no arguments")
		case *batch:
			return explainBatch(judge, cmd.InOrStdin(), cmd.OutOrStdout())
		case len(args) < 2:
			return errors.New("explain needs a method and a path, such as GET /api/2.1/jobs/list")
		}
		subject, err := parseSubject(*as)
		if err != nil {
			return err
		}
		place := scopenames.OnPAT
		if subject.Info.OAuth {
			place = scopenames.OnOAuth
		}
		for _, scope := range *held {
			if problem := scopenames.Problem(scope, place); problem != "" {
				fmt.Fprintf(cmd.ErrOrStderr(), "note: %s\n", problem)
			}
		}
		subject.Info.Scopes = *held
		answer, err := judge.Explain(args[0], args[1], subject)
		if err != nil {
			return err
		}
		if *asJSON {
			return printJSON(cmd.OutOrStdout(), answer, "")
		}
		printExplanation(cmd.OutOrStdout(), &answer)
		return nil
	}
	return cmd
}

// needs says what an operation needs, and what is special about that.
func needs(e *judge.Explanation) string {
	text := judge.Needs(e.Row)
	if e.Row.Doubtful() {
		text += " (it is not known which)"
	}
	if e.Optional {
		text += " (optional: clients go on without it)"
	}
	return text
}

// access says whether an operation only reads, and how that is known.
func access(e *judge.Explanation) string {
	if e.AccessReason == "" {
		return e.Access + " (by the method " + e.Row.Method + ")"
	}
	return e.Access + " (" + e.AccessReason + ")"
}

func printExplanation(out io.Writer, e *judge.Explanation) {
	line := func(name, value string) {
		if value != "" {
			printLine(out, name, value)
		}
	}
	line("request", e.Method+" "+e.Path)
	if e.Row == nil {
		line("problem", e.Problem)
	} else {
		line("operation", e.Operation)
		if !e.Row.Unmapped() {
			line("row", e.Row.Method+" "+e.Template)
		}
		line("needs", needs(e))
		line("access", access(e))
		if len(e.UnderPolicy) > 0 {
			line("in policy", "scopes "+strings.ReplaceAll(e.UnderPolicy[0], scopes.And, " ")+", all of them until it is known which")
		}
		line("evidence", string(e.Evidence))
		line("source", e.Source)
	}
	for i, reading := range e.Readings {
		name := "readings"
		if i > 0 {
			name = ""
		}
		line(name, reading)
	}
	for i, alias := range e.Aliases {
		name := "by alias"
		if i > 0 {
			name = ""
		}
		line(name, alias)
	}
	line("policy", e.Policy)
	verdict := fmt.Sprintf("%s (%s)", e.Decision, e.Reason)
	if e.Decision == judge.Deny && !e.Enforced {
		verdict += ", only recorded, and the request passes: "
		if e.Observe {
			verdict += "the mode is observe"
		} else {
			verdict += "the policy is rehearsed"
		}
	}
	line("verdict", verdict)
	line("to permit", e.Change)
}
