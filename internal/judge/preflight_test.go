package judge

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/policy"
)

const appOrigin = "https://app.example.com"

// preflight returns a preflight of appOrigin. Headers are changed one by one: a name with
// an empty value is removed.
func preflight(target string, header ...string) Request {
	r := httptest.NewRequest(http.MethodOptions, "http://gateway"+target, nil)
	r.Header.Set("Origin", appOrigin)
	r.Header.Set("Access-Control-Request-Method", http.MethodGet)
	r.Header.Set("Access-Control-Request-Headers", "authorization")
	for i := 0; i < len(header); i += 2 {
		if header[i+1] == "" {
			r.Header.Del(header[i])
		} else {
			r.Header.Add(header[i], header[i+1])
		}
	}
	return Of(r, now)
}

func TestPreflight(t *testing.T) {
	t.Parallel()
	changed := func(change func(*Request), r Request) Request { change(&r); return r }
	const passes, missing = policy.CORSPreflight, policy.MissingCredential
	for _, test := range []struct {
		name    string
		request Request
		allowed Origins
		want    policy.Reason
	}{
		{"allowed", preflight(jobsList), Origins{appOrigin}, passes},
		{"all allowed", preflight(jobsList), Origins{"*"}, passes},
		{"unknown path", preflight("/x"), Origins{appOrigin}, passes},
		{"public route", preflight("/oidc/v1/token"), Origins{appOrigin}, passes},
		{"with an ordinary query", preflight(jobsList + "?page_token=x"), Origins{appOrigin}, passes},

		{"nothing configured", preflight(jobsList), nil, policy.CORSNotAllowed},
		{"another origin", preflight(jobsList), Origins{"https://other.example.com"}, policy.CORSNotAllowed},
		{"opaque origin", preflight(jobsList, "Origin", "", "Origin", "null"), Origins{appOrigin}, policy.CORSNotAllowed},
		{"public route, nothing configured", preflight("/oidc/v1/token"), nil, policy.PublicRoute},

		{"malformed path", preflight("/api/2.1/jobs/list%00"), Origins{appOrigin}, policy.MalformedPath},
		{"token in the query", preflight(jobsList + "?access_token=x"), Origins{appOrigin}, policy.AmbiguousRequest},
		{"two workspaces", preflight(jobsList + "?o=1&w=2"), Origins{appOrigin}, policy.AmbiguousRequest},
		{"Connection names Authorization", preflight(jobsList, "Connection", "authorization"), Origins{appOrigin}, policy.AmbiguousRequest},

		{"no origin", preflight(jobsList, "Origin", ""), Origins{"*"}, missing},
		{"two origins", preflight(jobsList, "Origin", appOrigin), Origins{"*"}, missing},
		{"no method", preflight(jobsList, "Access-Control-Request-Method", ""), Origins{"*"}, missing},
		{"two methods", preflight(jobsList, "Access-Control-Request-Method", "GET"), Origins{"*"}, missing},
		{"empty method", changed(func(r *Request) { r.Header["Access-Control-Request-Method"] = []string{""} }, preflight(jobsList)), Origins{"*"}, missing},
		{"another HTTP method", changed(func(r *Request) { r.Method = http.MethodGet }, preflight(jobsList)), Origins{"*"}, missing},
		{"lower case", changed(func(r *Request) { r.Method = "options" }, preflight(jobsList)), Origins{"*"}, missing},
		{"empty credential", changed(func(r *Request) { r.Header["Authorization"] = []string{""} }, preflight(jobsList)), Origins{"*"}, missing},
		{"Connection names Origin", preflight(jobsList, "Connection", "keep-alive, origin"), Origins{"*"}, missing},
		{"Connection names the method", preflight(jobsList, "Connection", "Access-Control-Request-Method"), Origins{"*"}, missing},
		{"with a cookie", preflight(jobsList, "Cookie", "a=b"), Origins{"*"}, missing},
		{"with a body", changed(func(r *Request) { r.HasBody = true }, preflight(jobsList)), Origins{"*"}, missing},
		{"with a key", preflight(jobsList, "Api-Key", "x"), Origins{"*"}, missing},
		{"with a token elsewhere", preflight(jobsList, "X-Databricks-Token", pat), Origins{"*"}, missing},
		{"with a credential parameter", preflight(jobsList + "?token=x"), Origins{"*"}, missing},
		{"with a token as any parameter", preflight(jobsList + "?x=" + pat), Origins{"*"}, missing},
		{"public route, with a cookie", preflight("/oidc/v1/token", "Cookie", "a=b"), Origins{"*"}, policy.PublicRoute},
		{"other credential", preflight(jobsList, "Authorization", "Negotiate x"), Origins{"*"}, policy.UnsupportedCredential},
		{"with a token", preflight(jobsList, "Authorization", "Bearer "+pat), Origins{"*"}, policy.Permitted},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			for _, observe := range []bool{false, true} {
				j := newJudge(&fakeService{})
				j.CORS, j.Observe = test.allowed, observe
				got := j.Judge(t.Context(), test.request)
				if got.Reason != test.want {
					t.Errorf("reason %s, want %s", got.Reason, test.want)
				}
				wantDecision := Deny
				switch test.want {
				case policy.CORSPreflight, policy.PublicRoute:
					wantDecision = Public
				case policy.Permitted:
					wantDecision = Allow
				}
				if got.Decision != wantDecision || got.Refused() != (wantDecision == Deny && !observe) {
					t.Errorf("decision %s, refused %t in mode observe %t", got.Decision, got.Refused(), observe)
				}
				if isCORS := test.want == policy.CORSPreflight || test.want == policy.CORSNotAllowed; isCORS && (got.Operation != nil || !got.Token.IsZero()) {
					t.Errorf("operation %v, token %v", got.Operation, got.Token)
				}
			}
		})
	}
}

// TestPreflightHeaders: a preflight leaves without what could stand for a credential or for
// another request.
func TestPreflightHeaders(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodOptions, "http://gateway"+jobsList, nil)
	keep := map[string]string{"Origin": appOrigin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
	for name, value := range keep {
		r.Header.Set(name, value)
	}
	drop := []string{"Cookie_", "Proxy_Authorization", "X-Http-Method-Override", "X-Databricks-Azure-Workspace-Resource-Id", "X-Real-Ip", "Upgrade"}
	for _, name := range drop {
		r.Header[name] = []string{"websocket"}
	}
	j := newJudge(&fakeService{})
	j.CORS = Origins{appOrigin}
	judgement := j.Judge(t.Context(), Of(r, now))
	judgement.DropHeaders(r, nil)
	for _, name := range drop {
		if r.Header[name] != nil {
			t.Errorf("%s leaves", name)
		}
	}
	for name := range keep {
		if r.Header[name] == nil {
			t.Errorf("%s does not leave", name)
		}
	}
}

// TestPreflightBody: a body counts however its end is marked.
func TestPreflightBody(t *testing.T) {
	t.Parallel()
	for length, want := range map[int64]bool{0: false, 1: true, -1: true} {
		r := httptest.NewRequest(http.MethodOptions, "http://gateway"+jobsList, nil)
		if r.ContentLength = length; Of(r, now).HasBody != want {
			t.Errorf("length %d", length)
		}
	}
}

// TestTokenInQuery: a personal access token in a query reaches no route that needs none.
func TestTokenInQuery(t *testing.T) {
	t.Parallel()
	encoded := base64.StdEncoding.EncodeToString([]byte("token:" + pat))
	for query, refused := range map[string]bool{
		"token=" + pat:                          true,
		"a=b&x=Bearer+" + pat:                   true,
		"a=%zz;" + pat:                          true,
		"x=%64api" + pat[4:]:                    true,
		"x=Basic%20" + url.QueryEscape(encoded): true,
		"":                                      false,
		"client_id=databricks-cli&state=" + encoded[:16]: false,
		"id_token_hint=" + jwt:                           false,
	} {
		for path, applies := range map[string]bool{"/oidc/v1/authorize": true, "/.well-known/foo": true, "/OIDC": true, jobsList: false} {
			got := newJudge(&fakeService{}).Judge(t.Context(), request(http.MethodGet, path+"?"+query))
			if ambiguous := got.Reason == policy.AmbiguousRequest; ambiguous != (refused && applies) || strings.Contains(got.Problem, "dapi") {
				t.Errorf("%s?%s: %s %q", path, query, got.Reason, got.Problem)
			}
		}
	}
}
