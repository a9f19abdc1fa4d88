// Package processtest starts commands as processes of their own and waits for what
// they do. Commands are looked up in PATH, where testscript.Main puts those of a
// test binary, so that nothing has to be built.
package processtest

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a condition may take on a busy machine.
const patience = 30 * time.Second

// Process is a running command.
type Process struct {
	// URL is where it listens, without a slash at the end.
	URL string
	// Log is all that it has printed.
	Log *Log
}

// Start runs a command with variables added to the environment, waits until it
// listens on an address, and stops it with the test. It fails the test if the
// command does not exit with 0 then.
func Start(t *testing.T, listen string, env []string, name string, args ...string) *Process {
	t.Helper()
	p := &Process{URL: "http://" + listen, Log: new(Log)}
	command := exec.Command(name, args...)
	command.Env = append(Environment(t), env...)
	command.Stdout, command.Stderr = p.Log, p.Log
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := command.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := command.Wait(); err != nil {
			t.Errorf("%s %v: %v\n%s", name, args, err, p.Log)
		}
	})
	p.AwaitListener(t, listen)
	return p
}

// Environment returns this process's environment with an empty home directory and
// without the Databricks SDK's variables.
func Environment(t *testing.T) []string {
	t.Helper()
	home := t.TempDir()
	var env []string
	for _, variable := range os.Environ() {
		if !strings.HasPrefix(variable, "DATABRICKS_") {
			env = append(env, variable)
		}
	}
	return append(env, "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home, "DATABRICKS_CONFIG_FILE="+home+"/none")
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

// Await waits until a condition is met. It fails the test, with what the process
// has printed, if that takes too long.
func (p *Process) Await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no %s after %v; the process printed:\n%s", what, patience, p.Log)
		}
	}
}

// AwaitLog waits until the process has printed a text, and returns all that it has
// printed.
func (p *Process) AwaitLog(t *testing.T, text string) string {
	t.Helper()
	p.Await(t, strconv.Quote(text), func() bool { return strings.Contains(p.Log.String(), text) })
	return p.Log.String()
}

// Get makes a request with a token and returns the answer.
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

// FreeAddress returns an address on the loopback interface that is free. Its port is
// below those that operating systems hand out, so that no connection and no test
// that listens on any port takes it before the process does.
func FreeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(20_000+rand.IntN(12_000)))
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
