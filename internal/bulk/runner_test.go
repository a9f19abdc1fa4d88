package bulk

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scopegate/scopegate/internal/tokens"
)

// targetsOf returns targets that are narrowed from what tokens hold to sql.
func targetsOf(w *fakeWorkspace, ids []tokens.ID) (targets []Target) {
	for i, id := range ids {
		targets = append(targets, Target{ID: id, Owner: "o@example.com", OwnerID: int64(i + 1), Former: w.held[id].Scopes, To: []string{"sql"}})
	}
	return targets
}

func TestNarrow(t *testing.T) {
	t.Parallel()
	throttled := &tokens.UnavailableError{Outage: tokens.Throttled, RetryAfter: 7 * time.Second}
	for _, test := range []struct {
		name   string
		change func(*fakeWorkspace, []tokens.ID)
		dry    bool
		want   string // statuses
		holds  string
		says   string // a problem or progress
		took   time.Duration
	}{
		{name: "all", want: "narrowed/narrowed/narrowed", holds: "sql/sql/sql"},
		{name: "a dry run", dry: true, want: "would be changed/would be changed/would be changed", holds: "jobs sql//all-apis"},
		{name: "some are done", change: func(w *fakeWorkspace, ids []tokens.ID) { w.held[ids[1]].Scopes = []string{"sql"} }, want: "narrowed/already done/narrowed", holds: "sql/sql/sql"},
		{name: "changed in the meantime", change: func(w *fakeWorkspace, ids []tokens.ID) { w.held[ids[1]].Scopes = []string{"jobs"} }, want: "narrowed/failed/not tried", holds: "sql/jobs/all-apis", says: "its scopes were changed in the meantime"},
		{name: "revoked in the meantime", change: func(w *fakeWorkspace, ids []tokens.ID) { delete(w.held, ids[1]) }, want: "narrowed/failed/not tried", holds: "sql/revoked/all-apis", says: "revoked in the meantime"},
		{name: "500 in the middle", change: failing("set 1", 1, errServer), want: "narrowed/failed/not tried", holds: "sql//all-apis", says: "Token Management API failed"},
		{name: "500, and done all the same", change: func(w *fakeWorkspace, ids []tokens.ID) {
			w.fail = func(call string, _ int) error {
				if call != "set 1" {
					return nil
				}
				w.held[ids[1]].Scopes = []string{"sql"}
				return errServer
			}
		}, want: "narrowed/narrowed/narrowed", holds: "sql/sql/sql"},
		{name: "429 with Retry-After", change: failing("set 1", 2, throttled), want: "narrowed/narrowed/narrowed", holds: "sql/sql/sql", says: "fewer requests (429): waiting 7s", took: 14 * time.Second},
		{name: "429 when looking", change: failing("get 0", 1, throttled), want: "narrowed/narrowed/narrowed", holds: "sql/sql/sql", took: 7 * time.Second},
		{name: "429 without an end", change: failing("get 0", 100, throttled), want: "failed/not tried/not tried", holds: "jobs sql//all-apis", took: 4 * 7 * time.Second},
		{name: "read back otherwise", change: func(w *fakeWorkspace, ids []tokens.ID) { w.lies[ids[1]] = []string{"sql", "jobs"} }, want: "narrowed/failed/not tried", holds: "sql/sql jobs/all-apis", says: "does not have the new scopes", took: 2 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, ids := newFake([]string{"jobs", "sql"}, nil, []string{"all-apis"})
				targets := targetsOf(w, ids)
				if test.change != nil {
					test.change(w, ids)
				}
				r, out, told := newRunner(t, w)
				r.DryRun = test.dry
				began := time.Now()
				results := r.Narrow(t.Context(), targets)
				if got := statuses(results); got != test.want || w.scopesOf(ids) != test.holds {
					t.Errorf("%s, %s, want %s, %s: %+v", got, w.scopesOf(ids), test.want, test.holds, results)
				}
				all := strings.Join(out.lines, "\n")
				for _, one := range results {
					all += one.Problem + "\n"
				}
				if !strings.Contains(all, test.says) || time.Since(began) != test.took {
					t.Errorf("it took %v, and does not say %q:\n%s", time.Since(began), test.says, all)
				}
				if test.dry && len(*told) > 0 {
					t.Error("a dry run tells the gateway")
				}
			})
		})
	}
}

// failing makes the first calls fail.
func failing(which string, times int, err error) func(*fakeWorkspace, []tokens.ID) {
	return func(w *fakeWorkspace, _ []tokens.ID) {
		w.fail = func(call string, n int) error {
			if call == which && n <= times {
				return err
			}
			return nil
		}
	}
}

// TestNarrowAgain: after a failure, running it again does the rest and nothing else.
func TestNarrowAgain(t *testing.T) {
	t.Parallel()
	w, ids := newFake([]string{"jobs", "sql"}, nil, nil)
	targets := targetsOf(w, ids)
	failing("set 1", 1, errServer)(w, ids)
	r, _, _ := newRunner(t, w)
	if got := statuses(r.Narrow(t.Context(), targets)); got != "narrowed/failed/not tried" {
		t.Error(got)
	}
	if got := statuses(r.Narrow(t.Context(), targets)); got != "already done/narrowed/narrowed" {
		t.Error(got)
	}
	w.calls = nil
	if got := statuses(r.Narrow(t.Context(), targets)); got != "already done/already done/already done" || strings.Contains(strings.Join(w.calls, " "), "set") {
		t.Errorf("%s: %v", got, w.calls)
	}
}

// TestInterrupt: what was begun is finished, the rest is not tried.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	w, ids := newFake([]string{"jobs", "sql"}, nil)
	targets := targetsOf(w, ids)
	ctx, cancel := context.WithCancel(t.Context())
	w.fail = func(call string, _ int) error {
		if call == "set 0" {
			cancel()
		}
		return nil
	}
	r, _, _ := newRunner(t, w)
	if got := statuses(r.Narrow(ctx, targets)); got != "narrowed/not tried" || w.scopesOf(ids) != "sql/" {
		t.Errorf("%s, %s", got, w.scopesOf(ids))
	}
}

func TestBatches(t *testing.T) {
	t.Parallel()
	w, ids := newFake(make([][]string, 2*batchSize+3)...)
	r, out, told := newRunner(t, w)
	batches := 0
	r.BatchDone = func() { batches++ }
	results := r.Narrow(t.Context(), targetsOf(w, ids))
	if n := (&Results{Results: results}).Changed(); n != len(ids) || batches != 3 || len(*told) != len(ids) {
		t.Errorf("%d changed, %d batches, told %d", n, batches, len(*told))
	}
	if want := "narrowed 20 of 43 tokens\nnarrowed 40 of 43 tokens"; strings.Join(out.lines, "\n") != want {
		t.Errorf("%q", out.lines)
	}
}

func TestRestore(t *testing.T) {
	t.Parallel()
	w, ids := newFake([]string{"sql"}, []string{"sql"}, []string{"jobs"}, []string{"jobs", "sql"}, []string{"all-apis"}, nil)
	former := [][]string{{"jobs", "sql"}, nil, {"jobs", "sql"}, {"sql", "jobs"}, nil, {"jobs"}}
	var targets []Target
	for i, id := range ids {
		targets = append(targets, Target{ID: id, Former: former[i], To: []string{"sql"}})
	}
	delete(w.held, ids[5])
	r, _, _ := newRunner(t, w)
	r.KeepGoing = true
	results := r.Restore(t.Context(), targets)
	if got := statuses(results); got != "restored/restored/failed/already done/already done/gone" {
		t.Error(got)
	}
	if got := w.scopesOf(ids); got != "jobs sql/all-apis/jobs/jobs sql/all-apis/revoked" {
		t.Error(got)
	}
	if !strings.Contains(results[2].Problem, "changed since it was narrowed, and holds jobs now") {
		t.Error(results[2].Problem)
	}
}

func TestRevoke(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name   string
		change func(*fakeWorkspace, []tokens.ID)
		going  bool
		unused time.Duration
		dry    bool
		at     func(now time.Time) (used, created time.Time) // what all say about it
		want   string
		holds  string
		says   string
	}{
		{name: "all", want: "revoked/revoked/revoked", holds: "revoked/revoked/revoked"},
		{name: "a dry run", dry: true, want: "would be revoked/would be revoked/would be revoked", holds: "a/b/c"},
		{name: "gone meanwhile", change: func(w *fakeWorkspace, ids []tokens.ID) { delete(w.held, ids[1]) }, want: "revoked/gone/revoked", holds: "revoked/revoked/revoked"},
		{name: "gone at the last moment", change: failing("revoke 1", 1, tokens.ErrUnknownToken), want: "revoked/gone/revoked", holds: "revoked/b/revoked"},
		{name: "500", change: failing("revoke 1", 1, errServer), want: "revoked/failed/not tried", holds: "revoked/b/c", says: "API failed"},
		{name: "500, and on", going: true, change: failing("revoke 1", 1, errServer), want: "revoked/failed/revoked", holds: "revoked/b/revoked"},
		{name: "used meanwhile", unused: time.Hour, change: func(w *fakeWorkspace, ids []tokens.ID) { w.held[ids[1]].LastUsed = day }, want: "revoked/failed/not tried", holds: "revoked/b/c", says: "it was used in the meantime, on 2026-03-01"},
		{name: "the gateway was wrong about use", unused: 90 * 24 * time.Hour, at: func(now time.Time) (used, created time.Time) { return now.AddDate(0, 0, -30), now.AddDate(0, 0, -200) }, want: "failed/not tried/not tried", holds: "a/b/c"},
		{name: "the gateway was wrong about age", unused: 90 * 24 * time.Hour, at: func(now time.Time) (used, created time.Time) { return time.Time{}, now.AddDate(0, 0, -5) }, want: "failed/not tried/not tried", holds: "a/b/c"},
		{name: "unused, as clocks differ", unused: 90 * 24 * time.Hour, at: func(now time.Time) (used, created time.Time) {
			return time.Time{}, now.Add(-90*24*time.Hour + time.Minute)
		}, want: "revoked/revoked/revoked", holds: "revoked/revoked/revoked"},
		{name: "used, which does not matter", change: func(w *fakeWorkspace, ids []tokens.ID) { w.held[ids[1]].LastUsed = day }, want: "revoked/revoked/revoked", holds: "revoked/revoked/revoked"},
		{name: "another owner", change: func(w *fakeWorkspace, ids []tokens.ID) { w.held[ids[1]].Owner = tokens.NewPrincipal(9, "") }, want: "revoked/failed/not tried", holds: "revoked/b/c", says: "another owner"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w, ids := newFake([]string{"a"}, []string{"b"}, []string{"c"})
			targets := targetsOf(w, ids)
			if test.at != nil {
				for i, id := range ids {
					w.held[id].LastUsed, w.held[id].Created = test.at(time.Now())
					targets[i].LastUsed = w.held[id].LastUsed
				}
			}
			if test.change != nil {
				test.change(w, ids)
			}
			r, _, told := newRunner(t, w)
			r.KeepGoing, r.DryRun = test.going, test.dry
			results := r.Revoke(t.Context(), targets, test.unused)
			if got := statuses(results); got != test.want || w.scopesOf(ids) != test.holds || !strings.Contains(results[1].Problem, test.says) {
				t.Errorf("%s, %s: %+v", got, w.scopesOf(ids), results)
			}
			if gone := strings.Count(test.want, "revoked") + strings.Count(test.want, "gone"); !test.dry && len(*told) != gone || test.dry && len(*told) != 0 {
				t.Errorf("the gateway was told of %d tokens, not of %d", len(*told), gone)
			}
		})
	}
}
