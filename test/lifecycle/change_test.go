package lifecycle

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// TestShutdownEndsChanges: a change that goes on although its client has left holds up the
// end of the process no longer than the grace period.
func TestShutdownEndsChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	audit := t.TempDir() + "/audit.jsonl"
	p, told := r.leaveChange(t, audit)
	if code := p.Exit(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if lasted := time.Since(told); lasted > 8*time.Second || lasted < 900*time.Millisecond {
		t.Errorf("the process took %v", lasted)
	}
	if records := harness.ReadRecords(t, audit); len(records) == 0 || fmt.Sprint(records[len(records)-1]["outcome"]) != "client_left" {
		t.Errorf("records: %v", records)
	}
}

// leaveChange makes a change that the workspace does not answer, leaves, and tells the process
// to end.
func (r *rig) leaveChange(t *testing.T, audit string) (*processtest.Process, time.Time) {
	t.Helper()
	listen := processtest.FreeAddress(t)
	p := r.launch(t, listen, runFile(t, "admin off\ngrace_period 1s\ndatabricks {\naudit {\noutput file "+audit+"\n}\n}", r.site(listen)))
	p.AwaitListener(t, listen)
	path := "/api/2.0/token-management/tokens/" + strings.Repeat("ab", 32)
	r.workspace.Faults().Set(path, fakeworkspace.Hang())
	conn := dial(t, listen)
	_, _ = fmt.Fprintf(conn, "DELETE %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", path, listen, r.token)
	p.Await(t, "the change to reach the workspace", func() bool {
		for _, request := range r.workspace.Requests() {
			if request.Path == path && request.Method == "DELETE" {
				return true
			}
		}
		return false
	})
	_ = conn.Close()
	told := time.Now()
	p.Signal(t, syscall.SIGTERM)
	return p, told
}
