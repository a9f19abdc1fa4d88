package edge

import (
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/fleet"
)

// TestCloseLeavesNothing counts goroutines, so no other test may run beside it.
func TestCloseLeavesNothing(t *testing.T) { //nolint:paralleltest // see above
	for name, routes := range map[string]map[string]http.HandlerFunc{
		"subscribed":           streams(newFeed(begin(at(5)))),
		"waiting for an ack":   {"GET changes": newFeed(begin(at(5))).serve, "POST acks": hangs},
		"waiting for a stream": {"GET changes": hangs},
		"waiting to try again": nil,
		"reporting":            {"GET changes": hangs, "POST changes": hangs},
	} {
		t.Run(name, func(t *testing.T) {
			authority := newScript(t, routes)
			g := newGateway(t, []*script{authority})
			g.Start()
			waitFor(t, "a subscription", func() bool { return len(authority.requests("GET changes")) > 0 })
			switch name {
			case "reporting":
				g.Tell(fleet.Change{Kind: fleet.Doubted})
				waitFor(t, "a report", func() bool { return len(authority.requests("POST changes")) > 0 })
			case "waiting for an ack":
				waitFor(t, "an ack", func() bool { return len(authority.requests("POST acks")) > 0 })
			}
			if ours() == "" {
				t.Fatal("no goroutine was found that is not to be left")
			}
			began := time.Now()
			g.Close()
			if took := time.Since(began); took > lastChance+patience/2 {
				t.Errorf("it took %s", took)
			}
			if left := ours(); left != "" {
				t.Errorf("goroutines are left:\n%s", left)
			}
			g.Close() // again does no harm
			g.Start() // too late
			if left := ours(); left != "" {
				t.Errorf("it began again:\n%s", left)
			}
		})
	}
}

// ours are the stacks of goroutines that a client started.
func ours() string {
	stacks := make([]byte, 4<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	var found []string
	for _, stack := range strings.Split(string(stacks), "\n\n") {
		if strings.Contains(stack, "internal/fleet/edge.(*Client)") || strings.Contains(stack, "internal/fleet/edge.(*acks)") {
			found = append(found, stack)
		}
	}
	return strings.Join(found, "\n\n")
}

func TestCloseBeforeStart(t *testing.T) {
	t.Parallel()
	authority := newScript(t, nil)
	g := newGateway(t, []*script{authority})
	g.Close()
	if _, err := g.lookup(someToken); err == nil {
		t.Error("no error")
	}
	if got := len(authority.requests("GET changes")); got != 0 {
		t.Errorf("it subscribed %d times", got)
	}
}
