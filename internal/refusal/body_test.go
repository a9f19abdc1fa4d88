package refusal

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/upstream"
	"github.com/scopegate/scopegate/scopes"
)

// form is what clients find in a body.
type form struct {
	rpc       bool
	message   string
	errorCode int
	error     string // the member, where it is a string
	details   []detail
}

// readForm reads a body as the strictest client of its form does.
func readForm(t *testing.T, text []byte) (got form) {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	strict := json.NewDecoder(bytes.NewReader(text))
	strict.DisallowUnknownFields()
	if _, got.rpc = members["jsonrpc"]; got.rpc {
		var answer rpcBody
		if err := strict.Decode(&answer); err != nil || answer.Version != "2.0" || answer.ID == "" {
			t.Fatalf("not an error response of JSON-RPC: %v in %s", err, text)
		}
		got.message, got.errorCode, got.details = answer.Error.Message, answer.Error.Data.ErrorCode, answer.Error.Data.Details
		if answer.Error.Code != got.errorCode {
			t.Errorf("code %d and error_code %d", answer.Error.Code, got.errorCode)
		}
		return got
	}
	var answer body
	if err := strict.Decode(&answer); err != nil {
		t.Fatalf("not an error of Databricks: %v in %s", err, text)
	}
	if _, ok := members["error"]; ok && answer.Error != answer.Message {
		t.Errorf("error %q and message %q", answer.Error, answer.Message)
	}
	return form{false, answer.Message, answer.ErrorCode, answer.Error, answer.Details}
}

const mcpAccept = "application/json, text/event-stream"

// TestBodies holds the whole body of each form to a golden text.
func TestBodies(t *testing.T) {
	t.Parallel()
	const (
		details = `"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"MISSING_SCOPE","domain":"scopegate","metadata":{"operation":"x.Y","reason":"missing_scope","required_scopes":"a","token_scopes":"b"}}]`
		text    = `Provided access token does not have required scopes: a [ReqId: ID]`
		usual   = `{"error_code":403,"message":"` + text + `",` + details + `}`
		withErr = `{"error_code":403,"message":"` + text + `",` + details + `,"error":"` + text + `"}`
		rpc     = `{"jsonrpc":"2.0","id":"ID","error":{"code":403,"message":"` + text + `","data":{"error_code":403,` + details + `}}}`
	)
	for _, test := range []struct{ method, template, accept, want string }{
		{"GET", "/api/2.1/jobs/list", "*/*", usual},
		{"POST", "/api/2.1/jobs/run-now", mcpAccept, usual},
		{"POST", "/sql/1.0/warehouses/{id}", "*/*", usual},
		{"POST", "/serving-endpoints/chat/completions", "application/json", withErr},
		{"POST", "/serving-endpoints/chat/completions", mcpAccept, withErr},
		{"GET", "/api/2.0/serving-endpoints", "", withErr},
		{"POST", "/ai-gateway/{path...}", "text/event-stream", withErr},
		{"POST", "/ai-gateway/mcp-services/{service}", mcpAccept, rpc},
		{"POST", "/ai-gateway/mcp-services/{service}", "application/json", withErr},
		{"GET", "/ai-gateway/mcp-services/{service}", "text/event-stream", withErr},
		{"POST", "/api/2.0/mcp/genie", mcpAccept, rpc},
		{"POST", "/api/2.0/mcp/genie", "text/event-stream, application/json", usual},
		{"GET", "/api/2.0/mcp/genie", mcpAccept, usual},
		{"GET", "/api/2.0/mcp/genie", "text/event-stream", usual},
		{"DELETE", "/api/2.0/mcp/genie", "", usual},
	} {
		j := judge.Judgement{Decision: judge.Deny, Reason: policy.MissingScope, Held: []string{"b"},
			Operation: &scopes.Operation{Name: "x.Y", Template: test.template, AnyOf: []string{"a"}}}
		answer := For(&j, "")
		r := httptest.NewRequest(test.method, "/x", nil)
		r.Header.Set("Accept", test.accept)
		w := httptest.NewRecorder()
		answer.Write(w, r)
		if got := strings.ReplaceAll(w.Body.String(), answer.RequestID, "ID"); got != test.want {
			t.Errorf("%s %s, Accept %q:\n got %s\nwant %s", test.method, test.template, test.accept, got, test.want)
		}
		if w.Code != 403 || w.Header().Get("Content-Type") != "application/json; charset=utf-8" || w.Header().Get("WWW-Authenticate") == "" {
			t.Errorf("%s %s: status %d, headers %v", test.method, test.template, w.Code, w.Header())
		}
	}
}

// TestEveryReasonInEveryForm: no refusal is left out, nor an answer in the place of the
// workspace.
func TestEveryReasonInEveryForm(t *testing.T) {
	t.Parallel()
	answers := map[string]func(*judge.Judgement) *Refusal{
		"502": func(j *judge.Judgement) *Refusal { return Unanswered(j, upstream.Unknown(), "", "") },
		"503": func(j *judge.Judgement) *Refusal {
			return Unanswered(j, &upstream.Failure{Status: 503, Kind: upstream.Unreachable, Message: "The workspace cannot be reached."}, "", "")
		},
		"malformed body": func(j *judge.Judgement) *Refusal {
			return Unanswered(j, &upstream.Failure{Status: 400, Kind: upstream.Answered, Message: "The body of the request is not valid HTTP."}, "", "")
		},
	}
	for reason := range wording {
		answers[string(reason)] = func(j *judge.Judgement) *Refusal {
			j.Reason, j.Operation = reason, &scopes.Operation{Template: "/{path...}", Evidence: scopes.Unmapped}
			return For(j, "")
		}
	}
	for name, make := range answers {
		for path, want := range map[string]form{
			"/serving-endpoints/m/invocations":      {error: "yes"},
			"/ajax-api/2.0/serving-endpoints/%zz/x": {error: "yes"},
			"/api/2.0/mcp/genie":                    {rpc: true},
			"/api/2.1/jobs/run-now":                 {},
		} {
			answer := make(&judge.Judgement{Decision: judge.Deny})
			r := httptest.NewRequest(http.MethodPost, "/", nil)
			r.URL.Path = path // as it may be after a rewrite
			r.Header.Set("Accept", mcpAccept)
			w := httptest.NewRecorder()
			answer.Write(w, r)
			got := readForm(t, w.Body.Bytes())
			if got.rpc != want.rpc || (got.error != "") != (want.error != "") || got.message != answer.Error() || got.errorCode != answer.Status || len(got.details) != 1 {
				t.Errorf("%s, %s: %s", name, path, w.Body)
			}
		}
	}
}

// TestThriftHeader: the JDBC driver shows one header only.
func TestThriftHeader(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		path, contentType string
		want              bool
	}{
		{"/sql/1.0/warehouses/w", "", true},
		{"/sql/1.0/warehouses/w?o=1", "application/x-thrift", true},
		{"/sql/protocolv1/o/1/c", "Application/X-Thrift; charset=utf-8", true},
		{"/unknown", "application/x-thrift", true},
		{"/api/2.0/sql/statements", "application/json", false},
		{"/api/2.0/sql/warehouses", "", false},
	} {
		answer := For(&judge.Judgement{Decision: judge.Deny, Reason: policy.UnknownToken}, "")
		r := httptest.NewRequest(http.MethodPost, test.path, nil)
		r.Header.Set("Content-Type", test.contentType)
		header := make(http.Header)
		answer.WriteHeaders(header, r)
		want := map[bool]string{true: messageInvalidToken}[test.want]
		if got := header.Get("X-Thriftserver-Error-Message"); got != want {
			t.Errorf("%s, %q: %q, want %q", test.path, test.contentType, got, want)
		}
	}
}
