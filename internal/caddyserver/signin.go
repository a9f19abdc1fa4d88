package caddyserver

import (
	"crypto/tls"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddytls"
)

// signsIn reports whether a handler passes only requests of users that signed in. It knows
// Caddy's own ways.
func signsIn(handler caddyhttp.MiddlewareHandler) bool {
	switch handler := handler.(type) {
	case *caddyauth.Authentication: // of whatever provider
		return true
	case *reverseproxy.Handler:
		return asksFirst(handler)
	case *caddyhttp.Subroute:
		// Routes for errors may pass what was refused.
		return handler.Errors == nil && slices.ContainsFunc(handler.Routes, func(route caddyhttp.Route) bool {
			return isForAll(&route) && slices.ContainsFunc(route.Handlers, signsIn)
		})
	}
	return false
}

// asksFirst reports whether a proxy is what forward_auth makes of itself: it asks another server
// about each request, and passes the request only if the answer is a success.
func asksFirst(proxy *reverseproxy.Handler) bool {
	if proxy.Rewrite == nil || proxy.Rewrite.Method != http.MethodGet || proxy.Rewrite.URI == "" {
		return false
	}
	passes := false
	for i := range proxy.HandleResponse {
		answer := &proxy.HandleResponse[i]
		switch {
		case answer.StatusCode != "", ends(answer.Routes): // the client gets an answer
		case answer.Match == nil || len(answer.Match.StatusCode) == 0 || slices.ContainsFunc(answer.Match.StatusCode, isNoSuccess):
			return false
		default:
			passes = true
		}
	}
	return passes
}

// isNoSuccess reports whether a status in a matcher, which may be a class such as 4, is not 2xx.
func isNoSuccess(status int) bool { return status != 2 && status/100 != 2 }

// ends reports whether routes answer every request.
func ends(routes caddyhttp.RouteList) bool {
	return slices.ContainsFunc(routes, func(route caddyhttp.Route) bool {
		return isForAll(&route) && slices.ContainsFunc(route.Handlers, func(handler caddyhttp.MiddlewareHandler) bool {
			switch handler := handler.(type) {
			case *caddyhttp.StaticResponse:
				return !strings.HasPrefix(string(handler.StatusCode), "1") // which goes on
			case *reverseproxy.CopyResponseHandler:
				return true
			case *caddyhttp.Subroute:
				return ends(handler.Routes)
			}
			return false
		})
	})
}

// verifiesClients reports whether a server verifies a certificate of every client.
func verifiesClients(server *caddyhttp.Server) bool {
	return len(server.TLSConnPolicies) > 0 && !slices.ContainsFunc(server.TLSConnPolicies, func(policy *caddytls.ConnectionPolicy) bool {
		return !policy.Drop && (policy.TLSConfig == nil || policy.TLSConfig.ClientAuth != tls.RequireAndVerifyClientCert)
	})
}
