package usage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// Store keeps values by key, as Caddy's storage does. Several gateways may share one.
// It is safe for concurrent use.
type Store interface {
	// Load returns an error that is fs.ErrNotExist if there is no value. It does not
	// read what is longer than maxSnapshot, see package regularfile for the errors.
	Load(ctx context.Context, key string) ([]byte, error)
	// Save replaces the value as a whole or not at all.
	Save(ctx context.Context, key string, value []byte) error
	// Delete does nothing if there is no value.
	Delete(ctx context.Context, key string) error
	// Move gives a value another key, whatever it is.
	Move(ctx context.Context, from, to string) error
	// List returns the keys directly below a prefix, in any order. There may be none.
	List(ctx context.Context, prefix string) ([]string, error)
	// Lock waits until no one else holds the lock of a key, or the context ends.
	Lock(ctx context.Context, key string) error
	Unlock(ctx context.Context, key string) error
}

// ErrNotSetAside means that a snapshot that cannot be read is still in its place.
var ErrNotSetAside = errors.New("setting the usage snapshot aside")

// SetAside reports whether an error means that a snapshot could not be read and was
// set aside, so that nothing overwrites it.
func SetAside(err error) bool {
	return (errors.Is(err, ErrCorrupt) || errors.Is(err, ErrNewerVersion)) && !errors.Is(err, ErrNotSetAside)
}

// place is where the gateways in front of one workspace keep their snapshots:
//
//	<prefix>/<instance>.json  of each gateway process
//	<prefix>/folded.json      of those that stopped, added up
//	<prefix>.json             which versions before per-instance snapshots shared
type place struct {
	store  Store
	prefix string
}

const snapshotSuffix = ".json"

func (p place) instanceKey(id string) string { return path.Join(p.prefix, id+snapshotSuffix) }
func (p place) foldedKey() string            { return path.Join(p.prefix, "folded"+snapshotSuffix) }
func (p place) sharedKey() string            { return p.prefix + snapshotSuffix }

// part is a snapshot that was read.
type part struct {
	name  string // what it is called in folded snapshots
	key   string
	state State
	envelope
}

// unreadable is a snapshot that could not be read.
type unreadable struct {
	key   string
	until int64 // see envelope; 0 if unknown
	err   error
	// withheld means that it may become readable, so it stays where it is.
	withheld bool
}

// contents are all snapshots of a place.
type contents struct {
	parts      []part // of instances, and the shared one of older versions
	folded     part
	unreadable []unreadable
	aside      []Unread // earlier
}

// problem says which snapshots are missing.
func (c *contents) problem() error {
	errs := make([]error, len(c.unreadable))
	for i, u := range c.unreadable {
		errs[i] = u.err
	}
	return errors.Join(errs...)
}

// read loads all snapshots but that of the reader itself. The folded one comes last:
// a snapshot that is folded and deleted meanwhile is then found in one of the two
// places at least, and if it is found in both, the folded one says so.
func (p place) read(ctx context.Context, self string) (contents, error) {
	var found contents
	keys, err := p.store.List(ctx, p.prefix)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return found, fmt.Errorf("listing usage snapshots: %w", err)
	}
	slices.Sort(keys)
	for _, key := range keys {
		if file, ok := unreadOf(key); ok {
			found.aside = append(found.aside, file)
			continue
		}
		id, ok := strings.CutSuffix(path.Base(key), snapshotSuffix)
		if !ok || id == self || !isInstanceID(id) {
			continue
		}
		if one, ok, err := p.load(ctx, &found, p.instanceKey(id)); err != nil {
			return found, err
		} else if ok {
			one.name = id
			found.parts = append(found.parts, one)
		}
	}
	if one, ok, err := p.load(ctx, &found, p.sharedKey()); err != nil {
		return found, err
	} else if ok {
		found.parts = append(found.parts, one)
	}
	found.folded, _, err = p.load(ctx, &found, p.foldedKey())
	return found, err
}

// load reads one snapshot, if it is there. One that cannot be read is noted in found.
func (p place) load(ctx context.Context, found *contents, key string) (one part, ok bool, err error) {
	data, err := p.store.Load(ctx, key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return part{}, false, nil
	case spoiled(err):
		found.unreadable = append(found.unreadable, unreadable{key: key, err: fmt.Errorf("%s: %w: %w", key, ErrCorrupt, err)})
		return part{}, false, nil
	case withheld(err):
		found.unreadable = append(found.unreadable, unreadable{key: key, err: fmt.Errorf("%s: %w", key, err), withheld: true})
		return part{}, false, nil
	case err != nil:
		return part{}, false, fmt.Errorf("loading %s: %w", key, err)
	}
	state, envelope, err := unmarshalSnapshot(data)
	if err == nil {
		err = envelope.belongs(p, key)
	}
	if err != nil {
		found.unreadable = append(found.unreadable, unreadable{key: key, until: envelope.Until, err: fmt.Errorf("%s: %w", key, err)})
		return part{}, false, nil
	}
	one = part{key: key, state: state, envelope: envelope}
	if key == p.sharedKey() {
		one.name = "shared-" + digest(data)
		one.Until = envelope.sharedUntil()
	}
	return one, true, nil
}

// setAside moves a snapshot to where nothing overwrites it.
func (p place) setAside(ctx context.Context, u unreadable, now time.Time) error {
	if err := p.store.Move(ctx, u.key, p.asideKey(u.key, now)); err != nil {
		return fmt.Errorf("%w; %w: %w", u.err, ErrNotSetAside, err)
	}
	return u.err
}

// locked runs f while holding a lock.
func (p place) locked(ctx context.Context, key string, f func() error) (err error) {
	if err := p.store.Lock(ctx, key); err != nil {
		return fmt.Errorf("locking usage snapshots: %w", err)
	}
	defer func() {
		// Others must be able to continue even if f ran out of time.
		unlock, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
		defer cancel()
		if failed := p.store.Unlock(unlock, key); failed != nil && err == nil {
			err = fmt.Errorf("unlocking usage snapshots: %w", failed)
		}
	}()
	return f()
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:4])
}

// sharedUntil returns the end of the lease of a snapshot that older versions share.
// They write it under its own lock and know no leases, so it must have been left
// alone for as long as one.
func (e *envelope) sharedUntil() int64 {
	until := int64(0)
	for _, l := range e.Ledgers {
		until = max(until, l.At+minLease.Milliseconds())
	}
	return until
}
