package audit

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

const (
	modulePath = "github.com/scopegate/scopegate"
	// scopeName is that of OpenTelemetry's instrumentation scope.
	scopeName = modulePath + "/audit"

	serviceName = "scopegate"
)

// Wanted reports whether the environment asks for spans or log records.
func Wanted() bool { return tracesWanted() || logsWanted() }

// tracesWanted: an exporter is named, or an endpoint to which autoexport would send.
func tracesWanted() bool {
	return wanted("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
}

// logsWanted: an exporter is named. An endpoint alone is most often set for traces,
// and these records are in the log already.
func logsWanted() bool { return wanted("OTEL_LOGS_EXPORTER") }

func wanted(exporter string, instead ...string) bool {
	if disabled, err := strconv.ParseBool(os.Getenv("OTEL_SDK_DISABLED")); err == nil && disabled {
		return false
	}
	switch os.Getenv(exporter) {
	case "none":
		return false
	case "":
		for _, name := range instead {
			if os.Getenv(name) != "" {
				return true
			}
		}
		return false
	}
	return true
}

// NewTelemetry starts the sinks for OpenTelemetry that the standard environment
// variables ask for: spans and log records. It uses no network: exporters connect when
// they first send.
func NewTelemetry(settings Settings, observer LossObserver) (*Sinks, error) {
	t := &Sinks{settings: settings}
	about := describe()
	if err := checkEndpoints(); err != nil {
		return nil, err
	}
	if tracesWanted() {
		traces, err := startTraces(about, NewLosses(SinkTraces, observer), settings)
		if err != nil {
			return nil, fmt.Errorf("setting up OpenTelemetry traces; check OTEL_TRACES_EXPORTER and OTEL_EXPORTER_OTLP_PROTOCOL: %w", err)
		}
		t.sinks = append(t.sinks, traces)
	}
	if logsWanted() {
		exporter, err := autoexport.NewLogExporter(context.Background())
		if err != nil {
			t.Close()
			return nil, fmt.Errorf("setting up OpenTelemetry logs; check OTEL_LOGS_EXPORTER and OTEL_EXPORTER_OTLP_PROTOCOL: %w", err)
		}
		t.sinks = append(t.sinks, startSink(newLogCarrier(exporter, about), NewLosses(SinkLogs, observer), settings, "OTEL_BLRP", time.Second))
	}
	return t, nil
}

// checkEndpoints refuses endpoints that the exporters would pass over, to send to
// where nobody meant. It does not quote them: they may hold a password.
func checkEndpoints() error {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"} {
		value := os.Getenv(name)
		if value == "" {
			continue
		}
		if u, err := url.Parse(value); err != nil || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "unix" || u.Host == "" && u.Path == "" {
			return fmt.Errorf("%s must be a URL such as http://127.0.0.1:4318 (or :4317 for gRPC), and is none", name)
		}
	}
	return nil
}

func startTraces(about *resource.Resource, losses *Losses, settings Settings) (recordSink, error) {
	const prefix, delay = "OTEL_BSP", 5 * time.Second
	if name := os.Getenv("OTEL_TRACES_EXPORTER"); name == "" || name == "otlp" {
		carrier, err := newOTLPCarrier(about)
		if err != nil {
			return nil, err
		}
		return startSink(carrier, losses, settings, prefix, delay), nil
	}
	exporter, err := autoexport.NewSpanExporter(context.Background())
	if err != nil {
		return nil, err
	}
	return startSink(newSpanCarrier(exporter, about), losses, settings, prefix, delay), nil
}

// startSink starts a sink with the batches that the variables of a prefix ask for.
func startSink[T any](carrier carrier[T], losses *Losses, settings Settings, prefix string, delay time.Duration) *sink[T] {
	if settings.Queue == 0 {
		settings.Queue = positiveVariable(prefix+"_MAX_QUEUE_SIZE", 2048)
	}
	batch := positiveVariable(prefix+"_MAX_EXPORT_BATCH_SIZE", 512)
	return newSink(carrier, losses, settings, batch, pace{
		delay:  milliseconds(prefix+"_SCHEDULE_DELAY", delay),
		export: milliseconds(prefix+"_EXPORT_TIMEOUT", 30*time.Second),
	})
}

func milliseconds(name string, otherwise time.Duration) time.Duration {
	return time.Duration(positiveVariable(name, int(otherwise/time.Millisecond))) * time.Millisecond
}

// maxVariable keeps sizes and milliseconds within reason.
const maxVariable = 1_000_000

// positiveVariable reads a number. What is no number, or out of reason, counts as
// not set, as OpenTelemetry's specification wants it.
func positiveVariable(name string, otherwise int) int {
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil || n < 1 || n > maxVariable {
		return otherwise
	}
	return n
}

// describe returns the resource that spans and log records are about. It has no
// schema: those of two that are merged must agree, and the environment's is not
// ours to choose.
func describe() *resource.Resource {
	about, err := resource.New(context.Background(),
		resource.WithAttributes(semconv.ServiceName(serviceName), semconv.ServiceVersion(version())),
		resource.WithTelemetrySDK(),
		resource.WithFromEnv(),
	)
	if err != nil {
		otel.Handle(err) // what could be read counts
	}
	return resource.NewSchemaless(about.Attributes()...)
}

// version is that of this module in the program that it is built into.
var version = sync.OnceValue(func() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, module := range append(info.Deps, &info.Main) {
		if module.Path == modulePath {
			return module.Version
		}
	}
	return ""
})
