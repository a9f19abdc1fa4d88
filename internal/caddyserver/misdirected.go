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

// Refuser is a handler that also refuses requests that reach none: for hosts that no site
// serves, and for paths of its own site that no handler takes. Caddy would answer 200 to
// them, and nobody would have judged them.
type Refuser interface {
	caddyhttp.MiddlewareHandler
	// ServeMisdirected refuses such a request. The hosts are those that are served, none
	// if the host is not what is wrong.
	ServeMisdirected(w http.ResponseWriter, r *http.Request, hosts []string) error
	// AnswersChecks reports whether proxies ask the handler.
	AnswersChecks() bool
}

// routes stands in front of a server's routes, to refuse what none of them takes.
type routes struct {
	list     caddyhttp.RouteList // the server's own
	refusers []Refuser
	checker  Refuser // the first of them that answers checks, nil for none
	// answersErrors says that the server has error routes.
	answersErrors bool
	chain         func() caddyhttp.Handler
	hosts         func() []string
}

// serve makes a handler answer requests for unknown hosts. The first one does.
func (c *carrier) serve(ctx caddy.Context, refuser Refuser) error {
	if c.routes == nil {
		// The list is still being provisioned, in place: compile it when it is needed.
		c.routes = &routes{list: c.server.Routes, answersErrors: c.server.Errors != nil && len(c.server.Errors.Routes) > 0}
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
	if c.routes.checker == nil && refuser.AnswersChecks() {
		c.routes.checker = refuser
	}
	return nil
}

// ServeHTTP passes a request to the routes.
func (t *routes) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	inFlight.Add(1)
	defer inFlight.Add(-1)
	if t.checker != nil {
		return t.serveCheck(w, r)
	}
	err := t.chain().ServeHTTP(w, r)
	if err != nil || !Unhandled(r) {
		return err
	}
	r = original(r)
	if refuser := t.siteOf(r); refuser != nil {
		return refuser.ServeMisdirected(w, r, nil)
	}
	return nil
}

// original returns a request as it arrived, before handlers rewrote it.
func original(r *http.Request) *http.Request {
	arrived, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok {
		return r
	}
	r = r.WithContext(r.Context())
	r.Method, r.URL, r.RequestURI = arrived.Method, arrived.URL, arrived.RequestURI
	return r
}

// siteOf returns the handler of ours in the site that a request is for, on whatever path,
// or nil.
func (t *routes) siteOf(r *http.Request) Refuser {
	for i := range t.list {
		route := &t.list[i]
		if refuser := t.refuserIn(route.Handlers); refuser != nil && forHost(route, r) {
			return refuser
		}
		if matched, err := route.MatcherSets.AnyMatchWithError(r); matched && err == nil && route.Terminal {
			return nil // another site's
		}
	}
	return nil
}

// forHost reports whether a route is for the host of a request.
func forHost(route *caddyhttp.Route, r *http.Request) bool {
	hosts := hostsOf(route.MatcherSets)
	if len(hosts) == 0 || len(hosts) < len(route.MatcherSets) {
		return true
	}
	return slices.ContainsFunc(hosts, func(host *caddyhttp.MatchHost) bool {
		matched, err := host.MatchWithError(r)
		return matched || err != nil
	})
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

// Handled notes that a request has been answered after all.
func Handled(r *http.Request) {
	if Unhandled(r) {
		caddyhttp.SetVar(r.Context(), unhandledVar, nil)
	}
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
		if t.refuserIn(route.Handlers) == nil {
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

// refuserIn returns the first handler of ours that handlers lead to, or nil.
func (t *routes) refuserIn(handlers []caddyhttp.MiddlewareHandler) Refuser {
	for _, handler := range handlers {
		switch handler := handler.(type) {
		case Refuser:
			if slices.Contains(t.refusers, handler) {
				return handler
			}
		case *caddyhttp.Subroute:
			for i := range handler.Routes {
				if refuser := t.refuserIn(handler.Routes[i].Handlers); refuser != nil {
					return refuser
				}
			}
		}
	}
	return nil
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

// warn tells of hosts that clients easily miss. A name is as it should be, and so is any host
// of a site with TLS, because its certificates are for the hosts in its address.
func (t *routes) warn(logger *zap.Logger, tls bool) {
	for _, host := range t.hosts() {
		if tls || isName(host) {
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
