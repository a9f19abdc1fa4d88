package caddymodule

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/usage"
)

const (
	defaultUsage = 5 * time.Minute
	// minUsage keeps a misplaced unit from writing all the time.
	minUsage = 10 * time.Second
	// usageOff keeps what tokens were seen to use in memory only.
	usageOff caddy.Duration = -1
)

func (h *Handler) validateUsage() error {
	if h.Usage == usageOff {
		return nil
	}
	return intervalOrOff("usage", h.Usage, minUsage)
}

// keepUsage starts, or continues, to save what tokens are seen to use.
func (h *Handler) keepUsage() {
	if h.Usage == usageOff {
		h.authority.seen.Keep(nil, "", 0, nil)
		return
	}
	every := time.Duration(h.Usage)
	if every == 0 {
		every = defaultUsage
	}
	store := usageStore{h.ctx.Storage()}
	h.authority.seen.Keep(store, usagePrefix(h.workspaceHost), every, usageWarner(h.logger))
}

// usagePrefix is where a workspace's usage is stored, by all gateways in front of it.
func usagePrefix(workspace string) string {
	sum := sha256.Sum256([]byte(workspace))
	name := "workspace"
	if u, err := url.Parse(workspace); err == nil {
		name = certmagic.StorageKeys.Safe(u.Host)
	}
	return path.Join("databricks_scopes", "usage", name+"-"+hex.EncodeToString(sum[:4]))
}

// usageWarner logs why usage cannot be saved, once for as long as the reason is the
// same. It is called by one goroutine.
func usageWarner(logger *zap.Logger) func(error) {
	last := ""
	return func(err error) {
		switch text := err.Error(); {
		case text == last:
		case usage.SetAside(err):
			logger.Warn("saved token usage could not be read; it was set aside, and recording starts over without it", zap.Error(err))
		case errors.Is(err, usage.ErrFold):
			last = text
			logger.Warn("token usage saved by stopped gateways cannot be merged; it is tried again", zap.Error(err))
		default:
			last = text
			logger.Warn("token usage cannot be saved; it stays in memory and is tried again; check Caddy's storage, or set usage off", zap.Error(err))
		}
	}
}

// usageStore adapts Caddy's storage to usage snapshots.
type usageStore struct{ storage certmagic.Storage }

func (s usageStore) Lock(ctx context.Context, key string) error   { return s.storage.Lock(ctx, key) }
func (s usageStore) Unlock(ctx context.Context, key string) error { return s.storage.Unlock(ctx, key) }

func (s usageStore) Load(ctx context.Context, key string) ([]byte, error) {
	return s.storage.Load(ctx, key)
}

func (s usageStore) Save(ctx context.Context, key string, value []byte) error {
	return s.storage.Store(ctx, key, value)
}

func (s usageStore) Delete(ctx context.Context, key string) error {
	return s.storage.Delete(ctx, key)
}

// List tries again when Caddy's file storage stops halfway with fs.ErrNotExist, as it
// does when a file vanishes while it lists the folder: a save of another gateway
// renames one.
func (s usageStore) List(ctx context.Context, prefix string) (keys []string, err error) {
	for range 10 {
		keys, err = s.storage.List(ctx, prefix, false)
		switch {
		case !errors.Is(err, fs.ErrNotExist):
			return keys, err
		case !s.storage.Exists(ctx, prefix):
			return nil, nil
		}
	}
	return nil, fmt.Errorf("keys keep vanishing while they are listed: %v", err) // must not read as "there is none"
}

// Interface guard
var _ usage.Store = usageStore{}
