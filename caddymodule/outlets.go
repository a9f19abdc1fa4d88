package caddymodule

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/internal/audit"
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
type places [maxOutlets]audit.Reservation

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
			return audit.NewTelemetry(settings, processMetrics(), lossWatcher{})
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
var lingering = newRegister[*outlets]()

// leave lets go of them, after the last request that is under way. A process that
// exits does not wait for any: connections that were taken over are under way as long
// as they like, also those of handlers that left before.
func (o *outlets) leave() {
	if o == nil {
		return
	}
	lingering.add(o)
	o.left.Store(true)
	if o.underWay.Load() == 0 {
		o.release()
	}
	if caddy.Exiting() {
		releaseLingering()
	}
}

func releaseLingering() {
	for _, o := range lingering.list() {
		o.release()
	}
}

func (o *outlets) release() {
	o.released.Do(func() {
		lingering.remove(o)
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
