package refusal

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http/httpguts"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
)

func TestWriteCORS(t *testing.T) {
	t.Parallel()
	const app, other = "https://app.example.com", "https://other.example.com"
	isPreflight := func(origin string) *http.Request {
		r := httptest.NewRequest(http.MethodOptions, "/", nil)
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", "GET")
		return r
	}
	call := func(origins ...string) *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Origin"] = origins
		return r
	}
	for _, test := range []struct {
		name    string
		r       *http.Request
		allowed judge.Origins
		reason  policy.Reason
		vary    bool
		origin  string
		exposes bool
	}{
		{"allowed", call(app), judge.Origins{app}, policy.MissingScope, true, app, true},
		{"all allowed", call(app), judge.Origins{"*"}, policy.MissingScope, true, "*", true},
		{"unanswered", call(app), judge.Origins{app}, UpstreamUnavailable, true, app, true},
		{"another origin", call(other), judge.Origins{app}, policy.MissingScope, true, "", false},
		{"two origins", call(app, app), judge.Origins{app}, policy.MissingScope, true, "", false},
		{"no browser", call(), judge.Origins{"*"}, policy.MissingScope, true, "", false},
		{"not configured", call(app), nil, policy.MissingScope, false, "", false},
		{"preflight", isPreflight(app), nil, policy.CORSNotAllowed, true, allowsNoSuchOrigin, false},
		{"preflight of another origin", isPreflight(other), judge.Origins{app}, policy.CORSNotAllowed, true, allowsNoSuchOrigin, false},
		{"preflight with a malformed path", isPreflight(app), judge.Origins{app}, policy.MalformedPath, true, failedPreflight + "malformed_path", false},
		{"preflight without an answer", isPreflight(app), judge.Origins{"*"}, UpstreamUnavailable, true, failedPreflight + "upstream_unavailable", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			header := http.Header{"Vary": {"Accept-Encoding"}}
			WriteCORS(header, test.r, test.allowed, test.reason)
			origins := header["Access-Control-Allow-Origin"]
			if got := strings.Join(origins, "|"); got != test.origin || !httpguts.ValidHeaderFieldValue(got) {
				t.Errorf("Access-Control-Allow-Origin %q, want %q", got, test.origin)
			}
			if got := slices.Contains(header["Vary"], "Origin"); got != test.vary || header["Vary"][0] != "Accept-Encoding" {
				t.Errorf("Vary: %q", header["Vary"])
			}
			exposed := strings.Split(header.Get("Access-Control-Expose-Headers"), ", ")
			for _, name := range []string{"X-Request-Id", "X-Scopegate-Reason", "X-Databricks-Reason-Phrase", "WWW-Authenticate", "Retry-After"} {
				if slices.Contains(exposed, name) != test.exposes {
					t.Errorf("exposed: %q", exposed)
				}
			}
			for name := range header {
				if strings.HasPrefix(name, "Access-Control-Allow-") && name != "Access-Control-Allow-Origin" {
					t.Errorf("%s is set", name)
				}
			}
		})
	}
}
