package usage

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

func TestLedger(t *testing.T) {
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
		l.Keep(store, "usage", time.Hour, func(err error) { t.Error(err) })
		return l
	}
	first := keep()
	first.Seen(allowed(id("a"), &jobs, noon))
	if got := calls(first); got[id("a")] != 1 {
		t.Errorf("before a flush: %v", got)
	}
	if err := first.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
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

// TestLedgerDays holds that gateways which share a store do not make more days of
// the same ones.
func TestLedgerDays(t *testing.T) {
	jobs := op("jobs: jobs")
	store := newMemory()
	a, b := NewLedger(Options{}), NewLedger(Options{})
	a.Keep(store, "usage", 0, nil)
	b.Keep(store, "usage", 0, nil)
	for d := range 5 {
		for _, l := range []*Ledger{a, b} {
			l.Seen(allowed(id("t"), &jobs, noon.Add(time.Duration(d)*day)))
			l.Seen(allowed(id("t"), &jobs, noon.Add(time.Duration(d)*day+13*time.Hour))) // past midnight
			if err := l.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
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
	jobs := op("jobs: jobs")
	down := errors.New("down")
	for _, test := range []struct {
		name    string
		value   string
		harm    func(*memory)
		want    error
		saved   bool // the flush replaced the snapshot
		aside   bool
		reports error // by State
	}{
		{name: "nothing there", saved: true},
		{name: "corrupted", value: "{", want: ErrCorrupt, saved: true, aside: true, reports: ErrCorrupt},
		{name: "newer", value: `{"version":9}`, want: ErrNewerVersion, saved: true, aside: true, reports: ErrNewerVersion},
		{name: "cannot be set aside", value: "{", harm: func(m *memory) { m.aside = down }, want: ErrNotSetAside, reports: ErrCorrupt},
		{name: "cannot be read", harm: func(m *memory) { m.err = down }, want: down, reports: down},
		{name: "cannot be written", harm: func(m *memory) { m.full = down }, want: down},
		{name: "cannot be locked", harm: func(m *memory) { m.locked = down }, want: down},
	} {
		t.Run(test.name, func(t *testing.T) {
			store := newMemory()
			if test.value != "" {
				store.values["usage"] = test.value
			}
			if test.harm != nil {
				test.harm(store)
			}
			l := NewLedger(Options{})
			l.Keep(store, "usage", 0, nil)
			l.Seen(allowed(id("t"), &jobs, noon))
			state, err := l.State(t.Context())
			if !errors.Is(err, test.reports) {
				t.Errorf("State: %v, want %v", err, test.reports)
			}
			if len(state.Tokens) != 1 || len(store.values) != min(1, len(test.value)) {
				t.Errorf("State: %d tokens, and the store has %d values", len(state.Tokens), len(store.values))
			}
			if err := l.Flush(t.Context()); !errors.Is(err, test.want) {
				t.Errorf("Flush: %v, want %v", err, test.want)
			}
			if got := !l.counted(t.Context()); got != test.saved {
				t.Errorf("saved: %v", got)
			}
			if _, ok := store.values["usage.aside"]; ok != test.aside {
				t.Errorf("set aside: %v", ok)
			}
			if store.locks != 0 {
				t.Error("it is still locked")
			}
			// Once the store works again, nothing was lost.
			*store = memory{values: store.values}
			if err := l.Flush(t.Context()); err != nil && test.aside {
				t.Error(err)
			}
			if state, _ := l.State(t.Context()); len(state.Tokens) != 1 || state.Tokens[0].Calls != 1 {
				t.Errorf("in the end: %+v", state.Tokens)
			}
		})
	}
}

// TestLedgerLosesNothing counts, flushes and reads at the same time.
func TestLedgerLosesNothing(t *testing.T) {
	const workers, calls = 4, 2000
	jobs := op("jobs: jobs")
	store := newMemory()
	l := NewLedger(Options{})
	l.Keep(store, "usage", time.Millisecond, func(err error) { t.Error(err) })
	var writers sync.WaitGroup
	for w := range workers {
		writers.Go(func() {
			for i := range calls {
				l.Seen(allowed(id((w+i)%7), &jobs, noon))
				if i%500 == 0 {
					if _, err := l.State(context.Background()); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	writers.Wait()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	state, err := l.State(t.Context())
	if err != nil || state.Calls() != workers*calls {
		t.Errorf("%d calls of %d: %v", state.Calls(), workers*calls, err)
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

// TestLedgerCountsOnce: a save that failed after it took effect counts once, and one
// that did not take effect too, with other gateways at the same store and over
// several mistakes in a row.
func TestLedgerCountsOnce(t *testing.T) {
	jobs := op("jobs: jobs")
	flush := func(t *testing.T, l *Ledger, want error) {
		t.Helper()
		if err := l.Flush(t.Context()); !errors.Is(err, want) {
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
			a.Keep(newMemory(), "usage", 0, nil)
		}, 1},
		{"no store any more", func(t *testing.T, a, _ *Ledger, store *liar) {
			store.full = full
			flush(t, a, full)
			a.Keep(nil, "", 0, nil)
		}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			store := &liar{memory: newMemory()}
			a, b := NewLedger(Options{}), NewLedger(Options{})
			a.Keep(store, "usage", 0, nil)
			b.Keep(store, "usage", 0, nil)
			a.Seen(allowed(id("t"), &jobs, noon))
			test.steps(t, a, b, store)
			for range 2 { // before the last flush, and after it
				if state, err := a.State(t.Context()); err != nil || state.Calls() != test.calls {
					t.Errorf("%d calls, want %d: %v", state.Calls(), test.calls, err)
				}
				if err := errors.Join(a.Close(), b.Close()); err != nil {
					t.Error(err)
				}
			}
			if state, err := a.State(t.Context()); err != nil || state.Calls() != test.calls {
				t.Errorf("in the end %d calls, want %d: %v", state.Calls(), test.calls, err)
			}
		})
	}
}

func TestMarks(t *testing.T) {
	marks := withMark(nil, "old", 1, noon)
	for i := range 2 * maxMarks {
		marks = withMark(marks, fmt.Sprint(i), 1, noon.Add(time.Duration(i)*time.Second))
	}
	if len(marks) != maxMarks || marks["old"] != (mark{}) || marks[fmt.Sprint(2*maxMarks-1)].Flush != 1 || marks["0"] != (mark{}) {
		t.Errorf("%d marks, want the newest %d", len(marks), maxMarks)
	}
	if got := withMark(marks, "new", 7, noon.Add(9*day)); len(got) != 1 || got["new"].Flush != 7 {
		t.Errorf("after days: %v", got)
	}
	state := State{Since: noon, marks: map[string]mark{"a": {3, 4}}}
	data, err := Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	if read, err := Unmarshal(data); err != nil || read.marks["a"] != (mark{3, 4}) {
		t.Errorf("read %v, %v", read.marks, err)
	}
}

// TestLedgerTellsLate: that a snapshot was set aside is told, also when it could not be
// replaced at once.
func TestLedgerTellsLate(t *testing.T) {
	jobs, full := op("jobs: jobs"), errors.New("the store is full")
	store := newMemory()
	store.values["usage"] = "{"
	l := NewLedger(Options{})
	l.Keep(store, "usage", 0, nil)
	l.Seen(allowed(id("t"), &jobs, noon))
	store.full = full
	if err := l.Flush(t.Context()); !errors.Is(err, full) {
		t.Errorf("first: %v", err)
	}
	store.full = nil
	if err := l.Flush(t.Context()); !errors.Is(err, ErrCorrupt) {
		t.Errorf("second: %v", err)
	}
	l.Seen(allowed(id("t"), &jobs, noon))
	if err := l.Flush(t.Context()); err != nil {
		t.Errorf("third: %v", err)
	}
}

// TestLedgerWithManyDoubts: a save that lands long after its flush was given up, when
// others have failed since, counts what it held once.
func TestLedgerWithManyDoubts(t *testing.T) {
	jobs, full := op("jobs: jobs"), errors.New("the store is full")
	for lands := range 2 * maxDoubts {
		store := newMemory()
		l := NewLedger(Options{})
		var late string
		for i := range 2 * maxDoubts {
			l.Seen(allowed(id("t"), &jobs, noon.Add(time.Duration(i)*time.Second)))
			other := newMemory() // what is saved here is not seen again, but for one of them
			l.Keep(&liar{memory: other, lies: true}, "usage", 0, nil)
			if err := l.Flush(t.Context()); !errors.Is(err, errLie) {
				t.Fatal(err)
			}
			if i == lands {
				late = other.values["usage"]
			}
		}
		store.values["usage"] = late
		l.Keep(store, "usage", 0, nil)
		store.full = full
		if err := l.Flush(t.Context()); !errors.Is(err, full) {
			t.Fatal(err)
		}
		store.full = nil
		if err := l.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		state, err := l.State(t.Context())
		// Those that are too old to be kept apart may count twice.
		most := uint64(2 * maxDoubts)
		if lands < maxDoubts {
			most += uint64(lands) + 1
		}
		if err != nil || state.Calls() < 2*maxDoubts || state.Calls() > most {
			t.Errorf("the save after %d landed: %d calls of %d: %v", lands, state.Calls(), 2*maxDoubts, err)
		}
	}
}
