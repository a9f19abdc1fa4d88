package decisions

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestNeeds: scopes that are needed together, calls that clients go on without, and rows of
// which it is not known which scope is right.
func TestNeeds(t *testing.T) {
	rows := filepath.Join(t.TempDir(), "routes.tsv")
	if err := os.WriteFile(rows, []byte("GET\t/api/2.0/both\tai-gateway+jobs\n"+
		"POST\t/api/2.0/quiet\toptional\n"+
		"GET\t/api/2.0/doubtful\tjobs,sql\tinferred\n"+
		"GET\t/api/2.0/either\tjobs,sql\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	g := harness.StartGateway(t, harness.StartWorkspace(t), "routes "+rows+`
	policy jobs {
		match comment "capped"
		scopes jobs
	}
	policy two {
		match comment "two"
		scopes jobs sql
	}`)
	token := func(comment string, scopes ...string) string {
		return g.Workspace.Mint(fakeworkspace.TokenSpec{Comment: comment, Scopes: scopes}).Value
	}
	for _, test := range []struct {
		name, method, path, token string
		status                    int
		says                      string
		optional                  bool
	}{
		{"one of two", "GET", "/api/2.0/both", token("", "jobs"), 403, "required scopes: ai-gateway and jobs [", false},
		{"both", "GET", "/api/2.0/both", token("", "jobs", "ai-gateway"), 404, "", false},
		{"a policy with one of two", "GET", "/api/2.0/both", token("capped", "jobs", "ai-gateway"), 403, "policy jobs, which permits only jobs.", false},
		{"optional", "POST", "/api/2.0/quiet", token("", "jobs"), 403, "required scopes: all-apis [", true},
		{"optional under a policy", "POST", "/api/2.0/quiet", token("capped"), 403, "permits only jobs", true},
		{"optional, all-apis", "POST", "/api/2.0/quiet", token("", "all-apis"), 404, "", false},
		{"doubtful", "GET", "/api/2.0/doubtful", token("", "sql"), 404, "", false},
		{"doubtful under a policy", "GET", "/api/2.0/doubtful", token("capped", "jobs", "sql"), 403, "permits only jobs; this operation may need sql as well.", false},
		{"doubtful under a policy with all of them", "GET", "/api/2.0/doubtful", token("two", "sql"), 404, "", false},
		{"either under a policy", "GET", "/api/2.0/either", token("capped", "jobs", "sql"), 404, "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			records := len(g.ReadRecords(t))
			quiet := g.Metric(t, `scopegate_optional_refusals_total{mode="enforce"}`)
			denied := refusals(t, g)
			answer := g.Send(t, test.method, test.path, harness.Bearer(test.token))
			if answer.StatusCode != test.status || !strings.Contains(answer.Body, test.says) {
				t.Errorf("answered %d %s", answer.StatusCode, answer.Body)
			}
			record := g.Records(t, records+1)[records]
			if record["optional"] != test.optional {
				t.Errorf("recorded %v", record)
			}
			quiet = g.Metric(t, `scopegate_optional_refusals_total{mode="enforce"}`) - quiet
			denied = refusals(t, g) - denied
			if (quiet == 1) != test.optional || (denied == 1) != (test.status == 403 && !test.optional) {
				t.Errorf("counted %g optional and %g others", quiet, denied)
			}
		})
	}
}

// refusals counts those that raise an alarm.
func refusals(t testing.TB, g *harness.Gateway) float64 {
	return g.Metric(t, `scopegate_decisions_total{decision="deny",mode="enforce",reason="missing_scope"}`) +
		g.Metric(t, `scopegate_decisions_total{decision="deny",mode="enforce",reason="policy_denied"}`)
}
