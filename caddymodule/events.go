package caddymodule

import (
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/tokens"
)

// eventExpiring: a token in use expires soon, once for each expiry. Data: workspace,
// token_id, owner_id, expires (RFC 3339). Package lookupwatch has the other events.
const eventExpiring = "databricks_token_expiring"

// events emits events by Caddy's events app.
type events struct {
	ctx caddy.Context
	app *caddyevents.App // nil where there is none, as in tests of a single module
}

func newEvents(ctx caddy.Context) events {
	e := events{ctx: ctx}
	if app, err := ctx.App("events"); err == nil {
		e.app, _ = app.(*caddyevents.App)
	}
	return e
}

// emit emits an event. Caddy runs an event's subscribers before it returns, and
// neither a request nor a look-up must wait for a webhook. Without a running
// configuration there is no one to tell.
func (a *App) emit(name string, data map[string]any) { go a.emitNow(name, data) }

// emitNow is emit for those who may wait for the subscribers.
func (a *App) emitNow(name string, data map[string]any) {
	if a != nil && a.events.app != nil {
		a.events.app.Emit(a.events.ctx, name, data)
	}
}

// emit emits an event about the handler's workspace.
func (h *Handler) emit(name string, data map[string]any) {
	data["workspace"] = h.workspace.url
	h.app.emit(name, data)
}

// expiryNotices outlive configurations, so that a reload repeats none.
var expiryNotices = tokens.NewExpiryNotices()

// warnOfExpiry reports once that a token in use expires soon.
func (h *Handler) warnOfExpiry(j *judge.Judgement) {
	// Facts from memory were looked at when they came.
	if j.Facts.Source != tokens.FromLookup || !expiryNotices.Due(j.Facts.Info, h.workspace.options.expiryWarning(), h.app.now()) {
		return
	}
	info := j.Facts.Info
	ends, _ := info.Expires.At()
	var owner any = tokens.Unknown
	if id, known := info.Owner.ID(); known {
		owner = id
	}
	h.logger.Warn("a token in use expires soon",
		zap.String("token_id", info.ID.String()),
		zap.Any("owner_id", owner),
		zap.Time("expires", ends))
	h.app.emit(eventExpiring, map[string]any{
		"workspace": h.workspace.url,
		"token_id":  info.ID.String(),
		"owner_id":  owner,
		"expires":   ends.UTC().Format(time.RFC3339),
	})
}
