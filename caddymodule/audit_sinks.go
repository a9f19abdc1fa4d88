package caddymodule

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/exchange"
	"github.com/scopegate/scopegate/internal/metrics"
	"github.com/scopegate/scopegate/internal/recent"
)

// sinks are where a handler's records go beside the logger: an output of their own, and
// OpenTelemetry. Both are queues, which handlers with the same settings share. Nil is
// none.
type sinks struct {
	*audit.Sinks // all of them
	keys         []sinksKey

	// A handler that was replaced may still have requests in flight: the sinks are
	// released after the last one.
	underWay atomic.Int64
	left     atomic.Bool
	released sync.Once
}

// pooledSinks are sinks that several handlers may share.
type pooledSinks struct{ *audit.Sinks }

// Destruct implements caddy.Destructor. The pool calls it when the last user has gone.
func (s *pooledSinks) Destruct() error {
	s.Close()
	return nil
}

// sinksKey identifies sinks that can be shared.
type sinksKey struct {
	writer   string // empty for OpenTelemetry
	settings string // of the writer, as JSON
	queue    audit.Settings
}

// sinksPool holds the sinks of all configurations in use. They outlive reloads, so
// that no record waits for its end, and no file is opened twice.
var sinksPool = caddy.NewUsagePool()

// openSinks opens what the settings and the environment ask for. It returns whatever was
// opened, even with an error.
func (a *App) openSinks(settings *Audit) (*sinks, error) {
	opened, queue := new(sinks), settings.settings()
	if settings != nil && settings.OutputRaw != nil {
		key, open, err := a.output(settings)
		if err != nil {
			return nil, err
		}
		if err := opened.share(key, open); err != nil {
			return opened, err
		}
	}
	queue.Format = "" // of the output only
	if audit.Wanted() {
		err := opened.share(sinksKey{queue: queue}, func() (*audit.Sinks, error) {
			return audit.NewTelemetry(queue, a.metrics, lossObserver{})
		})
		if err != nil {
			return opened, err
		}
	}
	if opened.Sinks == nil {
		return nil, nil
	}
	return opened, nil
}

// share adds sinks of the pool, which it opens if need be.
func (s *sinks) share(key sinksKey, open func() (*audit.Sinks, error)) error {
	pooled, _, err := sinksPool.LoadOrNew(key, func() (caddy.Destructor, error) {
		opened, err := open()
		return &pooledSinks{opened}, err
	})
	if err != nil {
		return err
	}
	s.keys = append(s.keys, key)
	s.Sinks = audit.Join(s.Sinks, pooled.(*pooledSinks).Sinks)
	return nil
}

// claimWriter refuses a writer that another handler of this configuration opens with
// other settings: both would write to one file, and lose lines when it rolls. For
// standard streams it does no harm.
func (a *App) claimWriter(key sinksKey) error {
	if strings.HasPrefix(key.writer, "std:") {
		return nil
	}
	if other, ok := a.writers[key.writer]; ok && other != key {
		return fmt.Errorf("audit output %s is used by several handlers with different settings, and would lose lines when it rolls; set the same output, format, queue and when_full everywhere, or once in the %s app", key.writer, appName)
	}
	if a.writers == nil {
		a.writers = make(map[string]sinksKey)
	}
	a.writers[key.writer] = key
	return nil
}

// Begin implements [exchange.Sinks].
func (s *sinks) Begin() {
	if s != nil {
		s.underWay.Add(1)
	}
}

// End implements [exchange.Sinks].
func (s *sinks) End() {
	if s != nil && s.underWay.Add(-1) == 0 && s.left.Load() {
		go s.release() // it may take a moment, which is not the request's
	}
}

// leave releases the sinks once no request is in flight. A process that exits does not
// wait: connections that were taken over, also by handlers that left before, may last
// forever.
func (s *sinks) leave() {
	if s == nil {
		return
	}
	s.left.Store(true)
	if s.underWay.Load() == 0 {
		s.release()
	}
	if caddy.Exiting() {
		closeAllSinks()
	}
}

// closeAllSinks sends what waits in all of them, at the same time, and the records of
// requests that the end of the process cuts off.
func closeAllSinks() {
	exchange.CloseAll()
	var closing sync.WaitGroup
	sinksPool.Range(func(_, pooled any) bool {
		closing.Go(pooled.(*pooledSinks).Close)
		return true
	})
	closing.Wait()
}

func (s *sinks) release() {
	s.released.Do(func() {
		for _, key := range s.keys {
			_, _ = sinksPool.Delete(key) // closing them counts what goes wrong
		}
	})
}

// Reserve implements [exchange.Sinks].
func (s *sinks) Reserve() (audit.Reservation, bool) {
	if s == nil {
		return false, true
	}
	return s.Sinks.Reserve()
}

// recentDecisions holds the last records of all handlers and configurations.
var recentDecisions = recent.New(recent.Size, func() time.Time { return clock() })

// Put implements [exchange.Sinks].
func (s *sinks) Put(rec *audit.Record, reserved audit.Reservation) {
	recentDecisions.Put(rec)
	if s != nil {
		s.Sinks.Put(rec, reserved)
	}
}

// eventLossy: an audit sink fails or loses records, or works again. Data: sink (output,
// log, traces or logs), losing (true or false); at the beginning cause, detail and held
// (true if its records wait, and none is lost so far), at the end lost, the number of
// records.
const eventLossy = "databricks_audit_lossy"

// auditTroubles are the sinks that fail now.
var auditTroubles audit.Troubles

// lossObserver tells the log, the events app and the console that records are lost.
type lossObserver struct{}

// HoldingRecords implements [audit.LossObserver].
func (lossObserver) HoldingRecords(sink, cause, detail string) {
	auditTroubles.HoldingRecords(sink, cause, detail)
	handlerLogger().Error("an audit sink fails; its records wait, scopegate_audit_queue shows how many",
		zap.String("sink", sink), zap.String("cause", cause), zap.String("detail", detail))
	activeApp().emit(eventLossy, map[string]any{"sink": sink, "losing": true, "held": true, "cause": cause, "detail": detail})
}

// LosingRecords implements [audit.LossObserver].
func (lossObserver) LosingRecords(sink, cause, detail string) {
	auditTroubles.LosingRecords(sink, cause, detail)
	handlerLogger().Error("the audit loses records; scopegate_audit_dropped_total counts them",
		zap.String("sink", sink), zap.String("cause", cause), zap.String("detail", detail))
	activeApp().emit(eventLossy, map[string]any{"sink": sink, "losing": true, "held": false, "cause": cause, "detail": detail})
}

// KeepingRecords implements [audit.LossObserver].
func (lossObserver) KeepingRecords(sink string, lost int64) {
	auditTroubles.KeepingRecords(sink, lost)
	handlerLogger().Info("the audit keeps all records again",
		zap.String("sink", sink), zap.Int64("lost", lost))
	activeApp().emit(eventLossy, map[string]any{"sink": sink, "losing": false, "lost": lost})
}

// logLosses returns the losses of the audit logger, which all handlers and
// configurations share.
var logLosses = sync.OnceValue(func() *audit.Losses {
	counter, _ := metrics.Register(nil) // fails only with a registry
	return audit.NewLosses(audit.SinkLog, counter, lossObserver{})
})

// runningLogger is the logger of the configuration that started last. Unlike Caddy's
// default logger, it writes to every log that the configuration includes it in.
var runningLogger atomic.Pointer[zap.Logger]

// handlerLogger is for what outlives configurations.
func handlerLogger() *zap.Logger {
	if logger := runningLogger.Load(); logger != nil {
		return logger
	}
	return caddy.Log().Named("http.handlers.databricks_scopes")
}
