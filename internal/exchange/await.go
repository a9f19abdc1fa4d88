package exchange

import (
	"context"
	"sync"
	"time"

	"github.com/scopegate/scopegate/internal/caddyserver"
)

// awaitChange makes a change of tokens that a proxy may make take effect here soon: facts are
// doubted when the workspace has most likely answered, and once more when it has at the
// latest, because the proxy does not say when it has.
func (x *exchange) awaitChange() {
	known := x.e.Tokens()
	changed := x.rec.WatchChange(x.r, known)
	if changed == nil {
		return
	}
	for _, after := range []time.Duration{doubtTime, changeTime} {
		later.doubt(known, after, changed)
	}
}

// maxTimed bounds the timers that are for one change of tokens each. Beyond that, the changes of
// a workspace share two.
const maxTimed = 200

// later are the doubts to come, in every configuration of the process.
var later = doubts{exit: caddyserver.Requests()}

// doubts puts facts in doubt at later times, and at the latest when the process begins to exit:
// others of a fleet go by what it doubts.
type doubts struct {
	exit   context.Context // ends then
	mu     sync.Mutex
	timed  int                       // timers that are for one change each
	shared map[sharedDoubt]time.Time // and for several, with the time of the last change
}

// sharedDoubt is a timer for several changes of the tokens of a workspace. If the gateway forgot
// one among many, a client that made many could keep a revoked token in use.
type sharedDoubt struct {
	known Tokens
	after time.Duration
}

// doubt calls changed after some time, or then puts all tokens in doubt.
func (d *doubts) doubt(known Tokens, after time.Duration, changed func(status int)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timed < maxTimed {
		d.timed++
		d.atLatest(after, func() {
			changed(0)
			d.mu.Lock()
			defer d.mu.Unlock()
			d.timed--
		})
		return
	}
	if d.shared == nil {
		d.shared = make(map[sharedDoubt]time.Time)
	}
	s := sharedDoubt{known, after}
	if _, waits := d.shared[s]; !waits {
		d.atLatest(after, func() { d.due(s) })
	}
	d.shared[s] = time.Now()
}

// due puts all tokens in doubt, and once more later if the last change is too young for this
// doubt to be after it.
func (d *doubts) due(s sharedDoubt) {
	d.mu.Lock()
	if rest := time.Until(d.shared[s].Add(s.after)); rest > 0 && d.exit.Err() == nil {
		d.atLatest(rest, func() { d.due(s) })
	} else {
		delete(d.shared, s)
	}
	d.mu.Unlock()
	s.known.DoubtOwners()
}

// atLatest calls f after some time, or when the process begins to exit.
func (d *doubts) atLatest(after time.Duration, f func()) {
	ctx, cancel := context.WithTimeout(d.exit, after)
	context.AfterFunc(ctx, func() {
		defer cancel()
		f()
	})
}
