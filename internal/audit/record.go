package audit

import (
	"time"

	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// Verdict is the outcome in one word, for records and metrics.
type Verdict string

const (
	Allow  Verdict = "allow"
	Deny   Verdict = "deny"
	Public Verdict = "public" // no token was needed
)

// Record is what is known of one request when its answer has gone out. Fields
// that the request did not come to stay zero.
type Record struct {
	Time time.Time // when the request arrived

	// Request.
	Method        string
	Path          string // escaped, without query, cut to maxPath bytes
	ClientAddress string // as Caddy determined it, trusted proxies considered
	UserAgent     string // cut to maxUserAgent bytes
	TraceID       string // of the caller's trace, where it sent one
	RequestID     string // of the refusal, as the client sees it

	// Token.
	TokenID     string
	OwnerID     int64
	Creator     string
	TokenScopes []string
	FactsAge    time.Duration // since the workspace said so
	FactsSource tokens.Source

	// Decision.
	Verdict   Verdict
	Enforced  bool // false when a refusal was only rehearsed
	Reason    policy.Reason
	Operation *scopes.Operation
	Policy    string   // that refused, where one did
	Asks      string   // what that policy asks for
	Detail    string   // for the operator: why the facts could not be had
	Dropped   []string // names of headers that must not leave beside the token

	// Catalogue is the version of the map that decided.
	Catalogue string

	// Answer.
	Status           int // as the client saw it, 0 where the connection was taken over
	BytesSent        int // of the answer's body
	DecisionDuration time.Duration
	Duration         time.Duration
}

const (
	maxPath      = 1024
	maxUserAgent = 256
)

// CutPath returns what of an escaped path belongs in a record.
func CutPath(path string) string { return cut(path, maxPath) }

// CutUserAgent returns what of a User-Agent header belongs in a record.
func CutUserAgent(agent string) string { return cut(agent, maxUserAgent) }

// cut shortens text that a client chose, and says so.
func cut(s string, limit int) string {
	const mark = "…"
	if len(s) <= limit {
		return s
	}
	return s[:limit-len(mark)] + mark
}
