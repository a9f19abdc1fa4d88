package decisions

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/golden"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestRestrictLegacyToken is the README's example: a token without scopes may call only
// two APIs.
func TestRestrictLegacyToken(t *testing.T) {
	g := harness.StartGateway(t, harness.StartWorkspace(t), `policy analyst {
		match comment "analyst *"
		allow GET /api/2.1/unity-catalog/catalogs
		allow * /api/2.0/preview/sql/queries
	}`)
	restricted := g.Workspace.Mint(fakeworkspace.TokenSpec{Comment: "Analyst laptop"})
	free := g.Mint()
	denied := golden.FindRefusal(t, "policy_denied", "policy", "analyst", "requirement", "permits only its own routes")
	for _, test := range []struct {
		name, method, path, token string
		status                    int
	}{
		{"catalogs", "GET", "/api/2.1/unity-catalog/catalogs", restricted.Value, 200},
		{"queries", "GET", "/api/2.0/preview/sql/queries", restricted.Value, 200},
		{"Me", "GET", harness.Me, restricted.Value, 200},
		{"warehouses", "GET", "/api/2.0/sql/warehouses", restricted.Value, 403},
		{"creating a catalog", "POST", "/api/2.1/unity-catalog/catalogs", restricted.Value, 403},
		{"warehouses behind an escaped path", "GET", "/api/2.0/preview/sql/..%2f..%2fsql/warehouses", restricted.Value, 400},
		{"another token", "GET", "/api/2.0/sql/warehouses", free.Value, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := len(g.ReadRecords(t))
			got := g.Send(t, test.method, test.path, harness.Bearer(test.token))
			if got.StatusCode != test.status {
				t.Fatalf("status %d, want %d: %s", got.StatusCode, test.status, got.Body)
			}
			record := g.Records(t, before+1)[before]
			if test.status != 403 {
				return
			}
			got.CheckRefusal(t, denied)
			if record["policy"] != "analyst" || !strings.Contains(got.Body, `"policy":"analyst"`) {
				t.Errorf("the refusal or the record does not name the policy: %v\n%s", record, got.Body)
			}
		})
	}
}

func TestPolicyModes(t *testing.T) {
	for _, test := range []struct {
		name, options    string
		status           int
		enforced         bool
		reason, decision string
	}{
		{"enforced", "policy p {\nscopes sql\n}", 403, true, "policy_denied", "deny"},
		{"observed", "policy p {\nscopes sql\nmode observe\n}", 200, false, "policy_denied", "deny"},
		{"observed by the handler", "mode observe\npolicy p {\nscopes sql\n}", 200, false, "policy_denied", "deny"},
		{"lifetime", "policy p {\nmax_lifetime 1m\n}", 403, true, "policy_lifetime", "deny"},
		{"permitted", "policy p {\nscopes jobs\nrequire_expiry\n}", 200, true, "permitted", "allow"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := harness.StartGateway(t, harness.StartWorkspace(t), test.options)
			got := g.Send(t, "GET", harness.JobsList, harness.Bearer(g.Mint("jobs", "sql").Value))
			record := g.Records(t, 1)[0]
			if got.StatusCode != test.status || record["enforced"] != test.enforced || record["reason"] != test.reason || record["decision"] != test.decision {
				t.Errorf("status %d, record %v", got.StatusCode, record)
			}
		})
	}
}

func TestPercentOfTokens(t *testing.T) {
	g := harness.StartGateway(t, harness.StartWorkspace(t), "lookup {\nrate 1000\n}\npolicy p {\nscopes sql\nmode enforce 50%\n}")
	refused := 0
	const n = 60
	for range n {
		token := g.Workspace.Mint(fakeworkspace.TokenSpec{Owner: fmt.Sprint(time.Now().UnixNano(), "@example.com"), Scopes: []string{"jobs"}})
		first := g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value)).StatusCode
		if again := g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value)).StatusCode; again != first {
			t.Errorf("the same token got %d, then %d", first, again)
		}
		if first == 403 {
			refused++
		}
	}
	// Five standard deviations around one half.
	if refused < n/2-20 || refused > n/2+20 {
		t.Errorf("%d of %d tokens were refused", refused, n)
	}
}

// TestPolicyByOwner: a policy for some owners applies to every token whose owner's name
// is still unknown.
func TestPolicyByOwner(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "policy bi {\nmatch owner *@bi.example.com\nscopes sql\n}")
	mint := func(owner string) string {
		return workspace.Mint(fakeworkspace.TokenSpec{Owner: owner, Creator: "admin@example.com", Scopes: []string{"jobs"}, Lifetime: time.Hour}).Value
	}
	ours, theirs := mint("anna@bi.example.com"), mint("etl@example.com")
	workspace.Faults().Set("/api/2.0/preview/scim/", fakeworkspace.Hang())
	for _, token := range []string{ours, theirs} {
		if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(token)); got.StatusCode != 403 {
			t.Errorf("owner's name unknown: %d", got.StatusCode)
		}
	}
	// Token Management names the creator, so no SCIM look-up is needed if that is the owner.
	own := workspace.Mint(fakeworkspace.TokenSpec{Owner: "self@example.com", Scopes: []string{"jobs"}, Lifetime: time.Hour}).Value
	if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(own)); got.StatusCode != 200 {
		t.Errorf("the owner created the token: %d", got.StatusCode)
	}
	workspace.Faults().Clear()
	harness.WaitFor(t, "the policy not to match another owner", func() bool {
		return g.Send(t, "GET", harness.JobsList, harness.Bearer(theirs)).StatusCode == 200
	})
	if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(ours)); got.StatusCode != 403 {
		t.Errorf("the owner that the policy names: %d", got.StatusCode)
	}
}

// TestPoliciesThatPermitNothing: the error names the mistake.
func TestPoliciesThatPermitNothing(t *testing.T) {
	const all = "deny * /*\n"
	for _, test := range []struct {
		name   string
		policy string
		says   string // empty if the policy is valid
	}{
		{"a scope", "scopes sql\n", ""},
		{"a scope that no operation needs", "scopes search\n", "no operation of the catalog needs search"},
		{"such a scope and another", "scopes search sql\n", ""},
		{"such a scope and a route", "scopes search\nallow GET /api/2.1/jobs/list\n", ""},
		{"everything denied", "scopes sql\n" + all, "what it allows, it denies as well"},
		{"only a denial of everything", all, "what it allows, it denies as well"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := harness.NewGateway(t, harness.StartWorkspace(t))
			err := g.TryLoad(t, harness.GatewayBlock(g.Workspace, "policy p {\n"+test.policy+"}"))
			if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}
