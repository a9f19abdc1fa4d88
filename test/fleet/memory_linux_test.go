package fleet

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fleettest"
)

// TestEdgesHoldNoCredential looks for the admin token in everything that an edge has: its
// memory, its environment and its configuration. In an authority it is found.
func TestEdgesHoldNoCredential(t *testing.T) {
	t.Parallel()
	r := fleettest.New(t, false)
	authority := r.Start("authority", fleettest.Setting{Answers: true})
	edge := r.Edges(1, nil, authority)[0]
	mustPass(t, r.Mint().Value, edge)
	secret := []byte(r.Workspace.AdminToken())
	found, err := holds(authority.Process.PID(), secret)
	if err != nil {
		t.Skipf("skipped: the memory of a process cannot be read: %v", err)
	}
	if !found {
		t.Error("an authority without its admin token: this test sees nothing")
	}
	if found, err := holds(edge.Process.PID(), secret); err != nil || found {
		t.Errorf("the edge holds the admin token (%t), %v", found, err)
	}
	_, configuration := edge.Control("GET", "/config/")
	for _, word := range []string{string(secret), r.AdminToken, r.Key} {
		if strings.Contains(configuration, word) {
			t.Errorf("the configuration of the edge names %q", word)
		}
	}
}

// holds reports whether a process has some bytes in its memory or its environment.
func holds(pid int, secret []byte) (bool, error) {
	environment, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil || bytes.Contains(environment, secret) {
		return err == nil, err
	}
	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return false, err
	}
	defer maps.Close()
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return false, err
	}
	defer memory.Close()
	read := 0
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(mode, "rw") {
			continue
		}
		const block = 1 << 20
		buffer := make([]byte, block+len(secret))
		for at := from; at < to; at += block {
			n, _ := memory.ReadAt(buffer[:min(int64(len(buffer)), to-at)], at) // parts may not be there
			read += n
			if bytes.Contains(buffer[:n], secret) {
				return true, nil
			}
		}
	}
	if read == 0 {
		return false, fmt.Errorf("nothing of process %d could be read", pid)
	}
	return false, nil
}
