package proxy

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// awaitHead reads a request up to its body.
func awaitHead(conn net.Conn) bool {
	in := bufio.NewReader(conn)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return false
		}
		if line == "\r\n" {
			return true
		}
	}
}

// answers reads a request and sends a text.
func answers(text string) func(*net.TCPConn) {
	return func(conn *net.TCPConn) {
		if awaitHead(conn) {
			_, _ = io.WriteString(conn, text)
			time.Sleep(50 * time.Millisecond) // so that a reset does not overtake it
		}
	}
}

// resets reads a request, sends a text, and resets the connection.
func resets(text string) func(*net.TCPConn) {
	return func(conn *net.TCPConn) {
		answers(text)(conn)
		_ = conn.SetLinger(0)
	}
}

func hangs(conn *net.TCPConn) {
	if awaitHead(conn) {
		_, _ = io.Copy(io.Discard, conn) // until the gateway gives up
	}
}

const chunk = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"

// TestOutcomes: whatever happens between gateway and workspace, the client gets an answer
// in Databricks' form that says whether to retry, and the record says what happened.
func TestOutcomes(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartSite(t, workspace, toUpstream(workspace, ""))
	token := g.Mint("jobs")
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for _, test := range []struct {
		name    string
		serve   func(*net.TCPConn) // nil for a port that refuses connections
		address string             // instead of serve's
		method  string

		status   int // 0 for a response that breaks off
		outcome  string
		recorded int // status in the record
		upstream int
		detail   string
	}{
		{name: "refused", method: "POST", status: 503, outcome: "upstream_unreachable", recorded: 503, detail: "connection_refused"},
		{name: "unknown host", address: "gateway.invalid:80", method: "GET", status: 502, outcome: "upstream_unreachable", recorded: 502, detail: "host_not_found"},
		{name: "reset", serve: resets(""), method: "POST", status: 503, outcome: "upstream_reset", recorded: 503, detail: "connection_reset"},
		{name: "closed", serve: answers(""), method: "GET", status: 503, outcome: "upstream_reset", recorded: 503, detail: "connection_closed"},
		{name: "closed, not to be repeated", serve: answers(""), method: "POST", status: 502, outcome: "upstream_reset", recorded: 502, detail: "connection_closed"},
		{name: "closed amid the header", serve: answers("HTTP/1.1 200 OK\r\nContent-"), method: "POST", status: 502, outcome: "upstream_reset", recorded: 502, detail: "malformed_answer"},
		{name: "no HTTP", serve: answers("SSH-2.0-OpenSSH_9.2\r\n\r\n"), method: "GET", status: 502, outcome: "upstream_reset", recorded: 502, detail: "malformed_answer"},
		{name: "two lengths", serve: answers("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"), method: "GET", status: 502, outcome: "upstream_reset", recorded: 502, detail: "malformed_answer"},
		{name: "no status", serve: answers("HTTP/1.1 042 Odd\r\nContent-Length: 0\r\n\r\n"), method: "GET", status: 502, outcome: "upstream_reset", recorded: 502, detail: "malformed_answer"},
		{name: "unasked upgrade", serve: answers("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), method: "GET", status: 502, outcome: "upstream_reset", recorded: 502, detail: "unasked_upgrade"},
		{name: "no answer", serve: hangs, method: "GET", status: 504, outcome: "upstream_timeout", recorded: 504, detail: "no_answer"},
		{name: "reset amid the body", serve: resets(chunk), method: "GET", outcome: "upstream_reset", recorded: 200, upstream: 200, detail: "connection_reset"},
		{name: "closed amid the body", serve: answers(chunk), method: "GET", outcome: "upstream_reset", recorded: 200, upstream: 200, detail: "connection_closed"},
		{name: "short body", serve: answers("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"), method: "GET", outcome: "upstream_reset", recorded: 200, upstream: 200, detail: "connection_closed"},
		{name: "answered", serve: answers("HTTP/1.1 499 No\r\nContent-Length: 2\r\n\r\nno"), method: "GET", status: 499, outcome: "answered", recorded: 499, upstream: 499},
	} {
		t.Run(test.name, func(t *testing.T) {
			address := test.address
			switch {
			case test.serve != nil:
				address = harness.ServeTCP(t, test.serve)
			case address == "":
				address = closed.Addr().String()
			}
			before := len(g.ReadRecords(t))
			got, err := send(t, g, test.method, address, token.Value)
			if (err != nil) != (test.status == 0) {
				t.Fatalf("the response was cut off: %v", err)
			}
			if test.status != 0 && got.StatusCode != test.status {
				t.Errorf("status %d, want %d", got.StatusCode, test.status)
			}
			record := g.Records(t, before+1)[before]
			want := fmt.Sprint(test.outcome, float64(test.recorded), float64(test.upstream), test.detail, "allow", "permitted")
			if is := fmt.Sprint(record["outcome"], record["status"], record["upstream_status"], record["detail"], record["decision"], record["reason"]); is != want {
				t.Errorf("the record says %s, want %s", is, want)
			}
			if test.status < 500 {
				return
			}
			checkAnswer(t, got, record)
			if retry := got.Header.Get("Retry-After"); (retry == "1") != (test.status == 503) {
				t.Errorf("Retry-After %q", retry)
			}
		})
	}
}

// toUpstream is a site that sends a request to the address in its header X-Upstream.
func toUpstream(workspace *fakeworkspace.Workspace, options string) string {
	return fmt.Sprintf("%sreverse_proxy {http.request.header.X-Upstream} {\ntransport databricks {\nresponse_header_timeout 300ms\n%s\n}\n}", harness.ScopesBlock(workspace), options)
}

// TestOutcomeOfTLS: a workspace that does not speak TLS, or whose certificate is not
// trusted, cannot be reached.
func TestOutcomeOfTLS(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartSite(t, workspace, toUpstream(workspace, "tls"))
	token := g.Mint("jobs")
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	for detail, address := range map[string]string{
		"not_tls": harness.ServeTCP(t, func(conn *net.TCPConn) {
			_, _ = conn.Read(make([]byte, 1))
			_, _ = io.WriteString(conn, "HTTP/1.0 400 Bad Request\r\n\r\n")
		}),
		"certificate_not_trusted": secure.Listener.Addr().String(),
	} {
		before := len(g.ReadRecords(t))
		got, err := send(t, g, "GET", address, token.Value)
		if err != nil {
			t.Fatal(err)
		}
		record := g.Records(t, before+1)[before]
		checkAnswer(t, got, record)
		if got.StatusCode != http.StatusBadGateway || record["outcome"] != "upstream_unreachable" || record["detail"] != detail {
			t.Errorf("status %d, outcome %v, detail %v, want %s", got.StatusCode, record["outcome"], record["detail"], detail)
		}
	}
}

// received is a response and what came of its body.
type received struct {
	*http.Response
	body []byte
}

// send sends a request over a connection of its own. It returns an error if the response
// broke off.
func send(t *testing.T, g *harness.Gateway, method, address, token string) (received, error) {
	t.Helper()
	path := harness.JobsList
	if method == "POST" {
		path = "/api/2.1/jobs/create"
	}
	r := harness.NewRequest(t, method, g.URL+path, token, nil)
	r.Header.Set("X-Upstream", address)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: harness.Patience}
	response, err := client.Do(r)
	if err != nil {
		return received{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return received{response, body}, err
}

// checkAnswer checks that an answer of the gateway's has Databricks' form, and the id of
// its record.
func checkAnswer(t *testing.T, got received, record map[string]any) {
	t.Helper()
	var body struct {
		ErrorCode int    `json:"error_code"`
		Message   string `json:"message"`
		Details   []struct {
			Reason   string            `json:"reason"`
			Metadata map[string]string `json:"metadata"`
		} `json:"details"`
	}
	if err := json.Unmarshal(got.body, &body); err != nil {
		t.Fatalf("%v in %q", err, got.body)
	}
	if body.ErrorCode != got.StatusCode || len(body.Details) != 1 || body.Details[0].Reason != "UPSTREAM_UNAVAILABLE" || body.Details[0].Metadata["reason"] != "upstream_unavailable" {
		t.Errorf("body %s", got.body)
	}
	if got.Header.Get("X-Scopegate-Reason") != "upstream_unavailable" || !strings.Contains(body.Message, got.Header.Get("X-Request-Id")) {
		t.Errorf("headers %v", got.Header)
	}
	if record["request_id"] != got.Header.Get("X-Request-Id") || record["error_type"] != record["outcome"] {
		t.Errorf("request_id %v, error_type %v", record["request_id"], record["error_type"])
	}
}

// TestClientLeaves: a client that leaves is not an answer of the workspace, at whichever
// point it does.
func TestClientLeaves(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartSite(t, workspace, toUpstream(workspace, ""))
	token := g.Mint("jobs")
	head := "GET " + harness.JobsList + " HTTP/1.1\r\nHost: " + g.Listen + "\r\nAuthorization: Bearer " + token.Value + "\r\nX-Upstream: {upstream}\r\n"
	post := strings.Replace(head, "GET "+harness.JobsList, "POST /api/2.1/jobs/create", 1)
	for _, test := range []struct {
		name   string
		serve  func(*net.TCPConn)
		text   string
		await  string // part of the response that the client waits for before it leaves
		status float64
	}{
		{"before the answer", hangs, head + "\r\n", "", 0},
		{"amid the upload", hangs, post + "Content-Length: 10\r\n\r\nhello", "", 0},
		{"amid chunks", hangs, post + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "", 0},
		{"amid the download", floods, head + "\r\n", "200 OK", 200},
	} {
		t.Run(test.name, func(t *testing.T) {
			arrived := make(chan struct{}, 1)
			address := harness.ServeTCP(t, func(conn *net.TCPConn) {
				arrived <- struct{}{}
				test.serve(conn)
			})
			before := len(g.ReadRecords(t))
			conn, err := net.Dial("tcp", g.Listen)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(conn, strings.Replace(test.text, "{upstream}", address, 1))
			select {
			case <-arrived:
			case <-time.After(harness.Patience):
				t.Fatal("nothing arrived")
			}
			if test.await != "" {
				line, _ := bufio.NewReader(conn).ReadString('\n')
				if !strings.Contains(line, test.await) {
					t.Fatalf("%q", line)
				}
			}
			conn.Close()
			record := g.Records(t, before+1)[before]
			if record["outcome"] != "client_left" || record["status"] != test.status || record["upstream_status"] != test.status || record["error_type"] != "client_left" {
				t.Errorf("outcome %v, status %v, upstream_status %v", record["outcome"], record["status"], record["upstream_status"])
			}
		})
	}
}

// floods answers without an end.
func floods(conn *net.TCPConn) {
	if !awaitHead(conn) {
		return
	}
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
	block := make([]byte, 64<<10)
	for {
		if _, err := conn.Write(block); err != nil {
			return
		}
	}
}

// TestOpenRecords: a request that goes on leaves a record, and another when it ends, with
// the same id.
func TestOpenRecords(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	g := harness.StartGateway(t, workspace, "audit {\nopen_after 50ms\n}")
	token := g.Mint("jobs")
	fault := workspace.Faults().Set(harness.JobsList, fakeworkspace.Hang())
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	answered := make(chan error, 1)
	go func() {
		r := harness.NewRequest(t, "GET", g.URL+harness.JobsList, token.Value, nil)
		response, err := http.DefaultClient.Do(r.WithContext(ctx))
		if err == nil {
			response.Body.Close()
		}
		answered <- err
	}()
	open := g.Records(t, 1)[0]
	if open["outcome"] != "open" || open["status"] != 0.0 || open["request_id"] == "" || open["error_type"] != "" || open["decision"] != "allow" {
		t.Fatalf("%v", open)
	}
	if got := g.Metric(t, "scopegate_open_requests"); got != 1 {
		t.Errorf("%v open requests", got)
	}
	decided := g.Metric(t, `scopegate_decisions_total{decision="allow",mode="enforce",reason="permitted"}`)
	fault.Remove()
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	last := g.Records(t, 2)[1]
	if last["outcome"] != "answered" || last["status"] != 200.0 || last["request_id"] != open["request_id"] || last["upstream_request_id"] == "" {
		t.Errorf("%v", last)
	}
	if got := g.Metric(t, "scopegate_open_requests"); got != 0 {
		t.Errorf("%v open requests", got)
	}
	if got := g.Metric(t, `scopegate_decisions_total{decision="allow",mode="enforce",reason="permitted"}`); got != decided {
		t.Errorf("the request was counted again: %v, %v", decided, got)
	}
}
