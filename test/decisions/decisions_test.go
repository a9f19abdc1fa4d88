package decisions

import (
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/databricks/databricks-sdk-go/service/settings"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/golden"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// outcome is what should happen to a request.
type outcome struct {
	status  int
	reason  string          // in the record
	refusal *golden.Refusal // nil if the request passes
}

func TestDecisions(t *testing.T) {
	workspace := harness.StartWorkspace(t, fakeworkspace.WithScopeCheck(harness.CatalogScopes))
	g := harness.StartGateway(t, workspace, "")
	var (
		jobs    = g.Mint("jobs")
		legacy  = g.Mint()
		all     = g.Mint("all-apis")
		expired = workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}, ExpiryTime: time.Now().Add(-time.Minute)})
		revoked = g.Mint("jobs")
		// Scopes that Databricks inferred from use grant nothing.
		inferred = workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"sql"}, InferredScopes: []string{"jobs"}, BackfillScopes: []string{"jobs"}})
	)
	workspace.Revoke(revoked.Info.TokenId)

	passed := func(status int) outcome { return outcome{status: status, reason: "permitted"} }
	public := outcome{status: 200, reason: "public_route"}
	refused := func(name string, namesAndValues ...string) outcome {
		refusal := golden.FindRefusal(t, name, namesAndValues...)
		return outcome{refusal.Status, refusal.Reason, &refusal}
	}
	for _, test := range []struct {
		name   string
		method string
		path   string
		change func(*http.Request)
		want   outcome
	}{
		{"permitted", "GET", harness.JobsList, harness.Bearer(jobs.Value), passed(200)},
		{"basic", "GET", harness.JobsList, func(r *http.Request) { r.SetBasicAuth("token", jobs.Value) }, passed(200)},
		{"another version of the API", "GET", "/api/2.1/jobs/list", harness.Bearer(jobs.Value), passed(200)},
		{"query", "GET", harness.JobsList + "?limit=1", harness.Bearer(jobs.Value), passed(200)},
		{"bare question mark", "GET", harness.JobsList + "?", harness.Bearer(jobs.Value), passed(200)},
		{"HEAD counts as GET", "HEAD", harness.JobsList, harness.Bearer(jobs.Value), passed(200)},
		{"any scope permits Me", "GET", harness.Me, harness.Bearer(jobs.Value), passed(200)},
		{"legacy token", "GET", harness.ClustersList, harness.Bearer(legacy.Value), passed(200)},
		{"all-apis", "GET", harness.ClustersList, harness.Bearer(all.Value), passed(200)},
		{"unmapped path with all-apis", "GET", harness.UnmappedPath, harness.Bearer(all.Value), passed(404)},
		{"discovery needs no token", "GET", harness.WellKnown, nil, public},
		{"discovery with a malformed token", "GET", harness.WellKnown, harness.Bearer("x"), public},

		{"missing scope", "GET", harness.ClustersList, harness.Bearer(jobs.Value), refused("missing_scope", "scopes", "clusters")},
		{"unmapped path", "GET", harness.UnmappedPath, harness.Bearer(jobs.Value), refused("missing_scope", "scopes", "all-apis")},
		{"unknown method of a known path", "DELETE", harness.JobsList, harness.Bearer(jobs.Value), refused("missing_scope", "scopes", "all-apis")},
		{"inferred scopes grant nothing", "GET", harness.JobsList, harness.Bearer(inferred.Value), refused("missing_scope", "scopes", "jobs")},
		{"expired", "GET", harness.JobsList, harness.Bearer(expired.Value), refused("token_expired")},
		{"revoked", "GET", harness.JobsList, harness.Bearer(revoked.Value), refused("unknown_token")},
		{"never existed", "GET", harness.JobsList, harness.Bearer("dapi00000000000000000000000000000000"), refused("unknown_token")},
		{"no credential", "GET", harness.JobsList, nil, refused("missing_credential")},
		{"unknown shape", "GET", harness.JobsList, harness.Bearer("secret"), refused("unsupported_credential")},
		{"another workspace named", "GET", harness.JobsList, func(r *http.Request) {
			harness.Bearer(jobs.Value)(r)
			r.Header.Set("X-Databricks-Workspace-Id", "42")
		}, refused("wrong_workspace/named", "workspace", strconv.FormatInt(workspace.WorkspaceID(), 10))},
		{"another workspace named in the query", "GET", harness.JobsList + "?o=42", harness.Bearer(jobs.Value),
			refused("wrong_workspace/named", "workspace", strconv.FormatInt(workspace.WorkspaceID(), 10))},
		{"this workspace named", "GET", harness.JobsList, func(r *http.Request) {
			harness.Bearer(jobs.Value)(r)
			r.Header.Set("X-Databricks-Org-Id", strconv.FormatInt(workspace.WorkspaceID(), 10))
		}, passed(200)},

		{"two credentials", "GET", harness.JobsList, func(r *http.Request) {
			r.Header["Authorization"] = []string{"Bearer " + jobs.Value, "Bearer " + legacy.Value}
		}, refused("ambiguous_request/two credentials")},
		{"credential that a proxy would drop", "GET", harness.JobsList, func(r *http.Request) {
			harness.Bearer(jobs.Value)(r)
			r.Header.Set("Connection", "close, authorization")
		}, refused("ambiguous_request/connection", "header", "Authorization")},
		{"second credential in the query", "GET", harness.JobsList + "?access_token=x", harness.Bearer(jobs.Value), refused("ambiguous_request/query")},
		{"second credential in the query, escaped", "GET", harness.JobsList + "?access%5Ftoken=x", harness.Bearer(jobs.Value), refused("ambiguous_request/query")},
		{"two workspaces", "GET", harness.JobsList + "?o=1", func(r *http.Request) {
			harness.Bearer(jobs.Value)(r)
			r.Header.Set("X-Databricks-Org-Id", "2")
		}, refused("ambiguous_request/two workspaces")},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := len(g.ReadRecords(t))
			workspace.Reset()
			got := g.Send(t, test.method, test.path, test.change)
			if got.StatusCode != test.want.status {
				t.Errorf("status %d, want %d\n%s", got.StatusCode, test.want.status, got.Body)
			}
			record := g.Records(t, before+1)[before]
			if record["reason"] != test.want.reason || record["enforced"] != true || record["status"] != float64(test.want.status) {
				t.Errorf("record: %v", record)
			}
			refusal := test.want.refusal
			if refusal == nil {
				if got.Header.Get("X-Scopegate-Reason") != "" {
					t.Errorf("refused: %s", got.Body)
				}
				return
			}
			got.CheckRefusal(t, *refusal)
			if record["request_id"] != got.Header.Get("X-Request-Id") || record["decision"] != "deny" {
				t.Errorf("record: %v", record)
			}
			for _, arrived := range workspace.Requests() {
				if arrived.TokenID != "" {
					t.Errorf("a refused request reached the workspace: %s %s", arrived.Method, arrived.URI)
				}
			}
		})
	}
}

// TestTokenOfAnotherWorkspace: a token that was made in another workspace is refused.
func TestTokenOfAnotherWorkspace(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "")
	good, foreign := g.Mint("jobs"), g.Mint("jobs")
	workspace.Update(foreign.Info.TokenId, func(info *settings.TokenInfo) { info.WorkspaceId = 42 })
	if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(good.Value)); got.StatusCode != 200 {
		t.Fatalf("this workspace's token: %d", got.StatusCode)
	}
	got := g.Send(t, "GET", harness.JobsList, harness.Bearer(foreign.Value))
	// Token Management does not know it, so that the gateway cannot say whose it is.
	got.CheckRefusal(t, golden.FindRefusal(t, "unknown_token"))
}

func TestRefusalNamesScopes(t *testing.T) {
	g := harness.StartGateway(t, harness.StartWorkspace(t), "")
	token := g.Mint("sql", "jobs")
	got := g.Send(t, "GET", harness.ClustersList, func(r *http.Request) {
		harness.Bearer(token.Value)(r)
		r.Header.Set("Traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")
	})
	got.CheckRefusal(t, golden.FindRefusal(t, "missing_scope", "scopes", "clusters"))
	for _, part := range []string{
		`"reason":"MISSING_SCOPE"`, `"domain":"scopegate"`, `"required_scopes":"clusters"`,
		`"token_scopes":"sql,jobs"`, `"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"`, `"operation":"`,
	} {
		if !strings.Contains(got.Body, part) {
			t.Errorf("the body lacks %s\n%s", part, got.Body)
		}
	}
}

func TestObserve(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "mode observe")
	jobs := g.Mint("jobs")
	for i, test := range []struct {
		name     string
		change   func(*http.Request)
		status   int
		decision string
		reason   string
	}{
		{"permitted", harness.Bearer(jobs.Value), 200, "allow", "permitted"},
		{"missing scope", harness.Bearer(jobs.Value), 200, "deny", "missing_scope"},
		{"no credential", nil, 401, "deny", "missing_credential"},
		{"cookie", func(r *http.Request) { harness.Bearer(jobs.Value)(r); r.Header.Set("Cookie", "a=b") }, 200, "allow", "permitted"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := harness.JobsList
			if test.reason == "missing_scope" {
				path = harness.ClustersList
			}
			got := g.Send(t, "GET", path, test.change)
			if got.StatusCode != test.status || got.Header.Get("X-Scopegate-Reason") != "" {
				t.Errorf("status %d, X-Scopegate-Reason %q", got.StatusCode, got.Header.Get("X-Scopegate-Reason"))
			}
			record := g.Records(t, i+1)[i]
			if record["decision"] != test.decision || record["reason"] != test.reason || record["enforced"] != false {
				t.Errorf("record: %v", record)
			}
			if test.name == "cookie" {
				arrived, _ := workspace.LastRequest()
				if arrived.Header.Get("Cookie") == "" || record["dropped_headers"] == nil {
					t.Error("mode observe changed the request, or did not record what it would change")
				}
			}
		})
	}
}

func TestUnscopedTokensDeny(t *testing.T) {
	g := harness.StartGateway(t, harness.StartWorkspace(t), "unscoped_tokens deny")
	legacy, all := g.Mint(), g.Mint("all-apis")
	for _, test := range []struct {
		name, path, value string
		status            int
	}{
		{"legacy token", harness.JobsList, legacy.Value, 403},
		{"legacy token calls Me", harness.Me, legacy.Value, 403},
		{"all-apis", harness.JobsList, all.Value, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := g.Send(t, "GET", test.path, harness.Bearer(test.value)); got.StatusCode != test.status {
				t.Errorf("status %d, want %d: %s", got.StatusCode, test.status, got.Body)
			}
		})
	}
}

func TestOAuthPass(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "oauth pass")
	got := g.Send(t, "GET", harness.JobsList, harness.Bearer(workspace.SignJWT(nil)))
	record := g.Records(t, 1)[0]
	if got.StatusCode != 200 || record["reason"] != "oauth_passed" || record["decision"] != "allow" {
		t.Errorf("status %d, record %v", got.StatusCode, record)
	}
	if got := g.Send(t, "GET", harness.JobsList, harness.Bearer("secret")); got.StatusCode != 401 {
		t.Errorf("what is not a JWT: status %d", got.StatusCode)
	}
}

func TestRecordsHaveAllFields(t *testing.T) {
	g := harness.StartGateway(t, harness.StartWorkspace(t), "")
	token := g.Mint("jobs")
	g.Send(t, "GET", harness.JobsList+"?secret=query", harness.Bearer(token.Value))
	g.Send(t, "GET", harness.ClustersList, harness.Bearer(token.Value))
	g.Send(t, "GET", harness.JobsList, nil)
	g.Send(t, "GET", harness.WellKnown, nil)
	g.Send(t, "GET", "/a%00b", nil)
	for i, record := range g.Records(t, 5) {
		for _, field := range audit.FieldNames() {
			if _, ok := record[field]; !ok {
				t.Errorf("record %d lacks %s", i, field)
			}
		}
	}
	content, err := os.ReadFile(g.AuditLog)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{token.Value, "secret=query"} {
		if strings.Contains(string(content), secret) {
			t.Errorf("the audit log contains %q", secret)
		}
	}
}

func TestPlaceholders(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartSite(t, workspace, `databricks_scopes {
		workspace `+workspace.URL()+`
		`+harness.AdminBlock+`
	}
	respond "{http.auth.user.id}|{databricks_scopes.token_id}|{databricks_scopes.owner}|{databricks_scopes.scopes}|{databricks_scopes.required}|{databricks_scopes.operation}|{databricks_scopes.decision}|{databricks_scopes.reason}|{databricks_scopes.facts_age}"`)
	token := g.Mint("jobs", "sql")
	owner := strconv.FormatInt(token.Info.OwnerId, 10)
	got := strings.Split(g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value)).Body, "|")
	age, err := strconv.ParseFloat(got[8], 64)
	if err != nil || age < 0 || age > 60 {
		t.Errorf("facts_age: %q", got[8])
	}
	want := []string{owner, token.Info.TokenId, owner, "jobs,sql", "jobs", got[5], "allow", "permitted"}
	if !slices.Equal(got[:8], want) || got[5] == "" {
		t.Errorf("got  %v\nwant %v", got[:8], want)
	}
}
