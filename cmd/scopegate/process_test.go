package main

import (
	"bufio"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

const (
	listJobsPath     = "/api/2.2/jobs/list"
	listClustersPath = "/api/2.1/clusters/list"
)

func TestExampleRuns(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	token := workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}})
	id, secret := workspace.AdminClient()
	listen, closed := processtest.FreeAddress(t), processtest.FreeAddress(t)
	runtime, err := os.MkdirTemp("", "sg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(runtime) })
	admin := "unix/" + runtime + "/scopegate/admin.sock"
	_, port, _ := net.SplitHostPort(listen)
	p := processtest.Start(t, listen, []string{
		"DATABRICKS_HOST=" + workspace.URL(),
		"SCOPEGATE_CLIENT_ID=" + id,
		"SCOPEGATE_CLIENT_SECRET=" + secret,
		"SCOPEGATE_PORT=" + port,
		"XDG_RUNTIME_DIR=" + runtime,
	}, "scopegate", "run", "--config", "../../Caddyfile.example", "--adapter", "caddyfile")

	if status, _, body := p.Get(t, listJobsPath, token.Value); status != 200 {
		t.Errorf("permitted: %d %s", status, body)
	}
	if status, _, body := p.Get(t, listClustersPath, token.Value); status != 403 || !strings.Contains(body, "required scopes: clusters") {
		t.Errorf("refused: %d %s", status, body)
	}
	for _, question := range []struct {
		args []string
		says string
		ok   bool
	}{
		{[]string{"report", "--address", admin}, token.Info.TokenId[:8], true},
		{[]string{"report", "--address", admin, "--unscoped", "--owner", "admin@*"}, "1 of 2 tokens", true},
		{[]string{"report", "--address", admin, "--unused", "soon"}, "the gateway says: unused must be a duration such as 30d", false},
		{[]string{"report", "--address", admin, "--format", "csv"}, token.Info.TokenId, true},
		{[]string{"report", "--address", admin, "--format", "xml"}, "the gateway says: format must be json, csv or table", false},
		{[]string{"recommend", "--address", admin, token.Info.TokenId}, "jobs", true},
		{[]string{"recommend", "--address", admin, strings.Repeat("ab", 32)}, "the gateway says: the workspace has no token of this id", false},
		{[]string{"recommend", "--address", admin, token.Value}, "64 hexadecimal digits", false},
		{[]string{"recommend", "--address", admin, token.Info.TokenId, "--yes"}, "--yes goes with --apply", false},
		{[]string{"report", "--address", closed}, "name its admin API with --address", false},
		{[]string{"recommend", "--address", closed, token.Info.TokenId}, "name its admin API with --address", false},
	} {
		output, err := exec.Command("scopegate", append([]string{"scopes"}, question.args...)...).CombinedOutput()
		if (err == nil) != question.ok || !strings.Contains(string(output), question.says) {
			t.Errorf("scopes %v: %v\n%s", question.args, err, output)
		}
		if strings.Contains(string(output), token.Value) {
			t.Errorf("scopes %v prints the token", question.args)
		}
	}
	p.Await(t, "two audit lines", func() bool { return len(auditLines(t, p.Log.String())) == 2 })
	for _, line := range auditLines(t, p.Log.String()) {
		if line["token_id"] != token.Info.TokenId || line["decision"] == nil {
			t.Errorf("audit line: %v", line)
		}
	}
	for _, secret := range []string{token.Value, secret} {
		if strings.Contains(p.Log.String(), secret) {
			t.Error("a secret is in the log")
		}
	}
}

// auditLines returns the JSON lines of the audit logger. Caddy's own lines before
// the configuration is loaded have no logger of that name.
func auditLines(t *testing.T, log string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for lines := bufio.NewScanner(strings.NewReader(log)); lines.Scan(); {
		var line map[string]any
		if json.Unmarshal(lines.Bytes(), &line) == nil && line["logger"] == "http.handlers.databricks_scopes.audit" {
			found = append(found, line)
		}
	}
	return found
}

// TestSidecarOutlivesOutages starts a sidecar before its workspace.
func TestSidecarOutlivesOutages(t *testing.T) {
	t.Parallel()
	workspace := fakeworkspace.New()
	t.Cleanup(workspace.Close)
	token := workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}})
	id, secret := workspace.AdminClient()
	address := processtest.FreeAddress(t)
	listen, probes := processtest.FreeAddress(t), processtest.FreeAddress(t)
	p := processtest.Start(t, listen, []string{
		"DATABRICKS_CLIENT_ID=" + id,
		"DATABRICKS_CLIENT_SECRET=" + secret,
		// As in a shell that is set up for the client. The sidecar must ignore them.
		"DATABRICKS_HOST=http://" + listen,
		"DATABRICKS_TOKEN=" + token.Value,
	}, "scopegate", "sidecar", "--workspace", "http://"+address, "--listen", listen, "--health", probes)
	p.AwaitListener(t, probes) // Caddy starts its servers in any order
	probe := &processtest.Process{URL: "http://" + probes}
	if status, _, _ := probe.Get(t, "/livez", ""); status != 200 {
		t.Errorf("live without a workspace: %d", status)
	}
	if status, _, _ := probe.Get(t, "/readyz", ""); status != 503 {
		t.Errorf("ready before the credential worked: %d", status)
	}

	status, header, body := p.Get(t, listJobsPath, token.Value)
	if status != 503 || header.Get("Retry-After") == "" || strings.Contains(body, address) {
		t.Errorf("without a workspace: %d %v %s", status, header, body)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: workspace}
	go server.Serve(listener) // it ends with Close
	t.Cleanup(func() { _ = server.Close() })
	p.Await(t, "recovery", func() bool {
		status, _, _ := p.Get(t, listJobsPath, token.Value)
		return status == 200
	})
	if status, _, _ := p.Get(t, listClustersPath, token.Value); status != 403 {
		t.Errorf("out of scope: %d", status)
	}
	if status, _, _ := probe.Get(t, "/readyz", ""); status != 200 {
		t.Errorf("ready: %d", status)
	}
}
