package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/mapbundle"
	"github.com/scopegate/scopegate/internal/mapfiles"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

// Map is a signed file with a newer map from operations to scopes than the built-in one.
type Map struct {
	// Path of the bundle, as `scopegate scopes catalog --export --sign` writes it. A changed
	// file takes effect within seconds. One that is unsigned, damaged, older than the
	// built-in map or older than the bundle in force is refused, and the map before stays.
	File string `json:"file"`

	// Ed25519 public keys, by one of which the bundle must be signed: in base64, or paths of
	// PEM files. Keys are read when the configuration is loaded.
	Keys []string `json:"keys"`
}

func (m *Map) validate() error {
	switch {
	case m == nil:
		return nil
	case m.File == "":
		return errors.New("map needs a file")
	case len(m.Keys) == 0:
		return errors.New("map needs a key by which the bundle must be signed: write key <base64> or key <file>")
	case len(m.Keys) > maxMapKeys:
		return fmt.Errorf("map has %d keys, and at most %d are possible", len(m.Keys), maxMapKeys)
	case slices.Contains(m.Keys, ""):
		return errors.New("map has an empty key")
	}
	return nil
}

// maxMapKeys limits the keys: each is tried.
const maxMapKeys = 16

// unmarshal reads the option from a Caddyfile.
func (m *Map) unmarshal(d *caddyfile.Dispenser) error {
	if d.CountRemainingArgs() != 1 {
		return d.Err("map needs one file, and a block with a key")
	}
	d.NextArg()
	m.File = d.Val()
	if err := eachOption(d, m.options(d), "key"); err != nil {
		return err
	}
	return at(d, m.validate())
}

func (m *Map) options(d *caddyfile.Dispenser) options {
	return options{"key": func() error {
		keys := d.RemainingArgs()
		if len(keys) == 0 {
			return d.Err("key needs an Ed25519 public key in base64, or the path of its PEM file")
		}
		m.Keys = append(m.Keys, keys...)
		return nil
	}}
}

// mapFiles returns the files of a workspace's map.
func (o *WorkspaceOptions) mapFiles() (mapfiles.Files, error) {
	files := mapfiles.Files{Routes: o.Routes}
	if o.Map == nil {
		return files, nil
	}
	files.Bundle = o.Map.File
	for i, value := range o.Map.Keys {
		key, err := mapbundle.LoadPublicKey(value)
		if err != nil {
			return files, fmt.Errorf("reading key %d of map: %w", i+1, err)
		}
		files.Keys = append(files.Keys, key)
	}
	return files, nil
}

// compile loads the map and compiles the rules of the handlers with it.
func (w *workspace) compile() (err error) {
	if w.files, err = w.options.mapFiles(); err != nil {
		return err
	}
	loaded, err := w.files.Load()
	if err != nil {
		return err
	}
	return w.addJudge(loaded, nil, w.handlers...)
}

// addJudge puts a map in force with judges, and those of further handlers.
func (w *workspace) addJudge(of *mapfiles.Map, judges []*judge.Judge, handlers ...*Handler) error {
	more, err := w.judges(of.Catalog, handlers)
	if err == nil {
		w.inForce.Store(&mapfiles.InForce{Map: of, Judges: slices.Concat(judges, more)})
	}
	return err
}

// judges returns the judges of handlers with a catalog.
func (w *workspace) judges(catalog *scopes.Catalog, handlers []*Handler) (judges []*judge.Judge, err error) {
	for _, h := range handlers {
		by, err := h.judge(w, catalog)
		if err != nil {
			return nil, err
		}
		judges = append(judges, by)
	}
	return judges, nil
}

// prepare is judges for all handlers.
func (w *workspace) prepare(catalog *scopes.Catalog) ([]*judge.Judge, error) {
	return w.judges(catalog, w.handlers)
}

// succeedMaps makes the watches of the map files, and tells what their maps refuse that those
// of the running configuration permit.
func (a *App) succeedMaps() {
	var watches []*mapfiles.Watch
	for _, w := range a.shared.used() {
		w.watch = &mapfiles.Watch{
			Workspace: w.url, Files: w.files, InForce: &w.inForce, Prepare: w.prepare,
			Seen: w.seen(), Tell: a.tell(), AtStart: a.atStart,
		}
		watches = append(watches, w.watch)
	}
	if running := activeApp(); running != nil {
		mapfiles.Succeed(a.ctx, watches, func(w *mapfiles.Watch) *mapfiles.Watch {
			if before := running.shared.byURL[w.Workspace]; before != nil {
				return before.watch // nil where no handler used it
			}
			return nil
		})
	}
}

// eachWatch calls a function for the watch of each workspace in use.
func (a *App) eachWatch(do func(*mapfiles.Watch)) {
	for _, w := range a.shared.all() {
		if w.watch != nil {
			do(w.watch)
		}
	}
}

func (a *App) tell() mapfiles.Tell {
	return mapfiles.Tell{Log: a.logger, Emit: a.emitNow, Metrics: a.metrics}
}

// seen is what was seen of the workspace.
func (w *workspace) seen() mapfiles.Seen {
	return mapfiles.Seen{
		Usage: func(ctx context.Context) (usage.State, error) { return w.service().usage.State(ctx) },
		Tokens: func(ctx context.Context) ([]*tokens.Info, error) {
			list, _, err := w.service().List(ctx)
			return list, err
		},
		Owner: func(info *tokens.Info) tokens.Principal { return w.service().Owner(info) },
	}
}

// base is the map without routes, see [adminapi.Workspace].
func (w *workspace) base() *scopes.Catalog { return w.inForce.Load().Base }

// judging are the judges of the handlers, see [adminapi.Workspace].
func (w *workspace) judging() []*judge.Judge { return w.inForce.Load().Judges }
