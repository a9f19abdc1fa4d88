package exchange

import (
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/drift"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/passthrough"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

// serve passes the request to the next handler and learns from the answer.
func (x *exchange) serve(next caddyhttp.Handler, w *passthrough.Exchange, r *http.Request) error {
	x.w.peek = true
	whole := false
	defer func() { x.learn(w, whole) }() // also when the next handler panics
	err := next.ServeHTTP(w, r)
	whole = err == nil
	return err
}

// learn compares what was judged with what the workspace answered. It is meant for every
// request that passes, and costs one that agrees less than 100ns and no allocation. Whole
// means that the answer did not break off.
func (x *exchange) learn(w *passthrough.Exchange, whole bool) {
	peeked := x.w.endPeek()
	rec := x.rec
	if !w.Proxied || !learnsFrom(&rec.Judgement) {
		return
	}
	answer := drift.Answer{Status: x.w.answered().status, Header: x.w.Header()}
	a := usage.Answer{Operation: rec.Operation, Held: rec.Held, At: rec.Time}
	verdict := drift.Silent
	if answer.Succeeded() {
		verdict = drift.Passed(rec.Operation, rec.Held)
	} else {
		if whole {
			answer.Body = peeked
		}
		named := answer.Named()
		verdict = drift.Refused(rec.Operation, rec.Held, named)
		a.Named, a.Together = named.Scopes, named.Together
	}
	switch a.Agreed = verdict == drift.Agreed; {
	case a.Agreed:
		x.e.Tokens().Learn(a)
	case verdict == drift.Disagreed && x.reliable(&a):
		x.disagree(&a)
	}
}

// learnsFrom reports whether the scopes that a request was judged by are known to be those
// of its token, and its operation to be the only one that it may be.
func learnsFrom(j *judge.Judgement) bool {
	return j.Operation != nil && j.Facts.Info != nil && len(j.Facts.Info.Scopes) > 0 && len(j.Operations) < 2 &&
		j.Decision != judge.Public && j.Reason != policy.AmbiguousRequest && j.Reason != policy.MalformedPath
}

// reliable reports whether a disagreement is about the row. What agrees needs no such
// look, because nothing follows from it alone.
func (x *exchange) reliable(a *usage.Answer) bool {
	rec := x.rec
	switch {
	case rec.Facts.Source == tokens.FromStale:
		return false // the scopes may have changed
	case rec.Facts.Source == judge.FromToken && len(a.Named) == 0:
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

// disagree counts an answer that disagrees with the map, and tells the operator of the
// first one for each row.
func (x *exchange) disagree(a *usage.Answer) {
	first := x.e.Tokens().Learn(*a)
	x.e.Metrics.MapDisagreement(a.Operation.Name)
	if !first {
		return
	}
	o := a.Operation
	said := map[string]any{
		"operation": o.Name, "method": o.Method, "template": o.Template, "map": safe(strings.Join(judge.RequiredScopes(o), ",")),
		"named": strings.Join(a.Named, ","), "held": safe(strings.Join(a.Held, ",")),
	}
	x.e.Logger.Warn("the workspace disagrees with the map about the scopes that an operation needs; run scopegate scopes drift, which writes the row for a routes file; more of these answers are only counted", zap.Any("answer", said))
	x.e.Emit(drift.EventDisagreement, said)
}
