package usage

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// shardCount is the number of locks. It is a power of two.
const shardCount = 32

// restMS is how long, in milliseconds, an entry that was moved to the front is not moved
// again. Moving it touches three others, which would be most of the cost of a busy
// token's call.
const restMS = 1000

// recorder counts calls by token and operation. It is safe for concurrent use.
type recorder struct {
	maxTokens, maxUses       int
	maxEntries, maxSummaries int
	now                      func() time.Time
	handles                  handles
	lessons                  lessons
	shards                   [shardCount]shard
	// How many there are in all shards.
	tokens, entries, summaries atomic.Int64

	evicting sync.Mutex // one eviction at a time; taken before any shard's lock

	mu    sync.Mutex // guards the following
	since int64
	cut   cutMS // tokens of which not even a summary is left
}

// shard is the part of the tokens behind one lock.
type shard struct {
	mu        sync.Mutex
	tokens    *simplelru.LRU[tokenKey, *entry]
	summaries *simplelru.LRU[tokenKey, summary] // of tokens that are not in tokens
	_         [64]byte                          // keeps neighboring locks on different cache lines
}

// newRecorder returns an empty recorder.
func newRecorder(options Options) *recorder {
	options = options.withDefaults()
	r := &recorder{maxTokens: options.MaxTokens, maxUses: options.MaxOperations, maxEntries: options.MaxEntries, maxSummaries: options.MaxSummaries, now: options.Now}
	r.since = r.now().UnixMilli()
	for i := range r.shards {
		r.shards[i].tokens = newTable[tokenKey, *entry]()
		r.shards[i].summaries = newTable[tokenKey, summary]()
	}
	return r
}

// shard returns the shard of a token. An id is a hash, so any of its bytes is random.
func (r *recorder) shard(key *tokenKey) *shard { return &r.shards[key[0]&(shardCount-1)] }

// Seen counts a call. It is meant for every request: if the token and its operation are
// known, it takes a few hundred nanoseconds and allocates nothing. It ignores calls
// without an id or an operation, calls of public routes, and calls that were refused
// before the token was looked up.
func (r *recorder) Seen(c Call) {
	kind, key := c.kind(), tokenKey(c.TokenID)
	if kind == nothing || c.Operation == nil || key == (tokenKey{}) {
		return
	}
	at := c.At
	if at.IsZero() {
		at = r.now()
	}
	ms := at.UnixMilli()
	s := r.shard(&key)
	s.mu.Lock()
	e, known := s.tokens.Peek(key)
	if known && ms-e.moved >= restMS {
		s.tokens.Get(key) // moves it to the front
		e.moved = ms
	}
	if !known {
		if e = r.recall(s, key); e == nil {
			e = newEntry(ms)
		}
		e.moved = ms
		s.tokens.Add(key, e)
	}
	more := -e.uses.len()
	e.seen(&r.handles, &c, ms, kind, r.maxUses)
	more += e.uses.len()
	// Counted under the lock, so that an entry is counted before it can be removed.
	if !known {
		r.tokens.Add(1)
	}
	if more != 0 {
		r.entries.Add(int64(more))
	}
	s.mu.Unlock()
	if (!known || more != 0) && r.full() {
		r.evict()
	}
}

// recall takes a summary out and returns it as an entry, or nil. The shard must be locked.
func (r *recorder) recall(s *shard, key tokenKey) *entry {
	old, ok := s.summaries.Peek(key)
	if !ok {
		return nil
	}
	s.summaries.Remove(key)
	r.summaries.Add(-1)
	return old.entry()
}

// full reports whether a limit is exceeded.
func (r *recorder) full() bool {
	return r.tokens.Load() > int64(r.maxTokens) || r.entries.Load() > int64(r.maxEntries)
}

// evict replaces the least recently seen tokens by summaries until the limits are met,
// and drops the oldest summaries.
func (r *recorder) evict() {
	r.evicting.Lock()
	defer r.evicting.Unlock()
	for r.full() {
		oldest := r.oldest(func(s *shard) (int64, bool) {
			_, e, ok := s.tokens.GetOldest()
			if !ok {
				return 0, false
			}
			return e.last, true
		})
		if oldest == nil {
			return // all were removed meanwhile
		}
		at := r.now().UnixMilli()
		oldest.mu.Lock()
		if key, e, ok := oldest.tokens.RemoveOldest(); ok {
			r.tokens.Add(-1)
			r.entries.Add(-int64(e.uses.len()))
			oldest.summaries.Add(key, e.summarize(at))
			r.summaries.Add(1)
		}
		oldest.mu.Unlock()
	}
	for r.summaries.Load() > int64(r.maxSummaries) {
		oldest := r.oldest(func(s *shard) (int64, bool) {
			_, old, ok := s.summaries.GetOldest()
			return old.last, ok
		})
		if oldest == nil {
			return
		}
		oldest.mu.Lock()
		_, old, ok := oldest.summaries.RemoveOldest()
		oldest.mu.Unlock()
		if ok {
			r.summaries.Add(-1)
			r.mu.Lock()
			r.cut.drop(old.calls, old.first, old.last, r.now().UnixMilli())
			r.mu.Unlock()
		}
	}
}

// oldest returns the shard with the smallest age, or nil if none has one.
func (r *recorder) oldest(age func(*shard) (int64, bool)) (oldest *shard) {
	var least int64
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		if at, ok := age(s); ok && (oldest == nil || at < least) {
			oldest, least = s, at
		}
		s.mu.Unlock()
	}
	return oldest
}

// Token returns what is known about one token.
func (r *recorder) Token(id string) (Token, bool) {
	key, ok := keyOf(id)
	if !ok {
		return Token{}, false
	}
	return r.token(key)
}

func (r *recorder) token(key tokenKey) (Token, bool) {
	s := r.shard(&key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.tokens.Peek(key); ok {
		return e.export(key.String()), true
	}
	if old, ok := s.summaries.Peek(key); ok {
		return old.export(key.String()), true
	}
	return Token{}, false
}

// Len returns the number of tokens, without those that were evicted.
func (r *recorder) Len() int { return int(r.tokens.Load()) }

// State returns a copy of everything. Calls continue meanwhile: each token is consistent
// in itself, but tokens are copied at slightly different times.
func (r *recorder) State() State {
	state := State{Tokens: make([]Token, 0, r.Len()+int(r.summaries.Load()))}
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		keys := append(s.tokens.Keys(), s.summaries.Keys()...)
		s.mu.Unlock()
		// One token at a time, so that no call waits for a whole shard.
		for _, key := range keys {
			if t, ok := r.token(key); ok {
				state.Tokens = append(state.Tokens, t)
			}
		}
	}
	sortTokens(state.Tokens)
	state.Lessons = r.lessons.export(false)
	r.mu.Lock()
	state.Since, state.Cut = timeOf(r.since), r.cut.export()
	r.mu.Unlock()
	return state
}

// Drain removes and returns everything. A concurrent call is either in the result or
// counted afterwards.
func (r *recorder) Drain() State {
	var state State
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		taken, old := s.tokens, s.summaries
		s.tokens, s.summaries = newTable[tokenKey, *entry](), newTable[tokenKey, summary]()
		for _, e := range taken.Values() {
			r.tokens.Add(-1)
			r.entries.Add(-int64(e.uses.len()))
		}
		r.summaries.Add(-int64(old.Len()))
		s.mu.Unlock()
		for _, key := range old.Keys() {
			one, _ := old.Peek(key)
			state.Tokens = append(state.Tokens, one.export(key.String()))
		}
		for _, key := range taken.Keys() {
			e, _ := taken.Peek(key)
			state.Tokens = append(state.Tokens, e.export(key.String()))
		}
	}
	sortTokens(state.Tokens)
	state.Lessons = r.lessons.export(true)
	r.mu.Lock()
	state.Since, state.Cut = timeOf(r.since), r.cut.export()
	r.cut = cutMS{}
	r.mu.Unlock()
	return state
}

// Merge adds a state. Counts add up, so a state must be merged only once. If a limit is
// exceeded, the least recently used entries are dropped.
func (r *recorder) Merge(state State) {
	at := r.now().UnixMilli()
	r.mu.Lock()
	if !state.Since.IsZero() {
		r.since = min(r.since, state.Since.UnixMilli())
	}
	r.cut.add(importCut(state.Cut))
	r.mu.Unlock()
	parts := make(map[*shard][]*Token)
	for i := range state.Tokens {
		if key, ok := keyOf(state.Tokens[i].ID); ok {
			s, t := r.shard(&key), &state.Tokens[i]
			parts[s] = append(parts[s], t)
		}
	}
	for s, tokens := range parts {
		r.mergeShard(s, tokens, at)
	}
	r.evict()
	r.lessons.merge(state.Lessons)
}

func (r *recorder) mergeShard(s *shard, tokens []*Token, at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range tokens {
		key, _ := keyOf(t.ID) // checked by Merge
		e, known := s.tokens.Peek(key)
		if !known {
			if e = r.recall(s, key); e == nil {
				e = newEntry(t.First.UnixMilli())
			}
		}
		before := e.uses.len()
		e.merge(t, r.maxUses, at)
		switch {
		case known:
			r.entries.Add(int64(e.uses.len() - before))
		case t.Evicted: // and no gateway has more of it so far
			s.summaries.Add(key, e.summarize(at))
			r.summaries.Add(1)
		default:
			s.tokens.Add(key, e)
			r.tokens.Add(1)
			r.entries.Add(int64(e.uses.len()))
		}
	}
	byAge(s.tokens, func(e *entry) int64 { return e.last })
	byAge(s.summaries, func(old summary) int64 { return old.last })
}
