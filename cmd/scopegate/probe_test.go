package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// TestProbeOneLine: whatever listens there, the probe says why it fails in one line, and
// forges no other and no terminal's escapes.
func TestProbeOneLine(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"reason":    `{"ready":false,"reason":"a\nb","message":"c\r\nready\u2028d\u001b[2Je"}`,
		"workspace": `{"ready":false,"workspaces":[{"ready":false,"workspace":"https://a\n\n","reason":"b\u0085","message":"\nready\n"}]}`,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(server.Close)
		command := exec.Command("scopegate", "probe", "--address", server.Listener.Addr().String())
		command.Env = processtest.Environment(t)
		output, err := command.CombinedOutput()
		text := string(output)
		if err == nil || !strings.Contains(text, "is not ready (503)") || !strings.HasSuffix(text, "\n") || strings.ContainsAny(strings.TrimSuffix(text, "\n"), "\n\r\v\f\x1b\u0085\u2028\u2029") {
			t.Errorf("%s: %v\n%q", name, err, text)
		}
	}
}
