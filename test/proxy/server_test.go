package proxy

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// Headers that Databricks might accept are left to it. Only longer ones are refused by the
// server, before a request can be judged.
func TestLongRequestHeaders(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	token := harness.LegacyToken(w)
	for _, protocol := range protocols {
		for _, tt := range []struct {
			bytes, status int
		}{{15_000, 200}, {32_000, 200}, {60_000, 200}, {100_000, 431}} {
			t.Run(fmt.Sprint(protocol.name, " ", tt.bytes), func(t *testing.T) {
				if tt.status == 431 && protocol.proto == "HTTP/2.0" {
					t.Skip("the client knows the limit and sends nothing")
				}
				w.Reset()
				req := harness.NewRequest(t, "GET", g.URL+"/api/2.0/serving-endpoints", token, nil, "X-Long", strings.Repeat("a", tt.bytes))
				if answer := harness.Do(t, protocol.client(t), req); answer.StatusCode != tt.status {
					t.Errorf("answered %d", answer.StatusCode)
				}
				if tt.status == 200 && len(harness.OnlyArrival(t, w).Header.Get("X-Long")) != tt.bytes {
					t.Error("arrived cut")
				}
			})
		}
	}
}

// What is too long in a response is no success.
func TestLongResponseHeaders(t *testing.T) {
	s, w := startScripted(t), harness.StartWorkspace(t)
	g := gatewayTo(t, w, s.address)
	s.play(func(c *turn) { c.send(ok("X-Long: " + strings.Repeat("a", 11<<20))) })
	c := dialRaw(t, g.Listen, g.Listen, harness.LegacyToken(w))
	c.send(get())
	if status := c.receive("GET"); status != 502 {
		t.Errorf("answered %d", status)
	}
}

// max_header_size of Caddy still counts.
func TestLongRequestHeadersConfigured(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.NewGateway(t, w)
	g.Change = func(config []byte) []byte {
		return []byte(strings.Replace(string(config), `"listen":[`, `"max_header_bytes":8192,"listen":[`, 1))
	}
	g.Load(t, harness.GatewayBlock(w, ""))
	req := harness.NewRequest(t, "GET", g.URL+"/api/2.0/serving-endpoints", harness.LegacyToken(w), nil, "X-Long", strings.Repeat("a", 15_000))
	if answer := harness.Do(t, harness.Client(t), req); answer.StatusCode != 431 {
		t.Errorf("answered %d", answer.StatusCode)
	}
}

// No server answers OPTIONS * with a success that nobody decided.
func TestOptionsAsterisk(t *testing.T) {
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "")
	token := harness.LegacyToken(w)
	for i := range 2 {
		c := g.Dial(t)
		c.Send(t, "OPTIONS * HTTP/1.1", "Host: "+g.Listen, "Authorization: Bearer "+token)
		c.Answer(t, "OPTIONS").Refused(t, 400, "malformed_path")
		g.Records(t, i+1)
	}
	t.Run("http/2", func(t *testing.T) {
		lines := exchange2(t, g.Dial(t), "", ":method: OPTIONS", ":scheme: http", ":authority: "+g.Listen, ":path: *", "authorization: Bearer "+token)
		if got := strings.Join(lines, "\n"); !strings.Contains(got, ":status: 400") || !strings.Contains(got, "malformed_path") {
			t.Errorf("answered\n%s", got)
		}
		g.Records(t, 3)
	})
}

// serverAnswers are requests that Go's server answers before the handler sees them.
// docs/proxying.md has the same list.
var serverAnswers = []struct {
	request string // without Host and Authorization
	answer  string
	what    string
}{
	{"GET /x HTTP/1.1\r\nX-Long: " + strings.Repeat("a", 100_000), "431 Request Header Fields Too Large", "request line and headers are longer than 64 KiB in total"},
	{"GET /x HTTP/1.1\r\nExpect: something", "417 Expectation Failed", "`Expect` has a value other than `100-continue`"},
	{"POST /x HTTP/1.1\r\nTransfer-Encoding: gzip", "501 Not Implemented", "`Transfer-Encoding` has a value other than `chunked`"},
	{"GET /x HTTP/3.0", "505 HTTP Version Not Supported", "the request line names a version other than HTTP/1.x"},
	{"GET /x y HTTP/1.1", "400 Bad Request", "the request is not valid HTTP: a space or broken percent-encoding in the target, an invalid character in a header, no `Host` or several, contradictory lengths"},
	{"GET /%zz HTTP/1.1", "400 Bad Request", ""},
	{"GET /x HTTP/1.1\r\nX y: z", "400 Bad Request", ""},
	{"GET /x HTTP/1.1\r\nX: \x00", "400 Bad Request", ""},
	{"GET /x HTTP/1.1\r\nHost: {host}", "400 Bad Request", ""},
	{"POST /x HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2", "400 Bad Request", ""},
}

func TestServerAnswers(t *testing.T) {
	s, w := startScripted(t), harness.StartWorkspace(t)
	g := gatewayTo(t, w, s.address)
	token := harness.LegacyToken(w)
	documentation, err := os.ReadFile("../../docs/proxying.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range serverAnswers {
		c := dialRaw(t, g.Listen, g.Listen, token)
		c.send(tt.request + "\r\n\r\n")
		c.receive("GET")
		if len(c.lines) == 0 || !strings.HasPrefix(c.lines[0], "< HTTP/1.1 "+tt.answer) {
			t.Errorf("%.40q: answered %q", tt.request, c.lines)
		}
		c.Close()
		status, _, _ := strings.Cut(tt.answer, " ")
		if row := fmt.Sprintf("| %s | %s |", status, tt.what); tt.what != "" && !strings.Contains(string(documentation), row) {
			t.Errorf("docs/proxying.md lacks the row\n%s", row)
		}
	}
	if n := len(g.ReadRecords(t)); n != 0 {
		t.Errorf("%d records of requests that no handler saw", n)
	}
}
