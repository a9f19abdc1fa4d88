package proxy

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/databricks/databricks-sdk-go"
	"github.com/databricks/databricks-sdk-go/service/serving"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/golden"
	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/tokens"
)

// mcpAccept is what MCP clients send, except for the one for Rust.
const mcpAccept = "application/json, text/event-stream"

// openAIMessage reads a body as npm's openai does: of a JSON object it shows the member error,
// as JSON unless that is an object with a message.
func openAIMessage(body string) string {
	var answer struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal([]byte(body), &answer) != nil || len(answer.Error) == 0 {
		return "(no body)"
	}
	var text string
	if json.Unmarshal(answer.Error, &text) != nil {
		return string(answer.Error)
	}
	return text
}

// rpcMessage reads a body as the MCP SDKs do, and is as strict as the strictest in each
// point: no unknown members (TypeScript), an id that is not null (Go), a number as code.
func rpcMessage(body string) string {
	var answer struct {
		Version string `json:"jsonrpc"`
		ID      any    `json:"id"`
		Error   *struct {
			Code    int             `json:"code"`
			Message string          `json:"message"`
			Data    json.RawMessage `json:"data"`
		} `json:"error"`
	}
	strict := json.NewDecoder(strings.NewReader(body))
	strict.DisallowUnknownFields()
	if strict.Decode(&answer) != nil || answer.Version != "2.0" || answer.ID == nil || answer.Error == nil {
		return "(no error)"
	}
	return answer.Error.Message
}

// TestRefusalForms: on every route, and for every reason, a client finds the message where it
// looks for it.
func TestRefusalForms(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	defer w.Faults().Set("/api/2.0/token-management/tokens/"+tokens.IDOf(lookedUp).String(), fakeworkspace.InternalError()).Remove()
	defer w.Faults().Set("/serving-endpoints/broken", fakeworkspace.Reset()).Remove()
	defer w.Faults().Set("/api/2.0/mcp/genie", fakeworkspace.Reset()).Remove()
	scoped, all := g.Mint("jobs").Value, g.Mint("all-apis").Value

	const openAI, rpc, neither = "openai", "json-rpc", "neither"
	for _, test := range []struct {
		name, path, token, accept string
		change                    func(*http.Request)
		reason, form              string
	}{
		{"missing scope", "/serving-endpoints/chat/completions", scoped, "application/json", nil, "missing_scope", openAI},
		{"management", "/api/2.0/serving-endpoints", scoped, "", nil, "missing_scope", openAI},
		{"web application", "/ajax-api/2.0/serving-endpoints/m/invocations", scoped, "", nil, "missing_scope", openAI},
		{"letter case", "/Serving-Endpoints/m/invocations", scoped, "", nil, "missing_scope", openAI},
		{"unmapped", "/serving-endpoints/no/such/path", scoped, "", nil, "missing_scope", openAI},
		{"two slashes", "//serving-endpoints/chat/completions", scoped, "", nil, "malformed_path", openAI},
		{"encoded", "/serving%2dendpoints/chat/completions", scoped, "", nil, "malformed_path", openAI},
		{"control character", "/serving-endpoints/a%00b", scoped, "", nil, "malformed_path", openAI},
		{"gateway", "/ai-gateway/mlflow/v1/chat/completions", scoped, mcpAccept, nil, "missing_scope", openAI},
		{"no token", "/serving-endpoints/m/invocations", "", "", nil, "missing_credential", openAI},
		{"two tokens", "/serving-endpoints/m/invocations", scoped, "", func(r *http.Request) { r.Header.Add("Authorization", "Bearer x") }, "ambiguous_request", openAI},
		{"token in the query", "/serving-endpoints/m/invocations?access_token=x", scoped, "", nil, "ambiguous_request", openAI},
		{"another host", "/serving-endpoints/m/invocations", scoped, "", func(r *http.Request) { r.Host = "gateway.svc" }, "misdirected_request", openAI},
		{"outage", "/serving-endpoints/m/invocations", lookedUp, "", nil, "directory_unavailable", openAI},
		{"no answer", "/serving-endpoints/broken/invocations", all, "", nil, "upstream_unavailable", openAI},

		{"MCP", "/api/2.0/mcp/genie", scoped, mcpAccept, nil, "missing_scope", rpc},
		{"MCP service", "/ai-gateway/mcp-services/s", scoped, mcpAccept, nil, "missing_scope", rpc},
		{"MCP, no token", "/api/2.0/mcp/genie", "", mcpAccept, nil, "missing_credential", rpc},
		{"MCP, unknown token", "/api/2.0/mcp/genie", harness.RevokedToken(w), mcpAccept, nil, "unknown_token", rpc},
		{"MCP, two slashes", "//api/2.0/mcp/genie", scoped, mcpAccept, nil, "malformed_path", rpc},
		{"MCP, another host", "/api/2.0/mcp/genie", scoped, mcpAccept, func(r *http.Request) { r.Host = "gateway.svc" }, "misdirected_request", rpc},
		{"MCP, outage", "/api/2.0/mcp/genie", lookedUp, mcpAccept, nil, "directory_unavailable", rpc},
		{"MCP, no answer", "/api/2.0/mcp/genie", all, mcpAccept, nil, "upstream_unavailable", rpc},
		{"MCP for Rust", "/api/2.0/mcp/genie", scoped, "text/event-stream, application/json", nil, "missing_scope", neither},
		{"MCP service, another client", "/ai-gateway/mcp-services/s", scoped, "application/json", nil, "missing_scope", openAI},

		{"jobs", "/api/2.1/jobs/create", harness.RevokedToken(w), mcpAccept, nil, "unknown_token", neither},
		{"Thrift", "/sql/1.0/warehouses/w", scoped, "application/x-thrift", nil, "missing_scope", neither},
		{"permissions", "/api/2.0/permissions/serving-endpoints/1", scoped, "", nil, "missing_scope", neither},
	} {
		for protocol, client := range map[string]*http.Client{"HTTP/1.1": harness.Client(t), "HTTP/2": harness.ClientH2C(t)} {
			r := harness.NewRequest(t, http.MethodPost, g.URL+test.path, test.token, strings.NewReader("{}"))
			if test.accept != "" {
				r.Header.Set("Accept", test.accept)
			}
			if test.change != nil {
				test.change(r)
			}
			got := harness.Do(t, client, r)
			message := got.Header.Get("X-Databricks-Reason-Phrase") + " [ReqId: " + got.Header.Get("X-Request-Id") + "]"
			want := map[string][2]string{openAI: {message, "(no error)"}, rpc: {"", message}, neither: {"(no body)", "(no error)"}}[test.form]
			if want[0] == "" {
				want[0] = openAIMessage(got.Body) // does not matter
			}
			if openAIMessage(got.Body) != want[0] || rpcMessage(got.Body) != want[1] {
				t.Errorf("%s, %s: %s", test.name, protocol, got.Body)
			}
			if got.Header.Get("X-Scopegate-Reason") != test.reason || got.StatusCode < 400 || got.Header.Get("Content-Length") != strconv.Itoa(len(got.Body)) {
				t.Errorf("%s, %s: %d, %v", test.name, protocol, got.StatusCode, got.Header)
			}
			if test.form != rpc {
				if body := got.Refused(t, got.StatusCode, test.reason); body.Message != message {
					t.Errorf("%s, %s: message %q", test.name, protocol, body.Message)
				}
			}
		}
	}
	t.Run("broken body", func(t *testing.T) {
		wire := g.Dial(t)
		wire.Send(t, "POST /serving-endpoints/m/invocations HTTP/1.1", "Host: "+g.Listen, "Authorization: Bearer "+all, "Transfer-Encoding: chunked", "", "no chunk")
		got := wire.Answer(t, http.MethodPost)
		if got.Header.Get("X-Scopegate-Reason") != "malformed_body" || !strings.HasPrefix(openAIMessage(got.Body), got.Header.Get("X-Databricks-Reason-Phrase")) {
			t.Errorf("%v, %s", got.Header, got.Body)
		}
	})
}

// lookedUp is a token whose look-up fails.
const lookedUp = "dapi00112233445566778899aabbccddeeff"

// TestStepUpEnds: MCP clients that sign in again for more scopes stop when they see the same
// challenge twice, so that it must not change from one refusal to the next.
func TestStepUpEnds(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	client, token := harness.Client(t), g.Mint("jobs").Value
	var challenges [2]string
	for i := range challenges {
		got := harness.Do(t, client, harness.NewRequest(t, http.MethodPost, g.URL+"/api/2.0/mcp/genie", token, nil, "Accept", mcpAccept))
		challenges[i] = got.Header.Get("WWW-Authenticate")
	}
	if challenges[0] == "" || challenges[0] != challenges[1] {
		t.Errorf("challenges %q", challenges)
	}
}

// TestSDKOnServing: the SDK's errors keep their type and details, and say the message once.
func TestSDKOnServing(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	for reason, test := range map[string]struct {
		token string
		want  error
		named []string
	}{
		"missing_scope":      {g.Mint("jobs").Value, databricks.ErrPermissionDenied, []string{"scopes", "model-serving"}},
		"unknown_token":      {harness.RevokedToken(w), databricks.ErrPermissionDenied, nil},
		"missing_credential": {"", databricks.ErrUnauthenticated, nil},
	} {
		client := sdkClient(t, g, test.token)
		_, err := client.ServingEndpoints.ListAll(t.Context())
		if !errors.Is(err, test.want) {
			t.Errorf("%s: %v is not %v", reason, err, test.want)
		}
		row := golden.FindRefusal(t, reason, test.named...)
		if info := sdkErrorInfo(t, err, row); info.Metadata["reason"] != reason {
			t.Errorf("%s: %v", reason, info)
		}
		_, err = client.ServingEndpoints.Query(t.Context(), serving.QueryEndpointInput{Name: "m"})
		if !errors.Is(err, test.want) || strings.Count(err.Error(), row.Prefix()) != 1 {
			t.Errorf("%s: %v", reason, err)
		}
	}
}

// TestHEADRefusals: the answer to HEAD has every header that the one to GET has, because it
// has nothing else.
func TestHEADRefusals(t *testing.T) {
	w := harness.StartWorkspace(t)
	defer w.Faults().Set("/api/2.0/token-management/tokens/"+tokens.IDOf(lookedUp).String(), fakeworkspace.InternalError()).Remove()
	for _, site := range []struct{ name, errorRoutes, length string }{
		{"no error routes", "", ""},
		{"error routes that answer", "handle_errors {\nrespond \"custom {err.status_code}\"\n}", "10"},
		{"error routes that do not", "handle_errors {\nheader X-Page yes\n}", ""},
	} {
		t.Run(site.name, func(t *testing.T) {
			g := harness.StartSite(t, w, harness.GatewayBlock(w, "")+"\n"+site.errorRoutes)
			scoped := g.Mint("jobs").Value
			for protocol, client := range map[string]*http.Client{"HTTP/1.1": harness.Client(t), "HTTP/2": harness.ClientH2C(t)} {
				for _, test := range []struct {
					path, token string
					has         []string
				}{
					{"/api/2.0/fs/files/Volumes/a/b/c/d", scoped, []string{"WWW-Authenticate"}},
					{"/api/2.0/fs/files/Volumes/a/b/c/d", "", []string{"WWW-Authenticate"}},
					{"/api/2.0/fs/files/Volumes/a/b/c/d", harness.RevokedToken(w), nil},
					{"/api/2.0/fs/files/Volumes/a/b/c/d", lookedUp, []string{"Retry-After"}},
					{"/api/2.0/fs/files//x", scoped, nil},
					{"/serving-endpoints/m", scoped, []string{"WWW-Authenticate"}},
				} {
					get := harness.Do(t, client, harness.NewRequest(t, http.MethodGet, g.URL+test.path, test.token, nil))
					head := harness.Do(t, client, harness.NewRequest(t, http.MethodHead, g.URL+test.path, test.token, nil))
					if head.StatusCode != get.StatusCode || head.Body != "" {
						t.Errorf("%s %s: %d and %q, GET %d", protocol, test.path, head.StatusCode, head.Body, get.StatusCode)
					}
					for name := range get.Header {
						if name == "Content-Length" && strings.HasPrefix(test.path, "/api/2.0/fs/") && site.length == "" {
							continue // the body names the operation, which is another one for HEAD
						}
						if name != "Date" && name != "X-Request-Id" && name != "Retry-After" && head.Header.Get(name) != get.Header.Get(name) {
							t.Errorf("%s %s: %s is %q, GET %q", protocol, test.path, name, head.Header.Get(name), get.Header.Get(name))
						}
					}
					if site.length != "" && head.Header.Get("Content-Length") != site.length {
						t.Errorf("%s %s: Content-Length %q, the error route sends %s bytes", protocol, test.path, head.Header.Get("Content-Length"), site.length)
					}
					for _, name := range append(test.has, "X-Databricks-Reason-Phrase", "X-Scopegate-Reason", "X-Request-Id", "Content-Type", "Content-Length") {
						if head.Header.Get(name) == "" {
							t.Errorf("%s %s: no %s in %v", protocol, test.path, name, head.Header)
						}
					}
				}
			}
		})
	}
}
