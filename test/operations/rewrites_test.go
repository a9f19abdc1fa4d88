package operations

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestRewritesAfterTheDecision: the log warns about handlers that change a request after
// the decision.
func TestRewritesAfterTheDecision(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	scopes, proxy := harness.ScopesBlock(workspace), "reverse_proxy "+workspace.URL()
	for _, test := range []struct {
		name, directives string
		want             []string
	}{
		{"none", scopes + proxy, nil},
		{"before", "rewrite * /x{uri}\n" + scopes + proxy, nil},
		{"inside the proxy", scopes + proxy + " {\nrewrite /x{uri}\n}", []string{"reverse_proxy"}},
		{"method inside the proxy", scopes + proxy + " {\nmethod POST\n}", []string{"reverse_proxy"}},
		{"between, in a route block", "route {\n" + scopes + "uri strip_prefix /x\n" + proxy + "\n}", []string{"rewrite"}},
		{"in a later block", "route {\n" + scopes + "handle_path /x/* {\n" + proxy + "\n}\n}", []string{"rewrite"}},
		{"the shorthand", harness.GatewayBlock(workspace, ""), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := harness.NewGateway(t, workspace)
			log := filepath.Join(harness.TempDir(t), "warnings.log")
			g.Global = "log warnings {\ninclude http.handlers.databricks_scopes\noutput file " + log + "\n}"
			g.Load(t, test.directives)
			var warned []string
			for _, line := range harness.ReadRecords(t, log) {
				if line["msg"] == "a rewrite after databricks_scopes changes the path that was judged; move it before, or judge what it makes" {
					warned = append(warned, line["in"].(string))
				}
			}
			if !slices.Equal(warned, test.want) {
				t.Errorf("got %v, want %v", warned, test.want)
			}
		})
	}
}
