package tokens

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

func TestTally(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		told := make(chan TallyReport, 10)
		tally := NewTally(30*time.Second, func(r TallyReport) { told <- r })
		defer tally.Close()
		refuse := func(n int, took time.Duration) {
			for range n {
				tally.Waited(&UnavailableError{Outage: Paused, Err: &UnavailableError{Outage: TimedOut}}, took, false)
			}
		}
		check := func(when string, want ...[2]int) { // unjudged and waited of each report
			t.Helper()
			synctest.Wait()
			var reports []TallyReport
			for len(told) > 0 {
				reports = append(reports, <-told)
			}
			if len(reports) != len(want) {
				t.Fatalf("%s: %d reports, want %d: %v", when, len(reports), len(want), reports)
			}
			for i, r := range reports {
				if r.Unjudged != want[i][0] || r.Waited != want[i][1] || r.Last.Outage != TimedOut {
					t.Errorf("%s: report %d is %+v, want %v", when, i, r, want[i])
				}
			}
		}
		refuse(1, 5*time.Second)
		check("the first is told at once", [2]int{1, 1})
		refuse(2, 0)
		tally.Waited(&UnavailableError{Outage: TimedOut}, 5*time.Second, true)
		tally.Waited(context.Canceled, 3*time.Second, false)
		time.Sleep(29 * time.Second)
		check("others within the interval are not")
		time.Sleep(time.Second)
		check("they are told together at its end", [2]int{2, 2})
		refuse(1, 0)
		time.Sleep(30 * time.Second)
		check("so are later ones", [2]int{1, 0})
		time.Sleep(31 * time.Second)
		refuse(1, 0)
		check("after a quiet interval the first is told at once", [2]int{1, 0})

		if got := tally.Begin(); got.Unjudged != 1 {
			t.Errorf("the outage begins with %+v", got)
		}
		refuse(3, 0)
		check("after the caller's report they wait")
		time.Sleep(30 * time.Second)
		check("for an interval", [2]int{3, 0})
		time.Sleep(time.Hour)
		tally.Waited(&UnavailableError{Outage: Closed}, 0, false)
		if got := tally.End(); got.Unjudged != 4 || time.Since(got.Since) < time.Hour {
			t.Errorf("the outage ends with %+v", got)
		}
		time.Sleep(time.Hour)
		check("nothing is told twice")
		tally.Close()
		refuse(1, 0)
		check("after Close")
	})
}

// tallying is an observer that only counts who waits.
type tallying struct {
	noObserver
	tally *Tally
}

func (o tallying) Waited(err error, took time.Duration, stale bool) { o.tally.Waited(err, took, stale) }

// TestResolverTellsWhoWaits: the observer learns of each request that got no facts, and
// of no other.
func TestResolverTellsWhoWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		service := &scripted{answer: func(ctx context.Context, _ ID) (*Info, error) {
			<-ctx.Done()
			return nil, &UnavailableError{Outage: TimedOut}
		}}
		tally := NewTally(time.Hour, func(TallyReport) {})
		defer tally.Close()
		r := newResolver(service, quick, WithObserver(tallying{tally: tally}))
		defer r.Close()
		known, stranger := garbage(1), garbage(2)
		r.cache.remember(known, &Info{ID: known}, time.Now().Add(-fresh.TTL), 0)
		resolveOrFail(t, r, known) // with stale facts, after a wait
		for range 4 {
			if _, err := r.Resolve(t.Context(), stranger, fresh); err == nil {
				t.Error("no outage")
			}
		}
		if ready, problem := r.Readiness(t.Context()); ready || problem == nil || problem.Outage != TimedOut {
			t.Errorf("ready %t, %v", ready, problem)
		}
		if got := tally.End(); got.Unjudged != 4 || got.Waited != 2 {
			t.Errorf("%+v, want 4 unjudged of which 1 waited for a look-up, and one known that waited", got)
		}
		service.set(found)
		time.Sleep(time.Minute)
		resolveOrFail(t, r, stranger)
		if got := tally.End(); got.Unjudged != 0 || !got.Since.IsZero() {
			t.Errorf("%+v after the end of the outage", got)
		}
	})
}
