package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/scopegate/scopegate/internal/bulk"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

// whose knows by the workspace's word whether owners match a pattern. Another program may
// listen at the gateway's address, and list tokens of others as those of the owner that the
// user names.
type whose struct {
	pattern string
	leavers *leavers
	known   map[int64]tokens.Principal
}

func newWhose(changer *tokens.Changer, pattern string) *whose {
	return &whose{pattern, &leavers{changer: changer}, make(map[int64]tokens.Principal)}
}

// matches implements [bulk.Revocation.Whose].
func (w *whose) matches(ctx context.Context, t *bulk.Target) (why string, err error) {
	if t.OwnerID == 0 {
		return "the workspace does not say who owns it", nil
	}
	if usage.MatchesOwner(w.pattern, "", t.OwnerID) {
		return "", nil // that the number is the token's is checked before it is revoked
	}
	owner, known := w.known[t.OwnerID]
	if !known {
		if owner, _, err = w.leavers.ask(ctx, t.OwnerID); err != nil {
			return "", err
		}
		w.known[t.OwnerID] = owner
	}
	name, named := owner.Name()
	if !named {
		// Whoever has left has no name, except in tokens that they made for themselves.
		info, err := w.leavers.changer.Get(ctx, t.ID)
		switch {
		case errors.Is(err, tokens.ErrUnknownToken):
			return "", nil // it is gone, and the result will say so
		case err != nil:
			return "", err
		}
		if name, named = info.Owner.Name(); !named {
			return fmt.Sprintf("the workspace does not say what owner %d is called; name the number with --owner, or use --expired-owner", t.OwnerID), nil
		}
	}
	if !usage.MatchesOwner(w.pattern, name, 0) {
		return fmt.Sprintf("the workspace says that it belongs to %s, who is another owner than --owner names", name), nil
	}
	return "", nil
}
