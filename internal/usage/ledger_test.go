package usage

import (
	"context"
	"errors"
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
			if got := l.recorder.Len() == 0; got != test.saved {
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
