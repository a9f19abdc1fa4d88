package replay

import (
	"cmp"
	"strconv"
	"strings"

	"github.com/scopegate/scopegate/internal/auditlog"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/sanitize"
	"github.com/scopegate/scopegate/internal/tokens"
)

// Reasons for which a recorded decision cannot be judged.
const (
	whyNoMap      = "the map of that time is not at hand"
	whyWorkspace  = "it is about another workspace"
	whyRedacted   = "the path is not in the record (redact path)"
	whyHidden     = "a part of the path is hidden or cut in the record"
	whyNoFacts    = "no token was looked up then, and these rules ask for one"
	whyVerify     = "the OAuth token was not verified then, so its scopes are not known"
	whyCredential = "the credential was not accepted then, and may be an OAuth token, which these rules take"
	whyOrigin     = "the record does not have the origin of the web page"
	whyLearned    = "it passed because of a scope that the workspace named (routes learned), and only a gateway knows those"
	whyReason     = "the reason is of another version"

	whyExpiry   = "the record does not have the expiry of the token, which a policy asks for"
	whyComment  = "the record does not have the comment of the token, which a policy matches"
	whyOwner    = "the record does not have the name of the token's owner, which a policy matches"
	whyCreator  = "the record does not have the number of the token's creator, which a policy matches"
	whyUnscoped = "the record does not say whether the token has no scopes or all-apis, and unscoped_tokens is deny"
	whySeveral  = "the record does not have several things that policies ask for"
)

// recorded is a recorded decision under judgement.
type recorded struct {
	auditlog.Decision
	depends dependence
	id      tokens.ID
}

// ownerName returns the name of the token's owner, and whether a policy that matches by it
// would have known it then, too.
func (r *recorded) ownerName() (name string, sure bool) { return ownerName(&r.Decision) }

func ownerName(d *auditlog.Decision) (name string, sure bool) {
	switch {
	case d.Owner == tokens.Unknown && d.OwnerID() == 0, d.Facts.Info == nil:
		return "", true
	case strings.Contains(d.Owner, sanitize.Mark):
		return "", false
	}
	return d.Owner, d.Owner != ""
}

// ownerText names the owner for people.
func (r *recorded) ownerText() string {
	if r.TokenID == "" {
		return ""
	}
	number := ""
	if id := r.OwnerID(); id != 0 {
		number = strconv.FormatInt(id, 10)
	}
	return cmp.Or(r.Decision.Owner, number, tokens.Unknown)
}

// judge judges the decision again. Why says why it cannot be.
func (r *recorded) judge(by *judge.Judge) (then judge.Judgement, why string) {
	switch r.Reason {
	case policy.CORSPreflight, policy.CORSNotAllowed:
		return r.preflight(by)
	case policy.AmbiguousRequest, policy.MisdirectedRequest:
		if !r.unverified(by) {
			return r.still(by), ""
		}
	case policy.AuditUnavailable:
		then = r.still(by)
		then.Enforced = true
		return then, ""
	}
	switch {
	case r.Path == "":
		return then, whyRedacted
	case strings.Contains(r.Path, sanitize.Mark):
		return then, whyHidden
	case r.Facts.Source == "":
		return r.withoutFacts(by)
	}
	var err error
	if r.id, err = tokens.ParseID(r.TokenID); err != nil {
		return then, whyNoFacts
	}
	if r.Reason == policy.WrongWorkspace && !r.unverified(by) {
		if then = by.Known(r.Method, r.Path, r.subject(wide), r.Time); then.Decision != judge.Public && !unread(&then) {
			then = r.still(by)
		}
		return then, ""
	}
	return r.withFacts(by)
}

// unverified reports whether the request has an OAuth token that was verified then, and is not
// by other rules: they do not look at the workspaces of the token and of the request.
func (r *recorded) unverified(by *judge.Judge) bool {
	return r.Facts.Source == judge.FromToken && by.OAuth != judge.OAuthVerify
}

// unread reports whether the path of a request was refused before its token was looked up.
func unread(j *judge.Judgement) bool { return j.Reason == policy.MalformedPath && j.Operation == nil }

// still refuses a request for the same reason as then, which no rules change.
func (r *recorded) still(by *judge.Judge) judge.Judgement {
	then := r.Judgement
	then.Enforced = !by.Observe
	if r.Reason == policy.MisdirectedRequest {
		then.Enforced = true
	}
	return then
}

// preflight judges a CORS preflight.
func (r *recorded) preflight(by *judge.Judge) (then judge.Judgement, why string) {
	then = judge.Judgement{Decision: judge.Public, Reason: policy.CORSPreflight, Enforced: !by.Observe}
	switch {
	case by.CORS.Any():
		return then, ""
	case len(by.CORS) > 0:
		return then, whyOrigin
	case r.Path == "":
		return then, whyRedacted
	case strings.Contains(r.Path, sanitize.Mark):
		return then, whyHidden
	}
	if readings := ReadingsOf(by.Catalog, r.Method, r.Path); policy.Public(readings) {
		return then, ""
	}
	then.Decision, then.Reason = judge.Deny, policy.CORSNotAllowed
	return then, ""
}

// withoutFacts judges a request of which no token was looked up: it needed none, or was refused
// before.
func (r *recorded) withoutFacts(by *judge.Judge) (then judge.Judgement, why string) {
	then = by.Known(r.Method, r.Path, policy.Subject{Info: new(tokens.Info)}, r.Time)
	if then.Decision == judge.Public {
		return then, ""
	}
	malformed := unread(&then)
	switch r.Reason {
	case policy.MissingCredential, policy.UnknownToken, policy.TokenExpired, policy.DirectoryUnavailable, policy.GatewayMisconfigured:
		switch {
		case malformed:
			return then, ""
		case by.OAuth != judge.OAuthPass, r.Reason == policy.MissingCredential:
			return r.still(by), ""
		case r.Reason != policy.TokenExpired:
			return then, whyCredential
		}
		// Only of an OAuth token is it known that it has expired, and nothing else.
		return judge.Judgement{Decision: judge.Allow, Reason: policy.PassedOAuth, Enforced: !by.Observe, Operation: then.Operation}, ""
	case policy.UnsupportedCredential:
		if by.OAuth == judge.OAuthPass || by.OAuth == judge.OAuthVerify {
			return then, whyCredential
		}
		return r.still(by), ""
	case policy.PassedOAuth:
		switch by.OAuth {
		case judge.OAuthVerify:
			return then, whyVerify
		case judge.OAuthPass:
			then = judge.Judgement{Decision: judge.Allow, Reason: policy.PassedOAuth, Enforced: !by.Observe, Operation: then.Operation}
		default:
			then = judge.Judgement{Decision: judge.Deny, Reason: policy.UnsupportedCredential, Enforced: !by.Observe, Operation: then.Operation}
		}
		return then, ""
	case policy.MalformedPath, policy.PublicRoute:
		if malformed {
			return then, ""
		}
		return then, whyNoFacts
	}
	return then, whyReason
}

// withFacts judges a request by what the record has of its token.
func (r *recorded) withFacts(by *judge.Judge) (then judge.Judgement, why string) {
	then = by.Known(r.Method, r.Path, r.subject(wide), r.Time)
	if r.ByLearned && then.Reason == policy.MissingScope && by.Rules.Learned == nil {
		return then, whyLearned
	}
	doubts := r.doubts(by)
	if len(doubts) == 0 || !passes(&then) {
		return then, ""
	}
	all := wide
	for _, d := range doubts {
		all |= d.missing
	}
	if strict := by.Known(r.Method, r.Path, r.subject(all), r.Time); passes(&strict) {
		return then, ""
	}
	for _, d := range doubts {
		if strict := by.Known(r.Method, r.Path, r.subject(d.missing), r.Time); !passes(&strict) {
			return then, d.why
		}
	}
	return then, whySeveral
}
