package store

import (
	"errors"
	"io/fs"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/regularfile"
	"github.com/scopegate/scopegate/internal/testing/redistest"
	"github.com/scopegate/scopegate/internal/tokens"
)

// sent returns how many bytes the server has sent so far.
func sent(t *testing.T, g *gateway) int {
	t.Helper()
	info, err := do(t, g, "INFO", "stats").Text()
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(regexp.MustCompile(`total_net_output_bytes:(\d+)`).FindStringSubmatch(info)[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestHugeValues: no gateway reads a value that is larger than any of its kind, and it is removed.
func TestHugeValues(t *testing.T) {
	t.Parallel()
	id := tokens.IDOf("one")
	// The server copies as much within redis.Patience even where it is busy.
	for name, c := range map[string]struct {
		key  func(g *gateway) string
		read func(t *testing.T, g *gateway)
	}{
		"the news of a list": {func(g *gateway) string { return g.listedKey() }, func(_ *testing.T, g *gateway) { g.Refresh() }},
		"facts": {func(g *gateway) string { return g.names(labelFacts, id[:])[0] }, func(t *testing.T, g *gateway) {
			if g.finds("one") {
				t.Error("they are believed")
			}
		}},
		"facts of a list": {func(g *gateway) string { return g.names(labelFacts, id[:])[0] }, func(t *testing.T, g *gateway) {
			if found, complete := g.FindMany(t.Context(), []tokens.ID{id}); len(found) > 0 || !complete {
				t.Errorf("found %v, complete %t", found, complete)
			}
		}},
		"an owner": {func(g *gateway) string { return g.names(labelOwners, []byte("7"))[0] }, func(t *testing.T, g *gateway) {
			if _, ok := g.findOwner(t.Context(), 7); ok {
				t.Error("it is believed")
			}
		}},
		"usage": {func(g *gateway) string { return g.names(labelBlob, []byte("p/one.json"))[0] }, func(t *testing.T, g *gateway) {
			if _, err := g.blobs(1<<20).Load(t.Context(), "p/one.json"); !errors.Is(err, regularfile.ErrTooLarge) {
				t.Errorf("%v, want that it is too large", err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := join(t, redistest.Start(t), setting{})
			key, before := c.key(g), sent(t, g)
			eventually(t, "it is counted as too large", func() bool {
				// Again, if the machine was too busy to answer in time.
				if err := do(t, g, "SETRANGE", key, "4000000", "x").Err(); err != nil {
					t.Fatal(err)
				}
				c.read(t, g)
				return g.refused.of("too_large") > 0
			})
			if n := sent(t, g) - before; n > 1<<20 {
				t.Errorf("the server sent %d bytes", n)
			}
			if n, err := do(t, g, "EXISTS", key).Int(); err != nil || n != 0 {
				t.Errorf("%d left, %v", n, err)
			}
		})
	}
}

// TestHugeUsage: usage that is too large to read is removed when it is set aside, as forged one is.
func TestHugeUsage(t *testing.T) {
	t.Parallel()
	g := join(t, redistest.Start(t), setting{})
	usage, from := g.blobs(1<<20), "p/one.json"
	if err := do(t, g, "SETRANGE", g.names(labelBlob, []byte(from))[0], "4000000", "x").Err(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // it is removed by the first reading, whoever did that
		if err := usage.Move(t.Context(), from, "p/aside.json"); err != nil {
			t.Error(err)
		}
	}
	if _, err := usage.Load(t.Context(), from); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v, want that it is gone", err)
	}
}

// TestHugeIndex: neither a huge name nor many keep a gateway from listing usage.
func TestHugeIndex(t *testing.T) {
	t.Parallel()
	g := join(t, redistest.Start(t), setting{})
	usage, index := g.blobs(1<<20), g.options.Prefix+"usage"
	if err := usage.Save(t.Context(), "p/one.json", []byte("1")); err != nil {
		t.Fatal(err)
	}
	before := sent(t, g)
	do(t, g, "HSET", index, "garbage", strings.Repeat("x", 4<<20), strings.Repeat("y", 4<<20), "garbage")
	if keys, err := usage.List(t.Context(), "p"); err != nil || len(keys) != 1 {
		t.Errorf("%v, %v", keys, err)
	}
	if n := sent(t, g) - before; n > 1<<20 || g.refused.of("too_large") != 2 {
		t.Errorf("the server sent %d bytes; refused: %v", n, g.refused.kinds)
	}
	words := []string{"HSET", index}
	for i := range maxCalled {
		words = append(words, strconv.Itoa(i), "x")
	}
	do(t, g, words...)
	if keys, err := usage.List(t.Context(), "p"); err != nil || len(keys) != 0 || g.refused.of("corrupt") != 0 {
		t.Errorf("%v, %v, %v", keys, err, g.refused.kinds)
	}
	if err := usage.Save(t.Context(), "p/one.json", []byte("1")); err != nil {
		t.Fatal(err)
	}
	if keys, err := usage.List(t.Context(), "p"); err != nil || len(keys) != 1 {
		t.Errorf("after it was saved again: %v, %v", keys, err)
	}
}

// TestHugeLease: a lease that somebody made huge keeps nobody waiting for long.
func TestHugeLease(t *testing.T) {
	t.Parallel()
	g := join(t, redistest.Start(t), setting{})
	id := tokens.IDOf("one")
	if err := do(t, g, "SETRANGE", g.names(labelLease, id[:])[0], strconv.Itoa(8<<20), "x").Err(); err != nil {
		t.Fatal(err)
	}
	if _, answered, end := g.Begin(t.Context(), id, time.Time{}, true); answered || end == nil {
		t.Error("nobody gets the lease")
	} else {
		end()
	}
}
