package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/bulk"
	"github.com/scopegate/scopegate/internal/duration"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

// recommendMany plans for many tokens, and narrows them with --apply.
func (f *recommendFlags) recommendMany(cmd *cobra.Command, deps Deps) error {
	where, err := bulk.ParseWhere(*f.where)
	if err != nil {
		return fmt.Errorf("--where: %w", err)
	}
	var length time.Duration
	if *f.watch != "" {
		if length, err = duration.Parse(*f.watch); err != nil || length <= 0 {
			return fmt.Errorf("--watch needs a time such as 1h or 30m, not %q", *f.watch)
		}
	}
	asked, err := f.admin.asked(deps)
	if err != nil {
		return err
	}
	client, err := f.gateway.client()
	if err != nil {
		return err
	}
	planned, err := client.Plan(planQuery(&where, asked, *f.used))
	if err != nil {
		return withHint(err)
	}
	options := bulk.Options{LittleEvidence: *f.littleEvidence, DespiteCut: *f.despiteCut}
	if !*f.apply {
		plan := bulk.NewPlan(planned, where, options)
		return plan.Write(cmd.OutOrStdout(), *f.format)
	}
	changer, err := f.admin.changer(deps, planned.Workspace)
	if err != nil {
		return err
	}
	defer changer.Close()
	if id, ok := changer.OwnToken(); ok {
		options.Own = &id
	}
	plan := bulk.NewPlan(planned, where, options)
	narrowing := narrowing{recommendFlags: f, cmd: cmd, client: client, changer: changer, plan: &plan, length: length}
	return narrowing.run()
}

// planQuery asks for the tokens of a filter.
func planQuery(where *bulk.Where, workspace, used string) adminapi.PlanQuery {
	return adminapi.PlanQuery{
		ReportQuery: adminapi.ReportQuery{
			Workspace: workspace, Unscoped: where.Unscoped, NoExpiry: where.NoExpiry,
			Unused: where.Unused, Expiring: where.Expiring, Owner: where.Owner,
		},
		Used: used,
	}
}

// narrowing is a plan that is about to be applied.
type narrowing struct {
	*recommendFlags
	cmd     *cobra.Command
	client  adminapi.Client
	changer *tokens.Changer
	plan    *bulk.Plan
	length  time.Duration // of the watch; 0 for none

	teller  *teller
	runner  *bulk.Runner
	results bulk.Results
}

// run shows the plan, asks, applies it and watches.
func (n *narrowing) run() error {
	results, restoreOut := resultsOut(n.cmd, *n.format)
	defer restoreOut()
	nameRows(n.cmd, n.changer, n.plan)
	targets := n.plan.Targets()
	if err := n.plan.Write(n.cmd.OutOrStdout(), "table"); err != nil {
		return err
	}
	n.results = bulk.Results{Workspace: n.plan.Workspace, DryRun: *n.dryRun, Results: []bulk.Result{}}
	if len(targets) == 0 {
		fmt.Fprintln(n.cmd.ErrOrStderr(), "There is nothing to do.")
		return writeUnlessTable(results, &n.results, *n.format)
	}
	n.teller = &teller{cmd: n.cmd, gateway: n.gateway, workspace: n.plan.Workspace}
	n.runner = &bulk.Runner{Workspace: n.changer, Forget: n.teller.forget, BatchDone: n.teller.await, Say: say(n.cmd), DryRun: *n.dryRun}
	watch, err := n.prepareWatch()
	if err != nil {
		return err
	}
	if err := n.confirm(targets); err != nil {
		return err
	}
	ctx, stop := interruptible(n.cmd)
	defer stop()
	n.results.Results = n.runner.Narrow(ctx, targets)
	var unwritten error // which is no reason not to watch
	if *n.format == bulk.Formats[0] {
		if err := n.results.Write(results, *n.format); err != nil {
			unwritten = &exitError{ExitPartly, err}
		}
	}
	if *n.dryRun {
		n.runner.Say("This was a dry run: nothing was changed.")
	}
	outcome := outcomeOf(&n.results, "narrowed")
	if watch != nil {
		outcome = errors.Join(n.watchOver(ctx, watch, targets), outcome)
	}
	return errors.Join(outcome, unwritten, writeUnlessTable(results, &n.results, *n.format))
}

// confirm asks whether to narrow tokens, and keeps their former scopes.
func (n *narrowing) confirm(targets []bulk.Target) error {
	if *n.dryRun {
		return nil
	}
	if !*n.yes {
		fmt.Fprintln(n.cmd.ErrOrStderr())
		if err := confirm(n.cmd, "Narrow "+bulk.Whose(targets)+"?"); err != nil {
			return err
		}
	}
	path := *n.undoFile
	if path == "" {
		var err error
		if path, err = bulk.NewUndoFile(time.Now()); err != nil {
			return fmt.Errorf("%w; name another file with --undo-file; nothing was changed", err)
		}
	}
	if err := bulk.WriteUndo(path, n.plan.Workspace, targets, time.Now()); err != nil {
		if *n.undoFile == "" {
			_ = os.Remove(path) // it is empty
		}
		return fmt.Errorf("%w; nothing was changed", err)
	}
	n.results.UndoFile = path
	n.runner.Say("The former scopes are in %s. To restore them: scopegate scopes recommend --undo %s", path, path)
	return nil
}

// prepareWatch asks what the gateway has counted so far; nil if there is no watch.
func (n *narrowing) prepareWatch() (*bulk.Watch, error) {
	if n.length == 0 {
		return nil, nil
	}
	ask := func() (*bulk.Seen, error) { return askSeen(n.client, n.plan.Workspace) }
	before, err := ask()
	if err != nil {
		return nil, err
	}
	return &bulk.Watch{Runner: n.runner, Ask: ask, Length: n.length, Before: before}, nil
}

// askSeen asks a gateway what it has counted.
func askSeen(client adminapi.Client, workspace string) (*bulk.Seen, error) {
	report, err := readReport(client, workspace)
	if err != nil {
		return nil, err
	}
	drift, err := client.Drift(adminapi.DriftQuery{Workspace: workspace, All: true})
	if err != nil {
		return nil, withHint(err)
	}
	seen := &bulk.Seen{Tokens: make(map[string]*usage.Token), Drift: drift.Rows}
	for i := range report.Rows {
		if row := &report.Rows[i]; row.Seen != nil {
			seen.Tokens[row.ID] = row.Seen
		}
	}
	return seen, nil
}

// watchOver watches the tokens that were narrowed.
func (n *narrowing) watchOver(ctx context.Context, watch *bulk.Watch, targets []bulk.Target) error {
	var narrowed []bulk.Target
	for i := range n.results.Results {
		if one := &n.results.Results[i]; one.Status == bulk.Narrowed || one.Unsure {
			narrowed = append(narrowed, targets[i])
		}
	}
	if len(narrowed) == 0 {
		n.runner.Say("There is nothing to watch.")
		return nil
	}
	n.runner.Say("%s", watch.Announce(len(narrowed)))
	out := watch.Run(ctx, narrowed)
	for _, undone := range out.Undone {
		for i := range n.results.Results {
			if one := &n.results.Results[i]; one.TokenID == undone.TokenID {
				one.Status, one.Problem = undone.Status, undone.Problem
			}
		}
	}
	fmt.Fprintln(n.cmd.OutOrStdout(), out.String())
	if out.Kept > 0 {
		fmt.Fprintf(n.cmd.OutOrStdout(), "To restore those that stay narrowed: scopegate scopes recommend --undo %s\n", n.results.UndoFile)
	}
	switch undone := len(out.Undone); {
	case undone > 0:
		return &exitError{ExitUndone, fmt.Errorf("calls of %s were refused", plural(undone, "narrowed token"))}
	case out.Interrupted, out.Blind:
		return &exitError{ExitPartly, errors.New("the watch did not see all of its time")}
	}
	return nil
}
