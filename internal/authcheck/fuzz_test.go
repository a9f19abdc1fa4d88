package authcheck

import (
	"context"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/policy"
)

// FuzzDescribe: what is described is what the one header says, or what follows the prefix, and
// otherwise nothing.
func FuzzDescribe(f *testing.F) {
	for _, d := range Dialects() {
		f.Add(d, "GET", "/decide", "X-Original-Method: GET\nX-Original-URI: /api/2.0/fs/files/a?b=%2f", "")
		f.Add(d, "GET", "/decide?b", "X-Forwarded-Method: POST\nX-Forwarded-Uri: /a\nX-Forwarded-For: 1.2.3.4, [::1]:5\nCookie: a", "")
		f.Add(d, "HEAD", "/envoy/a//b/../c", "Content-Length: 7\nConnection: close", "/envoy")
		f.Add(d, "GET", "/envoya", "X-Original-URI: /a\nX-Original-URI: /b\nX-Original-Method: GET", "/envoy")
		f.Add(d, "GET", "/decide", "x-original-uri: /a\nX_Original_URI: /b\nX-Original-Method: G T", "")
	}
	f.Fuzz(func(t *testing.T, dialect, method, target, lines, prefix string) {
		header := make(http.Header)
		for line := range strings.SplitSeq(lines, "\n") {
			name, value, _ := strings.Cut(line, ":")
			header.Add(textproto.TrimString(name), textproto.TrimString(value))
		}
		// As net/http has it; what it refuses gets no further.
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		check := (&http.Request{Method: method, URL: u, RequestURI: target, Header: header}).WithContext(context.WithValue(t.Context(), fuzzed{}, true))
		before := header.Clone()
		asked, problem := Describe(check, Dialect(dialect), prefix)
		if len(header) != len(before) {
			t.Fatal("the check was changed")
		}
		if problem != nil {
			if problem.Reason == "" || problem.Text == "" || asked.Request == nil || asked.Request != check && problem.Reason != policy.MalformedPath {
				t.Fatalf("problem %v with %v", problem, asked.Request)
			}
			return
		}
		r := asked.Request
		if r.Context().Value(fuzzed{}) == nil {
			t.Fatal("the context is lost")
		}
		if !strings.HasPrefix(r.RequestURI, "/") || r.URL == nil || r.Method == "" {
			t.Fatalf("described %q %q", r.Method, r.RequestURI)
		}
		said, ok := dialects[asked.Dialect]
		if !ok {
			if prefix+r.RequestURI != target || r.Method != method {
				t.Fatalf("described %q %q, the check is %q %q below %q", r.Method, r.RequestURI, method, target, prefix)
			}
			return
		}
		if methods, targets := before[said.method], before[said.uri]; len(methods) != 1 || len(targets) != 1 || methods[0] != r.Method || targets[0] != r.RequestURI {
			t.Fatalf("described %q %q, said %q %q", r.Method, r.RequestURI, methods, targets)
		}
		if dialect == string(Recognized) {
			for d, words := range dialects {
				if d != asked.Dialect && (before[words.method] != nil || before[words.uri] != nil) {
					t.Fatalf("described as %s, and as %s too", asked.Dialect, d)
				}
			}
		}
	})
}

type fuzzed struct{}
