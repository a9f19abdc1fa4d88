package changelog

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/testing/redistest"
	"github.com/scopegate/scopegate/internal/tokens"
)

// refusals counts entries that were refused.
type refusals struct {
	fleet.NoObserver
	mu  sync.Mutex
	all []string
}

func (r *refusals) EntryRefused(kind string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all = append(r.all, kind)
}

func (r *refusals) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.all)
}

// TestHostileStore: whatever somebody writes to the store, changes that are made afterwards
// reach all gateways, and answers from before them are not believed.
func TestHostileStore(t *testing.T) {
	t.Parallel()
	const log = "scopegate:{test}:log"
	for name, c := range map[string]struct {
		does func(t *testing.T, a *gateway, epoch string)
		seen bool // it is refused and counted, not only mended
	}{
		"an entry that is yet to come": {func(t *testing.T, a *gateway, _ string) {
			do(t, a, "XADD", log, "17592186044414-0", "c", "x")
		}, true},
		"an entry that is yet to come, then no log": {func(t *testing.T, a *gateway, _ string) {
			do(t, a, "EVAL", `redis.call('XADD', KEYS[1], '17592186044414-0', 'c', 'x') return redis.call('DEL', KEYS[1])`, "1", log)
		}, false},
		"an entry out of range": {func(t *testing.T, a *gateway, _ string) {
			do(t, a, "XADD", log, "99999999999999-0", "c", "x")
		}, true},
		"the last entry there can be": {func(t *testing.T, a *gateway, _ string) {
			do(t, a, "XADD", log, "17592186044415-1048575", "c", "x")
		}, true},
		"a log of another type": {func(t *testing.T, a *gateway, _ string) {
			do(t, a, "SET", log, "x")
		}, true},
		"no log":          {func(t *testing.T, a *gateway, _ string) { do(t, a, "DEL", log) }, false},
		"nothing is left": {func(t *testing.T, a *gateway, _ string) { do(t, a, "FLUSHALL") }, false},
		"rubbish":         {func(t *testing.T, a *gateway, epoch string) { do(t, a, "SET", epoch, "x:18446744073709551615") }, true},
		"of another type": {func(t *testing.T, a *gateway, epoch string) {
			do(t, a, "EVAL", `redis.call('DEL', KEYS[1]) return redis.call('LPUSH', KEYS[1], 'x')`, "1", epoch)
		}, true},
		"the epoch before": {replayEpoch, true},
		"an epoch that is yet to come": {func(t *testing.T, a *gateway, epoch string) {
			later := a.sealEpoch(testEpoch("later", fleet.NewGeneration(uint64(time.Now().Add(time.Hour).UnixMilli()), 0)))
			do(t, a, "SET", epoch, later.raw)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, seen := redistest.Start(t), new(refusals)
			a, b := followObserved(t, server, 1, seen), followObserved(t, server, 1, seen)
			a.Publish(changed("before"))
			eventually(t, "b applied it", func() bool { return len(b.applied()) == 1 })
			mark := b.Mark()
			// The server gives out no id twice while the log is there, but in one millisecond
			// it would after the log was deleted.
			ms, _ := mark.Parts()
			eventually(t, "the millisecond is over", func() bool { return uint64(time.Now().UnixMilli()) > ms+1 })
			c.does(t, a, a.epochKeys()[0])
			if c.seen {
				eventually(t, "it is refused", func() bool { return seen.count() > 0 })
			}
			a.Publish(changed("after"))
			eventually(t, "b applied the change, or doubts everything", func() bool {
				return slices.Contains(b.applied(), changed("after")) || b.missed() > 0
			})
			eventually(t, "all is read", func() bool { return isRead(a) && isRead(b) })
			last := a.Publish(changed("last"))
			eventually(t, "b reads on", func() bool { return b.Mark() >= last && a.Mark() >= last })
			newcomer := follow(t, server, 1)
			ahead := fleet.NewGeneration(uint64(time.Now().Add(openedMargin+time.Second).UnixMilli()), 0)
			for who, g := range map[string]*gateway{"a": a, "b": b, "newcomer": newcomer} {
				if g.Admits(tokens.IDOf("after"), []int64{1, 1}, mark, 0) {
					t.Errorf("%s believes what is from before the change", who)
				}
				if g.Mark() > ahead {
					t.Errorf("%s counts from the future", who)
				}
			}
		})
	}
}

func testEpoch(text string, floor fleet.Generation) epoch { return epoch{text: text, floor: floor} }

// replayEpoch puts back an epoch that was in use before.
func replayEpoch(t *testing.T, a *gateway, key string) {
	t.Helper()
	old, _ := a.Position()
	before := a.sealEpoch(testEpoch(old, a.Mark()))
	do(t, a, "SET", key, a.sealEpoch(testEpoch("newer", a.Mark())).raw)
	eventually(t, "another epoch is in use", func() bool { now, _ := a.Position(); return now == "newer" })
	do(t, a, "SET", key, before.raw)
}
