// Package exchange takes one request from its arrival to the record of its end: it asks
// for a judgement, refuses or passes the request, and notes what became of it.
package exchange

import (
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/metrics"
	"github.com/scopegate/scopegate/internal/usage"
)

// Enforcer enforces judgements on the requests of one handler. It must not be changed
// once it is used, and all of its fields but Log must be set.
type Enforcer struct {
	// Judge returns the judge of new requests. It may return another one at any time; a
	// request keeps the one that it began with.
	Judge  func() *judge.Judge
	Tokens func() Tokens
	// Judged is called after every judgement.
	Judged func(*judge.Judgement)
	// Emit emits an event. It does not wait.
	Emit    func(event string, data map[string]any)
	Now     func() time.Time
	Metrics *metrics.Metrics
	Logger  *zap.Logger

	// What records say of the handler.
	Workspace string // host
	Rules     string // hash of the rules in force

	// What becomes of records.
	Log        *audit.Logger // nil for none
	Sinks      Sinks
	Recorded   bool // records are kept somewhere
	RedactPath bool
	Comment    audit.CommentMode
	OpenAfter  time.Duration // after which a request that goes on leaves a record
}

// Tokens is what knows the tokens of a workspace.
type Tokens interface {
	judge.Forgetter
	// Seen notes what a token was seen to use.
	Seen(usage.Call)
	// Repeat counts an answer of the workspace if it says about scopes what is known, and
	// reports whether it does.
	Repeat(usage.Answer) bool
	// Count counts an answer that agrees with the map, but not what it says.
	Count(usage.Answer)
	// Learn notes what an answer says that may be new. It does not wait.
	Learn(usage.Answer)
}

// Sinks are where records go.
type Sinks interface {
	// Begin notes that a request is in flight, and End that it has ended.
	Begin()
	End()
	// Reserve is asked before a request passes. It is false where the request must be
	// refused because its record would not fit.
	Reserve() (audit.Reservation, bool)
	// Put hands on a record, which never changes from then on.
	Put(*audit.Record, audit.Reservation)
}

// Serve judges a request, records the decision, and passes the request on or refuses it.
func (e *Enforcer) Serve(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	x := e.begin(w, r)
	defer x.end() // also when a handler panics or aborts
	x.judge()
	if !x.reserve() {
		x.rec.RefuseUnrecorded()
	}
	x.announce()
	if x.rec.Refused() {
		return x.refuse()
	}
	return x.pass(next)
}

// ServeMisdirected refuses a request for another host than those that are served.
func (e *Enforcer) ServeMisdirected(w http.ResponseWriter, r *http.Request, hosts []string) error {
	x := e.begin(w, r)
	defer x.end()
	x.rec.Misdirected(hosts)
	x.announce()
	return x.refuse()
}
