package exchange

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/drift"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

// serve passes the request to the next handler and learns from the answer.
func (x *exchange) serve(next caddyhttp.Handler, r *http.Request) error {
	x.w.peek = true
	whole := false
	defer func() { x.learn(whole) }() // also when the next handler panics
	err := next.ServeHTTP(&x.through, r)
	whole = err == nil
	return err
}

// learn compares what was judged with what the workspace answered. It is meant for every
// request that passes, and costs one that agrees less than 100ns and no allocation. Whole
// means that the answer did not break off.
func (x *exchange) learn(whole bool) {
	peeked := x.w.endPeek()
	rec := x.rec
	if !x.through.Proxied || !learnsFrom(&rec.Judgement) {
		return
	}
	// Only the handler writes the head, so reading it here needs no lock.
	answer := drift.Answer{Status: x.w.head.status, Header: x.w.Header()}
	if answer.Succeeded() {
		x.compare(drift.Passed(rec.Operation, rec.Held), drift.Named{})
		return
	}
	if whole {
		answer.Body = peeked
	}
	named := answer.Named()
	x.compare(drift.Refused(rec.Operation, rec.Held, named), named)
}

// compare counts what an answer says about the map.
func (x *exchange) compare(verdict drift.Verdict, named drift.Named) {
	if verdict == drift.Silent {
		return
	}
	rec := x.rec
	a := usage.Answer{
		Operation: rec.Operation, Held: rec.Held, At: rec.Time,
		Agreed: verdict == drift.Agreed, Named: named.Scopes, Together: named.Together,
	}
	if rec.Facts.Source != judge.FromToken {
		a.Token, a.KnownAt = rec.Token, rec.Facts.At
	}
	if a.Agreed {
		switch {
		case x.e.Tokens().Repeat(a):
		case x.reliable(verdict, named):
			x.e.Tokens().Learn(a)
		default:
			x.e.Tokens().Count(a)
		}
		return
	}
	if !x.reliable(verdict, named) {
		return
	}
	if x.e.Tokens().Repeat(a) {
		x.e.Metrics.MapDisagreement(a.Operation.Name)
		return
	}
	a.Disagreed = x.disagreed(a, named)
	x.e.Tokens().Learn(a)
}

// learnsFrom reports whether the scopes that a request was judged by are known to be those
// of its token, and its operation to be the only one that it may be.
func learnsFrom(j *judge.Judgement) bool {
	return j.Operation != nil && j.Facts.Info != nil && len(j.Facts.Info.Scopes) > 0 && len(j.Operations) < 2 &&
		j.Decision != judge.Public && j.Reason != policy.AmbiguousRequest && j.Reason != policy.MalformedPath
}

// reliable reports whether an answer is about the row.
func (x *exchange) reliable(verdict drift.Verdict, named drift.Named) bool {
	rec := x.rec
	switch {
	case rec.Facts.Source == tokens.FromStale:
		return false // the scopes may have changed
	case rec.Facts.Source == judge.FromToken && len(named.Scopes) == 0 && verdict == drift.Disagreed:
		return false // some scopes of OAuth have other names, which may be enough
	case x.conflicting: // it may have been taken for another request, or another user's
		return false
	}
	return spells(rec.Operation, x.r.URL.Path)
}

// spells reports whether a path is one of an operation's template as that is written. The
// workspace may not know other spellings.
func spells(o *scopes.Operation, path string) bool {
	template, err := scopes.ParseTemplate(o.Template)
	if err != nil || !template.Match(path) {
		return false
	}
	const versions = len("/api/")
	if !strings.HasPrefix(o.Template, "/api/") || len(path) < versions {
		return true
	}
	version, _, _ := strings.Cut(o.Template[versions:], "/")
	sent, _, _ := strings.Cut(path[versions:], "/")
	return version == sent
}

// disagreed returns what is done when a disagreement is counted, after the request has
// ended: the operator is told of the first one for each row.
func (x *exchange) disagreed(a usage.Answer, named drift.Named) func(first bool) {
	e, o := x.e, a.Operation
	return func(first bool) {
		e.Metrics.MapDisagreement(o.Name)
		if !first {
			return
		}
		needs, held := safe(strings.Join(judge.RequiredScopes(o), ",")), safe(strings.Join(a.Held, ","))
		e.Logger.Warn("the workspace disagrees with the map about the scopes that an operation needs; run scopegate scopes drift, which writes the row for a routes file; more of these answers are only counted",
			zap.String("operation", o.Name), zap.String("method", o.Method), zap.String("template", o.Template),
			zap.String("map", needs), zap.Strings("named", named.Scopes), zap.String("held", held))
		e.Emit(drift.EventDisagreement, map[string]any{
			"operation": o.Name, "method": o.Method, "template": o.Template,
			"map": needs, "named": strings.Join(named.Scopes, ","), "held": held,
		})
	}
}
