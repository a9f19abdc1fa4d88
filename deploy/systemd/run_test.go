package systemd

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

const (
	ready     = "READY=1"
	reloading = "RELOADING=1"
	stopping  = "STOPPING=1"
)

// TestNotifications: systemd hears when the gateway serves, reloads and stops.
func TestNotifications(t *testing.T) {
	t.Parallel()
	r := newRig(t, "bind 127.0.0.1")
	if check := r.launch(t, "ExecStartPre"); check.Exit(t) != 0 {
		t.Fatalf("the packaged Caddyfile is refused:\n%s", check.Log)
	}
	p := r.launch(t, "ExecStart")
	r.await(t, ready)
	// Nothing is awaited: what systemd starts next may call at once.
	if status, _, body := p.Get(t, harness.JobsList, r.token); status != http.StatusOK {
		t.Fatalf("%d %s\n%s", status, body, p.Log)
	}
	if post := r.started(t); post.Exit(t) != 0 {
		t.Errorf("the start fails although the gateway runs:\n%s", post.Log)
	}
	p.Await(t, "readiness", func() bool { return r.probe("/readyz") == http.StatusOK })
	if info, err := os.Stat(filepath.Join(r.folder, "run/admin.sock")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the admin socket: %v, %v", info, err)
	}

	reload := r.launch(t, "ExecReload")
	if read := r.await(t, ready); !slices.Contains(read, reloading) {
		t.Errorf("a reload told %q", read)
	}
	if code := reload.Exit(t); code != 0 {
		t.Errorf("the reload ended with %d\n%s", code, reload.Log)
	}

	p.Signal(t, syscall.SIGTERM)
	r.await(t, stopping)
	if code := p.Exit(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, p.Log)
	}
	if records := harness.ReadRecords(t, filepath.Join(r.folder, "log/audit.jsonl")); len(records) != 1 || fmt.Sprint(records[0]["reason"]) != "permitted" {
		t.Errorf("records: %v", records)
	}
}

// TestFailedStart: a first configuration that fails is no start, although Caddy says READY=1.
func TestFailedStart(t *testing.T) {
	t.Parallel()
	r := newRig(t, "bind 127.0.0.1")
	other, err := net.Listen("tcp", r.listen)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	p := r.launch(t, "ExecStart")
	if code := p.Exit(t); code != 1 || !strings.Contains(p.Log.String(), r.listen) {
		t.Errorf("exit code %d\n%s", code, p.Log)
	}
	if post := r.started(t); post.Exit(t) == 0 {
		t.Errorf("the start succeeds although nothing runs:\n%s", post.Log)
	}
}

// started runs ExecStartPost, at the address of the test.
func (r *rig) started(t *testing.T) *processtest.Process {
	t.Helper()
	return processtest.Launch(t, r.health, r.env, "scopegate", append(r.command(t, "ExecStartPost"), "--address", r.health)...)
}

// probe returns the status of the health listener, or 0.
func (r *rig) probe(path string) int {
	answer, err := http.Get("http://" + r.health + path)
	if err != nil {
		return 0
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// TestReloadReadsSecrets: ExecReload takes a new secret although the file is the same, and a
// reload that cannot work leaves the gateway as it is.
func TestReloadReadsSecrets(t *testing.T) {
	t.Parallel()
	r := newRig(t, "bind 127.0.0.1")
	_, secret := r.workspace.AdminClient()
	p := r.launch(t, "ExecStart")
	r.await(t, ready)
	harness.WaitFor(t, "the token to be known, of which a busy machine may need several look-ups", func() bool {
		status, _, _ := p.Get(t, harness.JobsList, r.token)
		return status == http.StatusOK
	})
	for _, step := range []struct {
		secret string
		fails  bool
	}{{secret, false}, {"", true}, {secret, false}} {
		r.write(t, "credentials/client_secret", step.secret+"\n", 0o400)
		reload := r.launch(t, "ExecReload")
		if code := reload.Exit(t); (code != 0) != step.fails {
			t.Errorf("exit code %d, failure wanted: %v\n%s", code, step.fails, reload.Log)
		}
		if step.fails && !strings.Contains(reload.Log.String(), "client_secret} names is empty") {
			t.Errorf("the reload does not say why:\n%s", reload.Log)
		}
		if status, _, body := p.Get(t, harness.JobsList, r.token); status != http.StatusOK {
			t.Errorf("%d %s", status, body)
		}
	}
	if strings.Contains(p.Log.String(), secret) {
		t.Error("the log has the secret")
	}
}

// TestUnedited: the Caddyfile as it was installed is refused, with what to do.
func TestUnedited(t *testing.T) {
	t.Parallel()
	r := newRig(t, "bind 127.0.0.1")
	r.install(t, "bind 127.0.0.1", "https://<name>.cloud.databricks.com")
	for _, directive := range []string{"ExecStartPre", "ExecStart"} {
		p := r.launch(t, directive)
		if code := p.Exit(t); code != 1 || !strings.Contains(p.Log.String(), "write the name of your workspace in place of <name>") {
			t.Errorf("%s ended with %d\n%s", directive, code, p.Log)
		}
	}
}
