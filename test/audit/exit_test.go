package audit

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/coder/websocket"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// exitFolder is an environment variable. If it is set, TestOutputIsClosedAtExit is the
// process that exits.
const exitFolder = "SCOPEGATE_TEST_EXIT"

// exitRequests is large enough that records are still queued when the process exits.
const exitRequests = 200

// TestOutputIsClosedAtExit: a process that exits writes the queued records, and that of a
// connection of an earlier configuration that is still open.
func TestOutputIsClosedAtExit(t *testing.T) {
	if folder := os.Getenv(exitFolder); folder != "" {
		exitWithOpenConnection(t, filepath.Join(folder, "audit.jsonl"))
		return
	}
	folder := harness.TempDir(t)
	command := exec.CommandContext(harness.Context(t), os.Args[0], "-test.run=^TestOutputIsClosedAtExit$")
	command.Env = append(os.Environ(), exitFolder+"="+folder)
	if printed, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	if got := len(harness.ReadRecords(t, filepath.Join(folder, "audit.jsonl"))); got != exitRequests+1 {
		t.Errorf("%d lines were written, want %d", got, exitRequests+1)
	}
}

// exitWithOpenConnection sends the requests while a WebSocket outlives a reload, and
// exits like a process that gets SIGTERM.
func exitWithOpenConnection(t *testing.T, output string) {
	workspace := harness.StartWorkspace(t)
	_, address, _ := strings.Cut(workspace.URL(), "//")
	site := func(header string) string {
		return fmt.Sprintf(`header X-Load %s
databricks_scopes {
	workspace %s
	%s
	audit {
		output file %s
	}
}
reverse_proxy %s {
	header_up Host {upstream_hostport}
	stream_close_delay 1h
}`, header, workspace.URL(), harness.AdminBlock, output, address)
	}
	g := harness.StartSite(t, workspace, site("first"))
	token := harness.LegacyToken(workspace)
	path := fmt.Sprintf("/driver-proxy-api/o/%d/%s/7772/ssh", workspace.WorkspaceID(), fakeworkspace.RunningCluster)
	conn, _, err := websocket.Dial(harness.Context(t), g.URL+path, &websocket.DialOptions{HTTPHeader: http.Header{"Authorization": {"Bearer " + token}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.CloseNow() }()
	g.Load(t, site("second"))
	caddy.TrapSignals()
	client := harness.Client(t)
	for answered := 0; answered < exitRequests; {
		response, err := client.Do(harness.NewRequest(t, "GET", g.URL+harness.JobsList, token, nil))
		switch {
		case harness.HungUp(err): // Caddy swapped the listening socket on the reload
			continue
		case err != nil:
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body) // so that the connection is reused
		response.Body.Close()
		answered++
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {} // until Caddy exits
}
