package audit

import (
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/metrics"
	"github.com/scopegate/scopegate/scopes"
)

// Outcome says how a request ended here (fixed list).
type Outcome string

const (
	// Answered: a response was sent, by this gateway or by a later handler.
	Answered Outcome = "answered"
	// Failed: a later handler returned an error, as reverse_proxy does if it cannot
	// reach the workspace.
	Failed Outcome = "failed"
	// Aborted: the response was cut off because the workspace or the client left.
	Aborted Outcome = "aborted"
	// Panicked: a later handler panicked.
	Panicked Outcome = "panicked"
)

// Record is what is known about one request when its response has been sent. Fields
// that the request did not get as far as stay zero. It must not be changed once it was
// emitted: sinks read it later, and concurrently.
type Record struct {
	Time time.Time // when the request arrived
	// Brief marks a record that no sink, logger or trace reads. It holds only what the
	// handler itself needs.
	Brief bool

	// Request.
	Method        string // from TruncateMethod
	Path          string // from TruncatePath; empty if paths are redacted
	Workspace     string // host name of the workspace
	ClientAddress string // as Caddy determined it; trusted proxies are taken into account
	UserAgent     string // from TruncateUserAgent
	Caller        Caller
	// RequestID is the id that the client sees in the response: our own in a refusal,
	// otherwise the workspace's.
	RequestID string

	// Judgement is the decision and what it is based on.
	judge.Judgement
	TokenID string   // hex; empty in a brief record
	Owner   string   // name; empty if it is not known
	Creator string   // name
	Comment string   // from Comment
	Dropped []string // names of headers that must not be forwarded with the token

	// Catalog and Rules are the versions of the catalog and of the operator's rules.
	// Together they allow a decision to be repeated later.
	Catalog string
	Rules   string

	// Response.
	Outcome          Outcome
	Status           int           // as the client saw it; 0 if the connection was hijacked
	UpstreamStatus   int           // of the next handler's response; 0 if there was none
	BytesReceived    int64         // read from the request body
	BytesSent        int64         // of the response body
	DecisionDuration time.Duration // since the request arrived
	UpstreamDuration time.Duration // from forwarding the request to the response header
	Duration         time.Duration
}

// TraceID returns the id of the caller's trace in hex, or an empty string if there is
// none.
func (r *Record) TraceID() string {
	if !r.Caller.TraceID.IsValid() {
		return ""
	}
	return r.Caller.TraceID.String()
}

// ErrorType says what went wrong with the request (fixed list): the reason of a
// refusal, or the outcome of a request that passed and was not answered. It is empty
// if nothing did, also for refusals that are not enforced.
func (r *Record) ErrorType() string {
	switch {
	case r.Refused():
		return string(r.Reason)
	case r.Outcome != Answered:
		return string(r.Outcome)
	}
	return ""
}

// Count counts the record.
func (r *Record) Count(m *metrics.Metrics) {
	m.Decision(string(r.Decision), string(r.Reason), r.Enforced)
	if r.Facts.Source != "" {
		m.FactsAge(r.FactsAge)
	}
	if r.Operation != nil && r.Operation.Unmapped() {
		m.Unmapped()
	}
}

// Required returns the scopes of an operation, separated by commas, as placeholders
// and the metadata of refusals show them.
func Required(operation *scopes.Operation) string {
	if operation == nil {
		return ""
	}
	return strings.Join(operation.AnyOf, ",")
}
