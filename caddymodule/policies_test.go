package caddymodule

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/scopes"
)

// TestRestrictLegacyToken is the README's example: a token without scopes may
// call two APIs and no other.
func TestRestrictLegacyToken(t *testing.T) {
	h := startGateway(t, startWorkspace(t), `policy analyst {
		match comment "analyst *"
		allow GET /api/2.1/unity-catalog/catalogs
		allow * /api/2.0/preview/sql/queries
	}`)
	restricted := h.workspace.Mint(fakeworkspace.TokenSpec{Comment: "Analyst laptop"})
	free := h.mint()
	const denied = "Access denied by the gateway's policy analyst, which permits only its own routes."
	for _, test := range []struct {
		name, method, path, token string
		status                    int
	}{
		{"catalogs", "GET", "/api/2.1/unity-catalog/catalogs", restricted.Value, 200},
		{"queries", "GET", "/api/2.0/preview/sql/queries", restricted.Value, 200},
		{"who am I", "GET", me, restricted.Value, 200},
		{"warehouses", "GET", "/api/2.0/sql/warehouses", restricted.Value, 403},
		{"creating a catalog", "POST", "/api/2.1/unity-catalog/catalogs", restricted.Value, 403},
		{"warehouses in disguise", "GET", "/api/2.0/preview/sql/..%2f..%2fsql/warehouses", restricted.Value, 403},
		{"another token", "GET", "/api/2.0/sql/warehouses", free.Value, 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			before := len(h.readRecords(t))
			got := h.send(t, test.method, test.path, bearer(test.token))
			if got.status != test.status {
				t.Fatalf("status %d, want %d: %s", got.status, test.status, got.body)
			}
			record := h.records(t, before+1)[before]
			if test.status != 403 {
				return
			}
			checkRefusal(t, got, "policy_denied", denied)
			if record["policy"] != "analyst" || !strings.Contains(got.body, `"policy":"analyst"`) {
				t.Errorf("the policy is not named: %v\n%s", record, got.body)
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
			h := startGateway(t, startWorkspace(t), test.options)
			got := h.send(t, "GET", jobsList, bearer(h.mint("jobs", "sql").Value))
			record := h.records(t, 1)[0]
			if got.status != test.status || record["enforced"] != test.enforced || record["reason"] != test.reason || record["decision"] != test.decision {
				t.Errorf("status %d, record %v", got.status, record)
			}
		})
	}
}

func TestPercentOfTokens(t *testing.T) {
	h := startGateway(t, startWorkspace(t), "lookup {\nrate 1000\n}\npolicy p {\nscopes sql\nmode enforce 50%\n}")
	refused := 0
	const n = 60
	for range n {
		token := h.workspace.Mint(fakeworkspace.TokenSpec{Owner: fmt.Sprint(time.Now().UnixNano(), "@example.com"), Scopes: []string{"jobs"}})
		first := h.send(t, "GET", jobsList, bearer(token.Value)).status
		if again := h.send(t, "GET", jobsList, bearer(token.Value)).status; again != first {
			t.Errorf("a token got %d and then %d", first, again)
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

// TestPolicyByOwner holds that a policy for some owners is about all of them until
// it is known who they are, and about the right ones from then on.
func TestPolicyByOwner(t *testing.T) {
	workspace := startWorkspace(t)
	h := startGateway(t, workspace, "policy bi {\nmatch owner *@bi.example.com\nscopes sql\n}")
	mint := func(owner string) string {
		return workspace.Mint(fakeworkspace.TokenSpec{Owner: owner, Creator: "admin@example.com", Scopes: []string{"jobs"}, Lifetime: time.Hour}).Value
	}
	ours, theirs := mint("anna@bi.example.com"), mint("etl@example.com")
	workspace.Faults().Set("/api/2.0/preview/scim/", fakeworkspace.Hang())
	for _, token := range []string{ours, theirs} {
		if got := h.send(t, "GET", jobsList, bearer(token)); got.status != 403 {
			t.Errorf("while the name is unknown: %d", got.status)
		}
	}
	// An owner who made the token is named by Token Management itself.
	own := workspace.Mint(fakeworkspace.TokenSpec{Owner: "self@example.com", Scopes: []string{"jobs"}, Lifetime: time.Hour}).Value
	if got := h.send(t, "GET", jobsList, bearer(own)); got.status != 200 {
		t.Errorf("an owner who made the token: %d", got.status)
	}
	workspace.Faults().Clear()
	for deadline := time.Now().Add(20 * time.Second); h.send(t, "GET", jobsList, bearer(theirs)).status != 200; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the policy goes on matching another owner")
		}
	}
	if got := h.send(t, "GET", jobsList, bearer(ours)); got.status != 403 {
		t.Errorf("the owner that is meant: %d", got.status)
	}
}

// TestPoliciesThatPermitNothing holds that the mistake which is named is the one
// that was made.
func TestPoliciesThatPermitNothing(t *testing.T) {
	all := []Route{{"*", "/*"}}
	for _, test := range []struct {
		name   string
		policy Policy
		says   string // "" if it may be loaded
	}{
		{"a scope", Policy{Scopes: []string{"sql"}}, ""},
		{"a scope of no operation", Policy{Scopes: []string{"ai-functions"}}, "no operation of the catalogue asks for ai-functions"},
		{"that and another", Policy{Scopes: []string{"ai-functions", "sql"}}, ""},
		{"that and a route", Policy{Scopes: []string{"ai-functions"}, Allow: []Route{{"GET", "/api/2.1/jobs/list"}}}, ""},
		{"everything denied", Policy{Scopes: []string{"sql"}, Deny: all}, "what it allows, it denies as well"},
		{"nothing but a denial of everything", Policy{Deny: all}, "what it allows, it denies as well"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.policy.Name = "p"
			_, err := (&Handler{Policies: []Policy{test.policy}}).policyRules(scopes.Default())
			if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("got %v, want %q", err, test.says)
			}
		})
	}
}
