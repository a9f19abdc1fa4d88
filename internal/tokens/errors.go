package tokens

import (
	"errors"
	"fmt"
	"time"
)

// ErrUnknownToken says that the workspace has no such token: it never existed, or it
// was revoked.
var ErrUnknownToken = errors.New("the workspace has no token of this id")

// Outage is the reason why facts about a token were not available (fixed list).
type Outage string

const (
	// Unreachable: no connection, or it broke.
	Unreachable Outage = "unreachable"
	// HostNotFound: the workspace's host name does not resolve.
	HostNotFound Outage = "host_not_found"
	// TLSFailed: no connection, because of TLS: a certificate that is not trusted, or a
	// server that does not speak TLS.
	TLSFailed Outage = "tls_failed"
	// TimedOut: no complete answer within the time allowed for one look-up.
	TimedOut Outage = "timeout"
	// Throttled: the workspace answered 429.
	Throttled Outage = "throttled"
	// ServerError: the workspace answered 5xx.
	ServerError Outage = "server_error"
	// Rejected: the workspace refused the admin credential. The operator must fix
	// it; it says nothing about the caller's token.
	Rejected Outage = "admin_rejected"
	// NotConfigured: no admin credential was found, it could not be read, or it holds a
	// character that no header may hold.
	NotConfigured Outage = "admin_not_configured"
	// Disabled: personal access tokens are disabled in the workspace.
	Disabled Outage = "tokens_disabled"
	// BadAnswer: the answer is not that of a Token Management API.
	BadAnswer Outage = "bad_answer"
	// UnusableAnswer: the Token Management API answered, but what it says of the token
	// makes no sense, see [Unusable].
	UnusableAnswer Outage = "unusable_answer"
	// UnknownExpiry: the workspace does not say when the token expires, see
	// [Freshness.UnknownExpiry].
	UnknownExpiry Outage = "unknown_expiry"
	// TokenRefused: the workspace refuses to say anything about this token, but answers
	// about others.
	TokenRefused Outage = "token_refused"
	// Overloaded: this gateway's own limit on look-ups was reached.
	Overloaded Outage = "overloaded"
	// Paused: recent look-ups failed, and the next try is not due yet.
	Paused Outage = "paused"
	// IDRuleBroken: the workspace does not find its own admin token by the hash of
	// its value, so it would find no other token either.
	IDRuleBroken Outage = "id_rule_broken"
	// Closed: this resolver was shut down.
	Closed Outage = "closed"
	// Untried: no look-up has ended yet.
	Untried Outage = "untried"
)

// Outages lists all reasons, for metrics.
var Outages = []Outage{
	Unreachable, HostNotFound, TLSFailed, TimedOut, Throttled, ServerError, Rejected, NotConfigured, Disabled,
	BadAnswer, UnusableAnswer, UnknownExpiry, TokenRefused, Overloaded, Paused, IDRuleBroken, Closed, Untried,
}

// NeedsOperator reports whether the outage cannot end by itself: somebody has to fix
// the admin credential or a setting of the workspace.
func (o Outage) NeedsOperator() bool {
	switch o {
	case Rejected, NotConfigured, Disabled, IDRuleBroken:
		return true
	}
	return false
}

// Advice says what happened and what to do about it. It names nothing.
func (o Outage) Advice() string { return outageHints[o] }

// UnavailableError says why facts were not available and when to retry. Its text is
// for the operator's log, never for the client: it may name hosts and quote the SDK.
type UnavailableError struct {
	Outage Outage
	// RetryAfter is when a retry makes sense, 0 if unknown.
	RetryAfter time.Duration
	// Lasting reports that no retry makes sense: the outage needs the operator (see
	// [Outage.NeedsOperator]), and a second look-up, for which the credential was read
	// again, has failed too. One refusal may be a secret that is being rotated.
	Lasting bool
	// Err is the cause, or nil.
	Err error

	// everyone means that the failure cannot have to do with the token that was looked
	// up: the request for it was never sent.
	everyone bool
	// own means that it has to do with that token only: others are looked up all right.
	own bool
}

// forEveryone marks an error as one that every look-up would have met.
func (e *UnavailableError) forEveryone() *UnavailableError {
	e.everyone = true
	return e
}

// Kind returns what was wrong with an answer, an [Unusable], or else the outage.
func (e *UnavailableError) Kind() string {
	var odd *unusableError
	if errors.As(e.Err, &odd) {
		return string(odd.kind)
	}
	return string(e.Outage)
}

func (e *UnavailableError) Error() string { return "looking up a token: " + e.Problem() }

// Problem returns what happened, what to do about it, and the cause.
func (e *UnavailableError) Problem() string {
	if e.Err == nil {
		return e.Outage.Advice()
	}
	return fmt.Sprintf("%s: %v", e.Outage.Advice(), e.Err)
}

func (e *UnavailableError) Unwrap() error { return e.Err }

// Root returns the outage behind a pause, or else the error itself.
func (e *UnavailableError) Root() *UnavailableError {
	for inner := e; errors.As(inner.Err, &inner); {
		e = inner
	}
	return e
}

// outageHints say what happened and what to do next.
var outageHints = map[Outage]string{
	Unreachable:    "the workspace could not be reached; check its URL and the network",
	HostNotFound:   "the workspace's host name was not found; check the spelling of the workspace URL, and the name servers",
	TLSFailed:      "no TLS connection to the workspace; check the workspace URL, and that this machine trusts its certificate authority (a TLS-inspecting proxy has its own)",
	TimedOut:       "the workspace did not answer in time; check the network, or raise lookup timeout",
	Throttled:      "the workspace asks for fewer look-ups (429); lower lookup rate or raise cache ttl",
	ServerError:    "the workspace's Token Management API failed; look-ups resume by themselves, so check the status of the workspace if it persists",
	Rejected:       "the workspace refused the admin credential; it must belong to a workspace admin, and a scoped token needs the scope authentication",
	NotConfigured:  "no usable admin credential; set the SDK's environment variables, such as DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET, or name a profile with --profile of sidecar, or write an admin block in the Caddyfile",
	Disabled:       "personal access tokens are disabled in this workspace; enable them, or have clients use OAuth",
	BadAnswer:      "the answer does not come from a Databricks Token Management API; check that the workspace URL is a workspace",
	UnusableAnswer: "what the workspace says of the token makes no sense, so the token cannot be judged; revoke it and create another one, and report it to Databricks if it persists",
	UnknownExpiry:  "the workspace does not say when the token expires; replace the token, or set unknown_expiry allow to let such tokens pass",
	TokenRefused:   "the workspace refuses to say anything about this token, though it answers about others; revoke it and create another one, and report it to Databricks if it persists",
	Overloaded:     "the limit on look-ups is reached; raise lookup rate or concurrency if this is ordinary traffic",
	Paused:         "look-ups are paused after failures and resume by themselves; fix the last failure if it persists",
	IDRuleBroken:   "the workspace accepts the admin token but does not find it by the SHA-256 of its value, so no token can be identified; run scopegate scopes verify, and report what it prints",
	Closed:         "the gateway is shutting down or was reconfigured; retry the request",
	Untried:        "no look-up has been answered yet; wait a moment",
}
