package fakeworkspace_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// TestOwnScopes: who passes, and what a refusal names and where, in each of Databricks' wordings.
func TestOwnScopes(t *testing.T) {
	jobsNeedSQL := func(string, string) ([]string, bool) { return []string{"sql"}, false }
	w := start(t, fakeworkspace.WithScopeCheck(jobsNeedSQL), fakeworkspace.WithOwnScopes(
		fakeworkspace.OwnScopes{Method: "GET", Template: "/api/2.2/jobs/list", AnyOf: []string{"jobs", "workflows"}},
		fakeworkspace.OwnScopes{Method: "HEAD", Template: "/api/2.1/clusters/list", AnyOf: []string{"heads"}, Wording: fakeworkspace.FrontDoor2025},
		fakeworkspace.OwnScopes{Method: "*", Template: "/api/2.1/clusters/{verb}", AnyOf: []string{"clusters+jobs"}, Wording: fakeworkspace.ServiceText},
		fakeworkspace.OwnScopes{Method: "POST", Template: "/serving-endpoints/{name}/invocations", AnyOf: []string{"a+b", "c"}, Wording: fakeworkspace.Challenge},
		fakeworkspace.OwnScopes{Method: "GET", Template: "/api/2.0/serving-endpoints", AnyOf: []string{"a+b"}, NameMissing: true},
		fakeworkspace.OwnScopes{Method: "GET", Template: "/api/2.0/secrets/scopes/list", AnyOf: []string{"secrets"}, Wording: fakeworkspace.FrontDoor2025},
		fakeworkspace.OwnScopes{Method: "GET", Template: "/api/2.0/sql/warehouses", Wording: fakeworkspace.Challenge},
	))
	tests := []struct {
		name, request string
		scopes        string
		named         string // as the refusal says it, empty if the request passes
		where         string // header, or body
	}{
		{"one alternative", "GET /api/2.2/jobs/list", "workflows", "", ""},
		{"none", "GET /api/2.2/jobs/list", "sql", "Provided access token does not have required scopes: jobs, workflows", "X-Databricks-Reason-Phrase"},
		{"HEAD as GET", "HEAD /api/2.2/jobs/list", "sql", "Provided access token does not have required scopes: jobs, workflows", "X-Databricks-Reason-Phrase"},
		{"HEAD before GET", "HEAD /api/2.1/clusters/list", "heads", "", ""},
		{"both", "GET /api/2.1/clusters/list", "clusters,jobs", "", ""},
		{"one of both", "GET /api/2.1/clusters/list", "clusters", "Invalid scope, required scopes: clusters, jobs", "body"},
		{"the other alternative", "POST /serving-endpoints/x/invocations", "c", "", ""},
		{"a challenge", "POST /serving-endpoints/x/invocations", "a", `error="insufficient_scope", error_description="The access token lacks a scope", scope="a b c"`, "Www-Authenticate"},
		{"of 2025", "GET /api/2.0/secrets/scopes/list", "a", "Provided PAT token does not have required scopes: secrets [Reqid: ", "body"},
		{"what is missing", "GET /api/2.0/serving-endpoints", "b", "required scopes: a", "X-Databricks-Reason-Phrase"},
		{"any credential", "GET /api/2.0/sql/warehouses", "z", "", ""},
		{"all-apis", "GET /api/2.2/jobs/list", "all-apis", "", ""},
		{"not its own", "POST /api/2.2/jobs/create", "jobs", "required scopes: sql [ReqId: ", "body"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			token := w.Mint(fakeworkspace.TokenSpec{Scopes: strings.Split(tt.scopes, ",")})
			method, path, _ := strings.Cut(tt.request, " ")
			got := call(t, method, w.URL()+path, token.Value, "{}")
			if tt.named == "" {
				if got.StatusCode == http.StatusForbidden {
					t.Errorf("refused: %s", got.body)
				}
				return
			}
			said := string(got.body)
			if tt.where != "body" {
				said = got.Header.Get(tt.where)
			}
			if got.StatusCode != http.StatusForbidden || !strings.Contains(said, tt.named) || tt.where == "X-Databricks-Reason-Phrase" && !strings.HasSuffix(said, tt.named) {
				t.Errorf("%d %q, want %q in the %s", got.StatusCode, said, tt.named, tt.where)
			}
		})
	}
}
