package webhook

import (
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"testing"
)

// TestManyItems: lists of empty items, three bytes each, are refused before they take memory.
func TestManyItems(t *testing.T) { // not in parallel: it measures memory
	items := "[" + strings.Repeat("{},", 1<<20) + "{}]"
	for _, spec := range []string{
		`{"containers":` + items + `}`,
		`{"containers":[{}],"initContainers":` + items + `}`,
		`{"containers":[{}],"ephemeralContainers":` + items + `}`,
		`{"containers":[{}],"ephemeralContainers":[{"env":` + items + `}]}`,
		`{"containers":[{}],"volumes":` + items + `}`,
		`{"containers":[{"env":` + items + `}]}`,
		`{"containers":[{"envFrom":` + items + `}]}`,
		`{"containers":[{"ports":` + items + `}]}`,
		`{"containers":[{}],"initContainers":[{"volumeMounts":` + items + `}]}`,
		`{"containers":[{"volumeDevices":` + items + `}]}`,
	} {
		object := []byte(`{"spec":` + spec + `}`)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := readPod(object)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, errTooLong) {
			t.Errorf("%.60s: %v", spec, err)
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
			t.Errorf("%.60s: took %d bytes", spec, used)
		}
	}
}

// TestManyItemsRefused: such a Pod is refused in an answer, which no failurePolicy overrides.
func TestManyItemsRefused(t *testing.T) {
	t.Parallel()
	config, err := parseConfig([]byte(valid))
	if err != nil {
		t.Fatal(err)
	}
	h := newHandler(func() *Config { return config }, Allow, slog.New(slog.DiscardHandler))
	items := strings.Repeat(`{"name":"a"},`, 10*maxItems+1)
	answer, err := h.answer(&request{Operation: "CREATE", Kind: groupVersion{Version: "v1", Kind: "Pod"}, Object: []byte(`{"spec":{"containers":[{"env":[` + items[:len(items)-1] + `]}]}}`)})
	if err != nil || answer.Allowed || answer.Status == nil || !strings.Contains(answer.Status.Message, "too long") {
		t.Errorf("%+v, %v", answer, err)
	}
}

// TestSensitive: variables that choose what runs, or where records go, are not harmless.
func TestSensitive(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"PATH", "LD_PRELOAD", "LD_LIBRARY_PATH", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_EXPORTER", "HTTPS_PROXY", "DATABRICKS_TOKEN", "SSL_CERT_FILE"} {
		if !sensitive(name) {
			t.Errorf("%s is taken for harmless", name)
		}
	}
	for _, name := range []string{"TZ", "LANG", "KUBERNETES_SERVICE_HOST", "POD_NAME"} {
		if sensitive(name) {
			t.Errorf("%s is refused", name)
		}
	}
}
