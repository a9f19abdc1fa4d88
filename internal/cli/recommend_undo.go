package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/bulk"
)

// restore gives tokens the former scopes of an undo file.
func (f *recommendFlags) restore(cmd *cobra.Command, deps Deps) error {
	file, err := bulk.ReadUndo(*f.undo)
	if err != nil {
		return fmt.Errorf("reading the undo file: %w", err)
	}
	changer, err := f.admin.changer(deps, file.Workspace)
	if err != nil {
		return err
	}
	defer changer.Close()
	results, restoreOut := resultsOut(cmd, *f.format)
	defer restoreOut()
	targets := file.Targets()
	nameTargets(cmd, changer, targets)
	teller := &teller{cmd: cmd, gateway: f.gateway, workspace: file.Workspace}
	runner := &bulk.Runner{Workspace: changer, Forget: teller.forget, BatchDone: teller.await, Say: say(cmd), DryRun: *f.dryRun, KeepGoing: true}
	if !*f.yes && !*f.dryRun && len(targets) > 0 {
		if err := confirm(cmd, "Restore the former scopes of "+bulk.Whose(targets)+"?"); err != nil {
			return err
		}
	}
	ctx, stop := interruptible(cmd)
	defer stop()
	out := bulk.Results{Workspace: file.Workspace, UndoFile: *f.undo, DryRun: *f.dryRun, Results: runner.Restore(ctx, targets)}
	for i := range out.Results { // from what they were narrowed to, to what they had
		one := &out.Results[i]
		one.Former, one.To = one.To, bulk.Formerly(one.Former)
	}
	if err := out.Write(results, *f.format); err != nil {
		return err
	}
	switch {
	case *f.dryRun:
		runner.Say("This was a dry run: nothing was changed.")
	case out.Changed() == 0 && out.Count(bulk.Failed, bulk.Untried) == 0:
		fmt.Fprintln(cmd.ErrOrStderr(), "There is nothing to do.")
	}
	return outcomeOf(&out, "restored")
}
