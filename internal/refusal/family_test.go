package refusal

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/testing/race"
	"github.com/scopegate/scopegate/scopes"
)

// familyTests are spellings of routes, and the family of each.
var familyTests = []struct {
	path string
	want family
}{
	{"/serving-endpoints", modelAPI},
	{"/serving-endpoints/chat/completions", modelAPI},
	{"/serving-endpoints/m/invocations", modelAPI},
	{"/serving-endpoints/m/served-models/n/invocations", modelAPI},
	{"/serving-endpoints/nobody/knows/this/path", modelAPI},
	{"/SERVING-endpoints/chat/completions/", modelAPI},
	{"//serving-endpoints/chat/completions", modelAPI},
	{"/serving-endpoints//chat/completions", modelAPI},
	{"/./serving-endpoints/m/invocations", modelAPI},
	{"/api/2.0/jobs/../serving-endpoints", modelAPI},
	{"/serving-endpoints/../api/2.0/jobs/list", modelAPI}, // to some servers
	{"/serving%2Dendpoints/m/invocations", modelAPI},
	{"/serving%2dendpoints/m/invocations", modelAPI},
	{"/serving%252Dendpoints/m/invocations", modelAPI},
	{"/%73erving-endpoints/m/invocations", modelAPI},
	{"/%2e/serving-endpoints/m/invocations", modelAPI},
	{"/serving-endpoints%2Fm%2Finvocations", modelAPI},
	{"/serving-endpoints;v=1/m/invocations", modelAPI},
	{`/serving-endpoints\m\invocations`, modelAPI},
	{"/serving-endpoints./m", modelAPI},
	{"/ſerving-endpointſ/m", modelAPI},
	{"/serving-endpoints/%00", modelAPI},
	{"/serving-endpoints/%ff", modelAPI},
	{"/serving-endpoints?x", 0}, // the target has no such path: a question mark begins the query
	{"/api/2.0/serving-endpoints", modelAPI},
	{"/api/2.0/serving-endpoints/m/config", modelAPI},
	{"/api/2.0/serving-endpoints:foundation-models", modelAPI},
	{"/api/2.1/serving-endpoints/m", modelAPI},
	{"/api/2.0/preview/serving-endpoints/m", modelAPI},
	{"/api/v3/serving-endpoints", modelAPI},
	{"/api/serving-endpoints", modelAPI},
	{"/ajax-api/2.0/serving-endpoints/m/invocations", modelAPI},
	{"/AJAX-API/2.0/Serving-Endpoints", modelAPI},
	{"/ai-gateway/mlflow/v1/chat/completions", modelAPI},
	{"/ai-gateway/anything", modelAPI},
	{"/api/ai-gateway/config", modelAPI},
	{"/api/2.0/ai-gateway/config", modelAPI},
	{"/ajax-api/ai-gateway/config", modelAPI},

	{"/ai-gateway/mcp-services/s", modelAPI | mcp},
	{"/ai-gateway/mcp-services/s/deeper", modelAPI | mcp},
	{"/ai-gateway/connections/c", modelAPI | mcp},
	{"/api/2.0/mcp/genie", mcp},
	{"/api/2.0/mcp/genie/", mcp},
	{"/api/2.0/mcp/functions/c/s/f", mcp},
	{"/api/2.1/mcp/nobody/knows", mcp},
	{"/ajax-api/2.0/mcp/sql", mcp},
	{"/api/2.0/MCP/sql", mcp},
	{"/api/2.0/mc%70/sql", mcp},
	{"/api/2.0/unity-catalog/connections/c/proxy/x", mcp},

	{"/sql/1.0/warehouses/w", thrift},
	{"/sql/1.0/endpoints/w", thrift},
	{"/sql/protocolv1/o/1/c", thrift},

	{"/api/2.0/permissions/serving-endpoints/1", 0},
	{"/api/2.1/unity-catalog/connections/c", 0},
	{"/api/2.1/unity-catalog/mcp-services", 0},
	{"/api/2.0/fs/files/serving-endpoints", 0},
	{"/api/2.0/sql/warehouses", 0},
	{"/mcp", 0},
	{"/serving-endpoints-of-mine", 0},
	{"/", 0},
	{"", 0},
	{"*", 0},
}

// TestFamily: the form of a refusal follows the route in every spelling, whether or not it was
// judged.
func TestFamily(t *testing.T) {
	t.Parallel()
	for _, test := range familyTests {
		r := &http.Request{Method: http.MethodPost, URL: &url.URL{}}
		if path, query, _ := strings.Cut(test.path, "?"); query == "" {
			if plain, err := url.PathUnescape(path); err == nil {
				r.URL.Path, r.URL.RawPath = plain, path
			} else {
				r.URL.Path = path
			}
		}
		if got := familyOf(&judge.Judgement{}, r); got != test.want {
			t.Errorf("%s: family %b, want %b", test.path, got, test.want)
		}
		// As the handler does: with what the path was read as.
		readings, err := scopes.Default().Read(r.Method, r.URL.EscapedPath(), nil)
		if err != nil || strings.Contains(test.path, "..") {
			continue
		}
		j := judge.Judgement{Operation: readings[0].Operation, Readings: readings}
		if got := familyOf(&j, r); got != test.want {
			t.Errorf("%s, which is %s: family %b, want %b", test.path, readings[0].Operation.Name, got, test.want)
		}
	}
}

// TestFamilyOfCatalog: the rows of these services have their family, and no others have one.
func TestFamilyOfCatalog(t *testing.T) {
	t.Parallel()
	counted := make(map[family]int)
	for _, o := range scopes.Default().Operations() {
		got := familyOfPath(o.Template)
		counted[got]++
		service, _, _ := strings.Cut(o.Name, ".")
		want := map[string]family{"mcp": mcp, "thrift": thrift}[service]
		if service == "serving" || service == "aigateway" {
			want = modelAPI
		}
		if strings.HasPrefix(o.Template, "/api/2.0/permissions/") || o.Template == "/api/2.0/external-function" {
			want = 0
		}
		if got&want != want || want == 0 && got != 0 && !strings.HasPrefix(o.Name, "connections.Proxy") {
			t.Errorf("%s %s: family %b, want %b", o.Name, o.Template, got, want)
		}
	}
	for _, f := range []family{modelAPI, modelAPI | mcp, mcp, thrift, 0} {
		if counted[f] == 0 {
			t.Errorf("no row has family %b", f)
		}
	}
}

// TestJudgedFamily: what a path was judged as goes before how it looks.
func TestJudgedFamily(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodPost, "/serving-endpoints/m", nil)
	if got := familyOf(&judge.Judgement{Operation: &scopes.Operation{Name: "mine", Template: "/{path...}", Evidence: scopes.Operator}}, r); got != 0 {
		t.Errorf("an operator's row: family %b", got)
	}
	unmapped := scopes.Operation{Template: "/{path...}", Evidence: scopes.Unmapped}
	if got := familyOf(&judge.Judgement{Operation: &unmapped}, r); got != modelAPI {
		t.Errorf("an unmapped path: family %b", got)
	}
	other := httptest.NewRequest(http.MethodPost, "/x", nil)
	ambiguous := judge.Judgement{Readings: []scopes.Reading{{Operation: &unmapped}, {Operation: &scopes.Operation{Template: "/api/2.0/mcp/sql"}}}}
	if got := familyOf(&ambiguous, other); got != mcp {
		t.Errorf("one of two readings: family %b", got)
	}
}

var acceptTests = []struct {
	accept []string
	want   bool
}{
	{[]string{"application/json, text/event-stream"}, true},
	{[]string{"application/json,text/event-stream"}, true},
	{[]string{"Application/JSON;q=0.9 , TEXT/event-stream; q=0.5, */*"}, true},
	{[]string{"application/json", "text/event-stream"}, true},
	{[]string{"text/event-stream, application/json"}, false}, // the SDK for Rust
	{[]string{"application/json"}, false},
	{[]string{"text/event-stream"}, false},
	{[]string{"*/*"}, false},
	{[]string{"application/json-rpc, text/event-stream"}, false},
	{[]string{"application/json;text/event-stream"}, false},
	{[]string{""}, false},
	{nil, false},
}

func TestPrefersJSON(t *testing.T) {
	t.Parallel()
	for _, test := range acceptTests {
		if got := prefersJSON(test.accept); got != test.want {
			t.Errorf("%q: %t, want %t", test.accept, got, test.want)
		}
	}
}

// FuzzForm: whatever a client sends as path and Accept, the body has one of the three forms,
// and carries the message.
func FuzzForm(f *testing.F) {
	for _, test := range familyTests {
		f.Add(http.MethodPost, test.path, "application/json, text/event-stream", "")
	}
	for _, test := range acceptTests {
		f.Add(http.MethodGet, "/api/2.0/mcp/sql", strings.Join(test.accept, ","), "application/x-thrift")
	}
	f.Fuzz(func(t *testing.T, method, path, accept, contentType string) {
		r := &http.Request{Method: method, URL: &url.URL{Path: path}, Header: http.Header{"Accept": {accept}, "Content-Type": {contentType}}}
		answer := For(&judge.Judgement{Decision: judge.Deny, Reason: policy.UnknownToken}, "")
		header := make(http.Header)
		answer.WriteHeaders(header, r)
		form := readForm(t, answer.bodyFor(r))
		if form.message != answer.Error() {
			t.Errorf("message %q", form.message)
		}
		if form.rpc && (method != http.MethodPost || !strings.Contains(strings.ToLower(accept), "text/event-stream")) {
			t.Error("JSON-RPC for a client that does not speak it")
		}
		if got := familyOfText(strings.ToUpper(path)); path == strings.ToLower(path) && strings.ToLower(strings.ToUpper(path)) == path && got != familyOfText(path) {
			t.Errorf("letter case changes family %b to %b", familyOfText(path), got)
		}
	})
}

// TestFamilyAllocations: refusals of ordinary paths are cheap.
func TestFamilyAllocations(t *testing.T) {
	if race.Enabled {
		t.Skip("counts allocations")
	}
	r := httptest.NewRequest(http.MethodPost, "/serving-endpoints/chat/completions", nil)
	r.Header.Set("Accept", "application/json, text/event-stream")
	j := new(judge.Judgement)
	if n := testing.AllocsPerRun(100, func() { isMCP(j, r); isThrift(j, r); familyOf(j, r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	long := strings.Repeat("/%2e%2e/a;b", 1<<16)
	if n := testing.AllocsPerRun(10, func() { familyOfText(long) }); n > 50 {
		t.Errorf("%v allocations for a long path", n)
	}
}
