package fleet

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/fleettest"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// TestSeveralWorkspaces: one site can answer the edges of several workspaces.
func TestSeveralWorkspaces(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, false)
	other := fakeworkspace.New()
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	g := r.Prepare("authority", fleettest.Setting{Answers: true})
	content := strings.NewReplacer(
		"databricks {\n", "databricks {\nworkspace other "+other.URL()+" {\nadmin {\ntoken {file."+r.Secret("other.token", other.AdminToken())+"}\n}\n}\n",
		"databricks_authority {\n", "databricks_authority {\nworkspace other\ntoken {file."+r.EdgeToken+"}\n}\ndatabricks_authority {\n",
	).Replace(g.Caddyfile())
	file := filepath.Join(r.Folder, g.Name, "Caddyfile")
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	g.Process = processtest.Launch(t, g.Listen, nil, "scopegate", "run", "--config", file, "--adapter", "caddyfile")
	g.AwaitReady()

	// It is answered by the second handler, its stream too.
	edge := r.Edges(1, nil, g)[0]
	awaitEdges(t, g, edge)
	token := r.Mint()
	mustPass(t, token.Value, edge)

	theirs := other.Mint(fakeworkspace.TokenSpec{Owner: "user@example.com", Scopes: []string{"jobs"}})
	for _, test := range []struct {
		name, workspace, token string
		status                 int
		code                   string
	}{
		{"the first", other.URL(), theirs.Info.TokenId, 200, ""},
		{"the second", r.Workspace.URL(), token.Info.TokenId, 200, ""},
		{"one's token at the other", other.URL(), token.Info.TokenId, 404, "unknown_token"},
		{"neither", "https://other.cloud.databricks.com", token.Info.TokenId, 421, "workspace"},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, body := ask(t, g, wire.Prefix+"tokens/"+test.token, func(r *http.Request) { r.Header.Set(wire.WorkspaceHeader, test.workspace) })
			if status != test.status || !strings.Contains(body, test.code) {
				t.Errorf("%d %s, want %d %s", status, body, test.status, test.code)
			}
		})
	}
}
