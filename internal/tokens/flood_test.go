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

// garbage returns the ID of an invented token.
func garbage(i int) ID {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(i))
	return IDOf("dapi" + string(b[:]))
}

// TestFlood sends 100,000 random tokens in 200 seconds beside valid ones.
func TestFlood(t *testing.T) {
	t.Parallel()
	const (
		flood   = 100_000
		good    = 60
		late    = 20 // valid tokens that first come during the flood
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
			time.Sleep(50 * time.Millisecond) // a realistic latency
			if !isGood[id] {
				badCalls.Add(1)
				return nil, ErrUnknownToken
			}
			goodCalls.Add(1)
			return &Info{ID: id}, nil
		}}
		r := newResolver(service, Settings{Size: good + late, Rate: rate, Concurrency: 4, Timeout: 5 * time.Second})
		defer r.Close()

		var wg sync.WaitGroup
		for i := range good {
			for { // before the flood starts
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
						t.Errorf("a valid token: from %q after %s, %v", facts.Source, time.Since(asked), err)
					}
					time.Sleep(time.Second)
				}
			})
		}
		// A client that comes during the flood and retries gets in.
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
						t.Errorf("a new valid token, try %d: %v", try, err)
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
			t.Errorf("%d refreshes of %d valid tokens in %d s", got, good, seconds)
		}
		if refused.Load()+turnedAway.Load() != flood {
			t.Errorf("%d refused and %d turned away of %d", refused.Load(), turnedAway.Load(), flood)
		}
		if got := r.cache.unknowns(); got > maxUnknown {
			t.Errorf("%d unknown tokens are cached", got)
		}
		t.Logf("%d look-ups for the flood, %d for valid tokens; %d turned away; a new valid token took %.1f tries",
			badCalls.Load(), goodCalls.Load(), turnedAway.Load(), float64(tries.Load())/late)
	})
}

// TestFloodThatRepeats sends every invented token again and again, as soon as it is told
// to retry.
func TestFloodThatRepeats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := &scripted{answer: unknown}
		r := newResolver(service, Settings{Size: 10, Rate: 8, Concurrency: 4, Timeout: time.Second})
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
		if !r.limits.try(Known) {
			t.Error("no turn is left to refresh known tokens")
		}
	})
}

// TestSlowServiceLeavesRoom checks that hanging look-ups of invented tokens leave some
// slots to known tokens.
func TestSlowServiceLeavesRoom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		known := IDOf(somePAT)
		service := &scripted{answer: func(ctx context.Context, id ID) (*Info, error) {
			if id == known {
				return found(ctx, id)
			}
			<-ctx.Done()
			return nil, &UnavailableError{Outage: TimedOut}
		}}
		r := newResolver(service, Settings{Size: 10, Rate: 1000, Concurrency: 4, Timeout: 5 * time.Second})
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

// TestColdStart has a small fleet start at once: only clients that cannot have a turn
// within a second are turned away.
func TestColdStart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newResolver(&scripted{answer: found}, DefaultSettings)
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

// TestFloodThatRepeatsLeavesRefreshes checks that known tokens are refreshed at their
// share of the rate while a flood retries each of its tokens.
func TestFloodThatRepeatsLeavesRefreshes(t *testing.T) {
	t.Parallel()
	const (
		flood   = 400
		known   = 240
		rate    = 8
		seconds = 200
	)
	synctest.Test(t, func(t *testing.T) {
		var refreshes atomic.Int64
		isKnown := make(map[ID]bool)
		for i := range known {
			isKnown[garbage(-1-i)] = true
		}
		service := &scripted{answer: func(ctx context.Context, id ID) (*Info, error) {
			time.Sleep(50 * time.Millisecond)
			if !isKnown[id] {
				return nil, ErrUnknownToken
			}
			refreshes.Add(1)
			return &Info{ID: id}, nil
		}}
		r := newResolver(service, Settings{Size: 2 * known, Rate: rate, Concurrency: 4, Timeout: time.Second})
		defer r.Close()
		for id := range isKnown {
			r.cache.remember(id, &Info{ID: id}, time.Now(), 0)
		}
		started := time.Now()
		var wg sync.WaitGroup
		for i := range flood {
			wg.Go(func() {
				for time.Since(started) < seconds*time.Second {
					wait := time.Second
					var outage *UnavailableError
					if _, err := r.Resolve(t.Context(), garbage(i), fresh); errors.As(err, &outage) {
						wait = outage.RetryAfter
					}
					time.Sleep(wait)
				}
			})
		}
		for time.Since(started) < seconds*time.Second {
			for id := range isKnown {
				resolveOrFail(t, r, id)
			}
			time.Sleep(time.Second)
		}
		wg.Wait()
		// They are due for the first time after four fifths of a minute.
		if got, least := refreshes.Load(), int64(rate/2*(seconds-48)*9/10); got < least {
			t.Errorf("%d refreshes in %d s, want at least %d", got, seconds, least)
		}
	})
}
