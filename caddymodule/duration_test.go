package caddymodule

import (
	"testing"

	"github.com/caddyserver/caddy/v2"

	own "github.com/scopegate/scopegate/internal/duration"
)

// TestDurationsAreCaddys checks that packages without Caddy read durations as it does.
func TestDurationsAreCaddys(t *testing.T) {
	for _, text := range []string{
		"30d", "1d12h", "12h1d", "1d1d", "1.5d", ".5d", "1.d", "-2d", "+2d", "1h30m", "90s", "1ns", "0", "0d",
		"", "d", "-d", "1dd", "30", "soon", "1d2", "1e3d", "1..5d", "--1d", "1d-2d", " 1d", "1d ", "1 d", "99999999999d",
	} {
		ours, ourErr := own.Parse(text)
		caddys, caddyErr := caddy.ParseDuration(text)
		if ours != caddys || (ourErr == nil) != (caddyErr == nil) {
			t.Errorf("%q: %v, %v; Caddy says %v, %v", text, ours, ourErr, caddys, caddyErr)
		}
	}
}
