package usage

import (
	"cmp"
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// The caps of a recorder that is given none. An operation of a token takes some 200
// bytes, so that all of them together stay near 100 MB.
const (
	DefaultMaxTokens     = 10_000
	DefaultMaxOperations = 500
	DefaultMaxEntries    = 500_000
)

// shardCount divides the lock. It is a power of two.
const shardCount = 32

// restMS is how long, in milliseconds, an entry keeps its place in the order of
// use after it was moved to the front. To move it touches three others, which is
// most of what a call of a busy token would cost.
const restMS = 1000

// Options are those of a [Recorder].
type Options struct {
	// MaxTokens is how many tokens are kept; 0 means [DefaultMaxTokens].
	MaxTokens int
	// MaxOperations is how many operations of each token are kept; 0 means
	// [DefaultMaxOperations].
	MaxOperations int
	// MaxEntries is how many operations of all tokens together are kept; 0 means
	// [DefaultMaxEntries]. Whole tokens go when there are more.
	MaxEntries int
	// Now tells the time; nil means time.Now.
	Now func() time.Time
}

// Recorder counts calls by token and operation. It is safe for concurrent use.
type Recorder struct {
	maxTokens, maxUses int
	maxEntries         int
	now                func() time.Time
	seed               maphash.Seed
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
	tokens *simplelru.LRU[string, *entry]
	_      [64]byte // keeps the locks of neighbours on different cache lines
}

// NewRecorder returns an empty recorder.
func NewRecorder(options Options) *Recorder {
	r := &Recorder{
		maxTokens: cmp.Or(max(0, options.MaxTokens), DefaultMaxTokens),
		maxUses:   cmp.Or(max(0, options.MaxOperations), DefaultMaxOperations),
		now:       options.Now,
		seed:      maphash.MakeSeed(),
	}
	r.maxEntries = cmp.Or(max(0, options.MaxEntries), DefaultMaxEntries)
	r.maxUses = min(r.maxUses, r.maxEntries)
	if r.now == nil {
		r.now = time.Now
	}
	r.since = r.now().UnixMilli()
	for i := range r.shards {
		r.shards[i].tokens = newTable[string, *entry]()
	}
	return r
}

func (r *Recorder) shard(id string) *shard {
	return &r.shards[maphash.String(r.seed, id)&(shardCount-1)]
}

// Seen counts a call. It is meant for every request: a known token that calls a
// known operation costs a few hundred nanoseconds and allocates nothing.
//
// Calls that say nothing about a token of this workspace are passed over: those
// without an id or an operation, those on public routes, and those refused before
// the token was looked up.
func (r *Recorder) Seen(c Call) {
	kind := c.kind()
	if kind == nothing || c.Operation == nil || len(c.TokenID) != idLength {
		return
	}
	at := c.At
	if at.IsZero() {
		at = r.now()
	}
	ms := at.UnixMilli()
	h := r.handles.of(c.Operation)
	s := r.shard(c.TokenID)
	s.mu.Lock()
	e, known := s.tokens.Peek(c.TokenID)
	if known && ms-e.moved >= restMS {
		s.tokens.Get(c.TokenID) // puts it before all others
		e.moved = ms
	}
	if !known {
		if !isID(c.TokenID) {
			s.mu.Unlock()
			return
		}
		e = newEntry(ms)
		// The id may be part of something larger.
		s.tokens.Add(strings.Clone(c.TokenID), e)
	}
	more := -e.uses.Len()
	e.seen(h, c.Operation.Unmapped(), &c, ms, kind, r.maxUses)
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
func (r *Recorder) full() bool {
	return r.tokens.Load() > int64(r.maxTokens) || r.entries.Load() > int64(r.maxEntries)
}

// evict leaves out the tokens that were not seen for longest, until the caps are
// met.
func (r *Recorder) evict() {
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
func (r *Recorder) Token(id string) (Token, bool) {
	s := r.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.tokens.Peek(id)
	if !ok {
		return Token{}, false
	}
	return e.export(id), true
}

// Len returns the number of tokens.
func (r *Recorder) Len() int { return int(r.tokens.Load()) }

// State returns a copy of all that is known. Calls go on meanwhile: each token is
// consistent in itself, and the tokens are as of slightly different moments.
func (r *Recorder) State() State {
	state := State{Tokens: make([]Token, 0, r.Len())}
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		ids := s.tokens.Keys()
		s.mu.Unlock()
		// One token at a time, so that no call waits for a whole shard.
		for _, id := range ids {
			if t, ok := r.Token(id); ok {
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
func (r *Recorder) Drain() State {
	var state State
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		taken := s.tokens
		s.tokens = newTable[string, *entry]()
		for _, e := range taken.Values() {
			r.tokens.Add(-1)
			r.entries.Add(-int64(e.uses.Len()))
		}
		s.mu.Unlock()
		for _, id := range taken.Keys() {
			e, _ := taken.Peek(id)
			state.Tokens = append(state.Tokens, e.export(id))
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
func (r *Recorder) Merge(state State) {
	at := r.now().UnixMilli()
	r.mu.Lock()
	if !state.Since.IsZero() {
		r.since = min(r.since, state.Since.UnixMilli())
	}
	r.cut = importCut(r.cut.export().add(state.Cut))
	r.mu.Unlock()
	parts := make(map[*shard][]*Token)
	for i := range state.Tokens {
		if t := &state.Tokens[i]; isID(t.ID) {
			s := r.shard(t.ID)
			parts[s] = append(parts[s], t)
		}
	}
	for s, tokens := range parts {
		r.mergeShard(s, tokens, at)
	}
	r.evict()
}

func (r *Recorder) mergeShard(s *shard, tokens []*Token, at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range tokens {
		e, known := s.tokens.Peek(t.ID)
		if !known {
			e = newEntry(t.First.UnixMilli())
			s.tokens.Add(t.ID, e)
			r.tokens.Add(1)
		}
		before := e.uses.Len()
		e.merge(t, r.maxUses, at)
		r.entries.Add(int64(e.uses.Len() - before))
	}
	byAge(s.tokens, func(e *entry) int64 { return e.last })
}
