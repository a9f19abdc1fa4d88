package audit

import (
	"sync"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
)

// GuardOpenTelemetry takes over what OpenTelemetry says of its own errors, for the
// whole process. By itself it writes each to standard error as it is, and they may
// quote the headers of OTEL_EXPORTER_OTLP_HEADERS, the collector's URL and its
// answers. Instead report is given a few words, the same ones at most once a minute.
func GuardOpenTelemetry(report func(problem, detail string)) {
	guard := &otelGuard{report: report, now: time.Now, told: make(map[string]time.Time)}
	otel.SetErrorHandler(guard)
	otel.SetLogger(logr.New(guard))
}

const (
	repeatAfter = time.Minute
	maxTold     = 100
)

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

// Levels of OpenTelemetry's own logger.
const warnLevel = 1

// Init implements [logr.LogSink].
func (*otelGuard) Init(logr.RuntimeInfo) {}

// Enabled implements [logr.LogSink].
func (*otelGuard) Enabled(level int) bool { return level <= warnLevel }

// Info implements [logr.LogSink]. Messages are constants; what comes with them is
// not ours to log.
func (g *otelGuard) Info(_ int, message string, _ ...any) { g.tell("OpenTelemetry warns", message) }

// Error implements [logr.LogSink].
func (g *otelGuard) Error(_ error, message string, _ ...any) {
	g.tell("an OTEL_ environment variable cannot be used", message)
}

// WithValues implements [logr.LogSink].
func (g *otelGuard) WithValues(...any) logr.LogSink { return g }

// WithName implements [logr.LogSink].
func (g *otelGuard) WithName(string) logr.LogSink { return g }
