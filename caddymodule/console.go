package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/scopegate/scopegate/internal/caddyserver"
	"github.com/scopegate/scopegate/internal/console"
	"github.com/scopegate/scopegate/internal/history"
)

func init() {
	caddy.RegisterModule(new(Console))
	httpcaddyfile.RegisterHandlerDirective("databricks_console", parseConsole)
	httpcaddyfile.RegisterDirectiveOrder("databricks_console", httpcaddyfile.Before, "respond")
}

// Console is a page for operators: decisions as they happen, why one of them was made, what
// tokens hold and use, and how the gateway is. Give it a site of its own, of which it takes all
// paths.
//
// The page names owners and tokens (by their ids), so it does not start where others could look
// at it: its site must listen on the loopback interface only (`bind 127.0.0.1`), or have TLS and
// a way to sign in that stands before it: `basic_auth`, `forward_auth`, or `tls` with
// `client_auth` and mode `require_and_verify`.
type Console struct {
	// The workspace that the page is about: the name of a workspace of the app `databricks`, or
	// a URL. Default: the only one that handlers use.
	Workspace string `json:"workspace,omitempty"`

	// Where decisions of more than the last hour are read from. Default: nowhere.
	Prometheus *ConsolePrometheus `json:"prometheus,omitempty"`

	// Lets people narrow and revoke tokens, who sign in to the workspace for that. Default: off.
	Actions *ConsoleActions `json:"actions,omitempty"`

	app    *App
	past   *history.Prometheus          // nil without Prometheus
	ending chan struct{}                // closed when the HTTP server of the site begins to shut down
	pages  atomic.Pointer[http.Handler] // nil until it is known who can reach them
	// onlyVerified lets in only clients whose certificates were verified. It is set before pages.
	onlyVerified bool
}

// CaddyModule returns the Caddy module information.
func (*Console) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.databricks_console",
		New: func() caddy.Module { return new(Console) },
	}
}

// Provision sets up the handler.
func (c *Console) Provision(ctx caddy.Context) (err error) {
	if c.app, err = databricksApp(ctx); err != nil {
		return err
	}
	if err := caddyserver.CheckEncrypted(ctx); err != nil {
		return consoleError(err)
	}
	if c.past, err = c.history(); err != nil {
		return consoleError(err)
	}
	if err := c.Actions.validate(); err != nil {
		return consoleError(err)
	}
	c.ending = make(chan struct{})
	if server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server); ok {
		// Caddy waits for all requests, and a stream does not end by itself.
		server.RegisterOnShutdown(sync.OnceFunc(func() { close(c.ending) }))
	}
	c.app.consoles = append(c.app.consoles, c)
	return c.app.carriers.Carry(ctx, c)
}

// open lets users in, or says why it must not.
func (c *Console) open() error {
	site, err := caddyserver.FindSite(c.app.ctx, func(handler caddyhttp.MiddlewareHandler) bool { return handler == c })
	if err != nil {
		return consoleError(err)
	}
	if err := site.Check(); err != nil {
		return consoleError(err)
	}
	workspace, err := c.workspace()
	if err != nil {
		return consoleError(err)
	}
	desk, err := c.desk()
	if err != nil {
		return consoleError(err)
	}
	c.onlyVerified = !site.Loopback && !site.SignsIn
	pages := console.New(runningGateway{}, console.Options{
		Workspace: workspace, Hosts: site.Hosts, Loopback: site.Loopback, User: signedIn, Actions: desk, History: c.past, Ending: c.ending,
	})
	c.pages.Store(&pages)
	return nil
}

func consoleError(err error) error { return fmt.Errorf("databricks_console: %w", err) }

// workspace returns the URL of the workspace that the pages are about.
func (c *Console) workspace() (string, error) {
	used := c.app.shared.used()
	if c.Workspace == "" {
		if len(used) > 1 {
			return "", errors.New("the configuration has several workspaces; write workspace with the name of the one that the page is about")
		}
		return "", nil
	}
	w, err := c.app.shared.find(c.Workspace, nil)
	if err != nil {
		return "", err
	}
	if !slices.Contains(used, w) {
		return "", fmt.Errorf("no handler uses the workspace %s; name one that databricks_scopes, databricks_gateway or databricks_authority uses", c.Workspace)
	}
	return w.url, nil
}

// signedIn returns who signed in, as Caddy knows it.
func signedIn(r *http.Request) string {
	replacer, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if !ok {
		return ""
	}
	if user, _ := replacer.GetString("http.auth.user.id"); user != "" || !caddyserver.Verified(r) {
		return user // anyone can write any name into a certificate that is not verified
	}
	subject, _ := replacer.GetString("http.request.tls.client.subject")
	return subject
}

// ServeHTTP answers with a page.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request, _ caddyhttp.Handler) error {
	pages := c.pages.Load()
	if pages == nil {
		return caddyhttp.Error(http.StatusServiceUnavailable, errors.New("the gateway is starting"))
	}
	if c.onlyVerified && !caddyserver.Verified(r) {
		return caddyhttp.Error(http.StatusForbidden, errors.New("databricks_console: the client has no verified certificate"))
	}
	(*pages).ServeHTTP(w, r)
	return nil
}

// parseConsole sets up the handler from Caddyfile tokens. Syntax:
//
//	databricks_console {
//	    workspace <name>|<url>
//	    prometheus <url> {
//	        token         <placeholder>
//	        match         <label>=<value>
//	        insecure_http
//	    }
//	    actions {
//	        client_id <id>
//	        client_secret {file./path}|{env.NAME}
//	        scope authentication|all-apis
//	    }
//	}
func parseConsole(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(Console)
	return handler, handler.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile reads the directive.
func (c *Console) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	return eachOption(d, c.options(d))
}

func (c *Console) options(d *caddyfile.Dispenser) options {
	return options{
		"workspace":  func() error { return oneArg(d, &c.Workspace) },
		"actions":    func() error { return parseActions(d, &c.Actions) },
		"prometheus": func() error { c.Prometheus = new(ConsolePrometheus); return c.Prometheus.unmarshal(d) },
	}
}

// Cleanup closes connections to Prometheus.
func (c *Console) Cleanup() error {
	c.past.Close()
	return nil
}

// Interface guards
var (
	_ caddy.CleanerUpper          = (*Console)(nil)
	_ caddy.Provisioner           = (*Console)(nil)
	_ caddyhttp.MiddlewareHandler = (*Console)(nil)
	_ caddyfile.Unmarshaler       = (*Console)(nil)
)
