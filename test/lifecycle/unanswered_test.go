package lifecycle

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// TestUnansweredAtShutdown: calls that a workspace, reached over HTTP/2, has not answered
// when the grace period ends are cut. Their clients see no status.
func TestUnansweredAtShutdown(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	if err := r.workspace.StartTLS(); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	authority, audit := filepath.Join(folder, "ca.pem"), filepath.Join(folder, "audit.jsonl")
	if err := os.WriteFile(authority, r.workspace.CAPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	r.env = append(r.env, "SSL_CERT_FILE="+authority)
	listen := processtest.FreeAddress(t)
	host, port := split(listen)
	p := r.launch(t, listen, runFile(t, "admin off\ngrace_period 500ms\nservers {\nprotocols h1 h2c\n}\ndatabricks {\naudit {\noutput file "+audit+"\n}\n}",
		fmt.Sprintf("http://:%s {\nbind %s\ndatabricks_gateway %s\n}\n", port, host, r.workspace.TLSURL())))
	p.AwaitListener(t, listen)

	fault := r.workspace.Faults().Set(harness.JobsList, fakeworkspace.Hang())
	const each = 10
	clients := []*http.Client{{Transport: new(http.Transport)}, h2c(t)}
	ended := make(chan error, each*len(clients))
	for _, client := range clients {
		for range each {
			request := r.request(t, http.MethodGet, p.URL+harness.JobsList, nil)
			go func() {
				response, err := client.Do(request)
				if err == nil {
					response.Body.Close()
					err = fmt.Errorf("answered %s %s", response.Proto, response.Status)
					t.Error(err)
				}
				ended <- err
			}()
		}
	}
	p.Await(t, "all calls to reach the workspace", func() bool { return fault.Hits() == cap(ended) })
	p.Signal(t, syscall.SIGTERM)
	for range cap(ended) {
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
			t.Fatal("a call was not ended")
		}
	}
	if code := p.Exit(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, p.Log)
	}
	records := harness.ReadRecords(t, audit)
	for _, record := range records {
		if record["outcome"] != "aborted" || record["status"] != 0.0 {
			t.Errorf("outcome %v, status %v", record["outcome"], record["status"])
		}
	}
	if len(records) != cap(ended) {
		t.Errorf("%d records, want %d", len(records), cap(ended))
	}
}
