package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/redis"
	"github.com/scopegate/scopegate/internal/fleet/seal"
	"github.com/scopegate/scopegate/internal/tokens"
)

// Log is the log of changes that the store's answers are checked against, as a
// [changelog.Stream] is.
type Log interface {
	// Position returns the epoch of the log. What was shared in another one is not believed:
	// its generations say nothing here.
	Position() (epoch string, last fleet.Generation)
	// Mark returns the position up to which changes were applied here.
	Mark() fleet.Generation
	// Publish tells of changes, see [changelog.Stream.Publish].
	Publish(changes ...fleet.Change) fleet.Generation
	// Admits reports whether an answer is to be believed.
	Admits(id tokens.ID, owners []int64, since fleet.Generation, proof uint64) bool
}

// Options say where a store is, and for whom. All must be set.
type Options struct {
	Conn *redis.Conn
	Keys *seal.Keys
	Log  Log
	// Prefix is that of all names of the workspace, see [Prefix].
	Prefix string
	// MaxAge is how long answers are kept. Rate is how many look-ups all gateways may start in
	// a second. LookupTimeout is how long one takes at most.
	MaxAge        time.Duration
	Rate          int
	LookupTimeout time.Duration
	// Name and Version are this gateway's own.
	Name, Version string
	// Listed is called when another gateway has shared a list that was asked for at a time.
	Listed func(at time.Time)
	// Edges returns the edges of this gateway, and News what is closed at the next change.
	Edges    func() []fleet.Edge
	News     func() <-chan struct{}
	Observer fleet.Observer
	Now      func() time.Time
}

// maxSeen bounds the tokens of which is remembered how new an answer was.
const maxSeen = 10_000

// Store is what a gateway shares. It is a [tokens.Sharing]. It is safe for concurrent use.
type Store struct {
	options Options
	id      string // of this process, random
	ctx     context.Context
	cancel  context.CancelFunc
	running sync.WaitGroup
	quick   chan func() // what is to be written soon, in order
	shares  chan share
	waiting waiting

	mu      sync.Mutex
	seen    *simplelru.LRU[tokens.ID, int64] // when the newest answer was asked for, in ms
	failed  map[tokens.Mark]bool             // lists of which a part could not be shared
	count   int                              // of the gateways that share
	known   int                              // of those, as of when they were read
	members []fleet.Member
	edges   []fleet.Edge
	listed  int64 // the last list that was told of
	budget  budget
}

// Prefix returns the prefix of all names of a workspace. They have one slot in a cluster.
func Prefix(workspaceURL string) string {
	return "scopegate:{" + hex.EncodeToString(digest(workspaceURL)) + "}:"
}

// Open returns a store, which shares in the background whenever it is up. Close it.
func Open(options Options) *Store {
	s := &Store{options: options, id: strings.ToLower(rand.Text()), quick: make(chan func(), maxShares), shares: make(chan share, maxShares), failed: make(map[tokens.Mark]bool)}
	s.seen, _ = simplelru.NewLRU[tokens.ID, int64](maxSeen, nil) // the size is valid
	s.budget = newBudget(options.Rate)
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.running.Go(s.doSoon)
	s.running.Go(s.shareInBackground)
	s.running.Go(s.beat)
	return s
}

// Close ends what is under way.
func (s *Store) Close() {
	s.cancel()
	s.running.Wait()
}

// Tune changes how long answers are kept, and how many look-ups all gateways may start in a
// second.
func (s *Store) Tune(maxAge time.Duration, rate int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options.MaxAge, s.options.Rate = maxAge, rate
	s.budget.tune(rate)
}

func (s *Store) maxAge() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.options.MaxAge
}

// names returns the full names of something, the one to write first.
func (s *Store) names(label string, of []byte) []string {
	names := s.options.Keys.Names(label, of)
	for i, name := range names {
		names[i] = s.options.Prefix + label + ":" + name
	}
	return names
}

// Patience implements [tokens.PatientSharing].
func (s *Store) Patience(ctx context.Context) context.Context {
	return s.options.Conn.WithPatience(ctx)
}

// Mark implements [tokens.Sharing].
func (s *Store) Mark() tokens.Mark { return tokens.Mark(s.options.Log.Mark()) }

// Interface guard
var _ tokens.Sharing = (*Store)(nil)
