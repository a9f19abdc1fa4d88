package caddyserver

import (
	"context"
	"net"
	"net/http"
	"sync"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

const (
	// caddyHeaderLimit is what Caddy allows the headers of a request, in bytes, where
	// max_header_size does not say otherwise.
	caddyHeaderLimit = 16 << 10
	// headerLimit is what we allow then. Envoy and the load balancers of AWS allow
	// about as much, so that what is too long is refused by the workspace itself, in its
	// own words and with a record.
	headerLimit = 64 << 10
)

// letThrough makes a server leave to its handlers what it would otherwise answer itself.
func letThrough(server *caddyhttp.Server) {
	if server.MaxHeaderBytes == caddyHeaderLimit {
		server.MaxHeaderBytes = headerLimit
	}
	// net/http answers OPTIONS * with 200 unless told not to. Caddy has no option for it,
	// and this is the first time that the server can be seen.
	var once sync.Once
	server.RegisterConnContext(func(ctx context.Context, _ net.Conn) context.Context {
		once.Do(func() {
			if server, ok := ctx.Value(http.ServerContextKey).(*http.Server); ok {
				server.DisableGeneralOptionsHandler = true
			}
		})
		return ctx
	})
}
