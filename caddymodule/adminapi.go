package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/tokens"
)

func init() {
	caddy.RegisterModule(adminAPI{})
}

// adminAPI adds scopegate's routes to Caddy's admin API, see [adminapi.Routes]. It
// holds nothing: Caddy makes it before the configuration's handlers, and never cleans
// it up.
type adminAPI struct{}

// CaddyModule returns the Caddy module information.
func (adminAPI) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "admin.api.databricks_scopes",
		New: func() caddy.Module { return new(adminAPI) },
	}
}

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

func (runningGateway) Ready(ctx context.Context) bool { return ready(ctx) }
func (runningGateway) Now() time.Time                 { return clock() }

func (runningGateway) Judges() (judges []adminapi.Judge) {
	for _, h := range live.list() {
		judges = append(judges, adminapi.Judge{
			Judge: &judge.Judge{Catalog: h.catalog, Rules: h.rules, Freshness: h.freshness, Tokens: tokenService{h.authority}, Now: h.now},
			Key:   h.judgeKey(),
		})
	}
	return judges
}

// judgeKey is the same for handlers that explain alike. The policy hash will not do: an
// explanation does not depend on mode and oauth.
func (h *Handler) judgeKey() string {
	rules, err := json.Marshal([]any{orDefault(h.UnscopedTokens, unscoped), h.Policies})
	return fmt.Sprintf("%v %s %s %v", h.authority.key, h.catalog.Version(), rules, err)
}

func (runningGateway) Workspaces() (workspaces []adminapi.Workspace) {
	for _, a := range live.authorities() {
		workspaces = append(workspaces, adminapi.Workspace{URL: a.key.workspace, Tokens: tokenService{a}, Usage: a.seen})
	}
	return workspaces
}

// tokenService is an authority as judges and the admin API see it.
type tokenService struct{ *authority }

func (s tokenService) Resolve(ctx context.Context, id tokens.ID, fresh tokens.Freshness) (tokens.Facts, error) {
	return s.resolver.Resolve(ctx, id, fresh)
}

func (s tokenService) Verify(ctx context.Context, raw string) (*tokens.Info, error) {
	return s.verifier.Verify(ctx, raw)
}

func (s tokenService) List(ctx context.Context) ([]*tokens.Info, time.Time, error) {
	return s.resolver.List(ctx)
}

func (s tokenService) OwnerName(info *tokens.Info) string { return s.ownerName(info) }
func (s tokenService) WorkspaceID() int64                 { return s.resolver.WorkspaceID() }
func (s tokenService) Len() int                           { return s.resolver.Len() }
func (s tokenService) IDs(limit int) []tokens.ID          { return s.resolver.IDs(limit) }
func (s tokenService) Purge(id tokens.ID) bool            { return s.resolver.Purge(id) }

// Interface guards
var (
	_ caddy.AdminRouter     = (*adminAPI)(nil)
	_ adminapi.Gateway      = runningGateway{}
	_ adminapi.TokenService = tokenService{}
	_ judge.TokenService    = tokenService{}
)
