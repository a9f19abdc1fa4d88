package authcheck

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/exchange"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/refusal"
	"github.com/scopegate/scopegate/scopes"
)

const app = "https://app.example.com"

// refused is the answer to a request that was refused for a reason.
func refused(reason policy.Reason) exchange.Answer {
	j := judge.Judgement{
		Decision: judge.Deny, Enforced: true, Reason: reason, Problem: "It is a test.",
		Operation: &scopes.Operation{Name: "jobs.Jobs.List", AnyOf: []string{"jobs"}},
	}
	return exchange.Answer{Record: &audit.Record{Judgement: j}, Refusal: refusal.For(&j, ""), CORS: judge.Origins{app}}
}

// askedBy returns what a proxy asks about, and the check by which it asks.
func askedBy(d Dialect, method string, header http.Header) Description {
	r := httptest.NewRequest(method, "/api/2.0/jobs/list", nil)
	r.Header = header
	return Description{Dialect: d, Request: r}
}

// kinds are requests to which gateways answer in other ways.
var kinds = map[string]struct {
	method string
	header http.Header
}{
	"plain": {http.MethodGet, http.Header{}},
	"gRPC":  {http.MethodPost, http.Header{"Content-Type": {"application/grpc"}}},
	"HEAD":  {http.MethodHead, http.Header{}},
	"CORS":  {http.MethodGet, http.Header{"Origin": {app}}},
	"preflight": {http.MethodOptions, http.Header{
		"Origin": {app}, "Access-Control-Request-Method": {"GET"}, "Access-Control-Request-Headers": {"authorization"},
	}},
	"MCP": {http.MethodPost, http.Header{"Accept": {"application/json, text/event-stream"}}},
}

// TestRefusals: no proxy takes a refusal for leave, whatever the request and the reason, and
// each gets the whole of it.
func TestRefusals(t *testing.T) {
	t.Parallel()
	reasons := []policy.Reason{
		policy.MissingScope, policy.MissingCredential, policy.UnknownToken, policy.AmbiguousRequest, policy.MalformedPath,
		policy.GatewayMisconfigured, policy.CORSNotAllowed, policy.AuditUnavailable,
	}
	for _, d := range []Dialect{Nginx, Forwarded, Envoy} {
		for name, kind := range kinds {
			for _, reason := range reasons {
				t.Run(string(d)+" "+name+" "+string(reason), func(t *testing.T) {
					t.Parallel()
					w := httptest.NewRecorder()
					answer := refused(reason)
					Write(w, askedBy(d, kind.method, kind.header), answer)
					status, body := w.Code, w.Body.String()
					if w.Header().Get("Cache-Control") != "no-store" || w.Header().Get("X-Scopegate-Reason") != string(reason) || len(w.Header().Get("X-Request-Id")) != 36 {
						t.Errorf("headers %v", w.Header())
					}
					if d == Nginx {
						if status != 401 && status != 403 || body != "" {
							t.Errorf("nginx is told %d %q", status, body)
						}
						body = w.Header().Get("X-Scopegate-Body")
						var err error
						if status, err = strconv.Atoi(w.Header().Get("X-Scopegate-Status")); err != nil {
							t.Error(err)
						}
					}
					if status != answer.Refusal.Status || status < 400 {
						t.Errorf("status %d, want %d", status, answer.Refusal.Status)
					}
					if !json.Valid([]byte(body)) || !strings.Contains(body, answer.Refusal.RequestID) || strings.ContainsAny(body, "\r\n") {
						t.Errorf("body %q", body)
					}
					if challenge := w.Header().Get("WWW-Authenticate"); (challenge != "") != (status == 401 || reason == policy.MissingScope) {
						t.Errorf("WWW-Authenticate %q with %d", challenge, status)
					}
					if allowed := w.Header().Get("Access-Control-Allow-Origin"); name == "CORS" && reason != policy.CORSNotAllowed && allowed != app || name == "preflight" && (allowed == "" || allowed == app) {
						t.Errorf("Access-Control-Allow-Origin %q", allowed)
					}
				})
			}
		}
	}
}

// TestPermits: who may pass is told nothing that a proxy could send on by mistake, and what
// it must remove.
func TestPermits(t *testing.T) {
	t.Parallel()
	drop := []string{"Cookie", "X-Http-Method"}
	for _, d := range []Dialect{Nginx, Forwarded, Envoy} {
		for name, kind := range kinds {
			t.Run(string(d)+" "+name, func(t *testing.T) {
				t.Parallel()
				w := httptest.NewRecorder()
				record := &audit.Record{Judgement: judge.Judgement{Decision: judge.Allow, Reason: policy.Permitted}}
				Write(w, askedBy(d, kind.method, kind.header), exchange.Answer{Record: record, Drop: drop, CORS: judge.Origins{app}})
				if w.Code != http.StatusOK || w.Body.Len() > 0 || w.Header().Get("Cache-Control") != "no-store" {
					t.Errorf("%d %v %q", w.Code, w.Header(), w.Body)
				}
				if w.Header().Get("X-Scopegate-Decision") != "allow" || w.Header().Get("X-Scopegate-Drop") != "Cookie,X-Http-Method" {
					t.Errorf("headers %v", w.Header())
				}
				removed := w.Header().Get("X-Envoy-Auth-Headers-To-Remove")
				if d == Envoy && removed != "Cookie,X-Http-Method" || d != Envoy && removed != "" {
					t.Errorf("Envoy is to remove %q", removed)
				}
				for header := range w.Header() {
					if header != "Cache-Control" && !strings.HasPrefix(header, "X-Scopegate-") && header != "X-Envoy-Auth-Headers-To-Remove" {
						t.Errorf("it is told %s", header)
					}
				}
			})
		}
	}
}

// TestManyHeaders: proxies with small buffers can read every answer, and Envoy gets the whole
// list that it removes by.
func TestManyHeaders(t *testing.T) {
	t.Parallel()
	var drop []string
	for i := range 1000 {
		drop = append(drop, "X-Original-Url"+strings.Repeat("_", i%50+1))
	}
	answer := exchange.Answer{Record: &audit.Record{Judgement: judge.Judgement{Decision: judge.Allow}}, Drop: drop}
	w := httptest.NewRecorder()
	Write(w, askedBy(Envoy, http.MethodGet, http.Header{}), answer)
	if n := len(w.Header().Get("X-Scopegate-Drop")); n > maxDropped+10 {
		t.Errorf("X-Scopegate-Drop has %d bytes", n)
	}
	if got := strings.Split(w.Header().Get("X-Envoy-Auth-Headers-To-Remove"), ","); !slices.Equal(got, drop) {
		t.Errorf("Envoy removes %d of %d", len(got), len(drop))
	}
}
