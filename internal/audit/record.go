package audit

import (
	"time"

	"github.com/scopegate/scopegate/internal/judge"
)

// Outcome is the closed set of words for how a request ended here.
type Outcome string

const (
	// Answered: an answer was sent, by this gateway or by what is behind it.
	Answered Outcome = "answered"
	// Failed: the handlers behind this one returned an error, as reverse_proxy does
	// when it does not reach the workspace.
	Failed Outcome = "failed"
	// Aborted: the answer broke off, because the workspace or the client went away.
	Aborted Outcome = "aborted"
	// Panicked: a handler behind this one panicked.
	Panicked Outcome = "panicked"
)

// Record is what is known of one request when its answer has gone out. Fields
// that the request did not come to stay zero. Once it has been emitted nobody
// changes it: sinks read it later and at the same time.
type Record struct {
	Time time.Time // when the request arrived
	// Brief means that nobody keeps this record: it holds only what the handler
	// itself needs.
	Brief bool

	// Request.
	Method        string // cut to maxMethod bytes
	Path          string // escaped, without query, as CutPath leaves it; empty where it is redacted
	Workspace     string // name of the workspace's host
	ClientAddress string // as Caddy determined it, trusted proxies considered
	UserAgent     string // cut to maxUserAgent bytes
	Caller        Caller
	// RequestID is that of the answer, as the client sees it: this gateway's own
	// for a refusal, the workspace's for what it answered.
	RequestID string

	// Judgement is the decision, and what is known of the token.
	judge.Judgement
	TokenID string   // hex; empty for a brief record
	Owner   string   // name, where it is known
	Creator string   // name
	Comment string   // as the operator wants it: see Comment
	Dropped []string // names of headers that must not leave beside the token

	// Catalog and Rules are the versions of the map and of the operator's rules that
	// decided: with both a decision can be made again later.
	Catalog string
	Rules   string

	// Answer.
	Outcome          Outcome
	Status           int           // as the client saw it, 0 where the connection was taken over
	UpstreamStatus   int           // as what is behind this handler answered, 0 where it did not
	BytesReceived    int64         // of the request's body, as far as it was read
	BytesSent        int64         // of the answer's body
	DecisionDuration time.Duration // from the request's arrival
	UpstreamDuration time.Duration // from passing the request on to the answer's header
	Duration         time.Duration
}

// TraceID returns the id of the caller's trace, empty where it has none.
func (r *Record) TraceID() string {
	if !r.Caller.TraceID.IsValid() {
		return ""
	}
	return r.Caller.TraceID.String()
}

// ErrorType is what went wrong with the request, in a word of a closed set: the
// reason of a refusal, or the outcome of a request that was passed on and not
// answered. It is empty where nothing did, and so for rehearsed refusals.
func (r *Record) ErrorType() string {
	switch {
	case r.Refused():
		return string(r.Reason)
	case r.Outcome != Answered:
		return string(r.Outcome)
	}
	return ""
}
