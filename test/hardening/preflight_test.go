package hardening

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/attacks"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

const (
	pageOrigin = "https://s3cr3t-page.example.com"
	corsBlock  = "cors_not_allowed"
)

// TestPreflights: only what a browser sends as a preflight, of an origin that is
// configured, reaches the workspace without a credential. The origin is nowhere in logs and
// records.
func TestPreflights(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "cors "+pageOrigin+" http://localhost:3000")
	method := "Access-Control-Request-Method: GET"
	for _, test := range []struct {
		name, line string // of the request
		headers    []string
		outcome    string
		status     int
	}{
		{"preflight", "", []string{"Origin: " + pageOrigin, method, "Access-Control-Request-Headers: authorization"}, passes, 401},
		{"another origin that is allowed", "", []string{"Origin: http://localhost:3000", method}, passes, 401},
		{"spelled otherwise", "", []string{"oRIGIN: " + pageOrigin, "access-control-request-METHOD: GET"}, passes, 401},
		{"white space around", "", []string{"Origin:\t " + pageOrigin + " \t", method}, passes, 401},
		{"with what may not leave", "", []string{"Origin: " + pageOrigin, method, "X-HTTP-Method-Override: DELETE", "X-Rewrite-URL: /x", "X-Real-IP: 10.0.0.1", "Connection: Upgrade", "Upgrade: websocket"}, passes, 401},
		{"of a private network", "", []string{"Origin: " + pageOrigin, method, "Access-Control-Request-Private-Network: true"}, passes, 401},

		{"not allowed", "", []string{"Origin: https://s3cr3t-other.example.com", method}, corsBlock, 403},
		{"upper case", "", []string{"Origin: " + strings.ToUpper(pageOrigin), method}, corsBlock, 403},
		{"with the default port", "", []string{"Origin: " + pageOrigin + ":443", method}, corsBlock, 403},
		{"longer", "", []string{"Origin: " + pageOrigin + ".evil.example", method}, corsBlock, 403},
		{"a list", "", []string{"Origin: " + pageOrigin + ", " + pageOrigin, method}, corsBlock, 403},
		{"null", "", []string{"Origin: null", method}, corsBlock, 403},
		{"star", "", []string{"Origin: *", method}, corsBlock, 403},
		{"quoted", "", []string{`Origin: "` + pageOrigin + `"`, method}, corsBlock, 403},
		{"not ASCII", "", []string{"Origin: " + pageOrigin + "\xff", method}, corsBlock, 403},
		{"huge", "", []string{"Origin: https://s3cr3t-" + strings.Repeat("x", 64<<10) + ".example.com", method}, corsBlock, 403},
		{"NUL", "", []string{"Origin: " + pageOrigin + "\x00", method}, badRequest, 400},
		{"line break", "", []string{"Origin: " + pageOrigin + "\rX: y", method}, badRequest, 400},

		{"no method", "", []string{"Origin: " + pageOrigin}, "missing_credential", 401},
		{"no origin", "", []string{method}, "missing_credential", 401},
		{"empty origin", "", []string{"Origin: ", method}, "missing_credential", 401},
		{"origin twice", "", []string{"Origin: " + pageOrigin, "Origin: " + pageOrigin, method}, "missing_credential", 401},
		{"method twice", "", []string{"Origin: " + pageOrigin, method, method}, "missing_credential", 401},
		{"underscores", "", []string{"Origin: " + pageOrigin, "Access_Control_Request_Method: GET"}, "missing_credential", 401},
		{"origin would be lost", "", []string{"Origin: " + pageOrigin, method, "Connection: Origin"}, "missing_credential", 401},
		{"not OPTIONS", "GET /api/2.1/jobs/list", []string{"Origin: " + pageOrigin, method}, "missing_credential", 401},
		{"empty credential", "", []string{"Origin: " + pageOrigin, method, "Authorization:"}, "missing_credential", 401},
		{"with a cookie", "", []string{"Origin: " + pageOrigin, method, "Cookie: a=b"}, "missing_credential", 401},
		{"with a body", "OPTIONS /api/2.0/clusters/delete", []string{"Origin: " + pageOrigin, method, "Content-Length: 1", "", "x"}, "missing_credential", 401},
		{"with a chunked body", "OPTIONS /api/2.0/clusters/delete", []string{"Origin: " + pageOrigin, method, "Transfer-Encoding: chunked", "", "1", "x", "0"}, "missing_credential", 401},
		{"with a token elsewhere", "", []string{"Origin: " + pageOrigin, method, "X-Databricks-Token: " + harness.LegacyToken(w)}, "missing_credential", 401},
		{"with a key", "", []string{"Origin: " + pageOrigin, method, "Api-Key: s3cr3t"}, "missing_credential", 401},
		{"with another credential", "", []string{"Origin: " + pageOrigin, method, "Proxy-Authorization: Basic eA=="}, "missing_credential", 401},
		{"with a credential parameter", "OPTIONS /api/2.1/jobs/list?token=s3cr3t", []string{"Origin: " + pageOrigin, method}, "missing_credential", 401},
		{"unknown token", "", []string{"Origin: " + pageOrigin, method, "Authorization: Bearer " + harness.RevokedToken(w)}, "unknown_token", 403},
		{"token in the query", "OPTIONS /api/2.1/jobs/list?access_token=x", []string{"Origin: " + pageOrigin, method}, "ambiguous_request", 400},
		{"malformed path", "OPTIONS /api/2.1/jobs/list%00", []string{"Origin: " + pageOrigin, method}, "malformed_path", 400},
		{"no path", "OPTIONS *", []string{"Origin: " + pageOrigin, method}, "malformed_path", 400},
	} {
		t.Run(test.name, func(t *testing.T) {
			w.Reset()
			before, unmapped := len(g.ReadRecords(t)), g.Metric(t, "scopegate_unmapped_total")
			line := test.line
			if line == "" {
				line = "OPTIONS /api/2.1/jobs/list"
			}
			c := g.Dial(t)
			c.Send(t, append([]string{line + " HTTP/1.1", "Host: " + g.Listen}, test.headers...)...)
			answer := c.Answer(t, http.MethodOptions)
			if got := outcomeOf(answer.Response); got != test.outcome || answer.StatusCode != test.status {
				t.Errorf("%s with %d, want %s with %d", got, answer.StatusCode, test.outcome, test.status)
			}
			arrived := harness.Arrivals(w)
			if len(arrived) > 0 != (test.outcome == passes) {
				t.Errorf("%d requests arrived", len(arrived))
			}
			for _, r := range arrived {
				for name := range r.Header {
					if attacks.Misleading.MatchString(name) || slices.Contains([]string{"Upgrade", "X-Real-Ip", "Authorization"}, name) {
						t.Errorf("%s arrived", name)
					}
				}
			}
			if test.outcome == badRequest {
				return // by net/http
			}
			record := g.Records(t, before+1)[before]
			if isPreflight := test.outcome == passes || test.outcome == corsBlock; isPreflight &&
				(g.Metric(t, "scopegate_unmapped_total") != unmapped || record["operation"] != "") {
				t.Errorf("the preflight counts as a call of %v", record["operation"])
			}
			want := map[string]any{"decision": "deny", "reason": test.outcome, "enforced": true, "status": float64(test.status)}
			if test.outcome == passes {
				want["decision"], want["reason"] = "public", "cors_preflight"
			}
			for name, value := range want {
				if record[name] != value {
					t.Errorf("record: %s is %v, want %v", name, record[name], value)
				}
			}
			if strings.Contains(answer.Body+strings.Join(answer.Header["X-Databricks-Reason-Phrase"], ""), "s3cr3t") {
				t.Errorf("the answer quotes the origin: %s", answer.Body)
			}
		})
	}
	if n := w.Counts().Lookups; n > 1 {
		t.Errorf("%d look-ups for one token", n)
	}
	written, err := os.ReadFile(g.AuditLog)
	if err != nil || strings.Contains(string(written), "s3cr3t") {
		t.Errorf("the records hold an origin, or %v", err)
	}
}

// TestCrossOriginAnswers: a page of an allowed origin can read refusals, and no other page
// can. Nothing allows credentials that a browser adds by itself.
func TestCrossOriginAnswers(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "cors "+pageOrigin)
	token := g.Mint("sql").Value
	for _, test := range []struct {
		name, path, token, origin string
		status                    int
		allow                     string
	}{
		{"refused", harness.JobsList, token, pageOrigin, 403, pageOrigin},
		{"no credential", harness.JobsList, "", pageOrigin, 401, pageOrigin},
		{"malformed", harness.JobsList + "%00", token, pageOrigin, 400, pageOrigin},
		{"of another origin", harness.JobsList, token, "https://evil.example", 403, ""},
		{"of the origin null", harness.JobsList, token, "null", 403, ""},
		{"no browser", harness.JobsList, token, "", 403, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			var headers []string
			if test.origin != "" {
				headers = []string{"Origin", test.origin}
			}
			answer := harness.Do(t, harness.Client(t), harness.NewRequest(t, http.MethodGet, g.URL+test.path, test.token, nil, headers...))
			if answer.StatusCode != test.status || answer.Header.Get("Access-Control-Allow-Origin") != test.allow {
				t.Errorf("%d with %q", answer.StatusCode, answer.Header)
			}
			if exposes := strings.Contains(answer.Header.Get("Access-Control-Expose-Headers"), "X-Scopegate-Reason"); exposes != (test.allow != "") {
				t.Errorf("exposes %t", exposes)
			}
			if !slices.Contains(answer.Header["Vary"], "Origin") || answer.Header["Access-Control-Allow-Credentials"] != nil {
				t.Errorf("headers: %q", answer.Header)
			}
		})
	}

	// What the workspace answers passes as it is.
	const clusters = "/api/2.0/sql/warehouses"
	direct := harness.Do(t, harness.Client(t), harness.NewRequest(t, http.MethodGet, w.URL()+clusters, token, nil, "Origin", pageOrigin))
	passed := harness.Do(t, harness.Client(t), harness.NewRequest(t, http.MethodGet, g.URL+clusters, token, nil, "Origin", pageOrigin))
	for _, name := range []string{"Vary", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers"} {
		if !slices.Equal(direct.Header[name], passed.Header[name]) || passed.StatusCode != 200 {
			t.Errorf("%d, %s: %q, directly %q", passed.StatusCode, name, passed.Header[name], direct.Header[name])
		}
	}

	// Where the workspace does not answer, we do.
	w.Close()
	answer := harness.Do(t, harness.Client(t), harness.NewRequest(t, http.MethodGet, g.URL+clusters, token, nil, "Origin", pageOrigin))
	if answer.Refused(t, answer.StatusCode, "upstream_unavailable"); answer.Header.Get("Access-Control-Allow-Origin") != pageOrigin {
		t.Errorf("headers: %q", answer.Header)
	}
}

// TestPreflightsWithoutCORS: unless it is configured, no preflight passes, and nothing that
// is answered allows anything.
func TestPreflightsWithoutCORS(t *testing.T) {
	w := harness.StartWorkspace(t)
	for _, test := range []struct {
		name, options string
		passes        bool
	}{
		{"enforced", "", false},
		{"observed", "mode observe", true},
		{"any origin", "cors *", true},
		{"error routes", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			w.Reset()
			directives := harness.GatewayBlock(w, test.options)
			if test.name == "error routes" {
				directives += "\nhandle_errors {\nrespond \"sorry\" 200\n}"
			}
			g := harness.StartSite(t, w, directives)
			answer := g.Send(t, http.MethodOptions, harness.JobsList, func(r *http.Request) {
				r.Header.Set("Origin", pageOrigin)
				r.Header.Set("Access-Control-Request-Method", "GET")
			})
			record := g.Records(t, 1)[0]
			if arrived := harness.Arrivals(w); len(arrived) == 1 != test.passes {
				t.Errorf("%d requests arrived", len(arrived))
			}
			wantReason := corsBlock
			if test.name == "any origin" {
				wantReason = "cors_preflight"
			}
			if record["reason"] != wantReason || record["enforced"] != (test.name != "observed") {
				t.Errorf("recorded %v, enforced %v", record["reason"], record["enforced"])
			}
			allowed := answer.Header.Get("Access-Control-Allow-Origin")
			if explains := strings.HasPrefix(allowed, "scopegate_does_not_allow_this_origin"); explains == test.passes {
				t.Errorf("Access-Control-Allow-Origin %q", allowed)
			}
		})
	}
}
