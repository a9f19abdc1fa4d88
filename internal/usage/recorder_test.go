package usage

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/scopes"
)

func TestSeen(t *testing.T) {
	t.Parallel()
	jobs, me := op("jobs: jobs"), op("me: *")
	unmapped := op("x: unmapped")
	good := allowed(id("t"), &jobs, noon)
	for _, test := range []struct {
		name   string
		change func(*Call)
		want   string // calls denied would unmapped operations, "" for nothing
	}{
		{"good", nil, "1 0 0 0 1"},
		{"in observe mode", func(c *Call) { c.Enforced = false }, "1 0 0 0 1"},
		{"denied", func(c *Call) { c.Allowed, c.Reason = false, "missing_scope" }, "1 1 0 0 1"},
		{"would be denied", func(c *Call) { c.Allowed, c.Enforced, c.Reason = false, false, "policy_denied" }, "1 0 1 0 1"},
		{"unmapped", func(c *Call) { c.Operation = &unmapped }, "1 0 0 1 1"},
		{"any scope", func(c *Call) { c.Operation = &me }, "1 0 0 0 1"},
		{"expired", func(c *Call) { c.Allowed, c.Reason = false, "token_expired" }, "1 1 0 0 0"},
		{"wrong workspace, rehearsed", func(c *Call) { c.Allowed, c.Enforced, c.Reason = false, false, "wrong_workspace" }, "1 0 1 0 0"},
		{"no operation", func(c *Call) { c.Operation = nil }, ""},
		{"no id", func(c *Call) { c.TokenID = tokenKey{} }, ""},
		{"unknown token", func(c *Call) { c.Allowed, c.Reason = false, "unknown_token" }, ""},
		{"public route", func(c *Call) { c.Reason = "public_route" }, ""},
		{"preflight", func(c *Call) { c.Reason = "cors_preflight" }, ""},
		{"OAuth", func(c *Call) { c.Reason = "oauth_passed" }, ""},
		{"directory down", func(c *Call) { c.Allowed, c.Reason = false, "directory_unavailable" }, ""},
		{"no time", func(c *Call) { c.At = time.Time{} }, "1 0 0 0 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, _ := newTestRecorder(t, 0, 0)
			call := good
			if test.change != nil {
				test.change(&call)
			}
			r.Seen(call)
			got := ""
			for _, k := range r.State().Tokens {
				got = fmt.Sprint(k.Calls, k.Denied, k.WouldDeny, k.Unmapped, len(k.Uses))
				if !k.First.Equal(noon) || !k.Last.Equal(noon) || k.ActiveDays != 1 {
					t.Errorf("times are %v, %v and %d days", k.First, k.Last, k.ActiveDays)
				}
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestKeyOf(t *testing.T) {
	t.Parallel()
	good := id("t")
	for _, test := range []struct {
		name, id string
		ok       bool
	}{
		{"good", good, true},
		{"nothing", "", false},
		{"a token's value", "dapi" + good[:32], false},
		{"64 characters that are not an id", "dapi" + good[4:63] + "!", false},
		{"upper case", strings.ToUpper(good), false},
		{"one digit more", good + "0", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			key, ok := keyOf(test.id)
			if ok != test.ok || ok && key.String() != test.id {
				t.Errorf("got %s, %v", key, ok)
			}
		})
	}
}

// TestReasons compares the reasons in Call.kind with those of package policy, which
// this package does not import.
func TestReasons(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "../policy/reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	kinds := make(map[kind]int)
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			word, _ := strconv.Unquote(lit.Value)
			kinds[(&Call{Reason: word}).kind()]++
		}
		return true
	})
	// permitted, missing_scope, account_level_operation, policy_denied, policy_lifetime;
	// token_expired, wrong_workspace; the other thirteen.
	if kinds[use] != 5 || kinds[refusal] != 2 || kinds[nothing] != 13 {
		t.Errorf("package policy has other reasons than are sorted here: %v", kinds)
	}
}

// TestAlso: a request that servers could read as two operations uses both, once.
func TestAlso(t *testing.T) {
	t.Parallel()
	r, _ := newTestRecorder(t, 0, 0)
	one, two := op("genie: get"), op("sql: list")
	call := allowed(id("t"), &one, noon)
	call.Also = []*scopes.Operation{&two}
	r.Seen(call)
	token, ok := r.Token(id("t"))
	if !ok || token.Calls != 1 || len(token.Uses) != 2 || token.Uses[0].Calls != 1 || token.Uses[1].Calls != 1 {
		t.Errorf("%+v", token)
	}
}

// TestOptionalIsCountedApart: refusals of what clients go on without are no denials, also
// after they were saved.
func TestOptionalIsCountedApart(t *testing.T) {
	t.Parallel()
	r, clock := newTestRecorder(t, 10, 10)
	quiet, loud := op("a: optional all-apis"), op("b: sql")
	for _, c := range []struct {
		operation *scopes.Operation
		reason    string
		enforced  bool
	}{{&quiet, "missing_scope", true}, {&quiet, "policy_denied", true}, {&quiet, "missing_scope", false}, {&loud, "missing_scope", true}, {&quiet, "token_expired", true}} {
		call := allowed(id("t"), c.operation, clock.Time)
		call.Allowed, call.Reason, call.Enforced = false, c.reason, c.enforced
		r.Seen(call)
	}
	data, err := marshalSnapshot(r.State(), envelope{})
	if err != nil {
		t.Fatal(err)
	}
	saved, _, err := unmarshalSnapshot(data)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := newTestRecorder(t, 10, 10)
	again.Merge(saved)
	for name, state := range map[string]State{"recorded": r.State(), "merged": again.State()} {
		got, _ := state.Token(id("t"))
		if got.Calls != 5 || got.Denied != 2 || got.WouldDeny != 0 || got.Optional != 2 || got.Passed() != 1 {
			t.Errorf("%s: %+v", name, got)
		}
		if i := slices.IndexFunc(got.Uses, func(u Use) bool { return u.Operation.Optional }); i < 0 || got.Uses[i].Denied != 2 || got.Uses[i].WouldDeny != 1 {
			t.Errorf("%s: uses %+v", name, got.Uses)
		}
		if recent, _ := got.after(noon.Add(-time.Hour)); recent.Passed() != 1 {
			t.Errorf("%s: within a window %+v", name, recent)
		}
	}
}

func TestSeenOverTime(t *testing.T) {
	t.Parallel()
	r, _ := newTestRecorder(t, 0, 0)
	jobs, other := op("jobs: jobs"), op("jobs: jobs")
	r.Seen(allowed(id("t"), &jobs, noon))
	r.Seen(allowed(id("t"), &other, noon.Add(time.Hour))) // a reload makes new operations
	r.Seen(allowed(id("t"), &jobs, noon.Add(day)))
	r.Seen(allowed(id("t"), &jobs, noon.Add(3*day)))
	late := allowed(id("t"), &jobs, noon.Add(2*day)) // out of order
	late.OwnerID, late.Creator, late.Allowed, late.Reason = 42, "a@example.com", false, "missing_scope"
	r.Seen(late)
	got, ok := r.Token(id("t"))
	if !ok || len(got.Uses) != 1 {
		t.Fatalf("got %+v", got)
	}
	u := got.Uses[0]
	if got.Calls != 5 || u.Calls != 5 || u.Denied != 1 || u.Reason != "missing_scope" || got.ActiveDays != 3 {
		t.Errorf("got %+v", got)
	}
	if !got.First.Equal(noon) || !got.Last.Equal(noon.Add(3*day)) || !u.Last.Equal(got.Last) {
		t.Errorf("times are %v and %v", got.First, got.Last)
	}
	if got.OwnerID != 42 || got.Creator != "a@example.com" {
		t.Errorf("facts are %d, %q", got.OwnerID, got.Creator)
	}
	drained := r.Drain()
	if got, ok := drained.Token(id("t")); !ok || got.Calls == 0 || r.Len() != 0 || r.entries.Load() != 0 || len(r.Drain().Tokens) != 0 {
		t.Error("draining leaves something, or takes nothing")
	}
}

func TestCaps(t *testing.T) {
	t.Parallel()
	jobs := op("jobs: jobs")
	t.Run("tokens", func(t *testing.T) {
		r, clock := newTestRecorder(t, 3, 0)
		for i := range 5 {
			clock.Time = noon.Add(time.Duration(i) * time.Minute)
			r.Seen(allowed(id(i), &jobs, clock.Time))
			r.Seen(allowed(id(0), &jobs, clock.Time)) // stays in use
		}
		state := r.State()
		if r.Len() != 3 {
			t.Fatalf("%d tokens are kept", r.Len())
		}
		for i := range 5 {
			if got, ok := state.Token(id(i)); !ok || got.Evicted != (i == 1 || i == 2) {
				t.Errorf("token %d is %+v", i, got)
			}
		}
		if state.Cut.Entries != 0 {
			t.Errorf("cut %+v", state.Cut)
		}
	})
	t.Run("operations", func(t *testing.T) {
		r, _ := newTestRecorder(t, 0, 2)
		for i, name := range []string{"a: x", "b: x", "a: x", "c: x"} {
			o := op(name)
			r.Seen(allowed(id("t"), &o, noon.Add(time.Duration(i)*time.Minute)))
		}
		got, _ := r.Token(id("t"))
		if len(got.Uses) != 2 || got.Uses[0].Operation.Name != "a" || got.Uses[1].Operation.Name != "c" || got.Calls != 4 {
			t.Errorf("got %+v", got)
		}
		if want := (Cut{
			Entries: 1, Calls: 1, Since: noon.Add(3 * time.Minute), First: noon.Add(time.Minute), Last: noon.Add(time.Minute), Needs: [][]string{{"x"}},
		}); !reflect.DeepEqual(got.Cut, want) {
			t.Errorf("cut %+v, want %+v", got.Cut, want)
		}
		if e := evidenceOf(got, (&State{}).doubt(&got, time.Time{}, time.Time{})); e.Enough {
			t.Error("a token that was cut has enough evidence")
		}
	})
	t.Run("entries", func(t *testing.T) {
		r := newRecorder(Options{MaxEntries: 5, Now: (&clock{noon}).now})
		for i := range 20 {
			o := op(fmt.Sprintf("o%d: x", i))
			r.Seen(allowed(id(i/4), &o, noon.Add(time.Duration(i)*time.Minute)))
		}
		state := r.State()
		if last, _ := state.Token(id(4)); len(state.Tokens) != 5 || r.Len() != 1 || len(last.Uses) != 4 || r.entries.Load() != 4 {
			t.Errorf("got %+v", state)
		}
		r.Drain()
		if r.entries.Load() != 0 {
			t.Errorf("%d entries are left of nothing", r.entries.Load())
		}
		for i := range 9 { // one token alone stays, cut
			o := op(fmt.Sprintf("o%d: x", i))
			r.Seen(allowed(id("t"), &o, noon))
		}
		if got, ok := r.Token(id("t")); !ok || len(got.Uses) != 5 || got.Cut.Entries != 4 {
			t.Errorf("got %+v", got)
		}
	})
	t.Run("catalogs", func(t *testing.T) {
		r, _ := newTestRecorder(t, 0, 0)
		for range 2*maxKnown + 10 {
			o := op("jobs: jobs")
			r.Seen(allowed(id("t"), &o, noon))
		}
		n := 0
		r.handles.known.Range(func(any, any) bool { n++; return true })
		if n > maxKnown {
			t.Errorf("%d operations are remembered", n)
		}
		if got, _ := r.Token(id("t")); len(got.Uses) != 1 {
			t.Errorf("got %d uses", len(got.Uses))
		}
	})
}

func TestMerge(t *testing.T) {
	t.Parallel()
	jobs, sql := op("jobs: jobs"), op("sql: sql")
	before, _ := newTestRecorder(t, 0, 0)
	for i := range 3 {
		c := allowed(id("old"), &jobs, noon.Add(time.Duration(i)*day))
		c.OwnerID, c.Creator = 1, "before"
		before.Seen(c)
	}
	before.Seen(allowed(id("both"), &sql, noon))
	saved := before.State()

	after, clock := newTestRecorder(t, 2, 0)
	clock.Time = noon.Add(2 * day)
	after.Seen(allowed(id("both"), &jobs, noon.Add(2*day+time.Hour)))
	after.Seen(allowed(id("old"), &jobs, noon.Add(2*day+time.Hour)))
	after.Merge(saved)
	old, _ := after.Token(id("old"))
	if old.Calls != 4 || old.ActiveDays != 3 || old.OwnerID != 1 || old.Creator != "before" || len(old.Uses) != 1 || old.Uses[0].Calls != 4 {
		t.Errorf("got %+v", old)
	}
	both, _ := after.Token(id("both"))
	if both.Calls != 2 || len(both.Uses) != 2 || !both.First.Equal(noon) || both.ActiveDays != 2 {
		t.Errorf("got %+v", both)
	}
	if since := after.State().Since; !since.Equal(noon) {
		t.Errorf("since %v", since)
	}
	// A loaded token is as old as it is, not as new as the loading.
	after.Merge(State{Since: noon, Tokens: []Token{{ID: id("ancient"), First: noon, Last: noon, Calls: 7}}, Cut: Cut{Entries: 1, Calls: 5, Since: noon}})
	if got, ok := after.Token(id("ancient")); !ok || !got.Evicted || after.Len() != 2 {
		t.Error("the least recently used token was kept")
	}
	if got := after.State().Cut; got.Entries != 1 || got.Calls != 5 || !got.Last.IsZero() {
		t.Errorf("cut %+v", got)
	}
}

// TestConcurrent is for the race detector, and for totals that must not drift.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	const workers, calls = 8, 2000
	r, _ := newTestRecorder(t, 20, 3)
	operations := ops("a: x", "b: x", "c: x y", "d: unmapped", "e: *")
	var done atomic.Bool
	var readers, writers sync.WaitGroup
	readers.Go(func() {
		for !done.Load() {
			for _, k := range r.State().Tokens {
				sum := k.Cut.Calls
				for _, u := range k.Uses {
					sum += u.Calls
				}
				if sum != k.Calls {
					t.Errorf("a token of %d calls has uses of %d", k.Calls, sum)
					return
				}
			}
		}
	})
	for w := range workers {
		writers.Go(func() {
			for i := range calls {
				r.Seen(allowed(id((w+i)%40), &operations[i%len(operations)], noon.Add(time.Duration(i)*time.Second)))
				if i%500 == 0 {
					r.Merge(State{Tokens: []Token{{ID: id("m"), Calls: 1, First: noon, Last: noon, Cut: Cut{Entries: 1, Calls: 1, Since: noon}}}})
				}
			}
		})
	}
	writers.Wait()
	done.Store(true)
	readers.Wait()
	state := r.State()
	entries := 0
	live := 0
	for _, k := range state.Tokens {
		entries += len(k.Uses)
		if !k.Evicted {
			live++
		}
	}
	if int(r.entries.Load()) != entries {
		t.Errorf("%d entries, counted %d", entries, r.entries.Load())
	}
	if live > 20 || r.Len() != live || len(state.Tokens) != 41 || int(r.summaries.Load()) != 41-live {
		t.Errorf("%d tokens, counted %d; %d summaries, counted %d", live, r.Len(), len(state.Tokens)-live, r.summaries.Load())
	}
	if total := state.Calls() + state.Cut.Calls; total != workers*(calls+4) {
		t.Errorf("%d calls of %d are accounted for", total, workers*(calls+4))
	}
}

func TestSeenDoesNotAllocate(t *testing.T) {
	r, _ := newTestRecorder(t, 0, 0)
	o := op("jobs: jobs")
	call := allowed(id("t"), &o, noon)
	call.OwnerID, call.Creator = 42, "a@example.com"
	if n := testing.AllocsPerRun(100, func() { r.Seen(call) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSeen(b *testing.B) {
	operations := scopes.Default().Operations()[:64]
	calls := func(tokens int) []Call {
		calls := make([]Call, tokens)
		for i := range calls {
			calls[i] = allowed(id(i), &operations[0], noon)
		}
		return calls
	}
	b.Run("known", func(b *testing.B) {
		r, known := newRecorder(Options{}), calls(5000)
		operation := func(token, i int) *scopes.Operation { return &operations[(token+i%8)%64] }
		for i := range known {
			for j := range 8 {
				known[i].Operation = operation(i, j)
				r.Seen(known[i])
			}
		}
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			i++
			call := &known[i%5000]
			call.Operation = operation(i%5000, i)
			r.Seen(*call)
		}
	})
	b.Run("one token in parallel", func(b *testing.B) {
		r, known := newRecorder(Options{}), calls(1)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				r.Seen(known[0])
			}
		})
	})
	b.Run("new token, full", func(b *testing.B) {
		r, many := newRecorder(Options{MaxTokens: 1000}), calls(20_000)
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			i++
			r.Seen(many[i%len(many)])
		}
	})
}
