package caddymodule

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/scopegate/scopegate/internal/caddyserver"
	"github.com/scopegate/scopegate/internal/health"
)

func init() {
	caddy.RegisterModule(Health{})
	httpcaddyfile.RegisterHandlerDirective("databricks_scopes_health", parseHealth)
	httpcaddyfile.RegisterDirectiveOrder("databricks_scopes_health", httpcaddyfile.Before, "respond")
}

// Health answers probes. Give it a port of its own, because the workspace owns all
// paths of the port that is proxied. `/livez` and `/healthz` answer 200 as long as the
// process runs. `/readyz` answers 200 once the admin credential has worked, and 503
// before that, while the workspace refuses it, and from the moment that the process is
// told to end. An outage of the workspace does not make instances unready, because all
// of them would be at once. Its body is JSON and says why, for each workspace; it names
// the workspaces and no secret. Other paths go to the next handler, and get 404 if there
// is none.
//
// So that load balancers see that an instance ends before it closes its ports, the http
// app waits for 3 seconds (`shutdown_delay`) unless the configuration says how long to wait.
type Health struct {
	app *App
}

// CaddyModule returns the Caddy module information.
func (Health) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.databricks_scopes_health",
		New: func() caddy.Module { return new(Health) },
	}
}

// Provision finds the app whose workspaces are probed.
func (h *Health) Provision(ctx caddy.Context) (err error) {
	caddyserver.DelayShutdown(ctx)
	if h.app, err = databricksApp(ctx); err != nil {
		return err
	}
	return h.app.carriers.Carry(ctx, h)
}

// ServeHTTP answers the probes.
func (h *Health) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	switch strings.TrimSuffix(r.URL.Path, "/") {
	case "/livez", "/healthz":
		caddyserver.Judged(r) // no check has this path
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, err := w.Write([]byte("ok\n"))
		return err
	case "/readyz":
		caddyserver.Judged(r)
		if caddy.Exiting() {
			return health.Report{Reason: health.ShuttingDown, Message: "the gateway is shutting down"}.Write(w)
		}
		return h.app.readiness(r.Context()).Write(w)
	}
	err := next.ServeHTTP(w, r)
	if err == nil && caddyserver.Unhandled(r) {
		// A mistyped probe must not succeed.
		http.Error(w, "404: the probes are /livez and /readyz", http.StatusNotFound)
		caddyserver.Handled(r)
	}
	return err
}

// parseHealth sets up the handler from Caddyfile tokens. Syntax:
//
//	databricks_scopes_health [<matcher>]
func parseHealth(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(Health)
	return handler, handler.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile reads the directive, which has no options.
func (*Health) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() || d.NextBlock(0) {
		return d.Errf("unexpected %q: databricks_scopes_health has no options", d.Val())
	}
	return nil
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Health)(nil)
	_ caddyhttp.MiddlewareHandler = (*Health)(nil)
	_ caddyfile.Unmarshaler       = (*Health)(nil)
)
