package otlptest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/scopegate/scopegate/internal/testing/otlptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestWhatWasSentArrives(t *testing.T) {
	for _, compression := range []string{"none", "gzip"} {
		t.Setenv("OTEL_EXPORTER_OTLP_COMPRESSION", compression)
		t.Setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=blue")
		t.Run(compression, func(t *testing.T) {
			each(t, func(t *testing.T, r *otlptest.Receiver, e exporter) {
				if err := e.send(t, t.Context(), 3); err != nil {
					t.Fatal(err)
				}
				e.wait(r, t, 3)
				if got := r.Headers(); len(got) != 1 || got[0].Get("X-Tenant") != "blue" {
					t.Errorf("headers %v", got)
				}
				for i, s := range r.Spans() {
					if s.GetName() != fmt.Sprint("decision ", i) || s.TraceID() != traceID.String() || s.SpanID() != spanID.String() || s.ParentID() != "" {
						t.Errorf("span %d: %v", i, s.Span)
					}
					if got := s.LinkedTraceIDs(); len(got) != 1 || got[0] != callerID.String() {
						t.Errorf("span %d links to %v", i, got)
					}
					checkAttrs(t, s.Attrs(), s.ResourceAttrs(), s.Scope.GetName())
				}
				for i, l := range r.Logs() {
					if l.Content() != fmt.Sprint("decision ", i) || l.TraceID() != traceID.String() || l.SpanID() != spanID.String() {
						t.Errorf("log record %d: %v", i, l.LogRecord)
					}
					checkAttrs(t, l.Attrs(), l.ResourceAttrs(), l.Scope.GetName())
				}
			})
		})
	}
}

func checkAttrs(t *testing.T, attrs, resourceAttrs map[string]any, scope string) {
	t.Helper()
	want := map[string]any{"s": "jobs.List", "b": true, "i": int64(403), "f": .5}
	for key, value := range want {
		if attrs[key] != value {
			t.Errorf("attribute %s is %v (%T)", key, attrs[key], attrs[key])
		}
	}
	if got := fmt.Sprint(attrs["l"]); got != "[jobs sql]" {
		t.Errorf("a list arrived as %s", got)
	}
	if m, ok := attrs["m"].(map[string]any); !ok || fmt.Sprint(m["x"]) != fmt.Sprint([]byte("y")) {
		t.Errorf("a map arrived as %v", attrs["m"])
	}
	if resourceAttrs["service.name"] != "gateway" || scope != "audit" {
		t.Errorf("resource %v, scope %q", resourceAttrs, scope)
	}
}

func TestRefusals(t *testing.T) {
	for _, status := range []int{http.StatusServiceUnavailable, http.StatusBadRequest, http.StatusInternalServerError} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			each(t, func(t *testing.T, r *otlptest.Receiver, e exporter) {
				r.Refuse(status)
				if err := e.send(t, t.Context(), 1); err == nil {
					t.Error("the exporter saw no error")
				}
				if e.count(r) != 0 || r.Calls() != 1 {
					t.Errorf("%d arrived in %d calls", e.count(r), r.Calls())
				}
				r.Recover()
				if err := e.send(t, t.Context(), 1); err != nil || e.count(r) != 1 {
					t.Errorf("after recovery: %d arrived, %v", e.count(r), err)
				}
			})
		})
	}
}

// TestExportersTryAgain: exporters retry after the statuses for which OTLP asks for it,
// and after no others.
func TestExportersTryAgain(t *testing.T) {
	for _, test := range []struct {
		status int
		again  bool
	}{{http.StatusServiceUnavailable, true}, {http.StatusTooManyRequests, true}, {http.StatusBadRequest, false}} {
		for _, protocol := range []otlptest.Protocol{otlptest.HTTP, otlptest.GRPC} {
			t.Run(fmt.Sprint(test.status, " ", protocol), func(t *testing.T) {
				r := otlptest.Start(t, protocol)
				r.Setenv(t)
				r.Refuse(test.status)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				e, err := patientExporter(ctx, protocol)
				if err != nil {
					t.Fatal(err)
				}
				sent := make(chan error, 1)
				go func() { sent <- sendSpans(t, ctx, e, nil, 1) }()
				if !test.again {
					if err := <-sent; err == nil || r.Calls() != 1 {
						t.Errorf("%d calls, %v", r.Calls(), err)
					}
					return
				}
				r.WaitCalls(t, 2)
				r.Recover()
				if err := <-sent; err != nil {
					t.Error(err)
				}
				r.WaitSpans(t, 1)
			})
		}
	}
}

func TestPartialSuccess(t *testing.T) {
	for _, test := range []struct {
		name                   string
		reject, sent, received int
	}{
		{"some", 2, 5, 3},
		{"more than sent", 10, 2, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			each(t, func(t *testing.T, r *otlptest.Receiver, e exporter) {
				r.RejectPart(test.reject)
				err := e.send(t, t.Context(), test.sent)
				want := fmt.Sprint(test.sent - test.received)
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want one about %s", err, want)
				}
				if e.count(r) != test.received {
					t.Errorf("%d received, want %d", e.count(r), test.received)
				}
			})
		})
	}
}

func TestHanging(t *testing.T) {
	each(t, func(t *testing.T, r *otlptest.Receiver, e exporter) {
		r.Hang()
		ctx, cancel := context.WithCancel(t.Context())
		sent := make(chan error, 1)
		go func() { sent <- e.send(t, ctx, 1) }()
		r.WaitCalls(t, 1)
		select {
		case err := <-sent:
			t.Fatalf("a hanging call ended: %v", err)
		default:
		}
		cancel()
		if err := <-sent; err == nil {
			t.Error("no error after the exporter gave up")
		}
		if e.count(r) != 0 {
			t.Errorf("%d received", e.count(r))
		}
	})
}

func TestSlowness(t *testing.T) {
	each(t, func(t *testing.T, r *otlptest.Receiver, e exporter) {
		const delay = 30 * time.Millisecond
		r.Slow(delay)
		start := time.Now()
		if err := e.send(t, t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < delay {
			t.Errorf("answered after %s", took)
		}
		e.wait(r, t, 1)
	})
}

func TestDyingAndComingBack(t *testing.T) {
	each(t, func(t *testing.T, r *otlptest.Receiver, e exporter) {
		if err := e.send(t, t.Context(), 1); err != nil {
			t.Fatal(err)
		}
		r.Hang()
		sent := make(chan error, 1)
		go func() { sent <- e.send(t, t.Context(), 1) }()
		r.WaitCalls(t, 2)
		r.Stop()
		r.Stop()
		if err := <-sent; err == nil {
			t.Error("the running call did not fail")
		}
		if err := e.send(t, t.Context(), 1); err == nil {
			t.Error("a call to a dead receiver did not fail")
		}
		if e.count(r) != 1 {
			t.Errorf("the dead receiver has %d, want 1", e.count(r))
		}
		next := otlptest.StartAt(t, e.protocol, r.Address())
		if err := e.send(t, t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		e.wait(next, t, 2)
	})
}

func TestKeepingIsBounded(t *testing.T) {
	r := otlptest.Start(t, otlptest.GRPC)
	r.Setenv(t)
	e := exporters()[1]
	// Calls are small, so that a busy machine answers each in time.
	const calls, batch = 50, otlptest.MaxKept/40 + 1
	for range calls {
		if err := e.send(t, t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	if kept := len(r.Spans()); e.count(r) != calls*batch || kept != otlptest.MaxKept {
		t.Errorf("%d counted, %d kept", e.count(r), kept)
	}
}

func TestMalformedCalls(t *testing.T) {
	r := otlptest.Start(t, otlptest.HTTP)
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	for _, test := range []struct {
		name, method, path, kind, encoding, body string
		want                                     int
	}{
		{"well-formed", "POST", "/v1/traces", "application/x-protobuf", "", "", 200},
		{"another method", "GET", "/v1/traces", "application/x-protobuf", "", "", 405},
		{"another path", "POST", "/v1/metrics", "application/x-protobuf", "", "", 404},
		{"JSON", "POST", "/v1/traces", "application/json", "", "{}", 415},
		{"another encoding", "POST", "/v1/logs", "application/x-protobuf", "zstd", "", 415},
		{"not gzip", "POST", "/v1/logs", "application/x-protobuf", "gzip", "plain", 400},
		{"not protobuf", "POST", "/v1/logs", "application/x-protobuf", "", "\xff\xff", 400},
		{"too large", "POST", "/v1/logs", "application/x-protobuf", "", strings.Repeat("x", 16<<20+1), 413},
	} {
		t.Run(test.name, func(t *testing.T) {
			request, err := http.NewRequest(test.method, r.URL()+test.path, bytes.NewReader([]byte(test.body)))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", test.kind)
			if test.encoding != "" {
				request.Header.Set("Content-Encoding", test.encoding)
			}
			response, err := transport.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			response.Body.Close()
			if response.StatusCode != test.want {
				t.Errorf("status %d, want %d", response.StatusCode, test.want)
			}
		})
	}
	if r.Calls() != 1 {
		t.Errorf("%d calls counted", r.Calls())
	}
}

func TestListenErrors(t *testing.T) {
	r := otlptest.Start(t, otlptest.HTTP)
	if _, err := otlptest.Listen(otlptest.GRPC, r.Address()); err == nil {
		t.Error("listening on an address in use succeeded")
	}
	if _, err := otlptest.Listen("http/json", "127.0.0.1:0"); err == nil || errors.Unwrap(err) != nil {
		t.Errorf("an unknown protocol: %v", err)
	}
}
