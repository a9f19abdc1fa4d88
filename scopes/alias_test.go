package scopes

import (
	"slices"
	"strings"
	"testing"
)

// TestAliasTable holds each alias against the catalog: it names a row, stands for a scope
// that the row accepts, and says where that is known from.
func TestAliasTable(t *testing.T) {
	t.Parallel()
	rows := make(map[string]Operation)
	for _, o := range Default().Operations() {
		rows[o.Method+" "+o.Template] = o
	}
	seen, opens := make(map[Alias]bool), make(map[string]bool)
	for i, a := range Aliases() {
		at := a.Scope + " " + a.Method + " " + a.Template
		if i > 0 && a.Scope < Aliases()[i-1].Scope {
			t.Errorf("%s: the table is not sorted", at)
		}
		if !IsDotted(a.Scope) || slices.Contains(knownScopes, a.Scope) || IsSignIn(a.Scope) {
			t.Errorf("%s: not a name that only OAuth tokens carry", at)
		}
		if len(a.Source) < 20 || !strings.Contains(a.Source, "https://") && !strings.Contains(a.Source, "ref ") && a.Name != "" {
			t.Errorf("%s: the source is %q", at, a.Source)
		}
		key := Alias{Scope: a.Scope, Method: a.Method, Template: a.Template}
		if seen[key] {
			t.Errorf("%s is there twice", at)
		}
		seen[key] = true
		if a.Name == "" {
			if opens[a.Scope] {
				t.Errorf("%s opens something and nothing", a.Scope)
			}
			continue
		}
		opens[a.Scope] = true
		row, ok := rows[a.Method+" "+a.Template]
		if !ok || row.Name != a.Name {
			t.Errorf("%s: the catalog has no such row of %s", at, a.Name)
			continue
		}
		if !row.Permits([]string{a.For}) || a.For == AllAPIs || !slices.Contains(knownScopes, a.For) {
			t.Errorf("%s: %s does not permit it", at, a.For)
		}
		if !row.PermitsOAuth([]string{a.Scope}) || row.Permits([]string{a.Scope}) {
			t.Errorf("%s: it must open the operation for OAuth tokens, and for no other", at)
		}
	}
	for _, a := range Aliases() {
		if a.Name == "" && opens[a.Scope] {
			t.Errorf("%s opens something and nothing", a.Scope)
		}
	}
}

// TestPermitsOAuth: an alias opens what is recorded of it, and nothing like it.
func TestPermitsOAuth(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, method, path string
		held               string
		want               bool
	}{
		{"a statement", "POST", "/api/2.0/sql/statements", "sql.statement-execution", true},
		{"with a slash at the end", "POST", "/api/2.0/sql/statements/", "sql.statement-execution", true},
		{"its result", "GET", "/api/2.0/sql/statements/1/result/chunks/0", "sql.statement-execution", true},
		{"not a warehouse", "GET", "/api/2.0/sql/warehouses", "sql.statement-execution", false},
		{"reading a warehouse", "GET", "/api/2.0/sql/warehouses/1", "sql.warehouses:read", true},
		{"not starting it", "POST", "/api/2.0/sql/warehouses/1/start", "sql.warehouses:read", false},
		{"not deleting it", "DELETE", "/api/2.0/sql/warehouses/1", "sql.warehouses:read", false},
		{"Genie", "POST", "/api/2.0/genie/spaces/1/start-conversation", "dashboards.genie", true},
		{"not creating a space", "POST", "/api/2.0/genie/spaces", "dashboards.genie", false},
		{"no dashboard", "GET", "/api/2.0/lakeview/dashboards", "dashboards.genie", false},
		{"Genie's MCP server", "POST", "/api/2.0/mcp/genie/1", "mcp.genie", false},
		{"Genie's MCP server by the API's name", "POST", "/api/2.0/mcp/genie/1", "dashboards.genie", false},
		{"a file", "PUT", "/api/2.0/fs/files/Volumes/a/b/c/d", "files.files", true},
		{"not DBFS", "GET", "/api/2.0/dbfs/list", "files.files", false},
		{"an index", "POST", "/api/2.0/vector-search/indexes/a.b.c/query", "vectorsearch.vector-search-indexes", true},
		{"not by the name of its neighbor", "POST", "/api/2.0/vector-search/indexes/a.b.c/query", "vectorsearch.vector-search-endpoints", false},
		{"not deleting it", "DELETE", "/api/2.0/vector-search/indexes/a.b.c", "vectorsearch.vector-search-indexes", false},
		{"the paths of the old client", "POST", "/api/2.0/vector-search/endpoints/e/indexes/a.b.c/query", "vectorsearch.vector-search-endpoints", false},
		{"listing endpoints", "GET", "/api/2.0/serving-endpoints", "serving.serving-endpoints", true},
		{"with a qualifier", "GET", "/api/2.0/serving-endpoints", "serving.serving-endpoints:read", false},
		{"invoking", "POST", "/serving-endpoints/x/invocations", "serving.serving-endpoints", false},
		{"a catalog", "GET", "/api/2.1/unity-catalog/catalogs", "catalog.catalogs:read", false},
		{"a schema", "GET", "/api/2.1/unity-catalog/schemas/a.b", "catalog.schemas:read", false},
		{"a table", "GET", "/api/2.1/unity-catalog/tables/a.b.c", "catalog.tables:read", false},
		{"a connection", "GET", "/api/2.1/unity-catalog/connections/c", "catalog.connections", false},
		{"permissions", "GET", "/api/2.0/permissions/jobs/1", "iam.access-control:read", false},
		{"the current user", "GET", "/api/2.0/preview/scim/v2/Me", "iam.current-user:read", true},
		{"an external MCP server", "POST", "/api/2.0/mcp/external/c", "mcp.external", true},
		{"not functions", "POST", "/api/2.0/mcp/functions/a/b/c", "mcp.external", false},
		{"letter case", "POST", "/api/2.0/sql/statements", "SQL.statement-execution", false},
		{"the beginning of a name", "POST", "/api/2.0/sql/statements", "sql.statement", false},
		{"a longer name", "POST", "/api/2.0/sql/statements", "sql.statement-execution:read", false},
		{"a name of no alias", "GET", "/api/2.1/jobs/list", "jobs.jobs", false},
		{"flat", "GET", "/api/2.1/jobs/list", "jobs", true},
		{"everything", "GET", "/api/2.1/jobs/list", "all-apis", true},
		{"account level", "GET", "/api/2.0/accounts/a/workspaces", "sql.statement-execution,all-apis", false},
		{"unmapped", "GET", "/api/2.0/no/such", "sql.statement-execution,dashboards.genie", false},
		{"nothing", "GET", "/api/2.1/jobs/list", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var held []string
			if test.held != "" {
				held = strings.Split(test.held, ",")
			}
			readings, err := Default().Read(test.method, test.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := readings[0].Operation.PermitsOAuth(held); got != test.want {
				t.Errorf("%s %s with %s: %v", test.method, test.path, test.held, got)
			}
		})
	}
}

// TestAliasUnderOperatorsRow: an alias stands for one scope. Where an operator's row asks
// for another, it does not help; where it asks for that and another, both are needed.
func TestAliasUnderOperatorsRow(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		anyOf string
		held  []string
		want  bool
	}{
		{"sql", []string{"sql.statement-execution"}, true},
		{"jobs", []string{"sql.statement-execution"}, false},
		{"jobs+sql", []string{"sql.statement-execution"}, false},
		{"jobs+sql", []string{"jobs", "sql.statement-execution"}, true},
		{"sql.statement-execution", []string{"sql.statement-execution"}, true}, // it says so
		{"sql.statement-execution", []string{"sql"}, false},
	} {
		rows, err := Parse(strings.NewReader("POST\t/api/2.0/sql/statements\t"+test.anyOf), "routes")
		if err != nil {
			t.Fatal(err)
		}
		catalog, err := Default().With(rows)
		if err != nil {
			t.Fatal(err)
		}
		readings, err := catalog.Read("POST", "/api/2.0/sql/statements", nil)
		if err != nil {
			t.Fatal(err)
		}
		held := slices.Clone(test.held)
		if got := readings[0].Operation.PermitsOAuth(held); got != test.want || !slices.Equal(held, test.held) {
			t.Errorf("%s with %s: %v; scopes afterwards: %s", test.anyOf, test.held, got, held)
		}
	}
}

func TestParseAliases(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"a\tb", "a.b\tsql\tGET\t/x\tname\t", "a.b\tsql\t-\t-\t-\tsource", "a.b\tsql\tGET\t/x\tname\tsource\tmore"} {
		if rows, err := parseAliases("# head\n\n" + text + "\n"); err == nil || !strings.Contains(err.Error(), "line 3") {
			t.Errorf("%q: %v, %v", text, rows, err)
		}
	}
}
