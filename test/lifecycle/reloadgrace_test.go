package lifecycle

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// TestGraceAfterReload: requests that began before a reload have the whole grace period,
// too, when the process is told to end.
func TestGraceAfterReload(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	listen, admin := processtest.FreeAddress(t), processtest.FreeAddress(t)
	const grace = time.Second
	globals := fmt.Sprintf("admin %s\npersist_config off\ngrace_period %s\nservers {\nprotocols h1 h2c\n}", admin, grace)
	command := runFile(t, globals, r.site(listen))
	p := r.launch(t, listen, command)
	p.AwaitListener(t, listen)
	gate := r.workspace.HoldEvents()
	defer gate.Open()

	before := r.openStream(t, p.URL, &http.Client{Transport: new(http.Transport)})
	config, err := os.ReadFile(filepath.Clean(command[2]))
	if err != nil {
		t.Fatal(err)
	}
	again := strings.Replace(string(config), "databricks_gateway", "header X-Load 2\ndatabricks_gateway", 1)
	load := harness.NewRequest(t, http.MethodPost, "http://"+admin+"/load", "", strings.NewReader(again), "Content-Type", "text/caddyfile")
	if loaded := harness.Do(t, http.DefaultClient, load); loaded.StatusCode != http.StatusOK {
		t.Fatal(loaded.Status, loaded.Body)
	}
	// The servers of the first configuration stop to wait for it.
	p.AwaitLog(t, "graceful shutdown 1s timeout")
	told := time.Now()
	p.Signal(t, syscall.SIGTERM)
	<-before.ended
	if lasted := time.Since(told); lasted < grace-100*time.Millisecond {
		t.Errorf("the stream was cut after %v, want %v", lasted, grace)
	}
	if code := p.Exit(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, p.Log)
	}
}
