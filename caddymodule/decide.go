package caddymodule

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/oauth"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// judge fills the record with the decision, and returns what a refusal needs
// beyond it.
func (h *Handler) judge(r *http.Request, rec *audit.Record) verdict {
	v := h.decide(r, rec)
	rec.Reason = v.reason
	rec.Verdict = audit.Deny
	switch {
	case v.reason == policy.PublicRoute:
		rec.Verdict = audit.Public
	case v.allowed:
		rec.Verdict = audit.Allow
	}
	return v
}

// decide takes a request through the steps that lead to a decision, until one
// of them settles it.
func (h *Handler) decide(r *http.Request, rec *audit.Record) verdict {
	if problem := ambiguity(r); problem != "" {
		return refuse(policy.AmbiguousRequest, problem)
	}
	var buf [4]scopes.Reading
	readings, problem := h.readings(r, buf[:0])
	if problem != "" {
		return refuse(policy.MalformedPath, problem)
	}
	rec.Operation = readings[0].Operation
	if policy.Public(readings) {
		return verdict{allowed: true, reason: policy.PublicRoute}
	}

	credential, err := tokens.ParseAuthorization(r.Header["Authorization"])
	switch {
	case errors.Is(err, tokens.ErrNoCredential):
		return refuse(policy.MissingCredential, "")
	case err != nil:
		return refuse(policy.UnsupportedCredential, kindOf(err))
	case credential.Kind == tokens.PAT:
		v := h.decidePAT(r, rec, credential.ID, readings)
		v.token = credential.ID
		return v
	case h.OAuth == oauthVerify:
		_, raw, _ := strings.Cut(r.Header["Authorization"][0], " ")
		v := h.decideJWT(r, rec, raw, readings)
		v.token = tokens.IDOf(raw)
		return v
	case h.OAuth == oauthPass:
		return verdict{allowed: true, reason: policy.PassedOAuth}
	}
	return refuse(policy.UnsupportedCredential, "an OAuth access token")
}

// decidePAT judges a request that bears a personal access token.
func (h *Handler) decidePAT(r *http.Request, rec *audit.Record, id tokens.ID, readings []scopes.Reading) verdict {
	facts, err := h.authority.resolver.Resolve(r.Context(), id, h.freshnessFor(readings))
	if err != nil {
		v := h.unresolved(err, rec)
		v.asked = facts.At
		return v
	}
	h.warnOfExpiry(facts, rec.Time)
	v := h.decideFacts(r, rec, facts, readings, h.rules)
	if facts.Source == tokens.FromLookup {
		v.asked = facts.At
	}
	return v
}

// fromToken is the source of facts that the token itself carries.
const fromToken tokens.Source = "token"

// decideJWT judges a request that bears an OAuth access token.
func (h *Handler) decideJWT(r *http.Request, rec *audit.Record, raw string, readings []scopes.Reading) verdict {
	info, err := h.authority.verifier.Verify(r.Context(), raw)
	if err != nil {
		return h.unresolved(err, rec)
	}
	// An OAuth token always says its scopes: one without any holds none.
	rules := h.rules
	rules.AllowUnscoped = false
	return h.decideFacts(r, rec, tokens.Facts{Info: info, At: rec.Time, Source: fromToken}, readings, rules)
}

// decideFacts judges a request by what is known of its token.
func (h *Handler) decideFacts(r *http.Request, rec *audit.Record, facts tokens.Facts, readings []scopes.Reading, rules policy.Rules) verdict {
	now := rec.Time
	if facts.Source != tokens.FromCache {
		now = h.now() // a look-up takes its time
	}
	h.describeToken(rec, facts, rules, now)
	workspaceID, problem := namedWorkspace(r)
	if problem != "" {
		return refuse(policy.AmbiguousRequest, problem)
	}
	// A request that names no workspace is for the one that the host stands for.
	workspaceID = cmp.Or(workspaceID, h.authority.resolver.WorkspaceID())
	request := policy.Request{Method: r.Method, Readings: readings, WorkspaceID: workspaceID}
	subject := h.authority.subject(facts.Info, rules)
	if !rec.Brief {
		describeOwner(rec, subject)
	}
	decision := policy.Decide(subject, request, rules, now)
	rec.Operation = decision.Operation
	rec.Policy, rec.Asks = decision.Policy, decision.Asks
	return verdict{allowed: decision.Allowed, reason: decision.Reason, rehearsed: decision.Rehearsed}
}

// kindOf names a credential that is not accepted, where its shape tells.
func kindOf(err error) string {
	var unsupported *tokens.UnsupportedError
	if errors.As(err, &unsupported) {
		return unsupported.Kind
	}
	return ""
}

// mintsTokens is the scope with which a token can make others of any scope, and
// widen its own.
const mintsTokens = "authentication"

// freshnessFor returns how old facts may be for a request. One that can mint
// tokens gets no stale ones: what it does outlives the outage.
func (h *Handler) freshnessFor(readings []scopes.Reading) tokens.Freshness {
	fresh := h.freshness
	for i := range readings {
		if slices.Contains(readings[i].Operation.AnyOf, mintsTokens) {
			fresh.MaxStale = 0
		}
	}
	return fresh
}

// unresolved turns a failed look-up into a refusal. What went wrong is the
// operator's to know, not the client's.
func (h *Handler) unresolved(err error, rec *audit.Record) verdict {
	switch {
	case errors.Is(err, tokens.ErrUnknownToken), errors.Is(err, oauth.ErrInvalid):
		return refuse(policy.UnknownToken, "")
	case errors.Is(err, oauth.ErrExpired):
		return refuse(policy.TokenExpired, "")
	}
	v := refuse(policy.DirectoryUnavailable, "")
	v.retryAfter = time.Second
	var outage *tokens.UnavailableError
	if errors.As(err, &outage) {
		v.retryAfter = outage.RetryAfter
		rec.Detail = string(outage.Outage)
	} else {
		rec.Detail = "client_left"
	}
	return v
}
