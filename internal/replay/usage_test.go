package replay

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/testing/maps"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	jobsList    = "GET /api/2.2/jobs/list"
	catalogsGet = "GET /api/2.1/unity-catalog/catalogs/{name}"
	clusters    = "GET /api/2.1/clusters/list"
)

// row returns the row of the shipped map with a method and template.
func row(t testing.TB, of string) scopes.Operation {
	t.Helper()
	for _, o := range scopes.Default().Operations() {
		if o.Method+" "+o.Template == of {
			return o
		}
	}
	t.Fatalf("no row %s", of)
	return scopes.Operation{}
}

// token returns a token by its name.
func token(name string, held ...string) *tokens.Info {
	return &tokens.Info{ID: tokens.IDOf(name), Owner: tokens.NewPrincipal(int64(len(name)), name+"@example.com"), Scopes: held, Expires: tokens.NeverExpires}
}

// judgeBy returns a judge with policies.
func judgeBy(t testing.TB, change func(*judge.Judge), policies ...policy.Policy) *judge.Judge {
	t.Helper()
	j := &judge.Judge{Catalog: scopes.Default(), Rules: policy.Rules{AllowUnscoped: true, Policies: policies}, OAuth: judge.OAuthVerify, Now: func() time.Time { return now }}
	j.Rules = j.Rules.Bound(j.Catalog)
	if change != nil {
		change(j)
	}
	return j
}

// denying returns a policy that denies a route.
func denying(t testing.TB, name, route string, match ...policy.Condition) policy.Policy {
	t.Helper()
	method, template, _ := strings.Cut(route, " ")
	r, err := policy.ParseRoute(method, template)
	if err != nil {
		t.Fatal(err)
	}
	return policy.Policy{Name: name, Deny: []policy.Route{r}, Match: match}
}

func condition(t testing.TB, kind string, values ...string) policy.Condition {
	t.Helper()
	c, err := policy.NewCondition(kind, values...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// use is what a token was seen to call.
func use(t testing.TB, info *tokens.Info, calls, denied uint64, operations ...string) usage.Token {
	t.Helper()
	seen := usage.Token{ID: info.ID.String(), First: now.Add(-time.Hour), Last: now}
	for _, of := range operations {
		seen.Uses = append(seen.Uses, usage.Use{Operation: row(t, of), Calls: calls, Denied: denied, First: seen.First, Last: now})
		seen.Calls += calls
	}
	return seen
}

// text returns the lines of a change, as "token operation calls reason by policy".
func text(c Change) string {
	var lines []string
	for _, l := range c.Lines {
		line := fmt.Sprintf("%s %s %d %s", strings.TrimSuffix(l.Owner, "@example.com"), l.Operation, l.Calls, l.Reason)
		if l.Policy != "" {
			line += " by " + l.Policy
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "; ")
}

func TestUsage(t *testing.T) {
	t.Parallel()
	etl, all, gone := token("etl", "jobs"), token("all"), token("gone")
	sql := policy.Policy{Name: "ceiling", Ceiling: []string{"sql"}}
	rehearsedCeiling := sql
	rehearsedCeiling.Observe = true
	old := token("old", "jobs")
	old.Expires = tokens.ExpiresAt(now.Add(-time.Hour))
	unmapped := use(t, all, 4, 0)
	unmapped.Uses = append(unmapped.Uses, usage.Use{Operation: *ReadingsOf(scopes.Default(), "GET", "/nowhere")[0].Operation, Calls: 4})
	otherMap := maps.With(t, "GET\t/nowhere\tjobs\n")
	cut := use(t, etl, 1, 0, jobsList)
	cut.Cut = usage.Cut{Entries: 3, Calls: 9}
	for _, test := range []struct {
		name       string
		now, then  []*judge.Judge
		asEnforced bool
		filter     Filter
		seen       []usage.Token
		refused    string
		permitted  string
		unjudged   string
	}{
		{name: "the same rules", now: []*judge.Judge{judgeBy(t, nil, sql)}, then: []*judge.Judge{judgeBy(t, nil, sql)}, seen: []usage.Token{use(t, all, 3, 1, jobsList)}},
		{name: "a ceiling", now: []*judge.Judge{judgeBy(t, nil)}, then: []*judge.Judge{judgeBy(t, nil, sql)}, seen: []usage.Token{use(t, all, 3, 1, jobsList), use(t, etl, 5, 0, jobsList)},
			refused: "etl jobs.List 5 policy_denied by ceiling; all jobs.List 2 policy_denied by ceiling"},
		{name: "no more ceiling", now: []*judge.Judge{judgeBy(t, nil, sql)}, then: []*judge.Judge{judgeBy(t, nil)}, seen: []usage.Token{use(t, all, 3, 3, jobsList)}, permitted: "all jobs.List 3 policy_denied by ceiling"},
		{name: "calls that were all refused rely on nothing", now: []*judge.Judge{judgeBy(t, nil)}, then: []*judge.Judge{judgeBy(t, nil, sql)}, seen: []usage.Token{use(t, all, 3, 3, jobsList)}},
		{name: "unscoped_tokens deny", now: []*judge.Judge{judgeBy(t, nil)}, then: []*judge.Judge{judgeBy(t, func(j *judge.Judge) { j.Rules.AllowUnscoped = false })}, seen: []usage.Token{use(t, all, 3, 0, jobsList), use(t, etl, 3, 0, jobsList)},
			refused: "all jobs.List 3 missing_scope"},
		{name: "from observe to enforce", now: []*judge.Judge{judgeBy(t, func(j *judge.Judge) { j.Observe = true }, sql)}, then: []*judge.Judge{judgeBy(t, nil, sql)}, seen: []usage.Token{use(t, etl, 3, 0, jobsList, clusters)},
			refused: "etl compute.Clusters.List 3 missing_scope; etl jobs.List 3 policy_denied by ceiling"},
		{name: "from enforce to observe", now: []*judge.Judge{judgeBy(t, nil, sql)}, then: []*judge.Judge{judgeBy(t, func(j *judge.Judge) { j.Observe = true }, sql)}, seen: []usage.Token{use(t, etl, 3, 3, jobsList)},
			permitted: "etl jobs.List 3 policy_denied by ceiling"},
		{name: "a rehearsed policy refuses nothing", now: []*judge.Judge{judgeBy(t, nil)}, then: []*judge.Judge{judgeBy(t, nil, rehearsedCeiling)}, seen: []usage.Token{use(t, all, 3, 0, jobsList)}},
		{name: "unless it is taken as enforced", now: []*judge.Judge{judgeBy(t, nil)}, then: []*judge.Judge{judgeBy(t, nil, rehearsedCeiling)}, asEnforced: true, seen: []usage.Token{use(t, all, 3, 0, jobsList)},
			refused: "all jobs.List 3 policy_denied by ceiling"},
		{name: "one of two handlers lets it pass today", now: []*judge.Judge{judgeBy(t, nil, sql), judgeBy(t, nil)}, then: []*judge.Judge{judgeBy(t, nil, sql)}, seen: []usage.Token{use(t, all, 3, 0, jobsList)},
			refused: "all jobs.List 3 policy_denied by ceiling"},
		{name: "an expired token", now: []*judge.Judge{judgeBy(t, nil)}, then: []*judge.Judge{judgeBy(t, nil, sql)}, seen: []usage.Token{use(t, old, 3, 0, jobsList)}},
		{name: "owners by name", now: []*judge.Judge{judgeBy(t, nil)}, then: []*judge.Judge{judgeBy(t, nil, denying(t, "people", jobsList, condition(t, "owner", "etl@*")))}, seen: []usage.Token{use(t, all, 3, 0, jobsList), use(t, etl, 3, 0, jobsList)},
			refused: "etl jobs.List 3 policy_denied by people"},
		{name: "a token", filter: Filter{Token: etl.ID.String()[:8]}, now: []*judge.Judge{judgeBy(t, nil)}, then: []*judge.Judge{judgeBy(t, nil, sql)}, seen: []usage.Token{use(t, all, 3, 0, jobsList), use(t, etl, 5, 0, jobsList)},
			refused: "etl jobs.List 5 policy_denied by ceiling"},
		{name: "an owner", filter: Filter{Owner: "ALL@*"}, now: []*judge.Judge{judgeBy(t, nil)}, then: []*judge.Judge{judgeBy(t, nil, sql)}, seen: []usage.Token{use(t, all, 3, 0, jobsList), use(t, etl, 5, 0, jobsList)},
			refused: "all jobs.List 3 policy_denied by ceiling"},
		{name: "a policy", filter: Filter{Policy: "people"}, now: []*judge.Judge{judgeBy(t, nil)}, then: []*judge.Judge{judgeBy(t, nil, denying(t, "people", jobsList), sql)}, seen: []usage.Token{use(t, all, 3, 0, jobsList, clusters)},
			refused: "all jobs.List 3 policy_denied by people"},
		{name: "not judged: revoked", now: []*judge.Judge{judgeBy(t, nil)}, then: []*judge.Judge{judgeBy(t, nil, sql)}, seen: []usage.Token{use(t, gone, 3, 0, jobsList)}, unjudged: whyUnlisted + " 3"},
		{name: "unmapped", now: []*judge.Judge{judgeBy(t, nil)}, then: []*judge.Judge{judgeBy(t, nil, sql)}, seen: []usage.Token{unmapped}, refused: "all unmapped 4 policy_denied by ceiling"},
		{name: "not judged: unmapped, with a route", now: []*judge.Judge{judgeBy(t, nil)}, then: []*judge.Judge{judgeBy(t, nil, sql, denying(t, "jobs", jobsList))}, seen: []usage.Token{unmapped}, unjudged: whyUnmapped + " 4"},
		{name: "not judged: unmapped, with another map", now: []*judge.Judge{judgeBy(t, nil)}, then: []*judge.Judge{judgeBy(t, func(j *judge.Judge) { j.Catalog = otherMap }, sql)}, seen: []usage.Token{unmapped}, unjudged: whyUnmapped + " 4"},
		{name: "unmapped, with a route, for want of a scope", now: []*judge.Judge{judgeBy(t, nil)}, then: []*judge.Judge{judgeBy(t, func(j *judge.Judge) { j.Rules.AllowUnscoped = false }, denying(t, "jobs", jobsList))}, seen: []usage.Token{unmapped},
			refused: "all unmapped 4 missing_scope"},
		{name: "not judged: dropped", now: []*judge.Judge{judgeBy(t, nil)}, then: []*judge.Judge{judgeBy(t, nil)}, seen: []usage.Token{cut}, unjudged: whyDropped + " 9"},
		{name: "not judged: a route for one path", now: []*judge.Judge{judgeBy(t, nil)}, then: []*judge.Judge{judgeBy(t, nil, denying(t, "prod", "GET /api/2.1/unity-catalog/catalogs/prod"))}, seen: []usage.Token{use(t, all, 3, 0, catalogsGet, jobsList)},
			unjudged: whySingle + " 3"},
		{name: "a route for all paths", now: []*judge.Judge{judgeBy(t, nil)}, then: []*judge.Judge{judgeBy(t, nil, denying(t, "all", catalogsGet))}, seen: []usage.Token{use(t, all, 3, 0, catalogsGet, jobsList)},
			refused: "all catalog.Catalogs.Get 3 policy_denied by all"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			in := Input{Now: test.now, Then: test.then, AsEnforced: test.asEnforced, Filter: test.filter, Usage: usage.State{Tokens: test.seen}, Tokens: []*tokens.Info{etl, all, old}, At: now}
			check := func(t *testing.T, report Report) {
				t.Helper()
				var unjudged []string
				for _, u := range report.Unjudged {
					unjudged = append(unjudged, fmt.Sprint(u.Why, " ", u.Calls))
				}
				if got := text(report.Refused); got != test.refused {
					t.Errorf("refused: %s, want %s", got, test.refused)
				}
				if got := text(report.Permitted); got != test.permitted {
					t.Errorf("permitted: %s, want %s", got, test.permitted)
				}
				if got := strings.Join(unjudged, "; "); got != test.unjudged {
					t.Errorf("not judged: %s, want %s", got, test.unjudged)
				}
			}
			check(t, Usage(in))

			// The same by what a gateway sends.
			seen := NewSeen(SeenInput{Workspace: "https://w.example.com", Judges: test.now, Usage: in.Usage, Tokens: in.Tokens, At: now})
			document, err := json.Marshal(seen)
			if err != nil {
				t.Fatal(err)
			}
			var back Seen
			if err := json.Unmarshal(document, &back); err != nil {
				t.Fatal(err)
			}
			far, notes, err := back.Input()
			if err != nil || (len(test.now) > 1) != (len(notes) > 0) {
				t.Errorf("%v %q", err, notes)
			}
			far.Then, far.AsEnforced, far.Filter = test.then, test.asEnforced, test.filter
			check(t, Usage(far))
		})
	}
}

// TestRehearsals: each policy that is rehearsed is told alone, by the percentage of tokens.
func TestRehearsals(t *testing.T) {
	t.Parallel()
	observed := policy.Policy{Name: "observed", Ceiling: []string{"sql"}, Observe: true}
	some := denying(t, "some", jobsList)
	some.Percent = 30
	enforced := policy.Policy{Name: "enforced", Ceiling: []string{"jobs", "sql"}}
	by := judgeBy(t, func(j *judge.Judge) { j.Rules.Policies[1].Percent = 30 }, observed, some, enforced)
	var in Input
	in.Now, in.Then, in.AsEnforced, in.At = []*judge.Judge{by}, []*judge.Judge{by}, true, now
	below := make(map[int]int) // tokens that the second refuses, by percentage
	for i := range 200 {
		info := token(fmt.Sprintf("t%d", i))
		in.Tokens = append(in.Tokens, info)
		in.Usage.Tokens = append(in.Usage.Tokens, use(t, info, 2, 0, jobsList, clusters))
		from := by.Rules.Policies[1].EnforcedFrom(info.ID)
		for _, percent := range []int{1, 5, 10, 25, 30, 50, 75, 100} {
			if from <= percent && from > 30 { // those below are refused today
				below[percent]++
			}
		}
	}
	report := Usage(in)
	if len(report.Rehearsals) != 2 || report.Rehearsals[0].Policy != "observed" || report.Rehearsals[1].Policy != "some" {
		t.Fatalf("%+v", report.Rehearsals)
	}
	for _, step := range report.Rehearsals[1].Steps {
		if step.Tokens != below[step.Percent] || step.Calls != 2*uint64(below[step.Percent]) {
			t.Errorf("%d%%: %d tokens, %d calls, want %d", step.Percent, step.Tokens, step.Calls, below[step.Percent])
		}
	}
	if below[100] < 50 || below[50] == below[100] {
		t.Errorf("the tokens say nothing: %v", below)
	}
	first := report.Rehearsals[0]
	if last := first.Steps[len(first.Steps)-1]; first.Percent != 0 || last.Percent != 100 || last.Tokens != first.Tokens || last.Calls != first.Calls || first.Tokens != below[100] {
		t.Errorf("%+v, want %d tokens: those below 30%% are refused jobs.List today, and clusters by the policy that is enforced", first, below[100])
	}
	for _, line := range report.Refused.Lines {
		if line.Policy == "some" && line.EnforcedFrom <= 30 || line.Policy == "enforced" {
			t.Errorf("%+v", line)
		}
	}
	// What was compared is not changed.
	if !by.Rules.Policies[0].Observe || by.Rules.Policies[1].Percent != 30 {
		t.Error("the judge was changed")
	}
}

// TestLearned: what the gateway learned counts for a draft that says so.
func TestLearned(t *testing.T) {
	t.Parallel()
	info := token("etl", "sql")
	by := judgeBy(t, func(j *judge.Judge) {
		j.Rules.Learned = learnedHere{learnedKey(&scopes.Operation{Name: "jobs.List"}, []string{"sql"}): true}
	})
	seen := NewSeen(SeenInput{Judges: []*judge.Judge{by}, Usage: usage.State{Tokens: []usage.Token{use(t, info, 3, 0, jobsList)}}, Tokens: []*tokens.Info{info}, At: now})
	if want := []Learned{{"jobs.List", []string{"sql"}}}; !reflect.DeepEqual(seen.Learned, want) {
		t.Fatalf("%v, want %v", seen.Learned, want)
	}
	for _, learns := range []bool{true, false} {
		in, _, err := seen.Input()
		if err != nil {
			t.Fatal(err)
		}
		then := judgeBy(t, nil)
		if learns {
			then.Rules.Learned = seen.LearnedRules()
		}
		in.Then = []*judge.Judge{then}
		if got := Usage(in).Refused.Calls; (got == 0) != learns {
			t.Errorf("learns %t: %d calls refused", learns, got)
		}
	}
}

// TestHiddenComments: a comment that cannot be sent whole is not known, so a policy by comments
// applies.
func TestHiddenComments(t *testing.T) {
	t.Parallel()
	info := token("etl")
	info.Comment = "dapi0123456789abcdef0123456789abcdef"
	seen := NewSeen(SeenInput{Judges: []*judge.Judge{judgeBy(t, nil)}, Usage: usage.State{Tokens: []usage.Token{use(t, info, 3, 0, jobsList)}}, Tokens: []*tokens.Info{info}, At: now})
	in, notes, err := seen.Input()
	if err != nil || len(notes) != 1 || !strings.Contains(notes[0], "1 comments have what looks like a secret") {
		t.Fatalf("%v %q", err, notes)
	}
	in.Then = []*judge.Judge{judgeBy(t, nil, denying(t, "laptops", jobsList, condition(t, "comment", "*laptop*")))}
	if got := text(Usage(in).Refused); got != "etl jobs.List 3 policy_denied by laptops" {
		t.Error(got)
	}
}
