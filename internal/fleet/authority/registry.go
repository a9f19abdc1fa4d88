package authority

import (
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"

	"github.com/scopegate/scopegate/internal/fleet"
)

const (
	// maxStreams bounds the streams of one edge: its instances, and what is left of
	// connections that broke.
	maxStreams = 100
	// maxOwners bounds the owners of whom one edge may ask.
	maxOwners = 512
	// goneAge is how long an edge that left is still told of.
	goneAge = 5 * time.Minute

	// addressFactor is how many times the limits of one edge count for all self-named ones at
	// one address together.
	addressFactor = 20
	// newNames and newNamesBurst bound how many edges a second an address may invent. Beyond
	// that, all of its new names are one edge.
	newNames, newNamesBurst = 20, 1000
	// maxAddresses bounds the addresses that are remembered.
	maxAddresses = 10_000

	reportRate, reportBurst = 10, 30
	// newInstances is how many new instances an edge may keep usage for in an hour.
	newInstances = 24
)

// edge is what is known of an identity. The registry's lock guards it, except for its
// limits.
type edge struct {
	key, name string
	allowance
	address *allowance // that of its address, nil for a verified one

	uploading bool    // it hands over usage
	owners    []int64 // a ring
	nextOwner int
	streams   []*stream

	version string
	acked   fleet.Generation
	since   time.Time // when it subscribed first or left; zero if it never subscribed
	seen    time.Time
}

// allowance is what an edge, or an address, may ask for.
type allowance struct {
	requests  *rate.Limiter
	unknown   *bucket
	reports   *rate.Limiter
	instances *rate.Limiter
	names     *rate.Limiter // of an address
	streams   int           // of an address; the registry's lock guards it
}

func newAllowance(limits Limits, factor int) allowance {
	perSecond := limits.Rate * factor
	return allowance{
		requests:  rate.NewLimiter(rate.Limit(perSecond), 2*perSecond),
		unknown:   newBucket(limits.Unknown*factor, 4*limits.Unknown*factor),
		reports:   rate.NewLimiter(rate.Limit(reportRate*factor), reportBurst*factor),
		instances: rate.NewLimiter(rate.Limit(float64(newInstances*factor)/time.Hour.Seconds()), newInstances*factor),
	}
}

// registry are the edges.
type registry struct {
	limits Limits

	mu        sync.Mutex
	connected map[string]*edge // with streams
	others    *simplelru.LRU[string, *edge]
	addresses *simplelru.LRU[string, *allowance]
	streams   int
}

func newRegistry(limits Limits) *registry {
	others, err := simplelru.NewLRU[string, *edge](limits.Edges, nil)
	if err != nil {
		panic("authority: " + err.Error()) // the size is positive
	}
	addresses, err := simplelru.NewLRU[string, *allowance](maxAddresses, nil)
	if err != nil {
		panic("authority: " + err.Error()) // the size is a constant
	}
	return &registry{limits: limits, connected: map[string]*edge{}, others: others, addresses: addresses}
}

// find returns the edge of an identity, a new one if need be.
func (g *registry) find(who *identity, version string, now time.Time) *edge {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.known(who.key)
	if e == nil {
		e = g.add(who, now)
	}
	e.seen = now
	if version != "" {
		e.version = version
	}
	return e
}

func (g *registry) known(key string) *edge {
	if e := g.connected[key]; e != nil {
		return e
	}
	e, _ := g.others.Get(key)
	return e
}

func (g *registry) add(who *identity, now time.Time) *edge {
	e := &edge{key: who.key, name: who.name}
	if who.address != "" {
		e.address = g.addressOf(who.address)
		if !e.address.names.AllowN(now, 1) {
			e.key, e.name = "crowd\x00"+who.address, "others at "+who.address
			if crowd := g.known(e.key); crowd != nil {
				return crowd
			}
		}
	}
	e.allowance = newAllowance(g.limits, 1)
	g.others.Add(e.key, e)
	return e
}

func (g *registry) addressOf(address string) *allowance {
	if found, ok := g.addresses.Get(address); ok {
		return found
	}
	all := newAllowance(g.limits, addressFactor)
	all.names = rate.NewLimiter(newNames, newNamesBurst)
	g.addresses.Add(address, &all)
	return &all
}

// take takes one of a kind of turns, from the edge and from its address.
func (e *edge) take(now time.Time, n int, which func(*allowance) *rate.Limiter) bool {
	if !which(&e.allowance).AllowN(now, n) {
		return false
	}
	return e.address == nil || which(e.address).AllowN(now, n)
}

func requestsOf(a *allowance) *rate.Limiter  { return a.requests }
func reportsOf(a *allowance) *rate.Limiter   { return a.reports }
func instancesOf(a *allowance) *rate.Limiter { return a.instances }

// takeUnknown takes a turn to ask for an unknown token. Call refund if it was not one.
func (e *edge) takeUnknown(now time.Time) (refund func(), wait time.Duration, ok bool) {
	if wait, ok = e.unknown.take(now); !ok {
		return nil, wait, false
	}
	if e.address == nil {
		return e.unknown.refund, 0, true
	}
	if wait, ok = e.address.unknown.take(now); !ok {
		e.unknown.refund()
		return nil, wait, false
	}
	return func() { e.unknown.refund(); e.address.unknown.refund() }, 0, true
}

// told remembers that an edge was told of a token of an owner.
func (g *registry) told(e *edge, owner int64) {
	if owner <= 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case slices.Contains(e.owners, owner):
	case len(e.owners) < maxOwners:
		e.owners = append(e.owners, owner)
	default:
		e.owners[e.nextOwner] = owner
		e.nextOwner = (e.nextOwner + 1) % maxOwners
	}
}

// upload begins or ends an edge's upload. It is false if another one is under way.
func (g *registry) upload(e *edge, begin bool) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	was := e.uploading
	e.uploading = begin
	return !was
}

// mayAsk reports whether an edge was told of a token of an owner.
func (g *registry) mayAsk(e *edge, owner int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Contains(e.owners, owner)
}

// subscribe adds a stream. It is false if there are too many.
func (g *registry) subscribe(e *edge, st *stream, now time.Time) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.streams >= g.limits.Edges || len(e.streams) >= maxStreams {
		return false
	}
	// Of those who name themselves, one address takes no more than half of the places.
	if e.address != nil && e.address.streams >= max(1, g.limits.Edges/2) {
		return false
	}
	g.streams++
	// It may have been forgotten since it was found, and another one taken its place.
	if current := g.connected[e.key]; current != nil && current != e {
		st.edge = current
		e = current
	}
	if len(e.streams) == 0 {
		g.others.Remove(e.key)
		g.connected[e.key] = e
		e.since = now
	}
	e.streams = append(e.streams, st)
	if e.address != nil {
		e.address.streams++
	}
	st.since, st.seen = now, now
	return true
}

// leave removes a stream.
func (g *registry) leave(st *stream, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := st.edge
	e.streams = slices.DeleteFunc(e.streams, func(other *stream) bool { return other == st })
	e.acked = max(e.acked, st.acked)
	g.streams--
	if e.address != nil {
		e.address.streams--
	}
	if len(e.streams) == 0 {
		delete(g.connected, e.key)
		e.since, e.seen = now, now
		g.others.Add(e.key, e)
	}
}
