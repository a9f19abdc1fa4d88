package decision

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestMisdirected: a check that reaches no handler is refused by its status, also for gRPC
// clients and where error routes would answer otherwise: a proxy takes every 200 for a permission.
func TestMisdirected(t *testing.T) {
	r := start(t, "")
	ours := strings.Replace(r.directive("mode observe\ndialect envoy\nprefix /envoy"), "grpc "+r.grpc+"\n", "", 1)
	ask := func(t *testing.T, site, contentType string) {
		t.Helper()
		check := harness.NewRequest(t, http.MethodPost, "http://"+site+"/api/2.1/jobs/create", r.files, nil, "Content-Type", contentType)
		check.Host = "other.example"
		if a := harness.Do(t, harness.Client(t), check); a.StatusCode != http.StatusMisdirectedRequest || a.Header.Get("X-Scopegate-Reason") != "misdirected_request" {
			t.Errorf("%s: answered %d %v", contentType, a.StatusCode, a.Header)
		}
	}
	for name, sites := range map[string]string{
		"host":             "http://decide.example:{port} {\nbind 127.0.0.1\n" + ours + "\n",
		"path":             "http://:{port} {\nbind 127.0.0.1\n" + strings.Replace(ours, "databricks_decision", "databricks_decision /envoy/*", 1) + "\n",
		"with error route": "http://decide.example:{port} {\nbind 127.0.0.1\n" + ours + "\nhandle_errors {\nrespond sorry 200\n}\n",
	} {
		t.Run(name, func(t *testing.T) {
			site := harness.FreeAddress(t) // at a reload, the last server may get a connection, and close it
			r.Load(t, "respond 404\n}\n"+strings.ReplaceAll(sites, "{port}", site[strings.LastIndex(site, ":")+1:]))
			for _, contentType := range []string{"application/json", "application/grpc"} {
				ask(t, site, contentType)
			}
		})
	}
}

// TestSitesBesideChecks: a site that a client could choose by its Host, instead of the one that
// judges, is an error at the start.
func TestSitesBesideChecks(t *testing.T) {
	r := start(t, "")
	checks := func(options string) string {
		return strings.Replace(r.directive("dialect envoy\nprefix /envoy\n"+options), "grpc "+r.grpc+"\n", "", 1)
	}
	gateway := "databricks_scopes {\nworkspace " + r.Workspace.URL() + "\n" + harness.AdminBlock + "}\nrespond 204"
	for name, other := range map[string]string{
		"any": "respond 200", "health": "respond /health 200", "a gateway's": gateway, "below": "handle {\nrespond 200\n}",
		"laxer checks": checks("mode observe"), "the same checks": checks(""),
	} {
		for _, hosts := range [][2]string{{"", "other.example"}, {"decide.example", "other.example"}, {"decide.example", ""}, {"*.example", "other.example"}} {
			_, port, _ := net.SplitHostPort(harness.FreeAddress(t))
			site := func(host, body string) string {
				return "http://" + host + ":" + port + " {\nbind 127.0.0.1\n" + body + "\n}\n"
			}
			sites := "respond 404\n}\n" + site(hosts[0], checks("")) + strings.TrimSuffix(site(hosts[1], other), "}\n")
			if err := r.TryLoad(t, sites); err == nil || !strings.Contains(err.Error(), "give databricks_decision an address of its own") {
				t.Errorf("%s site for %q, decision for %q: %v", name, hosts[1], hosts[0], err)
			}
		}
	}
	for name, site := range map[string]string{
		"named route": "}\n&(decide) {\n" + checks("") + "\n}\nhttp://:{port} {\nbind 127.0.0.1\ninvoke /envoy/* decide\n",
		"error route": "}\nhttp://:{port} {\nbind 127.0.0.1\nerror 404\nhandle_errors {\n" + checks("") + "\n}\n",
	} {
		_, port, _ := net.SplitHostPort(harness.FreeAddress(t))
		if err := r.TryLoad(t, "respond 404\n"+strings.ReplaceAll(site, "{port}", port)); err == nil || !strings.Contains(err.Error(), "put it into the site itself") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestChecksUnjudged: where something else in the site answers a check, it is refused.
func TestChecksUnjudged(t *testing.T) {
	r := start(t, "")
	checks := strings.Replace(r.directive("dialect envoy\nprefix /envoy"), "grpc "+r.grpc+"\n", "", 1)
	gateway := "databricks_scopes /api/* {\nworkspace " + r.Workspace.URL() + "\n" + harness.AdminBlock + "}"
	for _, test := range []struct {
		name, site string
		status     int // of a check that permits nothing
	}{
		{"a header", "@o header X-Other *\nroute {\nrespond @o 200\n" + checks + "\n}", 421},
		{"a header, with a body", "@o header X-Other *\nroute {\nrespond @o sure 203\n" + checks + "\n}", 421},
		{"a host", "@o host other.example\nroute {\nhandle @o {\nrespond 204\n}\n" + checks + "\n}", 421},
		{"metrics", "@o header X-Other *\nroute {\nmetrics @o\n" + checks + "\n}", 421},
		{"nothing", strings.Replace(checks, "databricks_decision", "databricks_decision /other/*", 1), 421},
		{"nothing, after a gateway", "route {\n" + gateway + "\n" + strings.Replace(checks, "databricks_decision", "databricks_decision /other/*", 1) + "\n}", 421},
		{"an error route", "@o header X-Other *\nroute {\nerror @o 404\n" + checks + "\n}\nhandle_errors {\nrespond 200\n}", 421},
		{"an error", "@o header X-Other *\nroute {\nerror @o 404\n" + checks + "\n}", 404},
		{"health", "@o header X-Other *\nroute {\ndatabricks_scopes_health\nrespond @o 200\n" + checks + "\n}", 421},
		{"a redirect", "@o header X-Other *\nroute {\nredir @o /elsewhere\n" + checks + "\n}", 302},
		{"a refusal", "@o header X-Other *\nroute {\nrespond @o no 418\n" + checks + "\n}", 418},
	} {
		t.Run(test.name, func(t *testing.T) {
			site := harness.FreeAddress(t)
			_, port, _ := net.SplitHostPort(site)
			r.Load(t, "respond 404\n}\nhttp://:"+port+" {\nbind 127.0.0.1\n"+test.site+"\n")
			for _, contentType := range []string{"application/json", "application/grpc"} {
				check := harness.NewRequest(t, http.MethodGet, "http://"+site+"/envoy"+jobs, r.files, nil, "Content-Type", contentType, "X-Other", "1")
				check.Host = "other.example"
				a := harness.Do(t, harness.Client(t), check)
				if a.StatusCode != test.status || (test.status == 421) != (a.Header.Get("X-Scopegate-Reason") == "misdirected_request") {
					t.Errorf("%s: answered %d %v %s", contentType, a.StatusCode, a.Header, a.Body)
				}
			}
			if strings.Contains(test.name, "nothing") {
				return
			}
			probe := harness.NewRequest(t, http.MethodGet, "http://"+site+"/livez", "", nil)
			if a := harness.Do(t, harness.Client(t), probe); (a.StatusCode == http.StatusOK) != (test.name == "health") {
				t.Errorf("a probe: answered %d %v", a.StatusCode, a.Header)
			}
			check := harness.NewRequest(t, http.MethodGet, "http://"+site+"/envoy"+files, r.files, nil)
			if a := harness.Do(t, harness.Client(t), check); a.StatusCode != http.StatusOK || a.Header.Get("X-Scopegate-Decision") != "allow" {
				t.Errorf("what is permitted: answered %d %v", a.StatusCode, a.Header)
			}
		})
	}
}
