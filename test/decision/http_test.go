package decision

import (
	"net/http"
	"testing"
)

const (
	jobs  = "/api/2.1/jobs/list"
	files = "/api/2.0/fs/files/Volumes/a/b/c/d.txt"
)

func TestChecks(t *testing.T) {
	r := start(t, "")
	nginx := func(method, target string) []string {
		return []string{"X-Original-Method", method, "X-Original-URI", target}
	}
	forwarded := func(method, target string) []string {
		return []string{"X-Forwarded-Method", method, "X-Forwarded-Uri", target, "X-Forwarded-Host", "dbc.example", "X-Forwarded-Proto", "https"}
	}
	for _, test := range []struct {
		name, path string
		header     []string
		status     int
		reason     string
	}{
		{"nginx permitted", "/decide", nginx("GET", files), 200, "permitted"},
		{"nginx out of scope", "/decide", nginx("GET", jobs), 403, "missing_scope"},
		{"nginx malformed", "/decide", nginx("GET", files+"/../../../../../../../2.1/jobs/list"), 403, "malformed_path"},
		{"forwarded permitted", "/decide", forwarded("GET", files), 200, "permitted"},
		{"forwarded out of scope", "/decide", forwarded("GET", jobs), 403, "missing_scope"},
		{"forwarded malformed", "/decide", forwarded("GET", files+"/../../../../../../../2.1/jobs/list"), 400, "malformed_path"},
		{"both", "/decide", append(nginx("GET", files), forwarded("GET", files)...), 403, "ambiguous_request"},
		{"nothing", "/decide", nil, 403, "gateway_misconfigured"},
		{"no method", "/decide", []string{"X-Original-URI", files}, 403, "gateway_misconfigured"},
		{"no target", "/decide", []string{"X-Original-Method", "GET"}, 403, "gateway_misconfigured"},
		{"another path", "/other", nginx("GET", files), 403, "gateway_misconfigured"},
		{"a query", "/decide?x", nginx("GET", files), 200, "permitted"},
		{"cookie", "/decide", append(nginx("GET", files), "Cookie", "a=b"), 403, "ambiguous_request"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := r.ask(t, test.path, r.files, test.header...)
			if a.StatusCode != test.status || a.Header.Get("X-Scopegate-Reason") != test.reason {
				t.Errorf("answered %d %v %s", a.StatusCode, a.Header, a.Body)
			}
		})
	}
}

func TestEnvoy(t *testing.T) {
	r := start(t, "")
	client := r.envoy(t)
	for _, test := range []struct {
		name, target, token string
		code                int32
		status              int32
	}{
		{"permitted", files, r.files, 0, 0},
		{"out of scope", jobs, r.files, 7, 403},
		{"no token", jobs, "", 7, 401},
	} {
		t.Run(test.name, func(t *testing.T) {
			header := map[string]string{"cookie": "a=b", "x-forwarded-for": "192.0.2.1"}
			if test.token != "" {
				header["authorization"] = "Bearer " + test.token
			}
			a, err := client.Check(t.Context(), check(http.MethodGet, test.target, header))
			if err != nil {
				t.Fatal(err)
			}
			if a.GetStatus().GetCode() != test.code || int32(a.GetDeniedResponse().GetStatus().GetCode()) != test.status {
				t.Errorf("answered %v", a)
			}
		})
	}
	for _, record := range r.Records(t, 3) {
		if record["outcome"] != "decided" || record["client_address"] != "192.0.2.1" {
			t.Errorf("recorded %v", record)
		}
	}
}
