package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

func init() {
	caddy.RegisterModule(Handler{})
}

// Handler enforces API scopes on Databricks personal access tokens. It looks up
// what the token of each request may do, works out which scopes the request
// needs, and refuses what is out of scope, expired or ambiguous before it leaves,
// in the words that Databricks clients understand. Every decision is recorded.
//
// Databricks still judges every request that passes: this handler can only say
// no earlier. It protects nothing from clients that can reach the workspace
// without it.
//
// It sets these placeholders:
//
// Placeholder | Description
// ------------|---------------
// `{http.auth.user.id}` | Numeric id of the token's owner, once the request was allowed
// `{databricks_scopes.token_id}` | Id of the token, which is the SHA-256 of its value
// `{databricks_scopes.owner}` | Numeric id of the token's owner
// `{databricks_scopes.scopes}` | Scopes that the token holds, comma-separated
// `{databricks_scopes.required}` | Scopes of which the request needs one, comma-separated
// `{databricks_scopes.operation}` | Databricks operation that the request calls
// `{databricks_scopes.decision}` | `allow`, `deny` or `public`
// `{databricks_scopes.reason}` | Why it was decided so
// `{databricks_scopes.facts_age}` | Age in seconds of what was known about the token
type Handler struct {
	// URL of the Databricks workspace whose tokens are judged, such as
	// `https://dbc-a1b2345c-d6e7.cloud.databricks.com`. Where one host serves
	// several workspaces, add the workspace's id as `?o=<id>`. Placeholders are
	// supported. Default: `{env.DATABRICKS_HOST}`.
	Workspace string `json:"workspace,omitempty"`

	// How scopegate itself signs in to the workspace to look up tokens. Only a
	// workspace admin may do so. Default: the Databricks SDK's unified
	// authentication, that is environment variables such as
	// `DATABRICKS_CLIENT_ID`, then the default profile of `~/.databrickscfg` if
	// it is for this workspace.
	Admin *Admin `json:"admin,omitempty"`

	// `enforce` refuses what the rules do not permit; `observe` decides and
	// records in just the same way, and lets everything pass unchanged. Default:
	// `enforce`.
	Mode string `json:"mode,omitempty"`

	// How long what is known about tokens is remembered.
	Cache *Cache `json:"cache,omitempty"`

	// Limits on look-ups with the workspace.
	Lookup *Lookup `json:"lookup,omitempty"`

	// How often what is known about all tokens is refreshed by one request for the
	// workspace's whole list, which is not paginated. A revoked token is refused
	// here after that time at the latest. Default: off.
	Sync caddy.Duration `json:"sync,omitempty"`

	// What to do with tokens that have no scopes: `allow` lets them do everything,
	// as Databricks does; `deny` treats them as holding no scope. Default:
	// `allow`.
	UnscopedTokens string `json:"unscoped_tokens,omitempty"`

	// What to do with OAuth access tokens (JWTs), which are not in Token
	// Management: `deny` refuses them; `pass` lets them through unjudged; `verify`
	// verifies them with the workspace's own keys and enforces the scopes that they
	// carry, and refuses those of other issuers. Default: `deny`.
	OAuth string `json:"oauth,omitempty"`

	// Path of a file with catalogue rows that are added to the built-in catalogue
	// or override its rows of the same method and path. The columns, separated by
	// tabs, are method, path template, scopes, evidence, operation and source. The
	// file is read when the configuration is loaded.
	Routes string `json:"routes,omitempty"`

	// How long before its expiry a token that is in use is warned about, once, in
	// the log and by the event `databricks_token_expiring`. Tokens that were made
	// for less are not. Default: `7d`.
	ExpiryWarning caddy.Duration `json:"expiry_warning,omitempty"`

	// How often what tokens were seen to use is saved in Caddy's storage, so that
	// reports survive restarts and gateways with one storage report together; `-1`
	// keeps it in memory only. Default: `5m`.
	Usage caddy.Duration `json:"usage,omitempty"`

	// Policies that narrow what tokens may do.
	Policies []Policy `json:"policies,omitempty"`

	ctx           caddy.Context
	events        *caddyevents.App
	workspaceHost string
	catalog       *scopes.Catalog
	rules         policy.Rules
	freshness     tokens.Freshness
	authority     *authority
	metrics       *audit.Metrics
	logger        *zap.Logger
	auditLogger   *zap.Logger
	now           func() time.Time
}

// CaddyModule returns the Caddy module information.
func (Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.databricks_scopes",
		New: func() caddy.Module { return new(Handler) },
	}
}

// Provision sets up the handler. It uses neither the network nor the admin
// credential: both are needed by the first look-up only.
func (h *Handler) Provision(ctx caddy.Context) error {
	h.ctx = ctx
	h.events = eventsApp(ctx)
	h.logger = ctx.Logger()
	h.auditLogger = h.logger.Named("audit")
	h.now = clock
	h.freshness = h.Cache.freshness()

	var err error
	if h.metrics, err = audit.Register(ctx.GetMetricsRegistry()); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	if h.workspaceHost, err = resolveWorkspace(h.Workspace, h.Admin); err != nil {
		return err
	}
	if h.catalog, err = loadCatalog(h.Routes); err != nil {
		return err
	}
	// Before anything is built from the values; Caddy calls Validate after.
	if err := h.validate(); err != nil {
		return err
	}
	if h.rules, err = h.policyRules(h.catalog); err != nil {
		return err
	}
	h.warnOfPolicies()
	if h.authority, err = shareAuthority(h.workspaceHost, h.Admin, h.settings(), h.metrics); err != nil {
		return err
	}
	live.add(h)
	if h.events == nil {
		return nil
	}
	return h.events.On("started", started{h})
}

// Validate checks the configuration.
func (h *Handler) Validate() error { return h.validate() }

// Cleanup lets go of the shared resolver, which stays alive while another
// configuration uses it.
func (h *Handler) Cleanup() error {
	if h.authority == nil {
		return nil // provisioning failed before it was shared
	}
	live.remove(h)
	return h.authority.release()
}

// ServeHTTP judges a request, records the decision, and passes the request on or
// refuses it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	started := h.now()
	rec := beginRecord(r, started)
	rec.Catalogue = h.catalog.Version()
	response := caddyhttp.NewResponseRecorder(w, nil, nil)
	// In a defer, so that a handler which panics or aborts leaves its record too.
	defer func() {
		if rec.Status == 0 {
			rec.Status = response.Status()
		}
		rec.BytesSent = response.Size()
		rec.Duration = h.now().Sub(started)
		h.emit(rec)
	}()
	// pass hands the request to the next handler. An error that it returns is
	// answered by Caddy, after this handler.
	pass := func() error {
		if changed := h.watchTokens(r, rec); changed != nil {
			defer func() { changed(cmp.Or(rec.Status, response.Status())) }()
		}
		err := next.ServeHTTP(response, r)
		if err != nil && waitsToSend(r) {
			response.Header().Set("Connection", "close")
		}
		var failed caddyhttp.HandlerError
		if errors.As(err, &failed) {
			rec.Status = failed.StatusCode
		}
		return err
	}

	verdict := h.judge(r, rec)
	rec.DecisionDuration = h.now().Sub(started)
	setPlaceholders(r, rec)

	if h.Mode == modeObserve {
		rec.Dropped = contradictions(r)
		return pass()
	}
	rec.Enforced = !verdict.rehearsed
	if !verdict.allowed && !verdict.rehearsed {
		rec.RequestID = verdict.write(response, r, rec)
		return nil
	}
	rec.Dropped = dropContradictions(r, verdict.reason == policy.PassedOAuth)
	if verdict.reason == policy.PublicRoute {
		rec.Dropped = append(rec.Dropped, dropUnjudged(r)...)
	}
	return pass()
}

// emit writes and counts a finished record, and notes what the token used.
func (h *Handler) emit(rec *audit.Record) {
	audit.Log(h.auditLogger, rec)
	h.metrics.Count(rec, h.modeName())
	if rec.FactsSource == fromToken {
		return // OAuth tokens live for an hour: there is nothing to narrow
	}
	h.authority.seen.Seen(usage.Call{
		TokenID:   rec.TokenID,
		Operation: rec.Operation,
		Allowed:   rec.Verdict == audit.Allow,
		Enforced:  rec.Enforced,
		Reason:    string(rec.Reason),
		At:        rec.Time,
		OwnerID:   rec.OwnerID,
		Creator:   rec.Creator,
	})
}

// Interface guards
var (
	_ caddy.Module                = (*Handler)(nil)
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.Validator             = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
