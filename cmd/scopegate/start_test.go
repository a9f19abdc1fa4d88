package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// lookupLines returns what the log says about look-ups, one line of JSON each.
func lookupLines(log string) (lines []map[string]any) {
	for line := range strings.Lines(log) {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) == nil && strings.HasPrefix(fields["msg"].(string), "token look-ups") {
			lines = append(lines, fields)
		}
	}
	return lines
}

// readiness is the answer of /readyz.
type readiness struct {
	Ready      bool   `json:"ready"`
	Reason     string `json:"reason"`
	Workspaces []struct {
		Workspace, Reason, Message string
		Ready                      bool
	} `json:"workspaces"`
}

func askReadiness(t *testing.T, url string) (status int, answer readiness, body string) {
	t.Helper()
	probe := &processtest.Process{URL: url}
	status, _, body = probe.Get(t, "/readyz", "")
	if err := json.Unmarshal([]byte(body), &answer); err != nil {
		t.Fatalf("/readyz: %s: %v", body, err)
	}
	return status, answer, body
}

// TestStartSpeaks: a gateway says in one line whether it can look up tokens, before any
// client comes, and /readyz says the same.
func TestStartSpeaks(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	id, secret := workspace.AdminClient()
	stranger := workspace.Mint(fakeworkspace.TokenSpec{}).Value // of no admin
	for _, test := range []struct {
		name, url   string
		env         []string
		reason      string // empty if it works
		says, level string
	}{
		{"it works", workspace.URL(), []string{"DATABRICKS_CLIENT_ID=" + id, "DATABRICKS_CLIENT_SECRET=" + secret}, "", "", "info"},
		{"no credential", workspace.URL(), nil, "admin_not_configured", "set the SDK's environment variables, such as DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET, or name a profile with --profile, or write an admin block", "error"},
		{"wrong secret", workspace.URL(), []string{"DATABRICKS_CLIENT_ID=" + id, "DATABRICKS_CLIENT_SECRET=dose-wrong"}, "admin_rejected", "the workspace refused the admin credential", "error"},
		{"not an admin", workspace.URL(), []string{"DATABRICKS_TOKEN=" + stranger}, "admin_rejected", "it must belong to a workspace admin", "error"},
		{"nobody listens", "http://127.0.0.1:9", []string{"DATABRICKS_TOKEN=" + stranger}, "unreachable", "nothing accepts connections at 127.0.0.1:9", "error"},
		{"no such host", "https://workspace.invalid", []string{"DATABRICKS_TOKEN=" + stranger}, "host_not_found", "check the spelling of the workspace URL", "error"},
		{"no TLS", strings.Replace(workspace.URL(), "http:", "https:", 1), []string{"DATABRICKS_TOKEN=" + stranger}, "tls_failed", "it does not speak TLS", "error"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			listen, probes := processtest.FreeAddress(t), processtest.FreeAddress(t)
			file := filepath.Join(t.TempDir(), "Caddyfile")
			config := fmt.Sprintf("{\nadmin off\nauto_https off\nshutdown_delay 1ms\n}\nhttp://%s {\ndatabricks_gateway %s\n}\nhttp://%s {\ndatabricks_scopes_health\n}\n", listen, test.url, probes)
			if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
				t.Fatal(err)
			}
			p := processtest.Start(t, listen, test.env, "scopegate", "run", "--config", file)
			p.Await(t, "a line about look-ups", func() bool { return len(lookupLines(p.Log.String())) > 0 })
			p.AwaitListener(t, probes)

			status, answer, body := askReadiness(t, "http://"+probes)
			if answer.Ready != (test.reason == "") || (status == 200) != answer.Ready || len(answer.Workspaces) != 1 {
				t.Fatalf("/readyz: %d %s", status, body)
			}
			if w := answer.Workspaces[0]; w.Workspace != test.url || w.Ready != answer.Ready || w.Reason != test.reason || (w.Message == "") != w.Ready {
				t.Errorf("/readyz: %s", body)
			}
			lines := lookupLines(p.Log.String())
			if len(lines) != 1 {
				t.Fatalf("%d lines, want one: %v", len(lines), lines)
			}
			line := lines[0]
			if line["level"] != test.level || line["workspace"] != test.url {
				t.Errorf("%v", line)
			}
			if test.reason == "" {
				return
			}
			if message, _ := line["error"].(string); line["outage"] != test.reason || !strings.Contains(message, test.says) {
				t.Errorf("%v, want %s and %q", line, test.reason, test.says)
			}
			for _, hidden := range []string{stranger, secret, "dose-wrong"} {
				if strings.Contains(p.Log.String(), hidden) || strings.Contains(body, hidden) {
					t.Error("a secret is in the log or in /readyz")
				}
			}
		})
	}
}

// TestSecretsThatAreNotThere: a configuration whose placeholders have no value is valid,
// but does not start, and says which.
func TestSecretsThatAreNotThere(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	empty, full := write("empty", " \n"), write("full", "dose0123\n")
	profiles := write("profiles", "[other]\nhost = https://other.cloud.databricks.com\ntoken = dapi1\n[bare]\nhost = http://127.0.0.1:9\n")
	for name, test := range map[string]struct{ admin, says string }{
		"file":           {"client_id 1234\nclient_secret {file." + folder + "/none}", "admin client_secret: {file." + folder + "/none} cannot be read"},
		"empty file":     {"client_id 1234\nclient_secret {file." + empty + "}", "is empty"},
		"folder":         {"token {file." + folder + "}", "admin token: {file." + folder + "} cannot be read"},
		"variable":       {"client_id 1234\nclient_secret {env.SCOPEGATE_NOT_SET}", "the environment variable SCOPEGATE_NOT_SET is not set"},
		"empty variable": {"token {env.SCOPEGATE_EMPTY}", "the environment variable SCOPEGATE_EMPTY is empty"},
		"client id":      {"client_id {env.SCOPEGATE_NOT_SET}\nclient_secret {file." + full + "}", "admin client_id: the environment variable SCOPEGATE_NOT_SET is not set"},
		"profile":        {"profile nowhere", "nowhere"},
		"foreign":        {"profile other", "profile \\\"other\\\" is for https://other.cloud.databricks.com, but the workspace is http://127.0.0.1:9"},
		"bare profile":   {"profile bare", "has no credential"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address := processtest.FreeAddress(t)
			file := write(name+".caddyfile", "{\nadmin off\nauto_https off\n}\nhttp://"+address+" {\ndatabricks_gateway http://127.0.0.1:9 {\nadmin {\n"+test.admin+"\n}\n}\n}\n")
			for _, command := range []string{"validate", "run"} {
				run := exec.Command("scopegate", command, "--config", file, "--adapter", "caddyfile")
				run.Env = append(processtest.Environment(t), "SCOPEGATE_EMPTY=", "DATABRICKS_CONFIG_FILE="+profiles, "DATABRICKS_TOKEN=dapi0123456789abcdef0123456789abcdef")
				output, err := run.CombinedOutput()
				if command == "validate" && err != nil {
					t.Errorf("validate needs secrets: %v\n%s", err, output)
				}
				if command == "run" && (err == nil || !strings.Contains(string(output), test.says)) {
					t.Errorf("run: %v, want %q\n%s", err, test.says, output)
				}
				if strings.Contains(string(output), "dose0123") || strings.Contains(string(output), "dapi0123456789") {
					t.Error("the output holds a secret")
				}
			}
		})
	}
}

// TestReadinessEndsFirst: when the process is told to end, /readyz says so while the ports
// are still open.
func TestReadinessEndsFirst(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	token := workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}})
	listen, probes := processtest.FreeAddress(t), processtest.FreeAddress(t)
	command := exec.Command("scopegate", "sidecar", "--workspace", workspace.URL(), "--listen", listen, "--health", probes)
	command.Env = append(processtest.Environment(t), "DATABRICKS_TOKEN="+workspace.AdminToken())
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	t.Cleanup(func() { _ = command.Process.Kill() })
	p := &processtest.Process{URL: "http://" + listen, Log: new(processtest.Log)}
	p.AwaitListener(t, listen)
	p.AwaitListener(t, probes)
	p.Await(t, "ready", func() bool { status, _, _ := askReadiness(t, "http://"+probes); return status == 200 })

	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.Await(t, "not ready", func() bool {
		status, answer, _ := askReadiness(t, "http://"+probes)
		return status == http.StatusServiceUnavailable && answer.Reason == "shutting_down"
	})
	if status, _, _ := p.Get(t, listJobsPath, token.Value); status != 200 {
		t.Errorf("a request while load balancers notice: %d", status)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Error("it does not end")
	}
}
