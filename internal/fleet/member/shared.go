package member

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/changelog"
	"github.com/scopegate/scopegate/internal/fleet/redis"
	"github.com/scopegate/scopegate/internal/fleet/store"
	"github.com/scopegate/scopegate/internal/usage"
)

// doubtEvery is how often a gateway tells the others to doubt everything, at most: anyone may
// bring that about as often as he likes.
const doubtEvery = 5 * time.Second

// Shared is the part of a gateway that shares what it finds out through a store. It may answer
// edges. It is safe for concurrent use.
type Shared struct {
	*changelog.Stream
	Store *store.Store

	conn      *redis.Conn
	apply     func(fleet.Change)
	served    *served
	usage     usage.Store
	disbelief *disbelief

	mu      sync.Mutex
	doubted time.Time
	doubt   fleet.Kind  // that waits to be told
	timer   *time.Timer // for it
	closed  bool
}

// OpenShared opens the part of a gateway that shares. Apply makes the gateway forget what a
// change concerns. The options of the store need neither Conn, Log, News nor Edges.
func OpenShared(conn *redis.Conn, options store.Options, apply func(fleet.Change), logger func() *zap.Logger) *Shared {
	all := newServed()
	unbelieved := newDisbelief(options.Observer, logger, options.Now)
	options.Observer = unbelieved
	s := &Shared{conn: conn, apply: apply, served: &all, disbelief: unbelieved}
	s.Stream = changelog.OpenStream(changelog.StreamOptions{
		Conn: conn, Prefix: options.Prefix, Keys: options.Keys, Apply: apply, Observer: options.Observer,
		Gap: func() { apply(fleet.Change{Kind: fleet.OwnersDoubted}) },
	})
	options.Conn, options.Log = conn, s.Stream
	options.News = s.Wait
	options.Edges = func() []fleet.Edge { edges, _ := all.edges(); return edges }
	s.Store = store.Open(options)
	s.usage = s.Store.UsageStore()
	return s
}

// Start does nothing: the store is followed from the beginning.
func (s *Shared) Start() {}

// Tune changes how long answers are kept, and how many look-ups all gateways may start in a
// second.
func (s *Shared) Tune(maxAge time.Duration, rate int) { s.Store.Tune(maxAge, rate) }

// UsageStore is the fleet's store.
func (s *Shared) UsageStore() usage.Store { return s.usage }

// Serve counts a server as this gateway's until leave is called.
func (s *Shared) Serve(server Server) (leave func()) { return s.served.add(server) }

// Tell applies changes and tells the others. It returns the generation of the last one, 0 if
// the store is down: the others are told when it is up again.
func (s *Shared) Tell(changes ...fleet.Change) fleet.Generation {
	now := make([]fleet.Change, 0, len(changes))
	for _, change := range changes {
		if s.holdBack(change.Kind) {
			s.apply(change)
			continue
		}
		now = append(now, change)
		if change.Kind == fleet.OwnerChanged {
			s.Store.ForgetOwner(change.Owner)
		}
	}
	if len(now) == 0 {
		return 0
	}
	// What the store has is not admitted before it is forgotten here, and what is being looked
	// up is forgotten once more when the others have been told.
	generation := s.Publish(now...)
	for _, change := range now {
		s.apply(change)
	}
	return generation
}

// holdBack reports whether a doubt is told later, together with others.
func (s *Shared) holdBack(kind fleet.Kind) bool {
	if kind != fleet.Doubted && kind != fleet.OwnersDoubted {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return true // there is nobody to tell
	}
	passed := time.Since(s.doubted)
	if passed >= doubtEvery && s.timer == nil {
		s.doubted = time.Now()
		return false
	}
	if s.doubt != fleet.OwnersDoubted {
		s.doubt = kind
	}
	if s.timer == nil {
		s.timer = time.AfterFunc(max(0, doubtEvery-passed), s.tellDoubt)
	}
	return true
}

// tellDoubt tells the doubts that wait, as one.
func (s *Shared) tellDoubt() {
	s.mu.Lock()
	if s.closed { // while the timer fired
		s.mu.Unlock()
		return
	}
	change := fleet.Change{Kind: s.doubt}
	s.doubt, s.timer, s.doubted = "", nil, time.Now()
	s.mu.Unlock()
	s.Publish(change)
	// While it waited, what the store has from before was still admitted, so it may be known
	// here again.
	s.apply(change)
}

// Untold says why a change has no place in the log.
func (s *Shared) Untold() fleet.Untold {
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	up, _, _ := s.conn.Up()
	switch {
	case closed:
		return fleet.ShuttingDown
	case !up:
		return fleet.StoreDown
	default:
		return fleet.StoreRefused
	}
}

// Status says how the store, the other gateways and all edges are.
func (s *Shared) Status(context.Context) fleet.Status {
	s.Store.Refresh()
	_, last := s.Position()
	status := fleet.Status{Role: "shared", Generation: last, Store: new(fleet.StoreStatus), Members: s.Store.Members(), Edges: s.Store.Edges()}
	up, since, problem := s.conn.Up()
	status.Store.Up, status.Store.Since = up, since
	if problem != nil {
		status.Store.Error = problem.Error()
	}
	if refused := s.conn.Refused(); up && refused != nil {
		status.Store.Refused = refused.Error()
	}
	status.Store.Disbelieved = s.disbelief.lately()
	own, answers := s.served.edges()
	if answers {
		status.Role = "authority"
	}
	if !up {
		status.Members, status.Edges = nil, own // what the others said is old
	}
	return status
}

// Progress says how far a change has come among the edges of all gateways.
func (s *Shared) Progress(_ context.Context, generation fleet.Generation) fleet.Progress {
	sum := s.served.progress(generation)
	s.Store.Refresh()
	own, _ := s.served.edges()
	mine := make(map[string]bool)
	for _, edge := range own {
		mine[edge.Authority+"\x00"+edge.Name] = true
	}
	for _, edge := range s.Store.Edges() {
		if !edge.Connected || mine[edge.Authority+"\x00"+edge.Name] {
			continue
		}
		sum.Edges++
		switch {
		case edge.Generation >= generation:
			sum.Applied++
		case len(sum.Stragglers) < maxStragglers:
			sum.Stragglers = append(sum.Stragglers, edge.Name)
		}
	}
	return sum
}

// Close ends sharing.
func (s *Shared) Close() {
	s.mu.Lock()
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.mu.Unlock()
	s.Store.Close()
	s.Stream.Close()
	s.conn.Close()
}
