package audit

import (
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/metrics"
	"github.com/scopegate/scopegate/internal/ocsf"
	"github.com/scopegate/scopegate/internal/upstream"
	"github.com/scopegate/scopegate/scopes"
)

// Outcome says how a request ended here, or that it has not (fixed list).
type Outcome string

const (
	// Answered: a response was sent, by this gateway or by a later handler.
	Answered Outcome = "answered"
	// Upgraded: the connection was handed over to another protocol, such as WebSocket,
	// and was closed since.
	Upgraded Outcome = "upgraded"
	// Open: the request has not ended yet. Another record of the same request id follows
	// when it does.
	Open Outcome = "open"
	// ClientLeft: the client left, or stopped reading or sending, before it had the whole
	// response.
	ClientLeft = Outcome(upstream.Left)
	// UpstreamReset: the connection to the workspace broke, or what the workspace sent was
	// not a response. If that was amid the response, the client saw its status.
	UpstreamReset = Outcome(upstream.Reset)
	// UpstreamTimeout: the workspace did not answer in time.
	UpstreamTimeout = Outcome(upstream.TimedOut)
	// UpstreamUnreachable: there was no connection to the workspace.
	UpstreamUnreachable = Outcome(upstream.Unreachable)
	// Decided: a proxy asked, and sends what passes itself. What became of the request is not
	// known here.
	Decided Outcome = "decided"
	// Failed: a later handler returned an error that is not about the workspace.
	Failed Outcome = "failed"
	// Aborted: the process ended before the request did, or a later handler cut the
	// response off.
	Aborted Outcome = "aborted"
	// Panicked: a later handler panicked.
	Panicked Outcome = "panicked"
)

// Outcomes are all outcomes.
func Outcomes() []Outcome {
	return []Outcome{
		Answered, Upgraded, Open, ClientLeft, UpstreamReset, UpstreamTimeout, UpstreamUnreachable, Decided, Failed, Aborted, Panicked,
	}
}

// failed reports whether something went wrong that is not the client's doing.
func (o Outcome) failed() bool {
	switch o {
	case Answered, Upgraded, Open, ClientLeft, Decided:
		return false
	}
	return true
}

// Record is what is known about one request when it has ended, or when it has lasted for
// some time. Fields that the request did not get as far as stay zero. It must not be changed once it was
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
	// otherwise the workspace's. A request that was recorded before it was answered keeps
	// the id of that record.
	RequestID string
	// UpstreamRequestID is the workspace's id, if RequestID is another.
	UpstreamRequestID string

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
	Status           int           // as the client saw it; 0 if it saw none
	UpstreamStatus   int           // of the next handler's response; 0 if there was none
	BytesReceived    int64         // read from the request body
	BytesSent        int64         // of the response body
	DecisionDuration time.Duration // since the request arrived
	UpstreamDuration time.Duration // from forwarding the request to the response header
	Duration         time.Duration

	// finding is what this stands for in the place of a decision. Only outputs whose format
	// has findings get such a record.
	finding *ocsf.Finding
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
// refusal, or the outcome of a request that passed and was not answered completely. It
// is empty if nothing did, also for refusals that are not enforced.
func (r *Record) ErrorType() string {
	switch {
	case r.Refused():
		return string(r.Reason)
	case r.Outcome.failed(), r.Outcome == ClientLeft:
		return string(r.Outcome)
	}
	return ""
}

// Count counts the decision.
func (r *Record) Count(m *metrics.Metrics) {
	if r.Optional() {
		m.Optional(r.Enforced)
	} else {
		m.Decision(string(r.Decision), string(r.Reason), r.Enforced)
	}
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
