package caddymodule

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/didyoumean"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "scopes",
		Usage: "explain|catalog|verify|report|recommend|revoke",
		Short: "Tells which Databricks API scopes requests need",
		Long: `
Answers questions about Databricks API scopes by the same code that judges
requests. explain and catalog need no gateway, no network and no token; verify and
revoke ask a workspace, report and recommend a running gateway.
`,
		CobraFunc: func(cmd *cobra.Command) {
			cmd.AddCommand(explainCommand(), catalogCommand(), verifyCommand(), reportCommand(), recommendCommand(), revokeCommand())
		},
	})
}

func explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain <METHOD> <path> [--scopes a,b] [--config <file>] [--json]",
		Short: "Tells what a request needs, and whether a token may make it",
		Long: `
Prints the operation that a request calls, the scopes of which it needs one, how
that is known, and the verdict for a token of the given scopes; for a refused
request also the smallest change that would permit it.

--scopes are the scopes that the token holds, separated by commas. Without it the
  token is taken to have none, which lets it do everything unless the
  configuration says unscoped_tokens deny.
--as says what else is known of the token, for policies: owner=<name or id>,
  creator=<name>, comment=<text>, token=<id>, lifetime=<duration or never>,
  separated by commas.
--config judges by the databricks_scopes handler of a Caddyfile or JSON
  configuration: its routes and its rules.
--adapter names the configuration's adapter. Default: caddyfile, or JSON for a
  file that ends so.
--json prints one JSON object.
--batch reads JSON lines {"method":…,"path":…,"scopes":[…]} from standard input
  and prints one JSON object for each.
`,
		Example: `  scopegate scopes explain GET /api/2.1/jobs/list --scopes sql
  scopegate scopes explain --batch < calls.jsonl`,
		Args: cobra.MaximumNArgs(2),
		// A wrong answer is not a wrong use: no usage text after it.
		SilenceUsage: true,
	}
	flags := cmd.Flags()
	held := flags.StringSlice("scopes", nil, "scopes that the token holds")
	as := flags.StringSlice("as", nil, "what else is known of the token")
	config := flags.StringP("config", "c", "", "configuration to judge by")
	adapter := flags.StringP("adapter", "a", "", "adapter of the configuration")
	asJSON := flags.Bool("json", false, "print JSON")
	batch := flags.Bool("batch", false, "read JSON lines from standard input")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		judge, err := newExplainer(*config, *adapter)
		if err != nil {
			return err
		}
		switch {
		case *batch && len(args) > 0:
			return errors.New("--batch reads requests from standard input and takes no arguments")
		case *batch:
			return judge.batch(cmd.InOrStdin(), cmd.OutOrStdout())
		case len(args) < 2:
			return errors.New("explain needs a method and a path, such as GET /api/2.1/jobs/list")
		}
		for _, scope := range *held {
			warnUnknownScope(cmd.ErrOrStderr(), scope)
		}
		subject, err := parseSubject(*as)
		if err != nil {
			return err
		}
		e, err := judge.explain(question{Method: args[0], Path: args[1], Scopes: *held, subject: subject})
		if err != nil {
			return err
		}
		if *asJSON {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(e)
		}
		e.print(cmd.OutOrStdout())
		return nil
	}
	return cmd
}

// batch answers line by line, so that it can stand in a pipe.
func (x *explainer) batch(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	encoder := json.NewEncoder(out)
	number := 0
	for lines.Scan() {
		number++
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		var q question
		decoder := json.NewDecoder(strings.NewReader(lines.Text()))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&q); err != nil {
			return fmt.Errorf("line %d: reading a request: %w; write {\"method\":\"GET\",\"path\":\"/api/2.1/jobs/list\",\"scopes\":[\"jobs\"]}", number, err)
		}
		q.subject.Info = new(tokens.Info)
		e, err := x.explain(q)
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		if err := encoder.Encode(e.explanation); err != nil {
			return fmt.Errorf("writing the answer to line %d: %w", number, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("line %d: %w", number+1, err)
	}
	return nil
}

func warnUnknownScope(to io.Writer, scope string) {
	for _, known := range scopes.KnownScopes() {
		if scope == known {
			return
		}
	}
	if nearest, ok := didyoumean.Nearest(scope, scopes.KnownScopes()); ok {
		fmt.Fprintf(to, "note: %q is no scope that is known here; did you mean %s?\n", scope, nearest)
		return
	}
	fmt.Fprintf(to, "note: %q is no scope that is known here\n", scope)
}

func catalogCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "catalog [--config <file>] [--coverage | --diff <old.tsv>]",
		Short: "Prints the map from operations to scopes, or what is known of it",
		Long: `
Prints the catalogue: method, path template, scopes of which any one suffices,
evidence, operation and source, separated by tabs.

--coverage prints how many rows there are of each grade of evidence and for each
  scope instead.
--diff prints what changed since another catalogue, which is how to review an
  upgrade: + for operations that were added, - for those that were removed, ~ for
  those that need something else. It exits with 0 whether or not there are any.
--config adds the routes of a configuration's databricks_scopes handler.
`,
		Args:         cobra.NoArgs,
		SilenceUsage: true,
	}
	flags := cmd.Flags()
	config := flags.StringP("config", "c", "", "configuration whose routes to add")
	adapter := flags.StringP("adapter", "a", "", "adapter of the configuration")
	coverage := flags.Bool("coverage", false, "print counts")
	old := flags.String("diff", "", "catalogue to compare with")
	cmd.MarkFlagsMutuallyExclusive("coverage", "diff")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		judge, err := newExplainer(*config, *adapter)
		if err != nil {
			return err
		}
		rows := judge.catalog.Operations()
		switch {
		case *coverage:
			return printCoverage(cmd.OutOrStdout(), scopes.CoverageOf(rows))
		case *old != "":
			return printDiff(cmd.OutOrStdout(), *old, rows)
		}
		return scopes.Format(cmd.OutOrStdout(), rows)
	}
	return cmd
}

func printCoverage(out io.Writer, c scopes.Coverage) error {
	text := c.String() + "\n"
	for _, scope := range c.Scopes() {
		name := scope
		switch scope {
		case scopes.AnyScope.String():
			name = "(any scope)"
		case scopes.Public.String():
			name = "(no token)"
		}
		text += fmt.Sprintf("%-24s %5d\n", name, c.ByScope[scope])
	}
	_, err := io.WriteString(out, text)
	return err
}

func printDiff(out io.Writer, path string, rows []scopes.Operation) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("reading the old catalogue: %w", err)
	}
	defer file.Close()
	before, err := scopes.Parse(file, path)
	if err != nil {
		return fmt.Errorf("reading the old catalogue: %w", err)
	}
	var b strings.Builder
	counts := map[byte]int{}
	for _, change := range scopes.Diff(before, rows) {
		sign, operation, detail := byte('~'), change.New, ""
		switch {
		case change.Old == nil:
			sign, detail = '+', needs(change.New)
		case change.New == nil:
			sign, operation, detail = '-', change.Old, needs(change.Old)
		default:
			detail = needs(change.Old) + " → " + needs(change.New)
		}
		counts[sign]++
		fmt.Fprintf(&b, "%c %-7s %s\t%s\t%s\n", sign, operation.Method, operation.Template, detail, operation.Name)
	}
	fmt.Fprintf(&b, "%d added, %d removed, %d with other scopes\n", counts['+'], counts['-'], counts['~'])
	_, err = io.WriteString(out, b.String())
	return err
}
