package changelog

import (
	"context"
	"encoding/hex"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/redis"
	"github.com/scopegate/scopegate/internal/fleet/seal"
	"github.com/scopegate/scopegate/internal/testing/redistest"
	"github.com/scopegate/scopegate/internal/tokens"
)

// patience makes a busy machine no reason for a failure: no test here is about time-outs.
const patience = 5 * time.Second

// gateway is one that follows a stream.
type gateway struct {
	*Stream
	conn *redis.Conn
	mu   sync.Mutex
	told []fleet.Change
	gaps int
}

func (g *gateway) applied() []fleet.Change {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.told)
}

func (g *gateway) missed() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.gaps
}

func follow(t testing.TB, server *redistest.Server, key byte) *gateway {
	t.Helper()
	return followObserved(t, server, key, fleet.NoObserver{})
}

func followObserved(t testing.TB, server *redistest.Server, key byte, observer fleet.Observer) *gateway {
	t.Helper()
	keys, err := seal.ReadKeys([]string{strings.Repeat(hex.EncodeToString([]byte{key}), 32)})
	if err != nil {
		t.Fatal(err)
	}
	g := new(gateway)
	g.conn = redis.Open(redis.Options{Addresses: []string{server.Addr}, Patience: patience, Logger: zap.NewNop})
	g.Stream = OpenStream(StreamOptions{
		Conn: g.conn, Prefix: "scopegate:{test}:", Keys: keys, Observer: observer,
		Apply: func(c fleet.Change) { g.mu.Lock(); g.told = append(g.told, c); g.mu.Unlock() },
		Gap:   func() { g.mu.Lock(); g.gaps++; g.mu.Unlock() },
	})
	t.Cleanup(func() { g.Close(); g.conn.Close() })
	eventually(t, "the log is read", func() bool { return isRead(g) })
	return g
}

// isRead reports whether a gateway has applied all of the log: only then is anything believed.
func isRead(g *gateway) bool {
	return g.Admits(tokens.IDOf("unheard of"), []int64{1, 1}, math.MaxUint64, 0)
}

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func do(t testing.TB, g *gateway, words ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	eventually(t, "the store is up", func() bool { up, _, _ := g.conn.Up(); return up })
	results, err := g.conn.Long(ctx, "", redis.Cmd(words[0], words[1:]))
	if err == nil {
		err = results[0].Err()
	}
	if err != nil {
		t.Fatalf("%v: %v", words, err)
	}
}

// disconnect ends all connections, that of the command too, so it may have no answer.
func disconnect(t testing.TB, g *gateway) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	eventually(t, "the store is up", func() bool { up, _, _ := g.conn.Up(); return up })
	_, _ = g.conn.Long(ctx, "", redis.Cmd("CLIENT", "KILL", "TYPE", "normal"))
}

func changed(name string) fleet.Change {
	return fleet.Change{Kind: fleet.TokenChanged, Token: tokens.IDOf(name)}
}

func TestStream(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := follow(t, server, 1), follow(t, server, 1)
	before := b.Mark()
	generation := a.Publish(changed("one"), fleet.Change{Kind: fleet.OwnerChanged, Owner: 7})
	if generation == 0 {
		t.Fatal("not published")
	}
	eventually(t, "the other gateway applied both", func() bool { return len(b.applied()) == 2 })
	if got := b.applied(); got[0] != changed("one") || got[1].Owner != 7 {
		t.Errorf("applied %v", got)
	}
	eventually(t, "both are at the same position", func() bool { return a.Mark() == generation && b.Mark() == generation })
	if got := a.applied(); len(got) != 0 {
		t.Errorf("its own changes were applied again: %v", got)
	}
	for name, c := range map[string]struct {
		id     string
		owners []int64
		since  fleet.Generation
		want   bool
	}{
		"the token, before":      {"one", []int64{1, 1}, before, false},
		"the token, since":       {"one", []int64{1, 1}, generation, true},
		"another token, before":  {"two", []int64{1, 1}, before, true},
		"the owner, before":      {"two", []int64{7, 1}, before, false},
		"the creator, before":    {"two", []int64{1, 7}, before, false},
		"the owner, since":       {"two", []int64{7, 7}, generation, true},
		"an unknown owner":       {"two", []int64{0, 1}, before, false},
		"the token, was unknown": {"one", nil, before, false},
		"another, was unknown":   {"two", nil, before, true},
	} {
		for who, g := range map[string]*gateway{"publisher": a, "reader": b, "newcomer": nil} {
			if g == nil {
				g = follow(t, server, 1)
			}
			if got := g.Admits(tokens.IDOf(c.id), c.owners, c.since, 0); got != c.want {
				t.Errorf("%s: the %s admits it: %t", name, who, got)
			}
		}
	}
	if a.missed()+b.missed() != 0 {
		t.Error("a gap in a log without one")
	}
}

// TestProof: what found a change is believed although it is older, unless there was another
// change meanwhile.
func TestProof(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := follow(t, server, 1), follow(t, server, 1)
	found := func(name string, from fleet.Generation) {
		change := changed(name)
		change.From, change.Proof = from, 42
		a.Publish(change)
	}
	mark := a.Mark()
	found("one", mark)
	last := a.Publish(changed("other"))
	eventually(t, "b has applied it", func() bool { return b.Mark() >= last })
	for who, g := range map[string]*gateway{"publisher": a, "reader": b} {
		if !g.Admits(tokens.IDOf("one"), []int64{1, 1}, mark, 42) {
			t.Errorf("the %s does not believe what found the change", who)
		}
		if g.Admits(tokens.IDOf("one"), []int64{1, 1}, mark, 43) {
			t.Errorf("the %s believes what was known before", who)
		}
	}
	mark = b.Mark()
	b.Publish(changed("two")) // revoked, while a look-up was under way
	found("two", mark)
	last = a.Publish(changed("other"))
	eventually(t, "both have applied it", func() bool { return a.Mark() >= last && b.Mark() >= last })
	for who, g := range map[string]*gateway{"publisher": a, "reader": b} {
		if g.Admits(tokens.IDOf("two"), []int64{1, 1}, mark, 42) {
			t.Errorf("the %s believes what was asked for before a revocation", who)
		}
	}
}

func TestStreamFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault func(t *testing.T, server *redistest.Server, a, b *gateway)
		gap   bool // at b
	}{
		"the connection is lost": {func(t *testing.T, _ *redistest.Server, a, _ *gateway) { disconnect(t, a) }, false},
		"paused": {func(t *testing.T, s *redistest.Server, _, b *gateway) {
			s.Pause()
			eventually(t, "b notices", func() bool { up, _, _ := b.conn.Up(); return !up })
			s.Resume()
		}, false},
		"restarted with loss":  {func(_ *testing.T, s *redistest.Server, _, _ *gateway) { s.Kill(); s.Restart() }, true},
		"an entry was removed": {func(_ *testing.T, _ *redistest.Server, a, _ *gateway) { removeNext(a) }, true},
		"another key":          {func(t *testing.T, s *redistest.Server, _, _ *gateway) { follow(t, s, 2).Publish(changed("foreign")) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			a, b := follow(t, server, 1), follow(t, server, 1)
			a.Publish(changed("before"))
			eventually(t, "b applied it", func() bool { return len(b.applied()) == 1 })
			c.fault(t, server, a, b)
			mark := b.Mark()
			a.Publish(changed("after"))
			if c.gap { // then it need not apply what it reads of the log
				eventually(t, "b doubts everything", func() bool { return b.missed() > 0 })
			} else {
				eventually(t, "b applied the change after the fault", func() bool { return slices.Contains(b.applied(), changed("after")) })
			}
			eventually(t, "what is from before is not believed", func() bool { return !b.Admits(tokens.IDOf("after"), []int64{1, 1}, mark, 0) })
			if !c.gap && b.missed() != 0 {
				t.Errorf("%d gaps", b.missed())
			}
		})
	}
}

// removeNext makes it look as if an entry of a had been removed before anybody could read it.
func removeNext(a *gateway) {
	a.queue.Lock()
	a.sequence++
	a.queue.Unlock()
}

// TestPending: what could not be published is published when the store is up again, and nothing
// about it is believed until then.
func TestPending(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := follow(t, server, 1), follow(t, server, 1)
	mark := a.Mark()
	server.Pause()
	if g := a.Publish(changed("one")); g != 0 {
		t.Fatalf("published at %d by a server that is paused", g)
	}
	if a.Admits(tokens.IDOf("one"), []int64{1, 1}, mark+1<<60, 0) {
		t.Error("the store is believed about a token whose change is not published")
	}
	server.Resume()
	eventually(t, "the other applied it", func() bool { return slices.Contains(b.applied(), changed("one")) })
	eventually(t, "it is believed again", func() bool { return a.Admits(tokens.IDOf("one"), []int64{1, 1}, a.Mark(), 0) })
}

// published counts the changes that were told.
type published struct {
	fleet.NoObserver
	count atomic.Int64
}

func (p *published) Published(fleet.Kind) { p.count.Add(1) }

// TestPublished: a change counts as published when it is written, and once.
func TestPublished(t *testing.T) {
	t.Parallel()
	server, observer := redistest.Start(t), new(published)
	a := followObserved(t, server, 1, observer)
	do(t, a, "CONFIG", "SET", "maxmemory", "1")
	if g := a.Publish(changed("one"), changed("two")); g != 0 || observer.count.Load() != 0 {
		t.Errorf("a full server took %d, %d counted", g, observer.count.Load())
	}
	do(t, a, "CONFIG", "SET", "maxmemory", "0")
	eventually(t, "they are written", func() bool { return observer.count.Load() == 2 })
	a.Publish(changed("three"))
	eventually(t, "another one is written", func() bool { return observer.count.Load() == 3 })
}

// TestEmptyLog: a log without entries goes on after an outage.
func TestEmptyLog(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	g := follow(t, server, 1)
	mark := g.Mark()
	disconnect(t, g)
	eventually(t, "the log is followed again", func() bool { return g.Publish(changed("one")) > 0 })
	eventually(t, "the change is read", func() bool { _, last := g.Position(); return last > mark })
	if g.missed() != 0 || !g.Admits(tokens.IDOf("two"), []int64{1, 1}, mark, 0) {
		t.Errorf("%d gaps", g.missed())
	}
}

// TestReplay: an old entry that is written again changes nothing.
func TestReplay(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := follow(t, server, 1), follow(t, server, 1)
	a.Publish(changed("one"))
	a.Publish(changed("two"))
	eventually(t, "b applied both", func() bool { return len(b.applied()) == 2 })
	do(t, a, "EVAL", `local e = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1); return redis.call('XADD', KEYS[1], '*', e[1][2][1], e[1][2][2])`, "1", "scopegate:{test}:log")
	last := a.Publish(changed("three"))
	eventually(t, "b applied the last", func() bool { return b.Mark() >= last })
	if got := b.applied(); len(got) != 3 || got[2] != changed("three") || b.missed() != 0 {
		t.Errorf("applied %v, %d gaps", got, b.missed())
	}
}

func FuzzDecodePayload(f *testing.F) {
	f.Add((&payload{1, 2, changed("one")}).encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := decodePayload(data)
		if err == nil && int(data[17]) < len(kinds) {
			if again, err := decodePayload(p.encode()); err != nil || again != p {
				t.Errorf("%v, %v", again, err)
			}
		}
	})
}

// BenchmarkPublish measures the time until another gateway has applied a change.
func BenchmarkPublish(b *testing.B) {
	server := redistest.Start(b)
	from, to := follow(b, server, 1), follow(b, server, 1)
	for b.Loop() {
		told := to.Wait()
		from.Publish(changed("one"))
		<-told
	}
}
