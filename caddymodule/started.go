package caddymodule

import (
	"context"
	"slices"

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
	for _, writer := range s.handler.outputConflicts() {
		s.handler.logger.Error("an audit output is opened with different settings by several handlers, and lines are lost when it rolls; give it the same output, queue and when_full everywhere",
			zap.String("writer", writer))
	}
	s.handler.keepUsage()
	return nil
}

// outputConflicts names the writers of this handler's audit that others of the same
// configuration open with other settings.
func (h *Handler) outputConflicts() (writers []string) {
	look := func(other *Handler) {
		if writer, ok := h.outlets.conflicts(other.outlets); ok && !slices.Contains(writers, writer) {
			writers = append(writers, writer)
		}
	}
	for _, server := range h.servers() {
		eachHandler(server.Routes, look)
		if server.Errors != nil {
			eachHandler(server.Errors.Routes, look)
		}
		for _, route := range server.NamedRoutes {
			eachHandler(caddyhttp.RouteList{*route}, look)
		}
	}
	return writers
}

// eachHandler calls a function for the handlers of this module in routes.
func eachHandler(routes caddyhttp.RouteList, do func(*Handler)) {
	for i := range routes {
		for _, handler := range routes[i].Handlers {
			switch handler := handler.(type) {
			case *Handler:
				do(handler)
			case *caddyhttp.Subroute:
				eachHandler(handler.Routes, do)
			}
		}
	}
}

// servers returns the servers of this configuration.
func (h *Handler) servers() map[string]*caddyhttp.Server {
	app, err := h.ctx.AppIfConfigured("http")
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
	for _, server := range h.servers() {
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
