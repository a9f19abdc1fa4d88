package bulk

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

// seenCalls is what a gateway has counted of one operation that needs a scope.
func seenCalls(scope string, calls, denied, wouldDeny uint64, reason string) usage.Use {
	return usage.Use{
		Operation: scopes.Operation{Method: "GET", Template: "/api/2.0/" + scope, AnyOf: []string{scope}, Name: scope + ".Get"},
		Calls:     calls, Denied: denied, WouldDeny: wouldDeny, Reason: reason,
	}
}

func seenOf(id tokens.ID, uses ...usage.Use) *Seen {
	t := &usage.Token{ID: id.String(), Uses: uses}
	for _, u := range uses {
		t.Calls, t.Denied = t.Calls+u.Calls, t.Denied+u.Denied
	}
	return &Seen{Tokens: map[string]*usage.Token{t.ID: t}}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	_, ids := newFake(nil)
	id := ids[0]
	optional := seenCalls("jobs", 20, 10, 0, missingScope)
	optional.Operation.Optional = true
	drifted := func(disagreed uint64, named ...string) *Seen {
		seen := seenOf(id, seenCalls("sql", 20+disagreed, 0, 0, ""))
		seen.Drift = []usage.DriftRow{{Operation: "sql.Get", Method: "GET", Template: "/api/2.0/sql", Named: named, Disagreed: disagreed}}
		return seen
	}
	down := errors.New("connection refused")
	for _, test := range []struct {
		name    string
		before  *Seen
		answers []any // to one question after the other, the last one for good: a *Seen or an error
		former  []string
		fail    func(*fakeWorkspace, []tokens.ID)
		holds   string
		says    string
		took    time.Duration
		blind   bool
		failed  bool
	}{
		{name: "nothing happens", answers: []any{seenOf(id, seenCalls("sql", 30, 0, 0, ""))}, holds: "sql", took: time.Hour},
		{name: "refused by the gateway", answers: []any{seenOf(id), seenOf(id, seenCalls("jobs", 1, 1, 0, missingScope))}, holds: "all-apis", says: "GET /api/2.0/jobs was refused by the gateway", took: 30 * time.Second},
		{name: "would be refused, in rehearsal", answers: []any{seenOf(id, seenCalls("jobs", 1, 0, 1, missingScope))}, holds: "all-apis", took: 15 * time.Second},
		{name: "to the former scopes", former: []string{"jobs", "sql"}, answers: []any{seenOf(id, seenCalls("jobs", 1, 1, 0, missingScope))}, holds: "jobs sql", took: 15 * time.Second},
		{name: "refused before, too", former: []string{"clusters", "sql"}, answers: []any{seenOf(id, seenCalls("jobs", 9, 9, 0, missingScope))}, holds: "sql", took: time.Hour},
		{name: "refused before, and counted", before: seenOf(id, seenCalls("jobs", 9, 4, 0, missingScope)), answers: []any{seenOf(id, seenCalls("jobs", 9, 4, 0, missingScope))}, holds: "sql", took: time.Hour},
		{name: "never passed before", before: seenOf(id, seenCalls("jobs", 4, 4, 0, missingScope)), answers: []any{seenOf(id, seenCalls("jobs", 9, 9, 0, missingScope))}, holds: "sql", took: time.Hour},
		{name: "only rehearsed before", before: seenOf(id, seenCalls("jobs", 4, 0, 4, missingScope)), answers: []any{seenOf(id, seenCalls("jobs", 5, 0, 5, missingScope))}, holds: "all-apis", took: 15 * time.Second},
		{name: "refused by a policy", answers: []any{seenOf(id, seenCalls("jobs", 9, 9, 0, "policy_denied"))}, holds: "sql", took: time.Hour},
		{name: "optional", answers: []any{seenOf(id, optional)}, holds: "sql", took: time.Hour},
		{name: "refused by the workspace", before: drifted(0), answers: []any{drifted(1, "jobs", "sql")}, holds: "all-apis", says: "was refused by the workspace", took: 15 * time.Second},
		{name: "refused by the workspace for another reason", before: drifted(0), answers: []any{drifted(1, "sql")}, holds: "sql", took: time.Hour},
		{name: "the gateway is down for a while", answers: []any{down, down, seenOf(id, seenCalls("jobs", 1, 1, 0, missingScope))}, holds: "all-apis", says: "the gateway answers again", took: 45 * time.Second},
		{name: "the gateway is down at the end", answers: []any{seenOf(id), down}, holds: "sql", says: "the gateway cannot be asked", took: time.Hour, blind: true},
		{name: "the gateway was restarted", before: seenOf(id, seenCalls("jobs", 100, 50, 0, missingScope)), answers: []any{seenOf(id, seenCalls("jobs", 3, 0, 0, "")), seenOf(id, seenCalls("jobs", 4, 1, 0, missingScope))}, holds: "all-apis", took: 30 * time.Second},
		{name: "restored at the second try", answers: []any{seenOf(id, seenCalls("jobs", 1, 1, 0, missingScope))}, fail: failing("set 0", 1, errServer), holds: "all-apis", says: "could not be restored", took: 30 * time.Second},
		{name: "changed by others", answers: []any{seenOf(id, seenCalls("jobs", 1, 1, 0, missingScope))}, fail: func(w *fakeWorkspace, ids []tokens.ID) { w.held[ids[0]].Scopes = []string{"clusters"} }, holds: "clusters", says: "it is left as it is", took: time.Hour, failed: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w, ids := newFake([]string{"sql"})
				if test.fail != nil {
					test.fail(w, ids)
				}
				r, out, _ := newRunner(t, w)
				before := test.before
				if before == nil {
					before = &Seen{Tokens: map[string]*usage.Token{}}
				}
				answers := test.answers
				watch := &Watch{Runner: r, Length: time.Hour, Before: before, Ask: func() (*Seen, error) {
					answer := answers[0]
					if len(answers) > 1 {
						answers = answers[1:]
					}
					if err, ok := answer.(error); ok {
						return nil, err
					}
					return answer.(*Seen), nil
				}}
				began := time.Now()
				got := watch.Run(t.Context(), []Target{{ID: ids[0], Owner: "o@example.com", Former: test.former, To: []string{"sql"}}})
				if took := time.Since(began); took != test.took || w.scopesOf(ids) != test.holds || got.Blind != test.blind || got.Interrupted {
					t.Errorf("it took %v, and the token holds %q: %+v", took, w.scopesOf(ids), got)
				}
				restored := len(got.Undone) == 1 && got.Undone[0].Status == Restored
				if restored != (test.holds != "sql" && !test.failed) || restored != (got.Kept == 0) {
					t.Errorf("%+v", got)
				}
				if all := strings.Join(out.lines, "\n"); !strings.Contains(all, test.says) || strings.Count(all, "could not be restored") > 1 {
					t.Errorf("it does not say %q, or too often:\n%s", test.says, all)
				}
				if text := got.String(); restored != strings.Contains(text, "1 restored") {
					t.Error(text)
				}
			})
		})
	}
}

// TestWatchInterrupted: all stays as it is, and the text says so.
func TestWatchInterrupted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, ids := newFake([]string{"sql"})
		r, _, _ := newRunner(t, w)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		watch := &Watch{Runner: r, Length: time.Hour, Before: &Seen{}, Ask: func() (*Seen, error) { return &Seen{}, nil }}
		got := watch.Run(ctx, []Target{{ID: ids[0], To: []string{"sql"}}})
		if want := "The watch was interrupted: 1 token stays narrowed, 0 restored."; got.String() != want || w.scopesOf(ids) != "sql" {
			t.Errorf("%s %s", got.String(), w.scopesOf(ids))
		}
	})
}
