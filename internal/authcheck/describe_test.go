package authcheck

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/policy"
)

// checkOf returns a check as a server reads it, with headers in pairs.
func checkOf(method, target string, header ...string) *http.Request {
	check := httptest.NewRequest(method, target, http.NoBody)
	check.RequestURI = target
	for i := 0; i < len(header); i += 2 {
		check.Header.Add(header[i], header[i+1])
	}
	return check
}

func TestDescribe(t *testing.T) {
	t.Parallel()
	const wrong, two, malformed = policy.GatewayMisconfigured, policy.AmbiguousRequest, policy.MalformedPath
	nginx := func(more ...string) []string {
		return append([]string{"X-Original-Method", "GET", "X-Original-URI", "/a?b"}, more...)
	}
	forwarded := func(more ...string) []string {
		return append([]string{"X-Forwarded-Method", "PUT", "X-Forwarded-Uri", "/a?b"}, more...)
	}
	for _, test := range []struct {
		name         string
		set          Dialect
		prefix, path string
		header       []string
		dialect      Dialect
		asked        string // method and target
		reason       policy.Reason
	}{
		{"nginx", Recognized, "", Path, nginx(), Nginx, "GET /a?b", ""},
		{"forwarded", Recognized, "", Path, forwarded(), Forwarded, "PUT /a?b", ""},
		{"Caddy's query", Recognized, "", Path + "?b", forwarded(), Forwarded, "PUT /a?b", ""},
		{"nothing", Recognized, "", Path, nil, Nginx, "", wrong},
		{"both", Recognized, "", Path, append(nginx(), forwarded()...), Nginx, "", two},
		{"method of one, target of the other", Recognized, "", Path, []string{"X-Original-Method", "GET", "X-Forwarded-Uri", "/a"}, Nginx, "", two},
		{"one and an empty other", Recognized, "", Path, nginx("X-Forwarded-Uri", ""), Nginx, "", two},
		{"another path", Recognized, "", "/decide/", nginx(), Nginx, "", wrong},
		{"root", Recognized, "", "/", nginx(), Nginx, "", wrong},
		{"escaped path", Recognized, "", "/%64ecide", nginx(), Nginx, "", wrong},
		{"no method", Recognized, "", Path, []string{"X-Original-URI", "/a"}, Nginx, "", wrong},
		{"no target", Recognized, "", Path, []string{"X-Original-Method", "GET"}, Nginx, "", wrong},
		{"empty method", Recognized, "", Path, []string{"X-Original-Method", "", "X-Original-URI", "/a"}, Nginx, "", wrong},
		{"empty target", Recognized, "", Path, []string{"X-Forwarded-Method", "GET", "X-Forwarded-Uri", ""}, Forwarded, "", wrong},
		{"two methods", Recognized, "", Path, nginx("X-Original-Method", "GET"), Nginx, "", two},
		{"two targets", Recognized, "", Path, forwarded("X-Forwarded-Uri", "/c"), Forwarded, "", two},
		{"methods with a comma", Recognized, "", Path, []string{"X-Original-Method", "GET,PUT", "X-Original-URI", "/a"}, Nginx, "GET,PUT /a", malformed},
		{"targets with a comma and a space", Recognized, "", Path, []string{"X-Original-Method", "GET", "X-Original-URI", "/a, /b"}, Nginx, "GET /a, /b", malformed},
		{"a comma in the target", Recognized, "", Path, []string{"X-Original-Method", "GET", "X-Original-URI", "/a,/b"}, Nginx, "GET /a,/b", ""},
		{"absolute target", Recognized, "", Path, []string{"X-Original-Method", "GET", "X-Original-URI", "http://h/a"}, Nginx, "GET http://h/a", malformed},

		{"nginx is set", Nginx, "", "/any", nginx(), Nginx, "GET /a?b", ""},
		{"nginx is set, forwarded asks", Nginx, "", "/any", forwarded(), Nginx, "", wrong},
		{"forwarded is set", Forwarded, "", "/any?x", forwarded(), Forwarded, "PUT /a?b", ""},
		{"forwarded is set, nginx asks", Forwarded, "", "/any", nginx(), Forwarded, "", wrong},

		{"Envoy", Envoy, "", "/a?b", nil, Envoy, "POST /a?b", ""},
		{"Envoy with a prefix", Envoy, "/p", "/p/a?b", nil, Envoy, "POST /a?b", ""},
		{"Envoy without its prefix", Envoy, "/p", "/a", nil, Envoy, "", wrong},
		{"Envoy with half a segment", Envoy, "/p", "/pa", nil, Envoy, "POST a", malformed},
		{"Envoy with the prefix alone", Envoy, "/p", "/p", nil, Envoy, "POST ", malformed},
		{"Envoy with the prefix twice", Envoy, "/p", "/p/p/a", nil, Envoy, "POST /p/a", ""},
		{"Envoy with an escaped prefix", Envoy, "/p", "/%70/a", nil, Envoy, "", wrong},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			check := checkOf("POST", test.path, append(test.header, "X-Kept", "1")...)
			got, problem := Describe(check, test.set, test.prefix)
			if got.Dialect != test.dialect {
				t.Errorf("dialect %s", got.Dialect)
			}
			switch {
			case test.reason != "":
				if problem == nil || problem.Reason != test.reason || problem.Text == "" {
					t.Errorf("problem %+v", problem)
				}
				if test.asked == "" && got.Request != check || test.asked != "" && got.Request.Method+" "+got.Request.RequestURI != test.asked {
					t.Errorf("recorded as %s %s", got.Request.Method, got.Request.RequestURI)
				}
			case problem != nil:
				t.Errorf("problem %+v", problem)
			case got.Request.Method+" "+got.Request.RequestURI != test.asked || got.Request.URL.RequestURI() != got.Request.RequestURI:
				t.Errorf("asked %s %s, %s", got.Request.Method, got.Request.RequestURI, got.Request.URL)
			case got.Request.Header.Get("X-Kept") != "1" || got.Request == check:
				t.Errorf("asked with %v", got.Request.Header)
			}
		})
	}
}

// What describes a request, and what the proxy says itself, is no header of the request.
func TestDescribeHeaders(t *testing.T) {
	t.Parallel()
	check := checkOf("GET", Path, "X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/a", "X-Forwarded-Host", "h", "X-Forwarded-Proto", "https",
		"X-Forwarded-For", "192.0.2.1", "X-Forwarded-Port", "443", "X-Forwarded-Server", "s", "X-Real-Ip", "192.0.2.1", "Via", "1.1 Caddy",
		"Connection", "close", "Keep-Alive", "5", "Content-Length", "7", "Transfer-Encoding", "chunked",
		"Authorization", "Bearer x", "Cookie", "a=b", "X-Forwarded-Prefix", "/p", "X-Original-Url", "/u", "X-Forwarded-Path", "/u")
	got, problem := Describe(check, Recognized, "")
	if problem != nil {
		t.Fatal(problem)
	}
	var names []string
	for name := range got.Request.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	if want := []string{"Authorization", "Cookie", "X-Forwarded-Path", "X-Forwarded-Prefix", "X-Original-Url"}; !slices.Equal(names, want) {
		t.Errorf("headers %q, want %q", names, want)
	}
	if check.Header.Get("X-Forwarded-Uri") != "/a" || check.Header.Get("Connection") == "" {
		t.Error("the check's own headers were changed")
	}
	got.Request.Header.Set("X-New", "1")
	if check.Header.Get("X-New") != "" {
		t.Error("the headers are shared with the check's")
	}
}

func TestDescribeClient(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		header []string
		want   string
	}{
		{"nothing", nil, ""},
		{"one", []string{"X-Forwarded-For", "192.0.2.1"}, "192.0.2.1"},
		{"a list", []string{"X-Forwarded-For", "203.0.113.9, 192.0.2.1"}, "192.0.2.1"},
		{"a list without spaces", []string{"X-Forwarded-For", "203.0.113.9,192.0.2.1"}, "192.0.2.1"},
		{"two lines", []string{"X-Forwarded-For", "203.0.113.9", "X-Forwarded-For", "192.0.2.1"}, "192.0.2.1"},
		{"a port", []string{"X-Forwarded-For", "192.0.2.1:4711"}, "192.0.2.1"},
		{"IPv6", []string{"X-Forwarded-For", "2001:DB8::1"}, "2001:db8::1"},
		{"IPv6 with a port", []string{"X-Forwarded-For", "[2001:db8::1]:4711"}, "2001:db8::1"},
		{"IPv6 in brackets", []string{"X-Forwarded-For", "[2001:db8::1]"}, ""},
		{"a name", []string{"X-Forwarded-For", "client.example"}, ""},
		{"unknown", []string{"X-Forwarded-For", "unknown"}, ""},
		{"a comma at the end", []string{"X-Forwarded-For", "192.0.2.1,"}, ""},
		{"empty", []string{"X-Forwarded-For", ""}, ""},
		{"a secret", []string{"X-Forwarded-For", "dapi0123"}, ""},
		{"Traefik's other one", []string{"X-Real-Ip", "192.0.2.1"}, "192.0.2.1"},
		{"both", []string{"X-Real-Ip", "203.0.113.9", "X-Forwarded-For", "192.0.2.1"}, "192.0.2.1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, problem := Describe(checkOf("GET", Path, append(test.header, "X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/")...), Recognized, "")
			if problem != nil || got.Client != test.want {
				t.Errorf("client %q, problem %v", got.Client, problem)
			}
		})
	}
	t.Run("nginx", func(t *testing.T) {
		t.Parallel()
		got, problem := Describe(checkOf("GET", Path, "X-Original-Method", "GET", "X-Original-URI", "/", "X-Real-IP", "192.0.2.1", "X-Forwarded-For", "203.0.113.9"), Recognized, "")
		if problem != nil || got.Client != "192.0.2.1" {
			t.Errorf("client %q, problem %v", got.Client, problem)
		}
	})
}

// What the proxy says of a body is kept: a request with one is no CORS preflight.
func TestDescribeLength(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		header []string
		sent   int64 // with the check itself
		want   int64
	}{
		{"none", nil, 0, 0},
		{"told", []string{"Content-Length", "7"}, 0, 7},
		{"told and sent", []string{"Content-Length", "7"}, 7, 7},
		{"chunked", nil, -1, -1},
		{"not a number", []string{"Content-Length", "7, 8"}, -1, -1},
		{"empty", []string{"Content-Length", ""}, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			check := checkOf("OPTIONS", "/a", test.header...)
			check.ContentLength = test.sent
			got, problem := Describe(check, Envoy, "")
			if problem != nil || got.Request.ContentLength != test.want || got.Request.Header["Content-Length"] != nil {
				t.Errorf("length %d, header %v, problem %v", got.Request.ContentLength, got.Request.Header, problem)
			}
		})
	}
}

func TestDialects(t *testing.T) {
	t.Parallel()
	for _, name := range Dialects() {
		if removes := Dialect(name).Removes(); removes != (name == "envoy") {
			t.Errorf("%s removes headers: %v", name, removes)
		}
	}
	if Dialects()[0] != string(Recognized) {
		t.Errorf("the default is %s", Dialects()[0])
	}
	for dialect, said := range dialects {
		for _, name := range append([]string{said.method, said.uri}, said.more...) {
			if name != http.CanonicalHeaderKey(name) {
				t.Errorf("%s: %s is not in canonical form, so it would never be found", dialect, name)
			}
		}
	}
	if !strings.HasPrefix(Path, "/") {
		t.Error(Path)
	}
}
