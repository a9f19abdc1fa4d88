package usage

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// textOf returns a recommendation as people read it.
func textOf(t *testing.T, state State, token string, facts TokenFacts, window time.Duration, now time.Time) (Recommendation, string) {
	t.Helper()
	r, err := state.Recommend(token, facts, window, now)
	if err != nil {
		return r, err.Error()
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	return r, text.String()
}

// flood uses many other tokens.
func flood(r *recorder, from, n int, at time.Time) {
	jobs := op("flood: jobs")
	for i := range n {
		r.Seen(allowed(id(fmt.Sprint("flood ", from+i)), &jobs, at))
	}
}

// TestEvictedTokenIsNotDenied: other tokens evict a victim, at the limits that users have.
// What it did is still told, counts for the recommendation, and is continued when it
// comes back.
func TestEvictedTokenIsNotDenied(t *testing.T) {
	t.Parallel()
	clock := &clock{noon}
	r := newRecorder(Options{Now: clock.now})
	operations := ops("a: jobs", "b: queries sql", "c: *", "refused d: scim")
	for i := range 26 {
		c := allowed(id("victim"), &operations[i%4], noon.Add(time.Duration(i)*time.Hour))
		c.Allowed = i%4 < 3
		r.Seen(c)
	}
	clock.Time = noon.Add(10 * day)
	flood(r, 0, 10_200, clock.Time)
	if r.Len() != defaultMaxTokens {
		t.Fatalf("%d tokens", r.Len())
	}
	holds := TokenFacts{Scopes: []string{"jobs", "queries", "scim", "sql"}}
	check := func(state State, calls uint64) {
		t.Helper()
		got, text := textOf(t, state, id("victim"), holds, 0, clock.Time)
		if !slices.Equal(got.Scopes, []string{"jobs", "queries"}) || got.Evidence.Enough || got.Evidence.Calls != calls {
			t.Errorf("scopes %q of %+v", got.Scopes, got.Evidence)
		}
		for _, part := range []string{
			fmt.Sprintf("%d calls over", calls), "2026-07-01 to 2026-07-", "4 operations dropped since 2026-07-11",
			"cut        4 operations with 26 calls, last used 2026-07-02 13:00, dropped since 2026-07-11 12:00 to stay within limits",
			"they needed any scope, jobs, queries or sql",
			"operations that were dropped, used 2026-07-01 to 2026-07-02",
		} {
			if !strings.Contains(text, part) {
				t.Errorf("it lacks %q:\n%s", part, text)
			}
		}
	}
	state := r.State()
	check(state, 20)
	report := NewReport(state, []ListedToken{{ID: id("victim"), TokenFacts: holds}}, clock.Time)
	victim := report.Filter(Filter{Unscoped: false})
	row := victim.Rows[slices.IndexFunc(victim.Rows, func(row Row) bool { return row.ID == id("victim") })]
	if notes := strings.Join(row.notes(clock.Time), ", "); row.Seen == nil || row.Seen.Calls != 26 || !strings.Contains(notes, "cut: 4 operations dropped since 2026-07-11") {
		t.Errorf("the row is %+v with %s", row, notes)
	}
	var csv, table strings.Builder
	victim.Rows = []Row{row}
	if err := errors.Join(victim.WriteCSV(&csv), victim.WriteTable(&table)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(csv.String(), ",true,26,2026-07-11T12:00:00Z,4 operations dropped since 2026-07-11,0\n") {
		t.Errorf("CSV:\n%s", &csv)
	}
	if !strings.Contains(table.String(), "Cut: of 201 tokens, the least recently used, only a summary is kept.") {
		t.Errorf("table:\n%s", &table)
	}

	// It survives a file, and a merge with what another gateway saw.
	data, err := marshalState(state)
	if err != nil {
		t.Fatal(err)
	}
	saved, err := unmarshalState(data)
	if err != nil {
		t.Fatal(err)
	}
	check(saved, 20)
	again := newRecorder(Options{Now: clock.now})
	again.Seen(allowed(id("victim"), &operations[0], clock.Time))
	again.Merge(saved)
	check(again.State(), 21)
	// And the token's return.
	r.Seen(allowed(id("victim"), &operations[0], clock.Time))
	check(r.State(), 21)
	if got, _ := r.Token(id("victim")); got.Evicted || len(got.Uses) != 1 {
		t.Errorf("after its return: %+v", got)
	}
}

// TestForgottenTokenIsNotDenied: so many tokens were used that not even a summary is left.
func TestForgottenTokenIsNotDenied(t *testing.T) {
	t.Parallel()
	clock := &clock{noon}
	r := newRecorder(Options{MaxTokens: 5, MaxSummaries: 5, Now: clock.now})
	jobs := op("a: jobs")
	r.Seen(allowed(id("victim"), &jobs, noon))
	clock.Time = noon.Add(10 * day)
	flood(r, 0, 11, clock.Time)
	state := r.State()
	if len(state.Tokens) != 10 || state.Cut.Entries != 2 || state.Calls()+state.Cut.Calls != 12 {
		t.Fatalf("%d tokens, and %+v", len(state.Tokens), state.Cut)
	}
	old := TokenFacts{Scopes: []string{"jobs", "sql"}, Created: noon.Add(-day)}
	const denied = "has not seen the token yet"
	for _, test := range []struct {
		name   string
		facts  TokenFacts
		window time.Duration
		want   string
	}{
		{"an old token", old, 0, "this does not mean that the token was not used: not seen since 2026-07-11 12:00; before, all evidence about 2 tokens was dropped since 2026-07-11"},
		{"created on an unknown day", TokenFacts{}, 0, "this does not mean that"},
		{"created afterwards", TokenFacts{Created: clock.Add(time.Hour)}, 0, denied},
		{"in a window that reaches back", old, 20 * day, "this does not mean that"},
		{"in a window that does not", old, 2 * day, denied},
	} {
		if _, text := textOf(t, state, id("victim"), test.facts, test.window, clock.Add(5*day)); !strings.Contains(text, test.want) {
			t.Errorf("%s: %s", test.name, text)
		}
	}
	report := NewReport(state, []ListedToken{{ID: id("victim"), TokenFacts: old}, {ID: id("certain"), LastUsed: noon, TokenFacts: old}}, clock.Add(5*day))
	unused := report.Filter(Filter{Unused: 10 * day})
	if len(unused.Rows) != 1 || unused.Rows[0].ID != id("certain") || len(unused.Notes) != 1 || !strings.Contains(unused.Notes[0], "1 token was left out of the unused") {
		t.Errorf("unused: %+v, %q", unused.Rows, unused.Notes)
	}
	var table strings.Builder
	if err := report.WriteTable(&table); err != nil || strings.Contains(table.String(), "never seen") || !strings.Contains(table.String(), "evidence missing: not seen since 2026-07-11") {
		t.Errorf("%s%v", table.String(), err)
	}
	// It comes back: what is known now is never enough evidence.
	for i := range 30 {
		r.Seen(allowed(id("victim"), &jobs, clock.Add(time.Duration(i)*day)))
	}
	got, text := textOf(t, r.State(), id("victim"), old, 0, clock.Add(30*day))
	if got.Evidence.Enough || !strings.Contains(text, "all evidence about 3 tokens was dropped since 2026-07-11") {
		t.Errorf("after its return:\n%s", text)
	}
}

// TestManyOperations: scopes that dropped operations needed are still recommended.
func TestManyOperations(t *testing.T) {
	t.Parallel()
	clock := &clock{noon}
	r := newRecorder(Options{Now: clock.now})
	first, refused, rehearsed := op("first: sql"), op("refused: scim"), op("rehearsed: clusters")
	r.Seen(allowed(id("t"), &first, noon))
	c := allowed(id("t"), &refused, noon)
	c.Allowed, c.Reason = false, "missing_scope"
	r.Seen(c)
	c = allowed(id("t"), &rehearsed, noon)
	c.Allowed, c.Enforced, c.Reason = false, false, "missing_scope"
	r.Seen(c)
	jobs := make([]string, 600)
	for i := range jobs {
		jobs[i] = fmt.Sprintf("o%d: jobs", i)
	}
	for _, o := range ops(jobs...) {
		clock.Time = clock.Add(time.Hour)
		r.Seen(allowed(id("t"), &o, clock.Time))
	}
	facts := TokenFacts{Scopes: []string{"jobs", "scim", "sql"}}
	got, text := textOf(t, r.State(), id("t"), facts, 0, clock.Time)
	if !slices.Equal(got.Scopes, []string{"jobs", "sql"}) || got.Evidence.Cut.Entries != 103 || got.Evidence.Enough {
		t.Errorf("scopes %q\n%s", got.Scopes, text)
	}
	if len(got.Add) != 1 || got.Add[0].Scope != "clusters" {
		t.Errorf("to add: %+v", got.Add)
	}
	// They are as old as they are.
	got, text = textOf(t, r.State(), id("t"), facts, 20*day, clock.Time)
	if !slices.Equal(got.Scopes, []string{"jobs"}) || got.Evidence.Cut.Entries != 0 || !strings.Contains(text, "103 operations were dropped since 2026-07-22; not used since 2026-07-06") {
		t.Errorf("in a window: scopes %q\n%s", got.Scopes, text)
	}
}

// TestWindowOfDropped: all that was used in the window was dropped.
func TestWindowOfDropped(t *testing.T) {
	t.Parallel()
	seen := seenToken("a: jobs")
	seen.Cut = Cut{Entries: 2, Calls: 40, Since: noon.Add(40 * day), First: noon, Last: noon.Add(30 * day), Needs: [][]string{{"sql"}}}
	state := State{Since: noon, Tokens: []Token{seen}}
	facts := TokenFacts{Scopes: []string{"jobs", "sql"}}
	got, text := textOf(t, state, seen.ID, facts, 20*day, noon.Add(45*day))
	if !slices.Equal(got.Scopes, []string{"sql"}) || got.Evidence.Calls != 1 || got.Evidence.Enough || strings.Contains(text, "not used since") == (len(got.Older) == 0) {
		t.Errorf("scopes %q of %+v\n%s", got.Scopes, got.Evidence, text)
	}
	// An older version dropped them, and did not say when they were used.
	seen.Cut.First, seen.Cut.Last, seen.Cut.Needs, seen.Cut.NeedsUnknown = time.Time{}, time.Time{}, nil, true
	state.Tokens[0] = seen
	if _, text = textOf(t, state, seen.ID, facts, 20*day, noon.Add(45*day)); !strings.Contains(text, ", but 2 operations dropped since 2026-08-10") || !strings.Contains(text, "which scopes they needed is not known") {
		t.Error(text)
	}
}

// TestUnreadIsNotDenied: what could not be read may be about any token.
func TestUnreadIsNotDenied(t *testing.T) {
	t.Parallel()
	store, clock := newMemory(), &clock{noon}
	store.values[otherKey] = "garbage"
	l := newTestLedger(store, clock.now)
	jobs := op("a: jobs")
	for i := range 30 {
		l.Seen(allowed(id("seen"), &jobs, noon.Add(time.Duration(i)*day)))
	}
	if err := l.flush(t.Context()); !SetAside(err) {
		t.Fatal(err)
	}
	state, err := l.State(t.Context())
	if err != nil || len(state.Unread) != 1 || !state.Unread[0].Since.Equal(noon) {
		t.Fatalf("%+v, %v", state.Unread, err)
	}
	got, text := textOf(t, state, id("seen"), TokenFacts{}, 0, noon.Add(30*day))
	if got.Evidence.Enough || !strings.Contains(text, "1 saved file could not be read, set aside since 2026-07-01") {
		t.Error(text)
	}
	if _, text := textOf(t, state, id("other"), TokenFacts{}, 0, noon); !strings.Contains(text, "does not mean that the token was not used: 1 saved file could not be read") {
		t.Error(text)
	}
	report := NewReport(state, []ListedToken{{ID: id("other")}}, noon.Add(90*day))
	if got := report.Filter(Filter{Unused: day}); slices.ContainsFunc(got.Rows, func(r Row) bool { return r.ID == id("other") }) || len(got.Notes) != 1 {
		t.Errorf("unused: %+v, %q", got.Rows, got.Notes)
	}
}

// TestCutOfOlderVersion reads a file of a version that kept less of what it dropped.
func TestCutOfOlderVersion(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/shared-ledger.json")
	if err != nil {
		t.Fatal(err)
	}
	state, err := unmarshalState(data)
	if err != nil || state.Cut.Entries == 0 || !state.Cut.Last.IsZero() {
		t.Fatalf("%+v, %v", state.Cut, err)
	}
	i := slices.IndexFunc(state.Tokens, func(t Token) bool { return t.Cut.Entries > 0 })
	if i < 0 || !state.Tokens[i].Cut.NeedsUnknown {
		t.Errorf("%+v", state.Tokens)
	}
}

// TestNeedsAreBounded: a file or a catalog of any size does not grow a summary.
func TestNeedsAreBounded(t *testing.T) {
	t.Parallel()
	var c cutMS
	c.drop(1, 0, 0, 0)
	for i := range 10_000 {
		c.need(fmt.Sprintf("scope-%d", i%2000))
	}
	got := c.export()
	if n := len(strings.Join(c.needs.lines(), "\n")); n > maxNeeds || !got.NeedsUnknown || len(got.Needs) < 100 {
		t.Errorf("%d bytes, %+v", n, got)
	}
}

// TestSummariesAreSmall measures what a flood of tokens costs.
func TestSummariesAreSmall(t *testing.T) {
	var before, after runtime.MemStats
	r := newRecorder(Options{MaxTokens: 100})
	flood(r, 0, 100, noon)
	runtime.GC()
	runtime.ReadMemStats(&before)
	const n = 100_000
	flood(r, 100, n+500, noon)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := int(after.HeapAlloc-before.HeapAlloc) / n; each > 400 {
		t.Errorf("a summary takes %d bytes", each)
	} else {
		t.Logf("a summary takes %d bytes", each)
	}
	if got := r.summaries.Load(); got != n {
		t.Errorf("%d summaries", got)
	}
	data, err := marshalState(r.State())
	if err != nil || len(data) > n*300 || len(data) > maxSnapshot {
		t.Errorf("%d bytes are saved: %v", len(data), err)
	}
}
