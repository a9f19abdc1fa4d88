package proxy

import (
	"encoding/base64"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// addedByProxy are the headers that the gateway adds to every request.
var addedByProxy = []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"}

// sentHeaders returns the headers of a request as it arrived, without addedByProxy.
func sentHeaders(r fakeworkspace.Request) http.Header {
	header := r.Header.Clone()
	for _, name := range addedByProxy {
		header.Del(name)
	}
	return header
}

// The request target is forwarded byte by byte.
func TestRequestTarget(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	token := harness.LegacyToken(w)
	const files = "/api/2.0/fs/files/Volumes/main/default/v/"
	for _, tt := range []struct{ name, method, target string }{
		{"plain", "GET", "/api/2.2/jobs/list"},
		{"bare question mark", "GET", "/api/2.0/token-info?"},
		{"order of the query", "GET", "/api/2.2/jobs/list?b=2&a=1&b=1&c"},
		{"escapes in the query", "GET", "/api/2.0/workspace/list?path=%2FUsers%2fa%20b+c&x=%E2%82%AC"},
		{"broken escape in the query", "GET", "/api/2.0/workspace/list?path=%zz&a;b"},
		{"question mark in the query", "GET", "/api/2.0/workspace/list?path=?&?"},
		{"escaped slash", "GET", files + "a%2Fb"},
		{"escaped slash in lower case", "GET", files + "a%2fb"},
		{"escaped letters", "GET", files + "%61%C3%A9%c3%a9"},
		{"escaped percent sign", "GET", files + "100%25"},
		{"escaped question mark", "GET", files + "what%3F"},
		{"space", "GET", files + "a%20b"},
		{"punctuation", "GET", files + "a:b@c~d!e$f&g'h(i)j*k+l,m=n"},
		{"parameters", "GET", files + "a;v=1"},
		{"trailing slash", "GET", "/api/2.0/fs/directories/Volumes/main/default/v/"},
		{"double slashes", "GET", "/api/2.0/fs/files//Volumes/main"},
		{"dot segments", "GET", files + "../v/./a"},
		{"root", "GET", "/"},
		{"long", "GET", files + strings.Repeat("0123456789", 800)},
		{"post", "POST", "/api/2.0/unknown"},
		{"put", "PUT", "/api/2.0/unknown"},
		{"patch", "PATCH", "/api/2.0/unknown"},
		{"delete", "DELETE", "/api/2.0/unknown"},
		{"head", "HEAD", "/api/2.0/unknown"},
		{"options", "OPTIONS", "/api/2.0/unknown"},
		{"method of another protocol", "PROPFIND", "/api/2.0/unknown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.Reset()
			c := g.Dial(t)
			c.Send(t, tt.method+" "+tt.target+" HTTP/1.1", "Host: "+g.Listen, "Authorization: Bearer "+token)
			if reason := c.Answer(t, tt.method).Header.Get("X-Scopegate-Reason"); reason != "" {
				t.Fatalf("refused: %s", reason)
			}
			if got := harness.OnlyArrival(t, w); got.Method != tt.method || got.URI != tt.target {
				t.Errorf("arrived as %s %s", got.Method, got.URI)
			}
		})
	}
}

// A target with characters that are invalid in a URL is re-escaped when it is forwarded,
// which may change other escapes too. The target that is judged is the one forwarded.
func TestEscapedTarget(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	token := harness.LegacyToken(w)
	for i, target := range []string{
		"/api/2.0/fs/files/a|b", "/api/2.0/fs/files/a|b%2Fc", "/api/2.0/fs/files/{a}%2Fc", `/api/2.0/fs/files/"a"`,
		"/api/2.0/fs/files/\u00e9%2Fc", `/api/2.0/fs/files/a\b%2Fc`, "/api/2.0/fs/files/a%2f|%2e%2e%2fc",
	} {
		w.Reset()
		c := g.Dial(t)
		c.Send(t, "GET "+target+" HTTP/1.1", "Host: "+g.Listen, "Authorization: Bearer "+token)
		c.Answer(t, "GET")
		if judged, left := g.Records(t, i+1)[i]["path"], harness.OnlyArrival(t, w).URI; judged != left {
			t.Errorf("%s: judged %s, but forwarded %s", target, judged, left)
		}
	}
}

// Headers are forwarded unchanged, and only the usual proxy headers are added.
func TestRequestHeaders(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	token := harness.LegacyToken(w)
	bearer := "Authorization: Bearer " + token
	for _, tt := range []struct {
		name  string
		lines []string
	}{
		{"bearer", []string{bearer}},
		{"bearer in lower case", []string{"authorization: bearer " + token}},
		{"basic", []string{"Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("token:"+token))}},
		{"user agent", []string{bearer, "User-Agent: databricks-sdk-go/0.175.0 go/1.26 os/linux (x; y)"}},
		{"routing", []string{bearer, "X-Databricks-Workspace-Id: 3141592653589793", "X-Databricks-Org-Id: 3141592653589793"}},
		{"tracing", []string{bearer, "Traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", "Tracestate: a=b", "Baggage: c=d"}},
		{"content negotiation", []string{bearer, "Accept: application/json", "Accept-Encoding: gzip, br", "Accept-Language: de"}},
		{"conditions", []string{bearer, `If-None-Match: "x"`, "If-Modified-Since: Sat, 29 Oct 1994 19:43:31 GMT", "Cache-Control: no-cache"}},
		{"idempotency", []string{bearer, "X-Databricks-Request-Id: 1", "X-Request-Id: 2", "Idempotency-Key: 3"}},
		{"one name twice", []string{bearer, "X-Anything: one", "X-Anything: two, three"}},
		{"empty value", []string{bearer, "X-Anything:"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.Reset()
			c := g.Dial(t)
			c.Send(t, append([]string{"GET /api/2.0/serving-endpoints HTTP/1.1", "Host: " + g.Listen}, tt.lines...)...)
			if answer := c.Answer(t, "GET"); answer.StatusCode != http.StatusOK {
				t.Fatalf("answered %d %s", answer.StatusCode, answer.Body)
			}
			want := make(http.Header)
			for _, line := range tt.lines {
				name, value, _ := strings.Cut(line, ":")
				want.Add(name, strings.TrimSpace(value))
			}
			got := harness.OnlyArrival(t, w)
			if diff := cmp.Diff(want, sentHeaders(got), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("headers (-sent +arrived):\n%s", diff)
			}
			if want := strings.TrimPrefix(w.URL(), "http://"); got.Host != want {
				t.Errorf("host %q, want the workspace's, %q", got.Host, want)
			}
		})
	}
}

// Bodies keep their framing.
func TestRequestBody(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	token := harness.LegacyToken(w)
	received := make(chan string, 1)
	w.Handle("POST /body", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		content, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		received <- string(content)
	}))
	for _, tt := range []struct {
		name, framing, body, content string
		length                       int64
	}{
		{"none", "X-None: 1", "", "", 0},
		{"empty", "Content-Length: 0", "", "", 0},
		{"length", "Content-Length: 11", "hello\x00w\xfforl", "hello\x00w\xfforl", 11},
		{"chunked", "Transfer-Encoding: chunked", "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "hello world", -1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.Reset()
			c := g.Dial(t)
			c.Send(t, "POST /body HTTP/1.1", "Host: "+g.Listen, "Authorization: Bearer "+token, tt.framing)
			c.WriteText(t, tt.body)
			if answer := c.Answer(t, "POST"); answer.StatusCode != http.StatusOK {
				t.Fatalf("answered %d %s", answer.StatusCode, answer.Body)
			}
			if got := <-received; got != tt.content {
				t.Errorf("received %q, want %q", got, tt.content)
			}
			if got := harness.OnlyArrival(t, w).ContentLength; got != tt.length {
				t.Errorf("arrived with a content length of %d, want %d", got, tt.length)
			}
		})
	}
}
