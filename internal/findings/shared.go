package findings

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"github.com/scopegate/scopegate/internal/regularfile"
	"github.com/scopegate/scopegate/internal/usage"
)

// ErrNotSetAside means that saved findings that cannot be read are still in their place.
var ErrNotSetAside = errors.New("setting the saved findings aside")

// SetAside reports whether an error means that saved findings could not be read and were set
// aside, so that nothing overwrites them.
func SetAside(err error) bool { return errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrNotSetAside) }

// StoragePrefix returns the storage prefix for the findings of a workspace. All gateways in
// front of the workspace share it.
func StoragePrefix(workspace string) string {
	return path.Join("databricks_scopes", "findings", path.Base(usage.StoragePrefix(workspace)))
}

// place is where the gateways in front of one workspace keep their findings:
//
//	<prefix>/states.json  the findings and what became of them
//	<prefix>/lead.json    which gateway evaluated them last, and when
//
// States are changed under a lock: read, changed and written as a whole. So each change is
// made, and told, by one gateway.
type place struct {
	store  usage.Store
	prefix string
}

func (p place) statesKey() string { return path.Join(p.prefix, "states.json") }
func (p place) leadKey() string   { return path.Join(p.prefix, "lead.json") }
func (p place) lockKey() string   { return path.Join(p.prefix, "lock") }
func (p place) workspace() string { return path.Base(p.prefix) }

// unlockTimeout bounds unlocking, so that others can continue even if time ran out.
const unlockTimeout = 2 * time.Second

// locked runs f while no other gateway changes anything.
func (p place) locked(ctx context.Context, f func() error) (err error) {
	if err := p.store.Lock(ctx, p.lockKey()); err != nil {
		return fmt.Errorf("locking findings: %w", err)
	}
	defer func() {
		unlock, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
		defer cancel()
		if failed := p.store.Unlock(unlock, p.lockKey()); failed != nil && err == nil {
			err = fmt.Errorf("unlocking findings: %w", failed)
		}
	}()
	return f()
}

// load reads the states. They are empty if none are saved.
func (p place) load(ctx context.Context) (states, []byte, error) {
	data, err := p.store.Load(ctx, p.statesKey())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return newStates(), nil, nil
	case errors.Is(err, regularfile.ErrNotRegular), errors.Is(err, regularfile.ErrTooLarge), errors.Is(err, usage.ErrCorrupt):
		return states{}, nil, fmt.Errorf("%s: %w: %w", p.statesKey(), ErrCorrupt, err)
	case err != nil:
		return states{}, nil, fmt.Errorf("loading %s: %w", p.statesKey(), err)
	}
	s, err := unmarshal(data, p.workspace())
	if err != nil {
		return states{}, nil, fmt.Errorf("%s: %w", p.statesKey(), err)
	}
	return s, data, nil
}

// change changes the states under the lock and saves them. Those that cannot be read are set
// aside first, and what is known here takes their place; aside says so then.
func (p place) change(ctx context.Context, known *states, now time.Time, f func(*states) error) (s states, aside, err error) {
	err = p.locked(ctx, func() error {
		var before []byte
		s, before, err = p.load(ctx)
		if errors.Is(err, ErrCorrupt) {
			aside, s = err, known.clone()
			to := p.statesKey() + ".unreadable-" + now.UTC().Format("20060102T150405.000Z")
			if err := p.store.Move(ctx, p.statesKey(), to); err != nil {
				return fmt.Errorf("%w; %w: %w", aside, ErrNotSetAside, err)
			}
			err = nil
		}
		if err == nil {
			err = f(&s)
		}
		if err != nil {
			return err
		}
		data, err := marshal(&s, p.workspace())
		if err != nil || bytes.Equal(data, before) {
			return err
		}
		if err := p.store.Save(ctx, p.statesKey(), data); err != nil {
			return fmt.Errorf("saving findings: %w", err)
		}
		return nil
	})
	return s, aside, err
}

// lead says which gateway evaluated last.
type lead struct {
	By string `json:"by"`
	At int64  `json:"at"` // epoch milliseconds
}

// takeLead makes a gateway the one that evaluates, unless another one did within a time. Then
// it returns when. What it reads is a hint: it overwrites what makes no sense.
func (p place) takeLead(ctx context.Context, self string, now time.Time, within time.Duration) (leads bool, at time.Time, err error) {
	err = p.locked(ctx, func() error {
		data, err := p.store.Load(ctx, p.leadKey())
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("loading %s: %w", p.leadKey(), err)
		}
		var last lead
		if json.Unmarshal(data, &last) == nil && last.By != self {
			at = time.UnixMilli(last.At).UTC()
			if age := now.Sub(at); age < within && age > -within {
				return nil
			}
		}
		leads = true
		data, err = json.Marshal(lead{self, now.UnixMilli()})
		if err != nil {
			return err
		}
		if err := p.store.Save(ctx, p.leadKey(), data); err != nil {
			return fmt.Errorf("saving %s: %w", p.leadKey(), err)
		}
		return nil
	})
	return leads, at, err
}
