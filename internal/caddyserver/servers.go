package caddyserver

import (
	"io"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// Servers are the HTTP servers of one configuration that carry the gateway. The zero
// value is ready to use.
type Servers struct {
	carriers []*carrier
	locks    map[uint]io.Closer // by port
	app      *caddyhttp.App     // nil outside one
	flush    func()
}

// carrier is one of them.
type carrier struct {
	server  *caddyhttp.Server
	routes  *routes // nil where no handler of it answers for unknown hosts
	listens []*listen
}

// Carry prepares the server that a handler is being provisioned for. It does nothing
// outside a server.
func (s *Servers) Carry(ctx caddy.Context, handler caddyhttp.MiddlewareHandler) error {
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if !ok {
		return nil
	}
	c := s.carrier(server)
	if c == nil {
		c = &carrier{server: server, listens: listensOf(server)}
		s.lock(c.listens)
		for _, l := range c.listens {
			l.taken = l.look()
		}
		s.carriers = append(s.carriers, c)
		server.RegisterConnContext(hold)
		server.RegisterConnState(release)
		server.RegisterOnStop(s.stopped)
	}
	if app, ok := httpApp(ctx); ok {
		setGracePeriod(app)
		s.app = app
	}
	if refuser, ok := handler.(Refuser); ok {
		setTimeouts(server)
		if c.routes == nil {
			letThrough(server)
		}
		return c.serve(ctx, refuser)
	}
	return nil
}

// Start fails if another process listens on an address of the servers or of the admin API, and
// if a site is beside one where proxies ask. It warns of hosts that clients may miss, and of an
// admin API that is open to others. To validate a configuration, Caddy does not start it.
func (s *Servers) Start(ctx caddy.Context, logger *zap.Logger) error {
	for _, c := range s.carriers {
		if c.routes != nil {
			c.server.Routes = c.routes.list // they are compiled; others may look at them
			c.routes.warn(logger, len(c.server.TLSConnPolicies) > 0)
			if err := c.routes.checkSites(); err != nil {
				return err
			}
		}
		for _, l := range c.listens {
			if err := l.confirm(); err != nil {
				return err
			}
		}
	}
	running.Store(s, nil)
	go s.unlockWhenListening()
	if err := confirmAdmin(ctx); err != nil {
		return err
	}
	warnOfAdmin(ctx, logger)
	return nil
}

func (s *Servers) carrier(server *caddyhttp.Server) *carrier {
	i := slices.IndexFunc(s.carriers, func(c *carrier) bool { return c.server == server })
	if i < 0 {
		return nil
	}
	return s.carriers[i]
}

// httpApp returns the HTTP app that a module is being provisioned for. Asking the
// context for the app would provision it again.
func httpApp(ctx caddy.Context) (*caddyhttp.App, bool) {
	modules := ctx.Modules()
	if len(modules) == 0 {
		return nil, false
	}
	app, ok := modules[0].(*caddyhttp.App)
	return app, ok
}
