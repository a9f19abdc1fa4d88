package scopes

import "testing"

// TestModifiers: a part of a scope opens what Databricks' documentation says of it.
func TestModifiers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, method, path string
		held               []string
		want               bool
	}{
		{"reading", "GET", "/api/2.1/clusters/list", []string{"clusters:read"}, true},
		{"HEAD", "HEAD", "/api/2.1/clusters/list", []string{"clusters:read"}, true},
		{"not writing", "POST", "/api/2.1/clusters/create", []string{"clusters:read"}, false},
		{"not another scope", "GET", "/api/2.1/jobs/list", []string{"clusters:read"}, false},
		{"beside another scope", "POST", "/api/2.1/jobs/create", []string{"clusters:read", "jobs"}, true},
		{"running a statement", "POST", "/api/2.0/sql/statements", []string{"sql:restricted-query"}, true},
		{"by a driver", "POST", "/sql/1.0/warehouses/1", []string{"sql:restricted-query"}, true},
		{"not listing warehouses", "GET", "/api/2.0/sql/warehouses", []string{"sql:restricted-query"}, false},
		{"both: statements", "POST", "/api/2.0/sql/statements", []string{"sql:read:restricted-query"}, true},
		{"both: warehouses", "GET", "/api/2.0/sql/warehouses", []string{"sql:read:restricted-query"}, true},
		{"both: no write", "POST", "/api/2.0/sql/warehouses", []string{"sql:read:restricted-query"}, false},
		{"reading does not run statements", "POST", "/api/2.0/sql/statements", []string{"sql:read"}, false},
		{"queries of another scope", "GET", "/api/2.1/jobs/list", []string{"jobs:restricted-query"}, false},
		{"an unknown modifier", "GET", "/api/2.1/jobs/list", []string{"jobs:write"}, false},
		{"an unknown modifier beside a known one", "GET", "/api/2.1/jobs/list", []string{"jobs:read:write"}, false},
		{"an empty modifier", "GET", "/api/2.1/jobs/list", []string{"jobs:"}, false},
		{"letter case", "GET", "/api/2.1/jobs/list", []string{"jobs:READ"}, false},
		{"reads of everything", "GET", "/api/2.1/jobs/list", []string{"all-apis:read"}, true},
		{"no write of everything", "POST", "/api/2.1/jobs/create", []string{"all-apis:read"}, false},
		{"reading does not run statements by a driver", "POST", "/sql/1.0/warehouses/1", []string{"sql:read"}, false},
		{"reading a path for all methods", "GET", "/sql/1.0/warehouses/1", []string{"sql:read"}, true},
		{"both: by a driver", "POST", "/sql/1.0/warehouses/1", []string{"sql:restricted-query:read"}, true},
		{"no call of a tool", "POST", "/api/2.0/mcp/sql", []string{"sql:read:restricted-query"}, false},
		{"no write to a path for all methods", "PUT", "/api/2.0/permissions/notebooks/1", []string{"workspace:read", "access-management:read"}, false},
		{"OPTIONS is no read", "OPTIONS", "/api/2.0/mcp/sql", []string{"sql:read"}, false},
		{"a part of one of two scopes", "POST", "/ai-gateway/connections/1", []string{"ai-gateway", "unity-catalog:read"}, false},
		{"a part of one of two scopes, reading", "GET", "/ai-gateway/connections/1", []string{"ai-gateway", "unity-catalog:read"}, true},
		{"account level", "GET", "/api/2.0/accounts/a/workspaces", []string{"all-apis:read"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			readings, err := Default().Read(test.method, test.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			o := readings[0].Operation
			if got := o.Permits(o.HeldFor(test.method, test.held)); got != test.want {
				t.Errorf("%s %s with %s: %v", test.method, test.path, test.held, got)
			}
			if got, err := Default().Permits(test.method, test.path, test.held); got != test.want || err != nil {
				t.Errorf("%s %s with %s by the catalog: %v, %v", test.method, test.path, test.held, got, err)
			}
			if o.PermitsStrictly(test.held) != o.permits(test.held, o.Strict()) {
				t.Error("a policy's ceiling has no modifiers of tokens")
			}
		})
	}
}
