package exchange

import (
	"net/http"
	"slices"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/refusal"
)

// Question is what a proxy asks: whether a request may pass that it sends to the workspace
// itself.
type Question struct {
	// Request is the request as the proxy will send it. Its headers are changed. It has no
	// body.
	Request *http.Request
	// Client is the address of the proxy's client, empty where that is not told.
	Client string
	// Problem says why the request cannot be judged, with Reason. Empty where it can.
	Problem string
	Reason  policy.Reason
	// Distrusted is true where the one that asks is not a proxy of the operator's. Then there
	// is a Problem, and the request is refused whatever the mode.
	Distrusted bool
	// Removes is true if the proxy removes the headers that it is told to.
	Removes bool
}

// Answer is what a proxy is told.
type Answer struct {
	// Record is what was decided. It must not be changed.
	Record *audit.Record
	// Refusal is nil if the request may pass.
	Refusal *refusal.Refusal
	// Drop are the names of headers that must not leave with the request.
	Drop []string
	// CORS are the origins whose pages may read a refusal.
	CORS judge.Origins
}

// Decide judges a request for a proxy and records the decision. It does not learn how the
// workspace answers.
func (e *Enforcer) Decide(q Question) Answer {
	x := e.begin(nil, q.Request)
	defer x.end()
	if q.Client != "" {
		x.rec.ClientAddress = q.Client
	}
	var drop []string
	if q.Problem != "" {
		x.rec.Undescribed(q.Reason, q.Problem, x.by.Observe && !q.Distrusted)
	} else {
		x.judge()
		drop = x.leftovers(q.Removes)
	}
	if !x.reserve() {
		x.rec.RefuseUnrecorded()
	}
	x.announce()
	answer := Answer{Record: x.rec, Drop: drop, CORS: x.by.CORS}
	if x.rec.Refused() {
		answer.Refusal = refusal.For(&x.rec.Judgement, x.rec.TraceID())
		x.rec.RequestID, x.w.head.status = answer.Refusal.RequestID, answer.Refusal.Status
	} else {
		x.awaitChange()
	}
	x.life.end(audit.Decided, "")
	return answer
}

// leftovers returns the names of headers that must not leave, and refuses a request that has
// one which would leave all the same.
func (x *exchange) leftovers(removes bool) []string {
	rec := x.rec
	if rec.Refused() {
		return nil
	}
	dropped := x.dropHeaders()
	if removes {
		// A rehearsal names more than it takes.
		stays := func(name string) bool { return x.r.Header[name] != nil }
		return slices.DeleteFunc(slices.Clone(dropped), stays)
	}
	stays := func(name string) bool { return name == "Authorization" || name == "Upgrade" || judge.Conflicts(name) }
	rehearsed := x.by.Observe && rec.Decision == judge.Deny // which has its reason
	if i := slices.IndexFunc(dropped, stays); i >= 0 && !rehearsed {
		rec.RefuseLeftover(dropped[i], x.by.Observe)
	}
	return dropped
}
