package fleet

import (
	"bufio"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/redistest"
)

// command sends one command to a server and returns the first line of the answer, or the
// lines of an array of strings.
func command(t *testing.T, server *redistest.Server, words ...string) []string {
	t.Helper()
	conn, err := net.DialTimeout("tcp", server.Addr, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(words))
	for _, word := range words {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(word), word)
	}
	if _, err := conn.Write([]byte(b.String())); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	line := func() string {
		text, err := in.ReadString('\n')
		if err != nil {
			t.Fatalf("%v: %v", words, err)
		}
		return strings.TrimSuffix(text, "\r\n")
	}
	first := line()
	if strings.HasPrefix(first, "-") {
		t.Fatalf("%v: %s", words, first)
	}
	count, isArray := strings.CutPrefix(first, "*")
	if !isArray {
		return []string{first}
	}
	n, _ := strconv.Atoi(count)
	answer := make([]string, n)
	for i := range answer {
		line() // its length
		answer[i] = line()
	}
	return answer
}

// keys returns the names of what the server holds that end in a suffix.
func keys(t *testing.T, server *redistest.Server, suffix string) []string {
	t.Helper()
	return command(t, server, "KEYS", "*"+suffix)
}

// fault is something that goes wrong with a server.
type fault struct {
	name        string
	begin, ends func(t *testing.T, server *redistest.Server)
}

var faults = []fault{
	{"killed", func(_ *testing.T, s *redistest.Server) { s.Kill() }, func(_ *testing.T, s *redistest.Server) { s.Restart() }},
	{"paused", func(_ *testing.T, s *redistest.Server) { s.Pause() }, func(_ *testing.T, s *redistest.Server) { s.Resume() }},
	{"out of memory",
		func(t *testing.T, s *redistest.Server) { command(t, s, "CONFIG", "SET", "maxmemory", "1") },
		func(t *testing.T, s *redistest.Server) { command(t, s, "CONFIG", "SET", "maxmemory", "0") }},
	{"read-only",
		func(t *testing.T, s *redistest.Server) { command(t, s, "REPLICAOF", "127.0.0.1", "1") },
		func(t *testing.T, s *redistest.Server) { command(t, s, "REPLICAOF", "NO", "ONE") }},
	{"restarted with loss", func(_ *testing.T, s *redistest.Server) { s.Kill(); s.Restart() }, func(*testing.T, *redistest.Server) {}},
	{"emptied", func(t *testing.T, s *redistest.Server) { command(t, s, "FLUSHALL") }, func(*testing.T, *redistest.Server) {}},
	{"log trimmed", func(t *testing.T, s *redistest.Server) {
		for _, name := range keys(t, s, ":log") {
			command(t, s, "XTRIM", name, "MAXLEN", "0")
		}
	}, func(*testing.T, *redistest.Server) {}},
}
