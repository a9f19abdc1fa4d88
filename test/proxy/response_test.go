package proxy

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// gzipped returns a compressed body.
func gzipped(t testing.TB, content string) []byte {
	t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = io.WriteString(z, content)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// Responses are passed on unchanged, including the workspace's Server header and request
// id. Redirects are left to the client.
func TestResponse(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	token := harness.LegacyToken(w)
	packed := gzipped(t, strings.Repeat("hello ", 1000))
	for _, tt := range []struct {
		name, method, path string
		status             int
		header             http.Header
		body               string
	}{
		{"json", "GET", "/r/json", 200, http.Header{"Content-Type": {"application/json"}, "X-Anything": {"a", "b, c"}}, `{"a":1}`},
		{"cookies", "GET", "/r/cookies", 200, http.Header{"Set-Cookie": {"a=1; Path=/", "b=2; HttpOnly"}}, "x"},
		{"compressed", "GET", "/r/packed", 200, http.Header{"Content-Encoding": {"gzip"}, "Vary": {"Accept-Encoding"}}, string(packed)},
		{"created", "POST", "/r/created", 201, http.Header{"Location": {"/r/created/1"}}, "{}"},
		{"no content", "DELETE", "/r/none", 204, nil, ""},
		{"redirect", "GET", "/r/redirect", 302, http.Header{"Location": {"/login.html?error=private-link-validation-error:1"}}, ""},
		{"redirect elsewhere", "GET", "/r/elsewhere", 307, http.Header{"Location": {"https://elsewhere.example.com/a%2Fb?c"}}, ""},
		{"not modified", "GET", "/r/not-modified", 304, http.Header{"Etag": {`"x"`}}, ""},
		{"refused", "GET", "/r/refused", 403, http.Header{"X-Databricks-Reason-Phrase": {"No."}}, `{"error_code":403,"message":"No."}`},
		{"too many", "GET", "/r/too-many", 429, http.Header{"Retry-After": {"Sat, 29 Oct 2094 19:43:31 GMT"}}, "{}"},
		{"error", "GET", "/r/error", 500, nil, "oops"},
		{"unassigned status", "GET", "/r/599", 599, nil, "599"},
		{"large", "GET", "/r/large", 200, nil, strings.Repeat("0123456789", 100_000)},
	} {
		for _, protocol := range protocols {
			t.Run(tt.name+" over "+protocol.name, func(t *testing.T) {
				sent := make(chan http.Header, 1)
				path := tt.path + "/" + protocol.proto
				w.Handle(tt.method+" "+path, http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
					for name, values := range tt.header {
						rw.Header()[name] = values
					}
					sent <- rw.Header().Clone()
					rw.WriteHeader(tt.status)
					_, _ = io.WriteString(rw, tt.body)
				}))
				req := harness.NewRequest(t, tt.method, g.URL+path, token, nil, "Accept-Encoding", "gzip")
				answer := harness.Do(t, protocol.client(t), req)
				if answer.StatusCode != tt.status || answer.Body != tt.body {
					t.Errorf("answered %d, %.80q", answer.StatusCode, answer.Body)
				}
				want, got := <-sent, answer.Header.Clone()
				for name := range got { // drop what the workspace's own server adds
					switch name {
					case "Date", "Content-Length", "Content-Type":
						if want[name] == nil {
							delete(got, name)
						}
					}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("headers (-sent +arrived):\n%s", diff)
				}
			})
		}
	}
}

// The gateway does not ask for compression unless the client does.
func TestAcceptEncoding(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	token := harness.LegacyToken(w)
	for _, accept := range []string{"", "identity", "gzip", "gzip, deflate;q=0.5, br"} {
		t.Run(accept, func(t *testing.T) {
			w.Reset()
			req := harness.NewRequest(t, "GET", g.URL+"/api/2.0/serving-endpoints", token, nil)
			if accept != "" {
				req.Header.Set("Accept-Encoding", accept)
			}
			harness.Do(t, harness.Client(t), req)
			if got := strings.Join(harness.OnlyArrival(t, w).Header["Accept-Encoding"], "|"); got != accept {
				t.Errorf("arrived with %q", got)
			}
		})
	}
}

func TestResponseTrailers(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	token := harness.LegacyToken(w)
	w.Handle("GET /trailers", http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Trailer", "X-Checksum")
		_, _ = io.WriteString(rw, "hello")
		_ = http.NewResponseController(rw).Flush()
		rw.Header().Set("X-Checksum", "announced")
		rw.Header().Set(http.TrailerPrefix+"X-Other", "not announced")
	}))
	for _, tt := range protocols {
		t.Run(tt.name, func(t *testing.T) {
			answer := harness.Do(t, tt.client(t), harness.NewRequest(t, "GET", g.URL+"/trailers", token, nil, "TE", "trailers"))
			if answer.Body != "hello" || answer.Trailer.Get("X-Checksum") != "announced" || answer.Trailer.Get("X-Other") != "not announced" {
				t.Errorf("body %q, trailers %v", answer.Body, answer.Trailer)
			}
		})
	}
}

// Interim (1xx) responses reach the client, and their headers do not leak into the final
// response.
func TestEarlyHints(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	token := harness.LegacyToken(w)
	w.Handle("GET /hints", http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Link", "</style.css>; rel=preload")
		rw.WriteHeader(http.StatusEarlyHints)
		rw.Header().Del("Link")
		_, _ = io.WriteString(rw, "hello")
	}))
	for _, tt := range protocols {
		t.Run(tt.name, func(t *testing.T) {
			var hints []string
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
				Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
					if code == http.StatusEarlyHints {
						hints = append(hints, header.Get("Link"))
					}
					return nil
				},
			})
			answer := harness.Do(t, tt.client(t), harness.NewRequest(t, "GET", g.URL+"/hints", token, nil).WithContext(ctx))
			if len(hints) != 1 || hints[0] != "</style.css>; rel=preload" {
				t.Errorf("hints %q", hints)
			}
			if answer.StatusCode != 200 || answer.Body != "hello" || answer.Header.Get("Link") != "" {
				t.Errorf("answered %d %q %v", answer.StatusCode, answer.Body, answer.Header)
			}
		})
	}
	if got := g.Records(t, 1)[0]["status"]; got != 200.0 {
		t.Errorf("recorded status %v", got)
	}
}

// A response to HEAD has the Content-Length that GET would have, and no body.
func TestHead(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	token := harness.LegacyToken(w)
	w.Handle("HEAD /head", http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Length", "12345")
		rw.Header().Set("Content-Type", "application/octet-stream")
	}))
	for _, tt := range protocols {
		t.Run(tt.name, func(t *testing.T) {
			answer := harness.Do(t, tt.client(t), harness.NewRequest(t, "HEAD", g.URL+"/head", token, nil))
			if answer.ContentLength != 12345 || answer.Header.Get("Content-Type") != "application/octet-stream" || answer.Body != "" {
				t.Errorf("length %d, %v", answer.ContentLength, answer.Header)
			}
			// A refusal of HEAD too, and it keeps the connection open.
			refused := harness.Do(t, tt.client(t), harness.NewRequest(t, "HEAD", g.URL+"/head", "", nil))
			if refused.StatusCode != 401 || refused.ContentLength <= 0 || refused.Body != "" {
				t.Errorf("refused with %d, length %d, body %q", refused.StatusCode, refused.ContentLength, refused.Body)
			}
		})
	}
}

// The workspace's Alt-Svc header is dropped: it would lead clients around the gateway.
func TestAltSvc(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	w.Handle("GET /alt-svc", http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Alt-Svc", `h3=":5443"; ma=86400`)
	}))
	answer := harness.Do(t, harness.Client(t), harness.NewRequest(t, "GET", g.URL+"/alt-svc", harness.LegacyToken(w), nil))
	if got, sent := answer.Header["Alt-Svc"]; answer.StatusCode != 200 || sent {
		t.Errorf("answered %d, alt-svc %q", answer.StatusCode, got)
	}
}
