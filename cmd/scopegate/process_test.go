package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// process is a running scopegate.
type process struct {
	url string // of the gateway
	log *buffer
}

// start runs scopegate as a process of its own, waits until it listens, and ends
// it with the test.
func start(t *testing.T, listen string, env []string, args ...string) *process {
	t.Helper()
	p := &process{url: "http://" + listen, log: new(buffer)}
	home := t.TempDir()
	command := exec.Command("scopegate", args...)
	command.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home, "DATABRICKS_CONFIG_FILE="+home+"/none")
	command.Env = append(command.Env, env...)
	command.Stdout, command.Stderr = p.log, p.log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := command.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := command.Wait(); err != nil {
			t.Errorf("scopegate %v: %v\n%s", args, err, p.log)
		}
	})
	awaitListener(t, listen)
	return p
}

// awaitListener waits until something accepts connections.
func awaitListener(t *testing.T, address string) {
	t.Helper()
	await(t, "scopegate to listen", func() bool {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		return connection.Close() == nil
	})
}

// buffer is a log that is read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("waiting for %s: it did not come", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// get makes a request with a token and returns the status and the body.
func (p *process) get(t *testing.T, path, token string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", p.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(body)
}

const (
	listJobsPath     = "/api/2.2/jobs/list"
	listClustersPath = "/api/2.1/clusters/list"
)

func TestExampleRuns(t *testing.T) {
	workspace := fakeworkspace.New()
	if err := workspace.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(workspace.Close)
	token := workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}})
	id, secret := workspace.AdminClient()
	listen, admin := freeAddress(t), freeAddress(t)
	_, port, _ := net.SplitHostPort(listen)
	p := start(t, listen, []string{
		"DATABRICKS_HOST=" + workspace.URL(),
		"SCOPEGATE_CLIENT_ID=" + id,
		"SCOPEGATE_CLIENT_SECRET=" + secret,
		"SCOPEGATE_PORT=" + port,
		"CADDY_ADMIN=" + admin,
	}, "run", "--config", "../../Caddyfile.example", "--adapter", "caddyfile")

	if status, _, body := p.get(t, listJobsPath, token.Value); status != 200 {
		t.Errorf("permitted: %d %s", status, body)
	}
	if status, _, body := p.get(t, listClustersPath, token.Value); status != 403 || !strings.Contains(body, "required scopes: clusters") {
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
		{[]string{"report", "--address", "127.0.0.1:1"}, "name its admin API with --address", false},
		{[]string{"recommend", "--address", "127.0.0.1:1", token.Info.TokenId}, "name its admin API with --address", false},
	} {
		output, err := exec.Command("scopegate", append([]string{"scopes"}, question.args...)...).CombinedOutput()
		if (err == nil) != question.ok || !strings.Contains(string(output), question.says) {
			t.Errorf("scopes %v: %v\n%s", question.args, err, output)
		}
		if strings.Contains(string(output), token.Value) {
			t.Errorf("scopes %v prints the token", question.args)
		}
	}
	await(t, "two audit lines", func() bool { return len(auditLines(t, p.log.String())) == 2 })
	for _, line := range auditLines(t, p.log.String()) {
		if line["token_id"] != token.Info.TokenId || line["decision"] == nil {
			t.Errorf("audit line: %v", line)
		}
	}
	for _, hazmat := range []string{token.Value, secret} {
		if strings.Contains(p.log.String(), hazmat) {
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

// TestSidecarOutlivesOutages starts a sidecar whose workspace is not there yet.
func TestSidecarOutlivesOutages(t *testing.T) {
	workspace := fakeworkspace.New()
	t.Cleanup(workspace.Close)
	token := workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}})
	id, secret := workspace.AdminClient()
	address := freeAddress(t)
	listen, probes := freeAddress(t), freeAddress(t)
	p := start(t, listen, []string{
		"DATABRICKS_CLIENT_ID=" + id,
		"DATABRICKS_CLIENT_SECRET=" + secret,
		// As in a shell that is set up for the client: not for us.
		"DATABRICKS_HOST=http://" + listen,
		"DATABRICKS_TOKEN=" + token.Value,
	}, "sidecar", "--workspace", "http://"+address, "--listen", listen, "--health", probes)
	awaitListener(t, probes) // Caddy starts its servers in any order
	probe := &process{url: "http://" + probes}
	if status, _, _ := probe.get(t, "/livez", ""); status != 200 {
		t.Errorf("live without a workspace: %d", status)
	}
	if status, _, _ := probe.get(t, "/readyz", ""); status != 503 {
		t.Errorf("ready before the credential worked: %d", status)
	}

	status, header, body := p.get(t, listJobsPath, token.Value)
	if status != 503 || header.Get("Retry-After") == "" || strings.Contains(body, address) {
		t.Errorf("without a workspace: %d %v %s", status, header, body)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: workspace}
	go server.Serve(listener) //nolint:errcheck // it ends with Close
	t.Cleanup(func() { _ = server.Close() })
	await(t, "recovery", func() bool {
		status, _, _ := p.get(t, listJobsPath, token.Value)
		return status == 200
	})
	if status, _, _ := p.get(t, listClustersPath, token.Value); status != 403 {
		t.Errorf("out of scope: %d", status)
	}
	if status, _, _ := probe.get(t, "/readyz", ""); status != 200 {
		t.Errorf("ready: %d", status)
	}
}
