package judge

import (
	"errors"
	"net/http"
	"time"

	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/scopes"
)

// Known judges a request of which the token is known already, at the time at which it
// arrived. It takes no step that needs the rest of the request: one credential, one
// workspace, no preflight. The path is percent-encoded and has no query.
func (j *Judge) Known(method, path string, subject policy.Subject, arrived time.Time) Judgement {
	out := Judgement{Enforced: true}
	readings, err := j.Catalog.Read(method, path, nil)
	malformed, isMalformed := errors.AsType[*scopes.PathError](err)
	switch {
	case isMalformed:
		out.refuse(policy.MalformedPath, cannotBeJudged+malformed.Reason+".")
		out.keep(malformed.Readings)
	case err != nil, method == http.MethodConnect:
		out.refuse(policy.MalformedPath, "The path cannot be judged.")
	default:
		j.decideKnown(method, readings, subject, arrived, &out)
	}
	out.Enforced = out.Enforced && !j.Observe
	return out
}

// decideKnown decides a request whose path was read, and of whose token everything is known.
func (j *Judge) decideKnown(method string, readings []scopes.Reading, subject policy.Subject, now time.Time, out *Judgement) {
	out.setReadings(readings)
	out.Facts.Info = subject.Info
	switch {
	case policy.Public(readings):
		out.Decision, out.Reason = Public, policy.PublicRoute
	case subject.Info.OAuth && j.OAuth != OAuthVerify:
		j.explainUnverified(out)
	default:
		out.Held = policy.Held(subject.Info, j.Rules)
		out.apply(policy.Decide(subject, policy.Request{Method: method, Readings: readings}, j.Rules, now))
		out.blameThePath(readings)
	}
}
