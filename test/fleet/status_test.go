package fleet

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fleettest"
)

// TestRoleFromStart: an authority is one before the first edge asks it.
func TestRoleFromStart(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, true)
	for _, test := range []struct {
		name, says string
		setting    fleettest.Setting
	}{
		{"alone", "this gateway is an authority", fleettest.Setting{Answers: true}},
		{"shared", "this gateway is an authority", fleettest.Setting{Answers: true, Redis: r.Redis.Addr, Keys: []string{r.Key}}},
		{"no-authority", "this gateway shares facts", fleettest.Setting{Redis: r.Redis.Addr, Keys: []string{r.Key}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := r.Start(test.name, test.setting)
			if said, code := g.Scopes("fleet"); code != 0 || !strings.Contains(said, test.says) {
				t.Errorf("%d %s", code, said)
			}
			if test.setting.Redis == "" {
				return
			}
			g.Process.Await(t, "its own name", func() bool {
				said, _ := g.Scopes("fleet")
				return strings.Contains(said, "\n"+test.name+" (this one)")
			})
		})
	}
}

// TestFullStore: a store that refuses to write is up, and a problem all the same.
func TestFullStore(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, true)
	g := r.Shared(1, nil)[0]
	g.Process.Await(t, "a healthy fleet", func() bool { _, code := g.Scopes("fleet", "--check"); return code == 0 })
	setMemory(t, r.Redis.Addr, 1)
	g.Process.Await(t, "a check that fails", func() bool {
		said, code := g.Scopes("fleet", "--check")
		return code == 1 && strings.Contains(said, "The store is up") && strings.Contains(said, "the store refuses operations: ") && strings.Contains(said, "OOM")
	})
	setMemory(t, r.Redis.Addr, 0)
	g.Process.Await(t, "a healthy fleet again", func() bool { _, code := g.Scopes("fleet", "--check"); return code == 0 })
}

// setMemory limits the memory of a Redis server, 0 for no limit.
func setMemory(t *testing.T, address string, limit int) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprintf(conn, "CONFIG SET maxmemory %d\r\n", limit)
	if said, err := bufio.NewReader(conn).ReadString('\n'); err != nil || said != "+OK\r\n" {
		t.Fatalf("%q, %v", said, err)
	}
}
