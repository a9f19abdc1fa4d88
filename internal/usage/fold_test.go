package usage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// stepping is a store that counts its operations. It fails from one of them on, as if
// the process had crashed: before the operation took effect or after it.
type stepping struct {
	*memory
	before  func() // each operation
	steps   int
	crashAt int  // 0 for never
	applied bool // the operation took effect
}

var errCrash = errors.New("the process crashed")

func (s *stepping) step(apply func() error) error {
	s.steps++
	if s.before != nil {
		s.before()
	}
	if s.crashAt > 0 && s.steps >= s.crashAt {
		if s.steps == s.crashAt && s.applied {
			_ = apply()
		}
		return errCrash
	}
	return apply()
}

func (s *stepping) Load(ctx context.Context, key string) (value []byte, err error) {
	err = s.step(func() error { value, err = s.memory.Load(ctx, key); return err })
	return value, err
}

func (s *stepping) Save(ctx context.Context, key string, value []byte) error {
	return s.step(func() error { return s.memory.Save(ctx, key, value) })
}

func (s *stepping) Delete(ctx context.Context, key string) error {
	return s.step(func() error { return s.memory.Delete(ctx, key) })
}

func (s *stepping) List(ctx context.Context, prefix string) (keys []string, err error) {
	err = s.step(func() error { keys, err = s.memory.List(ctx, prefix); return err })
	return keys, err
}

func (s *stepping) Lock(ctx context.Context, key string) error {
	return s.step(func() error { return s.memory.Lock(ctx, key) })
}

func (s *stepping) Unlock(ctx context.Context, key string) error {
	return s.step(func() error { return s.memory.Unlock(ctx, key) })
}

// sharedSnapshot is what the version before per-instance snapshots saved: two gateways
// with 32 calls, the last ones three days after noon.
func sharedSnapshot(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("testdata/shared-ledger.json")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// leftBehind returns a store with the snapshots of two gateways that stopped, of one
// that runs and of an older version, 38 calls together, and the time to fold them.
func leftBehind(t *testing.T) (*memory, *clock) {
	t.Helper()
	jobs := op("jobs: jobs")
	store, clock := newMemory(), &clock{noon.Add(10 * day)}
	store.values[sharedKey] = sharedSnapshot(t)
	save := func(calls int) {
		l := newTestLedger(store, clock.now)
		l.nextFold = clock.Add(day)
		for range calls {
			l.Seen(allowed(id(calls), &jobs, clock.Time))
		}
		flush(t, l)
	}
	save(1)
	save(2)
	clock.Time = clock.Add(minLease)
	save(3)
	return store, clock
}

// TestFoldCrashes stops folding between all operations of the store: each call
// counts once, for readers meanwhile and for the gateway that continues.
func TestFoldCrashes(t *testing.T) {
	t.Parallel()
	const calls = 38
	for _, applied := range []bool{false, true} {
		for crashAt, done := 1, false; !done; crashAt++ {
			memory, clock := leftBehind(t)
			reader := newTestLedger(memory, clock.now)
			check := func(when string) {
				t.Helper()
				if got := callsOf(t, reader); got != calls {
					t.Fatalf("operation %d, applied %v: %s %d calls, want %d", crashAt, applied, when, got, calls)
				}
			}
			store := &stepping{memory: memory, crashAt: crashAt, applied: applied}
			store.before = func() { check("meanwhile") }
			err := newTestLedger(store, clock.now).flush(t.Context())
			done = err == nil
			if !done && !errors.Is(err, ErrFold) {
				t.Fatal(err)
			}
			check("afterwards")
			for range 2 {
				flush(t, newTestLedger(memory, clock.now))
				check("with another folder")
				if keys := memory.keys(); keys != "folded.json instance.json" {
					t.Fatalf("operation %d, applied %v: left are %s", crashAt, applied, keys)
				}
			}
			if done && store.steps < 10 {
				t.Errorf("only %d operations", store.steps)
			}
		}
	}
}

// exclusive is a store with a lock.
type exclusive struct {
	*memory
	lock sync.Mutex
}

func (s *exclusive) Lock(ctx context.Context, key string) error {
	if key != foldedKey {
		return s.memory.Lock(ctx, key)
	}
	s.lock.Lock()
	return nil
}

func (s *exclusive) Unlock(ctx context.Context, key string) error {
	if key != foldedKey {
		return s.memory.Unlock(ctx, key)
	}
	s.lock.Unlock()
	return nil
}

func TestFoldTogether(t *testing.T) {
	t.Parallel()
	memory, clock := leftBehind(t)
	store := &exclusive{memory: memory}
	var folders sync.WaitGroup
	for range 4 {
		folders.Go(func() {
			l := newTestLedger(store, clock.now)
			if err := l.flush(t.Context()); err != nil {
				t.Error(err)
			}
			if state, err := l.State(t.Context()); err != nil || state.Calls() != 38 {
				t.Errorf("%d calls: %v", state.Calls(), err)
			}
		})
	}
	folders.Wait()
	if keys := memory.keys(); keys != "folded.json instance.json" {
		t.Errorf("left are %s", keys)
	}
}

// TestShared: what an older version saved is read as it is, folded once no gateway of
// that version has added to it for a day, and what such a gateway saves later counts.
func TestShared(t *testing.T) {
	t.Parallel()
	want, _, err := unmarshalSnapshot([]byte(sharedSnapshot(t)))
	if err != nil || want.Calls() != 32 || want.Cut.Entries != 2 || len(want.Tokens) != 3 {
		t.Fatalf("%+v, %v", want, err)
	}
	store, clock := newMemory(), &clock{noon.Add(3*day + time.Hour)}
	store.values[sharedKey] = sharedSnapshot(t)
	l := newTestLedger(store, clock.now)
	step := func(after time.Duration, keys string) {
		t.Helper()
		clock.Time = clock.Add(after)
		flush(t, l)
		if got, err := l.State(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v, %v\nwant %+v", got, err, want)
		}
		if got := store.keys(); got != keys {
			t.Errorf("keys are %s, want %s", got, keys)
		}
	}
	step(0, "usage.json")
	step(foldEvery, "usage.json")
	step(18*time.Hour, "folded.json")
	step(minLease+day, "folded.json")
	if store.locks != 0 {
		t.Error("it is still locked")
	}
	// A gateway of the older version begins again, with the same calls as it happens,
	// and an even older one left no marks.
	store.values[sharedKey] = sharedSnapshot(t)
	store.values[sharedKey] = store.values[sharedKey][:strings.Index(store.values[sharedKey], `,"ledgers"`)] + "}"
	if got := callsOf(t, l); got != 64 {
		t.Errorf("%d calls, want 64", got)
	}
	clock.Time = clock.Add(foldEvery)
	flush(t, l)
	if got := callsOf(t, l); got != 64 || store.keys() != "folded.json" {
		t.Errorf("%d calls, want 64; keys %s", got, store.keys())
	}
}

// TestSuspended: a gateway that was suspended, or cut off from the store, for so long
// that another one folded its snapshot goes on without counting anything twice.
func TestSuspended(t *testing.T) {
	t.Parallel()
	jobs := op("jobs: jobs")
	full := errors.New("the store is full")
	for _, test := range []struct {
		name string
		// before a is suspended, having saved a call, and counted another.
		before func(t *testing.T, a *Ledger, store *liar)
		away   time.Duration
		// meanwhile happens before another gateway folds.
		meanwhile func(store *stepping)
		// after happens after that.
		after func(a *Ledger, store *memory)
		calls uint64
		same  bool // the instance
	}{
		{name: "not for long", away: minLease / 4, calls: 3, same: true},
		{name: "long enough to be careful", away: minLease / 2, calls: 3},
		{name: "nearly for so long that it is folded", away: minLease - 1, calls: 3},
		{name: "for long", away: minLease, calls: 3},
		{name: "and reloaded", away: minLease, after: func(a *Ledger, store *memory) { a.Keep(store, prefix, 0, nil) }, calls: 3},
		{name: "in a save that did not take effect", before: func(t *testing.T, a *Ledger, store *liar) {
			store.full = full
			if err := a.flush(t.Context()); !errors.Is(err, full) {
				t.Fatal(err)
			}
			store.full = nil
		}, away: minLease, calls: 3},
		{name: "and the folder crashed before deleting", away: minLease, meanwhile: func(store *stepping) {
			store.before = func() {
				if _, folded := store.values[foldedKey]; folded && store.crashAt == 0 {
					store.crashAt = store.steps
				}
			}
		}, calls: 3},
	} {
		t.Run(test.name, func(t *testing.T) {
			store, clock := &liar{memory: newMemory()}, &clock{noon}
			a := newTestLedger(store, clock.now)
			first := a.instance.id
			a.Seen(allowed(id("t"), &jobs, clock.Time))
			flush(t, a)
			a.Seen(allowed(id("t"), &jobs, clock.Time))
			if test.before != nil {
				test.before(t, a, store)
			}
			clock.Time = clock.Add(test.away)
			steps := &stepping{memory: store.memory}
			if test.meanwhile != nil {
				test.meanwhile(steps)
			}
			if err := newTestLedger(steps, clock.now).flush(t.Context()); err != nil && !errors.Is(err, errCrash) {
				t.Fatal(err)
			}
			if test.after != nil {
				test.after(a, store.memory)
			}
			a.Seen(allowed(id("t"), &jobs, clock.Time))
			other := newTestLedger(store, clock.now)
			for i := range 4 {
				if got := callsOf(t, a); got != test.calls {
					t.Errorf("flush %d: %d calls, want %d", i, got, test.calls)
				}
				if err := errors.Join(a.flush(t.Context()), other.flush(t.Context())); err != nil {
					t.Fatal(err)
				}
				if got := callsOf(t, other); got != test.calls {
					t.Errorf("flush %d: another gateway reports %d calls, want %d", i, got, test.calls)
				}
				clock.Time = clock.Add(foldEvery)
			}
			if same := a.instance.id == first; same != test.same {
				t.Errorf("it is the same instance: %v", same)
			}
		})
	}
}

// TestIdle: a gateway without calls keeps its snapshot from being folded.
func TestIdle(t *testing.T) {
	t.Parallel()
	jobs := op("jobs: jobs")
	for _, every := range []time.Duration{0, 5 * time.Minute, 2 * minLease} {
		t.Run(every.String(), func(t *testing.T) {
			store, clock := newMemory(), &clock{noon}
			idle, busy := newTestLedger(store, clock.now), newTestLedger(store, clock.now)
			for _, l := range []*Ledger{idle, busy} {
				l.Keep(store, prefix, every, func(err error) { t.Error(err) })
				l.endFlushes()
			}
			idle.Seen(allowed(id("idle"), &jobs, noon))
			for i := range 20 {
				busy.Seen(allowed(id("busy"), &jobs, clock.Time))
				flush(t, idle)
				flush(t, busy)
				if got := callsOf(t, busy); got != uint64(i)+2 || store.keys() != "instance.json instance.json" {
					t.Fatalf("step %d: %d calls, keys %s", i, got, store.keys())
				}
				clock.Time = clock.Add(max(every, time.Hour))
			}
		})
	}
}

// TestFoldForgets: the folded snapshot lists what was deleted for a while only.
func TestFoldForgets(t *testing.T) {
	t.Parallel()
	jobs := op("jobs: jobs")
	store, clock := newMemory(), &clock{noon}
	for i := range 100 {
		l := newTestLedger(store, clock.now)
		l.Seen(allowed(id("t"), &jobs, clock.Time))
		flush(t, l)
		if got := callsOf(t, l); got != uint64(i)+1 {
			t.Fatalf("%d calls after %d restarts", got, i)
		}
		clock.Time = clock.Add(day)
	}
	found, err := place{store, prefix}.read(t.Context(), "")
	if n := len(found.folded.Folded); err != nil || n > 3 || n < 1 {
		t.Errorf("%d are listed, want a few: %v", n, err)
	}
}

// TestFoldCaps: what is read and folded stays within the caps, and says so.
func TestFoldCaps(t *testing.T) {
	t.Parallel()
	store, clock := newMemory(), &clock{noon}
	options := Options{MaxTokens: 3, MaxOperations: 2, Now: clock.now}
	for i := range 4 {
		l := NewLedger(options)
		l.Keep(store, prefix, 0, nil)
		l.nextFold = noon.Add(100 * day)
		for j := range 3 {
			o := op(fmt.Sprintf("o%d: x", i*3+j))
			l.Seen(allowed(id("all"), &o, clock.Time))
			l.Seen(allowed(id(i*3+j), &o, clock.Time))
			clock.Time = clock.Add(time.Minute)
		}
		flush(t, l)
	}
	l := NewLedger(options)
	l.Keep(store, prefix, 0, nil)
	check := func() {
		t.Helper()
		state, err := l.State(t.Context())
		live := slices.DeleteFunc(slices.Clone(state.Tokens), func(t Token) bool { return t.Evicted })
		if err != nil || len(state.Tokens) != 13 || len(live) != 3 || state.Calls() != 24 {
			t.Fatalf("%d tokens, %d calls and %+v: %v", len(state.Tokens), state.Calls(), state.Cut, err)
		}
		if all, _ := state.Token(id("all")); len(all.Uses) != 2 || all.Cut.Entries != 10 || all.Calls != 12 {
			t.Errorf("got %+v", all)
		}
	}
	check()
	clock.Time = clock.Add(minLease)
	flush(t, l)
	check()
	if keys := store.keys(); keys != "folded.json" {
		t.Errorf("left are %s", keys)
	}
}
