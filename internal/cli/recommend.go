package cli

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/bulk"
	"github.com/scopegate/scopegate/internal/didyoumean"
)

const recommendScreen = `
Recommends the smallest set of scopes for what tokens were seen to use.

  scopegate scopes recommend <token-id>                 explains one token
  scopegate scopes recommend --all | --where <filter>   plans for many, a line each
  scopegate scopes recommend … --apply                  narrows them, after asking
  scopegate scopes recommend --undo <file>              restores what --apply changed
  scopegate scopes recommend <token-id>... --native     writes rules for Databricks

--where <filter>     owner=<name>, unscoped, no-expiry, unused=90d, expiring=14d,
                     id=<digits>, or several of them, joined by commas
--used <time>        leave out what was not used in this time, such as 90d
--format <form>      table, json or csv; json or terraform with --native; or --json
--dry-run  --yes     change nothing; do not ask
--watch <time>       then restore tokens whose calls are refused in this time
--undo-file <file>   where to keep the former scopes
--little-evidence    narrow tokens seen for less than 7 days or 20 calls, too
--despite-cut        narrow tokens about which evidence is missing, too
--enforce-native  --allow-others  --owner-type <type>   with --native, see the manual
--workspace  --profile  --config  --adapter  --address  where to sign in and to ask

Example: scopegate scopes recommend --where 'owner=*@example.com' --apply --watch 1h
Exit code: 0 done, or nothing to do; 1 failed; 4 done in part; 5 the watch restored some
`

const recommendHelp = `
Asks a running gateway which scopes cover what a token was seen to use, how much
evidence there is, what would be dropped, whether Databricks' own observations
agree, and how to apply it. Instead of the whole token id, its first eight digits or
more, as scopes report shows them, are enough.

--used leaves out what the token did not use in this time, such as 90d, and lists it.
--json prints JSON.
--apply sets the scopes, after asking. It signs in to the workspace with the flags
  below, not as the gateway.
--yes applies them without asking, if there is enough evidence.
--despite-cut applies them although evidence about the token was dropped to stay within
  limits, or a saved file could not be read. It still asks.

Many tokens at once:
--all prints a plan for all tokens: what each one holds, what it is narrowed to, and what
  would break once the gateway enforces, with the policy and its option.
--where does that for the tokens that match all of its filters: owner=<name or id> (* and ?
  are wildcards), unscoped, no-expiry, unused=<time>, expiring=<time>, and id=<the first
  digits of a token id>. Join several by commas, or repeat the flag; of several ids, one
  must match.
--apply narrows them one after another. It names the owners before it asks, stops at the
  first surprise, and does the rest when it is run again. Tokens with little evidence, or of
  which evidence is missing, are skipped: include them with --little-evidence and
  --despite-cut. It never narrows the token with which it or the gateway signs in.
--dry-run looks at each token in the workspace, and changes nothing.
--undo-file is where --apply keeps the former scopes before it changes any. If it is there,
  they are added. Default: a file in the current folder, named after the time.
--undo restores the former scopes that such a file holds. A token that was changed since is
  left alone.
--watch goes with --apply: for this time, a token whose calls are refused by the gateway,
  or by the workspace as far as the gateway learns of it, gets its former scopes back.
--format is table, json or csv. Default: table.
The exit code is 0 if all is done, or there is nothing to do; 1 if nothing was changed
  because of an error; 4 if some tokens were changed and others not, or the watch ended
  early; 5 if the watch restored tokens.

`

// recommendFlags are the flags of recommend for one token and for many.
type recommendFlags struct {
	used, watch, undoFile, undo     *string
	where                           *[]string
	all, asJSON, apply, yes, dryRun *bool
	despiteCut, littleEvidence      *bool
	admin                           signInFlags
	gateway                         addressFlag
	native                          nativeFlags
	format                          *string
}

func recommendCommand(deps Deps) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "recommend <token-id> | --all | --where <filter> | --undo <file> [--used 90d] [--apply [--yes] [--watch 1h]]",
		Short: "Recommends the smallest set of scopes for what tokens were seen to use, and narrows them",
		Long:  recommendHelp + nativeHelp + "\n" + signInHelp + addressHelp,
		Example: `  scopegate scopes recommend 3f2a81c09d4e
  scopegate scopes recommend 3f2a81c09d4e --used 90d --apply --profile admin
  scopegate scopes recommend --all --format csv > plan.csv
  scopegate scopes recommend --where 'owner=*@example.com,unscoped' --apply --watch 1h
  scopegate scopes recommend --undo scopegate-undo-20260301T120000Z.json
  scopegate scopes recommend 3f2a81c09d4e 77b0c2d5 --native --format terraform > native.tf`,
		SilenceUsage: true,
	}
	oneScreen(cmd, recommendScreen)
	f := addRecommendFlags(cmd, deps)
	cmd.Args = f.args
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := f.check(cmd); err != nil {
			return err
		}
		switch {
		case *f.undo != "":
			return f.restore(cmd, deps)
		case f.many():
			return f.recommendMany(cmd, deps)
		}
		return f.recommendOne(cmd, args, deps)
	}
	return cmd
}

func addRecommendFlags(cmd *cobra.Command, deps Deps) *recommendFlags {
	flags := cmd.Flags()
	f := &recommendFlags{
		used:           flags.String("used", "", "leave out what was not used in this time"),
		all:            flags.Bool("all", false, "plan for all tokens"),
		where:          flags.StringArray("where", nil, "plan for the tokens that match"),
		asJSON:         flags.Bool("json", false, "print JSON"),
		apply:          flags.Bool("apply", false, "set the scopes, after asking"),
		yes:            flags.Bool("yes", false, "do not ask"),
		dryRun:         flags.Bool("dry-run", false, "change nothing"),
		watch:          flags.String("watch", "", "restore tokens whose calls are refused in this time"),
		undoFile:       flags.String("undo-file", "", "file to keep the former scopes in"),
		undo:           flags.String("undo", "", "restore the scopes that this file holds"),
		despiteCut:     flags.Bool("despite-cut", false, "apply although evidence is missing"),
		littleEvidence: flags.Bool("little-evidence", false, "narrow tokens with little evidence, too"),
		admin:          addSignInFlags(cmd),
	}
	f.gateway = addAddressFlag(cmd, deps, f.admin.config)
	f.native = addNativeFlags(cmd)
	f.format = f.native.format
	complete := cobra.FixedCompletions(append(slices.Clone(bulk.Formats), "terraform"), only)
	if err := cmd.RegisterFlagCompletionFunc("format", complete); err != nil {
		panic(err) // the flag is there, and completed once
	}
	cmd.MarkFlagsMutuallyExclusive("json", "apply")
	for _, other := range []string{"all", "where", "apply", "native", "json", "used", "watch", "undo-file"} {
		cmd.MarkFlagsMutuallyExclusive("undo", other)
	}
	for _, many := range []string{"all", "where"} {
		cmd.MarkFlagsMutuallyExclusive("native", many)
		cmd.MarkFlagsMutuallyExclusive("json", many)
	}
	return f
}

// many reports whether the command is about many tokens.
func (f *recommendFlags) many() bool { return *f.all || len(*f.where) > 0 }

// args accepts one token id, several with --native, and none where flags select tokens.
func (f *recommendFlags) args(_ *cobra.Command, args []string) error {
	if !f.many() && *f.undo == "" {
		return f.native.args(args)
	}
	if len(args) > 0 {
		return errors.New("pass a token id, or --all, --where or --undo, not both; --where id=<digits> selects one token among others")
	}
	return nil
}

// check refuses flags that mean nothing together.
func (f *recommendFlags) check(cmd *cobra.Command) error {
	applies := *f.apply || *f.undo != ""
	switch many := f.many() || *f.undo != ""; {
	case *f.yes && !applies:
		return errors.New("--yes goes with --apply")
	case *f.despiteCut && !*f.apply && !f.many():
		return errors.New("--despite-cut goes with --apply")
	case *f.dryRun && !(applies && many):
		return errors.New("--dry-run goes with --undo, or with --apply and --all or --where")
	case *f.littleEvidence && !f.many():
		return errors.New("--little-evidence goes with --all or --where; for one token, --apply without --yes asks")
	case *f.watch != "" && !(*f.apply && f.many()):
		return errors.New("--watch goes with --apply and --all or --where, such as --where id=<digits>")
	case *f.watch != "" && *f.dryRun:
		return errors.New("--watch does not go with --dry-run, which changes nothing")
	case *f.undoFile != "" && !(*f.apply && f.many()):
		return errors.New("--undo-file goes with --apply and --all or --where, such as --where id=<digits>")
	case *f.format != "" && !many && !*f.native.on:
		return errors.New("--format goes with --all, --where, --undo or --native; --json prints one token")
	case many:
		if err := checkFormat(f.format); err != nil {
			return err
		}
	}
	return f.native.check(cmd)
}

// checkFormat checks the form of plans and results, and sets the default.
func checkFormat(format *string) error {
	if *format == "" {
		*format = bulk.Formats[0]
	}
	if !slices.Contains(bulk.Formats, *format) {
		return fmt.Errorf("--format must be table, json or csv, not %q; %s", *format, didyoumean.Hint(*format, bulk.Formats))
	}
	return nil
}

// recommendOne is recommend for one token, or for some with --native.
func (f *recommendFlags) recommendOne(cmd *cobra.Command, args []string, deps Deps) error {
	asked, err := f.admin.asked(deps)
	if err != nil {
		return err
	}
	ids, err := uniqueIDs(f.gateway, args, asked)
	if err != nil {
		return err
	}
	id := ids[0]
	client, err := f.gateway.client()
	if err != nil {
		return err
	}
	if *f.native.on {
		return f.native.run(cmd, ids, client, asked, *f.used)
	}
	recommendation, err := client.Recommend(adminapi.RecommendQuery{TokenID: id, Workspace: asked, Used: *f.used})
	if err != nil {
		return withHint(err)
	}
	if *f.asJSON {
		return printJSON(cmd.OutOrStdout(), recommendation, "  ")
	}
	if err := recommendation.WriteText(cmd.OutOrStdout()); err != nil || !*f.apply {
		return err
	}
	apply := application{id: id, recommendation: recommendation, gateway: f.gateway, yes: *f.yes, despiteCut: *f.despiteCut}
	return apply.run(cmd, deps, f.admin)
}
