package caddymodule_test

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

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// BenchmarkHandler is all that the handler adds to a request that passes: the
// decision, metrics, use of tokens, placeholders, and tracking of the response.
func BenchmarkHandler(b *testing.B) {
	handler, requests := startHandler(b, 1000)
	answer := make([]byte, 1024)
	next := caddyhttp.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusOK)
		_, err := w.Write(answer)
		return err
	})
	w := &discardingWriter{header: make(http.Header)}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		r := requests[i%len(requests)]
		// Each request has a replacer of its own, which is Caddy's cost, not ours.
		*r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer) = *caddy.NewEmptyReplacer()
		if err := handler.ServeHTTP(w, r, next); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

// startHandler runs a handler without audit, and returns requests as clients send
// them, each with a token that the handler knows.
func startHandler(b *testing.B, tokens int) (caddyhttp.MiddlewareHandler, []*http.Request) {
	b.Helper()
	workspace := fakeworkspace.New()
	if err := workspace.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(workspace.Close)
	b.Setenv("TEST_ADMIN_TOKEN", workspace.AdminToken())
	config := fmt.Appendf(nil, `{"admin":{"disabled":true},"logging":{"logs":{"default":{"writer":{"output":"discard"}}}},"apps":{"http":{"servers":{"x":{
		"listen":["127.0.0.1:0"],"routes":[{"handle":[{"handler":"databricks_scopes","workspace":%q,"admin":{"token":"{env.TEST_ADMIN_TOKEN}"},
		"cache":{"ttl":"24h"},"lookup":{"rate":1000},"usage":-1,"audit":{"log":"off"}}]}]}}}}}`, workspace.URL())
	if err := caddy.Load(config, true); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = caddy.Stop() })
	app, err := caddy.ActiveContext().App("http")
	if err != nil {
		b.Fatal(err)
	}
	handler := app.(*caddyhttp.App).Servers["x"].Routes[0].Handlers[0]
	paths := []string{
		"/api/2.2/jobs/list?limit=25&page_token=CAEo5",
		"/api/2.1/unity-catalog/tables/main.sales.orders",
		"/api/2.0/sql/statements/01f0a1b2-3c4d-5e6f-7a8b-9c0d1e2f3a4b",
	}
	var requests []*http.Request
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
		ctx = context.WithValue(ctx, caddy.ReplacerCtxKey, caddy.NewReplacer())
		requests = append(requests, r.WithContext(ctx))
		untilPassed(b, handler, requests[i])
	}
	return handler, requests
}

// untilPassed repeats a request until its token is known.
func untilPassed(b *testing.B, handler caddyhttp.MiddlewareHandler, r *http.Request) {
	b.Helper()
	passed := false
	next := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { passed = true; return nil })
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		answer := httptest.NewRecorder()
		if err := handler.ServeHTTP(answer, r, next); passed {
			return
		} else if time.Now().After(deadline) {
			b.Fatalf("a request that should pass is refused: %v %s", err, answer.Body)
		}
	}
}

// discardingWriter is a response that is thrown away without a measurable cost.
type discardingWriter struct{ header http.Header }

func (w *discardingWriter) Header() http.Header         { return w.header }
func (w *discardingWriter) Write(b []byte) (int, error) { return len(b), nil }
func (w *discardingWriter) WriteHeader(int)             {}

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
