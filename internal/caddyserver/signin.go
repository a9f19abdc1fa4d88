package caddyserver

import (
	"crypto/tls"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/caddyauth"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
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

// verifiesClients reports whether a server verifies a certificate of every client that names one
// of the hosts. A client might name another and then ask for this one, or come from an address
// for which there are other rules: see [Verified].
func verifiesClients(ctx caddy.Context, server *caddyhttp.Server, hosts []string) bool {
	if len(server.TLSConnPolicies) == 0 {
		return false
	}
	if len(hosts) == 0 {
		hosts = []string{""}
	}
	configs := server.TLSConnPolicies.TLSConfig(ctx)
	return !slices.ContainsFunc(hosts, func(host string) bool {
		hello := &tls.ClientHelloInfo{ServerName: strings.Replace(host, "*", "any", 1), Conn: anyConn{}}
		config, err := configs.GetConfigForClient(hello)
		return err == nil && config.ClientAuth != tls.RequireAndVerifyClientCert
	})
}

// mixesCertificates reports whether a client can name a host to one policy, which verifies its
// certificate, and then ask for another host, whose policy trusts others.
func mixesCertificates(server *caddyhttp.Server) bool {
	if strict := server.StrictSNIHost; strict != nil && *strict {
		return false
	}
	verifying := 0
	for _, policy := range server.TLSConnPolicies {
		if policy.ClientAuthentication != nil {
			verifying++
		}
	}
	return verifying > 1
}

// Verified reports whether the server has verified a certificate of the client.
func Verified(r *http.Request) bool { return r.TLS != nil && len(r.TLS.VerifiedChains) > 0 }

// anyConn is a connection of which only the addresses are asked for.
type anyConn struct{ net.Conn }

func (anyConn) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.IPv4zero} }
func (anyConn) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4zero} }
