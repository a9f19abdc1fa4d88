package decisions

import (
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/golden"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

func TestOutageAndRecovery(t *testing.T) {
	for _, test := range []struct {
		name    string
		fault   fakeworkspace.Kind
		timeout string // of a look-up; short only if the fault must reach it
		retry   string
	}{
		{"throttled", fakeworkspace.TooManyRequests("2"), "5s", "2"},
		{"hanging", fakeworkspace.Hang(), "500ms", "1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			workspace := harness.StartWorkspace(t)
			g := harness.StartGateway(t, workspace, "lookup {\ntimeout "+test.timeout+"\n}")
			token := g.Mint("jobs")
			workspace.Faults().Set("/api/2.0/token-management/", test.fault)
			got := g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value))
			if got.StatusCode != 503 || got.Header.Get("Retry-After") != test.retry {
				t.Fatalf("status %d, Retry-After %q", got.StatusCode, got.Header.Get("Retry-After"))
			}
			got.CheckRefusal(t, golden.FindRefusal(t, "directory_unavailable"))
			if record := g.Records(t, 1)[0]; record["detail"] == "" {
				t.Errorf("the record has no cause: %v", record)
			}
			workspace.Faults().Clear()
			harness.WaitFor(t, "look-ups to work again", func() bool {
				other := g.Mint("jobs") // not in the cache
				return g.Send(t, "GET", harness.JobsList, harness.Bearer(other.Value)).StatusCode == 200
			})
		})
	}
}
