package operations

import (
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// Names of the events that operators subscribe to.
const (
	eventDown     = "databricks_authority_down"
	eventUp       = "databricks_authority_up"
	eventExpiring = "databricks_token_expiring"
)

func TestEvents(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	gateway := harness.GatewayBlock(workspace, "expiry_warning 2d")
	g := harness.NewGateway(t, workspace)
	g.Global = harness.TapEvents(eventDown, eventUp, eventExpiring)
	g.Load(t, gateway)

	now := time.Now()
	soon := workspace.Mint(fakeworkspace.TokenSpec{CreationTime: now.Add(-30 * 24 * time.Hour), ExpiryTime: now.Add(24 * time.Hour)})
	later := workspace.Mint(fakeworkspace.TokenSpec{Lifetime: 72 * time.Hour})
	for range 3 {
		g.Send(t, "GET", harness.JobsList, harness.Bearer(later.Value))
		g.Send(t, "GET", harness.JobsList, harness.Bearer(soon.Value))
		g.Send(t, "GET", harness.JobsList, harness.Bearer(g.Mint().Value)) // with a lifetime of an hour
	}
	if e := harness.NextEvent(t); e.Name() != eventExpiring || e.Data["token_id"] != soon.Info.TokenId {
		t.Errorf("got %s %v", e.Name(), e.Data)
	}

	workspace.Faults().Set("/api/2.0/token-management/", fakeworkspace.RejectAdmin(401))
	for range 5 {
		g.Send(t, "GET", harness.JobsList, harness.Bearer(g.Mint().Value))
	}
	if e := harness.NextEvent(t); e.Name() != eventDown || e.Data["outage"] != "admin_rejected" {
		t.Errorf("got %s %v", e.Name(), e.Data)
	}
	workspace.Faults().Clear()
	harness.WaitFor(t, "look-ups to work again", func() bool {
		return g.Send(t, "GET", harness.JobsList, harness.Bearer(g.Mint().Value)).StatusCode == 200
	})
	if e := harness.NextEvent(t); e.Name() != eventUp {
		t.Errorf("got %s %v", e.Name(), e.Data)
	}
	harness.NoEvent(t, 0)
}
