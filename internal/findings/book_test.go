package findings

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scopegate/scopegate/internal/usage"
)

const (
	prefix  = "findings/w-1234"
	states1 = prefix + "/states.json"
)

// rig is a workspace, and what books in front of it say.
type rig struct {
	mu     sync.Mutex
	listed []usage.ListedToken
	asked  int
	told   []string
	errs   []string
}

func (r *rig) list(listed ...usage.ListedToken) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.listed = listed
}

func (r *rig) input(context.Context) (Input, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	return Input{Report: usage.NewReport(usage.State{Since: time.Now().Add(-200 * days)}, r.listed, time.Now())}, nil
}

// take returns what was told since the last time.
func (r *rig) take() (told, errs []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	told, errs = r.told, r.errs
	r.told, r.errs = nil, nil
	slices.Sort(told)
	return told, errs
}

// book returns a book that is not evaluated by itself.
func (r *rig) book(t *testing.T, store usage.Store, every time.Duration) *Book {
	t.Helper()
	b := NewBook(Options{Workspace: workspaceURL, Observe: func(f Finding, change Change) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.told = append(r.told, fmt.Sprint(change, " ", shortKey(&f)))
	}})
	b.Keep(Settings{Store: store, Prefix: prefix, Every: every, Input: r.input, OnError: func(err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.errs = append(r.errs, err.Error())
	}})
	t.Cleanup(b.Close)
	return b
}

// alive is a token that never expires: of one that does, the test's clock would see the end.
func alive(n int) usage.ListedToken {
	t := fine(n)
	t.Created, t.LastUsed, t.Expires = time.Now().Add(-10*days), time.Now(), time.Now().Add(3000*days)
	return t
}

func forever(n int) usage.ListedToken {
	t := alive(n)
	t.NeverExpires, t.Expires = true, time.Time{}
	return t
}

func stateOf(b *Book, n int) State {
	for _, f := range b.List() {
		if f.Key == keyOf(NeverExpires, idOf(n)) {
			return f.State
		}
	}
	return ""
}

func told(what Change, ns ...int) (all []string) {
	for _, n := range ns {
		all = append(all, fmt.Sprint(what, " ", keyOf(NeverExpires, short(idOf(n)))))
	}
	slices.Sort(all)
	return all
}

func (r *rig) expect(t *testing.T, when string, want ...string) {
	t.Helper()
	if got, _ := r.take(); !slices.Equal(got, want) {
		t.Errorf("%s: told %q, want %q", when, got, want)
	}
}

// TestSharedBook: of gateways with one storage, one evaluates and tells, and all know.
func TestSharedBook(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, store := new(rig), newMemory()
		r.list(forever(1), forever(2), alive(3))
		every := 5 * time.Minute
		first, second := r.book(t, store, every), r.book(t, store, every)
		time.Sleep(2 * every)
		synctest.Wait()
		r.expect(t, "two are found", told(ChangeNew, 1, 2)...)
		if r.asked > 2 {
			t.Errorf("the list was asked for %d times in two periods", r.asked)
		}
		if stateOf(first, 1) != New || stateOf(second, 1) != New || stateOf(second, 3) != "" {
			t.Errorf("%s and %s", stateOf(first, 1), stateOf(second, 1))
		}
		f, err := first.Acknowledge(t.Context(), Acknowledge{Key: keyOf(NeverExpires, idOf(1)), By: "ops", Note: "why"})
		if err != nil || f.State != Acknowledged {
			t.Fatal(f, err)
		}
		r.expect(t, "one is acknowledged", told(ChangeAcknowledged, 1)...)
		time.Sleep(rereadAfter)
		if err := second.Refresh(t.Context()); err != nil || stateOf(second, 1) != Acknowledged {
			t.Errorf("the other gateway: %v, %s", err, stateOf(second, 1))
		}
		r.list(alive(1), forever(2))
		time.Sleep(2 * every)
		synctest.Wait()
		r.expect(t, "its cause has ended", told(ChangeResolved, 1)...)

		// A restart.
		first.Close()
		second.Close()
		third := r.book(t, store, every)
		synctest.Wait()
		if stateOf(third, 1) != Resolved || stateOf(third, 2) != New {
			t.Errorf("after a restart: %s, %s", stateOf(third, 1), stateOf(third, 2))
		}
		time.Sleep(2 * every)
		synctest.Wait()
		r.expect(t, "after a restart")
	})
}

// TestRefresh: those who ask evaluate, if it is a minute ago.
func TestRefresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, store := range []usage.Store{nil, newMemory()} {
			r := new(rig)
			r.list(forever(1))
			b := r.book(t, store, 0)
			for range 3 {
				if err := b.Refresh(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if r.asked != 1 || stateOf(b, 1) != New {
				t.Errorf("asked %d times, %s", r.asked, stateOf(b, 1))
			}
			time.Sleep(freshness)
			r.list(alive(1))
			if err := b.Refresh(t.Context()); err != nil || r.asked != 2 || stateOf(b, 1) != Resolved {
				t.Errorf("%v; asked %d times, %s", err, r.asked, stateOf(b, 1))
			}
			r.expect(t, "in the end", append(told(ChangeNew, 1), told(ChangeResolved, 1)...)...)
		}
	})
}

// TestFaults: while the store fails, findings are shown, changes wait and nothing is told twice.
func TestFaults(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken disk")
	for _, operation := range []string{"lock", "load", "save"} {
		t.Run(operation, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, store := new(rig), newMemory()
				r.list(forever(1))
				b := r.book(t, store, 0)
				store.set(func() { store.faults[operation] = broken })
				if err := b.Refresh(t.Context()); !errors.Is(err, broken) {
					t.Fatal(err)
				}
				report := b.Report(Filter{})
				if len(report.Findings) != 1 || !strings.Contains(strings.Join(report.Notes, " "), "broken disk") {
					t.Errorf("it shows %+v", report)
				}
				if _, err := b.Acknowledge(t.Context(), Acknowledge{Key: keyOf(NeverExpires, idOf(1))}); !errors.Is(err, broken) && !errors.Is(err, ErrUnknownKey) {
					t.Errorf("acknowledging: %v", err)
				}
				r.expect(t, "while it fails")
				store.set(func() { clear(store.faults) })
				if err := b.Refresh(t.Context()); err != nil || len(b.Report(Filter{}).Notes) != 0 {
					t.Errorf("afterwards: %v, %q", err, b.Report(Filter{}).Notes)
				}
				r.expect(t, "afterwards", told(ChangeNew, 1)...)
			})
		})
	}
}

// TestCorruptedFile: it is told and set aside, and what this gateway remembers takes its place.
func TestCorruptedFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, store := new(rig), newMemory()
		r.list(forever(1))
		b := r.book(t, store, 0)
		if err := b.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Acknowledge(t.Context(), Acknowledge{Key: keyOf(NeverExpires, idOf(1)), Note: "why"}); err != nil {
			t.Fatal(err)
		}
		r.take()
		store.set(func() { store.values[states1] = "{"; store.faults["move"] = errors.New("cannot move") })
		time.Sleep(freshness)
		if err := b.Refresh(t.Context()); !errors.Is(err, ErrCorrupt) || !errors.Is(err, ErrNotSetAside) || SetAside(err) {
			t.Error(err)
		}
		if got := store.value(states1); got != "{" {
			t.Errorf("a file that could not be set aside was overwritten: %q", got)
		}
		store.set(func() { clear(store.faults) })
		if err := b.Refresh(t.Context()); err != nil || stateOf(b, 1) != Acknowledged {
			t.Errorf("%v, %s", err, stateOf(b, 1))
		}
		changes, errs := r.take()
		if len(changes) != 0 || len(errs) != 1 || !strings.Contains(errs[0], ErrCorrupt.Error()) {
			t.Errorf("told %q and %q", changes, errs)
		}
		aside := 0
		for key, value := range store.values {
			if strings.HasPrefix(key, states1+".unreadable-") && value == "{" {
				aside++
			}
		}
		if aside != 1 || !strings.Contains(store.value(states1), `"acknowledged"`) {
			t.Errorf("%d files are set aside; %q", aside, store.value(states1))
		}
	})
}

// TestNewerFile: it is left alone.
func TestNewerFile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, store := new(rig), newMemory()
		r.list(forever(1))
		store.values[states1] = `{"version":2}`
		b := r.book(t, store, 0)
		if err := b.Refresh(t.Context()); !errors.Is(err, ErrNewerVersion) {
			t.Error(err)
		}
		if got := store.value(states1); got != `{"version":2}` || len(b.List()) != 1 {
			t.Errorf("%q; it shows %+v", got, b.List())
		}
		r.expect(t, "nothing is saved")
	})
}

// TestHangingStore: no one waits for it for long.
func TestHangingStore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, store := new(rig), newMemory()
		r.list(forever(1))
		store.hangs["save"] = true
		b := r.book(t, store, 0)
		began := time.Now()
		if err := b.Refresh(t.Context()); !errors.Is(err, errNoAnswer) {
			t.Error(err)
		}
		if took := time.Since(began); took > askTimeout+5*time.Second {
			t.Errorf("it took %s", took)
		}
		if len(b.List()) != 1 {
			t.Error("what is wrong is not shown")
		}
		began = time.Now()
		b.Close()
		if took := time.Since(began); took > closeTimeout {
			t.Errorf("closing took %s", took)
		}
		close(store.hung)
		synctest.Wait()
	})
}

// TestNothingToSave: what did not change is not written.
func TestNothingToSave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, store := new(rig), newMemory()
		r.list(forever(1), forever(2))
		b := r.book(t, store, 0)
		for range 5 {
			if err := b.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(freshness)
		}
		if store.saves[states1] != 1 || r.asked != 5 {
			t.Errorf("saved %d times, asked %d times", store.saves[states1], r.asked)
		}
	})
}

// TestReloads: reloading every minute does not put off evaluation forever.
func TestReloads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, store := new(rig), newMemory()
		r.list(forever(1))
		b := r.book(t, store, time.Hour)
		for range 120 {
			time.Sleep(time.Minute)
			b.Keep(Settings{Store: store, Prefix: prefix, Every: time.Hour, Input: r.input})
		}
		if r.asked < 1 || r.asked > 3 {
			t.Errorf("evaluated %d times in two hours", r.asked)
		}
		b.Stop()
		if len(b.List()) != 0 {
			t.Error("it shows findings after it was stopped")
		}
	})
}

func TestAcknowledgeRequests(t *testing.T) {
	t.Parallel()
	key := keyOf(NeverExpires, idOf(1))
	for _, test := range []struct {
		name    string
		request Acknowledge
		want    string
	}{
		{"all of it", Acknowledge{Key: key, By: "ops", Note: "why", Until: time.Now().Add(time.Hour)}, ""},
		{"no key", Acknowledge{Note: "why"}, "by its key"},
		{"an unknown key", Acknowledge{Key: "unscoped:x"}, ErrUnknownKey.Error()},
		{"a long note", Acknowledge{Key: key, Note: strings.Repeat("ä", maxNote+1)}, "more than 1000 characters"},
		{"the longest note", Acknowledge{Key: key, Note: strings.Repeat("ä", maxNote)}, ""},
		{"a long name", Acknowledge{Key: key, By: strings.Repeat("x", maxBy+1)}, "more than 200 characters"},
		{"a time that has passed", Acknowledge{Key: key, Until: time.Now().Add(-time.Second)}, "has passed"},
		{"a time far away", Acknowledge{Key: key, Until: time.Now().Add(11 * 365 * days)}, "ten years"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := new(rig)
			r.list(forever(1))
			b := r.book(t, newMemory(), 0)
			if err := b.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			f, err := b.Acknowledge(t.Context(), test.request)
			var mistake *RequestError
			switch {
			case test.want == "" && (err != nil || f.State != Acknowledged || stateOf(b, 1) != Acknowledged):
				t.Errorf("%+v, %v", f, err)
			case test.want != "" && (!errors.As(err, &mistake) || !strings.Contains(err.Error(), test.want) || stateOf(b, 1) != New):
				t.Errorf("%v", err)
			}
		})
	}
}

// TestNotesAreClean: what is kept of a note cannot move a terminal's cursor or show a token.
func TestNotesAreClean(t *testing.T) {
	t.Parallel()
	secret := "dapi" + strings.Repeat("0123456789abcdef", 2)
	by, err := Acknowledge{Key: "k", By: secret, Note: "\x1b[2J" + secret}.acknowledgment(now)
	if err != nil || strings.Contains(by.By+by.Note, secret) || strings.Contains(by.Note, "\x1b") {
		t.Errorf("%+v, %v", by, err)
	}
}
