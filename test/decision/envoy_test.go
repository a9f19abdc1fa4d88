package decision

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/codes"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/golden"
	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/otlptest"
)

// answerOf is what Envoy answers its client when a check is refused.
func answerOf(t *testing.T, answer *authv3.CheckResponse) harness.Answer {
	t.Helper()
	denied := answer.GetDeniedResponse()
	if codes.Code(answer.GetStatus().GetCode()) != codes.PermissionDenied || denied == nil {
		t.Fatalf("not refused: %v", answer)
	}
	w := httptest.NewRecorder()
	for _, option := range denied.GetHeaders() {
		if name := option.GetHeader().GetKey(); name != strings.ToLower(name) || option.GetHeader().GetRawValue() != nil {
			t.Errorf("header %v", option)
		}
		w.Header().Add(option.GetHeader().GetKey(), option.GetHeader().GetValue())
	}
	w.WriteHeader(int(denied.GetStatus().GetCode()))
	return harness.Answer{Response: w.Result(), Body: denied.GetBody()}
}

// question asks about a request with a token and headers in pairs.
func (r *rig) question(t *testing.T, client authv3.AuthorizationClient, method, target, token string, header ...string) *authv3.CheckResponse {
	t.Helper()
	lines := []line{{"authorization", "Bearer " + token}}
	for i := 0; i < len(header); i += 2 {
		lines = append(lines, line{header[i], header[i+1]})
	}
	answer, err := client.Check(t.Context(), asRaw.describe(method, target, lines))
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// TestEnvoyRefusals: clients get the answer that databricks_scopes would give.
func TestEnvoyRefusals(t *testing.T) {
	r := start(t, "cors https://app.example.com")
	client := r.envoy(t)
	missing := golden.FindRefusal(t, "missing_scope", "scopes", "jobs")
	for _, test := range []struct {
		name, method, target, token string
		header                      []string
		want                        golden.Refusal
	}{
		{"out of scope", "GET", jobs, r.files, nil, missing},
		{"HEAD", "HEAD", jobs, r.files, nil, missing},
		{"POST", "POST", "/api/2.1/jobs/create", r.files, nil, missing},
		{"unknown token", "GET", jobs, harness.RevokedToken(r.Workspace), nil, golden.FindRefusal(t, "unknown_token")},
		{"no token", "GET", jobs, "", nil, golden.FindRefusal(t, "unsupported_credential")},
		{"from a page", "GET", jobs, r.files, []string{"origin", "https://app.example.com"}, missing},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := answerOf(t, r.question(t, client, test.method, test.target, test.token, test.header...))
			if test.want.Case == "unsupported_credential" {
				got.Refused(t, test.want.Status, test.want.Reason)
			} else {
				got.CheckRefusal(t, test.want)
			}
			if origin := got.Header.Get("Access-Control-Allow-Origin"); (origin == "https://app.example.com") != (len(test.header) > 0) {
				t.Errorf("Access-Control-Allow-Origin %q", origin)
			}
			if got.Header.Get("Connection") != "" || got.Header.Get("Content-Length") != "" {
				t.Errorf("what is Envoy's to say: %v", got.Header)
			}
		})
	}
}

// TestEnvoyGRPCClient: Envoy makes a gRPC status of an HTTP status and its message of the
// body, so it gets both in plain words.
func TestEnvoyGRPCClient(t *testing.T) {
	r := start(t, "")
	got := answerOf(t, r.question(t, r.envoy(t), "POST", "/api/2.1/jobs/create", r.files, "content-type", "application/grpc", "te", "trailers"))
	if got.StatusCode != http.StatusForbidden || strings.HasPrefix(got.Body, "{") || !strings.Contains(got.Body, "[ReqId: "+got.Header.Get("X-Request-Id")+"]") {
		t.Errorf("%d %q", got.StatusCode, got.Body)
	}
	for _, name := range []string{"Content-Type", "Grpc-Status", "Grpc-Message"} {
		if value := got.Header.Get(name); value != "" {
			t.Errorf("%s: %s", name, value)
		}
	}
}

// TestEnvoyMetadata: later filters and access logs can use what was decided.
func TestEnvoyMetadata(t *testing.T) {
	r := start(t, "")
	client := r.envoy(t)
	for _, test := range []struct {
		target string
		want   map[string]string
	}{
		{files, map[string]string{"decision": "allow", "reason": "permitted", "operation": "files.Download", "drop": "Cookie"}},
		{jobs, map[string]string{"decision": "deny", "reason": "missing_scope", "operation": "jobs.List"}},
	} {
		answer := r.question(t, client, "GET", test.target, r.files, "cookie", "a=b")
		fields := answer.GetDynamicMetadata().AsMap()
		for name, want := range test.want {
			if fields[name] != want {
				t.Errorf("%s: %s is %v, want %s", test.target, name, fields[name], want)
			}
		}
		if id, _ := fields["token_id"].(string); len(id) != 64 || fields["owner_id"] == nil {
			t.Errorf("%s: %v", test.target, fields)
		}
		if id, _ := fields["request_id"].(string); (id != "") != (test.want["decision"] == "deny") || id != "" && id != answerOf(t, answer).Header.Get("X-Request-Id") {
			t.Errorf("%s: request id %q", test.target, id)
		}
		if encoded, err := json.Marshal(fields); err != nil || strings.Contains(string(encoded), "dapi") {
			t.Errorf("%s: %s, %v", test.target, encoded, err)
		}
	}
}

// TestEnvoyRecords: a decision is recorded completely, counts as use, and can be found by the
// id that the client saw.
func TestEnvoyRecords(t *testing.T) {
	r := start(t, "")
	client := r.envoy(t)
	r.question(t, client, "GET", files, r.files, "user-agent", "test/1", "cookie", "a=b")
	id := answerOf(t, r.question(t, client, "GET", jobs, r.files)).Header.Get("X-Request-Id")
	records := r.Records(t, 2)
	for i, want := range []map[string]any{
		{"decision": "allow", "reason": "permitted", "method": "GET", "path": files, "user_agent": "test/1"},
		{"decision": "deny", "reason": "missing_scope", "path": jobs, "request_id": id, "status": 403.0},
	} {
		for name, value := range want {
			if records[i][name] != value {
				t.Errorf("record %d: %s is %v, want %v", i, name, records[i][name], value)
			}
		}
		for _, name := range []string{"token_id", "owner_id", "operation", "catalog", "policy_hash", "workspace"} {
			if records[i][name] == nil || records[i][name] == "" {
				t.Errorf("record %d lacks %s: %v", i, name, records[i])
			}
		}
		if records[i]["outcome"] != "decided" || strings.Contains(strings.Join(strings.Fields(jsonOf(t, records[i])), ""), "dapi") {
			t.Errorf("record %d: %v", i, records[i])
		}
	}
	if status, body := r.Admin(t, "GET", "/databricks_scopes/decisions/"+id[:8]); status != 200 || !strings.Contains(body, "add the scope jobs") || !strings.Contains(body, id) {
		t.Errorf("why: %d %s", status, body)
	}
	harness.WaitFor(t, "the use to be counted", func() bool {
		_, body := r.Admin(t, "GET", "/databricks_scopes/recommend?token_id="+records[0]["token_id"].(string))
		return strings.Contains(body, "files")
	})
	if n := r.Metric(t, "scopegate_in_flight_requests"); n != 0 {
		t.Errorf("%v requests are in flight", n)
	}
}

func jsonOf(t *testing.T, v any) string {
	t.Helper()
	encoded, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}

// TestEnvoyChange: a change of tokens that may pass makes facts be looked up again, also where
// the proxy never says how it was answered.
func TestEnvoyChange(t *testing.T) {
	r := start(t, "cache {\nttl 1h\n}")
	client := r.envoy(t)
	victim := r.Mint("files")
	for range 2 {
		r.question(t, client, "GET", files, victim.Value)
	}
	known := r.Workspace.Lookups()
	change := r.question(t, client, "DELETE", "/api/2.0/token-management/tokens/"+victim.Info.TokenId, r.all)
	if change.GetStatus().GetCode() != 0 {
		t.Fatalf("refused: %v", change)
	}
	r.Workspace.Revoke(victim.Info.TokenId) // as the workspace does with what the proxy sends
	harness.WaitFor(t, "the token to be unknown", func() bool {
		return r.question(t, client, "GET", files, victim.Value).GetStatus().GetCode() != 0
	})
	if n := r.Workspace.Lookups() - known; n < 1 {
		t.Errorf("%d look-ups", n)
	}
}

// TestEnvoyObserves: a rehearsal refuses nothing but who is not believed, and removes nothing.
func TestEnvoyObserves(t *testing.T) {
	r := start(t, "mode observe")
	client := r.envoy(t)
	for _, target := range []string{jobs, files, "/a%zz", "relative"} {
		answer := r.question(t, client, "GET", target, r.files, "cookie", "a=b")
		if answer.GetStatus().GetCode() != 0 || len(answer.GetOkResponse().GetHeadersToRemove()) > 0 {
			t.Errorf("%s: %v", target, answer)
		}
	}
	for i, record := range r.Records(t, 4) {
		if denied := record["decision"] == "deny"; denied != (i != 1) || denied && record["enforced"] != false {
			t.Errorf("record %d: %v", i, record)
		}
	}
	r.Load(t, r.directive("mode observe\ntrusted_proxies 192.0.2.1"))
	if got := answerOf(t, r.question(t, client, "GET", files, r.files)); got.StatusCode != 403 {
		t.Errorf("a stranger is answered %d", got.StatusCode)
	}
}

// TestEnvoyOutage: who cannot be known is told to come again.
func TestEnvoyOutage(t *testing.T) {
	r := start(t, "")
	r.Workspace.Faults().Set("/api/2.0/token-management/", fakeworkspace.TooManyRequests("2"))
	got := answerOf(t, r.question(t, r.envoy(t), "GET", files, r.files))
	got.CheckRefusal(t, golden.FindRefusal(t, "directory_unavailable"))
	if got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") != "2" {
		t.Errorf("%d %v", got.StatusCode, got.Header)
	}
}

// TestEnvoyUnrecorded: with when_full refuse, nothing passes that cannot be recorded.
func TestEnvoyUnrecorded(t *testing.T) {
	receiver := otlptest.Start(t, otlptest.HTTP)
	harness.TelemetryEnv(t, receiver, map[string]string{"OTEL_BSP_EXPORT_TIMEOUT": "200"})
	receiver.Hang()
	r := start(t, "audit {\nqueue 2\nwhen_full refuse\n}")
	defer receiver.Recover()
	client := r.envoy(t)
	for range 2 {
		if answer := r.question(t, client, "GET", files, r.files); answer.GetStatus().GetCode() != 0 {
			t.Fatalf("with room: %v", answer)
		}
	}
	answerOf(t, r.question(t, client, "GET", files, r.files)).CheckRefusal(t, golden.FindRefusal(t, "audit_unavailable"))
}
