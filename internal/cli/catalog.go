package cli

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/mapbundle"
	"github.com/scopegate/scopegate/internal/regularfile"
	"github.com/scopegate/scopegate/scopes"
)

func catalogCommand(deps Deps) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "catalog [--config <file>] [--coverage | --diff <old.tsv> | --diff <file> --against-usage | --export [<file>] [--sign <key.pem>]]",
		Short: "Prints the map from operations to scopes, or statistics about it",
		Long: `
Prints the catalog: method, path template, alternatives of scopes of which any one
suffices (a+b: both are needed), evidence, operation, source and access (read or
write), separated by tabs.

--coverage prints how many rows there are for each grade of evidence and each scope
  instead, and the rows of which not everything is known: doubtful ones, those that
  need all-apis, and those that clients go on without.
--diff prints the changes since another catalog, for reviewing an upgrade: + for
  added operations, - for removed ones, ~ for those that need other scopes. The exit
  code is 0 with and without changes. Whether an operation only reads is compared
  where both catalogs say it.
--config adds the map and routes of the databricks_scopes handler in a configuration
  file. With --against-usage it names the gateway.
` + adapterHelp + compareHelp + exportHelp + addressHelp,
		Example: `  scopegate scopes catalog > catalog.tsv
  scopegate scopes catalog --diff catalog.tsv
  scopegate scopes catalog --coverage --config Caddyfile
  scopegate scopes catalog --diff routes.tsv --against-usage
  scopegate scopes catalog --export map.tsv --sign key.pem`,
		SilenceUsage: true,
	}
	flags := cmd.Flags()
	config := addConfigFlags(cmd, "configuration file whose map and routes to use")
	coverage := flags.Bool("coverage", false, "print counts")
	old := flags.String("diff", "", "catalog to compare with")
	comparison := addCompareFlags(cmd, addAddressFlag(cmd, deps, config))
	export := addExportFlags(cmd)
	cmd.MarkFlagsMutuallyExclusive("coverage", "diff", "export")
	cmd.Args = export.args
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		switch {
		case *comparison.againstUsage:
			return comparison.run(cmd.OutOrStdout(), *old)
		case *export.to != "" || *export.key != "":
			return export.run(cmd, args, deps, config)
		}
		judge, err := config.judge(deps)
		if err != nil {
			return err
		}
		rows := judge.Catalog.Operations()
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
	var b strings.Builder
	b.WriteString(c.String() + "\n")
	for _, scope := range c.Scopes() {
		name := scope
		switch scope {
		case scopes.AnyScope.String():
			name = "(any scope)"
		case scopes.Public.String():
			name = "(no token)"
		}
		fmt.Fprintf(&b, "%-24s %5d\n", name, c.ByScope[scope])
	}
	for _, list := range []struct {
		title string
		rows  []*scopes.Operation
	}{
		{"Doubtful: one of these scopes is right. A token needs one of them, a policy must list all", c.Doubtful},
		{"Need all-apis: nothing less is enough, or (inferred) nothing better is known", c.AllAPIs},
		{"Optional: clients go on without them", c.Optional},
	} {
		if len(list.rows) > 0 {
			fmt.Fprintf(&b, "\n%s\n", list.title)
		}
		for _, row := range list.rows {
			fmt.Fprintf(&b, "%-7s %s\t%s\t%s\t%s\n", row.Method, row.Template, judge.Needs(row), row.Evidence, row.Name)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func printDiff(out io.Writer, path string, rows []scopes.Operation) error {
	content, err := regularfile.Read(path, mapbundle.MaxSize)
	if err != nil {
		return fmt.Errorf("reading the old catalog: %w", err)
	}
	before, err := scopes.Parse(bytes.NewReader(content), path)
	if err != nil {
		return fmt.Errorf("reading the old catalog: %w", err)
	}
	var b strings.Builder
	counts, otherAccess := map[byte]int{}, 0
	for _, change := range scopes.Diff(before, rows) {
		sign, operation, detail := byte('~'), change.New, ""
		switch {
		case change.Old == nil:
			sign, detail = '+', judge.Needs(change.New)
		case change.New == nil:
			sign, operation, detail = '-', change.Old, judge.Needs(change.Old)
		default:
			detail = judge.Needs(change.Old) + " → " + judge.Needs(change.New)
			if change.Old.Needs() == change.New.Needs() {
				otherAccess++
				counts['~']--
				detail = judge.Needs(change.New) + ", " + change.Old.Effect.String() + " → " + change.New.Effect.String()
			}
		}
		counts[sign]++
		fmt.Fprintf(&b, "%c %-7s %s\t%s\t%s\n", sign, operation.Method, operation.Template, detail, operation.Name)
	}
	fmt.Fprintf(&b, "%d added, %d removed, %d with other scopes", counts['+'], counts['-'], counts['~'])
	if otherAccess > 0 {
		fmt.Fprintf(&b, ", %d with other access", otherAccess)
	}
	b.WriteByte('\n')
	_, err = io.WriteString(out, b.String())
	return err
}
