package tokens

import (
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
)

// maxUnknown bounds the negative cache. It has a room of its own, so that no
// number of invented tokens can push out the facts about real ones.
const maxUnknown = 10_000

// Facts are what is known about a token, since when, and from where.
type Facts struct {
	Info   *Info
	At     time.Time // when the workspace said so
	Source Source
}

// Source says how facts came to a request.
type Source string

const (
	FromCache  Source = "cache"
	FromLookup Source = "lookup"
	// FromStale means facts past their ttl, used because the workspace could not
	// be asked.
	FromStale Source = "stale"
)

// fact is one remembered answer. It has no deadline of its own: each reader
// applies its own maximum age, so that two sites with different settings can
// share the cache.
type fact struct {
	info *Info
	at   time.Time
}

// cache remembers answers, bounded in number, least recently used out first.
// golang-lru's expirable variant would not do: it has one time to live for all
// entries and a goroutine that cannot be stopped.
type cache struct {
	known   *lru.Cache[ID, fact]
	unknown *lru.Cache[ID, time.Time]
}

func newCache(size int) *cache {
	known, err := lru.New[ID, fact](size)
	if err != nil {
		panic("tokens: " + err.Error()) // sizes are checked by Settings
	}
	unknown, err := lru.New[ID, time.Time](maxUnknown)
	if err != nil {
		panic("tokens: " + err.Error())
	}
	return &cache{known: known, unknown: unknown}
}

func (c *cache) remember(id ID, info *Info, at time.Time) {
	c.unknown.Remove(id)
	c.known.Add(id, fact{info: info, at: at})
}

func (c *cache) rememberUnknown(id ID, at time.Time) {
	c.known.Remove(id)
	c.unknown.Add(id, at)
}

func (c *cache) forget(id ID) bool {
	unknown := c.unknown.Remove(id)
	return c.known.Remove(id) || unknown
}
