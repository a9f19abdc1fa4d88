package authcheck

import (
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/policy"
)

func TestRequest(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, method, target, path string // the path is what URL.Path must be; empty for a refusal
	}{
		{"plain", "GET", "/a/b?c=d", "/a/b"},
		{"root", "GET", "/", "/"},
		{"escapes", "GET", "/a%2fb%20c", "/a/b c"},
		{"dot segments are left for the judge", "GET", "/a/../b/./c", "/a/../b/./c"},
		{"two slashes", "GET", "//host/a", "//host/a"},
		{"empty query", "GET", "/a?", "/a"},
		{"broken escape in the query", "GET", "/a?b=%zz", "/a"},
		{"backslash", "GET", `/a\b`, `/a\b`},
		{"UTF-8", "GET", "/é", "/é"},
		{"a byte that is no UTF-8", "GET", "/\xe9", "/\xe9"},
		{"braces and quotes", "GET", `/{a}"b"|^`, `/{a}"b"|^`},
		{"long", "GET", "/" + strings.Repeat("a", maxTarget-1), "/" + strings.Repeat("a", maxTarget-1)},
		{"unknown method", "PURGE", "/a", "/a"},
		{"lower-case method", "get", "/a", "/a"},
		{"marks in the method", "a!#$%&'*+-.^_`|~9", "/a", "/a"},

		{"too long", "GET", "/" + strings.Repeat("a", maxTarget), ""},
		{"empty", "GET", "", ""},
		{"no slash", "GET", "a", ""},
		{"asterisk", "OPTIONS", "*", ""},
		{"opaque", "GET", "http:opaque/x", ""},
		{"absolute", "GET", "http://h/a", ""},
		{"authority", "CONNECT", "h:443", ""},
		{"query only", "GET", "?a", ""},
		{"space", "GET", "/a b", ""},
		{"space in the query", "GET", "/a?b c", ""},
		{"leading space", "GET", " /a", ""},
		{"tab", "GET", "/a\tb", ""},
		{"line feed", "GET", "/a\nb", ""},
		{"NUL", "GET", "/a\x00", ""},
		{"fragment", "GET", "/a#/b", ""},
		{"fragment in the query", "GET", "/a?b#c", ""},
		{"DEL", "GET", "/a\x7f", ""},
		{"broken escape", "GET", "/a%zz", ""},
		{"cut escape", "GET", "/a%2", ""},
		{"empty method", "", "/a", ""},
		{"space in the method", "GET ", "/a", ""},
		{"comma in the method", "GET,PUT", "/a", ""},
		{"slash in the method", "GET/1", "/a", ""},
		{"colon in the method", "GET:", "/a", ""},
		{"not ASCII in the method", "GÉT", "/a", ""},
		{"not UTF-8 in the method", "G\xe9T", "/a", ""},
		{"control in the method", "GET\x01", "/a", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, problem := Request(t.Context(), test.method, test.target)
			if test.path == "" {
				if problem == nil || problem.Reason != policy.MalformedPath || problem.Text == "" {
					t.Errorf("problem %+v", problem)
				}
				return
			}
			if problem != nil {
				t.Fatal(problem)
			}
			if got.Method != test.method || got.RequestURI != test.target || got.URL.Path != test.path || got.URL.Host != "" || got.Header != nil {
				t.Errorf("request %s %s, path %q, host %q", got.Method, got.RequestURI, got.URL.Path, got.URL.Host)
			}
		})
	}
}
