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
		"two hosts":        "http://a.example:{port} {\nbind 127.0.0.1\n" + ours + "\n}\nhttp://b.example:{port} {\nbind 127.0.0.1\n" + ours + "\n",
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

// TestSiteBesideChecks: a site that a client could choose by its Host, instead of the one that
// judges, is an error at the start.
func TestSiteBesideChecks(t *testing.T) {
	r := start(t, "")
	ours := strings.Replace(r.directive("dialect envoy\nprefix /envoy"), "grpc "+r.grpc+"\n", "", 1)
	gateway := "databricks_scopes {\nworkspace " + r.Workspace.URL() + "\n" + harness.AdminBlock + "}\nrespond 204"
	for name, other := range map[string]string{"any": "respond 200", "a gateway's": gateway, "below": "handle {\nrespond 200\n}"} {
		for _, host := range []string{"", "decide.example"} {
			sites := "respond 404\n}\nhttp://" + host + ":{port} {\nbind 127.0.0.1\n" + ours + "\n}\nhttp://other.example:{port} {\nbind 127.0.0.1\n" + other + "\n"
			_, port, _ := net.SplitHostPort(harness.FreeAddress(t))
			if err := r.TryLoad(t, strings.ReplaceAll(sites, "{port}", port)); err == nil || !strings.Contains(err.Error(), "the site for other.example has the address of a databricks_decision") {
				t.Errorf("%s site, decision for %q: %v", name, host, err)
			}
		}
	}
}
