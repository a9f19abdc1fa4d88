// Package lookupwatch tells the operator how look-ups of tokens fare: in the log, by
// events and in the metrics. Clients do not: they retry for minutes without a word.
package lookupwatch

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/metrics"
	"github.com/scopegate/scopegate/internal/scopenames"
	"github.com/scopegate/scopegate/internal/tokens"
)

// Names of events. They report changes, never single requests.
const (
	// EventDown: look-ups stopped working. Data: workspace, outage, message.
	EventDown = "databricks_authority_down"
	// EventUp: they work again. Data: workspace, seconds (how long they did not), and
	// unjudged and waited as in EventUnjudged, of the whole outage.
	EventUp = "databricks_authority_up"
	// EventUnjudged: requests could not be judged because tokens could not be looked up;
	// at once, then at most every 30 seconds. Data: workspace, outage, unjudged (how many
	// requests since the last event), waited (how many waited for a look-up in vain).
	EventUnjudged = "databricks_requests_unjudged"
)

// Interval is how often requests that could not be judged are reported at most.
const Interval = 30 * time.Second

// Watch is the [tokens.Observer] of one workspace. It may outlive the configuration that
// made it. Close it.
type Watch struct {
	*metrics.Authority
	*tokens.Tally

	shared    *metrics.Fleet
	workspace string
	log       func() *zap.Logger
	emit      func(event string, data map[string]any)
	now       func() time.Time

	mu   sync.Mutex
	down time.Time       // when look-ups stopped working, zero while they work
	told map[string]bool // the kinds of unusable answers that were told

	names scopenames.Notices
}

// New returns a watch over a workspace's look-ups, and those that a fleet shares. Log and emit find the logger and
// the events of the running configuration.
func New(workspace string, authority *metrics.Authority, shared *metrics.Fleet, log func() *zap.Logger, emit func(event string, data map[string]any), now func() time.Time) *Watch {
	w := &Watch{Authority: authority, shared: shared, workspace: workspace, log: log, emit: emit, now: now, told: make(map[string]bool)}
	w.Tally = tokens.NewTally(Interval, w.unjudged)
	return w
}

// Close stops watching.
func (w *Watch) Close() {
	w.Tally.Close()
	w.Authority.Close()
}

// Probe finds out once, in the background, whether the admin credential works, so that a
// mistake is reported at start and not to the first client.
func (w *Watch) Probe(r *tokens.Resolver) {
	go func() {
		_, problem := r.Readiness(context.Background()) // a look-up's timeout bounds it
		if problem == nil || problem.Outage == tokens.Closed || problem.Outage == tokens.Untried || r.Outage() != "" {
			return // what works, and what pauses look-ups, is reported by ServiceChanged
		}
		w.log().Error("token look-ups do not work yet", w.fields(problem)...)
	}()
}

// ServiceChanged implements [tokens.Observer].
func (w *Watch) ServiceChanged(outage *tokens.UnavailableError) {
	if outage == nil {
		w.works()
		return
	}
	w.mu.Lock()
	w.down = w.now()
	w.mu.Unlock()
	w.Down(string(outage.Outage))
	fields := w.fields(outage)
	if so := w.Begin(); so.Unjudged > 0 {
		fields = append(fields, zap.Int("unjudged", so.Unjudged))
	}
	w.log().Error("token look-ups fail; known tokens pass until cache max_stale, all others are refused", fields...)
	w.emit(EventDown, map[string]any{"workspace": w.workspace, "outage": string(outage.Outage), "message": outage.Outage.Advice()})
}

// works reports that look-ups work, for the first time or again.
func (w *Watch) works() {
	w.mu.Lock()
	down := w.down
	w.down = time.Time{}
	w.mu.Unlock()
	w.Down("")
	if down.IsZero() {
		w.log().Info("token look-ups work", zap.String("workspace", w.workspace))
		return
	}
	sum, took := w.End(), w.now().Sub(down)
	w.log().Info("token look-ups work again", zap.String("workspace", w.workspace),
		zap.Duration("after", took), zap.Int("unjudged", sum.Unjudged), zap.Int("waited", sum.Waited))
	w.emit(EventUp, map[string]any{"workspace": w.workspace, "seconds": took.Seconds(), "unjudged": sum.Unjudged, "waited": sum.Waited})
}

// Unjudgeable implements [tokens.TokenObserver]. It tells each kind of answer once: a client
// may repeat the token as often as it likes, and the metrics count.
func (w *Watch) Unjudgeable(id tokens.ID, err *tokens.UnavailableError) {
	kind := err.Kind()
	w.mu.Lock()
	told := w.told[kind]
	w.told[kind] = true
	w.mu.Unlock()
	if told {
		return
	}
	w.log().Error("a token cannot be judged, and requests with it are refused; other tokens are not affected, and more of this kind are only counted",
		append(w.fields(err), zap.String("kind", kind), zap.String("token_id", id.String()))...)
}

// Learned implements [tokens.InfoObserver]. It warns of names of scopes that are unknown,
// each once.
func (w *Watch) Learned(info *tokens.Info) {
	place := scopenames.OnPAT
	if info.OAuth {
		place = scopenames.OnOAuth
	}
	w.names.See(w.log, info.Scopes, place, func() []zap.Field {
		return []zap.Field{zap.String("workspace", w.workspace), zap.String("token_id", info.ID.String())}
	})
}

// Shared implements [tokens.SharedObserver].
func (w *Watch) Shared(result string) { w.shared.LookupShared(result) }

// unjudged reports requests for which there were no facts.
func (w *Watch) unjudged(r tokens.TallyReport) {
	w.log().Error("requests cannot be judged, because their tokens cannot be looked up",
		append(w.fields(r.Last), zap.Int("unjudged", r.Unjudged), zap.Int("waited", r.Waited), zap.Time("since", r.Since))...)
	w.emit(EventUnjudged, map[string]any{"workspace": w.workspace, "outage": string(r.Last.Outage), "unjudged": r.Unjudged, "waited": r.Waited})
}

func (w *Watch) fields(outage *tokens.UnavailableError) []zap.Field {
	return []zap.Field{
		zap.String("workspace", w.workspace),
		zap.String("outage", string(outage.Outage)),
		zap.String("error", outage.Problem()),
	}
}

// Interface guards
var (
	_ tokens.Observer      = (*Watch)(nil)
	_ tokens.SyncObserver  = (*Watch)(nil)
	_ tokens.TokenObserver = (*Watch)(nil)
	_ tokens.InfoObserver  = (*Watch)(nil)

	_ tokens.SharedObserver = (*Watch)(nil)
)
