package caddymodule

import (
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
	"go.uber.org/zap"
)

// warnOfRewrites warns of rewrites between the handler and the workspace, which a
// handler cannot see while its neighbors are being provisioned.
func (h *Handler) warnOfRewrites() {
	for _, where := range h.unjudgedRewrites() {
		h.logger.Warn("a rewrite after databricks_scopes changes the path that was judged; move it before, or judge what it makes",
			zap.String("in", where))
	}
}

// servers returns the HTTP servers of this configuration.
func (a *App) servers() map[string]*caddyhttp.Server {
	app, err := a.ctx.AppIfConfigured("http")
	if err != nil {
		return nil
	}
	if app, ok := app.(*caddyhttp.App); ok {
		return app.Servers
	}
	return nil
}

// unjudgedRewrites names the handlers behind this one that change the path.
func (h *Handler) unjudgedRewrites() []string {
	for _, server := range h.app.servers() {
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
