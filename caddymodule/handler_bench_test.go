package caddymodule

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/race"
)

// ordinaries are requests as clients send them, with a token each that the gateway
// knows.
type ordinaries struct {
	handler  *Handler
	requests []*http.Request
}

// startOrdinary starts a gateway without audit and has it look up the tokens.
func startOrdinary(t testing.TB, tokens int) *ordinaries {
	t.Helper()
	workspace := fakeworkspace.New()
	if err := workspace.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(workspace.Close)
	t.Setenv("TEST_ADMIN_TOKEN", workspace.AdminToken())
	config := fmt.Appendf(nil, `{"admin":{"disabled":true},"logging":{"logs":{"default":{"writer":{"output":"discard"}}}},"apps":{"http":{"servers":{"x":{
		"listen":["127.0.0.1:0"],"routes":[{"handle":[{"handler":"databricks_scopes","workspace":%q,"admin":{"token":"{env.TEST_ADMIN_TOKEN}"},
		"cache":{"ttl":"24h"},"lookup":{"rate":1000},"audit":{"log":"off"}}]}]}}}}}`, workspace.URL())
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = caddy.Stop() })
	app, err := caddy.ActiveContext().App("http")
	if err != nil {
		t.Fatal(err)
	}
	handler := app.(*caddyhttp.App).Servers["x"].Routes[0].Handlers[0]
	o := &ordinaries{handler: handler.(*Handler)}
	paths := []string{
		"/api/2.2/jobs/list?limit=25&page_token=CAEo5",
		"/api/2.1/unity-catalog/tables/main.sales.orders",
		"/api/2.0/sql/statements/01f0a1b2-3c4d-5e6f-7a8b-9c0d1e2f3a4b",
	}
	for i := range tokens {
		token := workspace.Mint(fakeworkspace.TokenSpec{
			Owner:    "someone@example.com",
			Comment:  fmt.Sprintf("nightly load %d", i),
			Scopes:   []string{"clusters", "jobs", "unity-catalog", "sql"},
			Lifetime: 90 * 24 * time.Hour,
		})
		r := httptest.NewRequest(http.MethodGet, "http://gateway"+paths[i%len(paths)], nil)
		r.Header = http.Header{
			"Authorization":   {"Bearer " + token.Value},
			"User-Agent":      {"databricks-sdk-go/0.175.0 go/1.26.0 os/linux auth/pat"},
			"Accept":          {"application/json"},
			"Accept-Encoding": {"gzip"},
		}
		ctx := context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{caddyhttp.ClientIPVarKey: "127.0.0.1"})
		o.requests = append(o.requests, r.WithContext(ctx))
		o.lookUp(t, o.requests[i])
	}
	return o
}

// lookUp repeats a request until its token is known.
func (o *ordinaries) lookUp(t testing.TB, r *http.Request) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		got := o.judge(r)
		if got.Decision == judge.Allow {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("a request that should be allowed is refused: %s", got.Reason)
		}
	}
}

func (o *ordinaries) judge(r *http.Request) judge.Judgement {
	return o.handler.enforcer.Judge().Judge(r.Context(), judge.Of(r, time.Now()))
}

// TestDecisionAllocatesNothing holds the promise that an ordinary request with a
// token that is known leaves no garbage, its record apart.
func TestDecisionAllocatesNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	o := startOrdinary(t, 3)
	for _, r := range o.requests {
		if allocations := testing.AllocsPerRun(1000, func() {
			if got := o.judge(r); got.Decision != judge.Allow {
				t.Fatal(got.Reason)
			}
		}); allocations != 0 {
			t.Errorf("%s: %v allocations", r.URL.Path, allocations)
		}
	}
}

// BenchmarkDecision is the whole way from a request to the decision about it.
func BenchmarkDecision(b *testing.B) {
	o := startOrdinary(b, 1000)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if got := o.judge(o.requests[i%len(o.requests)]); got.Decision != judge.Allow {
			b.Fatal(got.Reason)
		}
	}
}

// discard is where an answer goes that is not measured.
type discard struct{ header http.Header }

func (w *discard) Header() http.Header         { return w.header }
func (w *discard) Write(b []byte) (int, error) { return len(b), nil }
func (w *discard) WriteHeader(int)             {}

// BenchmarkHandler is all that the handler adds to a request that passes: the
// decision, metrics, use of tokens, placeholders, and what watches the answer.
func BenchmarkHandler(b *testing.B) {
	o := startOrdinary(b, 1000)
	answer := make([]byte, 1024)
	next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusOK)
		_, err := w.Write(answer)
		return err
	})
	w := &discard{header: make(http.Header)}
	for i, r := range o.requests {
		o.requests[i] = r.WithContext(context.WithValue(r.Context(), caddy.ReplacerCtxKey, caddy.NewReplacer()))
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		r := o.requests[i%len(o.requests)]
		// Each request has a replacer of its own, which is Caddy's cost, not ours.
		*r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer) = *caddy.NewEmptyReplacer()
		if err := o.handler.ServeHTTP(w, r, next); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// BenchmarkUntraced is what looking for a span costs a request without a trace.
func BenchmarkUntraced(b *testing.B) {
	r := httptest.NewRequest("GET", "/api/2.2/jobs/list", nil)
	r = r.WithContext(context.WithValue(r.Context(), caddyhttp.VarsCtxKey, map[string]any{}))
	b.ReportAllocs()
	for b.Loop() {
		if trace.SpanFromContext(r.Context()).IsRecording() {
			b.Fatal("recording")
		}
	}
}
