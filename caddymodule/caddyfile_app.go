package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"

	"github.com/scopegate/scopegate/internal/workspaceurl"
)

func init() {
	httpcaddyfile.RegisterGlobalOption(appName, parseApp)
}

// parseApp sets up the app from the global option's tokens.
func parseApp(d *caddyfile.Dispenser, existing any) (any, error) {
	d.Next() // the option's name
	if existing != nil {
		return nil, d.Errf("the global option %s is set twice; keep one", appName)
	}
	app := new(App)
	if err := app.UnmarshalCaddyfile(d); err != nil {
		return nil, err
	}
	return httpcaddyfile.App{Name: appName, Value: caddyconfig.JSON(app, nil)}, nil
}

// UnmarshalCaddyfile sets up the app from Caddyfile tokens. Syntax:
//
//	databricks {
//	    workspace <name> <url> {
//	        admin { ... }
//	        cache { ... }
//	        lookup { ... }
//	        fleet          <redis-url> { ... }
//	        insecure_http
//	        sync           <duration>|off
//	        routes         [<file>] [learned]
//	        map            <file> {
//	            key <base64>|<file>...
//	        }
//	        unknown_expiry deny|allow
//	        expiry_warning <duration>
//	        usage          <duration>|off
//	        findings       [off] { ... }
//	    }
//	    audit { ... }
//	}
//
// The options of a workspace, and those of audit, are the same as in databricks_scopes.
func (a *App) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return eachOption(d, a.options(d), "workspace")
}

func (a *App) options(d *caddyfile.Dispenser) options {
	return options{
		"workspace": func() error { return a.unmarshalWorkspace(d) },
		"audit":     func() error { a.Audit = new(Audit); return eachOption(d, a.Audit.options(d)) },
	}
}

func (a *App) unmarshalWorkspace(d *caddyfile.Dispenser) error {
	if d.CountRemainingArgs() != 2 {
		return d.Err("workspace needs a name and a URL, such as workspace prod https://<name>.cloud.databricks.com")
	}
	d.NextArg()
	name := d.Val()
	if strings.ContainsAny(name, ".:/{}") {
		return d.Errf("the name of a workspace is a word such as prod, which handlers use, not %q", name)
	}
	if _, ok := a.Workspaces[name]; ok {
		return d.Errf("two workspaces are named %s; rename one", name)
	}
	d.NextArg()
	w := &Workspace{URL: d.Val()}
	if !strings.Contains(w.URL, "{") { // else it is known when the configuration is loaded
		if _, err := workspaceurl.Parse(w.URL); err != nil {
			return at(d, err)
		}
	}
	if err := eachOption(d, w.WorkspaceOptions.options(d)); err != nil {
		return err
	}
	if err := errors.Join(checkScheme(w.URL, w.InsecureHTTP), w.validateEdge()); err != nil {
		return at(d, err)
	}
	if a.Workspaces == nil {
		a.Workspaces = make(map[string]*Workspace)
	}
	a.Workspaces[name] = w
	return nil
}

// options are those of a workspace.
func (o *WorkspaceOptions) options(d *caddyfile.Dispenser) options {
	return options{
		"admin":          func() error { o.Admin = new(Admin); return o.Admin.unmarshal(d) },
		"cache":          func() error { o.Cache = new(Cache); return eachOption(d, o.Cache.options(d)) },
		"lookup":         func() error { o.Lookup = new(Lookup); return eachOption(d, o.Lookup.options(d)) },
		"fleet":          func() error { o.Fleet = new(Fleet); return o.Fleet.unmarshal(d) },
		"insecure_http":  func() error { return flag(d, &o.InsecureHTTP) },
		"sync":           func() error { return unmarshalInterval(d, &o.Sync, o.validateSync) },
		"routes":         func() error { return o.unmarshalRoutes(d) },
		"map":            func() error { o.Map = new(Map); return o.Map.unmarshal(d) },
		"unknown_expiry": func() error { return choice(d, &o.UnknownExpiry, unknownExpiries) },
		"expiry_warning": func() error { return duration(d, &o.ExpiryWarning, maxExpiryWarning) },
		"usage":          func() error { return unmarshalInterval(d, &o.Usage, o.validateUsage) },
		"findings":       func() error { o.Findings = new(Findings); return o.Findings.unmarshal(d) },
	}
}

// unmarshalRoutes reads a file, the word learned, or both.
func (o *WorkspaceOptions) unmarshalRoutes(d *caddyfile.Dispenser) error {
	const learned = "learned"
	args := d.RemainingArgs()
	if n := len(args); n > 0 && args[n-1] == learned {
		o.LearnedRoutes, args = true, args[:n-1]
	}
	switch {
	case len(args) == 0 && o.LearnedRoutes:
		return nil
	case len(args) == 0 || args[0] == "":
		return d.Err("routes needs a file, the word learned, or both")
	case len(args) > 1:
		return d.Errf("routes takes a file and then the word learned; %q is one too many", args[1])
	}
	o.Routes = args[0]
	return nil
}

func (a *Admin) unmarshal(d *caddyfile.Dispenser) error {
	line := d.Token()
	if err := eachOption(d, a.options(d)); err != nil {
		return err
	}
	if err := a.validate(); err != nil {
		return fmt.Errorf("%w, at %s:%d", err, line.File, line.Line)
	}
	return nil
}

func (a *Admin) options(d *caddyfile.Dispenser) options {
	return options{
		"profile":       func() error { return oneArg(d, &a.Profile) },
		"client_id":     func() error { return oneArg(d, &a.ClientID) },
		"client_secret": func() error { return secretArg(d, "admin", &a.ClientSecret) },
		"token":         func() error { return secretArg(d, "admin", &a.Token) },
		"authority": func() error {
			a.Authority = new(AdminAuthority)
			return a.Authority.unmarshal(d)
		},
	}
}

func (c *Cache) options(d *caddyfile.Dispenser) options {
	return options{
		"size":         func() error { return positive(d, &c.Size, maxCacheSize) },
		"ttl":          func() error { return duration(d, &c.TTL, maxTTL) },
		"negative_ttl": func() error { return duration(d, &c.NegativeTTL, maxTTL) },
		"max_stale": func() error {
			c.MaxStale = new(caddy.Duration)
			if onlyArg(d, "0") {
				return nil
			}
			return duration(d, c.MaxStale, maxTTL)
		},
	}
}

func (l *Lookup) options(d *caddyfile.Dispenser) options {
	return options{
		"timeout":     func() error { return duration(d, &l.Timeout, maxTimeout) },
		"rate":        func() error { return positive(d, &l.Rate, maxRate) },
		"concurrency": func() error { return positive(d, &l.Concurrency, maxRate) },
	}
}

// statedKey is where directives of one Caddyfile note what they state of workspaces.
const statedKey = "databricks.workspaces"

// statedWorkspace is what a Caddyfile has stated of a workspace so far, and where.
type statedWorkspace struct {
	options WorkspaceOptions
	lines   map[string]string
}

// checkStated refuses a handler that contradicts what the Caddyfile has stated of its
// workspace before. The app would refuse it too, but knows no lines.
func checkStated(h httpcaddyfile.Helper, handler *Handler) error {
	app, err := globalApp(h)
	if err != nil {
		return err
	}
	all, ok := h.State[statedKey].(map[string]*statedWorkspace)
	if !ok {
		all = make(map[string]*statedWorkspace)
		for _, w := range app.Workspaces {
			all[normalURL(w.URL)] = &statedWorkspace{options: w.WorkspaceOptions, lines: make(map[string]string)}
		}
		h.State[statedKey] = all
	}
	url, err := app.url(handler.Workspace)
	if err != nil {
		return at(h.Dispenser, err)
	}
	if url == "" {
		return nil // known when the configuration is loaded, perhaps by the admin's profile
	}
	w, ok := all[url]
	if !ok {
		w = &statedWorkspace{handler.WorkspaceOptions, handler.lines}
		all[url] = w
		return at(h.Dispenser, errors.Join(checkScheme(url, w.options.InsecureHTTP), w.options.validateEdge()))
	}
	conflict, err := w.options.merge(handler.WorkspaceOptions)
	switch {
	case err != nil:
		return at(h.Dispenser, err)
	case conflict != "":
		option, _, _ := strings.Cut(conflict, " ")
		first := "in the global option " + appName
		if line := w.lines[option]; line != "" {
			first = "at " + line
		}
		return fmt.Errorf("%s of the workspace %s is also set, to another value, %s; remove one of them, at %s", conflict, handler.Workspace, first, handler.lines[option])
	}
	for option, line := range handler.lines {
		if w.lines[option] == "" {
			w.lines[option] = line
		}
	}
	return at(h.Dispenser, checkScheme(url, w.options.InsecureHTTP))
}

// globalApp returns what the Caddyfile's global option says.
func globalApp(h httpcaddyfile.Helper) (*App, error) {
	app := new(App)
	if option, ok := h.Option(appName).(httpcaddyfile.App); ok {
		if err := json.Unmarshal(option.Value, app); err != nil {
			return nil, err
		}
	}
	return app, nil
}

// url returns the URL that a handler's workspace stands for, in its normal form as far
// as it is known without loading the configuration.
func (a *App) url(workspace string) (string, error) {
	if w, ok := a.Workspaces[workspace]; ok {
		return normalURL(w.URL), nil
	}
	if workspace == "" && len(a.Workspaces) == 1 {
		for _, w := range a.Workspaces {
			return normalURL(w.URL), nil
		}
	}
	if len(a.Workspaces) > 0 && isName(workspace) {
		return "", unknownWorkspace(workspace, a.Workspaces)
	}
	return normalURL(workspace), nil
}

// normalURL returns the one form of a workspace's URL. It leaves alone what is not one
// before placeholders are replaced.
func normalURL(workspace string) string {
	if workspace == "" || strings.Contains(workspace, "{") {
		return workspace
	}
	u, err := workspaceurl.Parse(workspace)
	if err != nil {
		return workspace
	}
	return u.String()
}
