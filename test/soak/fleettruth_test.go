package soak

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fleettest"
)

const (
	undecidedReason = "directory_unavailable"

	// pushed is how long a change takes to reach all gateways while nothing is wrong: a
	// second, and one more for a busy machine.
	pushed = 2 * time.Second
	// recovered is how long after a fault everything works as before, and what was missed
	// is known.
	recovered = 5 * time.Second
)

// fleetActor is a token and what became of it.
type fleetActor struct {
	value, id string

	// The truth's mutex guards these.
	reason  string    // why it is refused, once it was changed
	changed time.Time // when the change began; zero before
	told    time.Time // when a gateway had been told of it; zero before
}

// truth knows what every token may do, and from when on everybody must know it.
type truth struct {
	weather *weather
	ttl     time.Duration

	mu     sync.Mutex
	actors []*fleetActor
}

func (o *truth) mint(rig *fleettest.Rig) {
	token := rig.Mint()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.actors = append(o.actors, &fleetActor{value: token.Value, id: token.Info.TokenId})
}

// any returns one of the last tokens more often than one of all.
func (o *truth) any() *fleetActor {
	o.mu.Lock()
	defer o.mu.Unlock()
	last := min(len(o.actors), 80)
	if rand.IntN(4) == 0 {
		last = len(o.actors)
	}
	return o.actors[len(o.actors)-1-rand.IntN(last)]
}

func (o *truth) all() []*fleetActor {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]*fleetActor(nil), o.actors...)
}

// pick returns a token that was not changed yet, or nil.
func (o *truth) pick() *fleetActor {
	o.mu.Lock()
	defer o.mu.Unlock()
	for range 20 {
		if a := o.actors[rand.IntN(len(o.actors))]; a.changed.IsZero() {
			return a
		}
	}
	return nil
}

// begin notes that a change is about to be made: it may be in force from now on.
func (o *truth) begin(a *fleetActor, reason string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	a.reason, a.changed = reason, time.Now()
}

// told notes that a gateway knows of the change: from now on the others must hear of it.
func (o *truth) told(a *fleetActor) {
	o.mu.Lock()
	defer o.mu.Unlock()
	a.told = time.Now()
}

// wrong returns what is wrong with an answer, or an empty string. An undecided one is not
// wrong, but they are counted.
func (o *truth) wrong(a *fleetActor, got fleettest.Answer, asked, answered time.Time) string {
	if got.Reason == undecidedReason {
		return ""
	}
	if a == nil {
		if got.Reason != "unknown_token" {
			return "an invented token"
		}
		return ""
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case a.changed.IsZero() || answered.Before(a.changed):
		if !got.Passes() {
			return "a good token"
		}
	case a.told.IsZero() || asked.Before(o.known(a.told)): // either is right
		if got.Reason != "" && got.Reason != a.reason {
			return "a token that was changed"
		}
	case got.Reason != a.reason:
		return fmt.Sprintf("a token whose change was told %v ago, want %s", asked.Sub(a.told).Round(time.Millisecond), a.reason)
	}
	return ""
}

// known returns from when on all gateways must know a change.
func (o *truth) known(told time.Time) time.Time {
	until, lost := o.weather.delay(told, told.Add(pushed))
	if lost {
		// The gateway that held the change back may have been killed. Then it is found when
		// facts are refreshed.
		until = maxTime(until, told.Add(o.ttl+recovered))
	}
	return until
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
