package caddyserver

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// Refuser is a handler that also refuses requests for hosts that no site serves. Caddy
// would answer 200 to them, and nobody would have judged them.
type Refuser interface {
	caddyhttp.MiddlewareHandler
	// ServeMisdirected refuses such a request. The hosts are those that are served.
	ServeMisdirected(w http.ResponseWriter, r *http.Request, hosts []string) error
}

// routes stands in front of a server's routes, to be asked when none of them matches.
type routes struct {
	list     caddyhttp.RouteList // the server's own
	refusers []Refuser
	chain    func() caddyhttp.Handler
	hosts    func() []string
}

// serve makes a handler answer requests for unknown hosts. The first one does.
func (c *carrier) serve(ctx caddy.Context, refuser Refuser) error {
	if c.routes == nil {
		// The list is still being provisioned, in place: compile it when it is needed.
		c.routes = &routes{list: c.server.Routes}
		c.routes.chain = sync.OnceValue(func() caddyhttp.Handler {
			return c.routes.list.Compile(caddyhttp.HandlerFunc(c.routes.unmatched))
		})
		c.routes.hosts = sync.OnceValue(c.routes.servedHosts)
		route := caddyhttp.Route{Handlers: []caddyhttp.MiddlewareHandler{c.routes}}
		if err := route.ProvisionHandlers(ctx, nil); err != nil {
			return err
		}
		c.server.Routes = caddyhttp.RouteList{route}
	}
	c.routes.refusers = append(c.routes.refusers, refuser)
	return nil
}

// ServeHTTP passes a request to the routes.
func (t *routes) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	inFlight.Add(1)
	defer inFlight.Add(-1)
	return t.chain().ServeHTTP(w, r)
}

// unmatched is reached if no route was the last one for a request.
func (t *routes) unmatched(w http.ResponseWriter, r *http.Request) error {
	hosts := t.hosts()
	if len(hosts) == 0 || t.serves(r) {
		caddyhttp.SetVar(r.Context(), unhandledVar, true) // as Caddy does
		return nil
	}
	return t.refusers[0].ServeMisdirected(w, r, hosts)
}

// unhandledVar is what Caddy sets in a request that no handler has answered, and to which
// net/http will answer an empty 200.
const unhandledVar = "unhandled"

// Unhandled reports whether no handler has answered a request.
func Unhandled(r *http.Request) bool {
	unhandled, _ := caddyhttp.GetVar(r.Context(), unhandledVar).(bool)
	return unhandled
}

// serves reports whether a route matches, or is for the request's host.
func (t *routes) serves(r *http.Request) bool {
	for i := range t.list {
		sets := t.list[i].MatcherSets
		if matched, err := sets.AnyMatchWithError(r); matched || err != nil {
			return true
		}
		for _, host := range hostsOf(sets) {
			if matched, err := host.MatchWithError(r); matched || err != nil {
				return true
			}
		}
	}
	return false
}

// servedHosts returns the hosts of the routes that lead to a handler of ours, sorted.
// There are none if one of them is for all hosts.
func (t *routes) servedHosts() (hosts []string) {
	for i := range t.list {
		route := &t.list[i]
		if !t.leadsToUs(route.Handlers) {
			continue
		}
		matchers := hostsOf(route.MatcherSets)
		if len(matchers) == 0 || len(matchers) < len(route.MatcherSets) {
			return nil
		}
		for _, matcher := range matchers {
			hosts = append(hosts, *matcher...)
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

func (t *routes) leadsToUs(handlers []caddyhttp.MiddlewareHandler) bool {
	return slices.ContainsFunc(handlers, func(handler caddyhttp.MiddlewareHandler) bool {
		switch handler := handler.(type) {
		case Refuser:
			return slices.Contains(t.refusers, handler)
		case *caddyhttp.Subroute:
			return slices.ContainsFunc(handler.Routes, func(r caddyhttp.Route) bool { return t.leadsToUs(r.Handlers) })
		}
		return false
	})
}

// hostsOf returns the host matchers, at most one for each set.
func hostsOf(sets caddyhttp.MatcherSets) (found []*caddyhttp.MatchHost) {
	for _, set := range sets {
		for _, matcher := range set {
			if host, ok := matcher.(*caddyhttp.MatchHost); ok {
				found = append(found, host)
				break
			}
		}
	}
	return found
}

// warn tells of hosts that clients easily miss. A name is as it should be.
func (t *routes) warn(logger *zap.Logger) {
	for _, host := range t.hosts() {
		if isName(host) {
			logger.Info("requests for other hosts than this site's are refused with 421", zap.String("host", host))
			continue
		}
		logger.Warn("the address of this site names a host, so that requests with another Host are refused with 421; to serve them too, write the site's address without a host (http://:8080) and the host in a bind line (bind 127.0.0.1)",
			zap.String("host", host))
	}
}

// isName reports whether a host is a DNS name, and not an IP address or this machine.
func isName(host string) bool {
	return net.ParseIP(strings.Trim(host, "[]")) == nil && !strings.EqualFold(host, "localhost")
}
