package policy

import (
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// effects is a catalog with operations of every kind of access.
func effects(t *testing.T) *scopes.Catalog {
	t.Helper()
	const rows = "GET\t/api/2.0/q\tsql\tdocumented\tq.List\ts\tread\n" +
		"POST\t/api/2.0/q\tsql\tdocumented\tq.Create\ts\twrite\n" +
		"POST\t/api/2.0/q/search\tsql\tdocumented\tq.Search\ts\tread: it searches\n" +
		"GET\t/api/2.0/q/old\tsql\tdocumented\tq.Old\ts\n" +
		"GET\t/api/2.0/j\tjobs\tdocumented\tj.List\ts\tread\n" +
		"POST\t/api/2.0/j\tjobs\tdocumented\tj.Run\ts\twrite\n" +
		"GET\t/api/2.0/doubt\tjobs,sql\tinferred\td.List\ts\tread\n" +
		"POST\t/api/2.0/doubt\tjobs,sql\tinferred\td.Create\ts\twrite\n" +
		"GET\t/api/2.0/both\tjobs+sql\tdocumented\tb.List\ts\tread\n" +
		"POST\t/api/2.0/both\tjobs+sql\tdocumented\tb.Create\ts\twrite\n" +
		"GET\t/api/2.0/files/{name}\tsql\tdocumented\tf.Get\ts\tread\n" +
		"GET\t/api/2.0/files/{name}/run\tsql\tdocumented\tf.Run\ts\twrite\n" +
		"GET\t/api/2.0/files/{name}/show\tsql\tdocumented\tf.Show\ts\tread\n" +
		"GET\t/api/2.0/scim/v2/Me\t*\tdocumented\tiam.CurrentUser.Me\ts\n"
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

// withScopes returns a policy with the scopes that a configuration names.
func withScopes(t *testing.T, names ...string) Policy {
	t.Helper()
	ceiling, ofReads, err := ParseCeiling(names)
	if err != nil {
		t.Fatal(err)
	}
	return Policy{Name: "p", Ceiling: ceiling, ReadCeiling: ofReads}
}

func TestAccess(t *testing.T) {
	t.Parallel()
	catalog := effects(t)
	readOnly := func(p Policy) Policy { p.ReadOnly = true; return p }
	allowing := func(p Policy, routes ...string) Policy {
		for _, text := range routes {
			p.Allow = append(p.Allow, route(t, text))
		}
		return p
	}
	sqlReads, onlyReads := withScopes(t, "sql:read"), readOnly(Policy{Name: "p"})
	const q, j, doubt, both = "/api/2.0/q", "/api/2.0/j", "/api/2.0/doubt", "/api/2.0/both"
	for _, test := range []struct {
		name         string
		policy       Policy
		method, path string
		says         string // empty if the request is permitted
	}{
		{"a read of the scope", sqlReads, "GET", q, ""},
		{"HEAD is a read", sqlReads, "HEAD", q, ""},
		{"a POST that reads", sqlReads, "POST", q + "/search", ""},
		{"a write of the scope", sqlReads, "POST", q, "permits only sql:read; this operation writes"},
		{"a row that nobody classed", sqlReads, "GET", q + "/old", "permits only sql:read; the map does not say that this operation only reads, so it counts as a write"},
		{"a read of another scope", sqlReads, "GET", j, "permits only sql:read"},
		{"a write of another scope", sqlReads, "POST", j, "permits only sql:read"},
		{"Me", sqlReads, "GET", "/api/2.0/scim/v2/Me", ""},

		{"two scopes, one limited: its write", withScopes(t, "sql:read", "jobs"), "POST", q, "permits only sql:read, jobs; this operation writes"},
		{"two scopes, one limited: its read", withScopes(t, "sql:read", "jobs"), "GET", q, ""},
		{"two scopes, one limited: the other's write", withScopes(t, "sql:read", "jobs"), "POST", j, ""},
		{"the same scope with and without", withScopes(t, "sql:read", "sql"), "POST", q, ""},
		{"reads of everything", withScopes(t, "all-apis:read"), "GET", j, ""},
		{"a write, with reads of everything", withScopes(t, "all-apis:read"), "POST", j, "permits only all-apis:read; this operation writes"},
		{"an unknown path, with reads of everything", withScopes(t, "all-apis:read"), "GET", "/api/2.0/else", "permits only all-apis:read; the map does not have this path, so it counts as a write"},

		{"a doubtful read with one of its scopes", sqlReads, "GET", doubt, "permits only sql:read; this operation may need jobs as well"},
		{"a doubtful read with both", withScopes(t, "sql:read", "jobs"), "GET", doubt, ""},
		{"a doubtful write with both, one limited", withScopes(t, "sql:read", "jobs"), "POST", doubt, "permits only sql:read, jobs; this operation may need sql as well"},
		{"a read that needs two scopes", withScopes(t, "sql:read", "jobs"), "GET", both, ""},
		{"a write that needs two scopes", withScopes(t, "sql:read", "jobs"), "POST", both, "permits only sql:read, jobs; this operation writes"},

		{"access read: a read", onlyReads, "GET", j, ""},
		{"access read: a POST that reads", onlyReads, "POST", q + "/search", ""},
		{"access read: a write", onlyReads, "POST", j, "permits only reads (access read); this operation writes"},
		{"access read: a row that nobody classed", onlyReads, "GET", q + "/old", "permits only reads (access read); the map does not say that this operation only reads, so it counts as a write"},
		{"access read: an unknown path", onlyReads, "GET", "/api/2.0/else", "permits only reads (access read); the map does not have this path, so it counts as a write"},
		{"access read: another spelling", onlyReads, "GET", "/ajax-api/2.0/j", "permits only reads (access read); the map does not have this path, so it counts as a write"},
		{"access read: Me, which nobody classed", onlyReads, "GET", "/api/2.0/scim/v2/Me", ""},
		{"access read: all readings are reads", onlyReads, "GET", "/api/2.0/files/a%2Fshow", ""},
		{"access read: one reading is a write", onlyReads, "GET", "/api/2.0/files/a%2Frun", "permits only reads (access read); this operation writes"},
		{"a limited scope: one reading is a write", sqlReads, "GET", "/api/2.0/files/a%2Frun", "permits only sql:read; this operation writes"},

		{"both: a read of the scope", readOnly(withScopes(t, "sql")), "GET", q, ""},
		{"both: a write of the scope", readOnly(withScopes(t, "sql")), "POST", q, "permits only reads (access read); this operation writes"},
		{"both: a read of another scope", readOnly(withScopes(t, "sql")), "GET", j, "permits only sql"},
		{"an allowed write beside a limited scope", allowing(sqlReads, "POST "+j), "POST", j, ""},
		{"an allowed write under access read", allowing(onlyReads, "POST "+j, "GET "+j), "POST", j, "permits only reads (access read); this operation writes"},
		{"an allowed read under access read", allowing(onlyReads, "POST "+j, "GET "+j), "GET", j, ""},
		{"what is not allowed, under access read", allowing(onlyReads, "GET "+j), "GET", q, "permits only its own routes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			readings, err := catalog.Read(test.method, test.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			info := goodToken()
			info.Scopes = []string{scopes.AllAPIs}
			p := test.policy
			p.Allow = slices.Clone(p.Allow)
			p.Bind(catalog)
			got := Decide(Subject{Info: info, Owner: info.Owner}, Request{Method: test.method, Readings: readings}, Rules{Policies: []Policy{p}}, noon)
			want := Permitted
			if test.says != "" {
				want = PolicyDenied
			}
			if got.Reason != want || got.Requirement != test.says {
				t.Errorf("got %s, %q; want %q", got.Reason, got.Requirement, test.says)
			}
		})
	}
}

// TestAccessNeverWidens: a token still needs the scope.
func TestAccessNeverWidens(t *testing.T) {
	t.Parallel()
	readings, err := effects(t).Read("GET", "/api/2.0/q", nil)
	if err != nil {
		t.Fatal(err)
	}
	info := goodToken()
	info.Scopes = []string{"jobs", "clusters:read"}
	for _, p := range []Policy{withScopes(t, "sql:read"), {Name: "p", ReadOnly: true}} {
		if got := Decide(Subject{Info: info}, Request{Method: "GET", Readings: readings}, Rules{Policies: []Policy{p}}, noon); got.Reason != MissingScope {
			t.Errorf("got %+v", got)
		}
	}
}

// TestParts: a token that holds a part of a scope may do what the part permits, and a policy
// narrows that by its own measure.
func TestParts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, method, path string
		held               []string
		ceiling            []string
		want               Reason
	}{
		{"a read", "GET", warehouse, []string{"sql:read"}, nil, Permitted},
		{"a write", "POST", statements, []string{"sql:read"}, nil, MissingScope},
		{"a query", "POST", statements, []string{"sql:restricted-query"}, nil, Permitted},
		{"a read under a ceiling of reads", "GET", warehouse, []string{"sql:read"}, []string{"sql:read"}, Permitted},
		{"a query under a ceiling of reads", "POST", statements, []string{"sql:restricted-query"}, []string{"sql:read"}, PolicyDenied},
		{"a read under another ceiling", "GET", warehouse, []string{"sql:read"}, []string{"jobs"}, PolicyDenied},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			info := goodToken()
			info.Scopes = test.held
			var rules Rules
			if test.ceiling != nil {
				rules.Policies = []Policy{withScopes(t, test.ceiling...)}
			}
			if got := Decide(Subject{Info: info}, ask(t, test.method, test.path), rules, noon); got.Reason != test.want {
				t.Errorf("%s; want %s", got.Reason, test.want)
			}
		})
	}
}

func TestParseCeiling(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ names, ceiling, ofReads, says string }{
		{"sql jobs", "sql jobs", "", ""},
		{"sql:read jobs", "jobs", "sql jobs", ""},
		{"sql:read sql sql:read", "sql", "sql", ""},
		{"sql:read", "", "sql", ""},
		{"nosuch:read", "", "nosuch", ""}, // a warning tells, see package scopenames
		{"sql.warehouses:read", "sql.warehouses:read", "", ""},
		{"sql:write", "", "", `scopes has "sql:write", but only :read can follow a scope; write sql:read for its reads, or sql for its reads and writes`},
		{"nosuch:readonly", "", "", "write nosuch:read for its reads"},
		{"sql:Read", "", "", "write sql:read for its reads"},
		{"sql:read:write", "", "", "only :read can follow a scope"},
		{"sql:write:read", "", "", "write sql:read for its reads"},
		{":read", "", "", `scopes has ":read", and no scope stands before :read; write a scope with it, such as sql:read, or access read for all scopes`},
		{"SQL:write", "", "", "which is no scope"},
	} {
		ceiling, ofReads, err := ParseCeiling(strings.Fields(test.names))
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %q", test.names, err, test.says)
		}
		if strings.Join(ceiling, " ") != test.ceiling || strings.Join(ofReads, " ") != test.ofReads {
			t.Errorf("%s: %v and for reads %v", test.names, ceiling, ofReads)
		}
	}
}

// TestAccessPermitsAny: a policy that can permit nothing is told from one that can.
func TestAccessPermitsAny(t *testing.T) {
	t.Parallel()
	operations := effects(t).Operations()
	unclassed := slices.Clone(operations)
	for i := range unclassed {
		unclassed[i].Effect, unclassed[i].EffectReason = scopes.Unclassed, ""
	}
	write, read := []Route{route(t, "POST /api/2.0/j")}, []Route{route(t, "GET /api/2.0/j")}
	for _, test := range []struct {
		name       string
		policy     Policy
		operations []scopes.Operation
		want       bool
	}{
		{"reads", Policy{ReadOnly: true}, operations, true},
		{"reads of a scope", withScopes(t, "sql:read"), operations, true},
		{"reads of a scope without any", withScopes(t, "files:read"), operations, false},
		{"reads, with a map that classes nothing", Policy{ReadOnly: true}, unclassed, false},
		{"reads of a scope, with a map that classes nothing", withScopes(t, "sql:read"), unclassed, false},
		{"one scope of two is not limited", withScopes(t, "sql:read", "jobs"), unclassed, true},
		{"an allowed write", Policy{ReadOnly: true, Allow: write}, operations, false},
		{"an allowed read", Policy{ReadOnly: true, Allow: read}, operations, true},
	} {
		if got := test.policy.PermitsAny(test.operations); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
	if err := (&Policy{Name: "p", ReadOnly: true}).Validate(); err != nil {
		t.Error(err)
	}
	if err := (&Policy{Name: "p", ReadCeiling: []string{"sql"}}).Validate(); err != nil {
		t.Error(err)
	}
}
