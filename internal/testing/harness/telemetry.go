package harness

import (
	"os"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/otlptest"
)

// TelemetryEnv sets the environment variables that make a gateway export its records
// to a receiver.
func TelemetryEnv(t testing.TB, receiver *otlptest.Receiver, variables map[string]string) {
	t.Helper()
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, "") // restores it
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	receiver.Setenv(t)
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
	t.Setenv("OTEL_BLRP_SCHEDULE_DELAY", "50")
	for name, value := range variables {
		t.Setenv(name, value)
	}
}
