package audit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

func init() {
	caddy.RegisterModule(faultyWriter{})
}

// faultyWriter is a log writer that fails or hangs on demand.
type faultyWriter struct{}

// fault is the fault of all faulty writers.
var fault struct {
	mu    sync.Mutex
	err   error
	gate  chan struct{} // nil for open
	lines strings.Builder
}

// setFault sets the error that writes return, and a gate that they wait for, until the
// end of the test.
func setFault(t *testing.T, err error, gate chan struct{}) {
	t.Helper()
	change := func(err error, gate chan struct{}) {
		fault.mu.Lock()
		defer fault.mu.Unlock()
		fault.err, fault.gate = err, gate
	}
	change(err, gate)
	t.Cleanup(func() { change(nil, nil) })
}

func (faultyWriter) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.logging.writers.test_faulty", New: func() caddy.Module { return new(faultyWriter) }}
}

func (faultyWriter) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { d.Next(); return nil }
func (faultyWriter) String() string                                  { return "faulty" }
func (faultyWriter) WriterKey() string                               { return "faulty" }
func (faultyWriter) OpenWriter() (io.WriteCloser, error)             { return faultyWriter{}, nil }
func (faultyWriter) Close() error                                    { return nil }

func (faultyWriter) Write(lines []byte) (int, error) {
	fault.mu.Lock()
	gate := fault.gate
	fault.mu.Unlock()
	if gate != nil {
		<-gate
	}
	fault.mu.Lock()
	defer fault.mu.Unlock()
	if fault.err != nil {
		return 0, fault.err
	}
	return fault.lines.Write(lines)
}

// TestOutputIsComplete: neither a reload nor a stop loses a line of an audit output,
// with both ways in which Caddy opens files.
func TestOutputIsComplete(t *testing.T) {
	for _, test := range []struct{ name, settings string }{
		{"rolled file", ""},
		{"file without rolling", "roll_disabled"},
	} {
		t.Run(test.name, func(t *testing.T) {
			workspace := harness.StartWorkspace(t)
			output := filepath.Join(t.TempDir(), "audit.jsonl")
			gateway := harness.GatewayBlock(workspace, fmt.Sprintf("audit {\noutput file %s {\n%s\n}\n}", output, test.settings))
			g := harness.StartSite(t, workspace, gateway)
			token := g.Mint("jobs")
			const n = 5
			for i := range n {
				g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value))
				g.Send(t, "GET", harness.ClustersList, harness.Bearer(token.Value))
				if i%2 == 1 {
					harness.Stop(t)
				}
				g.Load(t, gateway)
			}
			harness.Stop(t)
			if got := len(harness.ReadRecords(t, output)); got != 2*n {
				t.Errorf("%d lines, want %d", got, 2*n)
			}
			if got := len(g.ReadRecords(t)); got != 0 {
				t.Errorf("%d lines were also logged", got)
			}
		})
	}
}

// TestOutputSaysWhatTheLogSays: log and output hold the same records, except for the
// time of the line. Two handlers share the output.
func TestOutputSaysWhatTheLogSays(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	output := filepath.Join(t.TempDir(), "audit.jsonl")
	handler := func(path string) string {
		return fmt.Sprintf("databricks_gateway %s %s {\n%saudit {\nlog on\noutput file %s\n}\n}\n", path, workspace.URL(), harness.AdminBlock, output)
	}
	g := harness.StartSite(t, workspace, handler(harness.JobsList+"*")+handler("/api/2.1/clusters/*"))
	token := g.Mint("jobs")
	g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value))
	g.Send(t, "GET", harness.ClustersList, harness.Bearer(token.Value))
	g.Send(t, "GET", harness.JobsList+"/%22%0a%c3%a9", harness.Bearer(token.Value))
	harness.Stop(t)
	logged, written := g.ReadRecords(t), harness.ReadRecords(t, output)
	for _, records := range [][]map[string]any{logged, written} {
		for _, record := range records {
			if _, ok := record["ts"].(float64); !ok {
				t.Errorf("ts is %v", record["ts"])
			}
			delete(record, "ts")
		}
	}
	if len(logged) != 3 || !reflect.DeepEqual(logged, written) {
		t.Errorf("the log says\n%v\nand the output\n%v", logged, written)
	}
}

// TestOutputThatCannotBeOpened: the configuration fails, and the old one keeps running.
func TestOutputThatCannotBeOpened(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "")
	token := g.Mint("jobs")
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := g.TryLoad(t, harness.GatewayBlock(workspace, "audit {\noutput file "+blocked+"/trail\n}")); err == nil || !strings.Contains(err.Error(), "opening audit output "+blocked+"/trail") {
		t.Errorf("loading: %v", err)
	}
	if response := g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value)); response.StatusCode != http.StatusOK {
		t.Errorf("status %d", response.StatusCode)
	}
}

// TestOutputIsOneFile: handlers that name the same file in different ways share it, so
// that none rolls it while the others write to it.
func TestOutputIsOneFile(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	folder := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(folder, link); err != nil {
		t.Skip("no symbolic links here:", err)
	}
	working, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	relative, err := filepath.Rel(working, filepath.Join(folder, "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	names := []string{filepath.Join(folder, "audit.jsonl"), relative, filepath.Join(link, "audit.jsonl"), folder + "/x/../audit.jsonl"}
	site := ""
	for i, name := range names {
		site += fmt.Sprintf("handle_path /%d/* {\ndatabricks_gateway %s {\n%saudit {\noutput file %s {\nroll_size 1MiB\n}\n}\n}\n}\n", i, workspace.URL(), harness.AdminBlock, name)
	}
	g := harness.StartSite(t, workspace, site)
	token := g.Mint("jobs")
	for i := range names {
		g.Send(t, "GET", fmt.Sprintf("/%d%s", i, harness.JobsList), harness.Bearer(token.Value))
	}
	harness.WaitFor(t, "all lines", func() bool { return len(harness.ReadRecords(t, names[0])) >= len(names) })
	if opened, ok := harness.OpenFiles(t, names[0]); ok && opened != 1 {
		t.Errorf("the file is open %d times, want 1", opened)
	}
	harness.Stop(t)
	if got := len(harness.ReadRecords(t, names[0])); got != len(names) {
		t.Errorf("%d lines, want %d", got, len(names))
	}
}

// TestOutputWithOtherSettings: a reload with new settings reopens the output.
func TestOutputWithOtherSettings(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	output := filepath.Join(t.TempDir(), "audit.jsonl")
	site := func(mode string) string {
		return harness.GatewayBlock(workspace, fmt.Sprintf("audit {\noutput file %s {\nmode %s\n}\n}", output, mode))
	}
	g := harness.StartSite(t, workspace, site("0600"))
	token := g.Mint("jobs")
	g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value))
	g.Load(t, site("0640"))
	g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value))
	harness.WaitFor(t, "both lines", func() bool { return len(harness.ReadRecords(t, output)) == 2 })
	if info, err := os.Stat(output); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// TestOutputRefuses: with when_full refuse, no request passes once a record could not be
// written, and none of the records that wait is lost.
func TestOutputRefuses(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	setFault(t, errors.New("no room"), nil)
	g := harness.StartSite(t, workspace, harness.GatewayBlock(workspace, "audit {\noutput test_faulty\nwhen_full refuse\n}"))
	token, lost := g.Mint("jobs"), g.Lost(t, "output")
	send := func() harness.Answer {
		t.Helper()
		return g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value))
	}
	if got := send(); got.StatusCode != http.StatusOK {
		t.Fatalf("before the first write: status %d", got.StatusCode)
	}
	var refused harness.Answer
	harness.WaitFor(t, "requests to be refused", func() bool {
		refused = send()
		return refused.StatusCode != http.StatusOK
	})
	if refused.StatusCode != http.StatusServiceUnavailable || refused.Header.Get("X-Scopegate-Reason") != "audit_unavailable" {
		t.Errorf("status %d, reason %q", refused.StatusCode, refused.Header.Get("X-Scopegate-Reason"))
	}
	reached := len(workspace.Requests())
	for range 10 {
		if got := send(); got.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("a request passes: status %d", got.StatusCode)
		}
	}
	if got := len(workspace.Requests()) - reached; got != 0 {
		t.Errorf("%d requests reached the workspace", got)
	}
	if waiting := g.Metric(t, `scopegate_audit_queue{sink="output"}`); waiting < 12 {
		t.Errorf("%v records wait", waiting)
	}
	setFault(t, nil, nil)
	harness.WaitFor(t, "requests to pass again", func() bool { return send().StatusCode == http.StatusOK })
	if got := g.Lost(t, "output") - lost; got != 0 {
		t.Errorf("%d records were lost", got)
	}
}

// TestOutputThatHangs: it delays requests no longer than when_full allows, and delays
// neither a reload nor a stop.
func TestOutputThatHangs(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	gate := make(chan struct{})
	defer close(gate)
	setFault(t, nil, gate)
	site := harness.GatewayBlock(workspace, "audit {\noutput test_faulty\nqueue 2\nwhen_full block 50ms\n}")
	g := harness.StartSite(t, workspace, site)
	token := g.Mint("jobs")
	before := g.Lost(t, "output")
	for range 5 {
		if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value)); got.StatusCode != http.StatusOK {
			t.Errorf("status %d", got.StatusCode)
		}
	}
	if got := g.Lost(t, "output") - before; got != 3 {
		t.Errorf("%v counted as lost, want 3", got)
	}
	for what, do := range map[string]func(){
		"a reload": func() { g.Load(t, site) },
		"a stop":   func() { harness.Stop(t) },
	} {
		started := time.Now()
		do()
		if took := time.Since(started); took > 10*time.Second {
			t.Errorf("%s took %s", what, took)
		}
	}
}

// TestOutputOfRunningRequests: a request that runs while a reload changes the output
// leaves its record in the old one, even if that is a file that cannot be written after
// it is closed.
func TestOutputOfRunningRequests(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	folder := t.TempDir()
	output := func(name string) string { return filepath.Join(folder, name) }
	site := func(name string) string {
		return harness.GatewayBlock(workspace, fmt.Sprintf("audit {\noutput file %s {\nroll_disabled\n}\n}", output(name)))
	}
	g := harness.StartSite(t, workspace, site("old"))
	token := g.Mint("jobs")
	content, feed := io.Pipe()
	answered := make(chan error, 1)
	request, err := http.NewRequest(http.MethodPost, g.URL+"/api/2.2/jobs/run-now", content)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token.Value)
	go func() {
		response, err := http.DefaultTransport.RoundTrip(request)
		if err == nil {
			response.Body.Close()
		}
		answered <- err
	}()
	if _, err := io.WriteString(feed, "{"); err != nil {
		t.Fatal(err)
	}
	harness.WaitFor(t, "the request at the workspace", func() bool { return len(harness.Arrivals(workspace)) == 1 })
	g.Load(t, site("new"))
	g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value))
	before := g.Lost(t, "output")
	if _, err := io.WriteString(feed, "}"); err != nil {
		t.Fatal(err)
	}
	feed.Close()
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"old", "new"} {
		harness.WaitFor(t, "the line in "+name, func() bool { return len(harness.ReadRecords(t, output(name))) == 1 })
	}
	if got := g.Lost(t, "output") - before; got != 0 {
		t.Errorf("%d counted as lost", got)
	}
	harness.WaitFor(t, "the old output to be closed", func() bool {
		opened, _ := harness.OpenFiles(t, output("old"))
		return opened == 0
	})
}

// TestOutputOfTheApp: what the app says about the audit holds for every handler that
// says nothing, or says something else.
func TestOutputOfTheApp(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	g := harness.NewGateway(t, workspace)
	g.Global = "databricks {\naudit {\noutput file " + file + "\n}\n}"
	g.Load(t, fmt.Sprintf("handle /api/2.1/* {\n%s\n}\nhandle /api/2.2/* {\n%s\n}\nhandle {\n%s\n}",
		harness.GatewayBlock(workspace, ""), harness.GatewayBlock(workspace, ""), harness.GatewayBlock(workspace, "audit {\ncomment off\n}")))
	token := g.Mint()
	for _, path := range []string{harness.JobsList, harness.ClustersList, harness.Me} {
		g.Send(t, "GET", path, harness.Bearer(token.Value))
	}
	harness.Stop(t)
	if got := len(harness.ReadRecords(t, file)); got != 3 {
		t.Errorf("%d records, want 3", got)
	}
	if got := len(g.ReadRecords(t)); got != 0 {
		t.Errorf("%d records went to the log", got)
	}
}

// TestOutputConflict: two outputs with different settings for one file would each roll
// it while the other writes to it. A reload that changes the settings is not a conflict.
func TestOutputConflict(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	site := func(size string) string {
		return fmt.Sprintf("handle /%s/* {\ndatabricks_gateway %s {\n%saudit {\noutput file %s {\nroll_size %s\n}\n}\n}\n}\n", size, workspace.URL(), harness.AdminBlock, file, size)
	}
	g := harness.StartSite(t, workspace, "respond ok")
	g.Load(t, site("1MiB"))
	g.Load(t, site("2MiB")) // a reload is not a conflict
	err := g.TryLoad(t, site("1MiB")+site("2MiB"))
	if err == nil || !strings.Contains(err.Error(), "is used by several handlers with different settings") {
		t.Errorf("the conflict was not reported: %v", err)
	}
}

func TestOutputThatKeepsNothing(t *testing.T) {
	g := harness.NewGateway(t, harness.StartWorkspace(t))
	g.Change = func(config []byte) []byte { // in JSON, because a Caddyfile like this does not adapt
		return bytes.Replace(config, []byte(`"output":{"output":"stdout"}`), []byte(`"output":{"output":"discard"}`), 1)
	}
	if err := g.TryLoad(t, harness.GatewayBlock(g.Workspace, "audit {\noutput stdout\n}")); err == nil || !strings.Contains(err.Error(), "audit output discard would keep no record") {
		t.Errorf("loading: %v", err)
	}
}

// Interface guards
var (
	_ caddy.WriterOpener    = (*faultyWriter)(nil)
	_ caddyfile.Unmarshaler = (*faultyWriter)(nil)
)
