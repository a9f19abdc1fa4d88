package caddymodule

import (
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

	"github.com/scopegate/scopegate/internal/audit"
)

func init() {
	caddy.RegisterModule(moodyWriter{})
}

// moodyWriter is a log writer that does as the tests say.
type moodyWriter struct{}

// mood is that of all of them.
var mood struct {
	mu    sync.Mutex
	err   error
	gate  chan struct{} // nil for open
	lines strings.Builder
}

// setMood changes it, and changes it back after the test.
func setMood(t *testing.T, err error, gate chan struct{}) {
	t.Helper()
	change := func(err error, gate chan struct{}) {
		mood.mu.Lock()
		defer mood.mu.Unlock()
		mood.err, mood.gate = err, gate
	}
	change(err, gate)
	t.Cleanup(func() { change(nil, nil) })
}

func (moodyWriter) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.logging.writers.test_moody", New: func() caddy.Module { return new(moodyWriter) }}
}

func (moodyWriter) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { d.Next(); return nil }
func (moodyWriter) String() string                                  { return "moody" }
func (moodyWriter) WriterKey() string                               { return "moody" }
func (moodyWriter) OpenWriter() (io.WriteCloser, error)             { return moodyWriter{}, nil }
func (moodyWriter) Close() error                                    { return nil }

func (moodyWriter) Write(lines []byte) (int, error) {
	mood.mu.Lock()
	gate := mood.gate
	mood.mu.Unlock()
	if gate != nil {
		<-gate
	}
	mood.mu.Lock()
	defer mood.mu.Unlock()
	if mood.err != nil {
		return 0, mood.err
	}
	return mood.lines.Write(lines)
}

// TestOutputIsComplete: neither a reload nor the end loses a line of an output of its
// own, whichever way Caddy opens files.
func TestOutputIsComplete(t *testing.T) {
	for _, test := range []struct{ name, settings string }{
		{"file that is rolled", ""},
		{"file that is not", "roll_disabled"},
	} {
		t.Run(test.name, func(t *testing.T) {
			workspace := startWorkspace(t)
			output := filepath.Join(t.TempDir(), "audit.jsonl")
			gateway := fmt.Sprintf("databricks_gateway %s {\n%saudit {\noutput file %s {\n%s\n}\n}\n}", workspace.URL(), adminBlock, output, test.settings)
			h := startSite(t, workspace, gateway)
			token := h.mint("jobs")
			const n = 5
			for i := range n {
				h.send(t, "GET", jobsList, bearer(token.Value))
				h.send(t, "GET", clustersList, bearer(token.Value))
				if i%2 == 1 {
					if err := caddy.Stop(); err != nil {
						t.Fatal(err)
					}
				}
				h.load(t, gateway)
			}
			if err := caddy.Stop(); err != nil {
				t.Fatal(err)
			}
			if got := len((&harness{audit: output}).readRecords(t)); got != 2*n {
				t.Errorf("%d lines of %d", got, 2*n)
			}
			if got := len(h.readRecords(t)); got != 0 {
				t.Errorf("%d lines were logged as well", got)
			}
			h.load(t, gateway) // for the clean-up
		})
	}
}

// TestOutputSaysWhatTheLogSays, but for the time of the line itself, and two handlers
// share an output.
func TestOutputSaysWhatTheLogSays(t *testing.T) {
	workspace := startWorkspace(t)
	output := filepath.Join(t.TempDir(), "audit.jsonl")
	handler := func(path string) string {
		return fmt.Sprintf("databricks_gateway %s %s {\n%saudit {\nlog on\noutput file %s\n}\n}\n", path, workspace.URL(), adminBlock, output)
	}
	h := startSite(t, workspace, handler(jobsList+"*")+handler("/api/2.1/clusters/*"))
	token := h.mint("jobs")
	h.send(t, "GET", jobsList, bearer(token.Value))
	h.send(t, "GET", clustersList, bearer(token.Value))
	h.send(t, "GET", jobsList+"/%22%0a%c3%a9", bearer(token.Value))
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	logged, written := h.readRecords(t), (&harness{audit: output}).readRecords(t)
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
	h.load(t, handler("")) // for the clean-up
}

// TestOutputThatCannotBeOpened fails the configuration, and does not harm the one in
// force.
func TestOutputThatCannotBeOpened(t *testing.T) {
	workspace := startWorkspace(t)
	h := startSite(t, workspace, "databricks_gateway "+workspace.URL()+" {\n"+adminBlock+"\n}")
	token := h.mint("jobs")
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	adapted, err := adapt(fmt.Sprintf("{\nadmin off\n}\nhttp://%s {\ndatabricks_gateway %s {\n%s\naudit {\noutput file %s/trail\n}\n}\n}", h.listen, workspace.URL(), adminBlock, blocked))
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(adapted, true); err == nil || !strings.Contains(err.Error(), "opening audit output "+blocked+"/trail") {
		t.Errorf("loading: %v", err)
	}
	if response := h.send(t, "GET", jobsList, bearer(token.Value)); response.status != http.StatusOK {
		t.Errorf("status %d", response.status)
	}
}

// TestOutputIsOneFile: handlers that name the same file by other names share it, so
// that none of them rolls it away under the others.
func TestOutputIsOneFile(t *testing.T) {
	workspace := startWorkspace(t)
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
		site += fmt.Sprintf("handle_path /%d/* {\ndatabricks_gateway %s {\n%saudit {\noutput file %s {\nroll_size 1MiB\n}\n}\n}\n}\n", i, workspace.URL(), adminBlock, name)
	}
	h := startSite(t, workspace, site)
	token := h.mint("jobs")
	for i := range names {
		h.send(t, "GET", fmt.Sprintf("/%d%s", i, jobsList), bearer(token.Value))
	}
	opened := 0
	pooledOutlets.Range(func(any, any) bool { opened++; return true })
	if opened != 1 {
		t.Errorf("%d files are open, want 1", opened)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if got := len((&harness{audit: names[0]}).readRecords(t)); got != len(names) {
		t.Errorf("%d lines, want %d", got, len(names))
	}
	h.load(t, site) // for the clean-up
}

// TestOutputWithOtherSettings is opened anew by a reload.
func TestOutputWithOtherSettings(t *testing.T) {
	workspace := startWorkspace(t)
	output := filepath.Join(t.TempDir(), "audit.jsonl")
	site := func(mode string) string {
		return fmt.Sprintf("databricks_gateway %s {\n%saudit {\noutput file %s {\nmode %s\n}\n}\n}", workspace.URL(), adminBlock, output, mode)
	}
	h := startSite(t, workspace, site("0600"))
	token := h.mint("jobs")
	h.send(t, "GET", jobsList, bearer(token.Value))
	h.load(t, site("0640"))
	h.send(t, "GET", jobsList, bearer(token.Value))
	waitFor(t, 5*time.Second, "both lines", func() bool { return len((&harness{audit: output}).readRecords(t)) == 2 })
	if info, err := os.Stat(output); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// TestOutputRefuses: with when_full refuse nothing passes that could not be written.
func TestOutputRefuses(t *testing.T) {
	workspace := startWorkspace(t)
	setMood(t, errors.New("no room"), nil)
	h := startSite(t, workspace, fmt.Sprintf("databricks_gateway %s {\n%saudit {\noutput test_moody\nqueue 2\nwhen_full refuse\n}\n}", workspace.URL(), adminBlock))
	token := h.mint("jobs")
	for range 2 {
		if got := h.send(t, "GET", jobsList, bearer(token.Value)); got.status != http.StatusOK {
			t.Fatalf("while there is room: status %d", got.status)
		}
	}
	got := h.send(t, "GET", jobsList, bearer(token.Value))
	if got.status != http.StatusServiceUnavailable || got.header.Get("X-Scopegate-Reason") != "audit_unavailable" {
		t.Errorf("without room: status %d, reason %q", got.status, got.header.Get("X-Scopegate-Reason"))
	}
	setMood(t, nil, nil)
	waitFor(t, 10*time.Second, "requests to pass again", func() bool {
		return h.send(t, "GET", jobsList, bearer(token.Value)).status == http.StatusOK
	})
}

// TestOutputThatHangs holds up requests no longer than it may, and neither a reload
// nor the end of the process.
func TestOutputThatHangs(t *testing.T) {
	workspace := startWorkspace(t)
	gate := make(chan struct{})
	defer close(gate)
	setMood(t, nil, gate)
	site := fmt.Sprintf("databricks_gateway %s {\n%saudit {\noutput test_moody\nqueue 2\nwhen_full block 50ms\n}\n}", workspace.URL(), adminBlock)
	h := startSite(t, workspace, site)
	token := h.mint("jobs")
	before := lost(t, audit.SinkOutput)
	for range 5 {
		if got := h.send(t, "GET", jobsList, bearer(token.Value)); got.status != http.StatusOK {
			t.Errorf("status %d", got.status)
		}
	}
	if got := lost(t, audit.SinkOutput) - before; got != 3 {
		t.Errorf("%v are counted as lost, want 3", got)
	}
	for what, do := range map[string]func(){
		"a reload": func() { h.load(t, site) },
		"the end": func() {
			if err := caddy.Stop(); err != nil {
				t.Error(err)
			}
		},
	} {
		began := time.Now()
		do()
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("%s takes %s", what, took)
		}
	}
	h.load(t, site) // for the clean-up
}

// TestOutputOfRequestsUnderWay: a request that was under way when a reload changed the
// output leaves its record where it began, also in a file that cannot be written once
// it is closed.
func TestOutputOfRequestsUnderWay(t *testing.T) {
	workspace := startWorkspace(t)
	folder := t.TempDir()
	output := func(name string) string { return filepath.Join(folder, name) }
	site := func(name string) string {
		return fmt.Sprintf("databricks_gateway %s {\n%saudit {\noutput file %s {\nroll_disabled\n}\n}\n}", workspace.URL(), adminBlock, output(name))
	}
	h := startSite(t, workspace, site("old"))
	token := h.mint("jobs")
	content, feed := io.Pipe()
	answered := make(chan error, 1)
	request, err := http.NewRequest(http.MethodPost, h.url+"/api/2.2/jobs/run-now", content)
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
	held := live.list()[0].outlets
	waitFor(t, 5*time.Second, "the request", func() bool { return held.underWay.Load() == 1 })
	h.load(t, site("new"))
	h.send(t, "GET", jobsList, bearer(token.Value))
	before := lost(t, audit.SinkOutput)
	if _, err := io.WriteString(feed, "}"); err != nil {
		t.Fatal(err)
	}
	feed.Close()
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"old", "new"} {
		waitFor(t, 5*time.Second, "the line in "+name, func() bool { return len((&harness{audit: output(name)}).readRecords(t)) == 1 })
	}
	if got := lost(t, audit.SinkOutput) - before; got != 0 {
		t.Errorf("%d are counted as lost", got)
	}
	waitFor(t, 5*time.Second, "the old output to be closed", func() bool {
		opened := 0
		pooledOutlets.Range(func(any, any) bool { opened++; return true })
		return opened == 1
	})
}

// TestOutputIsClosedAtTheEnd: a process that exits writes what waits, although a
// connection of a former configuration is still under way.
func TestOutputIsClosedAtTheEnd(t *testing.T) {
	output := filepath.Join(t.TempDir(), "audit.jsonl")
	share := func() *outlets {
		shared, err := shareOutlet(outletKey{writer: output}, func() (*audit.Sinks, error) {
			file, err := os.Create(output)
			return audit.NewOutput(file, audit.Settings{WhenFull: audit.Drop}, audit.NewLosses(audit.SinkOutput, processMetrics(), lossWatcher{})), err
		})
		if err != nil {
			t.Fatal(err)
		}
		return &outlets{all: []*outlet{shared}}
	}
	former, running := share(), share()
	former.begin() // a connection that was taken over
	former.leave()
	running.put(&audit.Record{Time: time.Now()}, places{})
	running.leave()
	if _, left := lingering.all[former]; !left {
		t.Fatal("the former handler let go of it while a connection is under way")
	}
	releaseLingering()
	if got := len((&harness{audit: output}).readRecords(t)); got != 1 || len(lingering.all) != 0 {
		t.Errorf("%d lines were written, %d handlers linger", got, len(lingering.all))
	}
	former.end()
}

// TestOutputConflict: one file with two settings would be rolled away by each from
// under the other. A reload that changes them is none.
func TestOutputConflict(t *testing.T) {
	workspace := startWorkspace(t)
	file, log := filepath.Join(t.TempDir(), "audit.jsonl"), filepath.Join(t.TempDir(), "errors.log")
	site := func(size string) string {
		return fmt.Sprintf("handle /%s/* {\ndatabricks_gateway %s {\n%saudit {\noutput file %s {\nroll_size %s\n}\n}\n}\n}\n", size, workspace.URL(), adminBlock, file, size)
	}
	h := startSite(t, workspace, "respond ok")
	h.global = "log errors {\ninclude http.handlers.databricks_scopes\nlevel ERROR\noutput file " + log + "\n}"
	said := func() bool {
		content, _ := os.ReadFile(log) // not there until there is something to say
		return strings.Contains(string(content), "an audit output is opened with different settings")
	}
	h.load(t, site("1MiB"))
	h.load(t, site("2MiB"))
	if said() {
		t.Error("a reload is taken for a conflict")
	}
	h.load(t, site("1MiB")+site("2MiB"))
	waitFor(t, 5*time.Second, "the conflict to be told", said)
}

func TestOutputThatKeepsNothing(t *testing.T) {
	config := `{"apps": {"http": {"servers": {"x": {"listen": ["127.0.0.1:0"], "routes": [{"handle": [{"handler": "databricks_scopes", "workspace": "https://x.cloud.databricks.com", "audit": {"output": {"output": "discard"}}}]}]}}}}}`
	if err := caddy.Load([]byte(config), true); err == nil || !strings.Contains(err.Error(), "audit output discard would keep no record") {
		t.Errorf("loading: %v", err)
	}
}

// Interface guards
var (
	_ caddy.WriterOpener    = (*moodyWriter)(nil)
	_ caddyfile.Unmarshaler = (*moodyWriter)(nil)
)
