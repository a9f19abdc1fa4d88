package audit

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"time"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/resource"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/scopegate/scopegate/internal/buildinfo"
)

const (
	// scopeName is the name of OpenTelemetry's instrumentation scope.
	scopeName = "github.com/scopegate/scopegate/audit"

	serviceName = "scopegate"
)

// Wanted reports whether the environment asks for spans or log records.
func Wanted() bool { return tracesWanted() || logsWanted() }

// tracesWanted reports whether the environment names an exporter, or an endpoint to
// which autoexport would send.
func tracesWanted() bool {
	return wanted("OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
}

// logsWanted reports whether the environment names an exporter. An endpoint alone is
// usually meant for traces, and the records are in the log already.
func logsWanted() bool { return wanted("OTEL_LOGS_EXPORTER") }

func wanted(exporter string, alternatives ...string) bool {
	if disabled, err := strconv.ParseBool(os.Getenv("OTEL_SDK_DISABLED")); err == nil && disabled {
		return false
	}
	switch os.Getenv(exporter) {
	case "none":
		return false
	case "":
		for _, name := range alternatives {
			if os.Getenv(name) != "" {
				return true
			}
		}
		return false
	}
	return true
}

// NewTelemetry returns the sinks for OpenTelemetry spans and log records that the
// standard environment variables ask for. It does not use the network: exporters
// connect when they first send. Its errors do not quote the variables.
func NewTelemetry(settings Settings, counter Counter, observer LossObserver) (*Sinks, error) {
	t := new(Sinks)
	about := describe()
	if err := checkEndpoints(); err != nil {
		return nil, err
	}
	if tracesWanted() {
		traces, err := startTraces(about, NewLosses(SinkTraces, counter, observer), settings)
		if err != nil {
			return nil, fmt.Errorf("setting up OpenTelemetry traces; check OTEL_TRACES_EXPORTER and OTEL_EXPORTER_OTLP_PROTOCOL: %w", err)
		}
		traces.spans = true
		t.sinks = append(t.sinks, traces)
	}
	if logsWanted() {
		exporter, err := autoexport.NewLogExporter(context.Background())
		if err != nil {
			t.Close()
			return nil, fmt.Errorf("setting up OpenTelemetry logs; check OTEL_LOGS_EXPORTER and OTEL_EXPORTER_OTLP_PROTOCOL: %w", err)
		}
		t.sinks = append(t.sinks, startSink(newSDKLogs(exporter, about), NewLosses(SinkLogs, counter, observer), settings, "OTEL_BLRP", time.Second))
	}
	return t, nil
}

// checkEndpoints rejects endpoints that the exporters would ignore, and then send to
// their default. It does not quote them: they may hold a password.
func checkEndpoints() error {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"} {
		value := os.Getenv(name)
		if value == "" {
			continue
		}
		if u, err := url.Parse(value); err != nil || u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "unix" || u.Host == "" && u.Path == "" {
			return fmt.Errorf("%s must be a URL such as http://127.0.0.1:4318 (:4317 for gRPC)", name)
		}
	}
	return nil
}

func startTraces(about *resource.Resource, losses *Losses, settings Settings) (*sink, error) {
	const prefix, delay = "OTEL_BSP", 5 * time.Second
	if name := os.Getenv("OTEL_TRACES_EXPORTER"); name == "" || name == "otlp" {
		exporter, err := startOTLPSpans(about)
		if err != nil {
			return nil, err
		}
		return startSink(exporter, losses, settings, prefix, delay), nil
	}
	exporter, err := autoexport.NewSpanExporter(context.Background())
	if err != nil {
		return nil, err
	}
	return startSink(newSDKSpans(exporter, about), losses, settings, prefix, delay), nil
}

// startSink starts a sink. The variables that begin with prefix set its batches.
func startSink(exporter exporter, losses *Losses, settings Settings, prefix string, delay time.Duration) *sink {
	if settings.Queue == 0 {
		settings.Queue = positiveVariable(prefix+"_MAX_QUEUE_SIZE", 2048)
	}
	batch := positiveVariable(prefix+"_MAX_EXPORT_BATCH_SIZE", 512)
	return newSink(exporter, losses, settings, batch, pace{
		delay:  milliseconds(prefix+"_SCHEDULE_DELAY", delay),
		export: milliseconds(prefix+"_EXPORT_TIMEOUT", 30*time.Second),
	})
}

func milliseconds(name string, fallback time.Duration) time.Duration {
	return time.Duration(positiveVariable(name, int(fallback/time.Millisecond))) * time.Millisecond
}

// maxVariable bounds sizes and milliseconds.
const maxVariable = 1_000_000

// positiveVariable reads a number. One that is invalid or out of range counts as not
// set, as OpenTelemetry's specification requires.
func positiveVariable(name string, fallback int) int {
	n, err := strconv.Atoi(os.Getenv(name))
	if err != nil || n < 1 || n > maxVariable {
		return fallback
	}
	return n
}

// describe returns the resource of spans and log records. It has no schema: merged
// resources must have the same one, and the environment's is not ours to choose.
func describe() *resource.Resource {
	about, err := resource.New(context.Background(),
		resource.WithAttributes(semconv.ServiceName(serviceName), semconv.ServiceVersion(buildinfo.Version())),
		resource.WithTelemetrySDK(),
		resource.WithFromEnv(),
	)
	if err != nil {
		otel.Handle(err) // the rest is used
	}
	attributes := about.Attributes()
	for i, kv := range attributes {
		if kv.Value.Type() == attribute.STRING {
			attributes[i] = attribute.String(safeText(string(kv.Key)), safeText(kv.Value.AsString()))
		}
	}
	return resource.NewSchemaless(attributes...)
}
