package adminapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

// ownedTokens also knows the token of the gateway.
type ownedTokens struct {
	*fakeTokens
	own tokens.ID
}

func (o *ownedTokens) OwnToken() (tokens.ID, bool) { return o.own, true }

func TestPlan(t *testing.T) {
	first, second := token(1).ID.String(), token(2).ID.String()
	for _, test := range []struct {
		name, target string
		change       func(*fakeGateway, *fakeTokens, *fakeUsage)
		status       int
		says, lacks  []string
	}{
		{name: "all", target: "plan", status: 200, says: []string{`"workspace":"` + workspaceURL, first, second, `"scopes":["jobs"]`, `"owner":"one@example.com"`, `"reason":"not seen yet"`, `"tokens":2`, "the names of 1 owners are being looked up"}, lacks: []string{"gateway_token_id"}},
		{name: "a filter", target: "plan?owner=one@*", status: 200, says: []string{first}, lacks: []string{second}},
		{name: "recent use", target: "plan?used=1h&unscoped=false", status: 200, says: []string{`"used_since"`}},
		{name: "an odd filter", target: "plan?unused=soon", status: 400, says: []string{"unused must be a duration"}},
		{name: "an odd window", target: "plan?used=soon", status: 400, says: []string{"used must be a duration"}},
		{name: "a misspelled filter", target: "plan?ownr=x", status: 400, says: []string{"did you mean owner?"}},
		{name: "no list", target: "plan", change: fail, status: 503, says: []string{"cannot be listed, so there is no plan: the workspace is down"}},
		{name: "no saved usage", target: "plan", change: unreadable, status: 503, says: []string{"saved usage cannot be read, so there is no plan: no disk"}},
		{name: "several workspaces", target: "plan", change: anotherWorkspace, status: 409, says: []string{"name one of them"}},
		{name: "the gateway's own token", target: "plan", change: func(g *fakeGateway, f *fakeTokens, _ *fakeUsage) {
			g.workspaces[0].Tokens = &ownedTokens{f, f.known[1].ID}
		}, status: 200, says: []string{`"gateway_token_id":"` + second}},
	} {
		t.Run(test.name, func(t *testing.T) {
			gateway, known, seen := newFake()
			if test.change != nil {
				test.change(gateway, known, seen)
			}
			status, body := do(t, serve(t, gateway), http.MethodGet, test.target)
			if status != test.status {
				t.Errorf("%d %.300s", status, body)
			}
			checkText(t, body, test.says, test.lacks)
		})
	}
}

// TestPlanNamesRules: what would break is told with the policy and the option behind it.
func TestPlanNamesRules(t *testing.T) {
	refuse := func(seen *fakeUsage, reason policy.Reason) {
		u := &seen.state.Tokens[0].Uses[0]
		u.WouldDeny, u.Reason = u.Calls, string(reason)
	}
	for _, test := range []struct {
		name   string
		change func(*fakeGateway, *fakeTokens, *fakeUsage)
		want   [3]string // policy, option and what it asks
		note   bool
	}{
		{"require_expiry", func(g *fakeGateway, _ *fakeTokens, u *fakeUsage) {
			refuse(u, policy.PolicyLifetime)
			g.judges[0].Rules.Policies = []policy.Policy{{Name: "short", RequireExpiry: true, Observe: true}}
		}, [3]string{"short", "require_expiry", "asks for tokens that expire"}, false},
		{"scopes", func(g *fakeGateway, _ *fakeTokens, u *fakeUsage) {
			refuse(u, policy.PolicyDenied)
			g.judges[0].Rules.Policies = []policy.Policy{{Name: "sql only", Ceiling: []string{"sql"}}}
		}, [3]string{"sql only", "scopes", "permits only sql"}, false},
		{"unscoped_tokens", func(g *fakeGateway, f *fakeTokens, u *fakeUsage) {
			refuse(u, policy.MissingScope)
			f.known[0].Scopes, g.judges[0].Rules.AllowUnscoped = nil, false
		}, [3]string{"", "unscoped_tokens", ""}, false},
		{"handlers that differ", func(g *fakeGateway, f *fakeTokens, u *fakeUsage) {
			refuse(u, policy.PolicyDenied)
			g.judges = append(g.judges, Judge{g.judges[0].Judge, "other", workspaceURL})
		}, [3]string{}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			gateway, known, seen := newFake()
			test.change(gateway, known, seen)
			_, body := do(t, serve(t, gateway), http.MethodGet, "plan")
			var plan usage.Plan
			if err := json.Unmarshal([]byte(body), &plan); err != nil {
				t.Fatal(err)
			}
			for _, row := range plan.Rows {
				if row.ID != known.known[0].ID.String() {
					continue
				}
				u := row.Recommendation.WouldBreak[0]
				if got := [3]string{u.Policy, u.Option, u.Requirement}; got[0] != test.want[0] || got[1] != test.want[1] || !strings.HasPrefix(got[2], test.want[2]) {
					t.Errorf("%q", got)
				}
			}
			if noted := strings.Contains(body, "the policies behind refusals are not named"); noted != test.note {
				t.Errorf("%q", plan.Notes)
			}
		})
	}
}

// TestPlanQuery holds that the gateway understands what clients ask.
func TestPlanQuery(t *testing.T) {
	query := PlanQuery{ReportQuery{Workspace: workspaceURL, Format: "csv", Sort: "last", Unscoped: true, NoExpiry: true, Unused: "30d", Expiring: "12h", Owner: "a & b"}, "90d"}
	gateway, _, _ := newFake()
	if status, body := do(t, serve(t, gateway), http.MethodGet, "plan?"+query.encode().Encode()); status != http.StatusOK {
		t.Errorf("%d %s", status, body)
	}
}
