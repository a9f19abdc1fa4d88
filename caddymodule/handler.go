package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
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
	h.now = time.Now
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
	if h.rules, err = h.policyRules(); err != nil {
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
	return h.events.On("started", rewriteCheck{h})
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

// judge fills the record with the decision, and returns what a refusal needs
// beyond it.
func (h *Handler) judge(r *http.Request, rec *audit.Record) verdict {
	v := h.decide(r, rec)
	rec.Reason = v.reason
	rec.Verdict = audit.Deny
	switch {
	case v.reason == policy.PublicRoute:
		rec.Verdict = audit.Public
	case v.allowed:
		rec.Verdict = audit.Allow
	}
	return v
}

// decide takes a request through the steps that lead to a decision, until one
// of them settles it.
func (h *Handler) decide(r *http.Request, rec *audit.Record) verdict {
	if problem := ambiguity(r); problem != "" {
		return refuse(policy.AmbiguousRequest, problem)
	}
	var buf [4]scopes.Reading
	readings, problem := h.readings(r, buf[:0])
	if problem != "" {
		return refuse(policy.MalformedPath, problem)
	}
	rec.Operation = readings[0].Operation
	if policy.Public(readings) {
		return verdict{allowed: true, reason: policy.PublicRoute}
	}

	credential, err := tokens.ParseAuthorization(r.Header["Authorization"])
	switch {
	case errors.Is(err, tokens.ErrNoCredential):
		return refuse(policy.MissingCredential, "")
	case errors.Is(err, tokens.ErrSeveralCredentials):
		return refuse(policy.AmbiguousRequest, "More than one Authorization header was sent; send exactly one.")
	case err != nil:
		return refuse(policy.UnsupportedCredential, kindOf(err))
	case credential.Kind == tokens.PAT:
		return h.decidePAT(r, rec, credential.ID, readings)
	case h.OAuth == oauthVerify:
		return h.decideJWT(r, rec, readings)
	case h.OAuth == oauthPass:
		return verdict{allowed: true, reason: policy.PassedOAuth}
	}
	return refuse(policy.UnsupportedCredential, "an OAuth access token")
}

// decidePAT judges a request that bears a personal access token.
func (h *Handler) decidePAT(r *http.Request, rec *audit.Record, id tokens.ID, readings []scopes.Reading) verdict {
	rec.TokenID = id.String()
	facts, err := h.authority.resolver.Resolve(r.Context(), id, h.freshnessFor(readings))
	if err != nil {
		return h.unresolved(err, rec)
	}
	h.warnOfExpiry(facts, rec.Time)
	return h.decideFacts(r, rec, facts, readings, h.rules)
}

// fromToken is the source of facts that the token itself carries.
const fromToken tokens.Source = "token"

// decideJWT judges a request that bears an OAuth access token.
func (h *Handler) decideJWT(r *http.Request, rec *audit.Record, readings []scopes.Reading) verdict {
	_, raw, _ := strings.Cut(r.Header["Authorization"][0], " ")
	rec.TokenID = tokens.IDOf(raw).String()
	info, err := h.authority.verifier.Verify(r.Context(), raw)
	if err != nil {
		return h.unresolved(err, rec)
	}
	// An OAuth token always says its scopes: one without any holds none.
	rules := h.rules
	rules.AllowUnscoped = false
	return h.decideFacts(r, rec, tokens.Facts{Info: info, At: rec.Time, Source: fromToken}, readings, rules)
}

// decideFacts judges a request by what is known of its token.
func (h *Handler) decideFacts(r *http.Request, rec *audit.Record, facts tokens.Facts, readings []scopes.Reading, rules policy.Rules) verdict {
	now := h.now()
	describeToken(rec, facts, rules, now)
	workspaceID, problem := namedWorkspace(r)
	if problem != "" {
		return refuse(policy.AmbiguousRequest, problem)
	}
	// A request that names no workspace is for the one that the host stands for.
	workspaceID = cmp.Or(workspaceID, h.authority.resolver.WorkspaceID())
	request := policy.Request{Method: r.Method, Readings: readings, WorkspaceID: workspaceID}
	decision := policy.Decide(h.authority.subject(facts.Info, rules), request, rules, now)
	rec.Operation = decision.Operation
	rec.Policy, rec.Asks = decision.Policy, decision.Asks
	return verdict{allowed: decision.Allowed, reason: decision.Reason, rehearsed: decision.Rehearsed}
}

// kindOf names a credential that is not accepted, where its shape tells.
func kindOf(err error) string {
	var unsupported *tokens.UnsupportedError
	if errors.As(err, &unsupported) {
		return unsupported.Kind
	}
	return ""
}

// mintsTokens is the scope with which a token can make others of any scope, and
// widen its own.
const mintsTokens = "authentication"

// freshnessFor returns how old facts may be for a request. One that can mint
// tokens gets no stale ones: what it does outlives the outage.
func (h *Handler) freshnessFor(readings []scopes.Reading) tokens.Freshness {
	fresh := h.freshness
	for i := range readings {
		if slices.Contains(readings[i].Operation.AnyOf, mintsTokens) {
			fresh.MaxStale = 0
		}
	}
	return fresh
}

// unresolved turns a failed look-up into a refusal. What went wrong is the
// operator's to know, not the client's.
func (h *Handler) unresolved(err error, rec *audit.Record) verdict {
	switch {
	case errors.Is(err, tokens.ErrUnknownToken), errors.Is(err, tokens.ErrInvalidJWT):
		return refuse(policy.UnknownToken, "")
	case errors.Is(err, tokens.ErrExpiredJWT):
		return refuse(policy.TokenExpired, "")
	}
	v := refuse(policy.DirectoryUnavailable, "")
	v.retryAfter = time.Second
	var outage *tokens.UnavailableError
	if errors.As(err, &outage) {
		v.retryAfter = outage.RetryAfter
		rec.Detail = string(outage.Outage)
	} else {
		rec.Detail = "client_left"
	}
	return v
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
