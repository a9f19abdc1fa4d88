package tokens

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// garbage is the id of an invented token.
func garbage(i int) ID {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(i))
	return IDOf("dapi" + string(b[:]))
}

// TestFlood sends 100,000 random tokens in 200 seconds beside good traffic.
func TestFlood(t *testing.T) {
	const (
		flood   = 100_000
		good    = 60
		late    = 20 // good tokens that come when the flood is there
		rate    = 10
		seconds = 200
	)
	synctest.Test(t, func(t *testing.T) {
		var goodCalls, badCalls atomic.Int64
		isGood := make(map[ID]bool)
		for i := range good + late {
			isGood[garbage(-1-i)] = true
		}
		service := &scripted{answer: func(_ context.Context, id ID) (*Info, error) {
			time.Sleep(50 * time.Millisecond) // as far away as a real one
			if !isGood[id] {
				badCalls.Add(1)
				return nil, ErrUnknownToken
			}
			goodCalls.Add(1)
			return &Info{ID: id}, nil
		}}
		r := NewResolver(service, Settings{Size: good + late, Rate: rate, Concurrency: 4, Timeout: 5 * time.Second})
		defer r.Close()

		var wg sync.WaitGroup
		for i := range good {
			for { // before the flood begins
				if _, err := r.Resolve(t.Context(), garbage(-1-i), fresh); err == nil {
					break
				}
				time.Sleep(time.Second)
			}
		}
		goodCalls.Store(0)
		started := time.Now()

		var turnedAway, refused atomic.Int64
		wg.Go(func() {
			for i := range flood {
				wg.Go(func() {
					asked := time.Now()
					_, err := r.Resolve(t.Context(), garbage(i), fresh)
					var outage *UnavailableError
					switch {
					case errors.Is(err, ErrUnknownToken):
						refused.Add(1)
					case errors.As(err, &outage) && outage.Outage == Overloaded && outage.RetryAfter >= minRetry && outage.RetryAfter <= maxRetry:
						turnedAway.Add(1)
					default:
						t.Errorf("an invented token: %v", err)
					}
					if waited := time.Since(asked); waited > 5*time.Second {
						t.Errorf("an invented token held its connection for %s", waited)
					}
				})
				time.Sleep(seconds * time.Second / flood)
			}
		})
		for i := range good {
			wg.Go(func() {
				for time.Since(started) < seconds*time.Second {
					asked := time.Now()
					facts, err := r.Resolve(t.Context(), garbage(-1-i), fresh)
					if err != nil || facts.Source != FromCache || time.Since(asked) > 0 {
						t.Errorf("a good token: from %q after %s, %v", facts.Source, time.Since(asked), err)
					}
					time.Sleep(time.Second)
				}
			})
		}
		// Who comes new at the height of the flood and tries again, gets in.
		var tries atomic.Int64
		for i := range late {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 5 * time.Second)
				for try := 1; ; try++ {
					_, err := r.Resolve(t.Context(), garbage(-1-good-i), fresh)
					if err == nil {
						tries.Add(int64(try))
						return
					}
					var outage *UnavailableError
					if !errors.As(err, &outage) || try == 10 {
						t.Errorf("a new good token, try %d: %v", try, err)
						return
					}
					time.Sleep(outage.RetryAfter)
				}
			})
		}
		wg.Wait()

		if got, most := goodCalls.Load()+badCalls.Load(), int64(rate*(seconds+6)+rate+4); got > most {
			t.Errorf("%d look-ups in %d s at %d a second", got, seconds, rate)
		}
		if got := goodCalls.Load(); got < good*(seconds/60-1) {
			t.Errorf("%d refreshes of %d good tokens in %d s", got, good, seconds)
		}
		if refused.Load()+turnedAway.Load() != flood {
			t.Errorf("%d refused and %d turned away of %d", refused.Load(), turnedAway.Load(), flood)
		}
		if got := r.cache.unknowns(); got > maxUnknown {
			t.Errorf("%d unknown tokens are remembered", got)
		}
		t.Logf("%d look-ups for the flood, %d for good tokens; %d turned away; a new good token took %.1f tries",
			badCalls.Load(), goodCalls.Load(), turnedAway.Load(), float64(tries.Load())/late)
	})
}

// TestFloodThatRepeats sends every invented token again and again, as fast as it
// is told to.
func TestFloodThatRepeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &scripted{answer: unknown}
		r := NewResolver(service, Settings{Size: 10, Rate: 8, Concurrency: 4, Timeout: time.Second})
		defer r.Close()
		known := IDOf(somePAT)
		r.cache.remember(known, &Info{ID: known}, time.Now(), 0)
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				for range 60 {
					_, err := r.Resolve(t.Context(), garbage(i), fresh)
					var outage *UnavailableError
					if errors.As(err, &outage) {
						time.Sleep(outage.RetryAfter)
					} else {
						time.Sleep(time.Second)
					}
				}
			})
		}
		wg.Wait()
		if !r.limits.try(knownLane) {
			t.Error("nothing is left for refreshing known tokens")
		}
	})
}

// TestSlowServiceLeavesRoom holds that look-ups of invented tokens which hang
// leave some of the concurrency to tokens that are known.
func TestSlowServiceLeavesRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		known := IDOf(somePAT)
		service := &scripted{answer: func(ctx context.Context, id ID) (*Info, error) {
			if id == known {
				return found(ctx, id)
			}
			<-ctx.Done()
			return nil, &UnavailableError{Outage: TimedOut}
		}}
		r := NewResolver(service, Settings{Size: 10, Rate: 1000, Concurrency: 4, Timeout: 5 * time.Second})
		defer r.Close()
		r.cache.remember(known, &Info{ID: known}, time.Now().Add(-time.Minute), 0)
		for i := range 100 {
			go func() { _, _ = r.Resolve(context.Background(), garbage(i), fresh) }()
		}
		synctest.Wait()
		asked := time.Now()
		if facts := resolveOrFail(t, r, known); facts.Source != FromLookup || time.Since(asked) > 0 {
			t.Errorf("from %q after %s", facts.Source, time.Since(asked))
		}
	})
}

// TestColdStart has a small fleet begin at once: nobody is turned away who can
// have a turn within a second.
func TestColdStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := NewResolver(&scripted{answer: found}, DefaultSettings)
		defer r.Close()
		var wg sync.WaitGroup
		var served atomic.Int64
		for i := range 100 {
			wg.Go(func() {
				if _, err := r.Resolve(t.Context(), garbage(i), fresh); err == nil {
					served.Add(1)
				}
			})
		}
		wg.Wait()
		if got := served.Load(); got < 15 || got > 25 {
			t.Errorf("%d of 100 were served, want those of the burst and of one second", got)
		}
	})
}
