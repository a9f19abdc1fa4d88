package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/scopegate/scopegate/internal/tokens"
)

func init() {
	caddy.RegisterModule(Health{})
	httpcaddyfile.RegisterHandlerDirective("databricks_scopes_health", parseHealth)
	httpcaddyfile.RegisterDirectiveOrder("databricks_scopes_health", httpcaddyfile.Before, "respond")
}

// Health answers probes, on a port of its own: the workspace owns the paths of
// the port that is proxied. `/livez` and `/healthz` answer 200 while the process
// does. `/readyz` answers 200 once the admin credential has worked, and 503 before
// that and while the workspace refuses it; an outage of the workspace makes no
// instance unready, because all would be at once. Other paths go on to the next
// handler. Answers hold no details: those are in the log.
type Health struct{}

// CaddyModule returns the Caddy module information.
func (Health) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.databricks_scopes_health",
		New: func() caddy.Module { return new(Health) },
	}
}

// ServeHTTP answers the probes.
func (Health) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	ok := true
	switch strings.TrimSuffix(r.URL.Path, "/") {
	case "/livez", "/healthz":
	case "/readyz":
		ok = ready(r.Context())
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

// probePatience bounds how long a probe waits for a look-up. Kubernetes gives up
// after a second by default.
const probePatience = 800 * time.Millisecond

// probeFreshness spares the workspace: probes come every few seconds.
var probeFreshness = tokens.Freshness{NegativeTTL: 30 * time.Second}

// ready reports whether every resolver in use can be expected to work.
func ready(ctx context.Context) bool {
	all := live.authorities()
	if len(all) == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	for _, a := range all {
		if !a.ready(ctx) {
			return false
		}
	}
	return true
}

// ready asks for a token that nobody has: the answer that it is unknown proves the
// admin credential, without waiting for a client to come first.
func (a *authority) ready(ctx context.Context) bool {
	_, err := a.resolver.Resolve(ctx, tokens.ID{}, probeFreshness)
	if errors.Is(err, tokens.ErrUnknownToken) {
		return true
	}
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		if outage, ok := cause.(*tokens.UnavailableError); ok {
			switch outage.Outage {
			case tokens.Rejected, tokens.NotConfigured, tokens.Disabled, tokens.IDRuleBroken:
				return false
			}
		}
	}
	return a.resolver.Worked()
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
	_ caddyhttp.MiddlewareHandler = (*Health)(nil)
	_ caddyfile.Unmarshaler       = (*Health)(nil)
)
