package harness

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func init() { caddy.RegisterModule(eventTap{}) }

// eventTap is an event handler, configured as an operator would do it.
type eventTap struct{}

var tapped = make(chan caddy.Event, 100)

func (eventTap) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.tap", New: func() caddy.Module { return new(eventTap) }}
}

func (eventTap) Handle(_ context.Context, e caddy.Event) error { tapped <- e; return nil }

func (eventTap) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { d.Next(); return nil }

// TapEvents returns the global option that sends events to [NextEvent].
func TapEvents(names ...string) string {
	var b strings.Builder
	for _, name := range names {
		fmt.Fprintf(&b, "on %s tap\n", name)
	}
	return "events {\n" + b.String() + "}"
}

// NextEvent waits for the next event.
func NextEvent(t testing.TB) caddy.Event {
	t.Helper()
	select {
	case e := <-tapped:
		return e
	case <-time.After(Patience):
		t.Fatal("no event")
		return caddy.Event{}
	}
}

// NoEvent fails the test if another event arrives within the given time.
func NoEvent(t testing.TB, within time.Duration) {
	t.Helper()
	select {
	case e := <-tapped:
		t.Errorf("unexpected event: %s %v", e.Name(), e.Data)
	case <-time.After(within):
	}
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*eventTap)(nil)
)
