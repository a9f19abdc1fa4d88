package audit

import (
	"log"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"go.opentelemetry.io/otel"
)

// GuardOpenTelemetry replaces OpenTelemetry's error handler and logger, which are
// global to the process. By default OpenTelemetry writes its errors to standard error
// as they are, and they may quote the headers of OTEL_EXPORTER_OTLP_HEADERS, the
// collector's URL and its responses. Instead report gets a problem and a detail from
// fixed lists, each pair at most once a minute.
//
// Call restore to undo it. Guards may overlap: the newest one that was not restored
// gets the reports, and the last restore puts back the error handler that was set before
// the first guard. OpenTelemetry does not reveal its logger, so that becomes one that
// writes errors to standard error, as the default does.
func GuardOpenTelemetry(report func(problem, detail string)) (restore func()) {
	g := &otelGuard{report: report, now: time.Now, told: make(map[string]time.Time)}
	guards.add(g)
	return sync.OnceFunc(func() { guards.remove(g) })
}

// guards is OpenTelemetry's error handler while there are guards. OpenTelemetry may
// keep it for ever, because handlers that were obtained before the first guard forward
// to it.
var guards guardStack

type guardStack struct {
	mu     sync.Mutex
	active []*otelGuard      // the newest is the last
	before otel.ErrorHandler // that was set before the first
}

func (s *guardStack) add(g *otelGuard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.active) == 0 {
		s.before = otel.GetErrorHandler()
		otel.SetErrorHandler(s)
	}
	s.active = append(s.active, g)
	otel.SetLogger(logr.New(g))
}

func (s *guardStack) remove(g *otelGuard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = slices.DeleteFunc(s.active, func(other *otelGuard) bool { return other == g })
	if len(s.active) > 0 {
		otel.SetLogger(logr.New(s.active[len(s.active)-1]))
		return
	}
	if otel.GetErrorHandler() == otel.ErrorHandler(s) { // nothing else has replaced it
		otel.SetErrorHandler(s.before)
	}
	s.before = nil
	otel.SetLogger(funcr.New(func(_, args string) { log.Print(args) }, funcr.Options{}))
}

// Handle implements [otel.ErrorHandler].
func (s *guardStack) Handle(err error) {
	s.mu.Lock()
	var newest *otelGuard
	if len(s.active) > 0 {
		newest = s.active[len(s.active)-1]
	}
	s.mu.Unlock()
	if newest == nil {
		log.Print(err) // as OpenTelemetry does by default
		return
	}
	newest.Handle(err)
}

const (
	repeatAfter = time.Minute
	maxTold     = 100
)

// otelGuard reports what OpenTelemetry says, in our words.
type otelGuard struct {
	report func(problem, detail string)
	now    func() time.Time

	mu   sync.Mutex
	told map[string]time.Time
}

// Handle implements [otel.ErrorHandler].
func (g *otelGuard) Handle(err error) {
	if err != nil {
		g.tell("OpenTelemetry failed", failureOf(err))
	}
}

func (g *otelGuard) tell(problem, detail string) {
	now := g.now()
	g.mu.Lock()
	key := problem + "\n" + detail
	last, again := g.told[key]
	quiet := again && now.Sub(last) < repeatAfter || !again && len(g.told) >= maxTold
	if !quiet {
		g.told[key] = now
	}
	g.mu.Unlock()
	if !quiet {
		g.report(problem, detail)
	}
}

// warnLevel is the level of warnings of OpenTelemetry's logger.
const warnLevel = 1

// Init implements [logr.LogSink].
func (*otelGuard) Init(logr.RuntimeInfo) {}

// Enabled implements [logr.LogSink].
func (*otelGuard) Enabled(level int) bool { return level <= warnLevel }

// Info implements [logr.LogSink]. Messages are constants. Their values are not logged:
// they may hold what Handle leaves out.
func (g *otelGuard) Info(_ int, message string, _ ...any) { g.tell("OpenTelemetry warns", message) }

// Error implements [logr.LogSink].
func (g *otelGuard) Error(_ error, message string, _ ...any) {
	g.tell("an OTEL_ environment variable cannot be used", message)
}

// WithValues implements [logr.LogSink].
func (g *otelGuard) WithValues(...any) logr.LogSink { return g }

// WithName implements [logr.LogSink].
func (g *otelGuard) WithName(string) logr.LogSink { return g }
