package decisions

import (
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

const warehousesList = "/api/2.0/sql/warehouses"

func TestOAuthVerify(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "oauth verify")
	sign := func(claims map[string]any) string { return workspace.SignJWT(claims) }
	foreign := fakeworkspace.New()
	if err := foreign.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(foreign.Close)
	pat, dotted := g.Mint("jobs"), g.Mint("sql.warehouses:read")
	for _, test := range []struct {
		name, token, path string
		status            int
		reason            string
	}{
		{"all-apis", sign(map[string]any{"scope": "all-apis"}), harness.ClustersList, 200, "permitted"},
		{"required scope", sign(map[string]any{"scope": "jobs offline_access"}), harness.JobsList, 200, "permitted"},
		{"another scope", sign(map[string]any{"scope": "jobs"}), harness.ClustersList, 403, "missing_scope"},
		{"Me", sign(map[string]any{"scope": "jobs"}), harness.Me, 200, "permitted"},
		{"no scope grants nothing", sign(map[string]any{"scope": nil}), harness.JobsList, 403, "unknown_token"},
		{"sign-in scopes grant nothing", sign(map[string]any{"scope": "openid email"}), harness.JobsList, 403, "unknown_token"},
		{"expired", sign(map[string]any{"exp": time.Now().Add(-time.Hour).Unix()}), harness.JobsList, 403, "token_expired"},
		{"another workspace", foreign.SignJWT(nil), harness.JobsList, 403, "unknown_token"},
		{"signature changed", sign(nil)[:len(sign(nil))-8] + "AAAAAAAA", harness.JobsList, 403, "unknown_token"},
		{"personal access tokens still work", pat.Value, harness.JobsList, 200, "permitted"},
		{"an alias", sign(map[string]any{"scope": "openid sql.warehouses:read"}), warehousesList, 200, "permitted"},
		{"an alias of other operations", sign(map[string]any{"scope": "sql.statement-execution"}), warehousesList, 403, "missing_scope"},
		{"an alias for reading what is account-level", sign(map[string]any{"scope": "sql.warehouses:read"}), "/api/2.0/accounts/a/workspaces", 403, "account_level_operation"},
		{"a name that opens nothing", sign(map[string]any{"scope": "catalog.catalogs:read"}), "/api/2.1/unity-catalog/catalogs", 403, "missing_scope"},
		{"no alias on a personal access token", dotted.Value, warehousesList, 403, "missing_scope"},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := len(g.ReadRecords(t))
			got := g.Send(t, "GET", test.path, harness.Bearer(test.token))
			record := g.Records(t, before+1)[before]
			if got.StatusCode != test.status || record["reason"] != test.reason || record["token_id"] == "" {
				t.Errorf("status %d, record %v", got.StatusCode, record)
			}
		})
	}
}

func TestOAuthVerifyInAnOutage(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "oauth verify\nlookup {\ntimeout 1s\n}")
	workspace.Faults().Set("/oidc/", fakeworkspace.Unavailable("2"))
	got := g.Send(t, "GET", harness.JobsList, harness.Bearer(workspace.SignJWT(nil)))
	if got.StatusCode != 503 || got.Header.Get("Retry-After") == "" {
		t.Errorf("status %d", got.StatusCode)
	}
}
