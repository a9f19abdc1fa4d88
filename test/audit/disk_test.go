package audit

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/otlptest"
)

// TestFullDiskIsToldAtOnce: in every mode and for every sink that writes, the first record
// that cannot be written is told, by an event and by the metrics.
func TestFullDiskIsToldAtOnce(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full here")
	}
	for _, test := range []struct {
		name, options, sink string
		held, refuses       bool
	}{
		{"output, drop", "audit {\noutput file /dev/full\n}", "output", false, false},
		{"output, block", "audit {\noutput file /dev/full\nwhen_full block 50ms\n}", "output", true, false},
		{"output, refuse", "audit {\noutput file /dev/full\nwhen_full refuse\n}", "output", true, true},
		{"output, refuse, not rolled", "audit {\noutput file /dev/full {\nroll_disabled\n}\nwhen_full refuse\n}", "output", true, true},
		{"log", "", "log", false, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			workspace := harness.StartWorkspace(t)
			g := harness.NewGateway(t, workspace)
			g.Global = harness.TapEvents(eventLossy)
			if test.sink == "log" {
				g.AuditLog = "/dev/full"
			}
			g.Load(t, harness.GatewayBlock(workspace, test.options))
			token, lost := g.Mint("jobs"), g.Lost(t, test.sink)
			send := func() harness.Answer {
				t.Helper()
				return g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value))
			}
			if got := send(); got.StatusCode != http.StatusOK {
				t.Fatalf("status %d", got.StatusCode)
			}
			checkLossy(t, test.sink, test.held, "write_failed", "no space left on device")
			if got := send(); test.refuses != (got.StatusCode == http.StatusServiceUnavailable) {
				t.Errorf("the next request: status %d", got.StatusCode)
			}
			if test.held {
				harness.WaitFor(t, "both records to wait", func() bool { return g.Metric(t, `scopegate_audit_queue{sink="output"}`) == 2 })
				if got := g.Lost(t, test.sink) - lost; got != 0 {
					t.Errorf("%d records count as lost", got)
				}
			} else {
				harness.WaitFor(t, "both records to be lost", func() bool { return g.Lost(t, test.sink)-lost == 2 })
			}
			harness.Stop(t)
			g.AuditLog = filepath.Join(g.Storage, "audit.log")
			g.Load(t, harness.GatewayBlock(workspace, ""))
			if got := g.Lost(t, test.sink) - lost; got != 2 { // the process could not wait longer
				t.Errorf("in the end %d records count as lost, want 2", got)
			}
		})
	}
}

// fullDiskFolder is an environment variable. If it is set, TestDiskIsFull runs in a mount
// namespace of its own, and mounts a small disk there.
const fullDiskFolder = "SCOPEGATE_TEST_FULL_DISK"

// TestDiskIsFull: on a disk that is full for a while, whole lines are written before and
// afterwards, and with block and refuse no record is lost.
func TestDiskIsFull(t *testing.T) {
	folder := os.Getenv(fullDiskFolder)
	if folder == "" {
		folder = harness.TempDir(t)
		command := exec.CommandContext(harness.Context(t), "unshare", "--mount", "--map-root-user", os.Args[0], "-test.run=^TestDiskIsFull$")
		if os.Getuid() == 0 {
			command.Args = append([]string{"unshare", "--mount"}, command.Args[3:]...)
		}
		command.Env = append(os.Environ(), fullDiskFolder+"="+folder)
		printed, err := command.CombinedOutput()
		switch {
		case err != nil && !bytes.Contains(printed, []byte("TestDiskIsFull")):
			t.Skipf("no mount namespace here: %v\n%s", err, printed)
		case bytes.Contains(printed, []byte("cannot mount")):
			t.Skipf("%s", printed)
		case err != nil:
			t.Fatalf("%v\n%s", err, printed)
		}
		return
	}
	if printed, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder).CombinedOutput(); err != nil {
		t.Fatalf("cannot mount: %v\n%s", err, printed)
	}
	for _, mode := range []string{"drop", "block 10ms", "refuse"} {
		t.Run(mode, func(t *testing.T) {
			workspace := harness.StartWorkspace(t)
			output, filler := filepath.Join(folder, "audit.jsonl"), filepath.Join(folder, "filler")
			if err := os.WriteFile(filler, make([]byte, 40<<10), 0o600); err != nil {
				t.Fatal(err)
			}
			g := harness.NewGateway(t, workspace)
			g.Global = harness.TapEvents(eventLossy)
			g.Load(t, harness.GatewayBlock(workspace, fmt.Sprintf("audit {\noutput file %s\nwhen_full %s\n}", output, mode)))
			token, sent, passed := g.Mint("jobs"), 0, 0
			send := func() int {
				t.Helper()
				got := g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value))
				sent++
				if got.StatusCode == http.StatusOK {
					passed++
				}
				return got.StatusCode
			}
			before := g.Lost(t, "output")
			failing := func() bool {
				return g.Lost(t, "output") > before || g.Metric(t, `scopegate_audit_queue{sink="output"}`) > 5
			}
			harness.WaitFor(t, "the disk to be full", func() bool { send(); return failing() })
			checkLossy(t, "output", mode != "drop", "write_failed", "no space left on device")
			if got := send(); mode == "refuse" != (got == http.StatusServiceUnavailable) {
				t.Errorf("on a full disk: status %d", got)
			}
			content, err := os.ReadFile(output)
			if err != nil || len(content) == 0 || !bytes.HasSuffix(content, []byte("}\n")) {
				t.Errorf("the full disk has %d bytes that end in %q, %v", len(content), content[max(0, len(content)-20):], err)
			}
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
			harness.WaitFor(t, "the queue to be empty", func() bool { return g.Metric(t, `scopegate_audit_queue{sink="output"}`) == 0 })
			if got := send(); got != http.StatusOK {
				t.Errorf("with room again: status %d", got)
			}
			if mode == "refuse" { // it takes ten seconds
				data := harness.NextEvent(t).Data
				if data["losing"] != false || data["sink"] != "output" {
					t.Errorf("the event says %v", data)
				}
			}
			lost := g.Lost(t, "output") - before
			harness.Stop(t)
			found := 0
			if content, err = os.ReadFile(output); err != nil {
				t.Fatal(err)
			}
			for line := range bytes.Lines(content) {
				if !bytes.HasPrefix(line, []byte(`{"level"`)) || !bytes.HasSuffix(line, []byte("}\n")) {
					t.Errorf("a broken line: %q", line)
				}
				found++
			}
			if found+lost != sent || mode != "drop" && lost != 0 || passed == 0 {
				t.Errorf("%d records and %d lost of %d requests", found, lost, sent)
			}
			if err := os.Remove(output); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestFailingReceiverIsToldAtOnce: a receiver of log lines or of spans that goes away is
// told at the first failure, also when its records wait.
func TestFailingReceiverIsToldAtOnce(t *testing.T) {
	t.Run("net", func(t *testing.T) {
		stderr := os.Stderr // where Caddy's writer writes the lines meanwhile
		null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		os.Stderr = null
		t.Cleanup(func() { os.Stderr = stderr; null.Close() })
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		workspace := harness.StartWorkspace(t)
		g := harness.NewGateway(t, workspace)
		g.Global = harness.TapEvents(eventLossy)
		g.Load(t, harness.GatewayBlock(workspace, fmt.Sprintf("audit {\noutput net %s\nwhen_full refuse\n}", listener.Addr())))
		receiver, err := listener.Accept()
		if err != nil {
			t.Fatal(err)
		}
		token := g.Mint("jobs")
		send := func() int {
			t.Helper()
			return g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value)).StatusCode
		}
		if got := send(); got != http.StatusOK {
			t.Fatalf("status %d", got)
		}
		if _, err := io.ReadFull(receiver, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		listener.Close()
		receiver.Close()
		harness.WaitFor(t, "requests to be refused", func() bool { return send() == http.StatusServiceUnavailable })
		checkLossy(t, "output", true, "write_failed", "unreachable")
	})
	t.Run("spans", func(t *testing.T) {
		receiver := otlptest.Start(t, otlptest.HTTP)
		harness.TelemetryEnv(t, receiver, nil)
		receiver.Refuse(http.StatusUnauthorized)
		workspace := harness.StartWorkspace(t)
		g := harness.NewGateway(t, workspace)
		g.Global = harness.TapEvents(eventLossy)
		g.Load(t, harness.GatewayBlock(workspace, "audit {\nwhen_full refuse\n}"))
		token := g.Mint("jobs")
		for range 2 { // the queue is a bridge
			if got := g.Send(t, "GET", harness.JobsList, harness.Bearer(token.Value)).StatusCode; got != http.StatusOK {
				t.Errorf("status %d", got)
			}
		}
		checkLossy(t, "traces", true, "export_failed", "status 401")
		if got := g.Metric(t, `scopegate_audit_queue{sink="traces"}`); got == 0 {
			t.Error("no record waits")
		}
		if _, text := g.Admin(t, http.MethodGet, "/metrics"); !strings.Contains(text, `scopegate_audit_queue{sink="logs"} 0`) {
			t.Error("a sink without records is not in the metrics")
		}
		receiver.Recover()
		receiver.WaitSpans(t, 2)
	})
}
