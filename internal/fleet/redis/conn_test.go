package redis

import (
	"context"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/redistest"
)

// open returns a connection that is closed with the test.
func open(t *testing.T, options Options) *Conn {
	t.Helper()
	c := Open(options)
	t.Cleanup(c.Close)
	return c
}

// eventually waits until ok, or fails the test.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
		time.Sleep(5 * time.Millisecond) // polls; other processes cannot be waited for
	}
}

func waitUp(t *testing.T, c *Conn) {
	t.Helper()
	eventually(t, "up", func() bool { up, _, _ := c.Up(); return up })
}

func set(c *Conn, key, value string) ([]Reply, error) {
	return c.Do(context.Background(), "share", Cmd("SET", key, value))
}

func TestWorks(t *testing.T) {
	server := redistest.Start(t)
	c := open(t, Options{Addresses: []string{server.Addr}, Database: 3})
	waitUp(t, c)
	results, err := c.Do(context.Background(), "find", Cmd("SET", "k", "v"), Cmd("GET", "k"), Cmd("GET", "none"))
	if err != nil || len(results) != 3 {
		t.Fatal(results, err)
	}
	if got, err := results[1].Text(); got != "v" || err != nil {
		t.Errorf("GET k = %q, %v", got, err)
	}
	if !results[2].IsNil() {
		t.Errorf("GET none: %v", results[2])
	}
	script := NewScript(`return redis.call("GET", KEYS[1]) .. ARGV[1]`)
	for range 2 { // unknown to the server, and known
		result, err := c.Script(context.Background(), "budget", script, []string{"k"}, []string{"!"})
		if err != nil {
			t.Fatal(err)
		}
		if got, err := result.Text(); got != "v!" || err != nil {
			t.Errorf("script = %q, %v", got, err)
		}
	}
}
