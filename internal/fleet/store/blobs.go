package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/scopegate/scopegate/internal/fleet/redis"
	"github.com/scopegate/scopegate/internal/fleet/seal"
	"github.com/scopegate/scopegate/internal/regularfile"
	"github.com/scopegate/scopegate/internal/usage"
)

const (
	labelBlob = "u"
	// blobAge is how long usage is kept that nobody saves any more.
	blobAge = 400 * 24 * time.Hour
	// maxBlob bounds what is read: it is longer than what a ledger saves.
	maxBlob = 128 << 20
	// maxCalled bounds how many values have a name, and maxCall the length of one.
	maxCalled = 100_000
	maxCall   = 4 << 10
	// lockAge is longer than a ledger works under a lock.
	lockAge = 90 * time.Second
	// upPatience is how long it is waited for a store that is down.
	upPatience = 2 * time.Second
	// lockPoll is how often a lock that another gateway has is tried again.
	lockPoll = 100 * time.Millisecond
)

// UsageStore returns where usage is saved, for all gateways that share.
func (s *Store) UsageStore() usage.Store { return s.blobs(maxBlob) }

func (s *Store) blobs(most int) *blobs {
	return &blobs{store: s, most: most, locks: make(map[string]string)}
}

// blobs are values under keys that mean nothing, with an index of what they are called.
type blobs struct {
	store *Store
	most  int // bytes of one
	mu    sync.Mutex
	locks map[string]string // the values of those that this gateway holds
}

func (b *blobs) index() string { return b.store.options.Prefix + "usage" }

func (b *blobs) do(ctx context.Context, commands ...redis.Command) ([]redis.Reply, error) {
	// No request waits for usage, so it may wait for the store, for a moment: it is saved
	// again, and asked for again.
	up, cancel := context.WithTimeout(ctx, upPatience)
	defer cancel()
	if err := b.store.options.Conn.AwaitUp(up); err != nil {
		return nil, fmt.Errorf("usage in the store of the fleet: %w", err)
	}
	results, err := b.store.options.Conn.Long(ctx, "usage", commands...)
	if err != nil {
		return nil, fmt.Errorf("usage in the store of the fleet: %w", err)
	}
	for _, result := range results {
		if err := result.Err(); err != nil {
			return nil, fmt.Errorf("usage in the store of the fleet: %w", err)
		}
	}
	return results, nil
}

// Load implements [usage.Store].
func (b *blobs) Load(ctx context.Context, key string) ([]byte, error) {
	names := b.store.names(labelBlob, []byte(key))
	results, err := b.do(ctx, bounded(b.most, names...))
	if err != nil {
		return nil, err
	}
	values, err := results[0].Array()
	if err != nil {
		return nil, err
	}
	for i := range min(len(values), len(names)) {
		sealed, there, tooLarge := valueOf(values[i])
		switch {
		case tooLarge:
			b.store.options.Observer.EntryRefused("too_large")
			return nil, regularfile.ErrTooLarge
		case !there:
			continue
		}
		plain, err := b.store.options.Keys.Open(names[i], nil, sealed)
		if err != nil {
			b.store.options.Observer.EntryRefused(seal.Kind(err))
			return nil, fmt.Errorf("%w: %w", usage.ErrCorrupt, err)
		}
		return plain, nil
	}
	return nil, fs.ErrNotExist
}

// Save implements [usage.Store].
func (b *blobs) Save(ctx context.Context, key string, value []byte) error {
	names := b.store.names(labelBlob, []byte(key))
	sealed := b.store.options.Keys.Seal(names[0], nil, value)
	called := b.store.options.Keys.Seal(b.index(), []byte(names[0]), []byte(key))
	commands := []redis.Command{
		redis.Cmd("SET", names[0], sealed, "PX", blobAge.Milliseconds()),
		redis.Cmd("HSET", b.index(), names[0], called),
	}
	if len(names) > 1 { // under the key before
		commands = append(commands, redis.Cmd("DEL", names[1:]), redis.Cmd("HDEL", b.index(), names[1:]))
	}
	_, err := b.do(ctx, commands...)
	return err
}

// Delete implements [usage.Store].
func (b *blobs) Delete(ctx context.Context, key string) error {
	names := b.store.names(labelBlob, []byte(key))
	_, err := b.do(ctx, redis.Cmd("DEL", names), redis.Cmd("HDEL", b.index(), names))
	return err
}

// Move implements [usage.Store].
func (b *blobs) Move(ctx context.Context, from, to string) error {
	value, err := b.Load(ctx, from)
	if errors.Is(err, usage.ErrCorrupt) || errors.Is(err, regularfile.ErrTooLarge) || errors.Is(err, fs.ErrNotExist) {
		return b.Delete(ctx, from) // nobody will ever be able to read it, or it was removed when it was read
	}
	if err == nil {
		err = b.Save(ctx, to, value)
	}
	if err == nil {
		err = b.Delete(ctx, from)
	}
	return err
}

// List implements [usage.Store].
func (b *blobs) List(ctx context.Context, prefix string) ([]string, error) {
	results, err := b.do(ctx, boundedHash(maxCalled, maxCall, b.index()))
	if err != nil {
		return nil, err
	}
	all, removed, err := fieldsOf(results[0])
	if err != nil {
		return nil, err
	}
	for range removed {
		b.store.options.Observer.EntryRefused("too_large")
	}
	var keys []string
	for name, called := range all {
		key, err := b.store.options.Keys.Open(b.index(), []byte(name), []byte(called))
		if err != nil {
			b.store.options.Observer.EntryRefused(seal.Kind(err))
			continue
		}
		if path.Dir(string(key)) == strings.TrimSuffix(prefix, "/") {
			keys = append(keys, string(key))
		}
	}
	return keys, nil
}

// Lock implements [usage.Store].
func (b *blobs) Lock(ctx context.Context, key string) error {
	name, own := b.store.names(labelBlob+"l", []byte(key))[0], rand.Text()
	for {
		results, err := b.do(ctx, redis.Cmd("SET", name, own, "NX", "PX", lockAge.Milliseconds()))
		switch {
		case err != nil:
			return err
		case !results[0].IsNil():
			b.mu.Lock()
			b.locks[key] = own
			b.mu.Unlock()
			return nil
		}
		timer := time.NewTimer(lockPoll)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
	}
}

// Unlock implements [usage.Store].
func (b *blobs) Unlock(ctx context.Context, key string) error {
	b.mu.Lock()
	own := b.locks[key]
	delete(b.locks, key)
	b.mu.Unlock()
	name := b.store.names(labelBlob+"l", []byte(key))[0]
	conn := b.store.options.Conn
	_, err := conn.Script(conn.WithPatience(ctx), "usage", release, []string{name}, []string{own})
	return err
}
