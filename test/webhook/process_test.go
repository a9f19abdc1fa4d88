package webhook_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/processtest"
	"github.com/scopegate/scopegate/internal/webhook"
)

// TestCommand runs scopegate webhook, and ends it as Kubernetes does.
func TestCommand(t *testing.T) {
	t.Parallel()
	f := newFiles(t, read(t, "edge.yaml"))
	listen, health := processtest.FreeAddress(t), processtest.FreeAddress(t)
	p := processtest.Launch(t, listen, nil, "scopegate", "webhook", "--listen", listen, "--health", health, "--certificate", f.certificate, "--key", f.key, "--config", f.config)
	p.AwaitListener(t, listen)
	p.AwaitListener(t, health)
	w := &running{url: "https://" + listen + webhook.Path, health: "http://" + health, client: clientOf(t, f)}
	if got := w.post(t, read(t, "edge-replace.review.json")).Response; !got.Allowed || got.Patch == nil {
		t.Errorf("%+v", got)
	}
	if !w.ready(t, 200).Ready {
		t.Error("not ready")
	}
	p.Signal(t, syscall.SIGTERM)
	if code := p.Exit(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, p.Log)
	}
	if log := p.Log.String(); !strings.Contains(log, `"outcome":"injected"`) || !strings.Contains(log, "the webhook ends") {
		t.Error(log)
	}
}

// TestCannotStart: the command says what is wrong, and ends.
func TestCannotStart(t *testing.T) {
	t.Parallel()
	f := newFiles(t, read(t, "secret.yaml"))
	wrong := newFiles(t, "image: scopegate/scopegate:1\nworkspace: https://example.cloud.databricks.com\ncredentials: {}\n")
	for _, c := range []struct {
		says string
		args []string
	}{
		{"--certificate <file> is missing", []string{"--key", f.key, "--config", f.config}},
		{"--config <file> is missing", []string{"--key", f.key, "--certificate", f.certificate}},
		{"--on-error must be allow or deny", []string{"--key", f.key, "--certificate", f.certificate, "--config", f.config, "--on-error", "ignore"}},
		{`line 3: unknown field \"credentials\"; did you mean credential?`, []string{"--key", f.key, "--certificate", f.certificate, "--config", wrong.config}},
		{"do not make a pair", []string{"--key", wrong.key, "--certificate", f.certificate, "--config", f.config}},
		{"no such file", []string{"--key", filepath.Join(filepath.Dir(f.key), "none"), "--certificate", f.certificate, "--config", f.config}},
	} {
		output, err := exec.Command("scopegate", append([]string{"webhook"}, c.args...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(output), c.says) {
			t.Errorf("%v: %v\n%s", c.args, err, output)
		}
	}
}
