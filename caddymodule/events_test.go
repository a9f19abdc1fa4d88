package caddymodule

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

func init() { caddy.RegisterModule(eventTap{}) }

// eventTap is an event handler as an operator would configure one.
type eventTap struct{}

var tapped = make(chan caddy.Event, 100)

func (eventTap) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.tap", New: func() caddy.Module { return new(eventTap) }}
}

func (eventTap) Handle(_ context.Context, e caddy.Event) error { tapped <- e; return nil }

func (eventTap) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { d.Next(); return nil }

func nextEvent(t *testing.T) caddy.Event {
	t.Helper()
	select {
	case e := <-tapped:
		return e
	case <-time.After(10 * time.Second):
		t.Fatal("no event")
		return caddy.Event{}
	}
}

func TestEvents(t *testing.T) {
	workspace := startWorkspace(t)
	gateway := fmt.Sprintf("databricks_gateway %s {\n%sexpiry_warning 2d\n}", workspace.URL(), adminBlock)
	h := startSite(t, workspace, gateway)
	h.global = fmt.Sprintf("events {\non %s tap\non %s tap\non %s tap\n}", eventDown, eventUp, eventExpiring)
	h.load(t, gateway)

	now := time.Now()
	soon := workspace.Mint(fakeworkspace.TokenSpec{CreationTime: now.Add(-30 * 24 * time.Hour), ExpiryTime: now.Add(24 * time.Hour)})
	later := workspace.Mint(fakeworkspace.TokenSpec{Lifetime: 72 * time.Hour})
	for range 3 {
		h.send(t, "GET", jobsList, bearer(later.Value))
		h.send(t, "GET", jobsList, bearer(soon.Value))
		h.send(t, "GET", jobsList, bearer(h.mint().Value)) // made for an hour
	}
	if e := nextEvent(t); e.Name() != eventExpiring || e.Data["token_id"] != soon.Info.TokenId {
		t.Errorf("got %s %v", e.Name(), e.Data)
	}

	workspace.Faults().Set("/api/2.0/token-management/", fakeworkspace.RejectAdmin(401))
	for range 5 {
		h.send(t, "GET", jobsList, bearer(h.mint().Value))
	}
	if e := nextEvent(t); e.Name() != eventDown || e.Data["outage"] != "admin_rejected" {
		t.Errorf("got %s %v", e.Name(), e.Data)
	}
	workspace.Faults().Clear()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if h.send(t, "GET", jobsList, bearer(h.mint().Value)).status == 200 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("no recovery")
		}
	}
	if e := nextEvent(t); e.Name() != eventUp {
		t.Errorf("got %s %v", e.Name(), e.Data)
	}
	select {
	case e := <-tapped:
		t.Errorf("one more event: %s %v", e.Name(), e.Data)
	default:
	}
}
