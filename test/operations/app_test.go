package operations

import (
	"fmt"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestAppSharesAWorkspace: handlers that name a workspace of the app, by name or by URL,
// share its credential, cache and settings.
func TestAppSharesAWorkspace(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.NewGateway(t, workspace)
	g.Global = fmt.Sprintf("databricks {\nworkspace prod %s {\n%s}\naudit {\ncomment plain\n}\n}", workspace.URL(), harness.AdminBlock)
	g.Load(t, fmt.Sprintf("handle /api/2.2/* {\ndatabricks_gateway prod\n}\nhandle {\ndatabricks_gateway %s {\nmode observe\n}\n}", workspace.URL()))
	token := g.Mint("jobs")
	for path, want := range map[string]int{harness.JobsList: 200, harness.ClustersList: 200} {
		if got := g.Send(t, "GET", path, harness.Bearer(token.Value)); got.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, got.StatusCode, want)
		}
	}
	if got := workspace.Lookups(); got != 1 {
		t.Errorf("%d look-ups, want 1", got)
	}
	for _, record := range g.Records(t, 2) {
		if record["operation"] == "compute.Clusters.List" && record["enforced"] != false {
			t.Errorf("the handler's mode was ignored: %v", record)
		}
	}
}

// TestOptionsOfOneHandlerServeTheOthers: any one handler of a workspace may set an
// option for all of them, even a later one.
func TestOptionsOfOneHandlerServeTheOthers(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartSite(t, workspace, fmt.Sprintf("handle /api/2.2/* {\ndatabricks_gateway %s\n}\nhandle {\n%s\n}",
		workspace.URL(), harness.GatewayBlock(workspace, "")))
	if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(g.Mint("jobs").Value)); got.StatusCode != 200 {
		t.Errorf("handler without a credential: %d: %s", got.StatusCode, got.Body)
	}
}

// TestContradictionsAreRefused: loading fails for contradictions in JSON, and for those
// that appear only after placeholders are replaced.
func TestContradictionsAreRefused(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	t.Setenv("TEST_WORKSPACE", workspace.URL())
	handler := func(url, option string) string {
		return fmt.Sprintf("databricks_scopes {\nworkspace %s\n%s\n}", url, option)
	}
	g := harness.StartSite(t, workspace, "respond ok")
	for _, test := range []struct{ name, global, first, second, want string }{
		{"option of a workspace", "", handler(workspace.URL(), "sync 1m"), handler("{env.TEST_WORKSPACE}", "sync 2m"),
			"sync of the workspace " + workspace.URL() + " is set twice, with different values; set it once, in the databricks app"},
		{"option in a block", "", handler(workspace.URL(), "cache {\nttl 1m\n}"), handler("{env.TEST_WORKSPACE}", "cache {\nttl 2m\nsize 5\n}"),
			"cache ttl of the workspace"},
		{"two names for one workspace", "databricks {\nworkspace a " + workspace.URL() + "\nworkspace b {env.TEST_WORKSPACE}\n}", handler("a", ""), "",
			"workspaces a and b have the same URL; keep one of them"},
		{"several workspaces and no choice", "databricks {\nworkspace a https://a.example.com\nworkspace b https://b.example.com\n}", "databricks_scopes", "",
			"the handler does not say which workspace to use; set workspace to one of a, b"},
		{"audit", "databricks {\naudit {\ncomment plain\n}\n}", handler(workspace.URL(), "audit {\ncomment hash\n}"), "",
			"audit comment is set both here and in the databricks app, with different values; set it once"},
	} {
		t.Run(test.name, func(t *testing.T) {
			g.Global = test.global
			err := g.TryLoad(t, fmt.Sprintf("handle /a {\n%s\n}\nhandle {\n%s\n}", test.first, test.second))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}
