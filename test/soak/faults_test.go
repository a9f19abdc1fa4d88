package soak

import (
	"context"
	"sync"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/relay"
)

// failLookups makes the token API fail in one way after the other.
func (s *run) failLookups(ctx context.Context) {
	rejection := fakeworkspace.RejectAdmin(403)
	faults := []struct {
		name string
		kind fakeworkspace.Kind
	}{
		{"429", fakeworkspace.TooManyRequests("2")},
		{"500", fakeworkspace.InternalError()},
		{"hang", fakeworkspace.Hang()},
		{"reset", fakeworkspace.Reset()},
		{"garbage", fakeworkspace.GarbageJSON()},
		{"truncated", fakeworkspace.TruncatedJSON()},
		{"HTML", fakeworkspace.HTML()},
		{"rejected", rejection},
		{"503", fakeworkspace.Unavailable("1")},
	}
	for i := 0; sleep(ctx, s.times.lookupsOn); i++ {
		fault := faults[i%len(faults)]
		if fault.name == "rejected" {
			s.rejection.begin()
		}
		s.count("look-ups " + fault.name)
		s.workspace.Faults().Set("/api/2.0/token-management/", fault.kind)
		sleep(ctx, s.times.lookupsOff)
		s.workspace.Faults().Clear()
		if fault.name == "rejected" {
			s.rejection.end()
		}
	}
}

// disturb makes the network of a site fail in one way after the other.
func (s *run) disturb(ctx context.Context, x *site) {
	faults := []struct {
		name  string
		does  func(*relay.Relay)
		lasts time.Duration
	}{
		{"frozen", (*relay.Relay).Freeze, s.times.silence},
		{"reset", (*relay.Relay).Reset, s.times.breath},
		{"dropped", (*relay.Relay).Drop, s.times.silence},
		{"closed", (*relay.Relay).Close, s.times.breath},
		{"standstill", (*relay.Relay).FreezeAll, s.times.standstill},
	}
	if x.scheme == "https" { // not the same everywhere at once
		faults = append(faults[2:], faults[:2]...)
	}
	for i := 0; sleep(ctx, s.times.breath); i++ {
		fault := faults[i%len(faults)]
		if fault.name == "dropped" && !relay.CanDrop {
			continue
		}
		s.count(x.name + " " + fault.name)
		fault.does(x.network)
		sleep(ctx, fault.lasts)
		if fault.name == "standstill" {
			x.network.Thaw()
		}
	}
}

// rejection is when the workspace refused the gateway's own credential.
type rejection struct {
	mu    sync.Mutex
	now   bool
	until time.Time
}

func (r *rejection) begin() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = true
}

func (r *rejection) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now, r.until = false, time.Now()
}

// explains reports whether the gateway may say at a time that its credential is refused:
// it tries again every 10 to 12.5 seconds.
func (r *rejection) explains(at time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.now || at.Before(r.until.Add(12500*time.Millisecond+slack))
}

// passes notes when requests passed.
type passes struct {
	mu      sync.Mutex
	last    time.Time
	longest time.Duration
	ended   time.Time // of the longest time without one
	n       int
}

func (p *passes) note(at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if gap := at.Sub(p.last); !p.last.IsZero() && gap > p.longest {
		p.longest, p.ended = gap, at
	}
	p.last = at
	p.n++
}
