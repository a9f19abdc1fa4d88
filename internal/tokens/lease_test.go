package tokens

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestFleetLease: what a gateway does while another one looks up the same token.
func TestFleetLease(t *testing.T) {
	t.Parallel()
	id := garbage(1)
	one := Settings{Size: 100, Rate: 1000, Concurrency: 1, Timeout: 4 * time.Second}
	noStale := fresh
	noStale.MaxStale = 0
	hangs := func(ctx context.Context, _ ID) (*Info, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for _, test := range []struct {
		name string
		run  func(t *testing.T, fleet *fakeFleet, r *Resolver, service *scripted)
	}{
		{"its look-up fails: another one asks", func(t *testing.T, fleet *fakeFleet, r *Resolver, service *scripted) {
			broken := fleet.join(t, &scripted{answer: func(context.Context, ID) (*Info, error) {
				time.Sleep(time.Second)
				return nil, &UnavailableError{Outage: Rejected}
			}}, one)
			go func() { _, _ = broken.Resolve(t.Context(), id, fresh) }()
			synctest.Wait()
			if facts, err := r.Resolve(t.Context(), id, fresh); err != nil || time.Since(facts.At) != 50*time.Millisecond {
				t.Errorf("%v", err)
			}
		}},
		{"it died: others ask after half of the time", func(t *testing.T, fleet *fakeFleet, r *Resolver, service *scripted) {
			fleet.hold(id)
			began := time.Now()
			if _, err := r.Resolve(t.Context(), id, fresh); err != nil {
				t.Error(err)
			}
			if took := time.Since(began); took != 2050*time.Millisecond {
				t.Errorf("took %v", took)
			}
		}},
		{"who waits for it keeps nobody else from asking", func(t *testing.T, fleet *fakeFleet, r *Resolver, service *scripted) {
			for i := range 50 {
				fleet.hold(garbage(100 + i))
				go func() { _, _ = r.Resolve(t.Context(), garbage(100+i), fresh) }()
			}
			synctest.Wait()
			began := time.Now()
			if _, err := r.Resolve(t.Context(), id, fresh); err != nil || time.Since(began) != 50*time.Millisecond {
				t.Errorf("took %v, %v", time.Since(began), err)
			}
			time.Sleep(time.Minute)
		}},
		{"stale facts will do: nobody waits", func(t *testing.T, fleet *fakeFleet, r *Resolver, service *scripted) {
			resolveOrFail(t, r, id)
			time.Sleep(2 * time.Minute)
			fleet.hold(id)
			patient := make(chan error)
			go func() { // one who needs fresh facts, and waits
				_, err := r.Resolve(t.Context(), id, noStale)
				patient <- err
			}()
			synctest.Wait()
			began := time.Now()
			for range 10 {
				if facts := resolveOrFail(t, r, id); facts.Source != FromStale || time.Since(began) > 0 {
					t.Errorf("from %q after %v", facts.Source, time.Since(began))
				}
			}
			if err := <-patient; err != nil {
				t.Errorf("who waits: %v", err)
			}
		}},
		{"refreshes leave it to the other", func(t *testing.T, fleet *fakeFleet, r *Resolver, service *scripted) {
			resolveOrFail(t, r, id)
			time.Sleep(50 * time.Second)
			fleet.hold(id)
			for range 20 {
				if facts := resolveOrFail(t, r, id); facts.Source != FromCache {
					t.Errorf("from %q", facts.Source)
				}
				time.Sleep(100 * time.Millisecond)
			}
			if got := fleet.members[0].asked.Load(); got > 1+3 {
				t.Errorf("the others were asked %d times in two seconds", got)
			}
			fleet.put(Answer{ID: id, Info: &Info{ID: id}, At: time.Now()})
			time.Sleep(time.Second)
			resolveOrFail(t, r, id)
			synctest.Wait()
			if facts := resolveOrFail(t, r, id); time.Since(facts.At) != time.Second || service.count() != 1 {
				t.Errorf("facts are %v old after %d look-ups", time.Since(facts.At), service.count())
			}
		}},
		{"its own service hangs: it is closed all the same", func(t *testing.T, fleet *fakeFleet, r *Resolver, service *scripted) {
			service.set(hangs)
			fleet.hold(id)
			ended := make(chan error)
			go func() { _, err := r.Resolve(t.Context(), id, fresh); ended <- err }()
			synctest.Wait()
			r.Close()
			var outage *UnavailableError
			if err := <-ended; !errors.As(err, &outage) || outage.Outage != Closed {
				t.Errorf("got %v", err)
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fleet, service := newFleet(), newTokens(id).service()
				test.run(t, fleet, fleet.join(t, service, one), service)
			})
		})
	}
}

// TestFleetBudget: no gateway asks more than all may, whoever waits is not kept long, and who
// has stale facts not at all.
func TestFleetBudget(t *testing.T) {
	t.Parallel()
	known, cold := garbage(1), garbage(2)
	synctest.Test(t, func(t *testing.T) {
		fleet, service := newFleet(), newTokens(known, cold).service()
		r := fleet.join(t, service, quick)
		resolveOrFail(t, r, known)
		time.Sleep(2 * time.Minute)
		fleet.turns = 0
		began := time.Now()
		if facts := resolveOrFail(t, r, known); facts.Source != FromStale || time.Since(began) != 0 {
			t.Errorf("from %q after %v", facts.Source, time.Since(began))
		}
		var outage *UnavailableError
		if _, err := r.Resolve(t.Context(), cold, fresh); !errors.As(err, &outage) || outage.Outage != Overloaded || time.Since(began) > maxQueue {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if r.laneOf(&cold, false) != Returning {
			t.Error("who was turned away has no better chance the next time")
		}
		time.AfterFunc(300*time.Millisecond, func() {
			fleet.mu.Lock()
			defer fleet.mu.Unlock()
			fleet.turns = 1
		})
		if _, err := r.Resolve(t.Context(), cold, fresh); err != nil {
			t.Errorf("with a turn: %v", err)
		}
		if got := service.count(); got != 2 {
			t.Errorf("%d look-ups", got)
		}
	})
}
