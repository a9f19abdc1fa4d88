package usage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path"

	"github.com/caddyserver/certmagic"
)

// StoragePrefix is where a workspace's usage is stored, by all gateways in front of it.
func StoragePrefix(workspace string) string {
	sum := sha256.Sum256([]byte(workspace))
	name := "workspace"
	if u, err := url.Parse(workspace); err == nil {
		name = certmagic.StorageKeys.Safe(u.Host)
	}
	return path.Join("databricks_scopes", "usage", name+"-"+hex.EncodeToString(sum[:4]))
}

// CaddyStorage is Caddy's storage as a [Store].
func CaddyStorage(storage certmagic.Storage) Store { return caddyStorage{storage} }

type caddyStorage struct{ storage certmagic.Storage }

func (s caddyStorage) Lock(ctx context.Context, key string) error { return s.storage.Lock(ctx, key) }
func (s caddyStorage) Unlock(ctx context.Context, key string) error {
	return s.storage.Unlock(ctx, key)
}

func (s caddyStorage) Load(ctx context.Context, key string) ([]byte, error) {
	return s.storage.Load(ctx, key)
}

func (s caddyStorage) Save(ctx context.Context, key string, value []byte) error {
	return s.storage.Store(ctx, key, value)
}

func (s caddyStorage) Delete(ctx context.Context, key string) error {
	return s.storage.Delete(ctx, key)
}

// List tries again when Caddy's file storage stops halfway with fs.ErrNotExist, as it
// does when a file vanishes while it lists the folder: a save of another gateway
// renames one.
func (s caddyStorage) List(ctx context.Context, prefix string) (keys []string, err error) {
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
var _ Store = caddyStorage{}
