package fleet

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fleettest"
	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// TestAuthorityEnds: an authority that is told to end sends its edges to another one at once.
// It does not hold their streams for its grace period, and so ends soon itself.
func TestAuthorityEnds(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, true)
	authorities := r.Authorities(2, func(_ int, s *fleettest.Setting) { s.Grace = "25s" })
	edge := r.Edges(1, nil, authorities...)[0]
	subscribed := func(g *fleettest.Gateway, n float64) func() bool {
		return func() bool { return g.Metric("scopegate_fleet_edges") == n }
	}
	harness.WaitFor(t, "the subscription", subscribed(authorities[0], 1))
	token := r.Mint()
	mustPass(t, token.Value, edge)

	began := time.Now()
	authorities[0].Process.Signal(t, syscall.SIGTERM)
	harness.WaitUpTo(t, fleettest.Slack(), "the edge to go to the other authority", subscribed(authorities[1], 1))
	t.Logf("the edge took %v", time.Since(began)) // less than a second, unless the machine is busy
	if code := authorities[0].Process.Exit(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if took := time.Since(began); took > 2*fleettest.Slack() {
		t.Errorf("the authority took %v to end", took)
	}
	if log := authorities[0].Process.Log.String(); strings.Contains(log, "graceful shutdown") {
		t.Errorf("it was cut off: %s", log)
	}
	r.Workspace.Revoke(token.Info.TokenId)
	authorities[1].Forget(token.Info.TokenId)
	mustRefuse(t, token.Value, "unknown_token", time.Now(), 0, edge)
}

// TestAuthorityReloads: an edge comes back to its only authority when that reloads, and hears
// what it missed.
func TestAuthorityReloads(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, false)
	authority := r.Start("authority", fleettest.Setting{Answers: true, Grace: "25s"})
	edge := r.Edges(1, nil, authority)[0]
	subscribed := func() bool { return authority.Metric("scopegate_fleet_edges") == 1 }
	harness.WaitFor(t, "the subscription", subscribed)
	token := r.Mint()
	mustPass(t, token.Value, edge)

	folder := filepath.Join(r.Folder, authority.Name)
	reload := processtest.Launch(t, authority.Listen, nil, "scopegate", "reload", "--force",
		"--config", filepath.Join(folder, "Caddyfile"), "--adapter", "caddyfile", "--address", "unix/"+filepath.Join(folder, "admin.sock"))
	if code := reload.Exit(t); code != 0 {
		t.Fatalf("reloading: %d %s", code, reload.Log)
	}
	r.Workspace.Revoke(token.Info.TokenId)
	authority.Forget(token.Info.TokenId)
	mustRefuse(t, token.Value, "unknown_token", time.Now(), recovers, edge)
	harness.WaitUpTo(t, recovers, "the edge to come back", subscribed)
	mustPass(t, r.Mint().Value, edge)
	if log := authority.Process.Log.String(); strings.Contains(log, "graceful shutdown") {
		t.Errorf("a request was cut off: %s", log)
	}
}
