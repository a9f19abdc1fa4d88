package why

import (
	"cmp"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
)

// passed is what a request needs that was permitted.
const passed = "nothing: the request passed"

// permit says what would permit a request.
func permit(r *audit.Record) string {
	if r.Decision != judge.Deny {
		if r.ErrorType() != "" {
			return "nothing: the request passed; the token is not why it was not answered"
		}
		return passed
	}
	change := r.Instead
	if change == "" {
		change = advice[r.Reason]
	}
	if change == "" || r.Reason == policy.MissingScope {
		change = cmp.Or(r.Change(), change)
	}
	if !r.Enforced {
		return passed + ", since the refusal is only recorded; once it is enforced: " + change
	}
	return change
}

// advice is for reasons of which a judgement does not know what would help.
var advice = map[policy.Reason]string{
	policy.MissingCredential:     "send a personal access token as Authorization: Bearer <token>",
	policy.UnsupportedCredential: "send a personal access token as Authorization: Bearer <token>; for OAuth tokens, the operator can set oauth verify",
	policy.UnknownToken:          "use a token of this workspace that is not revoked; make a new one if this one is gone",
	policy.TokenExpired:          "make a new token with the same scopes, and give it to the client",
	policy.WrongWorkspace:        "use a token of this workspace, or send the request to the workspace of the token",
	policy.MissingScope:          "give the token a scope that the operation needs",
	policy.AmbiguousRequest:      "send the request in one plain form: one Authorization header, and no credential elsewhere",
	policy.MisdirectedRequest:    "use a host and a path that the gateway serves, or add the host to the site's address",
	policy.CORSNotAllowed:        "add the page's origin to the option cors of the gateway",
	policy.DirectoryUnavailable:  "nothing about the token: send the request again once the workspace answers the gateway; the detail says why it did not",
	policy.GatewayMisconfigured:  "nothing about the token: the operator fixes what the detail says; scopegate check tries the gateway's credential, and docs/proxies.md has the settings of proxies",
	policy.AuditUnavailable:      "nothing about the token: the operator makes room for audit records, or sets when_full to block or drop",
}
