package decision

import (
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestMisdirected: a check that reaches no handler is refused by its status, also for gRPC
// clients and where error routes would answer otherwise: a proxy takes every 200 for a permission.
func TestMisdirected(t *testing.T) {
	r := start(t, "")
	ours := strings.Replace(r.directive("mode observe\ndialect envoy"), "grpc "+r.grpc+"\n", "", 1)
	gateway := "databricks_scopes {\nworkspace " + r.Workspace.URL() + "\n" + harness.AdminBlock + "}\nrespond 204"
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
		"gateway's host":   "http://a.example:{port} {\nbind 127.0.0.1\n" + gateway + "\n}\nhttp://b.example:{port} {\nbind 127.0.0.1\n" + ours + "\n",
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
