package authority

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/wire"
	"github.com/scopegate/scopegate/internal/tokens"
)

// neverRoutes are what there must not be: above all, no list.
var neverRoutes = []struct{ method, path string }{
	{"GET", "tokens"}, {"GET", "tokens/"}, {"POST", "tokens"}, {"GET", "tokens/%s/x"}, {"GET", "tokens/%s/"}, {"HEAD", "tokens/%s"},
	{"DELETE", "tokens/%s"}, {"PUT", "tokens/%s"}, {"POST", "tokens/%s"}, {"OPTIONS", "tokens/%s"}, {"GET", "tokens//%s"}, {"GET", "TOKENS/%s"},
	{"GET", "./tokens/%s"}, {"GET", "x/../tokens/%s"}, {"GET", "tokens%%2F%s"}, {"GET", "toke%%6Es/%s"}, {"GET", "owners"}, {"GET", "owners/"},
	{"GET", "usage"}, {"GET", "usage/"}, {"GET", "usage/abcdefghijklmnopqrstuvwxyz"}, {"DELETE", "usage/abcdefghijklmnopqrstuvwxyz"},
	{"GET", "acks"}, {"GET", "edges"}, {"GET", ""}, {"GET", "changes/"}, {"DELETE", "changes"}, {"POST", "acks/x"}, {"GET", "list"},
	{"GET", "../v1/tokens/%s"}, {"GET", "tokens/%s%%00"},
}

func TestNeverList(t *testing.T) {
	f := newFixture(t)
	id := f.know("a", 1)
	for _, route := range neverRoutes {
		path := wire.Prefix + route.path
		if strings.Contains(path, "%") {
			path = fmt.Sprintf(path, id)
			path = strings.TrimSuffix(path, "%!(EXTRA tokens.ID="+id.String()+")")
		}
		got := f.ask(route.method, path, nil)
		if got.status != 404 && got.status != 400 {
			t.Errorf("%s %s: status %d: %s", route.method, path, got.status, got.body)
		}
		if got.status == 404 && route.method != "HEAD" && !strings.Contains(got.problem(t).Message, "no list") {
			t.Errorf("%s %s does not say what there is: %s", route.method, path, got.body)
		}
	}
	for _, path := range []string{"/", "/tokens/" + id.String(), "/databricks_authority/v2/tokens/" + id.String(), "/api/2.0/token-management/tokens"} {
		f.expect(f.ask("GET", path, nil), 404, wire.NoRouteCode)
	}
	if n := f.tokens.lookups(); n != 0 {
		t.Errorf("%d look-ups", n)
	}
}

// FuzzRequest: whatever an edge sends, it is told of the one token that it asks for at most.
func FuzzRequest(f *testing.F) {
	id := tokens.IDOf("a").String()
	f.Add("GET", "tokens/"+id, "newer_than_ms=5", "edge", "", "")
	f.Add("GET", "changes", "", "edge", "epoch-1:0", "")
	f.Add("POST", "acks", "", "edge", "", `{"position":{"epoch":"epoch-1","generation":1}}`)
	f.Add("POST", "changes", "", "edge", "", `{"changes":[{"kind":"token","token":"`+id+`"},{"kind":"all"}]}`)
	f.Add("PUT", "usage/abcdefghijklmnopqrstuvwx23", "", "edge", "", `{"version":1}`)
	for _, route := range neverRoutes {
		f.Add(route.method, route.path, "limit=100", "x", "y", "{}")
	}
	f.Fuzz(func(t *testing.T, method, path, query, name, last, body string) {
		s := newServer(t, func(o *Options) { o.Limits = Limits{Rate: 1e6, Unknown: 1e6} })
		ids := map[string]bool{}
		for i := range 5 {
			ids[s.know(fmt.Sprint("secret", i), 1).String()] = true
		}
		ids[s.know("a", 1).String()] = true
		s.log.add(fleet.Change{Kind: fleet.AllChanged})
		request := edgeRequest("GET", "https://authority/", []byte(body))
		request.Method, request.URL.Path, request.URL.RawQuery = method, wire.Prefix+path, query
		if method == "GET" {
			request.Body, request.ContentLength = http.NoBody, 0
		}
		request.Header[wire.NameHeader], request.Header["Last-Event-Id"] = []string{name}, []string{last}
		ctx, cancel := contextThatEnded()
		defer cancel()
		got := s.record(request.WithContext(ctx))
		switch got.status {
		case 200, 202, 204, 400, 403, 404, 413, 429, 503:
		default:
			t.Errorf("%s %s: status %d", method, path, got.status)
		}
		for known := range ids {
			if strings.Contains(string(got.body), known) && path != "tokens/"+known {
				t.Errorf("%s %s tells of %s", method, path, known)
			}
		}
		if got.status == http.StatusOK && path != "changes" && !strings.HasPrefix(path, "tokens/") {
			t.Errorf("%s %s: %s", method, path, got.body)
		}
	})
}
