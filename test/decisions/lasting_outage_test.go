package decisions

import (
	"net/http"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/golden"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestOutageThatNeedsTheOperator: one refusal of the admin credential may be a secret that
// is being rotated, and clients are asked to retry. The second one cannot end by itself:
// clients are told, with a status that none of them retries. When the credential is
// accepted again, they pass.
func TestOutageThatNeedsTheOperator(t *testing.T) {
	for _, test := range []struct {
		name    string
		fault   fakeworkspace.Kind
		problem string
		detail  string
	}{
		{"credential refused", fakeworkspace.RejectAdmin(403), "the workspace refused the gateway's own admin credential", "admin_rejected"},
		{"tokens disabled", fakeworkspace.TokensDisabled(), "personal access tokens are disabled in this workspace", "tokens_disabled"},
	} {
		t.Run(test.name, func(t *testing.T) {
			workspace := harness.StartWorkspace(t)
			g := harness.StartGateway(t, workspace, "")
			ask := func() harness.Answer {
				return g.Send(t, "GET", harness.JobsList, harness.Bearer(g.Mint("jobs").Value))
			}
			known := g.Mint("jobs").Value
			if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(known)); got.StatusCode != 200 {
				t.Fatalf("before: %d", got.StatusCode)
			}

			workspace.Faults().Set("/api/2.0/token-management/", test.fault)
			began := time.Now()
			ask().CheckRefusal(t, golden.FindRefusal(t, "directory_unavailable"))
			var told harness.Answer
			harness.WaitFor(t, "clients to be told", func() bool {
				told = ask()
				return told.StatusCode != http.StatusServiceUnavailable
			})
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
			told.CheckRefusal(t, golden.FindRefusal(t, "gateway_misconfigured", "problem", test.problem))
			ask().CheckRefusal(t, golden.FindRefusal(t, "gateway_misconfigured", "problem", test.problem)) // also while look-ups pause
			if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(known)); got.StatusCode != 200 {
				t.Errorf("a known token: %d", got.StatusCode)
			}
			found := false
			for _, record := range g.Records(t, 4) {
				if record["reason"] == "gateway_misconfigured" {
					found = true
					if record["detail"] != test.detail {
						t.Errorf("record: %v", record)
					}
				}
			}
			if !found {
				t.Error("no record of it")
			}

			workspace.Faults().Clear()
			harness.WaitFor(t, "look-ups to work again", func() bool { return ask().StatusCode == 200 })
		})
	}
}
