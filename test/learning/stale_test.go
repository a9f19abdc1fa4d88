package learning

import (
	"slices"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestKnownScopes: the gateway keeps what it knows of a token for a while. A disagreement by
// such a token counts if the workspace says afterwards that the token has these scopes still,
// for which it is asked once.
func TestKnownScopes(t *testing.T) {
	workspace := answering(t, map[string]string{"GET " + clusters: "clusters", "GET " + secrets: "sql", "GET " + catalogs: "sql"})
	g := harness.StartGateway(t, workspace, "mode observe")
	same, changed := g.Mint("sql"), g.Mint("files")
	for _, token := range []string{same.Value, changed.Value} {
		g.Send(t, "GET", alerts, harness.Bearer(token)) // which the workspace does not have
	}
	lookups := workspace.Lookups()
	workspace.SetScopes(changed.Info.TokenId, "clusters")
	send := func(path, token string) {
		t.Helper()
		if a := g.Send(t, "GET", path, harness.Bearer(token)); a.StatusCode != 200 {
			t.Fatalf("%s: answered %d", path, a.StatusCode)
		}
	}
	send(clusters, changed.Value)
	send(secrets, same.Value)
	const series = `scopegate_map_disagreements_total{operation="workspace.Secrets.ListScopes"}`
	harness.WaitFor(t, series, func() bool { return g.Metric(t, series) == 1 })
	for range 10 {
		send(secrets, same.Value)
	}
	harness.WaitFor(t, series, func() bool { return g.Metric(t, series) == 11 })
	if n := workspace.Lookups() - lookups; n != 2 {
		t.Errorf("%d look-ups for two tokens", n)
	}
	got, text := lessons(t, g)
	if l := got["workspace.Secrets.ListScopes"]; len(got) != 1 || l.Disagreed != 11 || !slices.Equal(l.held(), []string{"sql"}) {
		t.Error(text)
	}
}

// TestConfirmedByChangedScopes: what seems to confirm a row is no argument against its
// correction if the token may have had other scopes by then.
func TestConfirmedByChangedScopes(t *testing.T) {
	for _, mode := range []string{"enforce", "observe"} {
		t.Run(mode, func(t *testing.T) {
			needs := map[string]string{"GET " + clusters: "sql"}
			workspace := answering(t, needs)
			g := harness.StartGateway(t, workspace, "mode "+mode)
			changed := g.Mint("clusters")
			g.Send(t, "GET", clusters, harness.Bearer(changed.Value))
			workspace.SetScopes(changed.Info.TokenId, "sql")
			for range 3 {
				g.Send(t, "GET", clusters, harness.Bearer(changed.Value))
			}
			got, text := lessons(t, g)
			if l := got["compute.Clusters.List"]; l.Disagreed != 1 || l.Agreed == 0 || len(l.Passed) > 0 {
				t.Error(text)
			}
		})
	}
}
