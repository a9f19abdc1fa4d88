package bulk

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// Restore gives tokens their former scopes. A token that has others by now than those that it
// was narrowed to is left alone, which is an error.
func (r *Runner) Restore(ctx context.Context, targets []Target) []Result {
	return r.each(ctx, "restored", targets, r.restore)
}

func (r *Runner) restore(ctx context.Context, t *Target) (Status, error) {
	now, err := r.get(ctx, t.ID)
	switch {
	case errors.Is(err, tokens.ErrUnknownToken):
		r.Forget(t.ID)
		return Gone, nil // there is nothing to restore
	case err != nil:
		return "", err
	case tokens.SameScopes(now.Scopes, t.Former), everything(t.Former) && everything(now.Scopes):
		return Already, nil
	case !tokens.SameScopes(now.Scopes, t.To) && !holdsOneOf(now.Scopes, t.before):
		r.Forget(t.ID)
		return "", fmt.Errorf("it was changed since it was narrowed, and holds %s now; it is left as it is", Scopes(now.Scopes))
	case r.DryRun:
		return Planned, nil
	}
	return Restored, r.set(ctx, t.ID, Formerly(t.Former))
}

// Formerly returns the scopes to set so that a token may do what it could with its former ones.
// A list of no scopes cannot be set with certainty; all-apis means the same.
func Formerly(former []string) []string {
	if len(former) == 0 {
		return []string{scopes.AllAPIs}
	}
	return slices.Clone(former)
}
