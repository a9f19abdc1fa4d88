package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/bulk"
	"github.com/scopegate/scopegate/internal/duration"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

// revokeManyFlags are the flags of revoke that select tokens, and those that go with them.
type revokeManyFlags struct {
	unused, owner, format           *string
	expiredOwner, dryRun, keepGoing *bool
}

func addRevokeManyFlags(cmd *cobra.Command) revokeManyFlags {
	flags := cmd.Flags()
	return revokeManyFlags{
		unused:       flags.String("unused", "", "revoke tokens that were not used for this long"),
		owner:        flags.String("owner", "", "revoke tokens of this owner"),
		expiredOwner: flags.Bool("expired-owner", false, "revoke tokens whose owner has left"),
		dryRun:       flags.Bool("dry-run", false, "change nothing"),
		keepGoing:    flags.Bool("keep-going", false, "go on after a token that cannot be revoked"),
		format:       flags.String("format", "", "table, json or csv (default table)"),
	}
}

// on reports whether flags select tokens.
func (f *revokeManyFlags) on() bool { return *f.unused != "" || *f.owner != "" || *f.expiredOwner }

// args accepts one token id, and none where flags select tokens.
func (f *revokeManyFlags) args(cmd *cobra.Command, args []string) error {
	switch {
	case f.on() && len(args) > 0:
		return errors.New("pass a token id, or --unused, --owner or --expired-owner, not both")
	case f.on():
		return nil
	case len(args) == 0 && (cmd.Flags().Changed("unused") || cmd.Flags().Changed("owner")):
		return errors.New("--unused and --owner need a value") // as from an unset variable
	}
	return oneTokenID(args, "--unused, --owner or --expired-owner")
}

// check refuses flags that mean nothing together.
func (f *revokeManyFlags) check(cmd *cobra.Command) error {
	for _, name := range []string{"unused", "owner"} {
		if flag := cmd.Flags().Lookup(name); flag.Changed && flag.Value.String() == "" {
			return fmt.Errorf("--%s needs a value", name) // or more tokens would match
		}
	}
	if !f.on() {
		for _, name := range []string{"dry-run", "keep-going", "format"} {
			if cmd.Flags().Changed(name) {
				return fmt.Errorf("--%s goes with --unused, --owner or --expired-owner", name)
			}
		}
		return nil
	}
	if *f.unused != "" {
		if d, err := duration.Parse(*f.unused); err != nil || d <= 0 {
			return fmt.Errorf("--unused needs a time such as 90d, not %q", *f.unused)
		}
	}
	return checkFormat(f.format)
}

// run shows which tokens match, asks, and revokes them.
func (f *revokeManyFlags) run(cmd *cobra.Command, deps Deps, admin signInFlags, gateway addressFlag, yes bool) error {
	asked, err := admin.asked(deps)
	if err != nil {
		return err
	}
	client, err := gateway.client()
	if err != nil {
		return err
	}
	plan, err := client.Plan(adminapi.PlanQuery{ReportQuery: adminapi.ReportQuery{Workspace: asked, Unused: *f.unused, Owner: *f.owner}})
	if err != nil {
		return withHint(err)
	}
	changer, err := admin.changer(deps, plan.Workspace)
	if err != nil {
		return err
	}
	defer changer.Close()
	targets, skipped, err := f.choose(cmd, changer, plan)
	if err != nil {
		return err
	}
	results, restoreOut := resultsOut(cmd, *f.format)
	defer restoreOut()
	for _, note := range plan.Notes {
		fmt.Fprintf(cmd.ErrOrStderr(), "note: %s\n", usage.Clean(note))
	}
	teller := &teller{cmd: cmd, gateway: gateway, workspace: plan.Workspace}
	runner := &bulk.Runner{Workspace: changer, Forget: teller.forget, BatchDone: teller.await, Say: say(cmd), DryRun: *f.dryRun, KeepGoing: *f.keepGoing}
	if err := f.confirm(cmd, targets, yes); err != nil {
		return err
	}
	ctx, stop := interruptible(cmd)
	defer stop()
	unused, _ := duration.Parse(*f.unused) // 0 without the flag; it was checked
	out := bulk.Results{Workspace: plan.Workspace, Revoke: true, DryRun: *f.dryRun, Results: append(runner.Revoke(ctx, targets, unused), skipped...)}
	if err := out.Write(results, *f.format); err != nil {
		return err
	}
	switch {
	case *f.dryRun:
		runner.Say("This was a dry run: nothing was changed. It would revoke %s.", bulk.Whose(targets))
	case out.Changed() == 0 && out.Count(bulk.Failed, bulk.Untried) == 0:
		fmt.Fprintln(cmd.ErrOrStderr(), "There is nothing to do.")
	}
	return outcomeOf(&out, "revoked")
}

// choose returns the tokens to revoke, and results for those that are skipped.
func (f *revokeManyFlags) choose(cmd *cobra.Command, changer *tokens.Changer, plan *usage.Plan) ([]bulk.Target, []bulk.Result, error) {
	revocation := bulk.Revocation{}
	if id, ok := changer.OwnToken(); ok {
		revocation.Own = &id
	}
	if *f.owner != "" {
		revocation.Whose = newWhose(changer, *f.owner).matches
	}
	if *f.expiredOwner {
		if err := changer.ProveOwners(cmd.Context()); err != nil {
			return nil, nil, err
		}
		revocation.Left = newLeavers(cmd, changer).left
	}
	targets, skipped, err := revocation.Choose(cmd.Context(), plan)
	if err != nil {
		return nil, nil, fmt.Errorf("%w; nothing was changed", err)
	}
	names := ownerNames{changer: changer}
	for i := range targets {
		if t := &targets[i]; t.Owner == fmt.Sprint(t.OwnerID) && !*f.expiredOwner {
			t.Owner = names.of(cmd.Context(), t.OwnerID)
		}
	}
	return targets, skipped, nil
}

// confirm shows the tokens and asks.
func (f *revokeManyFlags) confirm(cmd *cobra.Command, targets []bulk.Target, yes bool) error {
	if yes || *f.dryRun || len(targets) == 0 {
		return nil
	}
	planned := bulk.Results{Revoke: true}
	for i := range targets {
		planned.Results = append(planned.Results, targets[i].Result(bulk.PlannedRevocation, ""))
	}
	if err := planned.Write(cmd.OutOrStdout(), bulk.Formats[0]); err != nil {
		return err
	}
	fmt.Fprintln(cmd.ErrOrStderr())
	return confirm(cmd, "Revoke permanently "+bulk.Whose(targets)+"?")
}

// leavers knows who has left a workspace. Each owner is asked for once.
type leavers struct {
	changer *tokens.Changer
	say     func(format string, args ...any)
	known   map[int64]string // why, empty for those who have not
}

func newLeavers(cmd *cobra.Command, changer *tokens.Changer) *leavers {
	return &leavers{changer, say(cmd), make(map[int64]string)}
}

// left implements [bulk.Revocation.Left].
func (l *leavers) left(ctx context.Context, id int64) (why string, left bool, err error) {
	why, known := l.known[id]
	if !known {
		owner, state, err := l.ask(ctx, id)
		if err != nil {
			return "", false, err
		}
		switch state {
		case tokens.OwnerInactive:
			why = fmt.Sprintf("%s is inactive", owner)
		case tokens.OwnerGone:
			why = "the owner is not in the workspace any more"
		default:
			why = ""
		}
		l.known[id] = why
		if n := len(l.known); n%50 == 0 {
			l.say("asked about %d owners", n)
		}
	}
	return why, why != "", nil
}

// ask asks again once if the workspace asks for fewer requests.
func (l *leavers) ask(ctx context.Context, id int64) (tokens.Principal, tokens.OwnerState, error) {
	owner, state, err := l.changer.Owner(ctx, id)
	if outage, ok := errors.AsType[*tokens.UnavailableError](err); ok && outage.Outage == tokens.Throttled {
		if err := sleep(ctx, max(outage.RetryAfter, time.Second)); err != nil {
			return owner, state, err
		}
		return l.changer.Owner(ctx, id)
	}
	return owner, state, err
}
