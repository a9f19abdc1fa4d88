package decisions

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestIdentity: policies, refusals and records speak of operations, however their paths are
// written.
func TestIdentity(t *testing.T) {
	g := harness.StartGateway(t, harness.StartWorkspace(t), `policy keep {
		match comment "free*"
		deny * /api/2.0/preview/scim/v2/Users
		deny POST /api/2.0/token/create
		deny GET /api/2.1/unity-catalog/entity-tag-assignments/columns/secret/tags
	}
	policy lists {
		match comment "narrow*"
		allow GET /api/2.1/clusters/list
		allow GET /api/2.0/permissions/{type}/{id}
	}`)
	free := g.Workspace.Mint(fakeworkspace.TokenSpec{Comment: "free"}).Value
	narrow := g.Workspace.Mint(fakeworkspace.TokenSpec{Comment: "narrow"}).Value
	scoped := g.Workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"unity-catalog", "clusters", "genie"}}).Value
	const tags = "/api/2.1/unity-catalog/entity-tag-assignments/columns/"
	for _, test := range []struct {
		name, method, path, token string
		reason, operation         string
		operations                []string
	}{
		{"denied", "GET", "/api/2.0/preview/scim/v2/Users", free, "policy_denied", "iam.UsersV2.List", nil},
		{"denied, an alias", "GET", "/api/2.0/scim/v2/Users", free, "policy_denied", "iam.UsersV2.List", nil},
		{"denied, the web application", "POST", "/ajax-api/2.0/token/create", free, "policy_denied", "settings.Tokens.Create", nil},
		{"denied, no version", "POST", "/api/token/create", free, "policy_denied", "settings.Tokens.Create", nil},
		{"denied, preview", "POST", "/api/2.0/preview/token/create", free, "policy_denied", "settings.Tokens.Create", nil},
		{"denied, after a prefix", "POST", "/o/1/api/2.0/token/create", free, "policy_denied", "unmapped", nil},
		{"denied, capitals", "POST", "/api/2.0/Token/Create/", free, "policy_denied", "settings.Tokens.Create", nil},
		{"another operation", "GET", "/api/2.0/token/list", free, "permitted", "settings.Tokens.List", nil},
		{"allowed", "GET", "/api/2.0/clusters/list", narrow, "permitted", "compute.Clusters.List", nil},
		{"allowed, but not under an unknown path", "GET", "/ajax-api/2.0/clusters/list", narrow, "policy_denied", "compute.Clusters.List", nil},
		{"not what a special row is for", "GET", "/api/2.0/permissions/authorization/tokens", narrow, "policy_denied", "settings.TokenManagement.GetPermissions", nil},
		{"nor by another path", "GET", "/api/2.0/preview/permissions/authorization/tokens", narrow, "policy_denied", "settings.TokenManagement.GetPermissions", nil},
		{"a spelling needs more", "GET", "/ajax-api/2.0/clusters/list", scoped, "missing_scope", "compute.Clusters.List", nil},
		{"a slash in a name", "GET", tags + "c.s.t.a%2Fb/tags", scoped, "permitted", "catalog.EntityTagAssignments.List", nil},
		{"two operations", "GET", "/api/2.0/genie/spaces/a%2Fconversations", scoped, "permitted", "dashboards.Genie.GetSpace", []string{"dashboards.Genie.GetSpace", "dashboards.Genie.ListConversations"}},
		{"readings that disagree", "GET", "/api/2.1/clusters/..%2f..%2f2.0%2ftoken%2flist", free, "malformed_path", "", []string{"unmapped", "settings.Tokens.List"}},
		{"two slashes", "GET", "//api/2.1/clusters/list", scoped, "malformed_path", "", []string{"unmapped", "compute.Clusters.List"}},
		{"account-level", "GET", "/api/2.0/accounts/1/scim/v2/Users", free, "account_level_operation", "iam.AccountUsersV2.List", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := len(g.ReadRecords(t))
			answer := g.Send(t, test.method, test.path, harness.Bearer(test.token))
			record := g.Records(t, before+1)[before]
			got := []any{record["reason"], record["operation"], record["operations"]}
			var operations any = []any{}
			if test.operations != nil {
				list := []any{}
				for _, name := range test.operations {
					list = append(list, name)
				}
				operations = list
			}
			if diff := cmp.Diff([]any{test.reason, test.operation, operations}, got); diff != "" {
				t.Errorf("record (-want +got):\n%s", diff)
			}
			if refused := test.reason != "permitted"; refused != (answer.Header.Get("X-Scopegate-Reason") == test.reason) || refused && answer.StatusCode < http.StatusBadRequest {
				t.Errorf("status %d, reason %q", answer.StatusCode, answer.Header.Get("X-Scopegate-Reason"))
			}
		})
	}
}
