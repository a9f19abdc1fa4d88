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
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/metrics"
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

	// What becomes of the record of every decision.
	Audit *Audit `json:"audit,omitempty"`

	// Policies that narrow what tokens may do.
	Policies []Policy `json:"policies,omitempty"`

	ctx           caddy.Context
	events        *caddyevents.App
	workspaceHost string
	workspaceName string // of its host
	catalog       *scopes.Catalog
	rules         policy.Rules
	rulesHash     string
	freshness     tokens.Freshness
	authority     *authority
	metrics       *metrics.Metrics
	logger        *zap.Logger
	auditLog      *audit.Logger // nil where it is off
	outlets       *outlets      // where records go beside that
	recorded      bool          // somebody keeps the records
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
	if h.Audit.logs() {
		h.auditLog = audit.NewLogger(h.logger.Named("audit"), loggedLosses)
	}
	h.now = clock
	h.freshness = h.Cache.freshness()

	var err error
	if h.metrics, err = metrics.Register(ctx.GetMetricsRegistry()); err != nil {
		return fmt.Errorf("registering metrics: %w", err)
	}
	if h.workspaceHost, err = resolveWorkspace(h.Workspace, h.Admin); err != nil {
		return err
	}
	h.workspaceName = hostName(h.workspaceHost)
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
	if h.rulesHash, err = h.hashRules(); err != nil {
		return err
	}
	// So that the hash in a record can be found again, by scopegate validate too.
	h.logger.Info("rules in force", zap.String("policy_hash", h.rulesHash), zap.String("catalog", h.catalog.Version()))
	h.warnOfPolicies()
	if h.outlets, err = h.Audit.openOutlets(ctx); err != nil {
		return err
	}
	h.recorded = h.outlets != nil || h.auditLog != nil
	if !h.recorded {
		h.logger.Warn("nobody keeps the record of decisions: audit log is off, it has no output, and no OTEL_ variable asks for it")
	}
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

// Cleanup lets go of what is shared, which stays alive while another configuration
// uses it. Provisioning may have failed before any of it was.
func (h *Handler) Cleanup() error {
	var errs []error
	if h.authority != nil {
		live.remove(h)
		errs = append(errs, h.authority.release())
	}
	h.outlets.leave()
	return errors.Join(errs...)
}

// ServeHTTP judges a request, records the decision, and passes the request on or
// refuses it.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	h.outlets.begin()
	defer h.outlets.end()
	started := h.now()
	span := trace.SpanFromContext(r.Context()) // of Caddy's tracing directive, if it is on
	rec := h.beginRecord(r, started, span)
	var way *passage // nil where nobody wants to know what becomes of the request
	if h.recorded {
		way = newPassage(w, h.now)
		w = way.response
	}
	var token tokens.ID
	var promised places
	// In a defer, so that a handler which panics or aborts leaves its record too.
	defer func() {
		crash := recover()
		switch {
		case crash == http.ErrAbortHandler:
			rec.Outcome = audit.Aborted
		case crash != nil:
			rec.Outcome = audit.Panicked
		}
		if way != nil {
			rec.Status = cmp.Or(rec.Status, way.response.Status())
			rec.BytesReceived = way.read.Load()
			rec.BytesSent = int64(way.response.Size())
			rec.Duration = h.now().Sub(started)
		}
		h.emit(rec, token, promised)
		if crash != nil {
			panic(crash)
		}
	}()
	verdict := h.judge(r, rec)
	token = verdict.token
	rec.LookedUpAt = verdict.asked
	if h.Mode != modeObserve && (verdict.allowed || verdict.rehearsed) {
		// Before it passes: afterwards there would be nothing left to refuse.
		var ok bool
		if promised, ok = h.outlets.reserve(); !ok {
			verdict = unrecorded(rec)
		}
	}
	rec.Enforced = h.Mode != modeObserve && !verdict.rehearsed
	setPlaceholders(r, rec, token)
	if !rec.Brief {
		rec.DecisionDuration = h.now().Sub(started)
		if !token.IsZero() {
			rec.TokenID = token.String()
		}
	}
	// In the caller's own trace too, if it is one that somebody keeps.
	if span.IsRecording() {
		audit.TraceDecision(r.Context(), span, rec)
	}

	if h.Mode == modeObserve {
		rec.Dropped = audit.TruncateNames(contradictions(r))
		return h.pass(way, w, r, rec, next)
	}
	if !verdict.allowed && !verdict.rehearsed {
		rec.RequestID = verdict.write(w, r, rec)
		return nil
	}
	dropped := dropContradictions(r, verdict.reason == policy.PassedOAuth)
	if verdict.reason == policy.PublicRoute {
		dropped = append(dropped, dropUnjudged(r)...)
	}
	rec.Dropped = audit.TruncateNames(dropped)
	return h.pass(way, w, r, rec, next)
}

// pass hands the request to the next handler. An error that it returns is answered
// by Caddy, after this handler.
func (h *Handler) pass(way *passage, w http.ResponseWriter, r *http.Request, rec *audit.Record, next caddyhttp.Handler) error {
	changed := h.watchTokens(r, rec)
	if changed != nil && way == nil {
		way = newPassage(w, h.now)
		w = way.response
	}
	if way != nil {
		way.watchBody(r)
		// What comes after the next handler is done also when that panics.
		defer func() {
			way.describe(rec)
			if changed != nil {
				changed(cmp.Or(rec.Status, rec.UpstreamStatus))
			}
		}()
	}
	err := next.ServeHTTP(w, r)
	if err == nil {
		return nil
	}
	if waitsToSend(r) {
		w.Header().Set("Connection", "close")
	}
	rec.Outcome = audit.Failed
	if way != nil && way.answered.IsZero() {
		rec.Status = http.StatusInternalServerError // as Caddy answers an error that does not say
		var failed caddyhttp.HandlerError
		if errors.As(err, &failed) {
			rec.Status = cmp.Or(failed.StatusCode, rec.Status)
		}
	}
	return err
}

// unrecorded refuses a request that could not be recorded.
func unrecorded(rec *audit.Record) verdict {
	v := refuse(policy.AuditUnavailable, "")
	v.retryAfter = auditRetry
	rec.Decision, rec.Reason = judge.Deny, v.reason
	rec.Policy, rec.Requirement = "", "" // of a refusal that was only rehearsed
	return v
}

// auditRetry is when it is worth asking again after that.
const auditRetry = 5 * time.Second

// emit hands a finished record to all who keep it, counts it, and notes what the
// token used. Nobody changes it from here on.
func (h *Handler) emit(rec *audit.Record, token tokens.ID, promised places) {
	defer h.outlets.put(rec, promised) // last, because it may wait
	h.auditLog.Write(rec)
	rec.Count(h.metrics)
	if rec.Facts.Source == "" || rec.Facts.Source == fromToken {
		return // nobody of the workspace's, or an OAuth token, which lives for an hour
	}
	h.authority.seen.Seen(usage.Call{
		TokenID:   token,
		Operation: rec.Operation,
		Allowed:   rec.Decision == judge.Allow,
		Enforced:  rec.Enforced,
		Reason:    string(rec.Reason),
		At:        rec.Time,
		OwnerID:   rec.OwnerID(),
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
