package hardening

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestLeftOverBody: what a client sends of a body after the gateway has answered in the
// place of the workspace is never taken for a request.
func TestLeftOverBody(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartSite(t, workspace, harness.ScopesBlock(workspace)+"reverse_proxy {http.request.header.X-Upstream} {\ntransport databricks {\nresponse_header_timeout 300ms\n}\n}")
	token := g.Mint("files").Value
	closes := harness.ServeTCP(t, func(conn *net.TCPConn) { // amid the upload
		_, _ = io.CopyN(io.Discard, conn, 4<<10)
	})
	resets := harness.ServeTCP(t, func(conn *net.TCPConn) {
		_, _ = io.CopyN(io.Discard, conn, 4<<10)
		_ = conn.SetLinger(0)
	})
	hangs := harness.ServeTCP(t, func(conn *net.TCPConn) { _, _ = io.Copy(io.Discard, conn) })
	inner := fmt.Sprintf("GET /api/2.0/fs/files/inner HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nX-Upstream: %s\r\n\r\n", g.Listen, token, strings.TrimPrefix(workspace.URL(), "http://"))
	for _, test := range []struct{ name, upstream, framing, first string }{
		{"closed", closes, "Content-Length: 600000", strings.Repeat("x", 100<<10)},
		{"reset", resets, "Content-Length: 600000", strings.Repeat("x", 100<<10)},
		{"refused", "127.0.0.1:1", "Content-Length: 600000", strings.Repeat("x", 10)},
		{"malformed chunk", hangs, "Transfer-Encoding: chunked", "5\r\nhello\r\nzz\r\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", g.Listen)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(harness.Patience))
			_, _ = fmt.Fprintf(conn, "PUT /api/2.0/fs/files/outer HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nX-Upstream: %s\r\n%s\r\n\r\n%s", g.Listen, token, test.upstream, test.framing, test.first)
			// What follows reaches the gateway after the workspace has gone.
			time.Sleep(50 * time.Millisecond)
			_, _ = io.WriteString(conn, strings.Repeat("x", 10)+"\r\n"+inner+inner)
			in := bufio.NewReader(conn)
			answer, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.Copy(io.Discard, answer.Body); err != nil {
				t.Fatal(err)
			}
			if answer.StatusCode < 400 || !answer.Close {
				t.Errorf("status %d, Connection: close %v", answer.StatusCode, answer.Close)
			}
			if next, err := http.ReadResponse(in, nil); err == nil {
				t.Errorf("a part of the body was answered with %d", next.StatusCode)
			}
			for _, r := range workspace.Requests() {
				if strings.HasSuffix(r.Path, "/inner") {
					t.Fatal("a part of the body arrived as a request")
				}
			}
		})
	}
}
