package recent

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
)

// told is what a follower gets at once.
type told struct {
	first, last string
	records     int
	missed      int
	after       time.Duration
}

func TestFollow(t *testing.T) {
	t.Parallel()
	put := func(g *Ring, from, to int) {
		for n := from; n < to; n++ {
			g.Put(ordinary(n, 20, 30))
		}
	}
	idOf := func(n int) string { return ordinary(n, 20, 30).RequestID }
	for _, test := range []struct {
		name string
		put  func(g *Ring)
		want []told
	}{
		{"one", func(g *Ring) { put(g, 100, 101) }, []told{{idOf(100), idOf(100), 1, 0, followEvery}}},
		{"in their order", func(g *Ring) {
			put(g, 100, 120)
			time.Sleep(1100 * time.Millisecond)
			put(g, 120, 123)
		}, []told{{idOf(100), idOf(119), 20, 0, followEvery}, {idOf(120), idOf(122), 3, 0, time.Second + followEvery}}},
		{"more than it gets", func(g *Ring) { put(g, 100, 100+followMost+7) }, []told{{idOf(107), idOf(106 + followMost), followMost, 7, followEvery}}},
		{"more than the ring holds", func(g *Ring) { put(g, 100, 20_100) }, []told{{idOf(20_100 - followMost), idOf(20_099), followMost, 20_000 - followMost, followEvery}}},
		{"silence", func(*Ring) { time.Sleep(followSilence) }, []told{{after: followSilence}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				g := New(2*pageMemory, time.Now)
				put(g, 0, 9) // before it follows
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				begins, batches := time.Now(), make(chan told, 9)
				following := g.Follow(ctx)
				go func() {
					defer close(batches)
					for records, missed := range following {
						batch := told{records: len(records), missed: missed, after: time.Since(begins)}
						if len(records) > 0 {
							batch.first, batch.last = records[0].RequestID, records[len(records)-1].RequestID
						}
						batches <- batch
					}
				}()
				synctest.Wait()
				test.put(g)
				for _, want := range test.want {
					if got := <-batches; got != want {
						t.Errorf("got %+v, want %+v", got, want)
					}
				}
				cancel()
				if more, ok := <-batches; ok {
					t.Errorf("it goes on after its end: %+v", more)
				}
			})
		})
	}
}

// TestFollowStops: a follower that leaves does not keep anything running.
func TestFollowStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := New(Size, time.Now)
		following := g.Follow(t.Context())
		g.Put(record(1, audit.Answered))
		for records := range following {
			if len(records) != 1 {
				t.Errorf("%d records", len(records))
			}
			break
		}
		var none *Ring
		for range none.Follow(t.Context()) {
			t.Error("nothing is followed")
		}
	})
}
