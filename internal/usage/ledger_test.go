package usage

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// callsOf returns the calls that a ledger reports.
func callsOf(t *testing.T, l *Ledger) uint64 {
	t.Helper()
	state, err := l.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return state.Calls()
}

func flush(t *testing.T, l *Ledger) {
	t.Helper()
	if err := l.flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// newTestLedger returns a ledger that flushes only when told to.
func newTestLedger(store Store, now func() time.Time) *Ledger {
	l := NewLedger(Options{Now: now})
	l.Keep(store, prefix, 0, nil)
	return l
}

func TestLedger(t *testing.T) {
	t.Parallel()
	jobs, sql := op("jobs: jobs"), op("sql: sql")
	clock := &clock{noon}
	options := Options{Now: clock.now}
	store := newMemory()
	calls := func(l *Ledger) map[string]uint64 {
		t.Helper()
		state, err := l.State(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := make(map[string]uint64)
		for _, k := range state.Tokens {
			got[k.ID] = k.Calls
		}
		return got
	}
	keep := func() *Ledger {
		l := NewLedger(options)
		l.Keep(store, prefix, time.Hour, func(err error) { t.Error(err) })
		return l
	}
	first := keep()
	first.Seen(allowed(id("a"), &jobs, noon))
	if got := calls(first); got[id("a")] != 1 {
		t.Errorf("before a flush: %v", got)
	}
	flush(t, first)
	first.Seen(allowed(id("a"), &sql, noon.Add(time.Hour)))
	if got := calls(first); got[id("a")] != 2 {
		t.Errorf("stored and counted since: %v", got)
	}
	// Another gateway at the same store.
	second := keep()
	second.Seen(allowed(id("a"), &jobs, noon.Add(day)))
	second.Seen(allowed(id("b"), &jobs, noon))
	for _, l := range []*Ledger{second, first} {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	after := keep()
	if got := calls(after); got[id("a")] != 3 || got[id("b")] != 1 {
		t.Errorf("after a restart: %v", got)
	}
	state, err := after.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if a, _ := state.Token(id("a")); a.ActiveDays != 2 || len(a.Uses) != 2 || !state.Since.Equal(noon) {
		t.Errorf("after a restart: %+v since %v", a, state.Since)
	}
	if err := after.Close(); err != nil {
		t.Fatal(err)
	}
	if store.saves != 3 {
		t.Errorf("%d saves, want 3: nothing was counted before the last one", store.saves)
	}
}

// TestLedgerDays: gateways that share a store do not turn the same days into more.
func TestLedgerDays(t *testing.T) {
	t.Parallel()
	jobs := op("jobs: jobs")
	store := newMemory()
	a, b := newTestLedger(store, nil), newTestLedger(store, nil)
	for d := range 5 {
		for _, l := range []*Ledger{a, b} {
			l.Seen(allowed(id("t"), &jobs, noon.Add(time.Duration(d)*day)))
			l.Seen(allowed(id("t"), &jobs, noon.Add(time.Duration(d)*day+13*time.Hour))) // past midnight
			flush(t, l)
		}
	}
	state, err := a.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := state.Token(id("t")); got.Calls != 20 || got.ActiveDays != 6 {
		t.Errorf("%d calls on %d days, want 20 on 6", got.Calls, got.ActiveDays)
	}
}

func TestLedgerMistakes(t *testing.T) {
	t.Parallel()
	jobs := op("jobs: jobs")
	down := errors.New("down")
	for _, test := range []struct {
		name    string
		value   string
		harm    func(*memory)
		want    error
		saved   bool // the flush saved what was counted
		aside   bool
		reports error // by State
	}{
		{name: "nothing there", saved: true},
		{name: "corrupted", value: "{", want: ErrCorrupt, saved: true, aside: true, reports: ErrCorrupt},
		{name: "newer", value: `{"version":9}`, want: ErrNewerVersion, saved: true, aside: true, reports: ErrNewerVersion},
		{name: "newer and left alone", value: `{"version":9,"until":1}`, want: ErrNewerVersion, saved: true, aside: true, reports: ErrNewerVersion},
		{name: "newer with another lease", value: `{"version":9,"until":"later"}`, want: ErrNewerVersion, saved: true, aside: true, reports: ErrNewerVersion},
		{name: "newer and in use", value: `{"version":9,"until":99999999999999}`, saved: true, reports: ErrNewerVersion},
		{name: "cannot be set aside", value: "{", harm: func(m *memory) { m.aside = down }, want: ErrNotSetAside, saved: true, reports: ErrCorrupt},
		{name: "cannot be read", harm: func(m *memory) { m.err = down }, want: down, reports: down},
		{name: "cannot be written", harm: func(m *memory) { m.full = down }, want: down},
		{name: "cannot be locked", value: "{", harm: func(m *memory) { m.locked = down }, want: down, saved: true, reports: ErrCorrupt},
	} {
		for _, key := range []string{otherKey, foldedKey, sharedKey} {
			t.Run(test.name+" "+key, func(t *testing.T) {
				store := newMemory()
				if test.value != "" {
					store.values[key] = test.value
				}
				store.set(test.harm)
				l := newTestLedger(store, nil)
				l.Seen(allowed(id("t"), &jobs, noon))
				state, err := l.State(t.Context())
				if !errors.Is(err, test.reports) {
					t.Errorf("State: %v, want %v", err, test.reports)
				}
				if len(state.Tokens) != 1 || len(store.values) != min(1, len(test.value)) {
					t.Errorf("State: %d tokens, and the store has %d values", len(state.Tokens), len(store.values))
				}
				err = l.flush(t.Context())
				if !errors.Is(err, test.want) {
					t.Errorf("Flush: %v, want %v", err, test.want)
				}
				if got := store.values[l.place.instanceKey(l.instance.id)] != ""; got != test.saved {
					t.Errorf("saved: %v", got)
				}
				if onlyFold := errors.Is(err, ErrFold); onlyFold != (test.saved && test.harm != nil) {
					t.Errorf("only folding failed: %v: %v", onlyFold, err)
				}
				if _, there := store.values[key]; there && test.aside {
					t.Error("it was not set aside")
				}
				if aside := len(store.values) == 2 && test.aside; aside != test.aside {
					t.Errorf("the store has %s", store.keys())
				}
				if store.locks != 0 {
					t.Error("it is still locked")
				}
				// Once the store works again, nothing was lost.
				store.set(nil)
				if err := l.flush(t.Context()); err != nil && test.aside {
					t.Error(err)
				}
				if state, _ := l.State(t.Context()); len(state.Tokens) != 1 || state.Tokens[0].Calls != 1 {
					t.Errorf("in the end: %+v", state.Tokens)
				}
			})
		}
	}
}

// TestLedgerLosesNothing counts, flushes and reads at the same time.
func TestLedgerLosesNothing(t *testing.T) {
	t.Parallel()
	const workers, calls = 4, 2000
	jobs := op("jobs: jobs")
	store := newMemory()
	l := NewLedger(Options{})
	l.Keep(store, prefix, time.Millisecond, func(err error) { t.Error(err) })
	var writers sync.WaitGroup
	for w := range workers {
		writers.Go(func() {
			seen := uint64(0)
			for i := range calls {
				l.Seen(allowed(id((w+i)%7), &jobs, noon))
				if i%500 == 0 {
					state, err := l.State(context.Background())
					if err != nil {
						t.Error(err)
					}
					if state.Calls() < seen {
						t.Errorf("%d calls after %d", state.Calls(), seen)
					}
					seen = state.Calls()
				}
			}
		})
	}
	writers.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if got := callsOf(t, l); got != workers*calls {
		t.Errorf("%d calls of %d", got, workers*calls)
	}
	if got := callsOf(t, newTestLedger(store, nil)); got != workers*calls {
		t.Errorf("after a restart %d calls of %d", got, workers*calls)
	}
}

// liar is a store that says it could not save when it has.
type liar struct {
	*memory
	lies bool
}

var errLie = errors.New("no answer from the store")

func (s *liar) Save(ctx context.Context, key string, value []byte) error {
	if err := s.memory.Save(ctx, key, value); err != nil || !s.lies {
		return err
	}
	return errLie
}

// TestLedgerCountsOnce: a save that failed after it took effect counts once, and so
// does one that did not take effect, with other gateways at the same store and over
// several failures in a row.
func TestLedgerCountsOnce(t *testing.T) {
	t.Parallel()
	jobs := op("jobs: jobs")
	flush := func(t *testing.T, l *Ledger, want error) {
		t.Helper()
		if err := l.flush(t.Context()); !errors.Is(err, want) {
			t.Fatalf("flush: %v, want %v", err, want)
		}
	}
	full := errors.New("the store is full")
	for _, test := range []struct {
		name  string
		steps func(t *testing.T, a, b *Ledger, store *liar) // a has counted a call
		calls uint64
	}{
		{"a lie", func(t *testing.T, a, _ *Ledger, store *liar) {
			store.lies = true
			flush(t, a, errLie)
			store.lies = false
			flush(t, a, nil)
		}, 1},
		{"three lies, and calls in between", func(t *testing.T, a, _ *Ledger, store *liar) {
			store.lies = true
			for range 3 {
				flush(t, a, errLie)
				a.Seen(allowed(id("t"), &jobs, noon))
			}
			store.lies = false
			flush(t, a, nil)
		}, 4},
		{"the truth", func(t *testing.T, a, _ *Ledger, store *liar) {
			store.full = full
			flush(t, a, full)
			flush(t, a, full)
			store.full = nil
			flush(t, a, nil)
		}, 1},
		{"a lie after the truth", func(t *testing.T, a, _ *Ledger, store *liar) {
			store.full = full
			flush(t, a, full)
			store.full, store.lies = nil, true
			a.Seen(allowed(id("t"), &jobs, noon))
			flush(t, a, errLie)
			store.lies = false
		}, 2},
		{"the truth after a lie", func(t *testing.T, a, _ *Ledger, store *liar) {
			store.lies = true
			flush(t, a, errLie)
			store.full, store.lies = full, false
			a.Seen(allowed(id("t"), &jobs, noon))
			flush(t, a, full)
			store.full = nil
		}, 2},
		{"another gateway in between", func(t *testing.T, a, b *Ledger, store *liar) {
			store.lies = true
			flush(t, a, errLie)
			store.lies = false
			b.Seen(allowed(id("t"), &jobs, noon))
			flush(t, b, nil)
			flush(t, a, nil)
		}, 2},
		{"two liars", func(t *testing.T, a, b *Ledger, store *liar) {
			store.lies = true
			b.Seen(allowed(id("t"), &jobs, noon))
			flush(t, a, errLie)
			flush(t, b, errLie)
			store.lies = false
		}, 2},
		{"another store", func(t *testing.T, a, _ *Ledger, store *liar) {
			store.lies = true
			flush(t, a, errLie)
			a.Keep(newMemory(), prefix, 0, nil)
		}, 1},
		{"another store and back", func(t *testing.T, a, _ *Ledger, store *liar) {
			store.lies = true
			flush(t, a, errLie)
			a.Keep(newMemory(), prefix, 0, nil)
			flush(t, a, nil)
			store.lies = false
			a.Keep(store, prefix, 0, nil)
		}, 1},
		{"no store any more", func(t *testing.T, a, _ *Ledger, store *liar) {
			store.full = full
			flush(t, a, full)
			a.Keep(nil, "", 0, nil)
		}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			store := &liar{memory: newMemory()}
			a, b := newTestLedger(store, nil), newTestLedger(store, nil)
			a.Seen(allowed(id("t"), &jobs, noon))
			test.steps(t, a, b, store)
			for range 2 { // before the last flush, and after it
				if got := callsOf(t, a); got != test.calls {
					t.Errorf("%d calls, want %d", got, test.calls)
				}
				if err := errors.Join(a.Close(), b.Close()); err != nil {
					t.Error(err)
				}
			}
			if got := callsOf(t, a); got != test.calls {
				t.Errorf("in the end %d calls, want %d", got, test.calls)
			}
			if a.place.store != nil {
				if got := callsOf(t, newTestLedger(a.place.store, nil)); got != test.calls {
					t.Errorf("after a restart %d calls, want %d", got, test.calls)
				}
			}
		})
	}
}

// TestLedgerReportsLate: a snapshot that was set aside is reported once, even if the
// first flush fails.
func TestLedgerReportsLate(t *testing.T) {
	t.Parallel()
	jobs, full := op("jobs: jobs"), errors.New("the store is full")
	store := newMemory()
	store.values[sharedKey] = "{"
	l := newTestLedger(store, nil)
	l.Seen(allowed(id("t"), &jobs, noon))
	store.full = full
	if err := l.flush(t.Context()); !errors.Is(err, full) {
		t.Errorf("first: %v", err)
	}
	store.full = nil
	if err := l.flush(t.Context()); !errors.Is(err, ErrCorrupt) {
		t.Errorf("second: %v", err)
	}
	l.Seen(allowed(id("t"), &jobs, noon))
	flush(t, l)
}

// TestLedgerLateSave: a save that takes effect long after its flush was given up, and
// after others, counts what it held once.
func TestLedgerLateSave(t *testing.T) {
	t.Parallel()
	const flushes = 16
	jobs := op("jobs: jobs")
	for late := range flushes {
		store := newMemory()
		l := newTestLedger(store, nil)
		key := l.place.instanceKey(l.instance.id)
		var value string
		for i := range flushes {
			l.Seen(allowed(id("t"), &jobs, noon.Add(time.Duration(i)*time.Second)))
			flush(t, l)
			if i == late {
				value = store.values[key]
			}
		}
		store.values[key] = value
		if got := callsOf(t, l); got != flushes {
			t.Errorf("the save after %d took effect late: %d calls of %d", late, got, flushes)
		}
		l.Seen(allowed(id("t"), &jobs, noon))
		flush(t, l)
		if got := callsOf(t, newTestLedger(store, nil)); got != flushes+1 {
			t.Errorf("after the next save: %d calls of %d", got, flushes+1)
		}
	}
}
