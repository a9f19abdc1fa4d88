package member

import (
	"encoding/hex"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/redis"
	"github.com/scopegate/scopegate/internal/fleet/seal"
	"github.com/scopegate/scopegate/internal/fleet/store"
	"github.com/scopegate/scopegate/internal/testing/redistest"
	"github.com/scopegate/scopegate/internal/tokens"
)

// join opens the part of a gateway that shares, and waits until it follows the others.
func join(t *testing.T, redisServer *redistest.Server, name string) (*Shared, *recorder) {
	t.Helper()
	return joinWith(t, redisServer, name, 1, zap.NewNop())
}

func joinWith(t *testing.T, redisServer *redistest.Server, name string, key byte, logger *zap.Logger) (*Shared, *recorder) {
	t.Helper()
	keys, err := seal.ReadKeys([]string{strings.Repeat(hex.EncodeToString([]byte{key}), 32)})
	if err != nil {
		t.Fatal(err)
	}
	r := new(recorder)
	conn := redis.Open(redis.Options{Addresses: []string{redisServer.Addr}, Observer: r, Logger: zap.NewNop})
	s := OpenShared(conn, store.Options{
		Keys: keys, Prefix: store.Prefix("https://one.example.com"), MaxAge: time.Hour, Rate: 10, LookupTimeout: 2 * time.Second,
		Name: name, Listed: func(time.Time) {}, Observer: r, Now: time.Now,
	}, r.apply, func() *zap.Logger { return logger })
	t.Cleanup(s.Close)
	follows(t, s)
	return s, r
}

func follows(t *testing.T, s *Shared) {
	t.Helper()
	eventually(t, "the log is read", func() bool { return s.Admits(tokens.IDOf("unheard of"), []int64{1, 1}, math.MaxUint64, 0) })
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func TestSharedTell(t *testing.T) {
	t.Parallel()
	redisServer := redistest.Start(t)
	a, here := join(t, redisServer, "a")
	_, there := join(t, redisServer, "b")
	want := []fleet.Change{token("one"), owner(7)}
	before := a.Mark()
	generation := a.Tell(want...)
	if generation <= before {
		t.Errorf("the change is at %d, after %d", generation, before)
	}
	if got := here.applied(); !slices.Equal(got, want) {
		t.Errorf("applied here: %v", got)
	}
	if a.Admits(tokens.IDOf("one"), []int64{1, 1}, before, 0) || a.Admits(tokens.IDOf("two"), []int64{7, 7}, before, 0) {
		t.Error("what the store has from before is believed")
	}
	eventually(t, "the others applied it", func() bool { return len(there.applied()) == len(want) })
	if got := there.applied(); !slices.Equal(got, want) {
		t.Errorf("applied there: %v", got)
	}
	if got := here.applied(); len(got) != len(want) {
		t.Errorf("applied here again: %v", got)
	}
}

// TestSharedTellWhileDown: the server keeps the log while it is stopped.
func TestSharedTellWhileDown(t *testing.T) {
	t.Parallel()
	redisServer := redistest.Start(t, "--appendonly", "yes", "--appendfsync", "always")
	a, here := join(t, redisServer, "a")
	_, there := join(t, redisServer, "b")
	a.Tell(token("zero"))
	eventually(t, "the others applied it", func() bool { return len(there.applied()) == 1 })
	redisServer.Stop()
	eventually(t, "the store is down", func() bool { up := a.Status(t.Context()).Store.Up; return !up })
	want := []fleet.Change{token("zero"), token("one"), owner(7)}
	if got := a.Tell(want[1:]...); got != 0 {
		t.Errorf("the change has a place: %d", got)
	}
	if got := a.Untold(); got != fleet.StoreDown {
		t.Errorf("why nobody was told: %q", got)
	}
	if got := here.applied(); !slices.Equal(got, want) {
		t.Errorf("applied here: %v", got)
	}
	if a.Admits(tokens.IDOf("one"), []int64{1, 1}, a.Mark(), 0) {
		t.Error("answers about the token are believed while the change waits")
	}
	redisServer.Restart()
	eventually(t, "the others applied it", func() bool { return len(there.applied()) == len(want) })
	if got := there.applied(); !slices.Equal(got, want) {
		t.Errorf("applied there: %v", got)
	}
	eventually(t, "answers are believed again", func() bool { return a.Admits(tokens.IDOf("one"), []int64{1, 1}, a.Mark(), 0) })
	if got := here.applied(); !slices.Equal(got, want) {
		t.Errorf("applied here again: %v", got)
	}
}

// TestSharedTellRefused: a server that takes no writes is not down, and one that this gateway
// has left is told nothing.
func TestSharedTellRefused(t *testing.T) {
	t.Parallel()
	a, _ := join(t, redistest.Start(t), "a")
	_, err := a.conn.Do(t.Context(), "", redis.Cmd("CONFIG", "SET", "min-replicas-to-write", "1"))
	if err != nil {
		t.Fatal(err)
	}
	if got := a.Tell(token("one")); got != 0 {
		t.Errorf("the change has a place: %d", got)
	}
	if got := a.Untold(); got != fleet.StoreRefused {
		t.Errorf("why nobody was told: %q", got)
	}
	a.Close()
	if got := a.Tell(token("two")); got != 0 {
		t.Errorf("at the end the change has a place: %d", got)
	}
	if got := a.Untold(); got != fleet.ShuttingDown {
		t.Errorf("why nobody was told at the end: %q", got)
	}
}

// TestSharedStatus: an idle gateway, one that answers edges, and one whose store is down.
func TestSharedStatus(t *testing.T) {
	t.Parallel()
	redisServer := redistest.Start(t)
	a, _ := join(t, redisServer, "a")
	b, _ := join(t, redisServer, "b")
	generation := a.Tell(token("one"))
	eventually(t, "both know of each other", func() bool { return len(a.Status(t.Context()).Members) == 2 })
	if s := a.Status(t.Context()); s.Role != "shared" || !s.Store.Up || s.Store.Error != "" || len(s.Edges) != 0 {
		t.Errorf("idle: %+v", s)
	}
	for _, m := range b.Status(t.Context()).Members {
		if m.Self != (m.Name == "b") {
			t.Errorf("b answers, and says of %s: %t", m.Name, m.Self)
		}
	}
	of := func(name, authority string, generation fleet.Generation) fleet.Edge {
		return fleet.Edge{Name: name, Authority: authority, Generation: generation, Connected: true}
	}
	a.Serve(&server{edges: []fleet.Edge{of("one", "a", generation)}, progress: fleet.Progress{Edges: 1, Applied: 1}})
	b.Serve(&server{edges: []fleet.Edge{of("two", "b", generation), of("three", "b", 0), {Name: "gone", Authority: "b"}}})
	eventually(t, "the edges of both are seen", func() bool { b.Store.Refresh(); return len(a.Status(t.Context()).Edges) == 4 })
	if s := a.Status(t.Context()); s.Role != "authority" {
		t.Errorf("role: %s", s.Role)
	}
	// Its own edges count once, and those that are not connected do not.
	if got := a.Progress(t.Context(), generation); got.Edges != 3 || got.Applied != 2 || !slices.Equal(got.Stragglers, []string{"three"}) {
		t.Errorf("progress: %+v", got)
	}
	full := func(limit string) {
		t.Helper()
		eventually(t, "a limit", func() bool {
			results, err := a.conn.Do(t.Context(), "usage", redis.Cmd("CONFIG", "SET", "maxmemory", limit))
			return err == nil && results[0].Err() == nil
		})
	}
	full("1")
	// Nobody has to publish anything: each look writes that this gateway lives.
	eventually(t, "a full store is seen", func() bool { s := a.Status(t.Context()); return s.Store.Up && strings.Contains(s.Store.Refused, "OOM") })
	full("0")
	eventually(t, "a store with room is seen", func() bool { s := a.Status(t.Context()); return s.Store.Up && s.Store.Refused == "" })
	redisServer.Stop()
	eventually(t, "the store is down", func() bool { return !a.Status(t.Context()).Store.Up })
	s := a.Status(t.Context())
	if s.Store.Error == "" || s.Members != nil || len(s.Edges) != 1 || s.Edges[0].Name != "one" {
		t.Errorf("down: %+v", s)
	}
}
