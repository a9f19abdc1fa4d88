package usage

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// shardCount divides the lock. It is a power of two.
const shardCount = 32

// restMS is how long, in milliseconds, an entry keeps its place in the order of
// use after it was moved to the front. To move it touches three others, which is
// most of what a call of a busy token would cost.
const restMS = 1000

// recorder counts calls by token and operation. It is safe for concurrent use.
type recorder struct {
	maxTokens, maxUses int
	maxEntries         int
	now                func() time.Time
	handles            handles
	shards             [shardCount]shard
	tokens, entries    atomic.Int64 // in all shards

	evicting sync.Mutex // one eviction at a time; taken before any shard's lock

	mu    sync.Mutex // guards the following
	since int64
	cut   cutMS
}

// shard is a part of the tokens under one lock.
type shard struct {
	mu     sync.Mutex
	tokens *simplelru.LRU[tokenKey, *entry]
	_      [64]byte // keeps the locks of neighbours on different cache lines
}

// newRecorder returns an empty recorder.
func newRecorder(options Options) *recorder {
	options = options.withDefaults()
	r := &recorder{maxTokens: options.MaxTokens, maxUses: options.MaxOperations, maxEntries: options.MaxEntries, now: options.Now}
	r.since = r.now().UnixMilli()
	for i := range r.shards {
		r.shards[i].tokens = newTable[tokenKey, *entry]()
	}
	return r
}

// shard returns the part that a token belongs to. An id is a hash, so any of its
// bytes will do.
func (r *recorder) shard(key *tokenKey) *shard { return &r.shards[key[0]&(shardCount-1)] }

// Seen counts a call. It is meant for every request: a known token that calls a
// known operation costs a few hundred nanoseconds and allocates nothing.
//
// Calls that say nothing about a token of this workspace are passed over: those
// without an id or an operation, those on public routes, and those refused before
// the token was looked up.
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
		s.tokens.Get(key) // puts it before all others
		e.moved = ms
	}
	if !known {
		e = newEntry(ms)
		s.tokens.Add(key, e)
	}
	more := -e.uses.Len()
	e.seen(&r.handles, &c, ms, kind, r.maxUses)
	more += e.uses.Len()
	// Counted under the lock: whoever takes an entry out must find it counted.
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

// full reports whether there is more than there may be.
func (r *recorder) full() bool {
	return r.tokens.Load() > int64(r.maxTokens) || r.entries.Load() > int64(r.maxEntries)
}

// evict leaves out the tokens that were not seen for longest, until the caps are
// met.
func (r *recorder) evict() {
	r.evicting.Lock()
	defer r.evicting.Unlock()
	for r.full() {
		var oldest *shard
		var age int64
		for i := range r.shards {
			s := &r.shards[i]
			s.mu.Lock()
			if _, e, ok := s.tokens.GetOldest(); ok && (oldest == nil || e.last < age) {
				oldest, age = s, e.last
			}
			s.mu.Unlock()
		}
		if oldest == nil {
			return // all were forgotten meanwhile
		}
		oldest.mu.Lock()
		_, e, ok := oldest.tokens.RemoveOldest()
		if ok {
			r.tokens.Add(-1)
			r.entries.Add(-int64(e.uses.Len()))
		}
		oldest.mu.Unlock()
		if !ok {
			continue // forgotten meanwhile
		}
		r.mu.Lock()
		r.cut.count(e.calls, r.now().UnixMilli())
		r.mu.Unlock()
	}
}

// Token returns what is known of one token.
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
	e, ok := s.tokens.Peek(key)
	if !ok {
		return Token{}, false
	}
	return e.export(key.String()), true
}

// Len returns the number of tokens.
func (r *recorder) Len() int { return int(r.tokens.Load()) }

// State returns a copy of all that is known. Calls go on meanwhile: each token is
// consistent in itself, and the tokens are as of slightly different moments.
func (r *recorder) State() State {
	state := State{Tokens: make([]Token, 0, r.Len())}
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		keys := s.tokens.Keys()
		s.mu.Unlock()
		// One token at a time, so that no call waits for a whole shard.
		for _, key := range keys {
			if t, ok := r.token(key); ok {
				state.Tokens = append(state.Tokens, t)
			}
		}
	}
	sortTokens(state.Tokens)
	r.mu.Lock()
	state.Since, state.Cut = timeOf(r.since), r.cut.export()
	r.mu.Unlock()
	return state
}

// Drain takes out all that is known and returns it, so that it can be added to what
// is kept elsewhere. Each call is either in what was taken or counted anew.
func (r *recorder) Drain() State {
	var state State
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		taken := s.tokens
		s.tokens = newTable[tokenKey, *entry]()
		for _, e := range taken.Values() {
			r.tokens.Add(-1)
			r.entries.Add(-int64(e.uses.Len()))
		}
		s.mu.Unlock()
		for _, key := range taken.Keys() {
			e, _ := taken.Peek(key)
			state.Tokens = append(state.Tokens, e.export(key.String()))
		}
	}
	sortTokens(state.Tokens)
	r.mu.Lock()
	state.Since, state.Cut = timeOf(r.since), r.cut.export()
	r.cut = cutMS{}
	r.mu.Unlock()
	return state
}

// Merge adds a state, as it was loaded from a former run or another gateway. Counts
// add up, so a state must be merged once only. What exceeds the caps is left out,
// the least recently used first.
func (r *recorder) Merge(state State) {
	at := r.now().UnixMilli()
	r.mu.Lock()
	if !state.Since.IsZero() {
		r.since = min(r.since, state.Since.UnixMilli())
	}
	r.cut = importCut(r.cut.export().add(state.Cut))
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
}

func (r *recorder) mergeShard(s *shard, tokens []*Token, at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range tokens {
		key, _ := keyOf(t.ID) // Merge has looked
		e, known := s.tokens.Peek(key)
		if !known {
			e = newEntry(t.First.UnixMilli())
			s.tokens.Add(key, e)
			r.tokens.Add(1)
		}
		before := e.uses.Len()
		e.merge(t, r.maxUses, at)
		r.entries.Add(int64(e.uses.Len() - before))
	}
	byAge(s.tokens, func(e *entry) int64 { return e.last })
}
