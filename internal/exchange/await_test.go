package exchange

import (
	"testing"
	"testing/synctest"
	"time"
)

// doubted is the part of [Tokens] that doubts.
type doubted struct {
	Tokens
	all []time.Duration // when all tokens were put in doubt
	at  func() time.Duration
}

func (d *doubted) DoubtOwners() { d.all = append(d.all, d.at()) }

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
				var d doubts
				begin := time.Now()
				known := &doubted{at: func() time.Duration { return time.Since(begin) }}
				own := make(map[int]time.Duration)
				for i := range test.changes {
					d.doubt(known, after, func(status int) {
						if status != 0 {
							t.Errorf("status %d", status)
						}
						own[i] = time.Since(begin)
					})
					time.Sleep(step)
				}
				time.Sleep(3 * after)
				synctest.Wait()
				for i := range test.changes {
					made := time.Duration(i) * step
					when, ok := own[i]
					for _, at := range known.all {
						if ok {
							break
						}
						when, ok = at, at >= made+after
					}
					if !ok || when < made+after || when > made+2*after {
						t.Fatalf("change %d, made at %s: doubted at %s, %v", i, made, when, ok)
					}
				}
				if len(own) < min(test.changes, test.own) || len(known.all) > test.most {
					t.Errorf("%d doubts of one change, %d of all tokens", len(own), len(known.all))
				}
				if d.timed != 0 || len(d.shared) != 0 {
					t.Errorf("%d timers and %d shared ones are left", d.timed, len(d.shared))
				}
			})
		})
	}
}
