package refusal

import (
	"fmt"
	"net/http"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
)

const (
	messageNoCredential = "Credential was not sent or was of an unsupported type for this API."
	messageInvalidToken = "Invalid access token."
	// SDKs know the code by its place in the message.
	temporarilyUnavailable = "TEMPORARILY_UNAVAILABLE: "
)

// wording holds status and message of every refusal. The words are Databricks' own
// where it has any: clients match on them and people search for them.
var wording = map[policy.Reason]struct {
	status  int
	message string
}{
	policy.MissingCredential:     {http.StatusUnauthorized, messageNoCredential},
	policy.UnsupportedCredential: {http.StatusUnauthorized, messageNoCredential},
	policy.UnknownToken:          {http.StatusForbidden, messageInvalidToken},
	policy.TokenExpired:          {http.StatusForbidden, messageInvalidToken},
	policy.WrongWorkspace:        {http.StatusForbidden, "Invalid access to Org"},
	policy.MissingScope:          {http.StatusForbidden, "Provided access token does not have required scopes: "},
	policy.AccountLevelOperation: {http.StatusForbidden, "Personal access tokens cannot call account-level APIs."},
	policy.PolicyDenied:          {http.StatusForbidden, ""},
	policy.PolicyLifetime:        {http.StatusForbidden, ""},
	policy.AmbiguousRequest:      {http.StatusBadRequest, ""},
	policy.MalformedPath:         {http.StatusBadRequest, ""},
	policy.MisdirectedRequest:    {http.StatusMisdirectedRequest, ""},
	policy.CORSNotAllowed:        {http.StatusForbidden, "The gateway does not allow web pages of this origin; its operator can with the option cors <origin> (sidecar: --cors <origin>)."},
	// Nothing of the inner error: some SDKs retry for minutes on its words.
	policy.DirectoryUnavailable: {http.StatusServiceUnavailable, temporarilyUnavailable + "Authentication is temporarily unavailable."},
	// Not 503, which clients retry for minutes without a word, nor any other 5xx, which
	// some retry too. See docs/outages.md.
	policy.GatewayMisconfigured: {http.StatusForbidden, "The gateway cannot check access tokens: "},
	policy.AuditUnavailable:     {http.StatusServiceUnavailable, temporarilyUnavailable + "The gateway is temporarily unavailable."},
}

// Reason codes of answers to requests that passed. They are not reasons of decisions.
const (
	// UpstreamUnavailable: the workspace did not answer.
	UpstreamUnavailable policy.Reason = "upstream_unavailable"
	// MalformedBody: the client's body broke off, or is not valid HTTP.
	MalformedBody policy.Reason = "malformed_body"
)

// Status returns the HTTP status of refusals for a reason, 0 for reasons that refuse
// nothing.
func Status(reason policy.Reason) int { return wording[reason].status }

// message returns the message of a refusal, without request id.
func message(j *judge.Judgement) string {
	words := wording[j.Reason].message
	switch j.Reason {
	case policy.PolicyDenied, policy.PolicyLifetime:
		return fmt.Sprintf("Access denied by the gateway's policy %s, which %s.", j.Policy, j.Requirement)
	case policy.MissingScope:
		words += judge.NeedsInWords(j.Operation)
		if row := j.SpellingOf; row != nil {
			words += fmt.Sprintf(" (for this spelling of the path; %s %s needs %s)", row.Method, row.Template, judge.Needs(row))
		}
		return words
	case policy.MissingCredential, policy.UnsupportedCredential, policy.UnknownToken:
		if j.Problem != "" {
			words += " What was sent is " + j.Problem + "."
		}
		if j.Instead != "" {
			words += " " + j.Instead
		}
		return words
	case policy.WrongWorkspace:
		if j.WorkspaceID != 0 {
			words += fmt.Sprintf(": %d", j.WorkspaceID)
		}
		if j.Problem != "" {
			words += ". " + j.Problem
		}
		return words
	case policy.GatewayMisconfigured:
		return words + j.Problem + ". Your token was not checked; tell the gateway's operator."
	case policy.AmbiguousRequest, policy.MalformedPath, policy.MisdirectedRequest:
		return j.Problem
	}
	return words
}
