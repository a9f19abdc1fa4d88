package mapfiles

import (
	"context"
	"fmt"
	"time"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/mapimpact"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

// Seen is what a gateway knows of the tokens of a workspace, and of what they called.
type Seen struct {
	Usage  func(context.Context) (usage.State, error)
	Tokens func(context.Context) ([]*tokens.Info, error)
	// Owner completes a token's owner by its name, if that is known.
	Owner func(*tokens.Info) tokens.Principal
}

// compareTimeout limits how long a map waits to be compared with what was seen.
const compareTimeout = 20 * time.Second

// Compare compares what two lists of judges say of the calls that were seen. Without before,
// the needs that were recorded with the calls stand for it. The workspace is asked for its
// tokens only if any operation that was called has other needs.
func (s Seen) Compare(ctx context.Context, before, after []*judge.Judge) (mapimpact.Impact, error) {
	if len(after) == 0 {
		return mapimpact.Impact{}, nil
	}
	ctx, cancel := context.WithTimeout(ctx, compareTimeout)
	defer cancel()
	in := mapimpact.Input{Before: before, After: after, Owner: s.Owner, Now: after[0].Now()}
	var err error
	if in.Usage, err = s.Usage(ctx); err != nil {
		return mapimpact.Impact{}, fmt.Errorf("saved usage could not be read: %w", err)
	}
	if mapimpact.Touches(in) {
		if in.Tokens, err = s.Tokens(ctx); err != nil {
			return mapimpact.Impact{}, err
		}
	}
	return mapimpact.Compare(in), nil
}

// compareRecorded compares the map with what was recorded by earlier processes, which may
// have had another one: that of an older binary, or files that were changed in the meantime.
func (w *Watch) compareRecorded(ctx context.Context) {
	impact, err := w.Seen.Compare(ctx, nil, w.InForce.Load().Judges)
	if ctx.Err() == nil {
		w.Tell.Impact(w.Workspace, impact, err)
	}
}
