package edge

import (
	"context"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/usage"
)

// UsageStore returns where the usage of this edge is saved: with an authority, which reports on
// it together with that of all others. The snapshot of an instance takes the place of the one
// before, so that handing it over twice changes nothing. What cannot be handed over stays in
// the ledger, which tries again.
func (c *Client) UsageStore() usage.Store { return usageStore{c} }

type usageStore struct{ client *Client }

// Save hands a snapshot over.
func (s usageStore) Save(ctx context.Context, key string, snapshot []byte) error {
	instance := strings.TrimSuffix(path.Base(key), path.Ext(key))
	if len(snapshot) > wire.MaxSnapshot {
		s.client.options.Observer.UsageLost(len(snapshot))
		return fmt.Errorf("the usage of this edge has %d MiB, and authorities take %d MiB at most", len(snapshot)>>20, wire.MaxSnapshot>>20)
	}
	found, err := s.client.ask(ctx, request{http.MethodPut, "usage/" + instance, snapshot, wire.MaxAnswer})
	switch {
	case err != nil:
		return fmt.Errorf("handing usage over to an authority: %w", err)
	case found.status/100 != 2:
		return fmt.Errorf("handing usage over to an authority: %w", s.client.problemOf(found))
	}
	return nil
}

// Load and List find nothing: an edge is told nothing of other edges, nor of itself.
func (usageStore) Load(context.Context, string) ([]byte, error)   { return nil, fs.ErrNotExist }
func (usageStore) List(context.Context, string) ([]string, error) { return nil, nil }

// Delete and Move have nothing to do, as nothing is found. Nobody else writes what this edge
// writes, so there is nothing to lock.
func (usageStore) Delete(context.Context, string) error       { return nil }
func (usageStore) Move(context.Context, string, string) error { return fs.ErrNotExist }
func (usageStore) Lock(context.Context, string) error         { return nil }
func (usageStore) Unlock(context.Context, string) error       { return nil }
