package tokens

import (
	"fmt"
	"testing"
	"time"
	"unsafe"
)

// unknowns returns the size of the negative cache.
func (c *cache) unknowns() (n int) {
	for i := range c.shards {
		n += c.shards[i].unknown.Len()
	}
	return n
}

// state returns what a cache says of an ID.
func (c *cache) state(id ID) string {
	s := c.shard(&id)
	if f, ok := s.known.Peek(id); ok && c.current(&f) {
		return f.info.Comment
	}
	if _, ok := s.unknown.Peek(id); ok {
		return "unknown"
	}
	return ""
}

// TestCacheKeepsTheLaterAnswer covers the orders in which answers may arrive. An answer
// is named by when its look-up started.
func TestCacheKeepsTheLaterAnswer(t *testing.T) {
	t.Parallel()
	id := IDOf(somePAT)
	start := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	who := NewPrincipal(42, "")
	at := func(seconds int) time.Time { return start.Add(time.Duration(seconds) * time.Second) }
	found := func(seconds int, since uint64) func(*cache) {
		return func(c *cache) {
			c.remember(id, &Info{ID: id, Comment: fmt.Sprint("at ", seconds), Owner: who, Creator: who}, at(seconds), since)
		}
	}
	gone := func(seconds int, since uint64) func(*cache) {
		return func(c *cache) { c.rememberUnknown(id, at(seconds), since) }
	}
	list := func(seconds int, since uint64, ids ...ID) func(*cache) {
		return func(c *cache) {
			var infos []*Info
			for _, id := range ids {
				infos = append(infos, &Info{ID: id, Comment: fmt.Sprint("list ", seconds), Owner: who, Creator: who})
			}
			c.replace(infos, at(seconds), since)
		}
	}
	purge := func(c *cache) { c.forget(id) }
	other := func(c *cache) { c.forget(IDOf("another")) }
	created := func(c *cache) { c.forgetUnknown() }
	all := func(c *cache) { c.forgetAll() }
	owner := func(c *cache) { c.forgetOwner(42) }
	strangers := func(c *cache) {
		for i := range int64(2 * maxPurged) {
			c.forgetOwner(1000 + i)
		}
	}
	crowd := func(c *cache) {
		for i := range 100 * maxPurged {
			c.forget(IDOf(fmt.Sprint(i)))
		}
	}
	for _, test := range []struct {
		name  string
		steps []func(*cache)
		want  string
	}{
		{"one", []func(*cache){found(1, 0)}, "at 1"},
		{"a later one", []func(*cache){found(1, 0), found(2, 0)}, "at 2"},
		{"an earlier one that arrives late", []func(*cache){found(2, 0), found(1, 0)}, "at 2"},
		{"gone", []func(*cache){found(1, 0), gone(2, 0)}, "unknown"},
		{"gone before it was found", []func(*cache){found(2, 0), gone(1, 0)}, "at 2"},
		{"found before it was gone", []func(*cache){gone(2, 0), found(1, 0)}, "unknown"},
		{"purged", []func(*cache){found(1, 0), purge}, ""},
		{"look-up started before the purge", []func(*cache){purge, found(1, 0)}, ""},
		{"look-up started after the purge", []func(*cache){purge, found(1, 1)}, "at 1"},
		{"look-up started between two purges", []func(*cache){purge, purge, found(1, 1)}, ""},
		{"gone before the purge", []func(*cache){purge, gone(1, 0)}, ""},
		{"another token purged in the meantime", []func(*cache){other, found(1, 0)}, "at 1"},
		{"purged, and so many others that it was evicted", []func(*cache){purge, crowd, found(1, 0)}, ""},
		{"look-up started after many purges", []func(*cache){purge, crowd, found(1, 100*maxPurged+1)}, "at 1"},
		{"unknown, and then some token was created", []func(*cache){gone(1, 0), created}, ""},
		{"unknown, look-up started before some token was created", []func(*cache){created, gone(1, 0)}, ""},
		{"known, and then some token was created", []func(*cache){found(1, 0), created}, "at 1"},
		{"all forgotten", []func(*cache){found(1, 0), all}, ""},
		{"all forgotten, unknown before", []func(*cache){gone(1, 0), all}, ""},
		{"look-up started before all was forgotten", []func(*cache){all, found(1, 0)}, ""},
		{"look-up started before all was forgotten, and its token was unknown", []func(*cache){all, gone(1, 0)}, ""},
		{"look-up started after all was forgotten", []func(*cache){found(1, 0), all, found(2, 1+shardCount)}, "at 2"},
		{"all forgotten twice, look-up started in between", []func(*cache){all, all, found(1, 1+shardCount)}, ""},
		{"owner forgotten", []func(*cache){found(1, 0), owner}, ""},
		{"look-up started before its owner was forgotten", []func(*cache){owner, found(1, 0)}, ""},
		{"look-up started after its owner was forgotten", []func(*cache){owner, found(1, 1)}, "at 1"},
		{"owner forgotten, and so many others that it was evicted", []func(*cache){owner, strangers, found(1, 0)}, ""},
		{"other owners forgotten", []func(*cache){func(c *cache) { c.forgetOwner(1) }, found(1, 0)}, "at 1"},

		{"listed", []func(*cache){list(1, 0, id)}, "list 1"},
		{"listed later", []func(*cache){found(1, 0), list(2, 0, id)}, "list 2"},
		{"looked up after the list was requested", []func(*cache){found(2, 0), list(1, 0, id)}, "at 2"},
		{"looked up before the list, answered after it", []func(*cache){list(2, 0, id), found(1, 0)}, "list 2"},
		{"gone from the list", []func(*cache){list(1, 0, id), list(2, 0)}, "unknown"},
		{"gone from the list, once listed and since looked up", []func(*cache){list(1, 0, id), found(2, 0), list(3, 0)}, "unknown"},
		{"never listed: looked up again", []func(*cache){found(1, 0), list(2, 0)}, ""},
		{"not yet in the list", []func(*cache){found(2, 0), list(1, 0)}, "at 2"},
		{"unknown, now listed", []func(*cache){gone(1, 0), list(2, 0, id)}, "list 2"},
		{"gone after the list was requested", []func(*cache){gone(2, 0), list(1, 0, id)}, "unknown"},
		{"purged while the list was in progress", []func(*cache){purge, list(1, 0, id)}, ""},
		{"all forgotten while the list was in progress", []func(*cache){all, list(1, 0, id)}, ""},
		{"known, and all forgotten while the list was in progress", []func(*cache){found(1, 0), all, list(2, 0, id)}, ""},
		{"all forgotten, and then listed", []func(*cache){found(1, 0), all, list(2, 1+shardCount, id)}, "list 2"},
		{"owner forgotten while the list was in progress", []func(*cache){owner, list(1, 0, id)}, ""},
		{"listed, changed, and then the earlier list again", []func(*cache){list(1, 0, id), purge, found(2, 1), list(1, 0, id)}, "at 2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCache(100)
			for _, step := range test.steps {
				step(c)
			}
			if got := c.state(id); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestCacheSize(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name           string
		size, min, max int
	}{
		{"one", 1, 1, 100},
		{"a hundred", 100, 100, 300},
		{"ten thousand", 10_000, 10_000, 12_000},
		{"a hundred thousand", 100_000, 100_000, 106_000},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCache(test.size)
			add := func(n int) {
				for i := range n {
					id := IDOf(fmt.Sprint("dapi", i))
					c.remember(id, &Info{ID: id}, time.Time{}, 0)
				}
			}
			add(test.size)
			if got := c.len(); got < test.min {
				t.Errorf("%d tokens did not fit: %d are known", test.size, got)
			}
			add(3 * test.size)
			if got := c.len(); got > test.max {
				t.Errorf("%d tokens are known, want at most %d", got, test.max)
			}
			c.resize(1)
			if got := c.len(); got > 100 {
				t.Errorf("%d tokens are known after a resize to 1", got)
			}
		})
	}
}

// TestCacheListKeepsOrder checks that a list neither makes all tokens look recently used
// nor evicts tokens in use for others.
func TestCacheListKeepsOrder(t *testing.T) {
	t.Parallel()
	c := newCache(1)
	var ids []ID
	for i := 0; len(ids) < c.shards[0].limit+1; i++ {
		if id := IDOf(fmt.Sprint(i)); id[0]%shardCount == 0 {
			ids = append(ids, id)
		}
	}
	stranger, inUse := ids[0], ids[1:]
	for _, id := range inUse {
		c.remember(id, &Info{ID: id}, time.Time{}, 0)
	}
	var list []*Info
	for i := range ids {
		list = append(list, &Info{ID: ids[len(ids)-1-i]})
	}
	c.replace(list, time.Time{}.Add(time.Hour), 0)
	if got := c.state(stranger); got != "" || c.shards[0].known.Contains(stranger) {
		t.Error("an unused token evicted one in use")
	}
	for i, id := range c.shards[0].known.Keys() {
		if id != inUse[i] {
			t.Fatalf("the order changed at %d", i)
		}
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	r := newTestResolver(t, &scripted{answer: found}, newClock())
	for i := range 20 {
		resolveOrFail(t, r, garbage(i))
	}
	seen := make(map[ID]bool)
	for _, id := range r.IDs(100) {
		seen[id] = true
	}
	if len(seen) != 20 || !seen[garbage(7)] || r.Len() != 20 {
		t.Errorf("%d ids, %d known tokens", len(seen), r.Len())
	}
	if got := len(r.IDs(5)); got != 5 {
		t.Errorf("%d ids, the limit is 5", got)
	}
}

func TestInterner(t *testing.T) {
	t.Parallel()
	in := newInterner()
	fresh := func(s ...string) (copies []string) {
		for _, one := range s {
			copies = append(copies, string([]byte(one)))
		}
		return copies
	}
	a, b := in.set(fresh("jobs", "sql")), in.set(fresh("jobs", "sql"))
	if &a[0] != &b[0] {
		t.Error("equal sets are stored twice")
	}
	if c := in.set(fresh("jobs")); unsafe.StringData(c[0]) != unsafe.StringData(a[0]) {
		t.Error("equal texts are stored twice")
	}
	// A separator in a name must not join two sets.
	if one := in.set(fresh("jobs\x00sql")); len(one) != 1 {
		t.Errorf("got %q", one)
	}
	if in.set(nil) != nil || in.set([]string{}) == nil {
		t.Error("nil and empty are the same")
	}
	for i := range 3 * maxInterned {
		in.text(fmt.Sprint(i))
	}
	if got := in.texts.Len(); got > maxInterned {
		t.Errorf("%d texts are held", got)
	}
}
