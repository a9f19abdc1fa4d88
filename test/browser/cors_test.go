package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// startSite serves a page of another origin than the gateway's.
func startSite(t *testing.T) (origin string) {
	t.Helper()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprint(w, "<!DOCTYPE html><title>app</title><link rel=icon href=data:,>")
	}))
	t.Cleanup(site.Close)
	return site.URL
}

const warehouses = "/api/2.0/sql/warehouses"

// call fetches with a token, as a page does that has one.
func call(t *testing.T, p *Page, url, token string) Fetched {
	t.Helper()
	return p.Fetch(t, url, map[string]any{"headers": map[string]string{"Authorization": "Bearer " + token}})
}

// TestBrowserClients: what a developer sees in the browser's console, and what the page's
// script can read.
func TestBrowserClients(t *testing.T) {
	b := Start(t)
	site := startSite(t)

	t.Run("not configured", func(t *testing.T) {
		w := harness.StartWorkspace(t)
		w.AllowOrigin(site)
		g := harness.StartGateway(t, w, "")
		page := b.Open(t, site)
		if got := call(t, page, g.URL+warehouses, g.Mint("sql").Value); got.Error == "" {
			t.Errorf("the page got %+v", got)
		}
		page.AwaitConsole(t, "from origin '"+site+"' has been blocked by CORS policy")
		page.AwaitConsole(t, "contains the invalid value 'scopegate_does_not_allow_this_origin;_its_operator_can_with_the_option_cors_<origin>'")
		if n := len(harness.Arrivals(w)); n != 0 {
			t.Errorf("%d requests arrived", n)
		}
	})

	t.Run("configured", func(t *testing.T) {
		w := harness.StartWorkspace(t)
		w.AllowOrigin(site)
		g := harness.StartGateway(t, w, "cors "+site)
		page := b.Open(t, site)
		token := g.Mint("sql").Value
		if got := call(t, page, g.URL+warehouses, token); got.Status != 200 || !strings.Contains(got.Body, "warehouses") {
			t.Errorf("permitted: %+v", got)
		}
		got := call(t, page, g.URL+harness.JobsList, token)
		if got.Status != 403 || got.Headers["x-scopegate-reason"] != "missing_scope" || got.Headers["x-request-id"] == "" ||
			!strings.HasSuffix(got.Headers["x-databricks-reason-phrase"], "does not have required scopes: jobs") ||
			!strings.Contains(got.Headers["www-authenticate"], `scope="jobs"`) || !strings.Contains(got.Body, "required scopes: jobs") {
			t.Errorf("out of scope: %+v", got)
		}
		if got := call(t, page, g.URL+harness.JobsList, harness.RevokedToken(w)); got.Headers["x-scopegate-reason"] != "unknown_token" {
			t.Errorf("unknown token: %+v", got)
		}
		if got := page.Fetch(t, g.URL+harness.JobsList, map[string]any{}); got.Status != 401 || got.Headers["x-scopegate-reason"] != "missing_credential" {
			t.Errorf("no credential: %+v", got)
		}
		if strings.Contains(page.Console(), "CORS") {
			t.Errorf("the console shows:\n%s", page.Console())
		}
	})

	t.Run("configured for all", func(t *testing.T) {
		w := harness.StartWorkspace(t)
		w.AllowOrigin(site)
		g := harness.StartGateway(t, w, "cors *")
		if got := call(t, b.Open(t, site), g.URL+harness.JobsList, g.Mint("sql").Value); got.Headers["x-scopegate-reason"] != "missing_scope" {
			t.Errorf("out of scope: %+v", got)
		}
	})

	t.Run("the workspace does not allow it", func(t *testing.T) {
		w := harness.StartWorkspace(t)
		g := harness.StartGateway(t, w, "cors "+site)
		page := b.Open(t, site)
		if got := call(t, page, g.URL+warehouses, g.Mint("sql").Value); got.Error == "" {
			t.Errorf("the page got %+v", got)
		}
		page.AwaitConsole(t, "No 'Access-Control-Allow-Origin' header is present")
	})

	t.Run("the workspace does not answer", func(t *testing.T) {
		w := harness.StartWorkspace(t)
		g := harness.StartGateway(t, w, "cors "+site)
		w.Close()
		page := b.Open(t, site)
		if got := call(t, page, g.URL+warehouses, "dapi00000000000000000000000000000000"); got.Error == "" {
			t.Errorf("the page got %+v", got)
		}
		page.AwaitConsole(t, "contains the invalid value 'scopegate_answered_this_preflight_itself:_upstream_unavailable'")
	})

	t.Run("a hostile page", func(t *testing.T) { testHostilePage(t, b.Open(t, site)) })
}

// testHostilePage: a page of any site that a user visits can send requests to a gateway on
// the user's machine, but without a token they reach nothing, and it can read nothing.
func testHostilePage(t *testing.T, page *Page) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	for _, options := range []map[string]any{
		{},
		{"credentials": "include"},
		{"mode": "no-cors"},
		{"mode": "no-cors", "method": "POST", "body": "{}"},
		{"method": "DELETE"},
		{"headers": map[string]string{"X-Databricks-Org-Id": "1"}},
	} {
		got := page.Fetch(t, g.URL+harness.JobsList, options)
		opaque := got.Type == "opaque" && got.Status == 0 && got.Body == "" && len(got.Headers) == 0
		if got.Error == "" && !opaque {
			t.Errorf("%v: the page got %+v", options, got)
		}
	}
	if arrived := harness.Arrivals(w); len(arrived) != 0 {
		t.Errorf("%d requests arrived", len(arrived))
	}
	for _, record := range g.Records(t, 6) {
		if record["decision"] != "deny" {
			t.Errorf("recorded: %v", record)
		}
	}
}
