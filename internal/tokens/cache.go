package tokens

import (
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// shardCount is into how many parts the memory is divided, each with a lock of
	// its own: finding an entry moves it to the front of a list, so that one lock
	// would make all cores queue. A power of two.
	shardCount = 16

	// promoteEvery is how many uses of an entry go by, on average, between two that
	// count against its eviction.
	promoteEvery = 8

	// maxUnknown bounds the negative cache. It has a room of its own, so that no
	// number of invented tokens can push out the facts about real ones.
	maxUnknown = 10_000

	// maxPurged bounds, for each shard, how many ids are remembered as purged.
	maxPurged = 64
)

// fact is one remembered answer. It has no deadline of its own: each reader
// applies its own maximum age, so that two sites with different settings can
// share the cache.
type fact struct {
	info *Info
	at   time.Time
	// listed means that the workspace's list of tokens has held this one. If a
	// later list does not, it was revoked.
	listed bool
}

// cache remembers answers, bounded in number, least recently used out first.
// golang-lru's expirable variant would not do: it has one time to live for all
// entries and a goroutine that cannot be stopped.
//
// An answer is as old as its question. Of two answers the one that was asked for
// later is kept, whichever arrives first, and none is kept that was asked for
// before its token was purged.
type cache struct {
	shards [shardCount]shard
	purges atomic.Uint64 // how many there were: the clock of purges
}

type shard struct {
	// Readers use these alone; golang-lru locks.
	known   *lru.Cache[ID, fact]
	unknown *lru.Cache[ID, time.Time]

	// mu puts changes in order, so that to check and to change is one step.
	mu     sync.Mutex
	limit  int                        // of known
	purged *simplelru.LRU[ID, uint64] // the number of each id's last purge
	floor  uint64                     // the greatest number that purged has lost
	made   uint64                     // the number of the last purge of unknown
}

func newCache(size int) *cache {
	c := new(cache)
	limit := shardLimit(size)
	for i := range c.shards {
		s := &c.shards[i]
		s.limit = limit
		s.known = must(lru.New[ID, fact](limit))
		s.unknown = must(lru.New[ID, time.Time](maxUnknown / shardCount))
		s.purged = must(simplelru.NewLRU(maxPurged, func(_ ID, n uint64) { s.floor = max(s.floor, n) }))
	}
	return c
}

// must is for sizes, which are constants or were checked with the settings.
func must[T any](made T, err error) T {
	if err != nil {
		panic("tokens: " + err.Error())
	}
	return made
}

// shardLimit is one shard's part of a size, and room to spare: hashes do not
// spread evenly, and a crowded shard must not forget tokens while others have
// room. Four standard deviations are enough for all sixteen.
func shardLimit(size int) int {
	share := float64(size) / shardCount
	return max(1, int(math.Ceil(share+4*math.Sqrt(share))))
}

// shard returns the part of the memory that an id belongs to. An id is a hash, so
// any of its bytes will do.
func (c *cache) shard(id *ID) *shard { return &c.shards[id[0]%shardCount] }

// find returns what is known of a token. It tells the list that evicts by of one
// use in a few only: to move an entry to its front takes the lock from all other
// readers and touches three entries more, which at a million tokens is most of
// the cost. Whatever is in use is put in front by its refreshes anyway.
func (s *shard) find(id ID) (fact, bool) {
	if rand.Uint32()%promoteEvery == 0 {
		return s.known.Get(id)
	}
	return s.known.Peek(id)
}

func (c *cache) resize(size int) {
	limit := shardLimit(size)
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		if s.limit != limit {
			s.limit = limit
			s.known.Resize(limit)
		}
		s.mu.Unlock()
	}
}

// len is how many tokens are known.
func (c *cache) len() (n int) {
	for i := range c.shards {
		n += c.shards[i].known.Len()
	}
	return n
}

// since marks a moment before a question is asked, for [cache.remember].
func (c *cache) since() uint64 { return c.purges.Load() }

// remember keeps an answer that was asked for at a time and, in the count of
// purges, since a moment. It reports whether the answer was still worth keeping.
func (c *cache) remember(id ID, info *Info, at time.Time, since uint64) bool {
	s := c.shard(&id)
	s.mu.Lock()
	defer s.mu.Unlock()
	old, known := s.known.Peek(id)
	if known && old.at.After(at) || s.outdated(id, at, since) {
		return false
	}
	s.unknown.Remove(id)
	s.known.Add(id, fact{info: info, at: at, listed: old.listed})
	return true
}

// rememberUnknown is remember for the answer that there is no such token.
func (c *cache) rememberUnknown(id ID, at time.Time, since uint64) bool {
	s := c.shard(&id)
	s.mu.Lock()
	defer s.mu.Unlock()
	old, known := s.known.Peek(id)
	if known && old.at.After(at) || s.made > since || s.outdated(id, at, since) {
		return false
	}
	s.known.Remove(id)
	s.unknown.Add(id, at)
	return true
}

// outdated reports whether an answer has been overtaken by a purge or by a later
// answer that there is no such token.
func (s *shard) outdated(id ID, at time.Time, since uint64) bool {
	last, ok := s.purged.Peek(id)
	if !ok {
		last = s.floor
	}
	if last > since {
		return true
	}
	gone, ok := s.unknown.Peek(id)
	return ok && gone.After(at)
}

// forget drops what is known about a token, and answers under way with it.
func (c *cache) forget(id ID) bool {
	s := c.shard(&id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.purged.Add(id, c.purges.Add(1))
	unknown := s.unknown.Remove(id)
	return s.known.Remove(id) || unknown
}

// forgetUnknown drops what is known of ids that there are no tokens for, and such
// answers under way.
func (c *cache) forgetUnknown() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.made = c.purges.Add(1)
		s.unknown.Purge()
		s.mu.Unlock()
	}
}

// replace brings everything in line with a list of all tokens, as far as nothing
// newer is known. Listed tokens that were not known are added while there is room;
// known ones are not made to look recently used. A token that an earlier list had
// is unknown from now on; one that only a look-up found is forgotten, so that the
// next request asks: the list may have been made before it.
func (c *cache) replace(list []*Info, at time.Time, since uint64) {
	var parts [shardCount]map[ID]*Info
	for i := range parts {
		parts[i] = make(map[ID]*Info, len(list)/shardCount)
	}
	for _, info := range list {
		parts[info.ID[0]%shardCount][info.ID] = info
	}
	for i := range c.shards {
		c.shards[i].replace(parts[i], at, since)
	}
}

func (s *shard) replace(list map[ID]*Info, at time.Time, since uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.known.Keys() // oldest first
	for id, info := range list {
		if s.known.Len() >= s.limit {
			break
		}
		if s.known.Contains(id) || s.outdated(id, at, since) {
			continue
		}
		s.unknown.Remove(id)
		s.known.Add(id, fact{info: info, at: at, listed: true})
	}
	for _, id := range known {
		old, ok := s.known.Peek(id)
		info, listed := list[id]
		switch {
		case !ok:
		case old.at.After(at) || s.outdated(id, at, since):
			s.known.Add(id, old) // keeps its place among the others
		case listed:
			s.known.Add(id, fact{info: info, at: at, listed: true})
		default:
			s.known.Remove(id)
			if old.listed {
				s.unknown.Add(id, at)
			}
		}
	}
}
