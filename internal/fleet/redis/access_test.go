package redis

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/redistest"
)

// waitReason waits until the connection is down because of something with want in it, and
// returns the reason.
func waitReason(t *testing.T, c *Conn, want string) string {
	t.Helper()
	var text string
	eventually(t, "the reason "+want, func() bool {
		up, _, reason := c.Up()
		if up || reason == nil {
			return false
		}
		text = reason.Error()
		return strings.Contains(text, want)
	})
	return text
}

func TestPassword(t *testing.T) {
	server := redistest.Start(t, "--requirepass", "right-password")
	var password atomic.Value
	password.Store("wrong-password")
	logs := newLogs()
	c := open(t, Options{
		Addresses: []string{server.Addr}, Logger: logs.logger,
		Password: func() (string, error) { return password.Load().(string), nil },
	})
	if text := waitReason(t, c, "WRONGPASS"); strings.Contains(text, "wrong-password") {
		t.Errorf("the reason quotes the password: %s", text)
	}
	password.Store("") // as without one
	waitReason(t, c, "NOAUTH")
	password.Store("right-password") // replaced while we run
	waitSet(t, c)
	if text := logs.text(); strings.Contains(text, "-password") {
		t.Errorf("the log quotes a password: %s", text)
	}
}

// A user may do no more than the commands that are used.
func TestUser(t *testing.T) {
	server := redistest.Start(t, "--user", "scopegate", "on", ">secret", "~scopegate:*", "resetchannels",
		"-@all", "+ping", "+get", "+set", "+evalsha", "+eval", "+xread")
	c := open(t, Options{
		Addresses: []string{server.Addr}, Username: "scopegate",
		Password: func() (string, error) { return "secret", nil },
	})
	waitUp(t, c)
	results, err := set(c, "scopegate:k", "v")
	if err != nil || results[0].Err() != nil {
		t.Fatal(results, err)
	}
	results, err = set(c, "other:k", "v")
	if err != nil || kind(results[0].Err()) != "NOPERM" {
		t.Fatal(results, err)
	}
	if up, _, reason := c.Up(); !up {
		t.Errorf("a command that is not allowed marked it as down: %v", reason)
	}
	result, err := c.Script(context.Background(), "budget", NewScript(`return 1`), []string{"scopegate:k"}, nil)
	if err != nil || result.Err() != nil {
		t.Error(err, result.Err())
	}
}

func TestUserWithoutPing(t *testing.T) {
	server := redistest.Start(t, "--user", "scopegate", "on", ">secret", "~*", "-@all", "+set")
	c := open(t, Options{
		Addresses: []string{server.Addr}, Username: "scopegate",
		Password: func() (string, error) { return "secret", nil },
	})
	waitSet(t, c)
}

// TestDuring: an idle gateway that only waits for changes says so when it fails.
func TestDuring(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, operation string
		err             error
		want            string
	}{
		{"an operation", "find", errReplica, "find: " + errReplica.Error()},
		{"one without a name", "", describe(io.EOF, ""), "waiting for changes: server closed the connection (EOF)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := during(test.operation, test.err); got.Error() != test.want || !errors.Is(got, test.err) {
				t.Errorf("%v, want %s", got, test.want)
			}
		})
	}
}

// TestIdleReason: the server ends while nothing but news is waited for.
func TestIdleReason(t *testing.T) {
	t.Parallel()
	server, logs := redistest.Start(t), newLogs()
	c := open(t, Options{Addresses: []string{server.Addr}, Logger: logs.logger})
	waitUp(t, c)
	var waiting sync.WaitGroup
	waiting.Go(func() {
		_, _ = c.Long(t.Context(), "", Cmd("XREAD", "BLOCK", 0, "STREAMS", "log", "$"))
	})
	eventually(t, "it waits", func() bool { s := c.current(); return s != nil && len(s.long) == 1 })
	server.Kill()
	waiting.Wait()
	waitDown(t, c)
	if text := logs.text(); strings.Contains(text, `"error":": `) || !strings.Contains(text, "store is down") {
		t.Errorf("logged %s", text)
	}
}

func TestDescribe(t *testing.T) {
	server := redistest.Start(t)
	c := open(t, Options{Addresses: []string{server.Addr}})
	waitUp(t, c)
	results, err := c.Do(context.Background(), "find", Cmd("NONSENSE", "sealed-value"))
	if err != nil {
		t.Fatal(err)
	}
	text := describe(results[0].Err(), "").Error()
	if !strings.Contains(text, "NONSENSE") || strings.Contains(text, "sealed-value") {
		t.Errorf("described as %q", text)
	}
	if got := kind(results[0].Err()); got != "ERR" {
		t.Errorf("kind = %q", got)
	}
}
