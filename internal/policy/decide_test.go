package policy

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// goodToken may list jobs. Each case differs from it in one thing.
func goodToken() *tokens.Info {
	return &tokens.Info{
		ID:          tokens.IDOf("dapi0123456789abcdef0123456789abcdef"),
		Comment:     "nightly ETL",
		Owner:       tokens.NewPrincipal(42, ""),
		Creator:     tokens.NewPrincipal(7, "admin@example.com"),
		WorkspaceID: 1,
		Created:     noon.Add(-24 * time.Hour),
		Expires:     tokens.ExpiresAt(noon.Add(24 * time.Hour)),
		Scopes:      []string{"jobs", "sql"},
	}
}

// ask makes a request from a method and a path, with the shipped catalog.
func ask(t testing.TB, method, path string) Request {
	t.Helper()
	readings, err := scopes.Default().Read(method, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	return Request{Method: method, Readings: readings}
}

const (
	jobsList  = "/api/2.2/jobs/list"
	clusters  = "/api/2.1/clusters/list"
	warehouse = "/api/2.0/sql/warehouses"
	catalogs  = "/api/2.1/unity-catalog/catalogs"
	me        = "/api/2.0/preview/scim/v2/Me"
)

func TestDecide(t *testing.T) {
	asLegacy := Rules{AllowUnscoped: true}
	for _, test := range []struct {
		name   string
		path   string
		change func(*tokens.Info, *Request, *Rules)
		want   Reason
	}{
		{"good", jobsList, nil, Permitted},
		{"another scope", clusters, nil, MissingScope},
		{"expired", jobsList, func(i *tokens.Info, _ *Request, _ *Rules) { i.Expires = tokens.ExpiresAt(noon) }, TokenExpired},
		{"expires in a moment", jobsList, func(i *tokens.Info, _ *Request, _ *Rules) { i.Expires = tokens.ExpiresAt(noon.Add(1)) }, Permitted},
		{"never expires", jobsList, func(i *tokens.Info, _ *Request, _ *Rules) { i.Expires = tokens.NeverExpires }, Permitted},
		{"expiry is checked before scopes", clusters, func(i *tokens.Info, _ *Request, _ *Rules) { i.Expires = tokens.ExpiresAt(noon) }, TokenExpired},
		{"names this workspace", jobsList, func(_ *tokens.Info, r *Request, _ *Rules) { r.WorkspaceID = 1 }, Permitted},
		{"names another workspace", jobsList, func(_ *tokens.Info, r *Request, _ *Rules) { r.WorkspaceID = 2 }, WrongWorkspace},
		{"the token's workspace is unknown", jobsList, func(i *tokens.Info, r *Request, _ *Rules) { i.WorkspaceID, r.WorkspaceID = 0, 2 }, Permitted},
		{"all-apis", clusters, func(i *tokens.Info, _ *Request, _ *Rules) { i.Scopes = []string{"all-apis"} }, Permitted},
		{"no scopes", clusters, func(i *tokens.Info, _ *Request, _ *Rules) { i.Scopes = nil }, Permitted},
		{"no scopes, and unscoped tokens are denied", clusters, func(i *tokens.Info, _ *Request, r *Rules) { i.Scopes, r.AllowUnscoped = nil, false }, MissingScope},
		{"inferred scopes grant nothing", clusters, func(i *tokens.Info, _ *Request, _ *Rules) {
			i.InferredScopes, i.BackfillScopes = []string{"clusters"}, []string{"clusters"}
		}, MissingScope},
		{"Me", me, nil, Permitted},
		{"one of several readings is out of scope", jobsList, func(_ *tokens.Info, r *Request, _ *Rules) {
			r.Readings = append(r.Readings, ask(t, "GET", clusters).Readings...)
		}, MissingScope},
		{"account-level is denied even with all-apis", "/api/2.0/accounts/1/scim/v2/Users", func(i *tokens.Info, _ *Request, _ *Rules) { i.Scopes = []string{"all-apis"} }, AccountLevelOperation},
	} {
		t.Run(test.name, func(t *testing.T) {
			info, request, rules := goodToken(), ask(t, "GET", test.path), asLegacy
			if test.change != nil {
				test.change(info, &request, &rules)
			}
			got := Decide(Subject{Info: info}, request, rules, noon)
			if got.Reason != test.want || got.Allowed != (test.want == Permitted) || got.Operation == nil {
				t.Errorf("got %+v, want %s", got, test.want)
			}
		})
	}
}

func condition(t testing.TB, kind string, values ...string) Condition {
	t.Helper()
	c, err := NewCondition(kind, values...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func route(t testing.TB, text string) Route {
	t.Helper()
	method, template, _ := strings.Cut(text, " ")
	r, err := ParseRoute(method, template)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPolicies(t *testing.T) {
	legacy := func(i *tokens.Info) { i.Scopes = nil }
	day := 24 * time.Hour
	for _, test := range []struct {
		name     string
		policies []Policy
		method   string
		path     string
		change   func(*tokens.Info)
		owner    string
		want     Reason
		by       string // policy
	}{
		{"a ceiling permits what it names", []Policy{{Name: "p", Ceiling: []string{"jobs"}}}, "GET", jobsList, legacy, "", Permitted, ""},
		{"a ceiling denies everything else", []Policy{{Name: "p", Ceiling: []string{"jobs"}}}, "GET", clusters, legacy, "", PolicyDenied, "p"},
		{"a ceiling still permits Me", []Policy{{Name: "p", Ceiling: []string{"jobs"}}}, "GET", me, legacy, "", Permitted, ""},
		{"a ceiling grants nothing", []Policy{{Name: "p", Ceiling: []string{"clusters"}}}, "GET", clusters, nil, "", MissingScope, ""},
		{"a route in addition to the ceiling", []Policy{{Name: "p", Ceiling: []string{"jobs"}, Allow: []Route{route(t, "GET "+clusters)}}}, "GET", clusters, legacy, "", Permitted, ""},
		{"HEAD is GET", []Policy{{Name: "p", Allow: []Route{route(t, "GET "+clusters)}}}, "HEAD", clusters, legacy, "", Permitted, ""},
		{"a route with another method", []Policy{{Name: "p", Ceiling: []string{"jobs"}, Allow: []Route{route(t, "POST "+clusters)}}}, "GET", clusters, legacy, "", PolicyDenied, "p"},
		{"only routes", []Policy{{Name: "p", Allow: []Route{route(t, "* "+catalogs)}}}, "GET", warehouse, legacy, "", PolicyDenied, "p"},
		{"deny wins", []Policy{{Name: "p", Ceiling: []string{"jobs"}, Allow: []Route{route(t, "* "+jobsList)}, Deny: []Route{route(t, "* "+jobsList)}}}, "GET", jobsList, legacy, "", PolicyDenied, "p"},
		{"deny alone", []Policy{{Name: "p", Deny: []Route{route(t, "DELETE /api/2.0/jobs/*")}}}, "GET", jobsList, nil, "", Permitted, ""},
		{"deny ignores case", []Policy{{Name: "p", Deny: []Route{route(t, "* /api/2.1/unity-catalog/catalogs/{name}")}}}, "GET", "/api/2.1/Unity-Catalog/catalogs/main", legacy, "", PolicyDenied, "p"},
		{"deny in any version", []Policy{{Name: "p", Deny: []Route{route(t, "* /api/2.0/jobs/list")}}}, "GET", jobsList, nil, "", PolicyDenied, "p"},
		{"deny a name with a slash in it", []Policy{{Name: "p", Deny: []Route{route(t, "* /api/2.1/unity-catalog/tables/a/b")}}}, "GET", "/api/2.1/unity-catalog/tables/a%2Fb", legacy, "", PolicyDenied, "p"},
		{"every policy that matches applies", []Policy{{Name: "p", Ceiling: []string{"jobs", "sql"}}, {Name: "q", Ceiling: []string{"sql"}}}, "GET", jobsList, legacy, "", PolicyDenied, "q"},
		{"a policy that does not match does not apply", []Policy{{Name: "p", Ceiling: []string{"sql"}, Match: []Condition{condition(t, "comment", "bi *")}}}, "GET", jobsList, legacy, "", Permitted, ""},

		{"by comment", []Policy{{Name: "p", Ceiling: []string{"sql"}, Match: []Condition{condition(t, "comment", "x", "NIGHTLY*")}}}, "GET", jobsList, nil, "", PolicyDenied, "p"},
		{"by creator", []Policy{{Name: "p", Ceiling: []string{"sql"}, Match: []Condition{condition(t, "creator", "*@example.com")}}}, "GET", jobsList, nil, "", PolicyDenied, "p"},
		{"by token", []Policy{{Name: "p", Ceiling: []string{"sql"}, Match: []Condition{condition(t, "token", goodToken().ID.String())}}}, "GET", jobsList, nil, "", PolicyDenied, "p"},
		{"by scope", []Policy{{Name: "p", Ceiling: []string{"sql"}, Match: []Condition{condition(t, "scope", "job?")}}}, "GET", jobsList, nil, "", PolicyDenied, "p"},
		{"a legacy token holds all-apis", []Policy{{Name: "p", Ceiling: []string{"sql"}, Match: []Condition{condition(t, "scope", "all-apis")}}}, "GET", jobsList, legacy, "", PolicyDenied, "p"},
		{"by the owner's number", []Policy{{Name: "p", Ceiling: []string{"sql"}, Match: []Condition{condition(t, "owner", "42")}}}, "GET", jobsList, nil, "", PolicyDenied, "p"},
		{"by another owner's number", []Policy{{Name: "p", Ceiling: []string{"sql"}, Match: []Condition{condition(t, "owner", "43")}}}, "GET", jobsList, nil, "", Permitted, ""},
		{"by the owner's name", []Policy{{Name: "p", Ceiling: []string{"sql"}, Match: []Condition{condition(t, "owner", "etl@*")}}}, "GET", jobsList, nil, "etl@example.com", PolicyDenied, "p"},
		{"by another owner's name", []Policy{{Name: "p", Ceiling: []string{"sql"}, Match: []Condition{condition(t, "owner", "bi@*")}}}, "GET", jobsList, nil, "etl@example.com", Permitted, ""},
		{"while the owner's name is unknown", []Policy{{Name: "p", Ceiling: []string{"sql"}, Match: []Condition{condition(t, "owner", "bi@*")}}}, "GET", jobsList, nil, "", PolicyDenied, "p"},
		{"of several conditions all must fit", []Policy{{Name: "p", Ceiling: []string{"sql"}, Match: []Condition{condition(t, "comment", "nightly*"), condition(t, "owner", "43")}}}, "GET", jobsList, nil, "", Permitted, ""},

		{"a lifetime within the limit", []Policy{{Name: "p", MaxLifetime: 2 * day}}, "GET", jobsList, nil, "", Permitted, ""},
		{"a lifetime over the limit", []Policy{{Name: "p", MaxLifetime: day}}, "GET", jobsList, nil, "", PolicyLifetime, "p"},
		{"a token that never expires is over every limit", []Policy{{Name: "p", MaxLifetime: 9999 * day}}, "GET", jobsList, func(i *tokens.Info) { i.Expires = tokens.NeverExpires }, "", PolicyLifetime, "p"},
		{"an unknown creation time is over every limit", []Policy{{Name: "p", MaxLifetime: 9999 * day}}, "GET", jobsList, func(i *tokens.Info) { i.Created = time.Time{} }, "", PolicyLifetime, "p"},
		{"an unknown expiry is over every limit", []Policy{{Name: "p", MaxLifetime: 9999 * day}}, "GET", jobsList, func(i *tokens.Info) { i.Expires = tokens.Expiry{} }, "", PolicyLifetime, "p"},
		{"a creation after the expiry is over every limit", []Policy{{Name: "p", MaxLifetime: 9999 * day}}, "GET", jobsList, func(i *tokens.Info) { i.Created = noon.Add(48 * time.Hour) }, "", PolicyLifetime, "p"},
		{"require_expiry", []Policy{{Name: "p", RequireExpiry: true}}, "GET", jobsList, func(i *tokens.Info) { i.Expires = tokens.Expiry{} }, "", PolicyLifetime, "p"},
		{"require_expiry of a token that expires", []Policy{{Name: "p", RequireExpiry: true}}, "GET", jobsList, nil, "", Permitted, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			info := goodToken()
			if test.change != nil {
				test.change(info)
			}
			rules := Rules{AllowUnscoped: true, Policies: test.policies}
			got := Decide(Subject{Info: info, Owner: info.Owner.Named(test.owner)}, ask(t, test.method, test.path), rules, noon)
			if got.Reason != test.want || got.Policy != test.by || got.Allowed != (test.want == Permitted) {
				t.Errorf("got %+v, want %s by %q", got, test.want, test.by)
			}
			if (got.Requirement == "") != (test.by == "") {
				t.Errorf("requirement %q", got.Requirement)
			}
		})
	}
}

func TestRehearsal(t *testing.T) {
	strict := []string{"sql"}
	for _, test := range []struct {
		name      string
		policies  []Policy
		by        string
		rehearsed bool
	}{
		{"observe", []Policy{{Name: "p", Ceiling: strict, Observe: true}}, "p", true},
		{"the first of two is named", []Policy{{Name: "p", Ceiling: strict, Observe: true}, {Name: "q", Ceiling: strict, Observe: true}}, "p", true},
		{"an enforced policy is named before a rehearsed one", []Policy{{Name: "p", Ceiling: strict, Observe: true}, {Name: "q", Ceiling: strict}}, "q", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := Decide(Subject{Info: goodToken()}, ask(t, "GET", jobsList), Rules{Policies: test.policies}, noon)
			if got.Allowed || got.Policy != test.by || got.Rehearsed != test.rehearsed {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestPercent(t *testing.T) {
	const n = 10_000
	share := func(name string, percent int) (ids map[tokens.ID]bool) {
		ids = make(map[tokens.ID]bool)
		p := Policy{Name: name, Percent: percent}
		for i := range n {
			id := tokens.IDOf(fmt.Sprint(i))
			first, again := p.enforces(id), p.enforces(id)
			if first != again {
				t.Fatal("the same token was enforced once and rehearsed once")
			}
			if first {
				ids[id] = true
			}
		}
		return ids
	}
	ten, twenty, other := share("p", 10), share("p", 20), share("q", 10)
	if len(ten) < n/12 || len(ten) > n/8 {
		t.Errorf("10%% enforced %d of %d tokens", len(ten), n)
	}
	both := 0
	for id := range ten {
		if !twenty[id] {
			t.Error("a token that was enforced at 10% is not at 20%")
		}
		if other[id] {
			both++
		}
	}
	if both > len(ten)/3 {
		t.Errorf("both policies enforce the same %d of %d tokens", both, len(ten))
	}
}

func TestPolicyMistakes(t *testing.T) {
	for _, test := range []struct {
		name   string
		policy Policy
		err    string
	}{
		{"good", Policy{Name: "p", RequireExpiry: true}, ""},
		{"no name", Policy{RequireExpiry: true}, "needs a name"},
		{"narrows nothing", Policy{Name: "p"}, "narrows nothing"},
		{"permits nothing", Policy{Name: "p", Allow: []Route{route(t, "GET /a")}, Deny: []Route{route(t, "* /a")}}, "permits nothing"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.policy.Validate()
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("got %v, want %q", err, test.err)
			}
		})
	}
	for _, bad := range [][]string{{"user", "x"}, {"owner"}, {"token", "dapi0123"}} {
		if _, err := NewCondition(bad[0], bad[1:]...); err == nil {
			t.Errorf("match %v was accepted", bad)
		}
	}
	for _, bad := range [][2]string{{"FETCH", "/a"}, {"GET", "a"}, {"GET", "/a//b"}} {
		if _, err := ParseRoute(bad[0], bad[1]); err == nil {
			t.Errorf("route %v was accepted", bad)
		}
	}
}

func TestPermitsAny(t *testing.T) {
	routes := func(texts ...string) (all []Route) {
		for _, text := range texts {
			all = append(all, route(t, text))
		}
		return all
	}
	for _, test := range []struct {
		name   string
		policy Policy
		want   bool
	}{
		{"a ceiling", Policy{Ceiling: []string{"sql"}}, true},
		{"a ceiling of an unknown scope", Policy{Ceiling: []string{"no-such"}}, false},
		{"a ceiling whose routes are denied", Policy{Ceiling: []string{"jobs"}, Deny: routes("* /api/*")}, false},
		{"a ceiling with some routes denied", Policy{Ceiling: []string{"jobs"}, Deny: routes("POST /api/2.0/jobs/*")}, true},
		{"everything is denied", Policy{Deny: routes("* /*")}, false},
		{"reading is denied", Policy{Deny: routes("GET /*")}, true},
		{"an allowed route outside the catalog", Policy{Allow: routes("GET /x/y")}, true},
		{"all allowed routes are denied", Policy{Allow: routes("GET /x/y", "GET /x/z"), Deny: routes("* /x/*")}, false},
		{"all but one are denied", Policy{Allow: routes("GET /x/y", "GET /x/z"), Deny: routes("* /x/y")}, true},
		{"a lifetime alone", Policy{RequireExpiry: true}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := test.policy.PermitsAny(scopes.Default().Operations()); got != test.want {
				t.Errorf("got %v", got)
			}
		})
	}
}

func BenchmarkDecide(b *testing.B) {
	info, request := goodToken(), ask(b, "GET", jobsList)
	b.Run("scopes", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Decide(Subject{Info: info}, request, Rules{}, noon)
		}
	})
	b.Run("policies", func(b *testing.B) {
		rules := Rules{Policies: []Policy{
			{Name: "p", Ceiling: []string{"sql", "jobs"}, Match: []Condition{condition(b, "comment", "nightly*")}},
			{Name: "q", Deny: []Route{route(b, "DELETE /api/2.0/jobs/*")}},
		}}
		b.ReportAllocs()
		for b.Loop() {
			Decide(Subject{Info: info}, request, rules, noon)
		}
	})
}

// TestEnforcedFrom: a policy is enforced for a token from one percentage on, and rules can be
// taken as enforced for all.
func TestEnforcedFrom(t *testing.T) {
	t.Parallel()
	p := Policy{Name: "p", Ceiling: []string{"sql"}}
	for i := range 500 {
		id := tokens.IDOf(fmt.Sprint(i))
		from := p.EnforcedFrom(id)
		if from < 1 || from > 100 {
			t.Fatal(from)
		}
		for percent := 1; percent < 100; percent++ {
			some := p
			some.Percent = percent
			if some.enforces(id) != (percent >= from) {
				t.Fatalf("token %d, from %d: %d%%", i, from, percent)
			}
		}
	}
	rules := Rules{Policies: []Policy{{Name: "o", Observe: true}, {Name: "s", Percent: 3}, p}}
	for i, enforced := range rules.Enforced().Policies {
		if enforced.Rehearsed() || rules.Policies[i].Rehearsed() != (i < 2) {
			t.Errorf("%d: %+v", i, enforced)
		}
	}
}
