package judge

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/discovery"
	"github.com/scopegate/scopegate/internal/oauth"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// OAuthMode says what becomes of OAuth access tokens (JWTs), which Token Management
// does not know. The zero value denies them.
type OAuthMode string

const (
	OAuthDeny   OAuthMode = "deny"   // refuse them
	OAuthPass   OAuthMode = "pass"   // let them through unjudged
	OAuthVerify OAuthMode = "verify" // verify them, and enforce the scopes that they carry
)

// Judge judges the requests for one workspace by one set of rules. It is safe for
// concurrent use, and must not be changed once it is used.
type Judge struct {
	Catalog *scopes.Catalog
	Rules   policy.Rules
	OAuth   OAuthMode
	// CORS are the origins whose preflights pass.
	CORS Origins
	// Observe records refusals without enforcing them.
	Observe bool
	// Freshness is how old facts about personal access tokens may be.
	Freshness tokens.Freshness
	// Tokens knows the workspace's tokens. It may be nil where only Explain is used.
	Tokens TokenService
	// Now tells the time.
	Now func() time.Time
}

// TokenService knows the tokens of one workspace.
type TokenService interface {
	// Resolve returns the facts about a personal access token, see [tokens.Resolver].
	Resolve(ctx context.Context, id tokens.ID, fresh tokens.Freshness) (tokens.Facts, error)
	// Verify returns what an OAuth access token says, once it is verified.
	Verify(ctx context.Context, raw string) (*tokens.Info, error)
	// Owner returns a token's owner, with the name if that is known. It does not wait.
	Owner(info *tokens.Info) tokens.Principal
	// WorkspaceID returns the workspace's id, 0 while it is not known.
	WorkspaceID() int64
}

// Judge decides what becomes of a request. It reads neither the body nor, but for a
// look-up, anything outside the request.
func (j *Judge) Judge(ctx context.Context, r Request) Judgement {
	var out Judgement
	j.decide(ctx, &r, &out)
	out.Enforced = out.Enforced && !j.Observe
	return out
}

// decide takes a request through the steps that lead to a decision, until one of
// them settles it. Enforced is cleared by a policy that is being rehearsed.
func (j *Judge) decide(ctx context.Context, r *Request, out *Judgement) {
	out.Enforced = true
	if problem := r.ambiguity(); problem != "" {
		out.refuse(policy.AmbiguousRequest, problem)
		return
	}
	var buf [4]scopes.Reading
	readings, problem := r.readings(j.Catalog, buf[:0])
	if problem != "" {
		out.refuse(policy.MalformedPath, problem)
		out.keep(readings)
		return
	}
	public := policy.Public(readings)
	if r.URL.RawQuery != "" && (public || discovery.Endpoint(r.URL.Path)) && r.queryCarriesPAT() {
		out.refuse(policy.AmbiguousRequest, "A personal access token was sent in the query, to a path that needs none; leave it out.")
		return
	}
	if j.decidePreflight(r, public, out) {
		return
	}
	out.setReadings(readings)
	if public {
		out.Decision, out.Reason = Public, policy.PublicRoute
		return
	}

	credential, err := tokens.ParseAuthorization(r.Header["Authorization"])
	switch {
	case errors.Is(err, tokens.ErrNoCredential):
		out.refuseCredential(policy.MissingCredential, r.missing())
	case err != nil:
		out.refuseCredential(policy.UnsupportedCredential, j.unsupported(r))
	case credential.Kind == tokens.PAT:
		out.Token = credential.ID
		j.decidePAT(ctx, r, readings, out)
	case j.OAuth == OAuthVerify:
		_, raw, _ := strings.Cut(r.Header["Authorization"][0], " ")
		out.Token = tokens.IDOf(raw)
		j.decideJWT(ctx, r, raw, readings, out)
	case j.OAuth == OAuthPass:
		out.passUnverified()
	default:
		out.refuseCredential(policy.UnsupportedCredential, j.unsupported(r))
	}
}

// setReadings keeps what the path may name. One reading, as nearly every path has,
// is kept as its operation alone, which costs no memory.
func (j *Judgement) setReadings(readings []scopes.Reading) {
	j.Operation = readings[0].Operation
	if len(readings) > 1 {
		j.keep(readings)
	}
}

// keep keeps readings for the record.
func (j *Judgement) keep(readings []scopes.Reading) {
	j.Readings = slices.Clone(readings)
	for i := range j.Readings {
		// A record must not hold on to the whole request target, query included.
		j.Readings[i].Path = strings.Clone(j.Readings[i].Path)
		if name := j.Readings[i].Operation.Name; !slices.Contains(j.Operations, name) {
			j.Operations = append(j.Operations, name)
		}
	}
	if len(j.Operations) < 2 {
		j.Operations = nil
	}
}

// decidePAT judges a request that carries a personal access token.
func (j *Judge) decidePAT(ctx context.Context, r *Request, readings []scopes.Reading, out *Judgement) {
	facts, err := j.Tokens.Resolve(ctx, out.Token, j.freshnessFor(readings))
	if err != nil {
		out.LookedUpAt = facts.At
		out.unresolved(err)
		return
	}
	if facts.Source == tokens.FromLookup {
		out.LookedUpAt = facts.At
	}
	j.decideFacts(r, facts, readings, j.Rules, out)
}

// decideJWT judges a request that carries an OAuth access token.
func (j *Judge) decideJWT(ctx context.Context, r *Request, raw string, readings []scopes.Reading, out *Judgement) {
	info, err := j.Tokens.Verify(ctx, raw)
	switch {
	case errors.Is(err, oauth.ErrInvalid):
		out.refuseCredential(policy.UnknownToken, tokens.DescribeForeign(raw, errors.Is(err, oauth.ErrForeign)))
		return
	case err != nil:
		out.unresolved(err)
		return
	}
	j.decideFacts(r, tokens.Facts{Info: info, At: r.Arrived, Source: FromToken}, readings, j.Rules, out)
}

// decideFacts judges a request by what is known of its token.
func (j *Judge) decideFacts(r *Request, facts tokens.Facts, readings []scopes.Reading, rules policy.Rules, out *Judgement) {
	now := r.Arrived
	if facts.Source != tokens.FromCache {
		now = j.Now() // a look-up takes its time
	}
	subject := j.Subject(facts.Info)
	out.Facts, out.FactsAge = facts, now.Sub(facts.At)
	out.Held = policy.Held(facts.Info, rules)
	out.Owner = subject.Owner
	workspaceID, problem := r.workspaceID()
	if problem != "" {
		out.refuse(policy.AmbiguousRequest, problem)
		return
	}
	// A request that names no workspace is for the one that the host stands for.
	served := j.Tokens.WorkspaceID()
	out.apply(policy.Decide(subject, policy.Request{Method: r.Method, Readings: readings, WorkspaceID: cmp.Or(workspaceID, served)}, rules, now))
	if out.Reason == policy.WrongWorkspace {
		out.WorkspaceID = served
		if workspaceID != 0 && workspaceID != served {
			out.Problem = "The request names another workspace than that of its token."
		}
	}
	out.blameThePath(readings)
}

// blameThePath turns a refusal for want of a scope into one that names what is wrong with
// the path, where that is why nothing is known of it: no scope would help.
func (j *Judgement) blameThePath(readings []scopes.Reading) {
	if j.Reason != policy.MissingScope || !j.Operation.Unmapped() {
		return
	}
	if reason := scopes.Malformed(readings); reason != "" {
		j.SpellingOf = nil
		j.refuse(policy.MalformedPath, cannotBeJudged+reason+".")
	}
}

// apply takes over what the rules say.
func (j *Judgement) apply(ruling policy.Ruling) {
	j.Decision = Deny
	if ruling.Allowed {
		j.Decision = Allow
	}
	j.Reason, j.Operation, j.SpellingOf = ruling.Reason, ruling.Operation, ruling.SpellingOf
	j.Policy, j.Requirement = ruling.Policy, ruling.Requirement
	j.Enforced = !ruling.Rehearsed
}

// Subject completes what is known of a token by its owner's name, where a policy
// needs it.
func (j *Judge) Subject(info *tokens.Info) policy.Subject {
	if j.Rules.NeedOwnerName() {
		return policy.Subject{Info: info, Owner: j.Tokens.Owner(info)}
	}
	return policy.Subject{Info: info, Owner: info.Owner}
}

// mintsTokens is the scope with which a token can make others of any scope, and
// widen its own.
const mintsTokens = "authentication"

// freshnessFor returns how old facts may be for a request. One that can mint tokens
// gets no stale ones: what it does outlives the outage.
func (j *Judge) freshnessFor(readings []scopes.Reading) tokens.Freshness {
	fresh := j.Freshness
	for i := range readings {
		if slices.Contains(readings[i].Row().Scopes(), mintsTokens) {
			fresh.MaxStale = 0
		}
	}
	return fresh
}

// unresolved turns a failed look-up into a refusal. What went wrong is for the
// operator, not for the client.
func (j *Judgement) unresolved(err error) {
	switch {
	case errors.Is(err, tokens.ErrUnknownToken):
		j.refuse(policy.UnknownToken, "")
		return
	case errors.Is(err, oauth.ErrExpired):
		j.refuse(policy.TokenExpired, "")
		return
	}
	outage, ok := errors.AsType[*tokens.UnavailableError](err)
	switch {
	case !ok:
		j.refuse(policy.DirectoryUnavailable, "")
		j.RetryAfter = time.Second
		j.Detail = "client_left"
	case outage.Lasting:
		j.refuse(policy.GatewayMisconfigured, whatIsWrong[outage.Root().Outage])
		j.Detail = string(outage.Root().Outage)
	default:
		j.refuse(policy.DirectoryUnavailable, "")
		j.RetryAfter = outage.RetryAfter
		j.Detail = string(outage.Outage)
	}
}

// whatIsWrong says to clients what the operator has to fix, in words that no SDK takes
// for a reason to retry.
var whatIsWrong = map[tokens.Outage]string{
	tokens.Rejected:      "the workspace refused the gateway's own admin credential",
	tokens.NotConfigured: "the gateway has no usable admin credential",
	tokens.Disabled:      "personal access tokens are disabled in this workspace",
	tokens.IDRuleBroken:  "the workspace does not find tokens by their id",

	tokens.AuthorityRejected: "the workspace refused the admin credential of the gateway's authority",
	tokens.EdgeRefused:       "the gateway's authority refused the gateway's own credential",
}
