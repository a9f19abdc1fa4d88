package why

import (
	"net/http"
	"strings"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/refusal"
)

// more ends a message of which a record has only the beginning.
const more = " …"

// tellClient says what the client saw, as far as the record has it.
func (s *Story) tellClient(r *audit.Record, from origin) {
	c := Client{Status: r.Status, By: byWorkspace, Upstream: r.UpstreamRequestID}
	switch {
	case r.Refused():
		c.By, c.ErrorCode, c.Reason = byGateway, refusal.Status(r.Reason), string(r.Reason)
		c.Message = refusalMessage(r, from)
		if r.Status != 0 && r.Status != c.ErrorCode {
			s.Notes = append(s.Notes, "the status is not that of the refusal: it is a gRPC call, or an error route of the site (handle_errors) answered")
		}
	case r.Status == 0:
		c.By = byNobody
	case r.UpstreamStatus != 0:
		if r.Status >= http.StatusBadRequest {
			s.Notes = append(s.Notes, "the workspace itself answered so, after the gateway had let the request pass: ask its administrator, or look for this id in its audit log")
		}
	default:
		c.By = byGateway
		c.ErrorCode, c.Reason = r.Status, string(refusal.UpstreamUnavailable)
		switch r.Outcome {
		case audit.UpstreamReset, audit.UpstreamTimeout, audit.UpstreamUnreachable:
			if r.Status == http.StatusServiceUnavailable {
				c.Message = "TEMPORARILY_UNAVAILABLE:" + more
			}
		case audit.ClientLeft:
			c.Reason = string(refusal.MalformedBody)
		default: // another handler of the site answered
			c.ErrorCode, c.Reason = 0, ""
		}
	}
	s.Client = c
}

// refusalMessage returns the message of a refusal, or the beginning of it.
func refusalMessage(r *audit.Record, from origin) string {
	if r.Reason == policy.MissingScope && r.Operation == nil || refusal.Status(r.Reason) == 0 {
		return "" // a record that somebody has changed, or of a later version
	}
	if !from.log {
		return refusal.For(&r.Judgement, r.TraceID()).Message
	}
	switch r.Reason {
	case policy.AmbiguousRequest, policy.MalformedPath, policy.MisdirectedRequest:
		return "" // the log does not say what was wrong
	case policy.GatewayMisconfigured:
		message, _, _ := strings.Cut(refusal.For(&r.Judgement, "").Message, ":")
		return message + ":" + more
	case policy.MissingCredential, policy.UnsupportedCredential, policy.UnknownToken, policy.WrongWorkspace:
		return refusal.For(&r.Judgement, "").Message + more
	}
	return refusal.For(&r.Judgement, "").Message
}
