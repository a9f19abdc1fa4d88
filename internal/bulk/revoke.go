package bulk

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

// Revocation says which tokens of a gateway's plan are revoked. Those that it lists were
// selected by the gateway.
type Revocation struct {
	// Unused says that tokens were selected because they are not used.
	Unused string
	// Whose says whether a token has the owner that was asked for, by the workspace's word,
	// and why not; nil if that does not matter.
	Whose func(ctx context.Context, t *Target) (why string, err error)
	// Left says who has left; nil if that does not matter.
	Left func(ctx context.Context, id int64) (why string, left bool, err error)
	// Own is the id of the token with which the command itself signs in; nil for none.
	Own *tokens.ID
}

// Choose returns the tokens to revoke, and results for those that are selected and skipped.
func (v *Revocation) Choose(ctx context.Context, plan *usage.Plan) (targets []Target, skipped []Result, err error) {
	for i := range plan.Rows {
		row := &plan.Rows[i]
		id, err := tokens.ParseID(row.ID)
		if err != nil {
			continue
		}
		t := Target{ID: id, Owner: ownerOf(row), OwnerID: row.OwnerID, Comment: row.Comment, Former: row.Scopes, LastUsed: row.LastUsed, Last: row.Last}
		switch {
		case v.Own != nil && *v.Own == id:
			skipped = append(skipped, t.result(Skipped, "this command signs in with it"))
			continue
		case plan.Own == row.ID:
			skipped = append(skipped, t.result(Skipped, "the gateway signs in with it"))
			continue
		}
		if v.Whose != nil {
			why, err := v.Whose(ctx, &t)
			switch {
			case err != nil:
				return nil, nil, err
			case why != "":
				skipped = append(skipped, t.result(Skipped, why))
				continue
			}
		}
		if v.Left != nil {
			if row.OwnerID == 0 {
				skipped = append(skipped, t.result(Skipped, "the workspace does not say who owns it"))
				continue
			}
			why, left, err := v.Left(ctx, row.OwnerID)
			switch {
			case err != nil:
				return nil, nil, err
			case !left:
				continue
			}
			t.Why = why
		}
		targets = append(targets, t)
	}
	return targets, skipped, nil
}

// maxClockError is by how much the clocks of the command and of the gateway may differ.
const maxClockError = time.Hour

// Revoke deletes tokens. One that is gone already is no error. One that has another owner is;
// and, if they were chosen because they were not used for a time, one that was used since, or
// of which the workspace says that it is younger or was used in this time. Another program may
// listen at the gateway's address, and what is revoked is lost.
func (r *Runner) Revoke(ctx context.Context, targets []Target, unused time.Duration) []Result {
	return r.each(ctx, "revoked", targets, func(ctx context.Context, t *Target) (Status, error) {
		now, err := r.get(ctx, t.ID)
		switch {
		case errors.Is(err, tokens.ErrUnknownToken):
			r.Forget(t.ID)
			return Gone, nil
		case err != nil:
			return "", err
		case ownerID(now) != t.OwnerID:
			return "", errOwner
		case unused > 0 && now.LastUsed.After(t.LastUsed):
			return "", fmt.Errorf("it was used in the meantime, on %s; it is left as it is", now.LastUsed.UTC().Format(time.DateOnly))
		case unused > 0 && (tooRecent(now.LastUsed, unused) || tooRecent(now.Created, unused)):
			return "", errors.New("the gateway says that it is unused, and the workspace says that it is younger, or was used in this time; it is left as it is")
		case r.DryRun:
			return PlannedRevocation, nil
		}
		err = r.patiently(ctx, func(ctx context.Context) error { return r.Workspace.Revoke(ctx, t.ID) })
		switch {
		case errors.Is(err, tokens.ErrUnknownToken):
			r.Forget(t.ID)
			return Gone, nil
		case err != nil:
			return "", err
		}
		r.Forget(t.ID)
		return Revoked, nil
	})
}

// tooRecent reports whether something was less than some time ago for certain.
func tooRecent(at time.Time, ago time.Duration) bool {
	return !at.IsZero() && time.Since(at) < ago-min(ago/2, maxClockError)
}

func ownerID(info *tokens.Info) int64 {
	id, _ := info.Owner.ID()
	return id
}
