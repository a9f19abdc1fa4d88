package audit

import (
	"strings"
	"testing"
)

func TestWanted(t *testing.T) {
	for _, test := range []struct {
		name         string
		env          map[string]string
		traces, logs bool
	}{
		{"nothing", nil, false, false},
		{"an endpoint", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, true, false},
		{"an endpoint for traces", map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://x"}, true, false},
		{"an endpoint for logs alone", map[string]string{"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://x"}, false, false},
		{"exporters", map[string]string{"OTEL_TRACES_EXPORTER": "console", "OTEL_LOGS_EXPORTER": "otlp"}, true, true},
		{"none", map[string]string{"OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://x"}, false, false},
		{"disabled", map[string]string{"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "otlp"}, false, false},
		{"not disabled", map[string]string{"OTEL_SDK_DISABLED": "false", "OTEL_TRACES_EXPORTER": "otlp"}, true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			quiet(t, test.env)
			if traces, logs := tracesWanted(), logsWanted(); traces != test.traces || logs != test.logs || Wanted() != (traces || logs) {
				t.Errorf("traces %v, logs %v", traces, logs)
			}
		})
	}
}

func TestMisspelledExporters(t *testing.T) {
	for name, env := range map[string]map[string]string{
		"traces":   {"OTEL_TRACES_EXPORTER": "otpl"},
		"logs":     {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "otpl"},
		"protocol": {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "smoke"},
	} {
		t.Run(name, func(t *testing.T) {
			quiet(t, env)
			if _, err := NewTelemetry(Settings{WhenFull: Drop}, new(told), new(told)); err == nil || !strings.Contains(err.Error(), "check OTEL_") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestMisspelledEndpoints: an endpoint that the exporters would ignore is an error, which
// does not quote it.
func TestMisspelledEndpoints(t *testing.T) {
	for _, test := range []struct {
		name, variable, value string
		ok                    bool
	}{
		{"no scheme", "OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318", false},
		{"no scheme and a name", "OTEL_EXPORTER_OTLP_ENDPOINT", "secret:4317", false},
		{"another scheme", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "grpc://secret:4317", false},
		{"no host", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "http://", false},
		{"not a URL", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://secret:%zz", false},
		{"a good one", "OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1", true},
		{"with a path", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://127.0.0.1:1/v1/traces", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			quiet(t, map[string]string{"OTEL_TRACES_EXPORTER": "otlp", test.variable: test.value})
			sinks, err := NewTelemetry(Settings{WhenFull: Drop}, new(told), new(told))
			if err == nil {
				sinks.Close()
			}
			if (err == nil) != test.ok || err != nil && (!strings.Contains(err.Error(), test.variable+" must be a URL") || strings.Contains(err.Error(), "secret")) {
				t.Errorf("got %v", err)
			}
		})
	}
}
