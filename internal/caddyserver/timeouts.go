package caddyserver

import (
	"cmp"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// idleTimeout is how long a transfer may pause, in either direction. Caddy's default of
// a minute cuts paused uploads and downloads, and streams on which one side is quiet.
// Caddy's time for request headers, a minute, stays as it is.
const idleTimeout = 15 * time.Minute

// setTimeouts sets both idle timeouts: with only one of them raised, the other direction
// is cut. Caddy sets its own defaults after handlers were provisioned.
func setTimeouts(server *caddyhttp.Server) {
	for _, timeout := range []*caddy.Duration{&server.ReadIdleTimeout, &server.WriteIdleTimeout} {
		*timeout = cmp.Or(*timeout, caddy.Duration(idleTimeout))
	}
}

// strangerIdle is how long the body of a request without a known token may pause, which
// is Caddy's default for all.
var strangerIdle = time.Minute

// DistrustBody limits how long the body of a request may pause that carries no known
// token or is refused. net/http reads up to 256 KB of a body that nobody wants before it
// sends the answer.
func DistrustBody(r *http.Request) {
	reader, _ := caddyhttp.IdleTimeoutsFromContext(r.Context())
	if reader != nil && reader.Deadline.Timeout > strangerIdle {
		reader.Override(strangerIdle, reader.Deadline.MinRate) // until the request ends
	}
}
