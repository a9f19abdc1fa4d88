package proxy

import (
	"encoding/pem"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// direct2Case is an exchange with a workspace that speaks HTTP/2.
type direct2Case struct {
	name    string
	fields  []string // of the request, beside the usual ones
	body    string
	script  func(*turn2)
	differs []string
	// differs1 names what stays besides when the client speaks HTTP/1.
	differs1 []string
}

func direct2Cases() []direct2Case {
	const date = "date: Sat, 29 Oct 1994 19:43:31 GMT"
	respond := func(body string, fields ...string) func(*turn2) {
		return func(c *turn2) {
			c.body()
			c.headers(body == "", append(fields, date)...)
			if body != "" {
				c.data(true, body)
			}
		}
	}
	return []direct2Case{
		{name: "plain", script: respond("hello", ":status: 200", "content-type: a/b", "content-length: 5")},
		{name: "no content type", script: respond("<html>hello", ":status: 200", "content-length: 11")},
		{name: "no content type, no length", script: respond("<html>hello", ":status: 200")},
		{name: "no date", differs: []string{"date"}, script: func(c *turn2) {
			c.headers(false, ":status: 200", "content-type: a/b")
			c.data(true, "hello")
		}},
		{name: "empty", script: respond("", ":status: 200")},
		{name: "empty, with a length", script: respond("", ":status: 200", "content-length: 0")},
		{name: "empty, error", script: respond("", ":status: 503", "retry-after: 1")},
		{name: "no content", script: respond("", ":status: 204")},
		{name: "no content, with odd headers", differs1: []string{"no body"}, script: respond("", ":status: 204", "content-length: 0")},
		{name: "not modified", script: respond("", ":status: 304", `etag: "x"`)},
		{name: "odd status", script: respond("{}", ":status: 599", "content-type: a/b")},
		{name: "odd status 999", script: respond("{}", ":status: 999", "content-type: a/b")},
		{name: "cookies", script: respond("hello", ":status: 200", "set-cookie: a=1", "set-cookie: b=2", "server: databricks")},
		{name: "via", script: respond("hello", ":status: 200", "via: 2.0 other", "x-empty: ")},
		{name: "alternative service", differs: []string{"alt-svc"}, script: respond("hello", ":status: 200", `alt-svc: h3=":443"`)},
		{name: "head", fields: []string{":method: HEAD"}, script: respond("", ":status: 200", "content-length: 12345")},
		{name: "head, no length", fields: []string{":method: HEAD"}, script: respond("", ":status: 200")},
		{name: "large", script: respond(strings.Repeat("abc", 10_000), ":status: 200", "content-type: a/b")},
		{name: "early hints", script: func(c *turn2) {
			c.headers(false, ":status: 103", "link: </a>")
			c.headers(false, ":status: 103", "link: </b>", "server: x")
			respond("hello", ":status: 200")(c)
		}},
		{name: "continue, not asked for", script: func(c *turn2) {
			c.headers(false, ":status: 100", "x-a: b")
			respond("hello", ":status: 200")(c)
		}},
		{name: "trailers", fields: []string{"te: trailers"}, script: func(c *turn2) {
			c.body()
			c.headers(false, ":status: 200", "trailer: X-Sum", date)
			c.data(false, "hello")
			c.headers(true, "x-sum: 1")
		}},
		{name: "trailers, not announced", fields: []string{"te: trailers"}, script: func(c *turn2) {
			c.body()
			c.headers(false, ":status: 200", "content-type: application/grpc", date)
			c.data(false, "hello")
			c.headers(true, "grpc-status: 0", "grpc-message: ok")
		}},
		{name: "trailers only", fields: []string{"te: trailers", "content-type: application/grpc"},
			script: respond("", ":status: 200", "content-type: application/grpc", "grpc-status: 12")},
		{name: "reset", script: func(c *turn2) {
			c.body()
			c.headers(false, ":status: 200", "content-length: 10", date)
			c.data(false, "hello")
			time.Sleep(20 * time.Millisecond) // so that the reset does not overtake
			c.reset(http2.ErrCodeInternal)
		}},
		{name: "request header", fields: []string{"user-agent: x", "x-a: 1", "x-a: 2", "accept-encoding: br", "content-type: a/b"}, body: "{}",
			script: respond("hello", ":status: 200")},
		{name: "request with a length", fields: []string{":method: POST", "content-length: 2"}, body: "{}", script: respond("hello", ":status: 200")},
		{name: "request without a length", fields: []string{":method: PUT"}, body: "{}", script: respond("hello", ":status: 200")},
		{name: "target", fields: []string{":path: /a%2Fb//c/../d?e;f&%zz"}, script: respond("hello", ":status: 200")},

		{name: "expect, continue", fields: []string{":method: POST", "content-length: 5", "expect: 100-continue"}, body: "hello", script: func(c *turn2) {
			c.headers(false, ":status: 100")
			respond("done", ":status: 200")(c)
		}},
		{name: "expect, hints and continue", fields: []string{":method: POST", "expect: 100-continue"}, body: "hello", script: func(c *turn2) {
			c.headers(false, ":status: 103", "link: </a>")
			c.headers(false, ":status: 100")
			respond("done", ":status: 200")(c)
		}},
		{name: "expect, refused", fields: []string{":method: POST", "content-length: 5", "expect: 100-continue"}, body: "hello", script: func(c *turn2) {
			c.headers(false, ":status: 413", "content-type: a/b", date)
			c.data(true, "{}")
		}},
		{name: "expect, refused without a body", fields: []string{":method: POST", "content-length: 5", "expect: 100-continue"}, body: "hello", script: func(c *turn2) {
			c.headers(true, ":status: 417", date)
		}},
	}
}

// TestDirectHTTP2 is [TestDirect] with HTTP/2 on both sides.
func TestDirectHTTP2(t *testing.T) {
	s := startScripted2(t)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.server.Certificate().Raw})
	g := secureGatewayTo(t, s.address, authority)
	token := harness.LegacyToken(g.Workspace)
	host := strings.TrimPrefix(g.Workspace.TLSURL(), "https://")
	for _, tt := range direct2Cases() {
		t.Run(tt.name, func(t *testing.T) {
			s.play(tt.script)
			try := func(conn net.Conn, host string) []string {
				lines := exchange2(t, conn, tt.body, tt.request(host, token)...)
				return append(s.request(t), lines...)
			}
			direct, behind := try(s.dial(t), host), try(g.Dial(t), g.Listen)
			compare(t, pseudoSorted(direct), pseudoSorted(behind), make(map[string]bool), tt.differs...)
		})
	}
}

// request returns all fields of the request.
func (d direct2Case) request(host, token string) []string {
	fields := []string{":method: GET", ":scheme: http", ":authority: " + host, ":path: /x", "authorization: Bearer " + token}
	for _, field := range d.fields {
		name, _, _ := strings.Cut(field[1:], ":")
		if i := slices.IndexFunc(fields, func(f string) bool { return field[0] == ':' && strings.HasPrefix(f[1:], name+":") }); i >= 0 {
			fields[i] = field
		} else {
			fields = append(fields, field)
		}
	}
	return fields
}

// TestDirectHTTP2Workspace gives the cases of [TestDirectHTTP2] to a client that speaks
// HTTP/1.1 to the gateway, while that speaks HTTP/2 to the workspace.
func TestDirectHTTP2Workspace(t *testing.T) {
	s := startScripted2(t)
	g := secureGatewayTo(t, s.address, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.server.Certificate().Raw}))
	token := harness.LegacyToken(g.Workspace)
	host := strings.TrimPrefix(g.Workspace.TLSURL(), "https://")
	for _, tt := range direct2Cases() {
		t.Run(tt.name, func(t *testing.T) {
			s.play(tt.script)
			fields := tt.request(host, token)
			lines := exchange2(t, s.dial(t), tt.body, fields...)
			direct := append(s.request(t), lines...)

			method, path := fields[0][len(":method: "):], fields[3][len(":path: "):]
			head := method + " " + path + " HTTP/1.1"
			for _, field := range fields[5:] {
				head += "\r\n" + field
			}
			content := tt.body
			if content != "" && !strings.Contains(head, "content-length") {
				head += "\r\ntransfer-encoding: chunked"
				content = fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(content), content)
			}
			c := dialRaw(t, g.Listen, g.Listen, token)
			if strings.Contains(head, "expect:") {
				c.send(head + "\r\n\r\n")
				for status := c.receive(method); status >= 100 && status < 200; status = c.receive(method) {
					if status == 100 {
						c.write(content)
					}
				}
			} else {
				c.send(head + "\r\n\r\n" + content)
				c.receiveAll(method)
			}
			behind := append(s.request(t), c.lines...)
			compare(t, anyVersion(pseudoSorted(direct)), anyVersion(pseudoSorted(behind)), make(map[string]bool), append(tt.differs1, tt.differs...)...)
		})
	}
}

// pseudoSorted sorts the pseudo-headers of a request, whose order says nothing, and forgets
// the scheme, which is the connection's.
func pseudoSorted(lines []string) []string {
	n := 0
	for strings.HasPrefix(lines[n], "> :") {
		n++
	}
	slices.Sort(lines[:n])
	return dropping("> :scheme:")(lines)
}

// TestDirectAcrossVersions gives the cases of [TestDirect] to a client that speaks HTTP/2
// to the gateway, while that speaks HTTP/1.1 to the workspace: all that HTTP/2 can say
// arrives as directly.
func TestDirectAcrossVersions(t *testing.T) {
	s, w := startScripted(t), harness.StartWorkspace(t)
	g := gatewayTo(t, w, s.address)
	token := harness.LegacyToken(w)
	for _, tt := range directCases() {
		lines := strings.Split(tt.request, "\r\n")
		method, target, _ := strings.Cut(strings.TrimSuffix(lines[0], " HTTP/1.1"), " ")
		if tt.client != nil || !strings.HasPrefix(target, "/") || !strings.HasSuffix(lines[0], " HTTP/1.1") ||
			strings.Contains(tt.request, "Connection:") || strings.Contains(tt.request, "Transfer-Encoding:") ||
			len(tt.request) > 60<<10 { // HTTP/2 cannot say it, or this client cannot
			continue
		}
		// What is not about HTTP/1 differs with any version.
		differs := slices.DeleteFunc(slices.Clone(tt.differs), func(name string) bool {
			return !slices.Contains([]string{"date", "alt-svc", "itself", "token", "via", "dropped", "forged", "empty request", "invalid", "target"}, name)
		})
		t.Run(tt.name, func(t *testing.T) {
			s.play(tt.play)
			c := dialRaw(t, s.address, strings.TrimPrefix(w.URL(), "http://"), token)
			c.send(tt.request)
			c.receiveAll(method)
			direct := append(s.request(t), c.lines...)
			c.Close()

			fields := []string{":method: " + method, ":scheme: http", ":authority: " + g.Listen, ":path: " + target, "authorization: Bearer " + token}
			end := slices.Index(lines[1:], "") + 1
			for _, line := range lines[1:max(end, 1)] {
				name, value, _ := strings.Cut(line, ":")
				fields = append(fields, strings.ToLower(name)+": "+strings.TrimSpace(value))
			}
			body := ""
			if end > 0 {
				body = strings.Join(lines[end+1:], "\r\n")
			}
			answer := exchange2(t, g.Dial(t), body, fields...)
			behind := append(s.request(t), answer...)
			compare(t, anyVersion(direct), anyVersion(behind), make(map[string]bool), differs...)
		})
	}
}

// anyVersion writes a transcript so that HTTP/1 and HTTP/2 look alike.
func anyVersion(lines []string) (common []string) {
	lines = eachStatusLine(slices.Clone(lines), "< ", func(fields []string) []string { return []string{":status:", fields[1]} })
	for _, line := range without(sorted(unfolded(lines)), "Transfer-Encoding:", "Connection:", "Keep-Alive:", "Proxy-Connection:", "Upgrade:", "X-Hop:", "Te:", "Proxy-Authenticate:", "ended with") {
		arrow, rest := line[:2], line[2:]
		switch {
		case strings.HasPrefix(rest, "body, "), strings.HasPrefix(rest, "Body: "):
			_, content, _ := strings.Cut(rest, ": ")
			if content == `""` {
				continue
			}
			line = arrow + "body: " + content
		case strings.HasPrefix(rest, "truncated"), strings.HasPrefix(rest, "Reset: "):
			line = arrow + "cut"
		}
		common = append(common, line)
	}
	return common
}
