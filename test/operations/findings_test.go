package operations

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/findings"
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

const eventFinding = "databricks_finding"

// TestFindings: what is wrong with a token is listed, counted, emitted once and acknowledged,
// and what was acknowledged outlives the configuration.
func TestFindings(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	fine := workspace.Mint(fakeworkspace.TokenSpec{Owner: "etl@example.com", Scopes: []string{"jobs"}, Lifetime: 60 * 24 * time.Hour})
	wide := workspace.Mint(fakeworkspace.TokenSpec{Owner: "old-hand@example.com", Lifetime: 60 * 24 * time.Hour})
	key := "unscoped:" + wide.Info.TokenId
	g := harness.NewGateway(t, workspace)
	g.Global = harness.TapEvents(eventFinding)
	g.Load(t, harness.GatewayBlock(workspace, ""))

	list := func(query string) (report findings.Report) {
		t.Helper()
		status, body := g.Admin(t, "GET", "/databricks_scopes/findings"+query)
		if err := json.Unmarshal([]byte(body), &report); err != nil || status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		return report
	}
	report := list("?token_id=" + wide.Info.TokenId)
	if len(report.Findings) == 0 || report.Findings[0].Key != key || report.Findings[0].Owner != "old-hand@example.com" || report.Workspace != workspace.URL() {
		t.Fatalf("%+v", report)
	}
	if got := list("?token_id=" + fine.Info.TokenId); len(got.Findings) != 0 {
		t.Errorf("a token that is fine has %+v", got.Findings)
	}
	for all, n := list("?state=new"), 0; n < len(all.Findings); n++ {
		e := harness.NextEvent(t)
		if e.Data["change"] != "new" || e.Data["workspace"] != workspace.URL() {
			t.Errorf("%v", e.Data)
		}
	}
	harness.NoEvent(t, 0)
	const counted = `scopegate_findings{kind="unscoped",state="`
	unscoped := g.Metric(t, counted+`new"}`)
	if unscoped < 1 {
		t.Errorf("%g unscoped tokens are counted", unscoped)
	}

	status, body := g.AdminBody(t, "POST", "/databricks_scopes/findings/acknowledge", `{"key":"`+key+`","by":"ops","note":"JIRA-42"}`)
	if status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	if left, known := g.Metric(t, counted+`new"}`), g.Metric(t, counted+`acknowledged"}`); left != unscoped-1 || known != 1 {
		t.Errorf("counted are %g new and %g acknowledged", left, known)
	}

	// Another configuration, which shares nothing but the storage.
	g.Load(t, "respond ok")
	g.Load(t, harness.GatewayBlock(workspace, "findings {\nunused 30d\n}"))
	if got := list("?state=acknowledged"); len(got.Findings) != 1 || got.Findings[0].Key != key || got.Findings[0].Acknowledged.Note != "JIRA-42" {
		t.Errorf("after a reload: %+v", got)
	}
	harness.NoEvent(t, 0)

	// Evaluated by itself.
	g.Load(t, harness.GatewayBlock(workspace, "findings {\nevery 10s\n}"))
	workspace.Revoke(wide.Info.TokenId)
	if status, body := g.Admin(t, "DELETE", "/databricks_scopes/tokens/"+wide.Info.TokenId); status != 200 { // nor is the last list used again
		t.Fatalf("%d %s", status, body)
	}
	if e := harness.NextEvent(t); e.Data["change"] != "resolved" || !strings.HasSuffix(e.Data["key"].(string), wide.Info.TokenId) {
		t.Errorf("%v", e.Data)
	}
	harness.NoEvent(t, 0)

	g.Load(t, harness.GatewayBlock(workspace, "findings off"))
	if status, body := g.Admin(t, "GET", "/databricks_scopes/findings"); status != 404 || !strings.Contains(body, "the option findings is off") {
		t.Errorf("turned off: %d %s", status, body)
	}
}
