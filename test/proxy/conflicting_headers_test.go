package proxy

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// Neither a second credential nor a header that makes a server see another request is
// forwarded with the request that was judged.
func TestConflictingHeaders(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	token := harness.LegacyToken(w)
	for _, tt := range []struct {
		name    string
		headers []string
	}{
		{"cookie", []string{"Cookie", "cookie", "COOKIE", "Cookie_", "_Cookie", "Cookie.", "Cookie~", "'Cookie", "Cookie'"}},
		{"proxy credential", []string{"Proxy-Authorization", "Proxy_Authorization", "Proxy~Authorization"}},
		{"another spelling of the credential", []string{"Authorization_", "_Authorization", "Authorization~", "!Authorization", "Authorization."}},
		{"azure", []string{
			"X-Databricks-Azure-SP-Management-Token", "X_Databricks_Azure_SP_Management_Token",
			"X-Databricks-Azure-Workspace-Resource-Id", "X-Databricks-Azure-Workspace-Resource~Id",
		}},
		{"gcp", []string{"X-Databricks-GCP-SA-Access-Token", "X-Databricks-GCP-SA-Access_Token"}},
		{"forwarded credential", []string{"X-Forwarded-Access-Token"}},
		{"method", []string{
			"X-HTTP-Method-Override", "x-http-method-override", "X_HTTP_Method_Override", "X-HTTP_Method-Override",
			"X.HTTP.Method.Override", "X~HTTP~Method~Override", "X-HTTP-Method-Override_", "X-HTTP-Method-Override~",
			"X-HTTP-Method", "X-Method-Override", "X_Method_Override", "X-Original-Method", "X-Forwarded-Method",
		}},
		{"url", []string{
			"X-Original-URL", "X_Original_URL", "X!Original!URL", "X-Original-URI", "X-Rewrite-URL", "X-Override-URL",
			"X-Forwarded-URI", "X-Forwarded-Path", "X-Forwarded-Prefix", "X-Envoy-Original-Path", "X^Envoy^Original^Path",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, name := range tt.headers {
				w.Reset()
				c := g.Dial(t)
				c.Send(t, "GET /api/2.0/serving-endpoints HTTP/1.1", "Host: "+g.Listen, "Authorization: Bearer "+token,
					name+": smuggled", "X-Innocent: kept")
				if answer := c.Answer(t, "GET"); answer.StatusCode != http.StatusOK {
					t.Errorf("%s: answered %d %s", name, answer.StatusCode, answer.Body)
					continue
				}
				onlyJudgedCredential(t, name, sentHeaders(harness.OnlyArrival(t, w)), token)
			}
		})
	}
}

// The same over HTTP/2, where a cookie may be split into several fields.
func TestConflictingHeadersHTTP2(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	token := harness.LegacyToken(w)
	req := harness.NewRequest(t, "GET", g.URL+"/api/2.0/serving-endpoints", token, nil, "X-Innocent", "kept", "User-Agent", "",
		"Cookie", "a=smuggled; b=smuggled", "Cookie", "c=smuggled", "Proxy-Authorization", "smuggled",
		"X-HTTP-Method-Override", "smuggled", "X~Original~URL", "smuggled")
	if answer := harness.Do(t, harness.ClientH2C(t), req); answer.StatusCode != http.StatusOK {
		t.Fatalf("answered %d %s", answer.StatusCode, answer.Body)
	}
	onlyJudgedCredential(t, "all", sentHeaders(harness.OnlyArrival(t, w)), token)
}

// onlyJudgedCredential checks that nothing smuggled arrived, and that everything else did.
func onlyJudgedCredential(t testing.TB, name string, header http.Header, token string) {
	t.Helper()
	for arrived, values := range header {
		if strings.Contains(strings.Join(values, " "), "smuggled") {
			t.Errorf("%s arrived as %s: %q", name, arrived, values)
		}
	}
	if got := header["Authorization"]; len(got) != 1 || got[0] != "Bearer "+token || header.Get("X-Innocent") != "kept" {
		t.Errorf("%s: arrived with %v", name, header)
	}
}

// Trailers arrive after the decision, so none is forwarded, announced or not. The
// upstream of this test reads the raw bytes, because a Go server hides trailers that
// were not announced.
func TestRequestTrailers(t *testing.T) {
	w := harness.StartWorkspace(t)
	upstream, trailers := startTrailerServer(t)
	g := harness.StartSite(t, w, fmt.Sprintf("databricks_scopes {\nworkspace %s\n%s}\nreverse_proxy %s", w.URL(), harness.AdminBlock, upstream))
	token := harness.LegacyToken(w)
	for _, tt := range []struct{ name, announced, sent string }{
		{"cookie", "Cookie", "Cookie: smuggled"},
		{"credential", "Authorization", "Authorization: Bearer smuggled"},
		{"method", "X-HTTP-Method-Override", "X-HTTP-Method-Override: smuggled"},
		{"odd spelling", "Cookie_", "Cookie_: smuggled"},
		{"harmless", "X-Checksum", "X-Checksum: smuggled"},
		{"not the announced one", "X-Checksum", "Cookie: smuggled"},
		{"credential, not announced", "X-Checksum", "Authorization: Bearer smuggled"},
		{"nothing announced", "", "Authorization: Bearer smuggled"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := g.Dial(t)
			head := []string{"POST /anything HTTP/1.1", "Host: " + g.Listen, "Authorization: Bearer " + token, "Transfer-Encoding: chunked"}
			if tt.announced != "" {
				head = append(head, "Trailer: "+tt.announced)
			}
			c.Send(t, head...)
			c.WriteText(t, "5\r\nhello\r\n0\r\n"+tt.sent+"\r\n\r\n")
			if answer := c.Answer(t, "POST"); answer.StatusCode != http.StatusOK || answer.Body != "hello" {
				t.Fatalf("answered %d %s", answer.StatusCode, answer.Body)
			}
			if arrived := <-trailers; len(arrived) != 0 {
				t.Errorf("trailers %v arrived", arrived)
			}
		})
	}
	t.Run("http/2", func(t *testing.T) {
		req := harness.NewRequest(t, "POST", g.URL+"/anything", token, io.LimitReader(zeros{}, 5))
		req.Trailer = http.Header{"Cookie": {"smuggled"}, "X-Checksum": {"smuggled"}}
		if answer := harness.Do(t, harness.ClientH2C(t), req); answer.StatusCode != http.StatusOK {
			t.Fatalf("answered %d %s", answer.StatusCode, answer.Body)
		}
		if arrived := <-trailers; len(arrived) != 0 {
			t.Errorf("trailers %v arrived", arrived)
		}
	})
}

// startTrailerServer starts a server that echoes bodies and reports their trailers.
func startTrailerServer(t testing.TB) (address string, trailers <-chan http.Header) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	seen := make(chan http.Header, 1)
	serve := func(conn net.Conn) {
		defer conn.Close()
		for in := bufio.NewReader(conn); ; {
			req, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			content, err := io.ReadAll(req.Body)
			if err != nil {
				return
			}
			seen <- req.Trailer
			fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(content), content)
		}
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return listener.Addr().String(), seen
}
