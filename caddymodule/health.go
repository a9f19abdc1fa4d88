package caddymodule

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() {
	caddy.RegisterModule(Health{})
	httpcaddyfile.RegisterHandlerDirective("databricks_scopes_health", parseHealth)
	httpcaddyfile.RegisterDirectiveOrder("databricks_scopes_health", httpcaddyfile.Before, "respond")
}

// Health answers probes. Give it a port of its own, because the workspace owns all
// paths of the port that is proxied. `/livez` and `/healthz` answer 200 as long as the
// process runs. `/readyz` answers 200 once the admin credential has worked, and 503
// before that and while the workspace refuses it. An outage of the workspace does not
// make instances unready, because all of them would be at once. Other paths go to the
// next handler. Answers contain no details: those are in the log.
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
	if h.app, err = databricksApp(ctx); err != nil {
		return err
	}
	return h.app.carriers.Carry(ctx, h)
}

// ServeHTTP answers the probes.
func (h *Health) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	ok := true
	switch strings.TrimSuffix(r.URL.Path, "/") {
	case "/livez", "/healthz":
	case "/readyz":
		ok = h.app.ready(r.Context())
	default:
		return next.ServeHTTP(w, r)
	}
	status, word := http.StatusOK, "ok\n"
	if !ok {
		status, word = http.StatusServiceUnavailable, "not ready\n"
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, err := w.Write([]byte(word))
	return err
}

// parseHealth sets up the handler from Caddyfile tokens. Syntax:
//
//	databricks_scopes_health [<matcher>]
func parseHealth(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	health := new(Health)
	return health, health.UnmarshalCaddyfile(h.Dispenser)
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
