package judge

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/sanitize"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// Decision is the outcome in one word, for records and metrics.
type Decision string

const (
	Allow  Decision = "allow"
	Deny   Decision = "deny"
	Public Decision = "public" // no token was needed
)

// FromToken is the source of facts that an OAuth token carries itself.
const FromToken tokens.Source = "token"

// Judgement is all that was decided about one request, and what it rests on. Fields
// that the request did not get as far as stay zero. It is never changed after the
// request was passed on or refused.
type Judgement struct {
	Decision Decision
	Reason   policy.Reason
	// Enforced is false where a refusal is only recorded, because of mode observe or
	// because only policies that are being rehearsed refuse the request.
	Enforced bool

	// Operation is the one that decided: the first that the token may not call, or
	// else the one that the path names as it was sent. Nil where the request was
	// refused before its path was read, and for CORS preflights.
	Operation *scopes.Operation
	// SpellingOf is the catalog's row of Operation where scopes are missing only because
	// the path spells it as no row does. Nil otherwise.
	SpellingOf *scopes.Operation
	// Readings are all ways in which a server might read the path, also where the request
	// is refused because they disagree. Nil where there is only one, that of Operation.
	Readings []scopes.Reading

	// Operations are the names of the operations of Readings, each once. Nil where there
	// is only one.
	Operations []string

	// Policy is the policy that refused the request, and Requirement is what it
	// requires. Both are empty for every other reason.
	Policy      string
	Requirement string

	// Problem completes the message of a request that cannot be judged, and names a
	// credential that is not accepted. It quotes nothing from the request.
	Problem string
	// Instead says what to send instead of a credential that is not accepted.
	Instead string
	// WorkspaceID is the workspace that is served, where the token belongs to another. It
	// is 0 otherwise, and while it is not known.
	WorkspaceID int64
	// Detail says why the facts could not be had, as a [tokens.Outage] or
	// "client_left", or names a credential that is not accepted. It is for the operator.
	Detail string
	// RetryAfter is when asking again makes sense, for what is unavailable.
	RetryAfter time.Duration

	// Token is the id of the token. Zero where the request carries none that is
	// accepted.
	Token tokens.ID
	// Facts are what was known of the token. Facts.Source is empty and Facts.Info nil
	// where nothing was.
	Facts tokens.Facts
	// FactsAge is how old they were, 0 without facts.
	FactsAge time.Duration
	// Held are the scopes that the token may use.
	Held []string
	// Owner is the token's owner, as far as known. It says nothing without facts.
	Owner tokens.Principal
	// LookedUpAt is when this request made the gateway ask the workspace about the
	// token. Zero where the answer came from memory.
	LookedUpAt time.Time
}

// Refused reports whether the request must not pass.
func (j *Judgement) Refused() bool { return j.Decision == Deny && j.Enforced }

// ByLearned reports whether the request passes although the token lacks the scopes that the
// operation's row asks for, because the workspace was seen to accept others.
func (j *Judgement) ByLearned() bool {
	if j.Decision != Allow || j.Operation == nil || j.Facts.Info == nil {
		return false
	}
	lacks := func(o *scopes.Operation) bool { return !policy.Permits(o, j.Facts.Info, j.Held) }
	return lacks(j.Operation) || slices.ContainsFunc(j.Also(), lacks)
}

// Optional reports whether the request was refused an operation that clients go on without,
// for want of permission: no cause for alarm.
func (j *Judgement) Optional() bool {
	return j.Decision == Deny && j.Operation != nil && j.Operation.Optional &&
		(j.Reason == policy.MissingScope || j.Reason == policy.PolicyDenied)
}

// OwnerID returns the numeric id of the token's owner, 0 where it is not known.
func (j *Judgement) OwnerID() int64 {
	if j.Facts.Info == nil {
		return 0
	}
	id, _ := j.Facts.Info.Owner.ID()
	return id
}

// RefuseUnrecorded turns the judgement into a refusal because the request could not
// be recorded. What was found out about the token stays.
func (j *Judgement) RefuseUnrecorded() {
	j.Decision, j.Reason, j.Enforced = Deny, policy.AuditUnavailable, true
	j.Policy, j.Requirement = "", "" // of a refusal that was only rehearsed
	j.RetryAfter = auditRetry
}

// Misdirected makes the judgement a refusal of a request for another host than those
// that are served or, without hosts, for a path that its site does not pass.
func (j *Judgement) Misdirected(hosts []string) {
	j.Enforced = true
	if len(hosts) == 0 {
		j.refuse(policy.MisdirectedRequest, "The gateway does not pass this path to the workspace; tell its operator.")
		return
	}
	const most = 5
	served := strings.Join(hosts[:min(most, len(hosts))], ", ")
	if len(hosts) > most {
		served += ", …"
	}
	j.refuse(policy.MisdirectedRequest, fmt.Sprintf("The gateway does not serve the host that the request names; it serves %s.", served))
}

// Undescribed makes the judgement a refusal of a request that a proxy asks about, and does not
// describe so that it can be judged. The reason is [policy.GatewayMisconfigured] where the
// proxy's configuration is wrong, and [policy.AmbiguousRequest] where a client may be the cause.
func (j *Judgement) Undescribed(reason policy.Reason, problem string, observe bool) {
	j.Enforced = !observe
	j.refuse(reason, problem)
	if reason == policy.GatewayMisconfigured {
		j.Detail = problem
	}
}

// RefuseLeftover makes a judgement that lets a request pass a refusal, because of a header
// that must not leave with it and that the proxy which sends it cannot be told to remove.
func (j *Judgement) RefuseLeftover(name string, observe bool) {
	j.Enforced = !observe
	j.Policy, j.Requirement = "", "" // of a refusal that was only rehearsed
	if name == "Authorization" {
		j.refuse(policy.AmbiguousRequest, "This path needs no token, and the proxy cannot remove it; send the request without an Authorization header.")
		return
	}
	j.refuse(policy.AmbiguousRequest, fmt.Sprintf("The header %s must not reach the workspace beside a token; do not send it, or have the proxy remove it before it asks.", sanitize.String(name, maxHeaderName)))
}

// maxHeaderName bounds what a message quotes of a header's name, in bytes.
const maxHeaderName = 64

// auditRetry gives a full queue time to drain.
const auditRetry = 5 * time.Second

// refuse notes why a request is refused.
func (j *Judgement) refuse(reason policy.Reason, problem string) {
	j.Decision, j.Reason, j.Problem = Deny, reason, problem
}

// Also returns the operations of Readings beside Operation, each once.
func (j *Judgement) Also() (also []*scopes.Operation) {
	for i := range j.Readings {
		if o := j.Readings[i].Operation; o != j.Operation && !slices.Contains(also, o) {
			also = append(also, o)
		}
	}
	return also
}
