package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// AdminAddress is where the admin API listens, as Caddy writes addresses.
func (g *Gateway) AdminAddress() string { return "unix/" + g.adminSocket }

// Admin calls the admin API and returns the status and the body. If the body is an
// error in Caddy's JSON form, it returns the message only.
func (g *Gateway) Admin(t testing.TB, method, target string) (status int, body string) {
	t.Helper()
	return g.AdminBody(t, method, target, "")
}

// AdminBody is Admin with a body.
func (g *Gateway) AdminBody(t testing.TB, method, target, sent string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://localhost"+target, strings.NewReader(sent))
	if err != nil {
		t.Fatal(err)
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", g.adminSocket)
	}
	transport := &http.Transport{DialContext: dial, DisableKeepAlives: true}
	// Each configuration has an admin endpoint of its own at the same socket, also one that
	// cannot be loaded.
	response, err := roundTrip(transport, r, g.tries > 1)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		var failed struct {
			Error string `json:"error"`
		}
		if json.Unmarshal(content, &failed) == nil && failed.Error != "" {
			return response.StatusCode, failed.Error
		}
	}
	return response.StatusCode, string(content)
}

// Metric returns the value of a series, 0 if it does not exist.
func (g *Gateway) Metric(t testing.TB, series string) float64 {
	t.Helper()
	status, text := g.Admin(t, http.MethodGet, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("metrics: %d %s", status, text)
	}
	return MetricIn(t, text, series)
}

// MetricIn returns the value of a series in the output of /metrics, 0 if it does not
// exist.
func MetricIn(t testing.TB, text, series string) float64 {
	t.Helper()
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, series+" "); ok {
			var value float64
			if _, err := fmt.Sscan(rest, &value); err != nil {
				t.Fatal(err)
			}
			return value
		}
	}
	return 0
}

// Lost returns how many records the metrics count as lost by a sink: traces, logs
// or output.
func (g *Gateway) Lost(t testing.TB, sink string) int {
	t.Helper()
	return int(g.Metric(t, fmt.Sprintf("scopegate_audit_dropped_total{sink=%q}", sink)))
}
