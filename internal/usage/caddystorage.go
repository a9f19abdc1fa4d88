package usage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"

	"github.com/caddyserver/certmagic"

	"github.com/scopegate/scopegate/internal/regularfile"
)

// StoragePrefix returns the storage prefix for a workspace's usage. All gateways in front
// of the workspace share it.
func StoragePrefix(workspace string) string {
	sum := sha256.Sum256([]byte(workspace))
	name := "workspace"
	if u, err := url.Parse(workspace); err == nil {
		name = certmagic.StorageKeys.Safe(u.Host)
	}
	return path.Join("databricks_scopes", "usage", name+"-"+hex.EncodeToString(sum[:4]))
}

// CaddyStorage adapts Caddy's storage to [Store].
func CaddyStorage(storage certmagic.Storage) Store { return caddyStorage{storage} }

type caddyStorage struct{ storage certmagic.Storage }

func (s caddyStorage) Lock(ctx context.Context, key string) error { return s.storage.Lock(ctx, key) }
func (s caddyStorage) Unlock(ctx context.Context, key string) error {
	return s.storage.Unlock(ctx, key)
}

// Load reads files itself: Caddy's file storage would read anything of any size.
func (s caddyStorage) Load(ctx context.Context, key string) ([]byte, error) {
	if files, ok := s.storage.(*certmagic.FileStorage); ok {
		return regularfile.Read(files.Filename(key), maxSnapshot)
	}
	info, err := s.storage.Stat(ctx, key)
	switch {
	case err != nil:
		return nil, err
	case info.Size > maxSnapshot:
		return nil, fmt.Errorf("%w: it has %d MiB, and at most %d MiB are read", regularfile.ErrTooLarge, info.Size>>20, maxSnapshot>>20)
	}
	return s.storage.Load(ctx, key)
}

// Move renames files. Other storages cannot, and what is too large to be read stays.
func (s caddyStorage) Move(ctx context.Context, from, to string) error {
	if files, ok := s.storage.(*certmagic.FileStorage); ok {
		target := files.Filename(to)
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			return err
		}
		return os.Rename(files.Filename(from), target)
	}
	value, err := s.Load(ctx, from)
	if err == nil {
		err = s.storage.Store(ctx, to, value)
	}
	if err == nil {
		err = s.storage.Delete(ctx, from)
	}
	return err
}

func (s caddyStorage) Save(ctx context.Context, key string, value []byte) error {
	return s.storage.Store(ctx, key, value)
}

func (s caddyStorage) Delete(ctx context.Context, key string) error {
	return s.storage.Delete(ctx, key)
}

// List retries when Caddy's file storage stops halfway with fs.ErrNotExist, as it does
// when another gateway's save renames a temporary file meanwhile.
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
	// Not wrapped: fs.ErrNotExist would mean an empty folder.
	return nil, fmt.Errorf("listing %s: files keep vanishing: %s", prefix, err.Error())
}

// Interface guard
var _ Store = caddyStorage{}
