package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/caddyserver"
	"github.com/scopegate/scopegate/internal/console"
	"github.com/scopegate/scopegate/internal/health"
	"github.com/scopegate/scopegate/internal/recent"
)

func init() {
	caddy.RegisterModule(adminAPI{})
}

// adminAPI adds scopegate's routes to Caddy's admin API, see [adminapi.Routes]. It
// is stateless: Caddy makes it before the configuration's apps, and never cleans it
// up.
type adminAPI struct{}

// CaddyModule returns the Caddy module information.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.databricks_scopes",
		New: func() caddy.Module { return new(adminAPI) },
	}
}

// Provision looks whether another process has the admin API's address.
func (adminAPI) Provision(ctx caddy.Context) error { return caddyserver.PrepareAdmin(ctx) }

// Routes returns the routes.
func (adminAPI) Routes() (routes []caddy.AdminRoute) {
	for _, route := range adminapi.Routes(runningGateway{}) {
		routes = append(routes, caddy.AdminRoute{Pattern: route.Pattern, Handler: caddy.AdminHandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
			err := route.ServeHTTP(w, r)
			if failed, ok := errors.AsType[*adminapi.Error](err); ok {
				return caddy.APIError{HTTPStatus: failed.Status, Err: failed.Err}
			}
			return err
		})})
	}
	return routes
}

// runningGateway is the running configuration.
type runningGateway struct{}

func (runningGateway) Ready(ctx context.Context) bool {
	app := activeApp()
	return app != nil && app.readiness(ctx).Ready
}

// Health implements [console.Source].
func (runningGateway) Health(ctx context.Context) health.Report {
	app := activeApp()
	if app == nil {
		return health.Check(ctx, nil, nil)
	}
	return app.readiness(ctx)
}

// Audit implements [console.Source].
func (runningGateway) Audit() audit.Condition {
	condition := audit.Condition{Troubles: auditTroubles.List()}
	if app := activeApp(); app != nil {
		for _, h := range app.handlers {
			if !h.enforcer.Recorded {
				condition.Discarded++
			}
		}
	}
	return condition
}

func (runningGateway) Stopping() bool { return caddy.Exiting() }

func (runningGateway) Now() time.Time { return clock() }

func (runningGateway) Recent() *recent.Ring { return recentDecisions }

func (runningGateway) Judges() (judges []adminapi.Judge) {
	app := activeApp()
	if app == nil {
		return nil
	}
	for _, w := range app.shared.used() {
		for i, by := range w.inForce.Load().Judges { // all with one map
			key, err := w.handlers[i].offlineKey(by.Catalog)
			if err != nil {
				continue // it was hashed when it was compiled
			}
			judges = append(judges, adminapi.Judge{Judge: by, Key: w.url + " " + key, Workspace: w.url})
		}
	}
	return judges
}

func (runningGateway) Workspaces() (workspaces []adminapi.Workspace) {
	app := activeApp()
	if app == nil {
		return nil
	}
	for _, w := range app.shared.used() {
		service := w.service()
		workspaces = append(workspaces, adminapi.Workspace{URL: w.url, Tokens: service, Usage: service.usage, Fleet: service.fleet, Findings: w.book(), Compare: w.watch.Compare, Base: w.base, Judges: w.judging})
	}
	return workspaces
}

// Interface guards
var (
	_ caddy.AdminRouter     = (*adminAPI)(nil)
	_ adminapi.Gateway      = runningGateway{}
	_ console.Source        = runningGateway{}
	_ adminapi.TokenService = (*tokenService)(nil)
)
