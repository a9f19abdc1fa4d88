package proxy

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// expecting is a client that sends its body only after 100 Continue.
func expecting(framing, body string) func(*rawClient) {
	return func(c *rawClient) {
		c.send(post("Expect: 100-continue", framing, "", ""))
		for {
			switch status := c.receive("POST"); {
			case status == 100:
				c.write(body)
			case status == 0 || status >= 200:
				return
			}
		}
	}
}

const proceed = "HTTP/1.1 100 Continue\r\n\r\n"

// continueCases are the cases of [TestDirect] with a client that waits for 100 Continue.
func continueCases() []directCase {
	const length, chunked = "Content-Length: 5", "Transfer-Encoding: chunked"
	upload := expecting(length, "hello")
	refuse := func(answer string) func(*turn) {
		return func(c *turn) {
			c.send(answer)
			c.over = true // the rest would be the body, if it comes
		}
	}
	return []directCase{
		{name: "expect, continue", client: upload, script: func(c *turn) {
			c.send(proceed)
			c.body()
			c.send(ok())
		}},
		{name: "expect, continue, chunked", client: expecting(chunked, "5\r\nhello\r\n0\r\n\r\n"), script: func(c *turn) {
			c.send(proceed)
			c.body()
			c.send(ok())
		}},
		{name: "expect, continue with headers", client: upload, script: func(c *turn) {
			c.send("HTTP/1.1 100 Continue\r\nX-A: b\r\n\r\n")
			c.body()
			c.send(ok())
		}},
		{name: "expect, continue late", client: upload, script: func(c *turn) {
			time.Sleep(100 * time.Millisecond)
			c.send(proceed)
			c.body()
			c.send(ok())
		}},
		{name: "expect, hints and continue", client: upload, script: func(c *turn) {
			c.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + proceed)
			c.body()
			c.send("HTTP/1.1 102 Processing\r\n\r\n" + ok())
		}},
		{name: "expect, continue, then refused", client: upload, script: func(c *turn) {
			c.send(proceed)
			c.body()
			c.send(answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 2", "{}"))
		}},
		{name: "expect, refused", client: upload, differs: []string{"early"},
			script: refuse(answer("HTTP/1.1 403 Forbidden\r\nContent-Type: application/json\r\nContent-Length: 2", "{}"))},
		{name: "expect, too large", client: expecting("Content-Length: 1000000000000", ""), differs: []string{"phrase", "early"},
			script: refuse(answer("HTTP/1.1 413 Payload Too Large\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked", "2\r\n{}\r\n0\r\n\r\n"))},
		{name: "expect, refused without a body", client: upload, differs: []string{"early"},
			script: refuse(answer("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0"))},
		{name: "expect, refused, chunked", client: expecting(chunked, ""), differs: []string{"early"},
			script: refuse(answer("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2", "{}"))},
		{name: "expect, refused and closed", client: upload,
			script: refuse(answer("HTTP/1.1 417 Expectation Failed\r\nConnection: close\r\nContent-Length: 2", "{}"))},
		{name: "expect, refused at length", client: upload, differs: []string{"early"},
			script: refuse(answer("HTTP/1.1 429 Too Many Requests\r\nContent-Type: a/b\r\nContent-Length: 1000000", strings.Repeat("a", 1_000_000)))},
		{name: "expect, refused in pieces", client: upload, differs: []string{"early"}, script: func(c *turn) {
			c.send(answer("HTTP/1.1 403 Forbidden\r\nContent-Type: a/b\r\nContent-Length: 10", "hello"))
			time.Sleep(100 * time.Millisecond) // whoever gave up on the body would close the connection
			c.send("world")
			c.over = true
		}},
		{name: "expect, redirected", client: upload, differs: []string{"early"},
			script: refuse(answer("HTTP/1.1 307 Temporary Redirect\r\nLocation: /y\r\nContent-Length: 0"))},
		{name: "expect, hints and refused", client: upload, differs: []string{"early"},
			script: refuse("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 0"))},
		{name: "expect without a body", request: get("Expect: 100-continue"), answer: proceed + ok()},
		{name: "expect with the body", request: post("Expect: 100-continue", length, "", "hello"), script: func(c *turn) {
			c.send(proceed)
			c.body()
			c.send(ok())
		}},
		{name: "expect of a client of http/1.0", request: "POST /x HTTP/1.0\r\nExpect: 100-continue\r\n" + length + "\r\n\r\nhello",
			differs: []string{"version", "expect", "hop"}, script: func(c *turn) {
				c.body()
				c.send(ok("Connection: close"))
				c.close()
			}},
	}
}

// Only the workspace's 100 Continue asks the client for its body.
func TestContinueIsTheWorkspaces(t *testing.T) {
	s, w := startScripted(t), harness.StartWorkspace(t)
	g := gatewayTo(t, w, s.address)
	var asked atomic.Bool
	s.play(func(c *turn) {
		time.Sleep(200 * time.Millisecond)
		asked.Store(true)
		c.send(proceed)
		c.body()
		c.send(ok())
	})
	c := dialRaw(t, g.Listen, g.Listen, harness.LegacyToken(w))
	c.send(post("Expect: 100-continue", "Content-Length: 5", "", ""))
	if status := c.receive("POST"); status != 100 || !asked.Load() {
		t.Fatalf("status %d came before the workspace asked", status)
	}
	c.write("hello")
	if status := c.receive("POST"); status != 200 {
		t.Errorf("status %d", status)
	}
	if c.finish(); c.lines[len(c.lines)-1] != "< then the connection is kept" {
		t.Errorf("%q", c.lines)
	}
}

// A workspace that does not answer Expect gets the body after a while, as from a client
// that waits no longer, and one that answers it late asks only once.
func TestContinueIgnored(t *testing.T) {
	s, w := startScripted(t), harness.StartWorkspace(t)
	g := gatewayTo(t, w, s.address)
	for _, late := range []string{"", proceed} {
		s.play(func(c *turn) {
			c.body()
			c.send(late + ok())
		})
		c := dialRaw(t, g.Listen, g.Listen, harness.LegacyToken(w))
		began := time.Now()
		expecting("Content-Length: 5", "hello")(c)
		c.finish()
		if got := strings.Join(c.lines, "\n"); strings.Count(got, "100 Continue") != 1 || !strings.Contains(got, "200 OK") || !strings.Contains(got, "is kept") {
			t.Errorf("got\n%s", got)
		}
		if took := time.Since(began); took < 500*time.Millisecond || took > 5*time.Second {
			t.Errorf("took %s", took)
		}
		if got := strings.Join(s.request(t), "\n"); !strings.Contains(got, "Expect: 100-continue") || !strings.Contains(got, `"hello"`) {
			t.Errorf("arrived:\n%s", got)
		}
	}
}

// A workspace that goes away without an answer has not asked for the body either.
func TestContinueConnectionLost(t *testing.T) {
	s, w := startScripted(t), harness.StartWorkspace(t)
	g := gatewayTo(t, w, s.address)
	s.play(func(c *turn) { c.reset() })
	c := dialRaw(t, g.Listen, g.Listen, harness.LegacyToken(w))
	expecting("Content-Length: 5", "hello")(c)
	if got := strings.Join(c.lines, "\n"); strings.Contains(got, "100 Continue") || strings.Contains(got, "200 OK") {
		t.Errorf("got\n%s", got)
	}
}
