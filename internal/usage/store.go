package usage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// Store keeps snapshots by key, as Caddy's storage does. Several gateways may share
// one. Save must replace the value as a whole or not at all.
type Store interface {
	// Lock keeps others from changing a value until Unlock.
	Lock(ctx context.Context, key string) error
	Unlock(ctx context.Context, key string) error
	// Load returns an error that is fs.ErrNotExist where there is no value.
	Load(ctx context.Context, key string) ([]byte, error)
	Save(ctx context.Context, key string, value []byte) error
	// SetAside moves a value away, to where nobody overwrites it.
	SetAside(ctx context.Context, key string) error
}

// Load reads a state. One that is not there is empty and no error. One that cannot
// be read is set aside, so that the next [Save] does not destroy it: then the error
// is [ErrCorrupt] or [ErrNewerVersion], the state is empty, and the caller may warn
// and go on. Only when the error is neither, or is [ErrNotSetAside] as well, must
// nothing be saved under the key.
func Load(ctx context.Context, store Store, key string) (State, error) {
	data, err := store.Load(ctx, key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return State{}, nil
	case err != nil:
		return State{}, fmt.Errorf("loading the usage snapshot: %w", err)
	}
	state, err := Unmarshal(data)
	if err == nil {
		return state, nil
	}
	if aside := store.SetAside(ctx, key); aside != nil {
		return State{}, fmt.Errorf("%w; %w: %w", err, ErrNotSetAside, aside)
	}
	return State{}, err
}

// ErrNotSetAside says that a snapshot that cannot be read is still where the next
// one would be saved.
var ErrNotSetAside = errors.New("setting the usage snapshot aside")

// Save writes a state.
func Save(ctx context.Context, store Store, key string, state State) error {
	data, err := Marshal(state)
	if err != nil {
		return err
	}
	if err := store.Save(ctx, key, data); err != nil {
		return fmt.Errorf("saving the usage snapshot: %w", err)
	}
	return nil
}
