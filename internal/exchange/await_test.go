package exchange

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// doubted is the part of [Tokens] that doubts.
type doubted struct {
	Tokens
	begin time.Time

	mu  sync.Mutex
	all []time.Duration       // when all tokens were put in doubt
	own map[int]time.Duration // and those of one change
}

func (d *doubted) DoubtOwners() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all = append(d.all, time.Since(d.begin))
}

func (d *doubted) change(i int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.own[i] = time.Since(d.begin)
}

// TestDoubts: after every change there is a doubt no earlier than it should be and soon after
// that, however many changes there are.
func TestDoubts(t *testing.T) {
	const after, step = 30 * time.Second, 100 * time.Millisecond
	for _, test := range []struct {
		name    string
		changes int
		own     int // doubts for one change each
		most    int // doubts of all tokens
	}{
		{"one", 1, 1, 0},
		{"as many as have timers", maxTimed, maxTimed, 0},
		{"one more", maxTimed + 1, maxTimed, 1},
		{"many", 50 * maxTimed, 6000, 60}, // timers are free again after 30 s, in 1000 s
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, exit := context.WithCancel(t.Context())
				d := doubts{exit: ctx}
				known := &doubted{begin: time.Now(), own: make(map[int]time.Duration)}
				for i := range test.changes {
					d.doubt(known, after, func(status int) {
						if status != 0 {
							t.Errorf("status %d", status)
						}
						known.change(i)
					})
					time.Sleep(step)
				}
				time.Sleep(3 * after)
				synctest.Wait()
				for i := range test.changes {
					made := time.Duration(i) * step
					when, ok := known.own[i]
					if j := slices.IndexFunc(known.all, func(at time.Duration) bool { return at >= made+after }); !ok && j >= 0 {
						when, ok = known.all[j], true
					}
					if !ok || when < made+after || when > made+2*after {
						t.Fatalf("change %d, made at %s: doubted at %s, %v", i, made, when, ok)
					}
				}
				if len(known.own) < min(test.changes, test.own) || len(known.all) > test.most {
					t.Errorf("%d doubts of one change, %d of all tokens", len(known.own), len(known.all))
				}
				if d.timed != 0 || len(d.shared) != 0 {
					t.Errorf("%d timers and %d shared ones are left", d.timed, len(d.shared))
				}
				exit()
			})
		})
	}
}

// TestDoubtsAtExit: what is still to be doubted is doubted when the process begins to exit.
func TestDoubtsAtExit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, exit := context.WithCancel(t.Context())
		d := doubts{exit: ctx}
		known := &doubted{begin: time.Now(), own: make(map[int]time.Duration)}
		for i := range maxTimed + 5 {
			d.doubt(known, time.Hour, func(int) { known.change(i) })
		}
		time.Sleep(time.Second)
		exit()
		synctest.Wait()
		if len(known.own) != maxTimed || len(known.all) != 1 || known.all[0] != time.Second || d.timed != 0 || len(d.shared) != 0 {
			t.Errorf("%d doubts of one change, of all %v; %d timers and %d shared ones are left", len(known.own), known.all, d.timed, len(d.shared))
		}
	})
}
