package refusal

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/testing/golden"
	"github.com/scopegate/scopegate/scopes"
)

const sendPAT = "Send a personal access token in the header Authorization, after the word Bearer and one space."

// judgements are what each row of the golden table is about.
var judgements = map[string]judge.Judgement{
	"missing_credential":           {},
	"missing_credential/named":     {Problem: "{kind}", Instead: sendPAT},
	"unsupported_credential":       {Problem: "not a kind of token that the gateway knows", Instead: "Send a personal access token of this workspace."},
	"unsupported_credential/named": {Problem: "{kind}", Instead: "{instead}"},
	"unknown_token/foreign":        {Problem: "{kind}", Instead: "It cannot be verified here. Send an OAuth access token that this workspace issued, or a personal access token."},
	"wrong_workspace":              {WorkspaceID: 3141592653589793},
	"wrong_workspace/named":        {WorkspaceID: 3141592653589793, Problem: "The request names another workspace than that of its token."},
	"missing_scope":                {Operation: &scopes.Operation{Name: "jobs.List", AnyOf: []string{"{scopes}"}}, Held: []string{"sql"}},
	"missing_scope/another spelling": {
		Operation:  &scopes.Operation{AnyOf: []string{"{scopes}"}},
		SpellingOf: &scopes.Operation{Method: "{method}", Template: "{template}", AnyOf: []string{"{rowScopes}"}},
	},
	"account_level_operation":           {Operation: &scopes.Operation{Access: scopes.AccountOnly}},
	"policy_denied":                     {Policy: "{policy}", Requirement: "{requirement}"},
	"policy_lifetime":                   {Policy: "{policy}", Requirement: "{requirement}"},
	"ambiguous_request/two credentials": {Problem: "More than one Authorization header was sent; send exactly one."},
	"ambiguous_request/connection":      {Problem: "The Connection header names {header}, which would be lost on the way; do not name it there."},
	"ambiguous_request/query":           {Problem: "A token was sent as the query parameter access_token; send it in the Authorization header only."},
	"ambiguous_request/two workspaces":  {Problem: "The request names more than one workspace; name one."},
	"gateway_misconfigured":             {Problem: "{problem}"},
	"malformed_path":                    {Problem: "The path cannot be judged: {problem}."},
	"malformed_path/no path":            {Problem: "The request target has no path; send one that begins with a slash."},
	"misdirected_request":               {Problem: "The gateway does not serve the host that the request names; it serves {hosts}."},
	"misdirected_request/path":          {Problem: "The gateway does not pass this path to the workspace; tell its operator."},
	"malformed_path/connect":            {Problem: "CONNECT is not supported here."},
}

// TestRefusals holds status, message and headers of every refusal to the golden table.
func TestRefusals(t *testing.T) {
	t.Parallel()
	told := make(map[policy.Reason]bool)
	for _, want := range golden.Refusals(t) {
		told[policy.Reason(want.Reason)] = true
		t.Run(want.Case, func(t *testing.T) {
			t.Parallel()
			j := judgements[want.Case]
			j.Decision, j.Reason, j.RetryAfter = judge.Deny, policy.Reason(want.Reason), 1500*time.Millisecond
			want.Message = strings.ReplaceAll(want.Message, "{workspace}", "3141592653589793")
			answer := For(&j, "")
			w := httptest.NewRecorder()
			answer.Write(w, httptest.NewRequest(http.MethodGet, "/api/2.1/jobs/list", nil))
			if w.Code != want.Status || answer.Status != want.Status {
				t.Errorf("status %d, want %d", w.Code, want.Status)
			}
			for name, value := range map[string]string{
				"X-Scopegate-Reason":         want.Reason,
				"X-Databricks-Reason-Phrase": want.Message,
				"X-Request-Id":               answer.RequestID,
				"WWW-Authenticate":           strings.ReplaceAll(want.Challenge, "{message}", want.Message),
			} {
				if got := w.Header().Get(name); got != value {
					t.Errorf("%s: %q, want %q", name, got, value)
				}
			}
			if retry := w.Header().Get("Retry-After"); want.Retry != (retry == "2") {
				t.Errorf("Retry-After: %q", retry)
			}
			var got body
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
				t.Fatal(err)
			}
			if got.ErrorCode != want.Status || got.Message != want.Message+" [ReqId: "+answer.RequestID+"]" || got.Details[0].Metadata["reason"] != want.Reason {
				t.Errorf("body: %s", w.Body)
			}
		})
	}
	for reason := range wording {
		if !told[reason] {
			t.Errorf("testdata/refusals.json lacks %s", reason)
		}
	}
}

// TestScopesNeededTogether: lists of alternatives are Databricks' own form, and what is
// needed together reads as such.
func TestScopesNeededTogether(t *testing.T) {
	t.Parallel()
	j := judge.Judgement{Decision: judge.Deny, Reason: policy.MissingScope, Operation: &scopes.Operation{Name: "x", AnyOf: []string{"ai-gateway+unity-catalog", "jobs"}}}
	answer := For(&j, "")
	const message = "Provided access token does not have required scopes: ai-gateway and unity-catalog, jobs"
	if answer.Message != message {
		t.Errorf("message %q", answer.Message)
	}
	header := make(http.Header)
	answer.WriteHeaders(header, httptest.NewRequest(http.MethodGet, "/", nil))
	if got := header.Get("WWW-Authenticate"); !strings.HasSuffix(got, `, scope="ai-gateway unity-catalog jobs"`) {
		t.Errorf("challenge %q", got)
	}
	if got := answer.errorInfo().Metadata["required_scopes"]; got != "ai-gateway+unity-catalog,jobs" {
		t.Errorf("required_scopes %q", got)
	}
}

func TestGRPCMessage(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain": "plain", "50%": "50%25", "a\nb": "a%0Ab", "é": "%C3%A9", "~": "~", "\x7f": "%7F",
	} {
		if got := grpcMessage(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
