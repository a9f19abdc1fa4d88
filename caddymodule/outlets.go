package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/logging"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/scopes"
)

// outlets are where a handler's records go beside the logger: an output of their own,
// and OpenTelemetry. Both are queues, which handlers with the same settings share.
// Nil is none.
type outlets struct {
	all []*outlet

	// A handler that is no longer in use has records to come while requests are
	// under way: they are let go of after the last.
	underWay atomic.Int64
	left     atomic.Bool
	released sync.Once
}

// maxOutlets bounds them, so that the places of a request need no memory of their own.
const maxOutlets = 2

// places are those that a request was promised in the outlets.
type places [maxOutlets]audit.Place

// outlet is a handler's share of one.
type outlet struct {
	key outletKey
	*pooledOutlet
}

type pooledOutlet struct{ *audit.Sinks }

// Destruct implements caddy.Destructor. The pool calls it when the last user has
// gone.
func (o pooledOutlet) Destruct() error {
	o.Close()
	return nil
}

// outletKey tells which are the same.
type outletKey struct {
	writer   string // empty for OpenTelemetry
	settings string // of the writer, as JSON
	queue    audit.Settings
}

// pooledOutlets are those of all configurations in use. They outlive reloads, so that
// no record waits for its end, and no file is opened twice.
var pooledOutlets = caddy.NewUsagePool()

func shareOutlet(key outletKey, open func() (*audit.Sinks, error)) (*outlet, error) {
	pooled, _, err := pooledOutlets.LoadOrNew(key, func() (caddy.Destructor, error) {
		sinks, err := open()
		if err != nil {
			return nil, err
		}
		return &pooledOutlet{sinks}, nil
	})
	if err != nil {
		return nil, err
	}
	return &outlet{key, pooled.(*pooledOutlet)}, nil
}

// openOutlets opens what the settings and the environment ask for. What was opened
// before something else failed is among what it returns.
func (a *Audit) openOutlets(ctx caddy.Context) (*outlets, error) {
	opened, settings := new(outlets), a.settings()
	if a != nil && a.OutputRaw != nil {
		output, err := a.openOutput(ctx, settings)
		if err != nil {
			return nil, err
		}
		opened.all = append(opened.all, output)
	}
	if audit.Wanted() {
		telemetry, err := shareOutlet(outletKey{queue: settings}, func() (*audit.Sinks, error) {
			return audit.NewTelemetry(settings, lossWatcher{})
		})
		if err != nil {
			return opened, err
		}
		opened.all = append(opened.all, telemetry)
	}
	if len(opened.all) == 0 {
		return nil, nil
	}
	return opened, nil
}

// openOutput opens the output of records.
func (a *Audit) openOutput(ctx caddy.Context, settings audit.Settings) (*outlet, error) {
	loaded, err := ctx.LoadModule(a, "OutputRaw")
	if err != nil {
		return nil, fmt.Errorf("loading the writer of audit output: %w", err)
	}
	var opener caddy.WriterOpener
	switch writer := loaded.(type) {
	case *caddy.DiscardWriter:
		return nil, errors.New("audit output discard would keep no record; if that is what you want, set log to off")
	case *logging.FileWriter:
		writer.Filename = realPath(writer.Filename) // one file, by whatever name
		opener = writer
	default:
		opener = writer.(caddy.WriterOpener)
	}
	described, err := json.Marshal(opener)
	if err != nil {
		return nil, fmt.Errorf("describing audit output %s: %w", opener, err)
	}
	shared, err := shareOutlet(outletKey{opener.WriterKey(), string(described), settings}, func() (*audit.Sinks, error) {
		output, err := opener.OpenWriter()
		if err != nil {
			return nil, err
		}
		return audit.NewOutput(output, settings, audit.NewLosses(audit.SinkOutput, lossWatcher{})), nil
	})
	if err != nil {
		return nil, fmt.Errorf("opening audit output %s: %w", opener, err)
	}
	return shared, nil
}

// begin notes that a request is under way, and end that it has ended.
func (o *outlets) begin() {
	if o != nil {
		o.underWay.Add(1)
	}
}

func (o *outlets) end() {
	if o != nil && o.underWay.Add(-1) == 0 && o.left.Load() {
		go o.release() // it may take a moment, which is not the request's
	}
}

// lingering are the outlets of handlers that are no longer in use.
var lingering = struct {
	mu  sync.Mutex
	all map[*outlets]bool
}{all: make(map[*outlets]bool)}

// leave lets go of them, after the last request that is under way. A process that
// exits does not wait for any: connections that were taken over are under way as long
// as they like, also those of handlers that left before.
func (o *outlets) leave() {
	if o == nil {
		return
	}
	lingering.mu.Lock()
	lingering.all[o] = true
	lingering.mu.Unlock()
	o.left.Store(true)
	if o.underWay.Load() == 0 {
		o.release()
	}
	if caddy.Exiting() {
		releaseLingering()
	}
}

func releaseLingering() {
	lingering.mu.Lock()
	all := slices.Collect(maps.Keys(lingering.all))
	lingering.mu.Unlock()
	for _, o := range all {
		o.release()
	}
}

func (o *outlets) release() {
	o.released.Do(func() {
		lingering.mu.Lock()
		delete(lingering.all, o)
		lingering.mu.Unlock()
		for _, outlet := range o.all {
			_, _ = pooledOutlets.Delete(outlet.key) // closing them counts what goes wrong
		}
	})
}

// reserve is asked before a request passes. It is false where requests are to be
// refused whose record would find no place.
func (o *outlets) reserve() (promised places, ok bool) {
	if o == nil {
		return places{}, true
	}
	for i, outlet := range o.all {
		if promised[i], ok = outlet.Reserve(); !ok {
			for j := range i {
				o.all[j].Cancel(promised[j])
			}
			return places{}, false
		}
	}
	return promised, true
}

// put hands a finished record to all of them.
func (o *outlets) put(rec *audit.Record, promised places) {
	if o == nil {
		return
	}
	for i, outlet := range o.all {
		outlet.Put(rec, promised[i])
	}
}

// conflicts returns a writer that both write to with different settings, which does no
// harm to standard streams.
func (o *outlets) conflicts(other *outlets) (writer string, ok bool) {
	if o == nil || other == nil {
		return "", false
	}
	for _, mine := range o.all {
		for _, theirs := range other.all {
			if mine.key.writer != "" && !strings.HasPrefix(mine.key.writer, "std:") && mine.key.writer == theirs.key.writer && mine.key != theirs.key {
				return mine.key.writer, true
			}
		}
	}
	return "", false
}

const writersNamespace = "caddy.logging.writers"

// unmarshalOutput reads the name of a writer and its settings.
func (a *Audit) unmarshalOutput(d *caddyfile.Dispenser) error {
	if !d.NextArg() {
		return d.Err("audit output needs a writer: stdout, stderr, file <path> or another of Caddy's log writers")
	}
	name := d.Val()
	var writer any
	switch name {
	// Those are no Caddyfile modules in Caddy.
	case "stdout":
		writer = caddy.StdoutWriter{}
	case "stderr":
		writer = caddy.StderrWriter{}
	case off, "discard", "none":
		return d.Errf("audit output %s would keep no record; if that is what you want, say log off", name)
	default:
		if _, err := caddy.GetModule(writersNamespace + "." + name); err != nil {
			return unknownWriter(d, name)
		}
		if name == "file" && d.CountRemainingArgs() == 0 {
			return d.Err("audit output file needs a path, such as /var/log/scopegate/audit.jsonl")
		}
		var err error
		if writer, err = caddyfile.UnmarshalModule(d, writersNamespace+"."+name); err != nil {
			return err
		}
		a.OutputRaw = caddyconfig.JSONModuleObject(writer, "output", name, nil)
		return nil
	}
	if d.NextArg() {
		return d.Errf("audit output %s takes no value; %q is one too many", name, d.Val())
	}
	if d.NextBlock(d.Nesting()) {
		return d.Errf("audit output %s has no settings; its lines are JSON", name)
	}
	a.OutputRaw = caddyconfig.JSONModuleObject(writer, "output", name, nil)
	return nil
}

func unknownWriter(d *caddyfile.Dispenser, name string) error {
	if strings.ContainsRune(name, '/') {
		return d.Errf("there is no log writer %q; did you mean output file %s?", name, name)
	}
	var names []string
	for _, module := range caddy.GetModules(writersNamespace) {
		if known := module.ID.Name(); known != "discard" {
			names = append(names, known)
		}
	}
	slices.Sort(names)
	if nearest, ok := scopes.Closest(name, names); ok {
		return d.Errf("there is no log writer %q; did you mean %s?", name, nearest)
	}
	return d.Errf("there is no log writer %q; known are %s", name, strings.Join(names, ", "))
}

// realPath returns the one name of a file, as far as its folder exists.
func realPath(name string) string {
	absolute, err := filepath.Abs(name)
	if err != nil {
		return name
	}
	if resolved, err := filepath.EvalSymlinks(absolute); err == nil {
		return resolved
	}
	if folder, err := filepath.EvalSymlinks(filepath.Dir(absolute)); err == nil {
		return filepath.Join(folder, filepath.Base(absolute))
	}
	return absolute
}
