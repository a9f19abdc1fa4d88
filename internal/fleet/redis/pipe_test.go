package redis

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	redigo "github.com/gomodule/redigo/redis"

	"github.com/scopegate/scopegate/internal/testing/redistest"
)

// TestLeave: whoever leaves takes nothing from those who come later, on the same connection.
func TestLeave(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	s, err := newSession(t.Context(), Options{}, server.Addr, "") // nobody probes it
	defer s.close()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	release := Cmd("LPUSH", "gate", "x")
	left := make(chan error, 1)
	go func() { // the server replies to nobody else on this connection before the gate opens
		_, err := s.ask(ctx, []Command{Cmd("BLPOP", "gate", 0), Cmd("GET", "k")})
		left <- err
	}()
	eventually(t, "it waits", func() bool { return len(s.short) == 1 })
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("whoever leaves gets %v", err)
	}
	if got := len(s.short); got != 1 {
		t.Errorf("%d replies are due, want 1", got)
	}
	if _, err := s.askAlone(t.Context(), []Command{release}); err != nil {
		t.Fatal(err)
	}
	replies, err := s.ask(t.Context(), []Command{Cmd("ECHO", "mine")})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := replies[0].Text(); got != "mine" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	eventually(t, "room", func() bool { return len(s.short) == 0 })
}

// TestLongReuse: connections of Long are kept, and one whose caller left is not.
func TestLongReuse(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	c := open(t, Options{Addresses: []string{server.Addr}})
	waitSet(t, c)
	id := func() int64 {
		t.Helper()
		replies, err := c.Long(t.Context(), "", Cmd("CLIENT", "ID"))
		if err != nil {
			t.Fatal(err)
		}
		n, err := replies[0].Int()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	first := id()
	if again := id(); again != first {
		t.Errorf("connection %d, then %d", first, again)
	}
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := c.Long(ctx, "", Cmd("BLPOP", "never", 0))
		left <- err
	}()
	eventually(t, "it waits", func() bool { return len(c.current().long) == 1 })
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("whoever leaves gets %v", err)
	}
	if id() == first {
		t.Error("a connection with a reply that is due was used again")
	}
}

// TestPipeFaults: a server that breaks the protocol is left.
func TestPipeFaults(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, reply string
		closes      bool  // after the reply
		want        error // nil for any
	}{
		{"closes", "", true, io.EOF},
		{"says too much", "+OK\r\n+OK\r\n", false, errUnasked},
		{"nonsense", "hello\r\n", false, nil},
		{"half a reply", "$5\r\nab", true, io.ErrUnexpectedEOF},
		{"absurd text", "$9223372036854775807\r\n", false, errAbsurd},
		{"absurd array", "*9223372036854775807\r\n", false, errAbsurd},
		{"less than the room", "*2\r\n+OK\r\n", true, io.EOF},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			here, there := net.Pipe()
			p := newPipe(redigo.NewConn(here, 0, time.Second), 1)
			ended := make(chan struct{}, 2)
			go func() { p.write(); ended <- struct{}{} }()
			go func() { p.read(); ended <- struct{}{} }()
			p.ask([]Command{Cmd("PING")}, func() {})
			if _, err := bufio.NewReader(there).ReadString('G'); err != nil {
				t.Fatal(err)
			}
			go func() { _, _ = io.Copy(io.Discard, there) }()
			defer there.Close()
			_, _ = io.WriteString(there, test.reply)
			if test.closes {
				there.Close()
			}
			<-p.failed
			<-ended
			<-ended
			if p.err == nil || test.want != nil && !errors.Is(p.err, test.want) {
				t.Errorf("failed with %v, want %v", p.err, test.want)
			}
		})
	}
}
