package soak

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fleettest"
)

// weather knows what is wrong, and was.
type weather struct {
	mu     sync.Mutex
	faults []fleetFault
	ends   map[*fleettest.Gateway][]fleetFault // of processes
}

// fleetFault is a time in which something was wrong. It is not over while to is zero.
type fleetFault struct {
	name             string
	from, to         time.Time
	redis, authority bool // what it concerns
}

func (w *weather) begin(f fleetFault) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f.from = time.Now()
	w.faults = append(w.faults, f)
}

func (w *weather) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults[len(w.faults)-1].to = time.Now()
}

// gone notes that a process is told to end, and back that it is ready again.
func (w *weather) gone(g *fleettest.Gateway) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.ends == nil {
		w.ends = make(map[*fleettest.Gateway][]fleetFault)
	}
	w.ends[g] = append(w.ends[g], fleetFault{from: time.Now()})
}

func (w *weather) back(g *fleettest.Gateway) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ends[g][len(w.ends[g])-1].to = time.Now()
}

// ended reports whether the process was ending or away between a time and now.
func (w *weather) ended(g *fleettest.Gateway, since time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.ends[g], func(f fleetFault) bool { return f.to.IsZero() || f.to.After(since) })
}

// away reports whether a process is away.
func (w *weather) away(g *fleettest.Gateway) bool { return w.ended(g, time.Now()) }

// delay returns until when something that happened at a time, and would take until another,
// may take, as faults delay it. It may be lost if an authority that could not hand it to Redis
// ended before it could.
func (w *weather) delay(from, until time.Time) (_ time.Time, lost bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var held time.Time           // until when an authority may hold it back
	for _, f := range w.faults { // in order
		if f.from.After(until) {
			break
		}
		over := f.to.Add(recovered)
		concerned := f.to.IsZero() || over.After(from)
		lost = lost || concerned && f.authority && (f.redis || f.from.Before(held))
		if f.to.IsZero() {
			return time.Now().Add(time.Hour), lost // it goes on
		}
		if concerned {
			until = maxTime(until, over)
			if f.redis {
				held = over
			}
		}
	}
	return until, lost
}

// over returns when the last fault ended, or the last change would have been told without any.
func (w *weather) over() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now().Add(pushed - recovered)
	if len(w.faults) == 0 {
		return now
	}
	return maxTime(now, w.faults[len(w.faults)-1].to)
}

func (w *weather) names() (names []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.faults {
		if !slices.Contains(names, f.name) {
			names = append(names, f.name)
		}
	}
	return names
}

// disturb makes one thing after the other fail, until the context ends.
func (f *fleetRun) disturb(ctx context.Context) {
	lasts := min(max(*fleetSoak/20, 700*time.Millisecond), 10*time.Second)
	rests := min(max(*fleetSoak/20, 700*time.Millisecond), 10*time.Second)
	// With rests longer than it takes to recover, some changes meet no fault.
	if *fleetSoak >= time.Minute {
		rests += recovered
	}
	redis := f.rig.Redis
	faults := []struct {
		fleetFault
		does func()
	}{
		{fleetFault{name: "authority stopped", authority: true}, func() { f.restart(ctx, (*fleettest.Gateway).Stop, lasts) }},
		{fleetFault{name: "Redis killed", redis: true}, func() { redis.Kill(); sleep(ctx, lasts); redis.Restart() }},
		{fleetFault{name: "Redis paused", redis: true}, func() { redis.Pause(); sleep(ctx, lasts); redis.Resume() }},
		{fleetFault{name: "Redis restarted", redis: true}, func() { redis.Kill(); redis.Restart() }},
		{fleetFault{name: "authority killed", authority: true}, func() { f.restart(ctx, (*fleettest.Gateway).Kill, lasts) }},
		{fleetFault{name: "Redis paused, authority killed", redis: true, authority: true}, func() {
			redis.Pause()
			f.restart(ctx, (*fleettest.Gateway).Kill, lasts)
			redis.Resume()
		}},
	}
	for i := 0; sleep(ctx, rests); i++ {
		fault := faults[i%len(faults)]
		f.weather.begin(fault.fleetFault)
		fault.does()
		f.weather.end()
	}
}

// restart ends an authority, and starts it again after a while.
func (f *fleetRun) restart(ctx context.Context, end func(*fleettest.Gateway), lasts time.Duration) {
	g := f.authorities[rand.IntN(len(f.authorities))]
	f.weather.gone(g)
	end(g)
	sleep(ctx, lasts)
	g.Start()
	f.weather.back(g)
}

// change revokes or narrows one token after the other, and makes new ones.
func (f *fleetRun) change(ctx context.Context) {
	every := min(max(*fleetSoak/200, 50*time.Millisecond), 500*time.Millisecond)
	for sleep(ctx, every) {
		f.truth.mint(f.rig)
		if a := f.truth.pick(); a != nil {
			f.changeOne(a)
		}
	}
}

// changeOne changes a token through a gateway that is there, in one of the ways in which
// tokens are changed.
func (f *fleetRun) changeOne(a *fleetActor) {
	path := "/api/2.0/token-management/tokens/" + a.id
	g := f.present()
	if g == nil {
		return
	}
	switch rand.IntN(3) {
	case 0: // in passing
		f.truth.begin(a, "unknown_token")
		if got, err := g.Request(http.MethodDelete, path, f.rig.Admin, ""); err == nil && got.Passes() {
			f.truth.told(a)
			return
		}
		// It did not get there, or its answer was lost: now it does.
		f.rig.Workspace.Revoke(a.id)
	case 1:
		f.truth.begin(a, "missing_scope")
		f.rig.Workspace.SetScopes(a.id, "sql")
	default:
		f.truth.begin(a, "unknown_token")
		f.rig.Workspace.Revoke(a.id)
	}
	// As scopes revoke tells a gateway, until one has heard it.
	for {
		if g = f.present(); g != nil {
			if status, _ := g.Control(http.MethodDelete, "/databricks_scopes/tokens/"+a.id); status/100 == 2 {
				break
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	f.truth.told(a)
}

// present returns an authority whose process is there, or nil.
func (f *fleetRun) present() *fleettest.Gateway {
	for _, i := range rand.Perm(len(f.authorities)) {
		if g := f.authorities[i]; !f.weather.away(g) {
			return g
		}
	}
	return nil
}
