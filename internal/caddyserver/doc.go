// Package caddyserver makes Caddy's HTTP servers fit to carry the gateway, however they
// were configured: as Caddyfile, as JSON, or by the command sidecar. What an operator
// sets wins.
//
// Files: servers.go (what a handler calls), timeouts.go, shutdown.go (the grace period,
// and the end after it), signals.go (the end if Caddy is stuck), misdirected.go (requests
// that reach no handler), loop.go (a gateway in front of itself), listen.go and startlock.go (addresses that another process
// uses), admin.go (the same for Caddy's admin API), site.go and signin.go (who can reach a
// handler).
package caddyserver
