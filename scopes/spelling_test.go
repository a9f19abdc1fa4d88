package scopes

import (
	"slices"
	"strings"
	"testing"
)

// TestSpellings: a path has the name of its operation however it is written, and needs
// all-apis where the catalog does not have that path.
func TestSpellings(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ method, path, name, needs string }{
		{"GET", "/api/2.0/clusters/list", "compute.Clusters.List", "clusters"},
		{"GET", "/api/2.9/clusters/list/", "compute.Clusters.List", "clusters"},
		{"GET", "/ajax-api/2.0/clusters/list", "compute.Clusters.List", AllAPIs},
		{"GET", "/AJAX-API/2.0/Clusters/list", "compute.Clusters.List", AllAPIs},
		{"GET", "/api/clusters/list", "compute.Clusters.List", AllAPIs},
		{"GET", "/api/v2/clusters/list", "compute.Clusters.List", AllAPIs},
		{"GET", "/api/2.0/preview/clusters/list", "compute.Clusters.List", AllAPIs},
		{"GET", "/api/2.0/2.1/preview/clusters/list", "compute.Clusters.List", AllAPIs},
		{"POST", "/ajax-api/2.0/token/create", "settings.Tokens.Create", AllAPIs},
		{"POST", "/api/2.0/preview/token/create", "settings.Tokens.Create", AllAPIs},
		{"POST", "/api/token/create", "settings.Tokens.Create", AllAPIs},
		{"DELETE", "/ajax-api/2.0/token-management/tokens/1", "settings.TokenManagement.Delete", AllAPIs},
		{"GET", "/api/2.0/preview/scim/v2/Users", "iam.UsersV2.List", "scim"},
		{"GET", "/api/2.0/scim/v2/Users", "iam.UsersV2.List", "scim"},
		{"GET", "/api/2.0/scim/v2/Things", "scim.Collection", "scim"},
		{"GET", "/api/2.0/scim/v2/Me", "iam.CurrentUser.Me", "*"},
		{"GET", "/api/2.0/scim/Users", "iam.UsersV2.List", AllAPIs},
		{"GET", "/api/2.0/sql/endpoints/1", "sql.Warehouses.Get", "sql"},
		{"POST", "/api/2.0/sql/endpoints/1/start", "sql.Warehouses.Start", "sql"},
		{"PUT", "/api/2.0/permissions/sql/endpoints/1", "sql.Warehouses.SetPermissions", "sql"},
		{"POST", "/api/2.0/preview/mlflow/runs/create", "ml.Experiments.CreateRun", "mlflow"},
		{"POST", "/api/3.0/mlflow/traces/x/y", "mlflow.TracesPath", "mlflow"},
		{"POST", "/sql/2.0/warehouses/1", "thrift.Warehouse", AllAPIs},
		{"GET", "/api/environments/v2/operations/1", "environments.GetOperation", AllAPIs},
		{"GET", "/ajax-api/2.0/clean-rooms/v2", "cleanrooms.Get", AllAPIs},
		{"GET", "/ajax-api/2.0/apps/v2/deployments", "apps.ListDeployments", AllAPIs},
		{"GET", "/api/2.0/clean-rooms/v2", "cleanrooms.Get", "cleanrooms"},
		{"GET", "/ajax-api/2.0/accounts/1/scim/v2/Users", "iam.AccountUsersV2.List", "account"},
		{"GET", "/ajax-api/2.0/nothing/known", "unmapped", AllAPIs},
		{"GET", "/api/2.0/preview", "unmapped", AllAPIs},
		{"GET", "/", "unmapped", AllAPIs},
	} {
		readings, err := Default().Read(test.method, test.path, nil)
		if err != nil {
			t.Errorf("%s %s: %v", test.method, test.path, err)
			continue
		}
		r := &readings[0]
		if r.Operation.Name != test.name || r.Operation.Needs() != test.needs {
			t.Errorf("%s %s: got %s, which needs %s; want %s, which needs %s", test.method, test.path, r.Operation.Name, r.Operation.Needs(), test.name, test.needs)
		}
		if row := r.Row(); row.Unmapped() != (test.name == "unmapped") {
			t.Errorf("%s %s: the row is %s", test.method, test.path, row.Template)
		}
	}
}

// TestNormalForms: rows with the same normal form are the same operation. The exceptions
// are older APIs for the same objects, which the SDK names apart; what denies one of them
// denies both.
func TestNormalForms(t *testing.T) {
	t.Parallel()
	named := make(map[string]Operation)
	for _, row := range Default().Operations() {
		tmpl, err := ParseTemplate(row.Template)
		if err != nil {
			t.Fatal(err)
		}
		key := row.Method + " " + normalShape(&tmpl)
		other, found := named[key]
		named[key] = row
		if !found || other.Name == row.Name {
			continue
		}
		if !strings.Contains(other.Name+row.Name, "Legacy.") && !strings.Contains(row.Template, "/vector-search/") {
			t.Errorf("%s is both %s and %s", key, other.Name, row.Name)
		}
	}
}

// TestRulesSpeakOfOperations holds what a rule for one path covers of others.
func TestRulesSpeakOfOperations(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, rule, request string
		denies, allows      bool
	}{
		{"itself", "GET /api/2.1/clusters/list", "GET /api/2.1/clusters/list", true, true},
		{"another version", "GET /api/2.0/clusters/list", "GET /api/2.7/clusters/list", true, true},
		{"an alias that the catalog has", "* /api/2.0/preview/scim/v2/Users", "GET /api/2.0/scim/v2/Users", true, true},
		{"the other way round", "* /api/2.0/scim/v2/Users", "GET /api/2.0/preview/scim/v2/Users", true, true},
		{"an alias with a value", "* /api/2.0/preview/scim/v2/Users/7", "DELETE /api/2.0/scim/v2/Users/7", true, true},
		{"an alias with another value", "* /api/2.0/preview/scim/v2/Users/7", "DELETE /api/2.0/scim/v2/Users/8", false, false},
		{"a former name", "DELETE /api/2.0/sql/warehouses/7", "DELETE /api/2.0/sql/endpoints/7", true, false},
		{"everything below", "* /api/2.0/preview/scim/*", "PATCH /api/2.0/scim/v2/Groups/7", true, false},
		{"a spelling that the catalog lacks", "POST /api/2.0/token/create", "POST /ajax-api/2.0/token/create", true, false},
		{"after any prefix", "POST /api/2.0/token/create", "POST /x/y/api/2.1/preview/token/create", true, false},
		{"a rule for such a spelling", "POST /ajax-api/2.0/token/create", "POST /api/2.0/token/create", true, true},
		{"and itself", "POST /ajax-api/2.0/token/create", "POST /ajax-api/2.0/token/create", true, true},
		{"and in another version", "POST /ajax-api/2.0/token/create", "POST /ajax-api/2.1/token/create", true, false},
		{"the whole web application", "* /ajax-api/*", "GET /api/2.0/clusters/list", false, false},
		{"an unknown operation", "* /api/2.0/new-thing/{id}", "GET /ajax-api/2.0/new-thing/7", true, false},
		{"an unknown operation, exactly", "* /api/2.0/new-thing/{id}", "GET /api/2.0/new-thing/7", true, true},
		{"an unknown operation, another version", "* /api/2.0/new-thing/{id}", "GET /api/2.1/new-thing/7", true, false},
		{"a row matches a literal sibling too", "GET /api/2.0/permissions/{type}/{id}", "GET /api/2.0/permissions/warehouses/7", true, false},
		{"an older API for the same objects", "DELETE /api/2.0/sql/alerts/{id}", "DELETE /api/2.0/preview/sql/alerts/7", true, false},
		{"a former name in another version", "* /sql/1.0/warehouses/{id}", "POST /sql/2.0/endpoints/7", true, false},
		{"a row below preview/", "POST /api/2.0/preview/mlflow/runs/create", "POST /api/2.0/mlflow/runs/create", true, true},
		{"a spelling at the root", "DELETE /serving-endpoints/{name}", "DELETE /api/2.0/serving-endpoints/x", true, true},
		{"all of preview/", "* /api/2.0/preview/*", "GET /ajax-api/2.0/new-thing", false, false},
		{"all of preview/, a row", "* /api/2.0/preview/*", "GET /api/2.0/scim/v2/Users", true, false},
		{"the web application, an unknown path", "* /ajax-api/*", "GET /api/2.0/new-thing", false, false},
		{"all of the API", "* /api/2.0/*", "GET /ajax-api/2.0/new-thing", true, false},
		{"a generic row and a special one", "PUT /api/2.0/permissions/{type}/{id}", "PUT /api/2.0/preview/permissions/authorization/tokens", true, false},
		{"a generic row and a new object", "* /api/2.0/scim/v2/{resource}/{id}", "POST /api/2.0/scim/v2/Users", true, false},
		{"a pattern with a value", "POST /api/2.0/ai-search/workspaces/1/endpoints/e/indexes/foo:query", "POST /api/2.0/ai-search/workspaces/1/endpoints/e/indexes/bar:query", false, false},
		{"letter case beyond ASCII", "GET /api/2.1/unity-catalog/tables/main.hr.gehälter", "GET /api/2.1/unity-catalog/tables/MAIN.HR.GEH%C3%84LTER", true, false},
		{"letter case in a pattern", "GET /api/2.1/unity-catalog/tables/main.ä{t}", "GET /api/2.1/unity-catalog/tables/MAIN.%C3%84b", true, false},
		{"a name with a slash", "GET /api/2.1/unity-catalog/entity-tag-assignments/columns/{name}/tags", "GET /api/2.1/unity-catalog/entity-tag-assignments/columns/a%2Fb/tags", true, true},
		{"a slash that leads to another spelling", "GET /api/2.0/genie/spaces/{id}/conversations", "GET /api/2.0/genie/spaces/a%2Fpreview%2Fconversations", true, false},
		{"a value that looks like a version", "GET /ajax-api/2.0/fs/files/Volumes/other/v1/x", "GET /api/2.0/fs/files/Volumes/other/v1/x", true, true},
		{"and another value", "GET /api/2.0/fs/files/Volumes/other/v1/*", "GET /api/2.0/fs/files/Volumes/other/v2/x", false, false},
		{"a value called preview", "GET /api/fs/files/Volumes/main/preview/*", "GET /api/2.0/fs/files/Volumes/main/secret", false, false},
		{"a model called v1", "GET /ajax-api/2.1/unity-catalog/models/v1/versions", "GET /api/2.1/unity-catalog/models/versions", false, false},
		{"one verb of several", "POST /api/2.0/ai-search/workspaces/{w}/endpoints/{e}/indexes/{i}:query", "POST /api/2.0/ai-search/workspaces/1/endpoints/e/indexes/i:upsertData", false, false},
		{"everything, below a prefix", "* /api/*", "GET /o/1/api/2.0/jobs/list", true, false},
		{"everything, the web application", "* /api/2.0/*", "GET /ajax-api/2.1/unknown/list", true, false},
		{"more segments than any operation has", "GET /api/2.2/jobs/list", "GET /api/2.0/" + strings.Repeat("x/", 130) + "api/2.1/jobs/list", true, false},
		{"another operation", "GET /api/2.1/clusters/list", "GET /api/2.1/clusters/get", false, false},
		{"letter case", "GET /api/2.1/clusters/list", "GET /api/2.1/Clusters/list", true, false},
		{"a name that looks like a version", "GET /api/2.0/clean-rooms", "GET /api/2.0/clean-rooms/v2", false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			method, template, _ := strings.Cut(test.rule, " ")
			tmpl, err := ParseTemplate(template)
			if err != nil {
				t.Fatal(err)
			}
			rule := Default().Rule(tmpl, func(m string) bool { return m == "*" || method == "*" || m == method })
			verb, path, _ := strings.Cut(test.request, " ")
			readings, err := Default().Read(verb, path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := slices.ContainsFunc(readings, func(r Reading) bool { return rule.Denies(&r) }); got != test.denies {
				t.Errorf("denies: %v", got)
			}
			if got := !slices.ContainsFunc(readings, func(r Reading) bool { return !rule.Allows(&r) }); got != test.allows {
				t.Errorf("allows: %v", got)
			}
		})
	}
}

// TestWithSpeaksOfOperations: a row of an operator's says what an operation needs, on all
// of its paths.
func TestWithSpeaksOfOperations(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, rows   string
		method, path string
		want, named  string
	}{
		{"the row's path", "GET\t/api/2.1/clusters/list\tsql", "GET", "/api/2.1/clusters/list", "sql", "compute.Clusters.List"},
		{"another version", "GET\t/api/2.0/clusters/list\tsql", "GET", "/api/2.1/clusters/list", "sql", "compute.Clusters.List"},
		{"an alias", "GET\t/api/2.0/scim/v2/Me\tsql", "GET", "/api/2.0/preview/scim/v2/Me", "sql", "iam.CurrentUser.Me"},
		{"a new alias", "GET\t/ajax-api/2.0/clusters/list\tsql", "GET", "/ajax-api/2.0/clusters/list", "sql", "compute.Clusters.List"},
		{"a new alias changes the rest", "GET\t/ajax-api/2.0/clusters/list\tsql", "GET", "/api/2.1/clusters/list", "sql", "compute.Clusters.List"},
		{"two that differ", "GET\t/api/2.0/clusters/list\tsql,jobs\nGET\t/ajax-api/2.0/clusters/list\tjobs", "GET", "/api/2.1/clusters/list", "jobs", "compute.Clusters.List"},
		{"a name of the operator's own", "GET\t/api/2.1/clusters/list\tsql\toperator\tour.Name", "GET", "/api/2.1/clusters/list", "sql", "compute.Clusters.List"},
		{"a new alias that needs no token", "GET\t/ajax-api/2.0/clusters/list\tpublic", "GET", "/ajax-api/2.0/clusters/list", "public", "compute.Clusters.List"},
		{"does not open the rest", "GET\t/ajax-api/2.0/clusters/list\tpublic", "GET", "/api/2.1/clusters/list", "clusters", "compute.Clusters.List"},
		{"a row for all methods", "*\t/api/2.1/clusters/list\tsql", "GET", "/api/2.1/clusters/list", "sql", "compute.Clusters.List"},
		{"a row for all methods and another", "*\t/api/2.1/clusters/list\tall-apis\n*\t/api/2.2/clusters/list\tsql", "GET", "/api/2.0/clusters/list", AllAPIs, "compute.Clusters.List"},
		{"an account-level row", "GET\t/api/2.0/clusters/list\taccount", "GET", "/api/2.1/clusters/list", "account", "compute.Clusters.List"},
		{"everything", "*\t/{path...}\tsql", "GET", "/ajax-api/2.1/clusters/list", AllAPIs, "compute.Clusters.List"},
		{"a parameter for special rows", "*\t/api/2.0/clusters/{verb}\tsql", "GET", "/api/2.0/clusters/list", AllAPIs, "compute.Clusters.List"},
		{"the nearer of two spellings", "GET\t/ajax-api/2.0/sql/queries\tjobs", "GET", "/ajax-api/2.0/sql/queries", "jobs", "sql.Queries.List"},
		{"a catch-all", "*\t/ajax-api/*\tsql", "GET", "/ajax-api/2.0/clusters/list", AllAPIs, "compute.Clusters.List"},
		{"a catch-all, other path", "*\t/ajax-api/*\tsql", "GET", "/ajax-api/2.0/something", "sql", "* /ajax-api/*"},
		{"a new operation", "GET\t/api/2.0/new/{id}\tsql", "GET", "/api/2.0/new/7", "sql", "GET /api/2.0/new/{id}"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			rows, err := Parse(strings.NewReader(test.rows), "routes.tsv")
			if err != nil {
				t.Fatal(err)
			}
			c, err := Default().With(rows)
			if err != nil {
				t.Fatal(err)
			}
			readings, err := c.Read(test.method, test.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if o := readings[0].Operation; o.Needs() != test.want || o.Name != test.named {
				t.Errorf("got %s, which needs %s", o.Name, o.Needs())
			}
		})
	}
}

// TestSlashInName: an encoded slash may be part of a name, where nothing can be reached by
// it that the scopes do not permit.
func TestSlashInName(t *testing.T) {
	t.Parallel()
	const tags = "/api/2.1/unity-catalog/entity-tag-assignments/columns/"
	for _, test := range []struct {
		name, method, path string
		held               []string
		want               bool
	}{
		{"a column", "GET", tags + "c.s.t.Inferences%2FSecond/tags", []string{"unity-catalog"}, true},
		{"lower-case escape", "GET", tags + "c.s.t.a%2fb/tags", []string{"unity-catalog"}, true},
		{"two slashes", "GET", tags + "c.s.t.a%2Fb%2Fc/tags", []string{"unity-catalog"}, true},
		{"another scope", "GET", tags + "c.s.t.a%2Fb/tags", []string{"sql"}, false},
		{"the last segment", "GET", "/api/2.0/permissions/table/c.s.a%2Fb", []string{"access-management"}, true},
		{"a part of a segment", "POST", "/api/2.0/vector-search/indexes/c.s.a%2Fb/query", []string{"vector-search"}, true},
		{"dots", "GET", tags + "..%2F..%2Fx/tags", []string{"unity-catalog"}, false},
		{"dots that stay below", "GET", tags + "x%2F..%2Fy/tags", []string{"unity-catalog"}, false},
		{"one dot", "GET", tags + "x%2F.%2Fy/tags", []string{"unity-catalog"}, false},
		{"in the row's own path", "GET", "/api/2.1/unity-catalog/entity-tag-assignments%2Fcolumns/c.s.t.a/tags", []string{"unity-catalog"}, false},
		{"instead of all slashes", "GET", "/api%2F2.1%2Funity-catalog%2Ftables%2Fx", []string{"unity-catalog", AllAPIs}, false},
		{"encoded twice", "GET", tags + "c.s.t.a%252Fb/tags", []string{"unity-catalog"}, true},
		{"spaces around it", "GET", tags + "c.s.t.Revenue%20%2F%20Cost/tags", []string{"unity-catalog"}, true},
		{"a capital after it", "GET", tags + "c.s.t.a%2FTags/tags", []string{"unity-catalog"}, true},
		{"a backslash", "GET", tags + "c.s.t.a%5Cb/tags", []string{"unity-catalog"}, true},
		{"a question mark", "GET", tags + "c.s.t.is_active%3F/tags", []string{"unity-catalog"}, true},
		{"a number sign", "GET", tags + "c.s.t.Order%20%23/tags", []string{"unity-catalog"}, true},
		{"a semicolon", "GET", tags + "c.s.t.a%3Bb/tags", []string{"unity-catalog"}, true},
		{"dots after a backslash", "GET", tags + "c.s.t.a%5C..%5Cb/tags", []string{"unity-catalog"}, false},
		{"a spelling of another operation", "GET", "/api/2.0/genie/spaces/a%2Fpreview%2Fconversations", []string{"genie"}, true},
		{"a spelling of another operation, everything", "GET", "/api/2.0/permissions/jobs%2Fpreview%2F7/permissionLevels", []string{"access-management"}, false},
		{"another operation that is permitted", "GET", "/api/2.0/genie/spaces/a%2Fconversations", []string{"genie"}, true},
		{"another operation that is not", "POST", "/serving-endpoints/a%2Finvocations%2Fresponses", []string{"model-serving"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := Default().Permits(test.method, test.path, test.held)
			if got != test.want {
				t.Errorf("permitted: %v, %v", got, err)
			}
		})
	}
}

// TestOperatorRows: a rule holds for paths that only a row of the operator's matches.
func TestOperatorRows(t *testing.T) {
	t.Parallel()
	rows, err := Parse(strings.NewReader("*\t/o/{path...}\tall-apis\nGET\t/api/2.0/x/{a}É{b}\tsql\n"), "routes.tsv")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Default().With(rows)
	if err != nil {
		t.Fatal(err)
	}
	for rule, path := range map[string]string{"/api/2.2/jobs/list": "/o/123/api/2.2/jobs/list", "/api/2.0/x/1é2": "/api/2.0/x/1É2"} {
		tmpl, err := ParseTemplate(rule)
		if err != nil {
			t.Fatal(err)
		}
		r := c.Rule(tmpl, func(string) bool { return true })
		readings, err := c.Read("GET", path, nil)
		if err != nil || !r.Denies(&readings[0]) {
			t.Errorf("%s: %v, %v", path, readings, err)
		}
	}
}
