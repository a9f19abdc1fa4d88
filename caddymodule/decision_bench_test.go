package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/scopegate/scopegate/internal/authcheck"
	"github.com/scopegate/scopegate/internal/exchange"
)

// BenchmarkCheck is what a check costs over HTTP, from its headers to those of the answer.
func BenchmarkCheck(b *testing.B) {
	o := startOrdinary(b, 1000)
	checks := make([]*http.Request, len(o.requests))
	for i, r := range o.requests {
		check := httptest.NewRequest(http.MethodGet, "http://gateway"+authcheck.Path, nil).WithContext(r.Context())
		check.RequestURI, check.Header = authcheck.Path, r.Header.Clone()
		check.Header.Set("X-Original-Method", r.Method)
		check.Header.Set("X-Original-Uri", r.URL.RequestURI())
		checks[i] = check
	}
	w := &discard{header: make(http.Header)}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		asked, problem := authcheck.Describe(checks[i%len(checks)], authcheck.Recognized, "")
		if problem != nil {
			b.Fatal(problem.Text)
		}
		answer := o.handler.enforcer.Decide(exchange.Question{Request: asked.Request, Client: asked.Client})
		if answer.Refusal != nil {
			b.Fatal(answer.Refusal)
		}
		clear(w.header)
		authcheck.Write(w, asked, answer)
	}
}
