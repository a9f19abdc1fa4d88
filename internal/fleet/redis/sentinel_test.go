package redis

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/redistest"
)

// startSentinel starts a Sentinel for the master at address, with more lines of its
// configuration, and returns its address.
func startSentinel(t *testing.T, address string, lines ...string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	host, masterPort, _ := net.SplitHostPort(address)
	dir := t.TempDir()
	config := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\nlogfile %s\n"+
		"sentinel monitor main %s %s 1\nsentinel down-after-milliseconds main 1000\n"+
		"sentinel failover-timeout main 5000\n", port, dir, filepath.Join(dir, "log"), host, masterPort)
	for _, line := range lines {
		config += line + "\n"
	}
	file := filepath.Join(dir, "sentinel.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("redis-server", file, "--sentinel")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	sentinel := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	eventually(t, "the Sentinel", func() bool {
		conn, err := net.DialTimeout("tcp", sentinel, time.Second)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
	return sentinel
}

func startReplica(t *testing.T, master string, args ...string) *redistest.Server {
	t.Helper()
	host, port, _ := net.SplitHostPort(master)
	return redistest.Start(t, append([]string{"--replicaof", host + " " + port, "--repl-diskless-sync-delay", "0"}, args...)...)
}

func TestSentinelFailover(t *testing.T) {
	for _, fault := range []struct {
		name string
		end  func(*redistest.Server)
	}{
		{"killed", (*redistest.Server).Kill},
		{"hung", (*redistest.Server).Pause},
	} {
		t.Run(fault.name, func(t *testing.T) {
			master := redistest.Start(t, "--repl-diskless-sync-delay", "0")
			replica := startReplica(t, master.Addr)
			direct := open(t, Options{Addresses: []string{replica.Addr}})
			waitReason(t, direct, errReplica.Error())
			sentinel := startSentinel(t, master.Addr)
			c := open(t, Options{Addresses: []string{"127.0.0.1:1", sentinel}, Sentinel: "main"})
			waitSet(t, c)
			_, port, _ := net.SplitHostPort(sentinel)
			eventually(t, "the Sentinel knows of the replica", func() bool {
				out, _ := exec.Command("redis-cli", "-p", port, "sentinel", "replicas", "main").Output()
				return strings.Contains(string(out), "master-link-status\nok")
			})
			fault.end(master)
			waitDown(t, c)
			waitSet(t, c)
			waitSet(t, direct) // it is the master now
		})
	}
}

// Sentinels that want the password get it.
func TestSentinelPassword(t *testing.T) {
	master := redistest.Start(t, "--requirepass", "secret")
	for name, lines := range map[string][]string{
		"open":   {"sentinel auth-pass main secret"},
		"closed": {"sentinel auth-pass main secret", "requirepass secret"},
	} {
		t.Run(name, func(t *testing.T) {
			sentinel := startSentinel(t, master.Addr, lines...)
			waitSet(t, open(t, Options{
				Addresses: []string{sentinel}, Sentinel: "main",
				Password: func() (string, error) { return "secret", nil },
			}))
		})
	}
}

// A master that becomes a replica is left, and used again when it is the master.
func TestDemoted(t *testing.T) {
	server := redistest.Start(t)
	c := open(t, Options{Addresses: []string{server.Addr}})
	waitSet(t, c)
	replicaOf := func(args ...string) {
		t.Helper()
		_, port, _ := net.SplitHostPort(server.Addr)
		if out, err := exec.Command("redis-cli", append([]string{"-p", port, "replicaof"}, args...)...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	replicaOf("127.0.0.1", "1")
	if results, err := set(c, "k", "v"); err == nil && kind(results[0].Err()) != "READONLY" {
		t.Errorf("a replica took a write")
	}
	waitReason(t, c, errReplica.Error())
	replicaOf("no", "one")
	waitSet(t, c)
}

// TestSentinelRenames: a master that the Sentinel no longer names is left, although it answers.
func TestSentinelRenames(t *testing.T) {
	t.Parallel()
	before, after := redistest.Start(t), redistest.Start(t)
	sentinel := startSentinel(t, before.Addr)
	logs := newLogs()
	c := open(t, Options{Addresses: []string{sentinel}, Sentinel: "main", Logger: logs.logger})
	waitSet(t, c)
	tell := func(words ...string) {
		t.Helper()
		_, port, _ := net.SplitHostPort(sentinel)
		if out, err := exec.Command("redis-cli", append([]string{"-p", port, "sentinel"}, words...)...).CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "OK") {
			t.Fatalf("%v: %s", err, out)
		}
	}
	host, port, _ := net.SplitHostPort(after.Addr)
	tell("remove", "main")
	tell("monitor", "main", host, port, "1")
	eventually(t, "the other master", func() bool { s := c.current(); return s != nil && s.address == after.Addr })
	waitSet(t, c)
	if text := logs.text(); !strings.Contains(text, "Sentinel names another master: "+after.Addr) {
		t.Errorf("logged %s", text)
	}
}

// TestSentinelUnknown: the reason names each Sentinel and what it says.
func TestSentinelUnknown(t *testing.T) {
	t.Parallel()
	sentinel := startSentinel(t, redistest.Start(t).Addr)
	c := open(t, Options{Addresses: []string{"127.0.0.1:1", sentinel}, Sentinel: "other"})
	text := waitReason(t, c, "no Sentinel tells where the master other is: ")
	if !strings.Contains(text, "127.0.0.1:1: ") || !strings.Contains(text, sentinel+": Sentinel knows no master of this name") {
		t.Errorf("the reason is %s", text)
	}
}
