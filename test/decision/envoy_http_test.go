package decision

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestEnvoyOverHTTP: with dialect envoy, the check is the request. Nothing in its headers
// describes another one, and Envoy is told what to remove.
func TestEnvoyOverHTTP(t *testing.T) {
	r := start(t, "dialect envoy\nprefix /envoy")
	forged := func(names ...string) (header []string) {
		for _, name := range names {
			value := files
			if strings.HasSuffix(name, "Method") {
				value = "GET"
			}
			header = append(header, name, value)
		}
		return header
	}
	all := forged("X-Original-Method", "X-Original-URI", "X-Forwarded-Method", "X-Forwarded-Uri", "X-Envoy-Original-Path", "X-Original-URL")
	for _, test := range []struct {
		name, method, target, token string
		header                      []string
		status                      int
		reason                      string
		removed                     string
	}{
		{"permitted", "GET", "/envoy" + files, r.files, nil, 200, "permitted", ""},
		{"HEAD", "HEAD", "/envoy" + files, r.files, nil, 200, "permitted", ""},
		{"PUT", "PUT", "/envoy" + files, r.files, nil, 200, "permitted", ""},
		{"a query", "GET", "/envoy" + files + "?a=b", r.files, nil, 200, "permitted", ""},
		{"a cookie", "GET", "/envoy" + files, r.files, []string{"Cookie", "a=b", "X-HTTP-Method", "PUT"}, 200, "permitted", "Cookie,X-Http-Method"},
		{"odd names", "GET", "/envoy" + files, r.files, []string{"Cookie~", "a=b"}, 200, "permitted", "Cookie~"},
		{"described as another", "GET", "/envoy" + files, r.files, all, 200, "permitted", "X-Envoy-Original-Path,X-Forwarded-Method,X-Forwarded-Uri,X-Original-Method,X-Original-Uri,X-Original-Url"},
		{"described as permitted", "GET", "/envoy" + jobs, r.files, all, 403, "missing_scope", ""},
		{"out of scope", "GET", "/envoy" + jobs, r.files, nil, 403, "missing_scope", ""},
		{"out of scope, HEAD", "HEAD", "/envoy" + jobs, r.files, nil, 403, "missing_scope", ""},
		{"out of scope, OPTIONS", "OPTIONS", "/envoy" + jobs, r.files, nil, 403, "missing_scope", ""},
		{"out of scope, POST", "POST", "/envoy/api/2.1/jobs/create", r.files, nil, 403, "missing_scope", ""},
		{"malformed", "GET", "/envoy" + files + "/../../../../../../../2.1/jobs/list", r.files, nil, 400, "malformed_path", ""},
		{"bytes that Envoy replaced", "GET", "/envoy" + files + "/!!!!/!!!!/b", r.files, nil, 400, "ambiguous_request", ""},
		{"an escaped exclamation mark", "GET", "/envoy" + files + "%21?a=!", r.files, nil, 200, "permitted", ""},
		{"two credentials", "GET", "/envoy" + files, r.files, []string{"Authorization", "Bearer " + r.all}, 400, "ambiguous_request", ""},
		{"no prefix", "GET", files, r.files, nil, 403, "gateway_misconfigured", ""},
		{"another prefix", "GET", "/other" + files, r.files, nil, 403, "gateway_misconfigured", ""},
		{"the prefix in capitals", "GET", "/ENVOY" + files, r.files, nil, 403, "gateway_misconfigured", ""},
		{"the prefix escaped", "GET", "/%65nvoy" + files, r.files, nil, 403, "gateway_misconfigured", ""},
		{"only the prefix", "GET", "/envoy", r.files, nil, 400, "malformed_path", ""},
		{"the prefix and a query", "GET", "/envoy?a", r.files, nil, 400, "malformed_path", ""},
		{"longer than the prefix", "GET", "/envoyer" + files, r.files, nil, 400, "malformed_path", ""},
		{"the prefix twice", "GET", "/envoy/envoy" + files, r.files, nil, 403, "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := harness.Do(t, harness.Client(t), harness.NewRequest(t, test.method, r.URL+test.target, test.token, nil, test.header...))
			if a.StatusCode != test.status || test.reason != "" && a.Header.Get("X-Scopegate-Reason") != test.reason {
				t.Errorf("answered %d %v %s", a.StatusCode, a.Header, a.Body)
			}
			if removed := a.Header.Get("X-Envoy-Auth-Headers-To-Remove"); removed != test.removed {
				t.Errorf("removes %q, want %q", removed, test.removed)
			}
			if a.StatusCode == http.StatusOK && a.Body != "" || a.StatusCode != http.StatusOK && test.method != "HEAD" && !strings.HasPrefix(a.Body, "{") {
				t.Errorf("body %q", a.Body)
			}
		})
	}
}

// TestEnvoyOverHTTPByOthers: a proxy that asks without the prefix, or in another dialect, is told so.
func TestEnvoyOverHTTPByOthers(t *testing.T) {
	r := start(t, "dialect envoy\nprefix /envoy")
	for target, want := range map[string]string{
		"/envoy" + files: "permitted", "/envoy" + jobs: "missing_scope",
		files: "gateway_misconfigured", "/decide": "gateway_misconfigured", "/envoy/decide": "gateway_misconfigured",
	} {
		a := r.ask(t, target, r.files, "X-Original-Method", "GET", "X-Original-URI", files)
		if a.Header.Get("X-Scopegate-Reason") != want {
			t.Errorf("%s: %d %v", target, a.StatusCode, a.Header)
		}
	}
	if status, body := r.Admin(t, "GET", "/databricks_scopes/explain?method=GET&path="+jobs); status != 200 || !strings.Contains(body, "jobs") {
		t.Errorf("explain: %s", fmt.Sprint(status, body))
	}
}
