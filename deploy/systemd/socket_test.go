package systemd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// TestSocketSurvivesRestart: with the socket of systemd and "bind fd/3", no connection is
// refused while the gateway restarts, and what connects in between is answered. Go's server
// closes a connection whose request it reads after it was told to stop, so a client has to
// try again. That may happen while it stops, and at no other time.
func TestSocketSurvivesRestart(t *testing.T) {
	t.Parallel()
	r := newRig(t, "bind fd/3")
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	socket, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()

	p := r.activate(t, socket)
	r.await(t, ready)
	var calls callers
	calls.start(t, "http://"+listener.Addr().String(), r.token)
	calls.awaitMore(t)
	for range 2 {
		calls.stops.Add(1)
		if err := p.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		r.await(t, stopping)
		if err := p.Wait(); err != nil {
			t.Fatalf("the gateway ended with %v\n%s", err, p.Stderr)
		}
		calls.stops.Add(1)
		waiting := r.ask(t, listener.Addr().String()) // nobody accepts it yet
		p = r.activate(t, socket)
		answer, err := http.ReadResponse(bufio.NewReader(waiting), nil)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("a call between two gateways: %v, %v", answer, err)
		}
		r.await(t, ready)
		calls.awaitMore(t)
	}
	calls.end()
	if failed := calls.failed.Load(); failed != nil {
		t.Errorf("a call failed: %v", *failed)
	}
}

// ask connects and sends a call, and returns the connection without waiting.
func (r *rig) ask(t *testing.T, address string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatalf("a connection was refused: %v", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\n\r\n", harness.JobsList, address, r.token); err != nil {
		t.Fatal(err)
	}
	return conn
}

// activate runs ExecStart with a socket, as systemd passes it.
func (r *rig) activate(t *testing.T, socket *os.File) *exec.Cmd {
	t.Helper()
	command := exec.Command("scopegate", r.command(t, "ExecStart")...)
	command.Env = append(append(processtest.Environment(t), r.env...), "LISTEN_FDS=1")
	command.ExtraFiles = []*os.File{socket}
	command.Stderr = new(processtest.Log)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill() // fails if it has ended
		_ = command.Wait()
	})
	return command
}

// clients is how many call at once.
const clients = 4

// callers make calls one after another, each on a connection of its own.
type callers struct {
	answered atomic.Int64
	stops    atomic.Int64 // rises when a gateway is told to stop, and when it has: odd in between
	failed   atomic.Pointer[string]
	stop     context.CancelFunc
	done     sync.WaitGroup
}

func (c *callers) start(t *testing.T, url, token string) {
	ctx, stop := context.WithCancel(t.Context())
	c.stop = stop
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute}
	for range clients {
		c.done.Go(func() {
			for ctx.Err() == nil {
				before := c.stops.Load()
				// Without the context, so that the last call ends, too.
				answer, err := client.Do(harness.NewRequest(t, "GET", url+harness.JobsList, token, nil))
				if closed := errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET); closed && (before%2 == 1 || c.stops.Load() != before) {
					continue
				}
				if err != nil {
					c.fail(err.Error())
					return
				}
				body, err := io.ReadAll(answer.Body)
				_ = answer.Body.Close()
				if err != nil || answer.StatusCode != http.StatusOK {
					c.fail(answer.Status + " " + string(body))
					return
				}
				c.answered.Add(1)
			}
		})
	}
	t.Cleanup(c.end)
}

func (c *callers) fail(text string) { c.failed.CompareAndSwap(nil, &text) }

func (c *callers) end() {
	c.stop()
	c.done.Wait()
}

// awaitMore waits until twenty more calls were answered.
func (c *callers) awaitMore(t *testing.T) {
	t.Helper()
	p := &processtest.Process{Log: new(processtest.Log)}
	more := c.answered.Load() + 20
	p.Await(t, "answers", func() bool {
		if failed := c.failed.Load(); failed != nil {
			t.Fatalf("a call failed: %v", *failed)
		}
		return c.answered.Load() >= more
	})
}
