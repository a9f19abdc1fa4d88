package tokens

import (
	"errors"
	"fmt"
	"slices"
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

	// AuthorityUnreachable: this edge has no connection to any authority, or no answer in time.
	AuthorityUnreachable Outage = "authority_unreachable"
	// AuthorityRejected: the authority answers, but has no admin credential that the workspace
	// accepts.
	AuthorityRejected Outage = "authority_rejected"
	// EdgeRefused: the authority refused this edge's credential.
	EdgeRefused Outage = "edge_refused"
	// TooOld: the authority had no facts as young as the request needs.
	TooOld Outage = "too_old"
	// NoList: this gateway is an edge, which cannot list tokens.
	NoList Outage = "no_list"
)

// Outages lists all reasons, for metrics.
var Outages = []Outage{
	Unreachable, HostNotFound, TLSFailed, TimedOut, Throttled, ServerError, Rejected, NotConfigured, Disabled,
	BadAnswer, UnusableAnswer, UnknownExpiry, TokenRefused, Overloaded, Paused, IDRuleBroken, Closed, Untried,
	AuthorityUnreachable, AuthorityRejected, EdgeRefused, TooOld, NoList,
}

// ParseOutage returns the outage that an authority reports, as it is to an edge: what is wrong
// with the admin credential is to be mended at the authority. It is false for a text that is
// none.
func ParseOutage(text string) (Outage, bool) {
	o := Outage(text)
	if !slices.Contains(Outages, o) {
		return "", false
	}
	switch o {
	case Rejected, NotConfigured:
		o = AuthorityRejected
	case EdgeRefused, NoList: // of the authority, which is an edge itself
		o = AuthorityUnreachable
	}
	return o, true
}

// NeedsOperator reports whether the outage cannot end by itself: somebody has to fix
// the admin credential, an edge's, or a setting of the workspace.
func (o Outage) NeedsOperator() bool {
	switch o {
	case Rejected, NotConfigured, Disabled, IDRuleBroken, AuthorityRejected, EdgeRefused:
		return true
	}
	return false
}

// passing reports whether a service that says this has only no time for the question: that is
// no evidence of anything.
func (o Outage) passing() bool {
	switch o {
	case Overloaded, Closed, Untried, TooOld:
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

// ForEveryone marks an error, for a [Service]: every look-up would have met it.
func (e *UnavailableError) ForEveryone() *UnavailableError { return e.forEveryone() }

// forEveryone marks an error as one that every look-up would have met.
func (e *UnavailableError) forEveryone() *UnavailableError {
	e.everyone = true
	return e
}

// errSignIn says that the admin credential got no access token.
var errSignIn = errors.New("the workspace refused the admin credential: signing in failed; check the client id and secret")

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
	for _, whole := range []error{errSignIn, errGateway} {
		if errors.Is(e.Err, whole) {
			return whole.Error() // whether the credential is an admin's is not known yet
		}
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
	NotConfigured:  "no usable admin credential; set the SDK's environment variables, such as DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET, or name a profile with --profile, or write an admin block in the Caddyfile",
	Disabled:       "personal access tokens are disabled in this workspace; enable them, or have clients use OAuth",
	BadAnswer:      "the answer is not that of Databricks' Token Management API (or, to an edge, of an authority); check the URL",
	UnusableAnswer: "what the workspace says of the token makes no sense, so the token cannot be judged; revoke it and create another one, and report it to Databricks if it persists",
	UnknownExpiry:  "the workspace does not say when the token expires; replace the token, or set unknown_expiry allow to let such tokens pass",
	TokenRefused:   "the workspace refuses to say anything about this token, though it answers about others; revoke it and create another one, and report it to Databricks if it persists",
	Overloaded:     "the limit on look-ups is reached; raise lookup rate or concurrency if this is ordinary traffic",
	Paused:         "look-ups are paused after failures and resume by themselves; fix the last failure if it persists",
	IDRuleBroken:   "the workspace accepts the admin token but does not find it by the SHA-256 of its value, so no token can be identified; run scopegate scopes verify, and report what it prints",
	Closed:         "the gateway is shutting down or was reconfigured; retry the request",
	Untried:        "no look-up has been answered yet; wait a moment",

	AuthorityUnreachable: "no authority could be reached; check the URLs of the authorities, their certificates and the network",
	AuthorityRejected:    "the authority has no admin credential that the workspace accepts; fix it at the authority, whose log says more",
	EdgeRefused:          "this edge's credential is missing, or the authority refused it; check authority in the edge's admin block, and whom the authority lets in",
	TooOld:               "the authority has no facts as young as this request needs; it may be unable to ask the workspace, see its log",
	NoList:               "this gateway is an edge: it has no admin credential and cannot list tokens; ask an authority",
}
