package caddymodule

import (
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	lru "github.com/hashicorp/golang-lru/v2"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/metrics"
	"github.com/scopegate/scopegate/internal/tokens"
)

// Names of the events that operators can subscribe to with Caddy's events option.
// They tell changes, never single requests.
const (
	// eventDown: look-ups of tokens stopped working. Data: workspace, outage.
	eventDown = "databricks_authority_down"
	// eventUp: they work again. Data: workspace.
	eventUp = "databricks_authority_up"
	// eventExpiring: a token in use will expire soon, told once a token. Data:
	// workspace, token_id, owner_id, expires (RFC 3339).
	eventExpiring = "databricks_token_expiring"
)

// watcher tells metrics, the log and the events app what a resolver does. It
// outlives the configuration that made it, so it asks for those each time.
type watcher struct {
	*metrics.Metrics
	workspace string
}

// AuthorityChanged implements [tokens.Observer].
func (w watcher) AuthorityChanged(outage *tokens.UnavailableError) {
	logger := caddy.Log().Named("http.handlers.databricks_scopes").With(zap.String("workspace", w.workspace))
	w.AuthorityUp(outage == nil)
	if outage == nil {
		logger.Info("look-ups of tokens work again")
		emitFor(w.workspace, eventUp, map[string]any{"workspace": w.workspace})
		return
	}
	logger.Error("look-ups of tokens fail; known tokens pass until cache max_stale, all others are answered 503",
		zap.String("outage", string(outage.Outage)),
		zap.Error(outage))
	emitFor(w.workspace, eventDown, map[string]any{"workspace": w.workspace, "outage": string(outage.Outage)})
}

// emitFor emits an event through one of the handlers of a workspace.
func emitFor(workspace, name string, data map[string]any) {
	for _, h := range live.list() {
		if h.workspaceHost == workspace && h.events != nil {
			// Caddy runs an event's subscribers before it returns, and a look-up
			// must not wait for somebody's webhook.
			go h.events.Emit(h.ctx, name, data)
			return
		}
	}
}

// maxWarned bounds how many tokens are remembered to have been warned about.
const maxWarned = 10_000

// warned are the tokens whose expiry was told, by the end that was told: a token
// whose life is changed is told about again.
var warned = func() *lru.Cache[tokens.ID, time.Time] {
	cache, err := lru.New[tokens.ID, time.Time](maxWarned)
	if err != nil {
		panic("caddymodule: " + err.Error())
	}
	return cache
}()

// warnOfExpiry tells once that a token which is in use will expire soon.
func (h *Handler) warnOfExpiry(facts tokens.Facts, now time.Time) {
	// What came from memory was looked at when it came.
	if facts.Source != tokens.FromLookup || facts.Info.Expires.IsZero() {
		return
	}
	left, whole := facts.Info.Expires.Sub(now), facts.Info.Expires.Sub(facts.Info.Created)
	// A token that was made for less than that is meant to end soon.
	if left <= 0 || left > h.expiryWarning() || whole <= h.expiryWarning() {
		return
	}
	if told, ok := warned.Get(facts.Info.ID); ok && told.Equal(facts.Info.Expires) {
		return
	}
	warned.Add(facts.Info.ID, facts.Info.Expires)
	h.logger.Warn("a token in use expires soon",
		zap.String("token_id", facts.Info.ID.String()),
		zap.Int64("owner_id", facts.Info.OwnerID),
		zap.Time("expires", facts.Info.Expires))
	emitFor(h.workspaceHost, eventExpiring, map[string]any{
		"workspace": h.workspaceHost,
		"token_id":  facts.Info.ID.String(),
		"owner_id":  facts.Info.OwnerID,
		"expires":   facts.Info.Expires.UTC().Format(time.RFC3339),
	})
}

// eventsApp returns Caddy's events app, or nil where there is none, as in tests
// of a single module.
func eventsApp(ctx caddy.Context) *caddyevents.App {
	app, err := ctx.App("events")
	if err != nil {
		return nil
	}
	events, _ := app.(*caddyevents.App)
	return events
}
