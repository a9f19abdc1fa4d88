package decision

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// startTraefik runs a real Traefik with the shipped files, and the decision service that it asks.
func startTraefik(t *testing.T) *proxied {
	t.Helper()
	program := os.Getenv("SCOPEGATE_TRAEFIK")
	if program == "" {
		t.Skip("skipped: set SCOPEGATE_TRAEFIK to the program of Traefik, 3.7.12 or newer")
	}
	w := harness.StartWorkspace(t, fakeworkspace.WithSloppyPaths())
	g := harness.StartSite(t, w, decisionBlock(w))
	folder, address := t.TempDir(), harness.FreeAddress(t)
	static, dynamic := filepath.Join(folder, "traefik.yml"), filepath.Join(folder, "dynamic.yml")
	write(t, dynamic, substitute(t, shipped(t, "traefik/dynamic.yml"),
		"http://127.0.0.1:9080", g.URL, "https://<name>.cloud.databricks.com", w.URL()))
	write(t, static, substitute(t, shipped(t, "traefik/traefik.yml"),
		"127.0.0.1:8080", address, "/etc/traefik/dynamic.yml", dynamic))
	traefik := processtest.Start(t, address, nil, program, "--configFile="+static)
	// It listens before it has read its routes.
	traefik.Await(t, "the route to the workspace", func() bool {
		status, _, _ := traefik.Get(t, files, "")
		return status == 401
	})
	return startProxied(t, g, address, nil)
}

// TestTraefik: no attack gets through a Traefik that asks.
func TestTraefik(t *testing.T) { startTraefik(t).attack(t) }

// TestTraefikAnswers: what clients see of it.
func TestTraefikAnswers(t *testing.T) {
	p := startTraefik(t)
	for _, test := range []struct {
		name, path string
		status     int
		reason     string
	}{
		{"permitted", files, 404, ""}, // the workspace has no such file
		{"out of scope", jobs, 403, "missing_scope"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := harness.Do(t, harness.Client(t), harness.NewRequest(t, "GET", "http://"+p.address+test.path, p.fill.Replace("{files}"), nil))
			if a.StatusCode != test.status || a.Header.Get("X-Scopegate-Reason") != test.reason {
				t.Errorf("answered %d %v %s", a.StatusCode, a.Header, a.Body)
			}
		})
	}
}
