package caddymodule

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/judge"
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
func (h *Handler) warnOfExpiry(j *judge.Judgement) {
	// Facts from memory were looked at when they came.
	if j.Facts.Source != tokens.FromLookup || j.Facts.Info.Expires.IsZero() {
		return
	}
	info, warning := j.Facts.Info, h.workspace.options.expiryWarning()
	left, whole := info.Expires.Sub(h.app.now()), info.Expires.Sub(info.Created)
	// A token that was made for less than that is meant to end soon.
	if left <= 0 || left > warning || whole <= warning {
		return
	}
	if told, ok := warned.Get(info.ID); ok && told.Equal(info.Expires) {
		return
	}
	warned.Add(info.ID, info.Expires)
	h.logger.Warn("a token in use expires soon",
		zap.String("token_id", info.ID.String()),
		zap.Int64("owner_id", info.OwnerID),
		zap.Time("expires", info.Expires))
	h.app.emit(eventExpiring, map[string]any{
		"workspace": h.workspace.url,
		"token_id":  info.ID.String(),
		"owner_id":  info.OwnerID,
		"expires":   info.Expires.UTC().Format(time.RFC3339),
	})
}
