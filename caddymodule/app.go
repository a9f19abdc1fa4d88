package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/caddyserver"
	"github.com/scopegate/scopegate/internal/health"
	"github.com/scopegate/scopegate/internal/mapfiles"
	"github.com/scopegate/scopegate/internal/metrics"
	"github.com/scopegate/scopegate/internal/safelog/logencoder"
	"github.com/scopegate/scopegate/internal/upstream"
	"github.com/scopegate/scopegate/internal/workspaceurl"
)

func init() {
	caddy.RegisterModule(App{})
}

// appName is the name of the app's module and of its global Caddyfile option.
const appName = "databricks"

// App holds what the handlers of a configuration share: the workspaces, with the
// credential, cache and limits of each, and where records of decisions go.
//
// It may be left out: a handler that names a workspace by its URL and states the
// workspace's options itself makes the app on the fly. Handlers that use the same
// workspace share its cache and what was seen of its tokens. An option that is stated
// in several places must say the same in all of them.
type App struct {
	// Workspaces by the names that handlers use.
	Workspaces map[string]*Workspace `json:"workspaces,omitempty"`

	// Where records of decisions go, for handlers that do not set it.
	Audit *Audit `json:"audit,omitempty"`

	ctx       caddy.Context
	events    events
	metrics   *metrics.Metrics
	now       func() time.Time
	logger    *zap.Logger
	shared    *registry
	answers   map[string]bool // workspaces whose edges are answered
	handlers  []*Handler
	consoles  []*Console
	decisions []*Decision
	carriers  caddyserver.Servers
	writers   map[string]sinksKey // audit outputs in use
	atStart   bool                // no configuration ran before
	unguard   func()              // restores OpenTelemetry's error handling
	safeLogs  bool                // some log hides secrets
}

// clock tells the time to apps and to what they share.
var clock = time.Now

// UseClock makes apps that are provisioned from now on use a clock other than the
// system's, for simulations such as the demo's. Waiting stays in real time.
func UseClock(now func() time.Time) { clock = now }

// CaddyModule returns the Caddy module information.
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  appName,
		New: func() caddy.Module { return new(App) },
	}
}

// Provision sets up the app. It uses neither the network nor the admin credentials.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx = ctx
	a.now = clock
	a.logger = ctx.Logger(Handler{})
	a.safeLogs = logencoder.Used()
	a.atStart = activeApp() == nil
	a.events = newEvents(ctx)
	a.carriers.OnExit(a.flush)
	// Before any exporter is made.
	a.unguard = GuardOpenTelemetry()
	var err error
	if a.metrics, err = metrics.Register(ctx.GetMetricsRegistry()); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	if err := a.Audit.validate(); err != nil {
		return err
	}
	a.shared, err = newRegistry(a.Workspaces, resolveWorkspace, a.newTokenService)
	return err
}

// Start opens what the handlers use. They may already be using it. It fails if another
// process listens on an address of theirs, and for a credential that cannot be read:
// unlike Provision, it is not called to validate a configuration.
func (a *App) Start() error {
	if err := a.carriers.Start(a.ctx, a.ctx.Logger()); err != nil {
		return err
	}
	for _, w := range a.shared.used() {
		if err := errors.Join(w.options.Admin.check(w.url), w.options.Fleet.check(), w.authority.check()); err != nil {
			return fmt.Errorf("workspace %s: %w", w.url, err)
		}
	}
	for _, c := range a.consoles {
		if err := c.open(); err != nil {
			return err
		}
	}
	for _, d := range a.decisions {
		if err := d.listen(); err != nil {
			return err
		}
	}
	if !a.safeLogs {
		a.logger.Warn("Caddy's log may quote tokens that clients put into URLs; set format databricks_safe for every log, see log default in Caddyfile.example")
	}
	upstream.QuietLog()
	a.succeedMaps()
	a.apply()
	for _, w := range a.shared.used() {
		service := w.service()
		if w.authority != nil {
			w.authority.server() // so that it counts as an authority before the first edge asks
		}
		// Once for each credential, and so not at every reload.
		service.probe.Do(func() {
			service.fleet.Start()
			service.watch.Probe(service.Resolver)
		})
	}
	for _, h := range a.handlers {
		h.warnOfRewrites()
	}
	a.eachWatch((*mapfiles.Watch).Start)
	return nil
}

// apply gives what is shared with other configurations the settings of this one.
func (a *App) apply() {
	runningLogger.Store(a.logger)
	for _, w := range a.shared.used() {
		w.service().Tune(w.options.settings())
		w.service().fleet.Tune(w.options.shares())
		w.keepUsage(a.ctx.Storage(), a.logger)
		w.keepFindings(a.ctx.Storage(), a.logger)
	}
	for _, d := range a.decisions {
		d.apply()
	}
}

// flush saves what would be lost with the process, all at the same time. Cleanup does so
// too, but one after the other and only when other modules are done.
func (a *App) flush() {
	var flushing sync.WaitGroup
	flushing.Go(closeAllSinks)
	for _, w := range a.shared.used() {
		flushing.Go(func() {
			if err := w.service().usage.Close(); err != nil {
				handlerLogger().Warn("shutting down", zap.Error(err))
			}
		})
	}
	flushing.Wait()
}

// Stop gives what is shared back the settings of the running configuration, for when
// this one started but another app did not. Requests may still be in flight: Cleanup
// comes later.
func (a *App) Stop() error {
	a.eachWatch((*mapfiles.Watch).Close)
	if active := activeApp(); active != nil && active != a {
		active.apply()
	}
	return nil
}

// Cleanup releases what is shared, which stays alive while another configuration uses
// it. Provisioning may have failed before any of it existed.
func (a *App) Cleanup() error {
	if a.unguard != nil {
		a.unguard()
	}
	a.carriers.Close()
	a.eachWatch((*mapfiles.Watch).Close) // Start may have failed
	runningLogger.CompareAndSwap(a.logger, nil)
	var errs []error
	for _, w := range a.shared.all() {
		errs = append(errs, w.release())
	}
	return errors.Join(errs...)
}

// GuardOpenTelemetry makes OpenTelemetry report its problems through Caddy's log and
// without the values that it quotes from the environment, which may be credentials. The
// app does so while a configuration is in use. A binary should do so from its start,
// because Caddy's tracing directive may log before the app exists. It returns what
// undoes it.
func GuardOpenTelemetry() (restore func()) {
	return audit.GuardOpenTelemetry(func(problem, detail string) {
		handlerLogger().Warn(problem, zap.String("detail", detail))
	})
}

// databricksApp returns the app of a configuration, which Caddy makes if the
// configuration does not mention it.
func databricksApp(ctx caddy.Context) (*App, error) {
	app, err := ctx.App(appName)
	if err != nil {
		return nil, err
	}
	return app.(*App), nil
}

// activeApp returns the app of the running configuration, or nil. It is for what
// outlives configurations: the admin API, token services and sinks.
func activeApp() *App {
	app, err := caddy.ActiveContext().AppIfConfigured(appName)
	if err != nil {
		return nil
	}
	return app.(*App)
}

// join makes a handler part of the app: it resolves the handler's workspace and
// compiles its rules, and those of its neighbors if it states something new about
// the workspace that they share.
func (a *App) join(h *Handler) (*workspace, error) {
	w, err := a.shared.join(h)
	if err != nil {
		return nil, err
	}
	a.handlers = append(a.handlers, h)
	if now := w.inForce.Load(); len(w.handlers) == 1 {
		a.tell().Warn(w.files, now.Map)
	}
	if u, err := workspaceurl.Parse(w.url); err == nil && len(w.handlers) == 1 {
		if doubt := workspaceurl.Doubt(u); doubt != "" {
			h.logger.Warn("this may not be a Databricks workspace", zap.String("workspace", w.url), zap.String("why", doubt))
		}
	}
	return w, nil
}

// readiness reports whether every workspace in use can be expected to work.
func (a *App) readiness(ctx context.Context) health.Report {
	var urls []string
	var probers []health.Prober
	for _, w := range a.shared.used() {
		urls, probers = append(urls, w.url), append(probers, w.service())
	}
	return health.Check(ctx, urls, probers)
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
