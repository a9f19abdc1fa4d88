package caddymodule

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"path"

	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/usage"
)

// usageKey is where a workspace's usage is stored: one place for all gateways in
// front of it.
func usageKey(workspace string) string {
	sum := sha256.Sum256([]byte(workspace))
	name := "workspace"
	if u, err := url.Parse(workspace); err == nil {
		name = certmagic.StorageKeys.Safe(u.Host)
	}
	return path.Join("databricks_scopes", "usage", name+"-"+hex.EncodeToString(sum[:4])+".json")
}

// usageWarner logs why usage cannot be saved: once for as long as it is the same.
// It is called by one goroutine.
func usageWarner(logger *zap.Logger) func(error) {
	last := ""
	return func(err error) {
		switch text := err.Error(); {
		case text == last:
		case usage.SetAside(err):
			logger.Warn("what tokens were seen to use before could not be read; it was set aside, and recording begins anew", zap.Error(err))
		default:
			last = text
			logger.Warn("what tokens are seen to use cannot be saved; it stays in memory and is tried again; check Caddy's storage, or set usage off", zap.Error(err))
		}
	}
}

// usageStore is Caddy's storage as a place for usage snapshots.
type usageStore struct{ storage certmagic.Storage }

func (s usageStore) Lock(ctx context.Context, key string) error   { return s.storage.Lock(ctx, key) }
func (s usageStore) Unlock(ctx context.Context, key string) error { return s.storage.Unlock(ctx, key) }

func (s usageStore) Load(ctx context.Context, key string) ([]byte, error) {
	return s.storage.Load(ctx, key)
}

func (s usageStore) Save(ctx context.Context, key string, value []byte) error {
	return s.storage.Store(ctx, key, value)
}

// SetAside copies the value to a name of its own and then deletes it: storages
// cannot rename.
func (s usageStore) SetAside(ctx context.Context, key string) error {
	value, err := s.storage.Load(ctx, key)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(value)
	if err := s.storage.Store(ctx, key+".unreadable-"+hex.EncodeToString(sum[:4]), value); err != nil {
		return err
	}
	return s.storage.Delete(ctx, key)
}

// Interface guard
var _ usage.Store = usageStore{}
