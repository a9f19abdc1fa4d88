package mapimpact

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/replay"
	"github.com/scopegate/scopegate/internal/testing/maps"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

var now = time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)

// seen is one use of one token.
type seen struct {
	token, method, path string
	calls, denied       uint64
}

func TestCompare(t *testing.T) {
	t.Parallel()
	const path, things = "/api/2.0/x", "/api/2.0/things/{id}/parts/{rest...}"
	held := map[string][]string{"jobs": {"jobs"}, "sql": {"sql"}, "both": {"jobs", "sql"}, "unscoped": nil, "all": {"all-apis"}}
	ceiling := policy.Policy{Name: "p", Ceiling: []string{"sql", "jobs"}, Match: nil}
	for _, test := range []struct {
		name          string
		before, after string
		uses          []seen
		policies      []policy.Policy
		refused       string
		permitted     string
	}{
		{"nothing", "GET\t" + path + "\tjobs\n", "GET\t" + path + "\tjobs\n", []seen{{"jobs", "GET", path, 3, 0}}, nil, "", ""},
		{"another scope", "GET\t" + path + "\tjobs\n", "GET\t" + path + "\tsql\n",
			[]seen{{"jobs", "GET", path, 3, 0}, {"sql", "GET", path, 2, 2}, {"both", "GET", path, 9, 0}, {"unscoped", "GET", path, 9, 0}, {"all", "GET", path, 9, 0}}, nil,
			"jobs 3 missing_scope jobs→sql", "sql 2 missing_scope jobs→sql"},
		{"calls that were refused in the past do not count", "GET\t" + path + "\tjobs\n", "GET\t" + path + "\tsql\n",
			[]seen{{"jobs", "GET", path, 3, 2}}, nil, "jobs 1 missing_scope jobs→sql", ""},
		{"none passed", "GET\t" + path + "\tjobs\n", "GET\t" + path + "\tsql\n", []seen{{"jobs", "GET", path, 3, 3}}, nil, "", ""},
		{"both scopes", "GET\t" + path + "\tjobs\n", "GET\t" + path + "\tjobs+sql\n",
			[]seen{{"jobs", "GET", path, 3, 0}, {"both", "GET", path, 3, 0}}, nil, "jobs 3 missing_scope jobs→jobs and sql", ""},
		{"the row is gone", "GET\t" + path + "\tjobs\n", "", []seen{{"jobs", "GET", path, 3, 0}}, nil, "jobs 3 missing_scope jobs→all-apis", ""},
		{"a template", "GET\t" + things + "\tjobs\n", "GET\t" + things + "\tsql\n", []seen{{"jobs", "GET", things, 3, 0}}, nil, "jobs 3 missing_scope jobs→sql", ""},
		{"account", "GET\t" + path + "\tjobs\n", "GET\t" + path + "\taccount\n", []seen{{"unscoped", "GET", path, 3, 0}}, nil, "unscoped 3 account_level_operation jobs→an account-level token", ""},
		{"all methods", "*\t" + path + "\tjobs\n", "*\t" + path + "\tsql\n", []seen{{"jobs", "*", path, 3, 0}}, nil, "jobs 3 missing_scope jobs→sql", ""},
		{"one of all methods", "*\t" + path + "\tjobs\n", "*\t" + path + "\tjobs\nPUT\t" + path + "\tsql\n", []seen{{"jobs", "*", path, 3, 0}}, nil, "jobs 3 missing_scope jobs→sql", ""},
		{"telemetry", "GET\t" + path + "\tjobs\n", "GET\t" + path + "\tsql,optional\n", []seen{{"jobs", "GET", path, 3, 0}}, nil, "", ""},
		{"only the policy is strict", "GET\t" + path + "\tjobs\tdocumented\n", "GET\t" + path + "\tjobs,files\tinferred\n",
			[]seen{{"jobs", "GET", path, 3, 0}}, []policy.Policy{ceiling}, "jobs 3 policy_denied jobs→files or jobs", ""},
		{"a rehearsed policy", "GET\t" + path + "\tjobs\n", "GET\t" + path + "\tjobs,files\tinferred\n",
			[]seen{{"jobs", "GET", path, 3, 0}}, []policy.Policy{{Name: "p", Ceiling: []string{"jobs"}, Observe: true}}, "", ""},
		{"revoked tokens", "GET\t" + path + "\tjobs\n", "GET\t" + path + "\tsql\n", []seen{{"revoked", "GET", path, 3, 0}}, nil, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			judgeOf := func(rows string) *judge.Judge {
				return &judge.Judge{Catalog: maps.With(t, rows), Rules: policy.Rules{AllowUnscoped: true, Policies: test.policies}, Now: func() time.Time { return now }}
			}
			before, after := judgeOf(test.before), judgeOf(test.after)
			in := Input{Before: []*judge.Judge{before}, After: []*judge.Judge{after}, Now: now, Owner: func(info *tokens.Info) tokens.Principal { return info.Owner }}
			names := make(map[string]string)
			for name, held := range held {
				info := &tokens.Info{ID: tokens.IDOf(name), Scopes: held, Expires: tokens.NeverExpires}
				names[info.ID.String()] = name
				in.Tokens = append(in.Tokens, info)
			}
			for _, use := range test.uses {
				var o scopes.Operation
				for _, row := range before.Catalog.Operations() {
					if row.Method == use.method && row.Template == use.path {
						o = row
					}
				}
				in.Usage.Tokens = append(in.Usage.Tokens, usage.Token{ID: tokens.IDOf(use.token).String(), Uses: []usage.Use{{Operation: o, Calls: use.calls, Denied: use.denied}}})
			}
			impact := Compare(in)
			text := func(c replay.Change) string {
				var lines []string
				for _, l := range c.Lines {
					lines = append(lines, fmt.Sprintf("%s %d %s %s→%s", names[l.TokenID], l.Calls, l.Reason, l.Now, l.Then))
				}
				if c.Tokens != len(lines) || (c.Calls == 0) != (len(lines) == 0) {
					t.Errorf("%+v", c)
				}
				return strings.Join(lines, "; ")
			}
			if got := text(impact.Refused); got != test.refused {
				t.Errorf("refused: %s, want %s", got, test.refused)
			}
			if got := text(impact.Permitted); got != test.permitted {
				t.Errorf("permitted: %s, want %s", got, test.permitted)
			}
			if !Touches(in) && test.refused+test.permitted != "" {
				t.Error("Touches denies it")
			}
			// By what was recorded.
			in.Before = nil
			if got := text(Compare(in).Refused); got != test.refused && len(test.policies) == 0 {
				t.Errorf("by what was recorded: %s, want %s", got, test.refused)
			}
		})
	}
}

// useOf is one use of one token of a row of a catalog.
func useOf(t *testing.T, catalog *scopes.Catalog, method, template string, calls uint64, by *tokens.Info) usage.State {
	t.Helper()
	for _, row := range catalog.Operations() {
		if row.Method == method && row.Template == template {
			return usage.State{Tokens: []usage.Token{{ID: by.ID.String(), Uses: []usage.Use{{Operation: row, Calls: calls}}}}}
		}
	}
	t.Fatalf("no row %s %s", method, template)
	return usage.State{}
}

// TestOneHandlerRefuses: calls that one handler would refuse count, even if another one would
// permit what it refuses now, whichever is asked first.
func TestOneHandlerRefuses(t *testing.T) {
	t.Parallel()
	before, after := maps.With(t, "GET\t/api/2.0/x\tjobs\n"), maps.With(t, "GET\t/api/2.0/x\tsql\n")
	info := &tokens.Info{ID: tokens.IDOf("t"), Expires: tokens.NeverExpires}
	for _, ceilings := range [][]string{{"sql", "jobs"}, {"jobs", "sql"}, {"sql", "jobs", "sql"}} {
		in := Input{Now: now, Tokens: []*tokens.Info{info}, Owner: func(info *tokens.Info) tokens.Principal { return info.Owner }, Usage: useOf(t, before, "GET", "/api/2.0/x", 3, info)}
		for _, scope := range ceilings {
			rules := policy.Rules{AllowUnscoped: true, Policies: []policy.Policy{{Name: scope, Ceiling: []string{scope}}}}
			in.Before = append(in.Before, &judge.Judge{Catalog: before, Rules: rules, Now: time.Now})
			in.After = append(in.After, &judge.Judge{Catalog: after, Rules: rules, Now: time.Now})
		}
		impact := Compare(in)
		if impact.Refused.Calls != 3 || impact.Permitted.Calls != 0 || impact.Refused.Lines[0].Policy != "jobs" {
			t.Errorf("%v: %+v", ceilings, impact)
		}
		in.Usage.Tokens[0].Uses[0].Denied = 3
		if impact := Compare(in); impact.Refused.Calls != 0 || impact.Permitted.Calls != 3 {
			t.Errorf("%v, if none passed: %+v", ceilings, impact)
		}
	}
}

// TestPolicyRoutes: a policy's route covers other operations once a row names them, though
// what these need stays.
func TestPolicyRoutes(t *testing.T) {
	t.Parallel()
	const list = "/api/2.2/jobs/list"
	before, after := maps.With(t, "GET\t/api/2.0/x\tjobs\toperator\tours.Get\tx\n"), maps.With(t, "GET\t/api/2.0/x\tjobs\toperator\tjobs.List\tx\n")
	info := &tokens.Info{ID: tokens.IDOf("t"), Scopes: []string{"jobs"}, Expires: tokens.NeverExpires}
	for _, denied := range []string{"/api/2.0/x", "/api/2.0/y"} {
		route, err := policy.ParseRoute("GET", denied)
		if err != nil {
			t.Fatal(err)
		}
		judgeOf := func(catalog *scopes.Catalog) []*judge.Judge {
			p := policy.Policy{Name: "p", Deny: []policy.Route{route}}
			p.Bind(catalog)
			return []*judge.Judge{{Catalog: catalog, Rules: policy.Rules{Policies: []policy.Policy{p}}, Now: time.Now}}
		}
		in := Input{
			Before: judgeOf(before), After: judgeOf(after), Now: now, Tokens: []*tokens.Info{info},
			Owner: func(info *tokens.Info) tokens.Principal { return info.Owner }, Usage: useOf(t, before, "GET", list, 3, info),
		}
		want := uint64(0)
		if denied == "/api/2.0/x" {
			want = 3
		}
		if got := Compare(in).Refused.Calls; got != want {
			t.Errorf("%s: %d calls, want %d", denied, got, want)
		}
		if want > 0 && !Touches(in) {
			t.Errorf("%s: Touches denies it", denied)
		}
	}
}

// TestRowsForSinglePaths: where a new row takes some of the paths of what was called, it is
// not known whether that concerns the calls, and a note says so.
func TestRowsForSinglePaths(t *testing.T) {
	t.Parallel()
	small := func(rows string) *scopes.Catalog {
		parsed, err := scopes.Parse(strings.NewReader(rows), "rows")
		if err != nil {
			t.Fatal(err)
		}
		catalog, err := scopes.New(parsed)
		if err != nil {
			t.Fatal(err)
		}
		return catalog
	}
	info := &tokens.Info{ID: tokens.IDOf("t"), Scopes: []string{"jobs"}, Expires: tokens.NeverExpires}
	for _, test := range []struct {
		used, added string
		want        bool
	}{
		{"GET /api/2.0/things/{name}", "GET /api/2.0/things/prod", true},
		{"GET /api/2.0/things/{name}", "* /api/2.0/things/prod", true},
		{"* /api/2.0/things/{name}", "PUT /api/2.0/things/prod", true},
		{"GET /api/2.0/things/{name}", "POST /api/2.0/things/prod", false},
		{"GET /api/2.0/things/{name}", "GET /api/2.0/others/prod", false},
		{"GET /api/2.0/things/{name}", "GET /api/2.0/things/{name}/parts", false},
		{"GET /api/2.0/things/{name}", "GET /api/2.0/things/{path...}", false}, // reaches other paths only
		{"GET /api/2.0/things/{path...}", "GET /api/2.0/things/{name}", true},
		{"GET /api/2.0/things/{path...}", "GET /api/2.0/things/{name}/parts/{part}", true},
		{"GET /api/2.0/things/{name}/parts", "GET /api/2.0/things/prod/{kind}", true}, // neither is within the other
		{"GET /api/2.0/things/{name}:query", "GET /api/2.0/things/prod:query", true},
		{"GET /api/2.0/{kind}/x/{name}:query", "GET /api/2.0/things/x/{name}", true},
		{"GET /api/2.0/things", "GET /api/2.0/things/prod", false},
	} {
		used, added := strings.Fields(test.used), strings.Fields(test.added)
		rows := used[0] + "\t" + used[1] + "\tjobs\toperator\tthings.Get\tx\n"
		before := small(rows)
		in := Input{Now: now, Tokens: []*tokens.Info{info}, Owner: func(info *tokens.Info) tokens.Principal { return info.Owner }, Usage: useOf(t, before, used[0], used[1], 3, info)}
		in.Before = []*judge.Judge{{Catalog: before, Now: time.Now}}
		for _, scope := range []string{"sql", "jobs"} { // jobs makes no difference
			in.After = []*judge.Judge{{Catalog: small(rows + added[0] + "\t" + added[1] + "\t" + scope + "\toperator\tthings.Prod\tx\n"), Now: time.Now}}
			in.Tokens = nil
			impact := Compare(in)
			notes := strings.Join(impact.Notes, "\n")
			if got := strings.Contains(notes, "calls of operations (3)") && strings.Contains(notes, test.added); got != (test.want && scope == "sql") || impact.Refused.Calls > 0 {
				t.Errorf("%s for %s over %s: %q", test.added, scope, test.used, impact.Notes)
			}
		}
	}
}

// TestEveryRowIsRead: for every row there is a path that names its operation, so that no call
// is left out.
func TestEveryRowIsRead(t *testing.T) {
	t.Parallel()
	catalog := scopes.Default()
	c := newComparison(Input{})
	for _, o := range catalog.Operations() {
		named := false
		for _, method := range replay.Methods(&o) {
			for _, reading := range c.Readings(catalog, method, o.Template) {
				named = named || reading.Operation.Name == o.Name
			}
		}
		if !named {
			t.Errorf("%s %s", o.Method, o.Template)
		}
	}
}

func TestNotes(t *testing.T) {
	t.Parallel()
	j := &judge.Judge{Catalog: scopes.Default(), Now: time.Now}
	info := &tokens.Info{ID: tokens.IDOf("t"), Scopes: []string{"jobs"}}
	readings, err := scopes.Default().Read("GET", "/nowhere", nil)
	if err != nil {
		t.Fatal(err)
	}
	impact := Compare(Input{
		Before: []*judge.Judge{j}, After: []*judge.Judge{j}, Now: now, Tokens: []*tokens.Info{info},
		Owner: func(info *tokens.Info) tokens.Principal { return info.Owner },
		Usage: usage.State{
			Tokens: []usage.Token{{ID: info.ID.String(), Cut: usage.Cut{Entries: 1}, Uses: []usage.Use{{Operation: *readings[0].Operation, Calls: 4}}}},
			Unread: []usage.Unread{{}},
		},
	})
	if got := strings.Join(impact.Notes, "\n"); len(impact.Notes) != 3 || !strings.Contains(got, "calls of paths outside the map (4)") || !strings.Contains(got, "to stay within limits (1)") {
		t.Errorf("%q", got)
	}
}
