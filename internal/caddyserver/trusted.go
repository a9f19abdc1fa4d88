package caddyserver

import (
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// TrustedHeaders returns the names of the headers that the sender of a request is trusted to
// set, because it is one of the server's trusted_proxies: those of client_ip_headers, which is
// X-Forwarded-For by default. It returns nil for other senders.
func TrustedHeaders(r *http.Request) []string {
	if trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool); !trusted {
		return nil
	}
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return nil
	}
	return server.ClientIPHeaders
}
