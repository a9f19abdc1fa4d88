package store

import (
	"strconv"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/redistest"
)

// TestForgedMembers: whatever somebody writes among the members, the list and their number are
// those of the gateways, and what is no member is removed.
func TestForgedMembers(t *testing.T) {
	t.Parallel()
	garbage := func(n int) func(t *testing.T, g *gateway) {
		return func(t *testing.T, g *gateway) {
			words := []string{"HSET", g.membersKey()}
			for i := range n {
				words = append(words, "garbage"+strconv.Itoa(i), "x")
			}
			if err := do(t, g, words...).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		forge func(t *testing.T, g *gateway)
		kind  string
	}{
		"one":                     {garbage(1), "corrupt"},
		"a few hundred":           {garbage(300), "corrupt"},
		"as many as are read":     {garbage(maxMembers - 2), "corrupt"},
		"more than are ever read": {garbage(12_000), "too_large"},
		"a huge one": {func(t *testing.T, g *gateway) {
			do(t, g, "HSET", g.membersKey(), "garbage", strings.Repeat("x", maxMember+1))
		}, "too_large"},
		"a huge id": {func(t *testing.T, g *gateway) {
			do(t, g, "HSET", g.membersKey(), strings.Repeat("x", maxMember+1), "garbage")
		}, "too_large"},
		"one copied to another id": {func(t *testing.T, g *gateway) {
			do(t, g, "EVAL", `return redis.call('HSET', KEYS[1], 'garbage', redis.call('HGET', KEYS[1], ARGV[1]))`, "1", g.membersKey(), g.id)
		}, "corrupt"},
		"a string instead": {func(t *testing.T, g *gateway) { do(t, g, "SET", g.membersKey(), "x") }, "corrupt"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			a, b := join(t, server, setting{}), join(t, server, setting{})
			two := func() bool { a.Refresh(); return len(a.Members()) == 2 }
			eventually(t, "both are listed", func() bool { b.Refresh(); return two() })
			c.forge(t, a)
			a.beatOnce(false) // as most are
			if n := a.believed(); n > 4 {
				t.Errorf("after a beat it believes in %d members", n)
			}
			a.Refresh()
			if len(a.Members()) == 0 {
				t.Error("nobody is listed")
			}
			if n := a.believed(); n > 4 {
				t.Errorf("it believes in %d members", n)
			}
			eventually(t, "both are listed again, and nobody else", func() bool {
				fields, err := do(t, a, "HLEN", a.membersKey()).Int()
				return two() && err == nil && fields == 2 && a.believed() == 2
			})
			if a.refused.of(c.kind)+b.refused.of(c.kind) == 0 {
				t.Errorf("it is not counted as %s: %v", c.kind, a.refused.kinds)
			}
		})
	}
}

// believed returns in how many members the gateway believes.
func (g *gateway) believed() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.count
}
