package redis

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/redistest"
)

func waitDown(t *testing.T, c *Conn) {
	t.Helper()
	eventually(t, "down", func() bool { up, _, _ := c.Up(); return !up })
}

// waitSet waits until a write succeeds.
func waitSet(t *testing.T, c *Conn) {
	t.Helper()
	eventually(t, "a write", func() bool {
		results, err := set(c, "k", "v")
		return err == nil && results[0].Err() == nil
	})
}

func TestDownAtStart(t *testing.T) {
	server := redistest.Start(t)
	server.Stop()
	c := open(t, Options{Addresses: []string{server.Addr}})
	started := time.Now()
	if _, err := set(c, "k", "v"); !errors.Is(err, ErrDown) || errors.Is(err, ErrLost) {
		t.Errorf("while down: %v", err)
	}
	if took := time.Since(started); took > Patience {
		t.Errorf("an operation took %s while down", took)
	}
	eventually(t, "the reason", func() bool { _, _, reason := c.Up(); return !errors.Is(reason, errConnecting) })
	server.Restart()
	waitSet(t, c)
	if up, _, reason := c.Up(); !up || reason != nil {
		t.Errorf("up = %v, %v", up, reason)
	}
}

func TestKillAndRestart(t *testing.T) {
	server := redistest.Start(t)
	c := open(t, Options{Addresses: []string{server.Addr}})
	waitSet(t, c)
	for range 2 {
		server.Kill()
		if _, err := set(c, "k", "v"); !errors.Is(err, ErrDown) {
			t.Fatalf("after the kill: %v", err)
		}
		if up, _, reason := c.Up(); up || reason == nil {
			t.Fatalf("after a failure: up = %v, %v", up, reason)
		}
		server.Restart()
		waitSet(t, c)
	}
}

// An idle connection notices by itself.
func TestIdle(t *testing.T) {
	server := redistest.Start(t)
	c := open(t, Options{Addresses: []string{server.Addr}})
	waitUp(t, c)
	server.Kill()
	waitDown(t, c)
	server.Restart()
	waitUp(t, c)
	server.Pause()
	waitDown(t, c)
	server.Resume()
	waitUp(t, c)
}

func TestPause(t *testing.T) {
	server := redistest.Start(t)
	c := open(t, Options{Addresses: []string{server.Addr}})
	waitSet(t, c)
	server.Pause()
	var work sync.WaitGroup
	var slowest, lost, answered atomic.Int64
	for range 1000 { // more than there is room for
		work.Go(func() {
			started := time.Now()
			_, err := set(c, "k", "v")
			took := time.Since(started)
			for old := slowest.Load(); int64(took) > old && !slowest.CompareAndSwap(old, int64(took)); old = slowest.Load() {
			}
			switch {
			case errors.Is(err, ErrLost):
				lost.Add(1)
			case err == nil:
				answered.Add(1)
			}
		})
	}
	work.Wait()
	// A busy machine may be late, but not as late as any other deadline here.
	if took := time.Duration(slowest.Load()); took > 400*time.Millisecond {
		t.Errorf("somebody waited for %s", took)
	}
	if lost.Load() == 0 || answered.Load() != 0 {
		t.Errorf("%d were lost and %d answered by a server that hangs", lost.Load(), answered.Load())
	}
	if up, _, _ := c.Up(); up {
		t.Error("still up")
	}
	server.Resume()
	waitSet(t, c)
}

// A caller that has less time than the store may take says nothing about the store.
func TestShortDeadline(t *testing.T) {
	server := redistest.Start(t)
	c := open(t, Options{Addresses: []string{server.Addr}})
	waitSet(t, c)
	expired, cancel := context.WithTimeout(context.Background(), time.Nanosecond)
	defer cancel()
	if _, err := c.Do(expired, "find", Cmd("PING")); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrDown) {
		t.Errorf("expired: %v", err)
	}
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Do(canceled, "find", Cmd("PING")); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	if up, _, reason := c.Up(); !up {
		t.Errorf("marked as down: %v", reason)
	}
}

func TestLong(t *testing.T) {
	server := redistest.Start(t)
	c := open(t, Options{Addresses: []string{server.Addr}})
	waitSet(t, c)
	block := Cmd("XREAD", "BLOCK", 10000, "STREAMS", "s", "$")
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	type answer struct {
		results []Reply
		err     error
	}
	answers := make(chan answer, 1)
	read := func() {
		results, err := c.Long(ctx, "change", block)
		answers <- answer{results, err}
	}
	add := func() {
		_, _ = c.Do(context.Background(), "change", Cmd("XADD", "s", "*", "f", "v"))
	}
	go read()
	var got answer
	eventually(t, "the entry", func() bool { // the reader may not wait yet
		add()
		select {
		case got = <-answers:
			return true
		default:
			return false
		}
	})
	if got.err != nil || got.results[0].Err() != nil {
		t.Fatal(got.err, got.results)
	}

	bulk, err := c.Long(ctx, "list", Cmd("GET", "k"), Cmd("GET", "none"))
	if err != nil || len(bulk) != 2 {
		t.Fatal(bulk, err)
	}
	if v, err := bulk[0].Text(); v != "v" || err != nil {
		t.Errorf("GET = %q, %v", v, err)
	}

	go read()
	server.Kill()
	if got := <-answers; !errors.Is(got.err, ErrDown) {
		t.Errorf("blocked while the server was killed: %v", got.err)
	}
}

func TestOnUp(t *testing.T) {
	server := redistest.Start(t)
	c := open(t, Options{Addresses: []string{server.Addr}})
	var mu sync.Mutex
	var calls []string
	call := func(name string) func() {
		return func() {
			if _, err := set(c, name, "v"); err != nil {
				name = "failed"
			}
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, name)
		}
	}
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(calls) }
	c.OnUp(call("a"))
	waitUp(t, c)
	c.OnUp(call("b"))
	eventually(t, "both calls", func() bool { return count() == 2 })
	server.Kill()
	waitDown(t, c)
	server.Restart()
	eventually(t, "both calls again", func() bool { return count() == 4 })
	if got := calls[0] + calls[1] + calls[2] + calls[3]; got != "abab" {
		t.Errorf("calls: %q", got)
	}
}

// Close does not wait for a server that does not answer.
func TestClose(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	accepted := make(chan struct{})
	go func() {
		conn, err := silent.Accept()
		if err == nil {
			close(accepted)
			defer conn.Close()
			_, _ = conn.Read(make([]byte, 1<<10))
			<-t.Context().Done()
		}
	}()
	c := Open(Options{Addresses: []string{silent.Addr().String()}})
	<-accepted
	c.Close()
	if up, _, reason := c.Up(); up || !errors.Is(reason, errClosed) {
		t.Errorf("closed: %v, %v", up, reason)
	}
	if _, err := set(c, "k", "v"); !errors.Is(err, ErrDown) {
		t.Errorf("after Close: %v", err)
	}
}
