package proxy

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// ok is an answer with a body and more headers.
func ok(headers ...string) string {
	return "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\nDate: Sat, 29 Oct 1994 19:43:31 GMT\r\n" +
		strings.Join(append(headers, ""), "\r\n") + "\r\nhello"
}

// answer is an answer of which only what is given is known.
func answer(head string, body ...string) string {
	return head + "\r\nDate: Sat, 29 Oct 1994 19:43:31 GMT\r\n\r\n" + strings.Join(body, "")
}

func get(headers ...string) string {
	return "GET /x HTTP/1.1\r\n" + strings.Join(append(headers, ""), "\r\n") + "\r\n"
}

func post(headers ...string) string {
	return "POST /x HTTP/1.1\r\n" + strings.Join(headers, "\r\n")
}

func directCases() []directCase {
	cases := []directCase{
		{name: "plain", request: get(), answer: ok()},

		// Headers of the response.
		{name: "no content type", request: get(), answer: answer("HTTP/1.1 200 OK\r\nContent-Length: 15", "<html>hello</h>")},
		{name: "no content type, chunked", request: get(), answer: answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", "f\r\n<html>hello</h>\r\n0\r\n\r\n")},
		{name: "no content type, binary", request: get(), answer: answer("HTTP/1.1 200 OK\r\nContent-Length: 8", "\x89PNG\r\n\x1a\n")},
		{name: "no content type, json", request: get(), answer: answer("HTTP/1.1 404 Not Found\r\nContent-Length: 2", "{}")},
		{name: "empty content type", request: get(), answer: answer("HTTP/1.1 200 OK\r\nContent-Type:\r\nContent-Length: 5", "hello")},
		{name: "odd content type", request: get(), answer: answer("HTTP/1.1 200 OK\r\nContent-Type: nonsense;;=\r\nContent-Length: 5", "hello")},
		{name: "two content types", request: get(), answer: answer("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Type: c/d\r\nContent-Length: 5", "hello")},
		{name: "no content type, encoded", request: get(), answer: answer("HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\nContent-Length: 5", "hello")},
		{name: "no date", differs: []string{"date"}, request: get(), answer: "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 5\r\n\r\nhello"},
		{name: "server", request: get(), answer: ok("Server: databricks")},
		{name: "two servers", request: get(), answer: ok("Server: a", "Server: b")},
		{name: "via of another proxy", request: get(), answer: ok("Via: 1.1 google")},
		{name: "via of another caddy", request: get(), answer: ok("Via: 1.1 Caddy", "Via: 2.0 other")},
		{name: "cookies", request: get(), answer: ok("Set-Cookie: a=1; Path=/", "Set-Cookie: b=2; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "Set-Cookie: a=3")},
		{name: "one name twice", request: get(), answer: ok("X-A: 1", "X-A: 2, 3", "x-a: 4")},
		{name: "empty and odd values", request: get(), answer: ok("X-Empty:", "X-Quoted: \"a, b\"", "X-Latin: \xe9", "X-Utf: \u20ac", "X-Tab: a\tb", "X-Space:   a  b  ")},
		{name: "odd names", request: get(), answer: ok("x_under_score: 1", "X.Dot: 2", "3digit: 3", "x-!#$%&'*+^`|~: 4")},
		{name: "headers of databricks", request: get(), answer: ok("x-databricks-reason-phrase: No.", "x-request-id: 1", "x-databricks-org-id: 7", "strict-transport-security: max-age=31536000", "x-content-type-options: nosniff", "vary: Accept-Encoding")},
		{name: "headers that a proxy might use", request: get(), answer: ok("X-Accel-Redirect: /secret", "X-Accel-Buffering: no", "X-Sendfile: /etc/passwd", "X-Forwarded-For: 1.2.3.4", "Incremental: ?1", "X-Scopegate-Reason: none")},
		{name: "redirect", request: get(), answer: answer("HTTP/1.1 307 Temporary Redirect\r\nLocation: https://elsewhere.example.com/a%2Fb?c\r\nContent-Length: 0")},
		{name: "redirect to the workspace", differs: []string{"itself"}, request: get(), script: func(c *turn) {
			c.body()
			c.send(answer("HTTP/1.1 307 Temporary Redirect\r\nLocation: http://" + c.framed.Get("Host") + "/a%2Fb?c\r\nContent-Length: 0"))
		}},
		{name: "challenge that names the workspace", differs: []string{"itself"}, request: get(), script: func(c *turn) {
			c.body()
			c.send(answer("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer resource_metadata=\"http://" + c.framed.Get("Host") + "/a\"\r\nContent-Length: 0"))
		}},
		{name: "token at an OAuth endpoint", differs: []string{"token"}, request: "GET /oidc/v1/x HTTP/1.1\r\n\r\n", answer: ok()},
		{name: "discovery document that names nothing", differs: []string{"token"}, request: "GET /.well-known/databricks-config HTTP/1.1\r\n\r\n", answer: answer("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: \"1\"\r\nCache-Control: max-age=60\r\nContent-Length: 2", "{}")},
		{name: "conditional discovery", differs: []string{"token", "itself"}, request: "GET /.well-known/databricks-config HTTP/1.1\r\nIf-None-Match: \"1\"\r\nRange: bytes=0-1\r\nAccept-Encoding: gzip\r\n\r\n", answer: ok()},
		{name: "challenge", request: get(), answer: answer("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm=\"a\"\r\nWWW-Authenticate: Basic\r\nContent-Length: 0")},
		{name: "ranges", request: get("Range: bytes=0-4"), answer: answer("HTTP/1.1 206 Partial Content\r\nContent-Type: a/b\r\nContent-Range: bytes 0-4/10\r\nAccept-Ranges: bytes\r\nContent-Length: 5", "hello")},
		{name: "alternative service", differs: []string{"alt-svc"}, request: get(), answer: ok(`Alt-Svc: h3=":443"; ma=86400`)},
		{name: "many headers", request: get(), answer: ok(many("X-Many-%d: %d", 500)...)},
		{name: "a header of 1 MB", request: get(), answer: ok("X-Long: " + strings.Repeat("a", 1_000_000))},
		{name: "hop-by-hop headers", differs: []string{"hop"}, request: get(), answer: ok("Connection: X-Hop", "X-Hop: 1", "Keep-Alive: timeout=5", "Proxy-Authenticate: Basic", "Proxy-Connection: keep-alive", "Upgrade: h2c", "TE: gzip")},
		{name: "upgrade required", differs: []string{"hop"}, request: get(), answer: answer("HTTP/1.1 426 Upgrade Required\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0")},
		{name: "folded header", request: get(), answer: ok("X-Folded: a\r\n b")},

		// Statuses.
		{name: "reason phrase", differs: []string{"phrase"}, request: get(), answer: answer("HTTP/1.1 403 No, because\r\nContent-Length: 0")},
		{name: "no reason phrase", differs: []string{"phrase"}, request: get(), answer: answer("HTTP/1.1 200 \r\nContent-Length: 0")},
		{name: "neither phrase nor space", differs: []string{"phrase"}, request: get(), answer: answer("HTTP/1.1 200\r\nContent-Length: 0")},

		// Bodies of the response.
		{name: "chunked", request: get(), answer: answer("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked", "2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n")},
		{name: "chunked, empty", request: get(), answer: answer("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked", "0\r\n\r\n")},
		{name: "chunked, in pieces", request: get(), script: func(c *turn) {
			c.send(answer("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked"))
			for range 3 {
				c.send("9\r\ndata: a\n\n\r\n")
			}
			c.send("0\r\n\r\n")
		}},
		{name: "chunked, error", request: get(), answer: answer("HTTP/1.1 500 Internal Server Error\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked", "2\r\n{}\r\n0\r\n\r\n")},
		{name: "empty", request: get(), answer: answer("HTTP/1.1 200 OK\r\nContent-Length: 0")},
		{name: "empty, with a type", request: get(), answer: answer("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 0")},
		{name: "empty, closed", differs: []string{"framing"}, request: get(), script: func(c *turn) {
			c.send(answer("HTTP/1.1 200 OK\r\nConnection: close"))
			c.close()
		}},
		{name: "until the connection closes", differs: []string{"framing"}, request: get(), script: func(c *turn) {
			c.send(answer("HTTP/1.1 200 OK\r\nContent-Type: a/b", "hello"))
			c.close()
		}},
		{name: "of http/1.0", differs: []string{"version", "framing"}, request: get(), script: func(c *turn) {
			c.send(answer("HTTP/1.0 200 OK\r\nContent-Type: a/b", "hello"))
			c.close()
		}},
		{name: "length and close", differs: []string{"hop"}, request: get(), script: func(c *turn) {
			c.send(ok("Connection: close"))
			c.close()
		}},
		{name: "no content", request: "DELETE /x HTTP/1.1", answer: answer("HTTP/1.1 204 No Content")},
		{name: "no content, with odd headers", differs: []string{"no body"}, request: "DELETE /x HTTP/1.1", answer: answer("HTTP/1.1 204 No Content\r\nContent-Type: a/b\r\nX-A: b\r\nContent-Length: 0")},
		{name: "reset content", request: "DELETE /x HTTP/1.1", answer: answer("HTTP/1.1 205 Reset Content\r\nContent-Length: 0")},
		{name: "not modified", request: get(`If-None-Match: "x"`), answer: answer("HTTP/1.1 304 Not Modified\r\nEtag: \"x\"")},
		{name: "not modified, with odd headers", differs: []string{"no body"}, request: get(`If-None-Match: "x"`), answer: answer("HTTP/1.1 304 Not Modified\r\nEtag: \"x\"\r\nContent-Type: a/b\r\nContent-Length: 7")},
		{name: "gzip, asked for", request: get("Accept-Encoding: gzip"), answer: answer("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Type: a/b\r\nContent-Length: 4", "\x1f\x8b\x00\x01")},
		{name: "gzip, not asked for", request: get(), answer: answer("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Type: a/b\r\nContent-Length: 4", "\x1f\x8b\x00\x01")},
		{name: "gzip, refused", request: get("Accept-Encoding: identity"), answer: answer("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4", "\x1f\x8b\x00\x01")},
		{name: "large, with a length", request: get(), answer: answer("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 3000000", strings.Repeat("abc", 1_000_000))},
		{name: "large, chunked", request: get(), answer: answer("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked", strings.Repeat("4\r\nabcd\r\n", 100_000), "0\r\n\r\n")},
		{name: "head", request: "HEAD /x HTTP/1.1", answer: answer("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 12345")},
		{name: "head, no length", request: "HEAD /x HTTP/1.1", answer: answer("HTTP/1.1 200 OK\r\nContent-Type: a/b")},
		{name: "head, no type", request: "HEAD /x HTTP/1.1", answer: answer("HTTP/1.1 200 OK\r\nContent-Length: 7")},
		{name: "head, chunked", differs: []string{"no body"}, request: "HEAD /x HTTP/1.1", answer: answer("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked")},
		{name: "head, not found", request: "HEAD /x HTTP/1.1", answer: answer("HTTP/1.1 404 Not Found\r\nContent-Length: 0")},

		// Trailers of the response.
		{name: "trailers", request: get("TE: trailers"), answer: answer("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked", "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n")},
		{name: "trailers, not wanted", request: get(), answer: answer("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked", "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n")},
		{name: "trailers, not announced", request: get(), answer: answer("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked", "5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-Other: a\r\nX-Other: b\r\n\r\n")},
		{name: "trailers, announced and not", request: get(), answer: answer("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTrailer: X-Sum, X-Late\r\nTransfer-Encoding: chunked", "5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n")},
		{name: "trailers, announced only", request: get(), answer: answer("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n")},
		{name: "trailers of an empty body", request: get(), answer: answer("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked", "0\r\nX-Sum: 1\r\n\r\n")},
		{name: "trailers that may be none", request: get(), differs: []string{"invalid"}, answer: answer("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTrailer: Content-Type, If-Match\r\nTransfer-Encoding: chunked", "5\r\nhello\r\n0\r\nContent-Type: c/d\r\nIf-Match: x\r\n\r\n")},
		{name: "invalid header name", differs: []string{"invalid"}, answer: ok("X y: z"), client: func(c *rawClient) {
			c.send(get())
			c.receiveAll("GET")
		}},

		// Interim responses.
		{name: "early hints", request: get(), answer: "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-A: b\r\n\r\n" + ok()},
		{name: "early hints, twice", request: get(), answer: "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nServer: x\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </b>\r\nLink: </c>\r\n\r\n" + ok()},
		{name: "processing", request: get(), answer: strings.Repeat("HTTP/1.1 102 Processing\r\n\r\n", 20) + ok()},
		{name: "continue, not asked for", request: get(), answer: "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\nX-A: b\r\n\r\n" + ok()},
		{name: "continue, not asked for, with a body", request: post("Content-Length: 2", "", "ab"), answer: "HTTP/1.1 100 Continue\r\n\r\n" + ok()},
		{name: "unassigned interim response", differs: []string{"phrase"}, request: get(), answer: "HTTP/1.1 199 Odd\r\nX-A: b\r\n\r\n" + ok()},

		// Ends that are none.
		{name: "cut within the length", request: get(), script: func(c *turn) {
			c.send(answer("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 10", "hello"))
			c.close()
		}},
		{name: "cut within the length, early", request: get(), script: func(c *turn) {
			c.send(answer("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 10"))
			c.close()
		}},
		{name: "cut within the chunks", request: get(), script: func(c *turn) {
			c.send(answer("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked", "5\r\nhello\r\n"))
			c.close()
		}},
		{name: "cut within a chunk", request: get(), script: func(c *turn) {
			c.send(answer("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked", "a\r\nhello"))
			c.close()
		}},
		{name: "cut before the last chunk, nothing sent", request: get(), script: func(c *turn) {
			c.send(answer("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked"))
			c.close()
		}},
		{name: "reset within the body", request: get(), script: func(c *turn) {
			c.send(answer("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 10", "hello"))
			time.Sleep(20 * time.Millisecond) // so that the reset does not overtake
			c.reset()
		}},

		// Requests.
		{name: "user agent", request: get("User-Agent: databricks-sdk-go/0.175.0 go/1.26 os/linux (x; y)"), answer: ok()},
		{name: "accept everything", request: get("Accept: */*", "Accept-Encoding: gzip, br", "Accept-Language: de", "Cache-Control: no-cache"), answer: ok()},
		{name: "request header twice", request: get("X-A: 1", "x-a: 2, 3", "X-Empty:", "X-Latin: \xe9"), answer: ok()},
		{name: "request via", differs: []string{"via"}, request: get("Via: 1.1 office"), answer: ok()},
		{name: "request hop-by-hop headers", differs: []string{"hop"}, request: get("Connection: X-Hop, keep-alive", "X-Hop: 1", "Keep-Alive: 5", "Proxy-Connection: keep-alive", "TE: gzip", "Upgrade-Insecure-Requests: 1"), answer: ok()},
		{name: "request trailers wanted", differs: []string{"hop"}, request: get("Connection: TE", "TE: trailers, deflate"), answer: ok()},
		{name: "request cookies", differs: []string{"dropped"}, request: get("Cookie: a=b"), answer: ok()},
		{name: "request forwarded headers", request: get("X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: gopher", "X-Forwarded-Host: evil.example.com"), answer: ok()},
		{name: "request forwarding headers", differs: []string{"forged"}, request: get("Forwarded: for=1.2.3.4", "X-Real-IP: 1.2.3.4", "X-Forwarded-Port: 1"), answer: ok()},
		{name: "request header with an underscore", differs: []string{"dropped"}, request: get("X_A: 1", "X.B: 2"), answer: ok()},
		{name: "request closes", differs: []string{"hop"}, request: get("Connection: close"), script: func(c *turn) {
			c.send(ok("Connection: close"))
			c.close()
		}},
		{name: "post, nothing said of a body", differs: []string{"empty request"}, request: post("", ""), answer: ok()},
		{name: "post, empty", request: post("Content-Length: 0", "", ""), answer: ok()},
		{name: "delete, empty", differs: []string{"empty request"}, request: "DELETE /x HTTP/1.1\r\nContent-Length: 0\r\n\r\n", answer: ok()},
		{name: "get, empty", differs: []string{"empty request"}, request: get("Content-Length: 0"), answer: ok()},
		{name: "get with a body", request: get("Content-Length: 2") + "{}", answer: ok()},
		{name: "delete with a body", request: "DELETE /x HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}", answer: ok()},
		{name: "post, length", request: post("Content-Length: 11", "", "hello\x00w\xfforl"), answer: ok()},
		{name: "post, chunked", request: post("Transfer-Encoding: chunked", "", "5\r\nhello\r\n6;a=b\r\n world\r\n0\r\n\r\n"), answer: ok()},
		{name: "post, chunked, empty", request: post("Transfer-Encoding: chunked", "", "0\r\n\r\n"), answer: ok()},
		{name: "post, chunked, trailers", differs: []string{"dropped"}, request: post("Trailer: X-Sum", "Transfer-Encoding: chunked", "", "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n"), answer: ok()},
		{name: "post, encoded", request: post("Content-Encoding: gzip", "Content-Length: 4", "", "\x1f\x8b\x00\x01"), answer: ok()},
		{name: "post, large", request: post("Content-Length: 3000000", "", strings.Repeat("abc", 1_000_000)), answer: ok()},
		{name: "absolute target", differs: []string{"target"}, request: "GET http://{host}/x?y HTTP/1.1", answer: ok()},
		{name: "fragment in the target", request: "GET /a#b HTTP/1.1", answer: ok(), differs: []string{"target"}},
		{name: "characters that no url may have", request: "GET /a|b\"c HTTP/1.1", answer: ok(), differs: []string{"target"}},
		{name: "of a client of http/1.0", differs: []string{"version", "hop"}, request: "GET /x HTTP/1.0", script: func(c *turn) {
			c.send(ok("Connection: close"))
			c.close()
		}},
		{name: "early hints to a client of http/1.0", differs: []string{"version", "hop"}, request: "GET /x HTTP/1.0", script: func(c *turn) {
			if !strings.Contains(c.heard[0], "HTTP/1.0") { // directly, the workspace would not send them
				c.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
			}
			c.send(ok("Connection: close"))
			c.close()
		}},

		// Responses before the end of the request.
		{name: "answer before the body", differs: []string{"early"}, client: func(c *rawClient) {
			c.send(post("Content-Length: 10", "", "hello"))
			c.receiveAll("POST")
			c.over = true
		}, script: func(c *turn) {
			c.send(ok())
			c.close()
		}},
		{name: "answer before the body, then the rest", differs: []string{"early"}, client: func(c *rawClient) {
			c.send(post("Content-Length: 10", "", "hello"))
			c.receiveAll("POST")
			c.write("world")
		}, script: func(c *turn) {
			c.send(answer("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked", "5\r\nhello\r\n"))
			c.send("0\r\n\r\n")
			c.body()
		}},
		{name: "websocket", differs: []string{"hop", "date"}, client: func(c *rawClient) {
			c.send(get("Connection: keep-alive, Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Protocol: a, b"))
			c.receive("GET")
			c.write(piece)
			c.lines = append(c.lines, "< "+take(c.in))
		}, script: func(c *turn) {
			c.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: a\r\nServer: databricks\r\nX-A: b\r\n\r\n")
			c.heard = append(c.heard, "> "+take(c.in))
			c.send(piece)
			c.close()
		}},
		{name: "websocket refused", request: get("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"), answer: answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 2", "{}")},
		{name: "body echoed piece by piece", client: func(c *rawClient) {
			c.send(post("Transfer-Encoding: chunked", "", piece))
			lines, _ := readHead(c.in)
			c.lines = append(c.lines, "< "+lines[0])
			for range 3 {
				c.lines = append(c.lines, "< "+take(c.in))
				c.write(piece)
			}
			c.write("0\r\n\r\n")
			c.lines = append(c.lines, "< "+take(c.in))
			_, err := readChunks(io.Discard, c.in)
			c.lines = append(c.lines, fmt.Sprint("< end: ", err))
			c.over = true
		}, script: func(c *turn) {
			c.send(answer("HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nTransfer-Encoding: chunked"))
			for range 4 {
				c.heard = append(c.heard, "> "+take(c.in))
				c.send(piece)
			}
			c.body()
			c.send("0\r\n\r\n")
		}},
	}
	cases = append(cases, continueCases()...)
	for _, status := range []int{200, 201, 202, 203, 207, 208, 226, 299, 300, 303, 308, 400, 402, 403, 404, 407, 409, 412, 413, 417, 418, 421, 422, 425, 429, 431, 451, 499, 500, 501, 502, 503, 504, 511, 520, 599, 600, 700, 999} {
		cases = append(cases, directCase{
			name: fmt.Sprint("status ", status), request: get(),
			answer:  answer(fmt.Sprintf("HTTP/1.1 %d X\r\nContent-Type: a/b\r\nRetry-After: 1\r\nContent-Length: 2", status), "{}"),
			differs: []string{"phrase"},
		})
	}
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "QUERY", "get", "M-SEARCH"} {
		cases = append(cases, directCase{name: "method " + method, request: method + " /x HTTP/1.1\r\nContent-Length: 1\r\n\r\na", answer: ok()})
	}
	for _, target := range []string{
		"/x?", "/x??", "/x?a=b;c=d", "/x?%zz", "/x?a+b%20c", "/x?b=2&a=1&b=", "/x?&&", "/x?\u20ac", "/x?a=[]{}|\\^\"<>`",
		"/a%2Fb", "/a%2fb", "/a//b", "/a/./b/../c", "/a/...", "/a.", "/a%20b", "/%61%C3%A9%c3%a9", "/100%25", "/a;b=c", "/:@!$&'()*+,=~-_", "/",
		"//a", "/a?http://x/", "/" + strings.Repeat("a", 8000),
	} {
		name := "target " + target
		if len(name) > 50 {
			name = name[:50]
		}
		cases = append(cases, directCase{name: name, request: "GET " + target + " HTTP/1.1", answer: ok()})
	}
	return cases
}

func many(format string, n int) (lines []string) {
	for i := range n {
		lines = append(lines, fmt.Sprintf(format, i, i))
	}
	return lines
}

// piece is a chunk of a body.
const piece = "1\r\na\r\n"

// take reads a piece.
func take(in io.Reader) string {
	got := make([]byte, len(piece))
	n, _ := io.ReadFull(in, got)
	return strconv.Quote(string(got[:n]))
}
