package relay_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/relay"
)

// echo is a server that answers each line with itself.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); io.Copy(c, c) }()
		}
	}()
	return listener.Addr().String()
}

type client struct {
	net.Conn
	t     *testing.T
	lines *bufio.Reader
}

func dial(t *testing.T, r *relay.Relay) *client {
	t.Helper()
	c, err := net.Dial("tcp", r.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &client{c, t, bufio.NewReader(c)}
}

func (c *client) say(line string) {
	c.t.Helper()
	if _, err := io.WriteString(c, line+"\n"); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) hear(within time.Duration) (string, error) {
	c.SetReadDeadline(time.Now().Add(within))
	return c.lines.ReadString('\n')
}

func (c *client) wants(line string) {
	c.t.Helper()
	if got, err := c.hear(5 * time.Second); got != line+"\n" {
		c.t.Fatalf("heard %q (%v), want %q", got, err, line)
	}
}

func (c *client) hearsNothing() {
	c.t.Helper()
	if got, err := c.hear(50 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatalf("heard %q (%v) on a silent connection", got, err)
	}
}

func TestFreezeSilencesOpenConnectionsOnly(t *testing.T) {
	t.Parallel()
	r := relay.Start(t, "tcp://"+echo(t))
	old := dial(t, r)
	old.say("before")
	old.wants("before")

	r.Freeze()
	old.say("meanwhile")
	old.hearsNothing()
	fresh := dial(t, r)
	fresh.say("fresh")
	fresh.wants("fresh")

	r.Thaw()
	old.wants("meanwhile")
	if got := r.Accepted(); got != 2 {
		t.Errorf("accepted %d connections, want 2", got)
	}
}

func TestDropLosesPackets(t *testing.T) {
	t.Parallel()
	if !relay.CanDrop {
		t.Skip("needs Linux")
	}
	r := relay.Start(t, echo(t))
	old := dial(t, r)
	old.say("before")
	old.wants("before")
	r.Drop()
	keepAlive := net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 1}
	if err := old.Conn.(*net.TCPConn).SetKeepAliveConfig(keepAlive); err != nil {
		t.Fatal(err)
	}
	if got, err := old.hear(20 * time.Second); !errors.Is(err, syscall.ETIMEDOUT) {
		t.Errorf("heard %q (%v), want the kernel to give up", got, err)
	}
	fresh := dial(t, r)
	fresh.say("fresh")
	fresh.wants("fresh")
}

func TestFreezeAllSilencesNewConnections(t *testing.T) {
	t.Parallel()
	r := relay.Start(t, echo(t))
	r.FreezeAll()
	fresh := dial(t, r)
	fresh.say("fresh")
	fresh.hearsNothing()
	r.Thaw()
	fresh.wants("fresh")
}

func TestResetAndClose(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cut  func(*relay.Relay)
		want error
	}{
		"reset":  {(*relay.Relay).Reset, syscall.ECONNRESET},
		"close":  {(*relay.Relay).Close, io.EOF},
		"stop":   {(*relay.Relay).Stop, syscall.ECONNRESET},
		"frozen": {func(r *relay.Relay) { r.Freeze(); r.Reset() }, syscall.ECONNRESET},
	} {
		t.Run(name, func(t *testing.T) {
			r := relay.Start(t, echo(t))
			conn := dial(t, r)
			conn.say("hello")
			conn.wants("hello")
			c.cut(r)
			if got, err := conn.hear(5 * time.Second); !errors.Is(err, c.want) {
				t.Errorf("heard %q (%v), want %v", got, err, c.want)
			}
		})
	}
}

func TestHalfClosedConnectionsGetTheirAnswer(t *testing.T) {
	t.Parallel()
	r := relay.Start(t, echo(t))
	conn := dial(t, r)
	conn.say("last words")
	conn.Conn.(*net.TCPConn).CloseWrite()
	conn.wants("last words")
	if _, err := conn.hear(5 * time.Second); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v, want EOF", err)
	}
}
