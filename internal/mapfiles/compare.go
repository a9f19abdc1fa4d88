package mapfiles

import (
	"context"
	"errors"
	"fmt"
	"sync"
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

// announce tells what another map refuses, before it takes effect.
func (s Seen) announce(ctx context.Context, tell Tell, workspace string, before, after []*judge.Judge) {
	impact, err := s.Compare(ctx, before, after)
	if !errors.Is(ctx.Err(), context.Canceled) { // nobody is interested any more
		tell.impact(ctx, workspace, impact, err)
	}
}

// compareRecorded compares the map with what was recorded by earlier processes, which may
// have had another one: that of an older binary, or files that were changed in the meantime.
func (w *Watch) compareRecorded(ctx context.Context) {
	w.Seen.announce(ctx, w.Tell, w.Workspace, nil, w.InForce.Load().Judges)
}

// reloadPatience limits how long a new configuration waits for what is known of the
// workspaces whose maps it changes, and for those who are told.
const reloadPatience = 5 * time.Second

// Succeed tells what the maps of watches refuse that those of the watches before them permit,
// for a configuration that takes the place of another one. It asks for all workspaces at the
// same time. The function returns the watch before another one, or nil.
func Succeed(ctx context.Context, watches []*Watch, before func(*Watch) *Watch) {
	ctx, cancel := context.WithTimeout(ctx, reloadPatience)
	defer cancel()
	var all sync.WaitGroup
	for _, w := range watches {
		if b := before(w); b != nil {
			all.Go(func() { w.succeed(ctx, b) })
		}
	}
	all.Wait()
}

// succeed compares the rules of a watch with its own map and with that before. Events go to
// those who subscribed to the configuration before: the new one may not emit any yet.
func (w *Watch) succeed(ctx context.Context, before *Watch) {
	old, now := before.InForce.Load(), w.InForce.Load()
	if old.Catalog.Version() == now.Catalog.Version() {
		return
	}
	judges, err := w.Prepare(old.Catalog)
	if err != nil {
		judges = nil // the rules need the new map, so what was recorded stands for the old one
	}
	before.Seen.announce(ctx, Tell{Log: w.Tell.Log, Emit: before.Tell.Emit}, w.Workspace, judges, now.Judges)
}

// Compare tells what the content of a file would do to the calls that were seen: a bundle in
// the place of the map in force, or routes. The name is for errors.
func (w *Watch) Compare(ctx context.Context, content []byte, name string) (mapimpact.Impact, error) {
	now := w.InForce.Load()
	catalog, note, err := w.Files.Candidate(now.Map, content, name)
	if err != nil {
		return mapimpact.Impact{}, err
	}
	judges, err := w.Prepare(catalog)
	if err != nil {
		return mapimpact.Impact{}, err
	}
	impact, err := w.Seen.Compare(ctx, now.Judges, judges)
	if note != "" {
		impact.Notes = append(impact.Notes, note)
	}
	return impact, err
}
