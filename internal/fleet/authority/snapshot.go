package authority

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/usage"
)

const (
	// maxUploads bounds the snapshots in memory, of up to [wire.MaxSnapshot] bytes each.
	maxUploads = 4
	// maxInstances bounds the instances of which it is known whose they are.
	maxInstances = 20_000
)

// snapshots are the usage snapshots that edges hand over.
type snapshots struct {
	uploads chan struct{}

	mu sync.Mutex
	// owners says which edge an instance is of, so that no other one overwrites it.
	owners *simplelru.LRU[string, string]
}

func newSnapshots() *snapshots {
	owners, err := simplelru.NewLRU[string, string](maxInstances, nil)
	if err != nil {
		panic("authority: " + err.Error()) // the size is a constant
	}
	return &snapshots{uploads: make(chan struct{}, maxUploads), owners: owners}
}

// snapshot saves an edge's usage. It replaces what the same instance handed over before.
func (s *Server) snapshot(w http.ResponseWriter, r *http.Request, c *call, instance string) *problem {
	if s.options.Usage == nil {
		return refuse(http.StatusNotFound, wire.NoRouteCode, "no usage is kept here")
	}
	if !usage.IsInstance(instance) {
		return malformed("this is not the id of an instance")
	}
	if p := s.snapshots.claim(instance, c); p != nil {
		return p
	}
	if !s.edges.upload(c.edge, true) {
		return unavailable("this edge is handing over usage already; try again")
	}
	defer s.edges.upload(c.edge, false)
	select {
	case s.snapshots.uploads <- struct{}{}:
		defer func() { <-s.snapshots.uploads }()
	default:
		return unavailable("too many edges hand over their usage at once; try again")
	}
	body, p := c.body(w, r, wire.MaxSnapshot)
	if p != nil {
		return p
	}
	err := s.options.Usage(r.Context(), instance, body)
	_ = c.control.SetWriteDeadline(time.Now().Add(writeTimeout))
	switch {
	case errors.Is(err, usage.ErrNewerVersion):
		return malformed("the snapshot was written by a newer version; update the authority first")
	case errors.Is(err, usage.ErrCorrupt):
		return malformed("the snapshot cannot be read")
	case err != nil:
		return unavailable("the snapshot cannot be saved now")
	}
	return done(w, http.StatusNoContent)
}

// claim makes sure that an instance is an edge's own.
func (n *snapshots) claim(instance string, c *call) *problem {
	// A self-named edge may come from another address next time.
	owner := c.edge.key
	if c.who.address != "" {
		owner = "token\x00" + c.edge.key[strings.LastIndexByte(c.edge.key, 0)+1:]
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	switch known, ok := n.owners.Get(instance); {
	case ok && known == owner:
		return nil
	case ok:
		return refuse(http.StatusForbidden, wire.ForbiddenCode, "this instance is another edge's")
	case !c.edge.take(c.now, 1, instancesOf):
		return tooMany("this edge has too many new instances", time.Hour/newInstances)
	}
	n.owners.Add(instance, owner)
	return nil
}
