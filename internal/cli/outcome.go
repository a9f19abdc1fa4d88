package cli

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/bulk"
)

// resultsOut returns where results go. If they are for programs, all else goes to standard
// error until restore is called.
func resultsOut(cmd *cobra.Command, format string) (results io.Writer, restore func()) {
	out := cmd.OutOrStdout()
	if format == bulk.Formats[0] {
		return out, func() {}
	}
	cmd.SetOut(cmd.ErrOrStderr())
	return out, func() { cmd.SetOut(out) }
}

// writeUnlessTable writes results for programs. A table was written when it was new.
func writeUnlessTable(out io.Writer, results *bulk.Results, format string) error {
	if format == bulk.Formats[0] {
		return nil
	}
	return results.Write(out, format)
}

// outcomeOf returns the error of results, nil if all is done.
func outcomeOf(results *bulk.Results, done string) error {
	failed, untried := results.Count(bulk.Failed), results.Count(bulk.Untried)
	if failed+untried == 0 {
		return nil
	}
	changed := results.Changed()
	err := fmt.Errorf("%s %s, %d failed, %d not tried; run the command again to do the rest", plural(changed, "token"), done, failed, untried)
	for i := range results.Results {
		if one := &results.Results[i]; one.Status == bulk.Failed {
			err = fmt.Errorf("%w (%s… of %s: %s)", err, one.TokenID[:12], one.Owner, one.Problem)
			break
		}
	}
	unsure := slices.ContainsFunc(results.Results, func(r bulk.Result) bool { return r.Unsure })
	if changed == 0 && !unsure {
		return err
	}
	return &exitError{ExitPartly, err}
}
