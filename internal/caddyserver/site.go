package caddyserver

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Site is where a handler stands, and who can reach it there.
type Site struct {
	// Hosts are the names that lead to the handler, as host matchers have them. There are none
	// if all do.
	Hosts []string
	// Loopback is true if the site can be reached from this machine only.
	Loopback bool
	// SignsIn is true if something in front of the handler makes users sign in, and
	// Certificate if the server verifies their certificates. For the latter, [Verified] is to
	// be asked about each request.
	SignsIn, Certificate bool

	open []string // addresses that other machines can reach
	// mixed is true if who has a certificate for another site of the server reaches this one.
	mixed bool
}

// FindSite returns the site of a handler. All of the configuration must be provisioned. The
// handler is the one that matches; it may stand in routes and subroutes only.
func FindSite(ctx caddy.Context, matches func(caddyhttp.MiddlewareHandler) bool) (*Site, error) {
	app, err := ctx.AppIfConfigured("http")
	if err != nil {
		return nil, err
	}
	for _, server := range app.(*caddyhttp.App).Servers {
		site := siteIn(server.Routes, matches, Site{})
		if site == nil {
			continue
		}
		site.open = openListens(server)
		site.Loopback = len(site.open) == 0
		site.Certificate = verifiesClients(ctx, server, site.Hosts)
		site.mixed = mixesCertificates(server)
		return site, nil
	}
	return nil, errors.New("it must stand in a site, by itself or in handle or route; elsewhere, as in handle_errors or a named route, it cannot be told who reaches it")
}

// Check fails unless only users that signed in, or this machine, can reach the site, and says
// what to do.
func (s *Site) Check() error {
	switch {
	case s.Loopback:
		return nil
	case !s.SignsIn && !s.Certificate:
		return fmt.Errorf("its site listens on %s, where anyone can connect, and nobody has to sign in: add basic_auth or forward_auth to the same site, without a matcher and before it, or tls with client_auth and mode require_and_verify; or add bind 127.0.0.1 to the site, for this machine only", strings.Join(s.open, ", "))
	case !s.SignsIn && s.mixed:
		return errors.New("with strict_sni_host insecure_off, clients reach its site with a certificate for another site: remove that option, or add basic_auth or forward_auth to the site")
	case len(s.Hosts) == 0:
		return errors.New("its site has no host: name it in the site's address, such as https://console.example.com:9443, because requests for other names are refused")
	}
	return nil
}

// CheckEncrypted fails if the server that a handler is being provisioned for can be reached from
// other machines without TLS, and says what to do.
func CheckEncrypted(ctx caddy.Context) error {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return nil
	}
	plainPort := uint(caddyhttp.DefaultHTTPPort)
	if app, ok := httpApp(ctx); ok && app.HTTPPort > 0 {
		plainPort = uint(app.HTTPPort)
	}
	for _, configured := range openListens(server) {
		address, err := caddy.ParseNetworkAddress(configured)
		if err != nil {
			continue // Caddy will say so
		}
		if len(server.TLSConnPolicies) == 0 || address.StartPort <= plainPort && plainPort <= address.EndPort {
			return fmt.Errorf("its site listens on %s without TLS, so that others could read along: add bind 127.0.0.1 to the site, for this machine only, or give the site an https address, and basic_auth or forward_auth", configured)
		}
	}
	return nil
}

// openListens returns the addresses of a server that are not on the loopback interface.
func openListens(server *caddyhttp.Server) []string {
	return slices.DeleteFunc(slices.Clone(server.Listen), func(configured string) bool {
		address, err := caddy.ParseNetworkAddress(configured)
		return err == nil && IsLoopback(address)
	})
}

// IsLoopback reports whether only this machine can connect to an address, by TCP.
func IsLoopback(address caddy.NetworkAddress) bool {
	ip := net.ParseIP(strings.Trim(address.Host, "[]"))
	return strings.HasPrefix(address.Network, "tcp") && (strings.EqualFold(address.Host, "localhost") || ip != nil && ip.IsLoopback())
}

// siteIn looks for a handler in routes, in the order in which requests pass them. What is known
// of requests before the first route is in the site.
func siteIn(routes caddyhttp.RouteList, matches func(caddyhttp.MiddlewareHandler) bool, before Site) *Site {
	for i := range routes {
		route := &routes[i]
		within := before
		if hosts := onlyHosts(route); len(hosts) > 0 {
			within.Hosts = hosts
		}
		for _, handler := range route.Handlers {
			if matches(handler) {
				return &within
			}
			if subroute, ok := handler.(*caddyhttp.Subroute); ok {
				if site := siteIn(subroute.Routes, matches, within); site != nil {
					return site
				}
			}
			within.SignsIn = within.SignsIn || signsIn(handler)
		}
		if isForAll(route) {
			before.SignsIn = within.SignsIn
		}
	}
	return nil
}

// onlyHosts returns the hosts of a route; none if it is also for others.
func onlyHosts(route *caddyhttp.Route) (hosts []string) {
	matchers := hostsOf(route.MatcherSets)
	if len(matchers) < len(route.MatcherSets) {
		return nil
	}
	replacer := caddy.NewReplacer()
	for _, matcher := range matchers {
		for _, host := range *matcher {
			hosts = append(hosts, replacer.ReplaceKnown(host, ""))
		}
	}
	return hosts
}

// isForAll reports whether every request passes a route that reaches it.
func isForAll(route *caddyhttp.Route) bool { return len(route.MatcherSets) == 0 && route.Group == "" }
