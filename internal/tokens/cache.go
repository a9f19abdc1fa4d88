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
	// shardCount is the number of shards, each with its own lock: a read moves its
	// entry to the front of a list, so with one lock all cores would queue. A power of
	// two.
	shardCount = 16

	// promoteEvery is how many reads of an entry, on average, cause one move to the
	// front.
	promoteEvery = 8

	// maxUnknown bounds the negative cache. It is separate, so that no number of
	// invented tokens can evict facts about real ones.
	maxUnknown = 10_000

	// maxPurged bounds the number of purged IDs that each shard remembers, and of purged
	// owners.
	maxPurged = 64
)

// fact is one cached answer. It has no deadline: each reader applies its own maximum
// age, so that two sites with different settings can share the cache.
type fact struct {
	info  *Info
	at    time.Time
	since uint64 // the same on the clock of purges
	// listed means that the list of all tokens once contained this one. If a later list
	// does not, the token was revoked.
	listed bool
	origin origin
}

// origin says whom an answer came from.
type origin uint8

const (
	// fromWorkspace: it was asked for when the look-up says so, at the end of the way.
	fromWorkspace origin = iota
	// fromRelay: the service passed on what it had been told earlier.
	fromRelay
	// fromFleet: another gateway shared it.
	fromFleet
)

// cache is a bounded LRU cache of answers. golang-lru's expirable variant does not fit:
// it has one TTL for all entries and a goroutine that cannot be stopped.
//
// An answer is as old as its look-up. Of two answers the cache keeps the one whose
// look-up started later, whichever arrives first, and none whose look-up started before
// its token, its token's owner or everything was purged.
type cache struct {
	shards [shardCount]shard
	purges atomic.Uint64 // a logical clock: the number of purges so far

	// forgotten is when everything was last purged. Facts from before stay where they
	// are, so that their tokens keep the look-ups reserved for known ones; no reader
	// takes them.
	forgotten atomic.Uint64
	// doubted is when all facts were last doubted: those from before are to be asked for
	// again, and serve only while they are young and there is no turn, see [doubtGrace].
	doubted atomic.Uint64

	ownersMu sync.Mutex
	owners   *simplelru.LRU[int64, uint64] // when each owner was last purged
	// ownersFloor is the latest purge that owners has evicted, ownersLast the latest.
	ownersFloor, ownersLast uint64
}

type shard struct {
	// Readers use only these; golang-lru locks them.
	known   *lru.Cache[ID, fact]
	unknown *lru.Cache[ID, time.Time]

	// mu is held by writers, which check and change in one step.
	mu            sync.Mutex
	limit         int                        // of known
	purged        *simplelru.LRU[ID, uint64] // when each ID was last purged
	purgedFloor   uint64                     // the latest purge that purged has evicted
	unknownPurged uint64                     // when unknown was last purged
}

func newCache(size int) *cache {
	c := new(cache)
	c.owners = must(simplelru.NewLRU(maxPurged, func(_ int64, n uint64) { c.ownersFloor = max(c.ownersFloor, n) }))
	limit := shardLimit(size)
	for i := range c.shards {
		s := &c.shards[i]
		s.limit = limit
		s.known = must(lru.New[ID, fact](limit))
		s.unknown = must(lru.New[ID, time.Time](maxUnknown / shardCount))
		s.purged = must(simplelru.NewLRU(maxPurged, func(_ ID, n uint64) { s.purgedFloor = max(s.purgedFloor, n) }))
	}
	return c
}

// must is for constructors that fail only for invalid sizes, which are constants or
// were validated with the settings.
func must[T any](value T, err error) T {
	if err != nil {
		panic("tokens: " + err.Error())
	}
	return value
}

// shardLimit is one shard's part of a size, plus spare room: hashes do not spread
// evenly, and a full shard must not evict tokens while others have room. Four standard
// deviations are enough for all sixteen.
func shardLimit(size int) int {
	share := float64(size) / shardCount
	return max(1, int(math.Ceil(share+4*math.Sqrt(share))))
}

// shard returns the shard of an ID, which is a hash, so any of its bytes will do.
func (c *cache) shard(id *ID) *shard { return &c.shards[id[0]%shardCount] }

// find returns what is known of a token. It may be forgotten, see [cache.current]. It
// moves the entry to the front of the LRU
// list only once in a few reads, because that blocks all other readers and touches
// three more entries, which at a million tokens is most of the cost. Refreshes move
// every token in use to the front anyway.
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

// len returns the number of known tokens.
func (c *cache) len() (n int) {
	for i := range c.shards {
		n += c.shards[i].known.Len()
	}
	return n
}

// since returns the time on the clock of purges. Call it before a look-up, for
// [cache.remember].
func (c *cache) since() uint64 { return c.purges.Load() }

// remember stores the answer to a look-up that started at a time and, on the clock of
// purges, at since. It reports whether it did, and whether the answer differs from what was
// known in what decisions depend on.
func (c *cache) remember(id ID, info *Info, at time.Time, since uint64) (stored, changed bool) {
	return c.rememberFact(id, fact{info: info, at: at, since: since})
}

// rememberFact is remember for facts from elsewhere.
func (c *cache) rememberFact(id ID, f fact) (stored, changed bool) {
	s := c.shard(&id)
	s.mu.Lock()
	defer s.mu.Unlock()
	old, known := s.known.Peek(id)
	if known && old.at.After(f.at) || s.outdated(id, f.at, f.since) || c.ownerChanged(f.info, f.since) {
		return false, false
	}
	changed = s.unknown.Remove(id) || known && differs(old.info, f.info)
	f.listed = f.listed || old.listed
	s.known.Add(id, f)
	return true, changed
}

// rememberUnknown is remember for the answer that there is no such token.
func (c *cache) rememberUnknown(id ID, at time.Time, since uint64) (stored, changed bool) {
	s := c.shard(&id)
	s.mu.Lock()
	defer s.mu.Unlock()
	old, known := s.known.Peek(id)
	if known && old.at.After(at) || s.unknownPurged > since || s.outdated(id, at, since) {
		return false, false
	}
	changed = s.known.Remove(id)
	s.unknown.Add(id, at)
	return true, changed
}

// current reports whether facts have not been forgotten together with all others.
func (c *cache) current(f *fact) bool { return f.since >= c.forgotten.Load() }

// doubts reports whether facts were doubted together with all others.
func (c *cache) doubts(f *fact) bool { return f.since < c.doubted.Load() }

// overtaken reports whether something was purged or doubted after the look-up that found
// facts started, so that it may have been changed before that ended.
func (c *cache) overtaken(f *fact) bool {
	s := c.shard(&f.info.ID)
	s.mu.Lock()
	defer s.mu.Unlock()
	return !c.current(f) || c.doubts(f) || s.purgedSince(f.info.ID, f.since) || c.ownerChanged(f.info, f.since)
}

// gone reports whether a later answer than that of facts was that there is no such token.
func (c *cache) gone(f *fact) bool {
	at, ok := c.shard(&f.info.ID).unknown.Peek(f.info.ID)
	return ok && at.After(f.at)
}

// ownerChanged reports whether the owner or creator of a token was purged after a time.
func (c *cache) ownerChanged(info *Info, since uint64) bool {
	c.ownersMu.Lock()
	defer c.ownersMu.Unlock()
	if c.ownersLast <= since {
		return false
	}
	for _, p := range []Principal{info.Owner, info.Creator} {
		id, known := p.ID()
		last, purged := c.owners.Peek(id)
		if !known || purged && last > since || !purged && c.ownersFloor > since {
			return true
		}
	}
	return false
}

// outdated reports whether an answer was overtaken by a purge or by a later answer that
// there is no such token.
func (s *shard) outdated(id ID, at time.Time, since uint64) bool {
	if s.purgedSince(id, since) {
		return true
	}
	gone, ok := s.unknown.Peek(id)
	return ok && gone.After(at)
}

// purgedSince reports whether a token was purged after a moment on the clock of purges.
func (s *shard) purgedSince(id ID, since uint64) bool {
	last, ok := s.purged.Peek(id)
	if !ok {
		last = s.purgedFloor
	}
	return last > since
}

// forget drops what is known about a token, and the answers of look-ups in progress. It
// reports whether anything was known.
func (c *cache) forget(id ID) bool {
	s := c.shard(&id)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.purged.Add(id, c.purges.Add(1))
	unknown := s.unknown.Remove(id)
	return s.known.Remove(id) || unknown
}

// forgetUnknown empties the negative cache, and drops such answers of look-ups in
// progress.
func (c *cache) forgetUnknown() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.unknownPurged = c.purges.Add(1)
		s.unknown.Purge()
		s.mu.Unlock()
	}
}

// forgetOwner is forget for all tokens of an owner or creator, and for those of which
// neither is known.
func (c *cache) forgetOwner(owner int64) {
	c.ownersMu.Lock()
	c.ownersLast = c.purges.Add(1)
	c.owners.Add(owner, c.ownersLast)
	c.ownersMu.Unlock()
	concerns := func(p Principal) bool {
		id, known := p.ID()
		return !known || id == owner
	}
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		for _, id := range s.known.Keys() {
			if f, ok := s.known.Peek(id); ok && (concerns(f.info.Owner) || concerns(f.info.Creator)) {
				s.known.Remove(id)
			}
		}
		s.mu.Unlock()
	}
}

// forgetAll is forget for all tokens. It takes no time, however many there are.
func (c *cache) forgetAll() {
	c.ownersMu.Lock() // so that the clock and this do not part
	c.forgotten.Store(c.purges.Add(1))
	c.ownersMu.Unlock()
	c.forgetUnknown()
}

// doubtAll doubts the facts about all tokens. It takes no time, however many there are.
func (c *cache) doubtAll() {
	c.ownersMu.Lock()
	c.doubted.Store(c.purges.Add(1))
	c.ownersMu.Unlock()
	c.forgetUnknown()
}

// replace updates the cache from a list of all tokens, except where something newer is
// known. It adds listed tokens while there is room, and keeps the order of eviction. A
// token that is missing but that an earlier list had becomes unknown. One that only a
// look-up found is forgotten, so that the next request asks: the list may be older than
// the token.
//
// What was asked for before everything was forgotten is kept as well: requests that
// arrived before that may be judged by it, see [Resolver.resolve].
//
// It returns the answers that differ from what was known in what decisions depend on.
func (c *cache) replace(list []*Info, at time.Time, since uint64) (changed []Answer) {
	var parts [shardCount]map[ID]*Info
	for i := range parts {
		parts[i] = make(map[ID]*Info, len(list)/shardCount)
	}
	for _, info := range list {
		parts[info.ID[0]%shardCount][info.ID] = info
	}
	for i := range c.shards {
		changed = append(changed, c.shards[i].replace(c, parts[i], at, since)...)
	}
	return changed
}

func (s *shard) replace(c *cache, list map[ID]*Info, at time.Time, since uint64) (changed []Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.known.Keys() // oldest first
	for id, info := range list {
		if s.known.Len() >= s.limit {
			break
		}
		if s.known.Contains(id) || s.outdated(id, at, since) || c.ownerChanged(info, since) {
			continue
		}
		if s.unknown.Remove(id) {
			changed = append(changed, Answer{ID: id, Info: info, At: at, Changed: true})
		}
		s.known.Add(id, fact{info: info, at: at, since: since, listed: true})
	}
	for _, id := range known {
		old, ok := s.known.Peek(id)
		info, listed := list[id]
		switch {
		case !ok:
		case old.at.After(at) || s.outdated(id, at, since) || listed && c.ownerChanged(info, since):
			s.known.Add(id, old) // to keep its place in the order
		case listed:
			if differs(old.info, info) {
				changed = append(changed, Answer{ID: id, Info: info, At: at, Changed: true})
			}
			s.known.Add(id, fact{info: info, at: at, since: since, listed: true})
		default:
			s.known.Remove(id)
			if old.listed {
				s.unknown.Add(id, at)
				changed = append(changed, Answer{ID: id, At: at, Changed: true})
			}
		}
	}
	return changed
}
