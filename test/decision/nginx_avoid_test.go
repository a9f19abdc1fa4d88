package decision

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/attacks"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestNginxAvoid shows why docs/proxies/nginx.md warns of settings: with them, what arrives is
// not what was judged.
func TestNginxAvoid(t *testing.T) {
	const asks, sends, begins = "auth_request /_scopegate;\n", "proxy_pass https://workspace;", "\tlocation / {\n"
	for _, test := range []struct {
		name    string
		edits   []string
		target  string
		header  string
		arrives string // path
		with    string // header
	}{
		{"none", nil, folder + "a%2Fb", "Cookie: a=b", folder + "a%2Fb", ""},
		{"proxy_pass with a path", []string{sends, "proxy_pass https://workspace/;"}, folder + "a%2Fb", "X: y", folder + "a/b", ""},
		{"rewrite", []string{asks, asks + "rewrite ^/api/2.0/fs/files/(.*)$ /api/2.1/jobs/list break;\n"}, folder + "a", "X: y", jobs, "Authorization"},
		{"underscores_in_headers", []string{"underscores_in_headers off", "underscores_in_headers on"}, folder + "a", "X_HTTP_Method: DELETE", folder + "a", "X_http_method"},
		{"ignore_invalid_headers", []string{"ignore_invalid_headers on", "ignore_invalid_headers off"}, folder + "a", "X.HTTP.Method: DELETE", folder + "a", "X.http.method"},
		{"a header of its own, without the list", []string{"include scopegate/scopegate-headers.conf;\nproxy_set_header Authorization", "proxy_set_header Authorization"}, folder + "a", "Cookie: a=b", folder + "a", "Cookie"},
		{"mirror", []string{
			asks, asks + "mirror /_copy;\n",
			begins, "\tlocation = /_copy {\n\t\tinternal;\n\t\tauth_request off;\n\t\t" + sends + "\n\t}\n\n" + begins,
		}, folder + "a", "Cookie: a=b", "/_copy", "Cookie"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := harness.StartWorkspace(t)
			n := startNginxAt(t, harness.StartSite(t, w, decisionBlock(w)), test.edits...)
			n.exchange(t, attacks.Request(http.MethodGet, test.target, "files", test.header), 1)
			arrived := n.arrivedWith(test.arrives)
			if len(arrived) != 1 {
				t.Fatalf("arrived %v", n.Workspace.Requests()[n.seen:])
			}
			name, _, _ := strings.Cut(test.header, ":")
			if test.with == "" && arrived[0].Header.Get(name) != "" && name != "X" || test.with != "" && arrived[0].Header[test.with] == nil {
				t.Errorf("arrived with %v", arrived[0].Header)
			}
		})
	}
}

// TestNginxAccelRedirectAvoid: why X-Accel-Redirect is ignored.
func TestNginxAccelRedirectAvoid(t *testing.T) {
	w := harness.StartWorkspace(t)
	n := startNginxAt(t, harness.StartSite(t, w, decisionBlock(w)), "proxy_ignore_headers X-Accel-Redirect ", "proxy_ignore_headers ")
	n.Workspace.Handle("GET "+folder+"x", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Accel-Redirect", jobs)
		_, _ = io.WriteString(w, "x")
	}))
	n.ask(t, http.MethodGet, folder+"x", "files")
	if found := n.arrivedWith(jobs); len(found) != 1 || found[0].TokenID == "" {
		t.Errorf("arrived %v", found)
	}
}

// TestNginxCache: an answer that is kept would be another client's. The gateway forbids that,
// and a proxy that is told to ignore it opens the door.
func TestNginxCache(t *testing.T) {
	const off, http = "\tproxy_cache off; # an answer is for one request", "include scopegate/scopegate-http.conf;"
	on := []string{http, "proxy_cache_path kept keys_zone=kept:1m;\n" + http, off, "\tproxy_cache kept;\n\tproxy_cache_key kept;\n\tproxy_cache_valid 1h;"}
	for _, test := range []struct {
		name    string
		edits   []string
		arrives int
	}{
		{"on", on, 0},
		{"on, and Cache-Control ignored", append(slices.Clone(on[:3]), on[3]+"\n\tproxy_ignore_headers Cache-Control;"), 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := harness.StartWorkspace(t)
			n := startNginxAt(t, harness.StartSite(t, w, decisionBlock(w)), test.edits...)
			n.ask(t, "GET", jobs, "all")
			n.ask(t, "GET", jobs, "files")
			if found := n.arrivedWith(jobs); len(found) != 1+test.arrives {
				t.Errorf("%d arrived", len(found))
			}
		})
	}
}
