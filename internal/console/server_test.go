package console_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/console"
)

// pages are requests for each page, and what must be in the answer with data.
var pages = []struct{ name, path, has string }{
	{"overview", "/", "Health"},
	{"live", "/live", "would be refused"},
	{"live filtered", "/live?outcome=refused&owner=x&token=0&operation=list", "Operation"},
	{"why", "/why", "Request id"},
	{"why of one", "/why?id=00000001", "missing_scope"},
	{"why of none", "/why?id=99999999", "does not hold the decision"},
	{"findings", "/findings", "Acknowledge"},
	{"findings filtered", "/findings?state=new&kind=never_expires&owner=*x*&token=0", "Filter"},
	{"tokens", "/tokens", "Download CSV"},
	{"tokens filtered", "/tokens?q=0&unscoped=false&refused=true&unused=45d&expiring=7d&sort=owner&page=9", "45 days"},
	{"no tokens", "/tokens?q=nothing-like-this", "No token matches"},
	{"map", "/map", "Where the workspace disagrees"},
	{"map of a request", "/map?method=get&path=/api/2.1/jobs/list&scopes=sql,+files", "add the scope jobs"},
	{"map of a token", "/map?path=/api/2.1/jobs/list&token_id=" + token, "add the scope jobs"},
	{"map of no path", "/map?path=jobs", "must begin with a slash"},
	{"map of a secret", "/map?path=/api/2.0/" + secret, "What it needs"},
	{"why of a secret", "/why?id=" + secret, "this is no request id"},
}

func get(t testing.TB, s console.Source, path string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = "localhost:2020"
	w := httptest.NewRecorder()
	console.New(s, console.Options{Loopback: true}).ServeHTTP(w, r)
	return w
}

// TestPages asks for every page of a gateway that has nothing, something, and hostile texts.
func TestPages(t *testing.T) {
	t.Parallel()
	for _, p := range pages {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			if w := get(t, new(source), p.path); w.Code != http.StatusOK || !complete(w.Body.String()) {
				t.Errorf("without data: %d\n%s", w.Code, w.Body)
			}
			if w := get(t, full(t, "analyst@example.com"), p.path); w.Code != http.StatusOK || !complete(w.Body.String()) || !strings.Contains(w.Body.String(), p.has) {
				t.Errorf("with data: %d, and it should have %q\n%s", w.Code, p.has, w.Body)
			}
			w := get(t, full(t, hostile), p.path)
			if w.Code != http.StatusOK || !complete(w.Body.String()) {
				t.Errorf("with hostile data: %d\n%s", w.Code, w.Body)
			}
			for _, never := range []string{"<script>alert", secret, "\u202e", "\x1b", "ZgotmplZ", "%!", " style=", " onclick="} {
				if strings.Contains(w.Body.String(), never) {
					t.Errorf("it has %q", never)
				}
			}
		})
	}
}

// complete reports whether a page was written to its end.
func complete(body string) bool {
	return strings.HasPrefix(body, "<!doctype html>") && strings.HasSuffix(strings.TrimSpace(body), "</html>")
}
