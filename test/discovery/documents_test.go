package discovery

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

const metadataPath = "/oidc/.well-known/oauth-authorization-server"

// answers lets a workspace answer as a test says.
type answers struct {
	atomic.Pointer[http.HandlerFunc]
}

func (a *answers) set(h http.HandlerFunc) { a.Store(&h) }

func (a *answers) ServeHTTP(rw http.ResponseWriter, r *http.Request) { (*a.Load())(rw, r) }

// scripted starts a workspace that answers these patterns as a test says.
func scripted(t testing.TB, patterns ...string) (*hidden, *answers) {
	t.Helper()
	h, a := startHidden(t, plainAddress), new(answers)
	for _, pattern := range patterns {
		h.Handle(pattern, a)
	}
	return h, a
}

// document is one that names the workspace, and others, in every way that matters. In what
// the client gets, @ is the gateway.
const document = `{ "issuer":"@/oidc", "token_endpoint": "@/oidc/v1/token?a=%20b#c", "n":1.50,
  "accounts":"https://accounts.cloud.databricks.com/oidc","near":"http://ws.example.test.evil.com/","text":"see http://ws.example.test/",
  "token_federation_default_oidc_audiences":["http://ws.example.test/oidc/v1/token"], "list":[["@"]] }`

func written(origin string) string { return strings.ReplaceAll(document, "@", origin) }

func TestDocuments(t *testing.T) {
	h, a := scripted(t, "GET "+metadataPath, "GET /api/2.2/jobs/list", "GET /api/2.0/fs/files/{path...}")
	g := h.gateway(t, "")
	plain := func(status int, kind, body string, header ...string) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", kind)
			for i := 0; i < len(header); i += 2 {
				rw.Header().Add(header[i], header[i+1])
			}
			rw.WriteHeader(status)
			_, _ = rw.Write([]byte(body))
		}
	}
	var packed bytes.Buffer
	pack := gzip.NewWriter(&packed)
	_, _ = pack.Write([]byte(written(plainAddress)))
	_ = pack.Close()
	long := written(plainAddress) + strings.Repeat(" ", 256<<10)
	fits := written(plainAddress) + strings.Repeat(" ", 256<<10-len(written(plainAddress)))
	token := harness.Bearer(harness.LegacyToken(h.Workspace))
	for _, tt := range []struct {
		name, path string
		answer     http.HandlerFunc
		change     func(*http.Request)
		want       string // empty: what the workspace sent
		sent       string
	}{
		{"JSON", metadataPath, plain(200, "application/json; charset=utf-8", written(plainAddress)), nil, written(g.URL), ""},
		{"of a kind of JSON", metadataPath, plain(200, "application/oauth-metadata+JSON", written(plainAddress)), nil, written(g.URL), ""},
		{"a kind in capitals", metadataPath, plain(200, "Application/JSON", written(plainAddress)), nil, written(g.URL), ""},
		{"asked in a query", metadataPath + "?x", plain(200, "application/json", written(plainAddress)), nil, written(g.URL), ""},
		{"as long as may be", metadataPath, plain(200, "application/json", fits), nil, strings.Replace(fits, written(plainAddress), written(g.URL), 1), ""},
		{"too long", metadataPath, plain(200, "application/json", long), nil, "", long},
		{"too long, chunked", metadataPath, func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", "application/json")
			_ = http.NewResponseController(rw).Flush()
			_, _ = rw.Write([]byte(long))
		}, nil, "", long},
		{"text", metadataPath, plain(200, "text/plain", written(plainAddress)), nil, "", written(plainAddress)},
		{"HTML", metadataPath, plain(200, "text/html", `<a href="`+plainAddress+`/">`), nil, "", `<a href="` + plainAddress + `/">`},
		{"no JSON in truth", metadataPath, plain(200, "application/json", `{"a":"`+plainAddress+`/"`), nil, "", `{"a":"` + plainAddress + `/"`},
		{"an error", metadataPath, plain(404, "application/json", written(plainAddress)), nil, "", written(plainAddress)},
		{"packed all the same", metadataPath, plain(200, "application/json", packed.String(), "Content-Encoding", "gzip"), nil, "", packed.String()},
		{"an API", "/api/2.2/jobs/list", plain(200, "application/json", written(plainAddress)), token, "", written(plainAddress)},
		{"a file of that name", "/api/2.0/fs/files/Volumes/a/.well-known/openid-configuration", plain(200, "application/json", written(plainAddress)), token, "", written(plainAddress)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a.set(tt.answer)
			got := g.Send(t, "GET", tt.path, tt.change)
			want := tt.want
			if want == "" {
				want = tt.sent
			}
			if got.Body != want {
				t.Errorf("got %q, want %q", got.Body, want)
			}
			if length := got.Header.Get("Content-Length"); length != "" && length != strconv.Itoa(len(want)) {
				t.Errorf("Content-Length %s of %d", length, len(want))
			}
		})
	}
}

// TestDocumentHeaders: what would contradict a rewritten document, or let it be taken for
// that of another client, goes; what is not rewritten keeps its headers.
func TestDocumentHeaders(t *testing.T) {
	h, a := scripted(t, "GET "+metadataPath, "GET /api/2.2/jobs/list")
	g := h.gateway(t, "")
	body := written(plainAddress)
	a.set(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("If-None-Match") != "" || r.Header.Get("If-Modified-Since") != "" {
			rw.WriteHeader(http.StatusNotModified)
			return
		}
		header := rw.Header()
		for name, value := range map[string]string{
			"Content-Type": "application/json", "ETag": `"1"`, "Last-Modified": "Mon, 02 Jan 2006 15:04:05 GMT", "Content-MD5": "x", "Digest": "x",
			"Content-Digest": "x", "Repr-Digest": "x", "Expires": "Mon, 02 Jan 2096 15:04:05 GMT", "Age": "5", "Accept-Ranges": "bytes",
			"Cache-Control": "public, max-age=3600", "X-Kept": "1",
		} {
			header.Set(name, value)
		}
		if r.Header.Get("Range") != "" {
			header.Set("Content-Range", fmt.Sprintf("bytes 0-3/%d", len(body)))
			rw.WriteHeader(http.StatusPartialContent)
			_, _ = rw.Write([]byte(body[:4]))
			return
		}
		header.Set("Content-Length", strconv.Itoa(len(body)))
		if r.Method != http.MethodHead {
			_, _ = rw.Write([]byte(body))
		}
	})
	asked := func(r *http.Request) {
		for name, value := range map[string]string{"If-None-Match": `"1"`, "If-Modified-Since": "Mon, 02 Jan 2096 15:04:05 GMT", "Range": "bytes=0-3", "If-Range": `"1"`, "Accept-Encoding": "gzip"} {
			r.Header.Set(name, value)
		}
	}
	gone := []string{"Etag", "Last-Modified", "Content-Md5", "Digest", "Content-Digest", "Repr-Digest", "Expires", "Age", "Accept-Ranges"}
	for _, method := range []string{"GET", "HEAD"} {
		t.Run(method, func(t *testing.T) {
			h.Reset()
			got := g.Send(t, method, metadataPath, asked)
			want := written(g.URL)
			if method == "HEAD" {
				want = ""
			}
			if got.StatusCode != 200 || got.Body != want || got.Header.Get("Cache-Control") != "no-store" || got.Header.Get("X-Kept") != "1" {
				t.Errorf("%d %v %q", got.StatusCode, got.Header, got.Body)
			}
			for _, name := range gone {
				if value, ok := got.Header[name]; ok {
					t.Errorf("%s: %q", name, value)
				}
			}
			if method == "HEAD" && got.Header["Content-Length"] != nil {
				t.Errorf("the length is that of the workspace's document, %s", got.Header.Get("Content-Length"))
			}
			if encoding := sent(t, h.Workspace, metadataPath).Header["Accept-Encoding"]; len(encoding) != 1 || encoding[0] != "identity" {
				t.Errorf("asked for %q", encoding)
			}
		})
	}
	t.Run("an API", func(t *testing.T) {
		h.Reset()
		got := g.Send(t, "GET", "/api/2.2/jobs/list", func(r *http.Request) {
			harness.Bearer(harness.LegacyToken(h.Workspace))(r)
			r.Header.Set("Range", "bytes=0-3")
		})
		if got.StatusCode != 206 || got.Header.Get("Etag") == "" || got.Header.Get("Cache-Control") != "public, max-age=3600" {
			t.Errorf("%d %v", got.StatusCode, got.Header)
		}
	})
}

// TestMCPDiscovery: the documents by which clients of MCP servers find the OAuth server pass
// without a token, and lead to the gateway.
func TestMCPDiscovery(t *testing.T) {
	paths := []string{
		"/.well-known/oauth-protected-resource/api/2.0/mcp/functions/main/default", "/.well-known/oauth-protected-resource",
		"/.well-known/oauth-authorization-server/oidc", "/.well-known/openid-configuration/oidc", "/oidc/.well-known/openid-configuration",
	}
	h, a := scripted(t, "GET /.well-known/{path...}", "GET /oidc/.well-known/openid-configuration")
	a.set(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprintf(rw, `{"resource":"%[1]s%[2]s","authorization_servers":["%[1]s/oidc"]}`, plainAddress, r.URL.Path)
	})
	g := h.gateway(t, "")
	for _, path := range paths {
		want := fmt.Sprintf(`{"resource":"%[1]s%[2]s","authorization_servers":["%[1]s/oidc"]}`, g.URL, path)
		if got := g.Send(t, "GET", path, nil); got.StatusCode != 200 || got.Body != want {
			t.Errorf("%s: %d %s", path, got.StatusCode, got.Body)
		}
	}
}

// TestDocumentCutOff: a document that breaks off is cut off for the client too.
func TestDocumentCutOff(t *testing.T) {
	h, a := scripted(t, "GET "+metadataPath)
	g := h.gateway(t, "")
	a.set(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("Content-Length", "1000")
		_, _ = rw.Write([]byte(`{"a":"` + plainAddress + `/"`))
		_ = http.NewResponseController(rw).Flush()
		panic(http.ErrAbortHandler)
	})
	response, err := harness.Client(t).Do(harness.NewRequest(t, "GET", g.URL+metadataPath, "", nil))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var read bytes.Buffer
	if _, err := read.ReadFrom(response.Body); err == nil {
		t.Errorf("a complete response: %q", read.String())
	}
	if record := g.Records(t, 1)[0]; record["outcome"] != "upstream_reset" {
		t.Errorf("recorded as %v", record["outcome"])
	}
}

// TestDocumentTrailers: trailers of the workspace still arrive, but for digests of what the
// document was.
func TestDocumentTrailers(t *testing.T) {
	h, a := scripted(t, "GET "+metadataPath)
	g := h.gateway(t, "")
	a.set(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("Trailer", "X-Sum, Digest")
		_, _ = rw.Write([]byte(written(plainAddress)))
		rw.Header().Set("X-Sum", "1")
		rw.Header().Set("Digest", "sha-256=a")
		rw.Header().Set(http.TrailerPrefix+"Content-Digest", "sha-256=:a:") // not announced
	})
	for _, client := range []*http.Client{harness.Client(t), harness.ClientH2C(t)} {
		got := harness.Do(t, client, harness.NewRequest(t, "GET", g.URL+metadataPath, "", nil))
		if got.Body != written(g.URL) || len(got.Trailer) != 1 || got.Trailer.Get("X-Sum") != "1" {
			t.Errorf("%s: %q, trailer %v", got.Proto, got.Body, got.Trailer)
		}
	}
}
