package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/bulk"
	"github.com/scopegate/scopegate/internal/tokens"
)

// nameRows asks the workspace for the names of owners that the gateway does not know yet, so
// that the user sees whose tokens are about to be changed. What cannot be asked stays a number.
func nameRows(cmd *cobra.Command, changer *tokens.Changer, plan *bulk.Plan) {
	names := ownerNames{changer: changer}
	for i := range plan.Rows {
		if row := &plan.Rows[i]; row.Action == bulk.Narrow && row.Owner == fmt.Sprint(row.OwnerID) {
			row.Owner = names.of(cmd.Context(), row.OwnerID)
		}
	}
}

// nameTargets does that for tokens of which only the ids are known.
func nameTargets(cmd *cobra.Command, changer *tokens.Changer, targets []bulk.Target) {
	names := ownerNames{changer: changer}
	for i := range targets {
		t := &targets[i]
		info, err := changer.Get(cmd.Context(), t.ID)
		if err != nil {
			continue // the result will say so
		}
		t.Owner, t.Comment = info.Owner.String(), info.Comment
		id, numbered := info.Owner.ID()
		if _, named := info.Owner.Name(); !named && numbered {
			t.OwnerID, t.Owner = id, names.of(cmd.Context(), id)
		}
	}
}

// ownerNames asks for each name once, and no more once that fails.
type ownerNames struct {
	changer *tokens.Changer
	known   map[int64]string
	failed  bool
}

func (n *ownerNames) of(ctx context.Context, id int64) string {
	if name, ok := n.known[id]; ok {
		return name
	}
	name := fmt.Sprint(id)
	if !n.failed {
		owner, _, err := n.changer.Owner(ctx, id)
		n.failed = err != nil
		if err == nil {
			name = owner.String()
		}
	}
	if n.known == nil {
		n.known = make(map[int64]string)
	}
	n.known[id] = name
	return name
}
