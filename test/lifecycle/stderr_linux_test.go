package lifecycle

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// muted is a process whose standard error is a pipe that nobody reads.
type muted struct {
	stderr  *os.File
	command *exec.Cmd
	ended   chan struct{}
}

// startMuted runs a command until it listens.
func (r *rig) startMuted(t *testing.T, listen string, args []string) *muted {
	t.Helper()
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &muted{stderr: writer, command: exec.Command("scopegate", args...), ended: make(chan struct{})}
	p.command.Env = append(processtest.Environment(t), r.env...)
	p.command.Stderr = writer
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.command.Wait() // exit tells how it ended
	}()
	t.Cleanup(func() {
		_ = p.command.Process.Kill() // fails if it has ended
		<-p.ended
		reader.Close()
		writer.Close()
	})
	(&processtest.Process{Log: new(processtest.Log)}).AwaitListener(t, listen)
	return p
}

// fill fills the pipe. From then on the process cannot write to it.
func (p *muted) fill(t *testing.T) {
	t.Helper()
	// Opened again, because the process must go on to write without O_NONBLOCK.
	pipe, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", p.stderr.Fd()), unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe)
	for err == nil {
		_, err = unix.Write(pipe, []byte{'\n'})
	}
	if !errors.Is(err, unix.EAGAIN) {
		t.Fatal(err)
	}
}

func (p *muted) signal(t *testing.T, signal syscall.Signal) {
	t.Helper()
	if err := p.command.Process.Signal(signal); err != nil {
		t.Error(err)
	}
}

// exit waits for the end, and checks the exit code and that it came in time.
func (p *muted) exit(t *testing.T, code int, within time.Duration) {
	t.Helper()
	select {
	case <-p.ended:
		if got := p.command.ProcessState.ExitCode(); got != code {
			t.Errorf("exit code %d, want %d", got, code)
		}
	case <-time.After(within):
		t.Fatalf("still running after %v", within)
	}
}

// startFull runs a sidecar whose pipe is full.
func (r *rig) startFull(t *testing.T) *muted {
	t.Helper()
	listen := processtest.FreeAddress(t)
	p := r.startMuted(t, listen, r.sidecar(listen))
	p.fill(t)
	return p
}

// TestShutdownWithoutLog: a process ends although nobody reads its standard error, cuts
// what is open, and keeps the records that go elsewhere.
func TestShutdownWithoutLog(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]syscall.Signal{"SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			audit := filepath.Join(t.TempDir(), "audit.jsonl")
			listen := processtest.FreeAddress(t)
			p := r.startMuted(t, listen, runFile(t, "admin off\ndatabricks {\naudit {\nlog off\noutput file "+audit+"\n}\n}", r.site(listen)))
			gate := r.workspace.HoldEvents()
			defer gate.Open()
			x := r.openStream(t, "http://"+listen, http.DefaultClient)
			p.fill(t)
			p.signal(t, signal)
			p.exit(t, 3, 15*time.Second)
			if err := <-x.ended; err == nil {
				t.Error("the stream came to its end")
			}
			if records := harness.ReadRecords(t, audit); len(records) == 0 || records[len(records)-1]["path"] != x.path {
				t.Errorf("records: %v", records)
			}
		})
	}
	t.Run("sidecar", func(t *testing.T) { // its records go to standard error, too
		t.Parallel()
		p := newRig(t).startFull(t)
		p.signal(t, syscall.SIGTERM)
		p.exit(t, 3, 15*time.Second)
	})
	t.Run("second signal", func(t *testing.T) {
		t.Parallel()
		p := newRig(t).startFull(t)
		// Different ones, because equal signals that have not arrived yet become one.
		p.signal(t, syscall.SIGTERM)
		p.signal(t, syscall.SIGINT)
		p.exit(t, 2, 5*time.Second)
	})
	t.Run("SIGQUIT", func(t *testing.T) {
		t.Parallel()
		p := newRig(t).startFull(t)
		p.signal(t, syscall.SIGQUIT)
		p.exit(t, 2, 10*time.Second)
	})
}
