package decision

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/attacks"
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// arrivedWith returns the requests for a path that reached the workspace since the start.
func (n *nginx) arrivedWith(path string) (found []fakeworkspace.Request) {
	for _, r := range n.Workspace.Requests()[n.seen:] {
		if r.Path == path {
			found = append(found, r)
		}
	}
	return found
}

// TestNginxUnasked: what has not been asked about carries no credential, and where the gateway
// cannot answer nothing is sent.
func TestNginxUnasked(t *testing.T) {
	yes := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(yes.Close)
	const asks = "auth_request /_scopegate;\n"
	for _, test := range []struct {
		name, old, new string
		status         int
		arrives        int
	}{
		{"gateway is down", "server 127.0.0.1:9080;", "server " + harness.FreeAddress(t) + "; # 127.0.0.1:9080", 503, 0},
		{"something else says yes", "server 127.0.0.1:9080;", "server " + strings.TrimPrefix(yes.URL, "http://") + "; # 127.0.0.1:9080", 401, 1},
		{"not asked", asks, "", 401, 1},
		{"satisfy any", "satisfy all;", "satisfy any; allow all;", 401, 1},
		{"return", asks, asks + "return 204;", 204, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := startNginx(t, test.old, test.new)
			for _, token := range []string{"all", "files"} {
				a := n.ask(t, http.MethodGet, jobs, token)
				if a.StatusCode != test.status {
					t.Errorf("answered %d %v %s", a.StatusCode, a.Header, a.Body)
				}
			}
			arrived := n.arrivedWith(jobs)
			if len(arrived) != 2*test.arrives {
				t.Errorf("%d requests arrived", len(arrived))
			}
			for _, r := range arrived {
				if r.Header["Authorization"] != nil || r.TokenID != "" {
					t.Error("a request arrived with a credential")
				}
			}
		})
	}
}

// TestNginxGatewayDown: clients get an error of Databricks' that says to try again.
func TestNginxGatewayDown(t *testing.T) {
	n := startNginx(t, "server 127.0.0.1:9080;", "server "+harness.FreeAddress(t)+"; # 127.0.0.1:9080")
	a := n.ask(t, http.MethodGet, files, "files")
	var body struct {
		ErrorCode string `json:"error_code"`
		Message   string `json:"message"`
	}
	if err := json.Unmarshal([]byte(a.Body), &body); err != nil || a.StatusCode != 503 || body.ErrorCode != "TEMPORARILY_UNAVAILABLE" || !strings.Contains(body.Message, "[ReqId: ") {
		t.Errorf("answered %d %s, %v", a.StatusCode, a.Body, err)
	}
	if a.Header.Get("Content-Type") != "application/json; charset=utf-8" || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("X-Scopegate-Reason") != "" {
		t.Errorf("headers %v", a.Header)
	}
	if found := harness.Arrivals(n.Workspace); len(found) > 0 {
		t.Errorf("%d requests arrived", len(found))
	}
}

// TestNginxMisconfigured: wrong settings of the check are refused. The status is 503 where the
// gateway does not know that nginx asks; the reason is in the header all the same.
func TestNginxMisconfigured(t *testing.T) {
	const headers = "include scopegate/scopegate-headers.conf;\n\tproxy_set_header X-Original-Method"
	for _, test := range []struct {
		name, options string
		edits, header []string
		status        int
		reason        string
	}{
		{"another dialect", "dialect forwarded", nil, nil, 503, "gateway_misconfigured"},
		{"Envoy's dialect", "dialect envoy\nprefix /envoy", nil, nil, 503, "gateway_misconfigured"},
		{"no method", "", []string{"proxy_set_header X-Original-Method $request_method;", ""}, nil, 403, "gateway_misconfigured"},
		{"no target", "", []string{"proxy_set_header X-Original-URI $request_uri;", ""}, nil, 403, "gateway_misconfigured"},
		{"no target, and the client's", "", []string{"proxy_set_header X-Original-URI $request_uri;", ""}, []string{"X-Original-URI", files}, 403, "gateway_misconfigured"},
		{"another path", "", []string{"http://scopegate/decide", "http://scopegate/"}, nil, 403, "gateway_misconfigured"},
		{"the client's path", "", []string{"http://scopegate/decide", "http://scopegate"}, nil, 403, "gateway_misconfigured"},
		{"no list, and a cookie", "", []string{headers, "proxy_set_header X-Original-Method"}, []string{"Cookie", "a=b"}, 400, "ambiguous_request"},
		{"no list, and an override", "", []string{headers, "proxy_set_header X-Original-Method"}, []string{"X-HTTP-Method-Override", "DELETE"}, 400, "ambiguous_request"},
		{"no list, and the client's description", "", []string{headers, "proxy_set_header X-Original-Method"}, []string{"X-Forwarded-Uri", files}, 400, "ambiguous_request"},
		{"another host", "", []string{"Host 127.0.0.1;", "Host gateway.example;"}, nil, 421, "misdirected_request"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := harness.StartWorkspace(t)
			block := strings.Replace(decisionBlock(w), "cache {", test.options+"\ncache {", 1)
			n := startNginxAt(t, harness.StartSite(t, w, block), test.edits...)
			const path = files
			if a := n.ask(t, http.MethodGet, path, "files", test.header...); a.StatusCode != test.status || a.Header.Get("X-Scopegate-Reason") != test.reason {
				t.Errorf("answered %d %v %s", a.StatusCode, a.Header, a.Body)
			}
			if found := n.arrivedWith(path); len(found) > 0 {
				t.Errorf("%d requests arrived", len(found))
			}
		})
	}
}

// TestNginxAccelRedirect: the workspace cannot make nginx send another request.
func TestNginxAccelRedirect(t *testing.T) {
	n := startOrdinary(t)
	n.Workspace.Handle("GET "+folder+"x", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Accel-Redirect", jobs)
		_, _ = io.WriteString(w, "x")
	}))
	if a := n.ask(t, http.MethodGet, folder+"x", "files"); a.StatusCode != 200 || a.Body != "x" {
		t.Errorf("answered %d %s", a.StatusCode, a.Body)
	}
	if found := n.arrivedWith(jobs); len(found) > 0 {
		t.Error("a request arrived that nobody sent")
	}
}

// TestNginxServerLevel: where the server asks for all its locations, refusals keep their form.
func TestNginxServerLevel(t *testing.T) {
	const asks, begins = "auth_request /_scopegate;\n", "\tlocation / {\n"
	n := startNginx(t, asks, "", begins, "\t"+asks+"\n"+begins)
	n.ask(t, http.MethodGet, jobs, "files").Refused(t, 403, attacks.Scope)
	n.ask(t, http.MethodGet, jobs, "").Refused(t, 401, attacks.Missing)
	if a := n.ask(t, http.MethodGet, files, "files"); a.StatusCode != 404 || a.Header.Get("Server") != "databricks" {
		t.Errorf("answered %d %v", a.StatusCode, a.Header)
	}
}

// TestNginxInternal: clients cannot ask, nor get at the locations of refusals.
func TestNginxInternal(t *testing.T) {
	n := startNginx(t)
	for _, path := range []string{"/_scopegate", "/%5fscopegate", "//_scopegate", "/x/../_scopegate", "/@scopegate_refused"} {
		answers := n.exchange(t, attacks.Request("GET", path, "all"), 1)
		if len(answers) != 1 || answers[0].StatusCode < 400 {
			t.Errorf("%s: answered %v", path, answers)
		}
	}
	if found := n.Workspace.Requests()[n.seen:]; len(found) > 0 && found[0].Path != "/@scopegate_refused" {
		t.Errorf("%s arrived", found[0].Path)
	}
}

// TestNginxRawBytes: what is not escaped arrives as the client wrote it, and is judged as if
// it were; a fragment is refused.
func TestNginxRawBytes(t *testing.T) {
	n := startOrdinary(t)
	for sent, status := range map[string]int{"größe.csv": 404, "\xff.csv": 400, `a"b|c^d.csv`: 404, "a#b.csv": 400, "a?b#c": 400} {
		before := len(n.Workspace.Requests())
		answers := n.exchange(t, attacks.Request("GET", folder+sent, "files"), 1)
		if len(answers) != 1 || answers[0].StatusCode != status {
			t.Errorf("%q: answered %v", sent, answers)
		}
		if all := n.Workspace.Requests(); status == 404 && (len(all) != before+1 || all[before].URI != folder+sent) || status == 400 && len(all) != before {
			t.Errorf("%q: arrived %v", sent, all[before:])
		}
	}
}
