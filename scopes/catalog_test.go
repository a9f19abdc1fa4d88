package scopes

import (
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestPrecedence(t *testing.T) {
	t.Parallel()
	c := rowsOnly(newCatalog(t, smallCatalog))
	for _, test := range []struct{ name, method, path, want string }{
		{"literal", "GET", "/api/2.0/list", "a"},
		{"method", "POST", "/api/2.0/list", "b"},
		{"literal before parameter", "GET", "/api/2.0/things/special", "b"},
		{"parameter", "GET", "/api/2.0/things/other", "a"},
		{"pattern before parameter", "GET", "/api/2.0/things/x:run", "d"},
		{"longer fixed text first", "GET", "/api/2.0/things/x.y:run", "d"},
		{"pattern", "GET", "/api/2.0/things/x.y", "e"},
		{"backtrack from a literal", "GET", "/api/2.0/things/special/parts", "p"},
		{"backtrack from a literal without the method", "GET", "/api/2.0/things/x/parts", "c"},
		{"rest", "GET", "/api/2.0/files/a/b/c/d/e/f/g/h", "f"},
		{"rest, one segment", "DELETE", "/api/2.0/files/a", "f"},
		{"rest, no segment", "GET", "/api/2.0/files", AllAPIs},
		{"no such method", "DELETE", "/api/2.0/list", AllAPIs},
		{"method in another case", "get", "/api/2.0/list", AllAPIs},
		{"HEAD like GET", "HEAD", "/api/2.0/things/special", "b"},
		{"HEAD with its own row", "HEAD", "/api/2.0/files/x", "f"},
		{"HEAD does not fall back to POST", "HEAD", "/api/2.0/token/create", AllAPIs},
		{"the exact version", "GET", "/api/2.1/list", "g"},
		{"an unknown version, rows disagree", "GET", "/api/2.2/list", AllAPIs},
		{"an unknown version, rows agree", "GET", "/api/2.2/tables/x", "h"},
		{"an unknown version, rows overlap", "GET", "/api/2.2/tables/x/rows", AllAPIs},
		{"an unknown version, one row", "GET", "/api/9/Users", "u"},
		{"another version's method", "POST", "/api/2.1/list", "b"},
		{"not a version", "GET", "/api/v2/list", AllAPIs},
		{"too many dots", "GET", "/api/2.0.1/list", AllAPIs},
		{"a version before the parameter", "GET", "/api/2.0/odd", "o"},
		{"parameters at the root", "GET", "/x/y", "y"},
		{"account-level", "GET", "/api/2.0/accounts/1/users", "account"},
		{"public", "PATCH", "/public/x", "public"},
		{"any scope", "GET", "/api/2.0/me", "*"},
		{"root", "GET", "/", "r"},
		{"unmapped", "GET", "/a/b/c", AllAPIs},
	} {
		t.Run(test.name, func(t *testing.T) {
			readings, err := c.Read(test.method, test.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := readings[0].Operation.Needs(); got != test.want {
				t.Fatalf("got %s, want %s", got, test.want)
			}
		})
	}
}

func TestUnknownVersionOverlap(t *testing.T) {
	t.Parallel()
	c := newCatalog(t, []string{"GET /api/2.0/x a,b", "GET /api/2.1/x b,c", "GET /api/2.10/x b"})
	readings, err := c.Read("GET", "/api/2.2/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	op := readings[0].Operation
	if op.Needs() != "b" || op.Template != "/api/2.10/x" || op.Evidence != Inferred {
		t.Fatalf("got %v", op)
	}
}

func TestNewRefusesConflicts(t *testing.T) {
	t.Parallel()
	rows := append(rowsFrom(t, []string{"GET /a/{b} x"}), rowsFrom(t, []string{"GET /a/{c} y"})...)
	if _, err := New(rows); err == nil || !strings.Contains(err.Error(), "keep one of them") {
		t.Errorf("conflicting rows: %v", err)
	}
	same := append(rowsFrom(t, []string{"GET /a/{b} x"}), rowsFrom(t, []string{"GET /a/{c} x"})...)
	c, err := New(same)
	if err != nil || len(c.Operations()) != 1 || c.Operations()[0].Template != "/a/{b}" {
		t.Errorf("agreeing rows: %v", err)
	}
	if _, err := New([]Operation{{Method: "GET", Template: "/a"}}); err == nil {
		t.Error("a row without scopes compiles")
	}
	if _, err := New(nil); err != nil {
		t.Errorf("an empty catalog: %v", err)
	}
}

func TestWith(t *testing.T) {
	t.Parallel()
	base := newCatalog(t, []string{"GET /a/{id} x", "GET /b y", "POST /b y"})
	c, err := base.With(rowsFrom(t, []string{"GET /a/{other} z", "GET /c/* w"}))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"/a/1": "z", "/b": "y", "/c/1/2": "w", "/d": AllAPIs} {
		readings, err := c.Read("GET", path, nil)
		if err != nil || readings[0].Operation.Needs() != want {
			t.Errorf("%s: %v, %v, want %s", path, readings, err, want)
		}
	}
	if len(c.Operations()) != 4 || len(base.Operations()) != 3 {
		t.Errorf("%d rows, of %d before", len(c.Operations()), len(base.Operations()))
	}
	if readings, _ := base.Read("GET", "/a/1", nil); readings[0].Operation.Needs() != "x" {
		t.Error("the original catalog has changed")
	}
	if base.Version() == c.Version() {
		t.Error("both have the same version")
	}
	again, err := base.With(nil)
	if err != nil || again.Version() != base.Version() {
		t.Errorf("with no rows: %v", err)
	}
	twice, err := c.With(rowsFrom(t, []string{"GET /a/{id} x"}))
	if err != nil || len(twice.Operations()) != 4 {
		t.Errorf("replaced twice: %v", err)
	}
	if _, err := base.With(append(rowsFrom(t, []string{"GET /e x"}), rowsFrom(t, []string{"GET /e y"})...)); err == nil {
		t.Error("conflicting rows are accepted")
	}
}

func TestOperationsAreCopies(t *testing.T) {
	t.Parallel()
	rows := rowsFrom(t, []string{"GET /a x"})
	c, err := New(rows)
	if err != nil {
		t.Fatal(err)
	}
	before := c.Version()
	rows[0].AnyOf[0] = "changed"
	c.Operations()[0].Template = "/changed"
	if c.Version() != before || c.Operations()[0].Template != "/a" || c.Operations()[0].AnyOf[0] != "x" {
		t.Error("the catalog shares rows with the caller")
	}
}

// TestEveryRowIsFound checks that no row of the catalog hides another: a path made
// from a template leads to the operation of that row.
func TestEveryRowIsFound(t *testing.T) {
	t.Parallel()
	c := Default()
	for _, row := range c.Operations() {
		tmpl, err := ParseTemplate(row.Template)
		if err != nil {
			t.Fatal(err)
		}
		method := row.Method
		if method == "*" {
			method = "OPTIONS"
		}
		path := fill(tmpl, "x1")
		readings, err := c.Read(method, path, nil)
		if err != nil || len(readings) != 1 {
			t.Errorf("%s %s: %v, %v", row.Method, row.Template, readings, err)
			continue
		}
		if got := readings[0].Operation; got.Template != row.Template || got.Method != row.Method || got.Name != row.Name {
			t.Errorf("%s %s: found %s %s instead", row.Method, row.Template, got.Method, got.Template)
		}
		if !tmpl.Match(path) {
			t.Errorf("%s does not match %s", row.Template, path)
		}
	}
}

func TestCatalogIsSound(t *testing.T) {
	t.Parallel()
	known := KnownScopes()
	rows := Default().Operations()
	if !slices.IsSortedFunc(rows, Compare) {
		t.Error("the rows are not sorted")
	}
	names := make(map[string]Operation)
	var parsed []Operation
	parsed, err := Parse(strings.NewReader(catalogTSV), "catalog.tsv")
	if err != nil || len(parsed) != len(rows) {
		t.Errorf("%d rows in the file, %d in the catalog, %v", len(parsed), len(rows), err)
	}
	for _, row := range rows {
		at := row.Method + " " + row.Template
		if other, found := names[row.Name]; found && !other.agrees(&row) {
			t.Errorf("%s and %s are both %s but need different scopes", at, other.Template, row.Name)
		}
		names[row.Name] = row
		for _, s := range row.Scopes() {
			if !slices.Contains(known, s) {
				t.Errorf("%s: unknown scope %s", at, s)
			}
		}
		if len(row.AnyOf) > 1 && slices.Contains(row.AnyOf, AllAPIs) {
			t.Errorf("%s: all-apis together with other scopes, which it implies", at)
		}
		if row.Evidence == Operator {
			t.Errorf("%s: the evidence is operator", at)
		}
		// Operations that need no token are few, and each must be reviewed: add it here.
		if row.Access == Public && !slices.Contains([]string{
			"/.well-known/databricks-config", "/oidc/{path...}", "/aad/auth", "/telemetry-unauth",
			"/.well-known/oauth-authorization-server", "/.well-known/oauth-authorization-server/{path...}",
			"/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/{path...}",
			"/.well-known/openid-configuration", "/.well-known/openid-configuration/{path...}",
		}, row.Template) {
			t.Errorf("%s is public", at)
		}
		if row.Access == AnyScope && !strings.HasSuffix(row.Template, "/scim/v2/Me") {
			t.Errorf("%s takes any scope", at)
		}
		if strings.Contains(row.Template, "/accounts/{") != (row.Access == AccountOnly) {
			t.Errorf("%s: access %s", at, row.Access)
		}
	}
}

func TestSpecialRows(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ method, path, want string }{
		{"GET", "/api/2.0/preview/scim/v2/Me", "*"},
		{"GET", "/.well-known/databricks-config", "public"},
		{"GET", "/.well-known/other", AllAPIs},
		{"POST", "/oidc/v1/token", "public"},
		{"GET", "/oidc/.well-known/oauth-authorization-server", "public"},
		{"GET", "/aad/auth", "public"},
		{"POST", "/telemetry-unauth", "public"},
		{"POST", "/telemetry-ext", "all-apis,optional"},
		{"GET", "/api/2.0/accounts/1/scim/v2/Users", "account"},
		{"GET", "/api/2.1/unity-catalog/shares", "sharing"},
		{"GET", "/api/2.1/unity-catalog/iceberg-rest/v1/config", AllAPIs},
		{"GET", "/api/2.1/unity-catalog/tables/a.b.c", "unity-catalog"},
		{"POST", "/serving-endpoints/m/invocations", "model-serving,model-serving-inference"},
		{"POST", "/serving-endpoints/m/invocations/responses", AllAPIs},
		{"POST", "/serving-endpoints/chat/completions", "model-serving"},
		{"POST", "/sql/1.0/warehouses/abc", "sql"},
		{"POST", "/sql/protocolv1/o/1/2-3", "clusters,sql"},
		{"POST", "/spark.connect.SparkConnectService/ExecutePlan", "clusters"},
		{"GET", "/driver-proxy-api/o/1/2/8787", "clusters"},
		{"GET", "/driver-proxy-api/o/1/2/8787/a/b", "clusters"},
		{"GET", "/ajax-api/2.0/clusters/list", AllAPIs},
		{"GET", "/api/2.0/mlflow-artifacts/artifacts", AllAPIs},
		{"GET", "/api/2.0/clusters/list", "clusters"},
		{"POST", "/api/2.0/jobs/run-now", "jobs"},
		{"POST", "/api/2.1/jobs/runs/submit", "jobs"},
		{"POST", "/api/1.2/commands/execute", "command-execution"},
		{"PUT", "/api/2.0/fs/files/Volumes/a/b/c/d", "files"},
		{"HEAD", "/api/2.0/fs/directories/Volumes/a", "files"},
		{"GET", "/api/2.0/postgres/projects/p/branches/b/endpoints/e", "postgres"},
		{"POST", "/api/2.0/ai-search/workspaces/1/endpoints/e/indexes/i:query", "ai-search"},
		{"GET", "/api/2.1/knowledge-assistants/k", "knowledge-assistants"},
		{"GET", "/api/2.0/permissions/jobs/1", "jobs"},
		{"GET", "/api/2.0/permissions/anything/1", "access-management"},
		{"POST", "/api/2.0/mcp/genie/space", "genie"},
		{"POST", "/", AllAPIs},
	} {
		readings, err := Default().Read(test.method, test.path, nil)
		if err != nil || readings[0].Operation.Needs() != test.want {
			t.Errorf("%s %s: %v, %v, want %s", test.method, test.path, readings, err, test.want)
		}
	}
}

// TestFindAgreesWithReference compares look-ups with the slow reference, on the
// paths of the rows and on the same paths with one segment changed.
func TestFindAgreesWithReference(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compares many paths with every row")
	}
	rows := Default().Operations()
	c, err := New(rows)
	if err != nil {
		t.Fatal(err)
	}
	rowsOnly(c)
	slow := newSlowCatalog(rows)
	for i, row := range rows {
		tmpl, err := ParseTemplate(row.Template)
		if err != nil {
			t.Fatal(err)
		}
		parts := strings.Split(fill(tmpl, "x.y")[1:], "/")
		// One row in ten is enough and keeps the test fast.
		if i%10 != 0 {
			continue
		}
		for at := -1; at < len(parts); at++ {
			changed := slices.Clone(parts)
			if at >= 0 {
				changed[at] += "x"
			}
			path := "/" + strings.Join(changed, "/")
			for _, method := range []string{"GET", "HEAD", "POST"} {
				readings, err := c.Read(method, path, nil)
				if err != nil {
					t.Fatal(err)
				}
				if got, want := key(readings[0].Operation), slow.match(method, changed, false); got != want {
					t.Errorf("%s %s: got %s, want %s", method, path, got, want)
				}
			}
		}
	}
}

func TestDefaultVersion(t *testing.T) {
	t.Parallel()
	if v := Default().Version(); len(v) != 12 || v != Default().Version() {
		t.Errorf("version %q", v)
	}
}

func FuzzMatch(f *testing.F) {
	rows := rowsFrom(f, smallCatalog)
	c, err := New(rows)
	if err != nil {
		f.Fatal(err)
	}
	rowsOnly(c)
	slow := newSlowCatalog(rows)
	for i := range rows {
		f.Add(uint8(i), uint8(i/2), "a.b", "x", uint8(i))
		f.Add(uint8(i), uint8(i), "special", ":run", uint8(3*i))
	}
	f.Fuzz(func(t *testing.T, row, verb uint8, one, two string, change uint8) {
		if len(one)+len(two) > 100 {
			return
		}
		tmpl, err := ParseTemplate(rows[int(row)%len(rows)].Template)
		if err != nil {
			t.Fatal(err)
		}
		method := []string{"GET", "POST", "HEAD", "PATCH"}[verb%4]
		parts := strings.Split(fill(tmpl, "\x02")[1:], "/")
		for i := range parts {
			value := one
			if i%2 == 1 {
				value = two
			}
			parts[i] = strings.ReplaceAll(parts[i], "\x02", value)
		}
		if i := int(change); i < len(parts) {
			parts[i] = two
		}
		escaped := make([]string, len(parts))
		for i, part := range parts {
			escaped[i] = url.PathEscape(part)
		}
		path := "/" + strings.Join(escaped, "/")
		readings, err := c.Read(method, path, nil)
		if err != nil {
			return
		}
		// Split and then decoded, the path has these segments.
		want := slow.match(method, parts, false)
		if !slices.ContainsFunc(readings, func(r Reading) bool { return key(r.Operation) == want }) {
			t.Fatalf("%s %q: %s is not among %v", method, path, want, readings)
		}
		for _, r := range readings {
			if r.Operation.Unmapped() {
				continue
			}
			found, err := ParseTemplate(r.Operation.Template)
			if err != nil {
				t.Fatal(err)
			}
			if !found.MatchFold(foldLikeJava(r.Path)) {
				t.Fatalf("%s %q: the reading %q is %s, which does not match it", method, path, r.Path, found)
			}
			// Encoding the reading again must lead to the same operation.
			segs := strings.Split(r.Path[1:], "/")
			for i := range segs {
				segs[i] = url.PathEscape(segs[i])
			}
			again, err := c.Read(method, "/"+strings.Join(segs, "/"), nil)
			if err != nil {
				continue
			}
			if !slices.ContainsFunc(again, func(s Reading) bool { return s.Operation == r.Operation }) {
				t.Fatalf("%s %q: the reading %q is missing after encoding it again: %v", method, path, r.Path, again)
			}
		}
	})
}
