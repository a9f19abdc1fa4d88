package tokens

import (
	"errors"
	"fmt"
	"time"
)

// ErrUnknownToken says that the workspace has no such token: it never existed,
// or it was revoked.
var ErrUnknownToken = errors.New("the workspace has no token of this id")

// Outage says why the facts about a token could not be had.
type Outage string

const (
	// Unreachable: no connection, or it broke.
	Unreachable Outage = "unreachable"
	// TimedOut: no whole answer within the time allowed for one look-up.
	TimedOut Outage = "timeout"
	// Throttled: the workspace answered 429.
	Throttled Outage = "throttled"
	// ServerError: the workspace answered 5xx.
	ServerError Outage = "server_error"
	// Rejected: the workspace refused the admin credential, which is the
	// operator's to mend and says nothing about the caller's token.
	Rejected Outage = "admin_rejected"
	// NotConfigured: no admin credential was found, or it could not be read.
	NotConfigured Outage = "admin_not_configured"
	// Disabled: the workspace has personal access tokens switched off.
	Disabled Outage = "tokens_disabled"
	// BadAnswer: the workspace answered, but not with facts about this token.
	BadAnswer Outage = "bad_answer"
	// Overloaded: this gateway's own limit on look-ups was reached.
	Overloaded Outage = "overloaded"
	// Paused: the last look-ups failed, and the next is not due yet.
	Paused Outage = "paused"
	// IDRuleBroken: the workspace does not know its own admin token by the hash of
	// its value, so that it would know no other token either.
	IDRuleBroken Outage = "id_rule_broken"
	// Closed: this resolver was shut down.
	Closed Outage = "closed"
)

// UnavailableError says that the facts could not be had and when it is worth
// asking again. Its text is for the operator's log, never for the client: it may
// name hosts and the SDK's own messages.
type UnavailableError struct {
	Outage     Outage
	RetryAfter time.Duration // 0 where nobody said
	Err        error         // may be nil
}

func (e *UnavailableError) Error() string {
	hint := outageHints[e.Outage]
	if e.Err == nil {
		return fmt.Sprintf("looking up a token: %s", hint)
	}
	return fmt.Sprintf("looking up a token: %s: %v", hint, e.Err)
}

func (e *UnavailableError) Unwrap() error { return e.Err }

// outageHints say what happened and what to do next.
var outageHints = map[Outage]string{
	Unreachable:   "the workspace could not be reached; check its URL and the network",
	TimedOut:      "the workspace did not answer in time; check the network, or raise lookup timeout",
	Throttled:     "the workspace asks for fewer look-ups (429); lower lookup rate or raise cache ttl",
	ServerError:   "the workspace's Token Management API failed",
	Rejected:      "the workspace refused the admin credential; it must be a workspace admin's, and if it is a scoped token it needs the scope authentication",
	NotConfigured: "there is no usable admin credential; set one in the admin block or by the SDK's environment variables, such as DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET",
	Disabled:      "personal access tokens are switched off in this workspace",
	BadAnswer:     "the answer is not that of a Databricks Token Management API; check that the workspace URL is a workspace",
	Overloaded:    "the limit on look-ups is reached; raise lookup rate or concurrency if this is ordinary traffic",
	Paused:        "waiting before the next try after failed look-ups",
	IDRuleBroken:  "the workspace accepts the admin token but does not find it by the SHA-256 of its value, so no token can be told by its id; run scopegate scopes verify, and report what it prints",
	Closed:        "the gateway is shutting down or was reconfigured",
}
