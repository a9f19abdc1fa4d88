package changelog

import (
	"io"
	"math"
	"net"
	"slices"
	"testing"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/redis"
	"github.com/scopegate/scopegate/internal/fleet/seal"
	"github.com/scopegate/scopegate/internal/testing/redistest"
	"github.com/scopegate/scopegate/internal/tokens"
)

// TestUnread: a gateway that has not read all of the log believes nothing, as any change may be
// missing: a revoked token would be let in by what the store still has.
func TestUnread(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a := follow(t, server, 1)
	newcomer := openNew("127.0.0.1:1", a.options.Keys)
	t.Cleanup(func() { newcomer.Close(); newcomer.conn.Close() })
	for name, owners := range map[string][]int64{"known": {1, 1}, "unknown": nil} {
		if newcomer.Admits(tokens.IDOf("one"), owners, math.MaxUint64, 0) {
			t.Errorf("%s: believed without the log", name)
		}
	}
	if !isRead(a) {
		t.Error("nothing is believed with the log")
	}
}

// TestNewcomer asks newcomers from the moment they open the log.
func TestNewcomer(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a := follow(t, server, 1)
	before := a.Mark()
	changes := make([]fleet.Change, readBatch) // so that to read them takes more than one question
	for i := range changes {
		changes[i] = changed("another")
	}
	for _, all := range [][]fleet.Change{changes, changes[:readBatch/2], {changed("one")}} {
		a.Publish(all...)
	}
	eventually(t, "all is published", func() bool {
		a.queue.Lock()
		defer a.queue.Unlock()
		return len(a.waiting) == 0
	})
	for range 10 {
		g := openNew(server.Addr, a.options.Keys)
		for {
			done := isRead(g)
			if g.Admits(tokens.IDOf("one"), []int64{1, 1}, before, 0) {
				t.Fatal("believed although it was changed since")
			}
			if done {
				break
			}
		}
		g.Close()
		g.conn.Close()
	}
}

// TestLateStart: a gateway that could not reach the store when it started knows tokens all the
// same. What the others changed meanwhile is applied when it reaches the store.
func TestLateStart(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		keeps string // how many entries the log keeps
		want  []fleet.Change
		gaps  int
	}{
		"all is there": {keeps: "10", want: []fleet.Change{changed("one"), ofOwner(7)}},
		"a part is":    {keeps: "1", want: []fleet.Change{ofOwner(7)}, gaps: 1},
		"nothing is":   {keeps: "0", gaps: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			a := follow(t, server, 1)
			gate, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			late := openNew(gate.Addr().String(), a.options.Keys)
			t.Cleanup(func() { gate.Close(); late.Close(); late.conn.Close() })
			if a.Publish(changed("one"), ofOwner(7)) == 0 {
				t.Fatal("not published")
			}
			do(t, a, "XTRIM", a.log(), "MAXLEN", c.keeps)
			if isRead(late) {
				t.Fatal("it reached the store")
			}
			go forward(gate, server.Addr)
			eventually(t, "the log is read", func() bool { return isRead(late) })
			if got := late.applied(); !slices.Equal(got, c.want) {
				t.Errorf("applied %v", got)
			}
			if got := late.missed(); got != c.gaps {
				t.Errorf("%d gaps", got)
			}
		})
	}
}

// forward lets connections through to a server, until the listener is closed.
func forward(gate net.Listener, to string) {
	for {
		in, err := gate.Accept()
		if err != nil {
			return
		}
		out, err := net.Dial("tcp", to)
		if err != nil {
			in.Close()
			continue
		}
		go func() { _, _ = io.Copy(out, in); out.Close() }()
		go func() { _, _ = io.Copy(in, out); in.Close() }()
	}
}

// openNew opens a log, and does not wait until it is read.
func openNew(address string, keys *seal.Keys) *gateway {
	g := new(gateway)
	g.conn = redis.Open(redis.Options{Addresses: []string{address}, Patience: patience})
	g.Stream = OpenStream(StreamOptions{
		Conn: g.conn, Prefix: "scopegate:{test}:", Keys: keys, Observer: fleet.NoObserver{},
		Apply: func(c fleet.Change) { g.mu.Lock(); g.told = append(g.told, c); g.mu.Unlock() },
		Gap:   func() { g.mu.Lock(); g.gaps++; g.mu.Unlock() },
	})
	return g
}
