package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/caddyserver"
	"github.com/scopegate/scopegate/internal/exchange"
	"github.com/scopegate/scopegate/internal/judge"
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
// no earlier. It does not protect against clients that can reach the workspace
// without it.
//
// Refusals are errors of Caddy's: an error route (`handle_errors`) may answer them.
// Without one, or where none matches, clients get an answer in Databricks' form.
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
	// The Databricks workspace whose tokens are judged: the name of a workspace of the
	// app `databricks`, or a URL such as
	// `https://dbc-a1b2345c-d6e7.cloud.databricks.com`. Where one host serves
	// several workspaces, add the workspace's id as `?o=<id>`. Placeholders are
	// supported. Default: the only workspace of the app, else `{env.DATABRICKS_HOST}`.
	Workspace string `json:"workspace,omitempty"`

	// Options of that workspace, if they are not set in the app. Other handlers of the
	// workspace share them.
	WorkspaceOptions

	Rules

	// What becomes of the record of every decision. Default: what the app says.
	Audit *Audit `json:"audit,omitempty"`

	app       *App
	workspace *workspace
	enforcer  exchange.Enforcer
	logger    *zap.Logger
	sinks     *sinks            // where records go beside the logger
	lines     map[string]string // where the Caddyfile states an option
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
func (h *Handler) Provision(ctx caddy.Context) error { return h.provision(ctx, h) }

// provision sets up the handler, or another one that it is a part of.
func (h *Handler) provision(ctx caddy.Context, whole caddyhttp.MiddlewareHandler) (err error) {
	h.logger = ctx.Logger(h) // which is where records are, whichever handler makes them
	if h.app, err = databricksApp(ctx); err != nil {
		return err
	}
	// Before anything is built from the values; Caddy calls Validate after.
	if err := h.Validate(); err != nil {
		return err
	}
	if h.enforcer.Rules, err = h.Rules.hash(); err != nil {
		return err
	}
	if h.workspace, err = h.app.join(h); err != nil {
		return err
	}
	if err := caddyserver.CheckLoop(ctx, h.workspace.url); err != nil {
		return err
	}
	if err := h.app.carriers.Carry(ctx, whole); err != nil {
		return err
	}
	// So that the hash in a record can be found again, by scopegate validate too.
	h.logger.Info("rules in force",
		zap.String("mode", orDefault(h.Mode, modes)), zap.String("workspace", h.enforcer.Workspace), zap.Int("policies", len(h.Policies)),
		zap.String("policy_hash", h.enforcer.Rules), zap.String("catalog", h.enforcer.Judge().Catalog.Version()))
	h.warnOfPolicies()
	return h.provisionAudit()
}

func (h *Handler) provisionAudit() error {
	settings, err := h.Audit.merged(h.app.Audit) // the app's included
	if err != nil {
		return err
	}
	if err := settings.formatsOutput(); err != nil {
		return err
	}
	e := &h.enforcer
	e.Tokens = func() exchange.Tokens { return h.workspace.service() }
	e.Judged, e.Emit = h.warnOfExpiry, h.emit
	e.Now, e.Metrics, e.Logger = h.app.now, h.app.metrics, h.logger
	e.Workspace = h.workspace.host
	e.RedactPath, e.Comment, e.OpenAfter = settings.redactsPath(), settings.commentMode(), settings.openAfter()
	if settings.logs() {
		e.Log = audit.NewLogger(h.logger.Named("audit"), logLosses())
	}
	if h.sinks, err = h.app.openSinks(settings); err != nil {
		return err
	}
	e.Sinks = h.sinks
	e.Recorded = h.sinks != nil || e.Log != nil
	if !e.Recorded {
		h.logger.Warn("audit records are discarded: log is off, no output is set, no OTEL exporter is configured")
	}
	return nil
}

// Validate checks every value, and says which one is wrong and what would be right.
func (h *Handler) Validate() error {
	if err := h.WorkspaceOptions.validate(); err != nil {
		return err
	}
	if err := h.Rules.validate(); err != nil {
		return err
	}
	return h.Audit.validate()
}

// Cleanup releases what is shared, which stays alive while another configuration
// uses it.
func (h *Handler) Cleanup() error {
	h.sinks.leave()
	return nil
}

// judge makes the judge from the rules and what its workspace says, with a catalog.
func (h *Handler) judge(w *workspace, catalog *scopes.Catalog) (*judge.Judge, error) {
	rules, err := h.Rules.compile(catalog)
	if err != nil {
		return nil, err
	}
	origins, err := judge.ParseOrigins(h.CORS)
	if err != nil {
		return nil, err
	}
	if w.options.LearnedRoutes {
		rules.Learned = learned{w}
	}
	return &judge.Judge{
		Catalog:   catalog,
		Rules:     rules,
		OAuth:     judge.OAuthMode(orDefault(h.OAuth, oauths)),
		CORS:      origins,
		Observe:   h.Mode == modeObserve,
		Freshness: w.options.freshness(),
		Tokens:    lazyTokens{w},
		Now:       clock,
	}, nil
}

// ServeHTTP judges a request, records the decision, and passes the request on or
// refuses it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	caddyserver.Judged(r)
	defer caddyserver.Handled(r) // whoever answered
	return h.enforcer.Serve(w, r, next)
}

// ServeMisdirected refuses a request that reached no handler: for a host that no site
// serves, or for a path of this site that is not passed. Caddy would answer it with an
// empty 200.
func (h *Handler) ServeMisdirected(w http.ResponseWriter, r *http.Request, hosts []string) error {
	return h.enforcer.ServeMisdirected(w, r, hosts)
}

// AnswersChecks implements [caddyserver.Refuser].
func (h *Handler) AnswersChecks() bool { return false }

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.Validator             = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
	_ caddyserver.Refuser         = (*Handler)(nil)
)
