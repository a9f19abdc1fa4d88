// Package processtest starts commands as separate processes and waits for their
// output. It looks commands up in PATH, where testscript.Main puts those of a test
// binary, so tests build nothing.
package processtest

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait, on busy machines too.
const patience = 30 * time.Second

// Process is a running command.
type Process struct {
	// URL is where it listens, without a slash at the end.
	URL string
	// Log is everything that it has printed.
	Log *Log

	command *exec.Cmd
	ended   chan struct{} // closed when it has
}

// Start runs a command with extra environment variables and waits until it listens on
// an address. The end of the test stops it; the test fails if its exit code is not 0.
func Start(t *testing.T, listen string, env []string, name string, args ...string) *Process {
	t.Helper()
	p := Launch(t, listen, env, name, args...)
	t.Cleanup(func() {
		p.Signal(t, syscall.SIGTERM)
		if code := p.Exit(t); code != 0 {
			t.Errorf("%s %v: exit code %d\n%s", name, args, code, p.Log)
		}
	})
	p.AwaitListener(t, listen)
	return p
}

// Launch is Start without waiting, for a command that may fail or that the test ends.
// What still runs at the end of the test is killed.
func Launch(t *testing.T, listen string, env []string, name string, args ...string) *Process {
	t.Helper()
	p := &Process{URL: "http://" + listen, Log: new(Log), command: exec.Command(name, args...), ended: make(chan struct{})}
	p.command.Env = append(Environment(t), env...)
	p.command.Stdout, p.command.Stderr = p.Log, p.Log
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.command.Wait() // Exit tells how it ended
	}()
	t.Cleanup(func() {
		_ = p.command.Process.Kill() // fails if it has ended
		<-p.ended
	})
	return p
}

// PID returns the process's id.
func (p *Process) PID() int { return p.command.Process.Pid }

// Signal sends a signal to the process.
func (p *Process) Signal(t *testing.T, signal os.Signal) {
	t.Helper()
	if err := p.command.Process.Signal(signal); err != nil {
		t.Error(err)
	}
}

// Exit waits until the process has ended, and returns its exit code.
func (p *Process) Exit(t *testing.T) int {
	t.Helper()
	p.Await(t, "end of the process", func() bool {
		select {
		case <-p.ended:
			return true
		default:
			return false
		}
	})
	return p.command.ProcessState.ExitCode()
}

// Environment returns this process's environment with an empty home directory and
// without the Databricks SDK's variables. Sockets go to a folder of the test's.
func Environment(t *testing.T) []string {
	t.Helper()
	home := t.TempDir()
	runtime, err := os.MkdirTemp("", "sg") // short, because the paths of sockets are
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(runtime) })
	var env []string
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "DATABRICKS_") && !strings.HasPrefix(variable, "CADDY_ADMIN=") {
			env = append(env, variable)
		}
	}
	return append(env, "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home, "XDG_RUNTIME_DIR="+runtime, "DATABRICKS_CONFIG_FILE="+home+"/none")
}

// AwaitListener waits until something accepts connections.
func (p *Process) AwaitListener(t *testing.T, address string) {
	t.Helper()
	p.Await(t, "a listener on "+address, func() bool {
		connection, err := net.Dial("tcp", address)
		if err != nil {
			return false
		}
		return connection.Close() == nil
	})
}

// Await waits until done returns true. If that takes too long, the test fails and shows
// what the process has printed.
func (p *Process) Await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s after %v; the process printed:\n%s", what, patience, p.Log)
		}
	}
}

// AwaitLog waits until the process has printed a text, and returns everything that it
// has printed.
func (p *Process) AwaitLog(t *testing.T, text string) string {
	t.Helper()
	p.Await(t, strconv.Quote(text), func() bool { return strings.Contains(p.Log.String(), text) })
	return p.Log.String()
}

// Get makes a request with a token and returns the response.
func (p *Process) Get(t *testing.T, path, token string) (status int, header http.Header, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", p.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(text)
}

// Log collects output. It can be read while it is written.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// FreeAddress returns a free address on the loopback interface. Its port is below the
// ephemeral range, so that no connection, and no test that listens on port 0, takes
// it before the process does. No other test gets it while this one runs.
func FreeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(20_000 + rand.IntN(12_000))
		address := net.JoinHostPort("127.0.0.1", port)
		if !reserve(t, port) {
			continue
		}
		listener, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		if err := listener.Close(); err != nil {
			t.Fatal(err)
		}
		return address
	}
	t.Fatal("no free port")
	return ""
}

// reserve keeps a port from the tests of all packages, which run at the same time, until the
// test ends. It has no effect where sockets without a file do not exist.
func reserve(t *testing.T, port string) bool {
	t.Helper()
	if runtime.GOOS != "linux" {
		return true
	}
	reservation, err := net.Listen("unix", "@scopegate/test/"+port)
	if err != nil {
		return false
	}
	t.Cleanup(func() { _ = reservation.Close() })
	return true
}
