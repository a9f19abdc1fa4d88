package audit

import (
	"testing"

	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/scopegate/scopegate/internal/buildinfo"
)

// TestServiceVersion: spans and log records are those of this version of scopegate.
func TestServiceVersion(t *testing.T) {
	version, ok := describe().Set().Value(semconv.ServiceVersionKey)
	if want := buildinfo.Version(); !ok || version.AsString() != want || want == "" {
		t.Errorf("service.version is %q, want %q", version.AsString(), want)
	}
}
