package caddymodule

import (
	"context"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
	"go.uber.org/zap"
)

// started is what a handler does once its configuration runs, and not when it is
// only validated: warn of rewrites between the handler and the workspace, which a
// handler cannot see while its neighbours are being made, and begin to save what
// tokens are seen to use.
type started struct{ handler *Handler }

// Handle implements caddyevents.Handler, for Caddy's event "started".
func (s started) Handle(context.Context, caddy.Event) error {
	for _, where := range s.handler.unjudgedRewrites() {
		s.handler.logger.Warn("a rewrite after databricks_scopes changes the path that was judged; move it before, or judge what it makes",
			zap.String("in", where))
	}
	s.handler.keepUsage()
	return nil
}

// unjudgedRewrites names the handlers behind this one that change the path.
func (h *Handler) unjudgedRewrites() []string {
	app, err := h.ctx.AppIfConfigured("http")
	if err != nil {
		return nil
	}
	servers, ok := app.(*caddyhttp.App)
	if !ok {
		return nil
	}
	for _, server := range servers.Servers {
		var found []string
		if h.walk(server.Routes, false, &found) {
			return found
		}
	}
	return nil
}

// walk follows a request through routes in their order. It reports whether the
// handler was met.
func (h *Handler) walk(routes caddyhttp.RouteList, met bool, found *[]string) bool {
	for i := range routes {
		for _, handler := range routes[i].Handlers {
			switch handler := handler.(type) {
			case *Handler:
				met = met || handler == h
			case *caddyhttp.Subroute:
				met = h.walk(handler.Routes, met, found)
			case *rewrite.Rewrite:
				if met {
					*found = append(*found, "rewrite")
				}
			case *reverseproxy.Handler:
				if met && handler.Rewrite != nil {
					*found = append(*found, "reverse_proxy")
				}
			}
		}
	}
	return met
}

// Interface guard
var _ caddyevents.Handler = started{}
