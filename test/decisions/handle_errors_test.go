package decisions

import (
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/golden"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestHandleErrors: a site's error routes may replace a refusal, and the client gets the
// refusal if none does.
func TestHandleErrors(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	for _, test := range []struct {
		name, errorRoutes string
		custom            string // body; empty for the refusal
		status            int
	}{
		{"none", "", "", 403},
		{"all errors", "handle_errors {\nrespond \"custom {err.status_code}\"\n}", "custom 403", 403},
		{"this status", "handle_errors 403 {\nrespond \"custom\" 451\n}", "custom", 451},
		{"another status", "handle_errors 404 {\nrespond \"custom\"\n}", "", 403},
		{"only the workspace's errors", "handle_errors {\n@theirs not header X-Scopegate-Reason *\nhandle /nowhere {\nrespond \"custom\"\n}\n}", "", 403},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := harness.StartSite(t, workspace, harness.GatewayBlock(workspace, "")+"\n"+test.errorRoutes)
			token := g.Mint("jobs")
			got := g.Send(t, "GET", harness.ClustersList, harness.Bearer(token.Value))
			if test.custom == "" {
				got.CheckRefusal(t, golden.FindRefusal(t, "missing_scope", "scopes", "clusters"))
			} else if got.StatusCode != test.status || got.Body != test.custom {
				t.Errorf("got %d %q, want %d %q", got.StatusCode, got.Body, test.status, test.custom)
			}
			// An error route does not change the record.
			if reason := got.Header.Get("X-Scopegate-Reason"); reason != "missing_scope" {
				t.Errorf("X-Scopegate-Reason is %q", reason)
			}
			record := g.Records(t, 1)[0]
			if record["reason"] != "missing_scope" || record["status"] != float64(test.status) || record["bytes_sent"] != float64(len(got.Body)) || record["request_id"] != got.Header.Get("X-Request-Id") {
				t.Errorf("record: %v", record)
			}
			if passed := g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value)); passed.StatusCode != http.StatusOK {
				t.Errorf("permitted request: %d", passed.StatusCode)
			}
		})
	}
}

// TestHandleErrorsSeesTheMessage: error routes can show the refusal's message.
func TestHandleErrorsSeesTheMessage(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartSite(t, workspace, harness.GatewayBlock(workspace, "")+"\nhandle_errors {\nrespond \"{err.status_code} {err.message} {databricks_scopes.reason}\"\n}")
	token := g.Mint("jobs")
	got := g.Send(t, "GET", harness.ClustersList, harness.Bearer(token.Value))
	want := golden.FindRefusal(t, "missing_scope", "scopes", "clusters")
	for _, part := range []string{"403", want.Message, "[ReqId: " + got.Header.Get("X-Request-Id") + "]", "missing_scope"} {
		if !strings.Contains(got.Body, part) {
			t.Errorf("%q lacks %q", got.Body, part)
		}
	}
}
