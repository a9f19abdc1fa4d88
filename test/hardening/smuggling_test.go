package hardening

import (
	"strings"
	"testing"
)

// smuggled is the request that must never pass the gateway. If the gateway sees it as a
// second request, it refuses it.
const smuggled = "GET /api/2.1/clusters/list HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {files}\r\nX: y\r\n\r\n"

// brokenBody is the outcome of a request whose body turns out to be malformed after its
// head was forwarded. Such a request may or may not arrive.
const brokenBody = "malformed_body"

// TestSmuggling tries requests whose end is ambiguous. [rig.try] checks that the second
// request does not arrive.
func TestSmuggling(t *testing.T) {
	r := startRig(t, "")
	const (
		put     = "PUT /api/2.0/fs/files/a HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {files}\r\n"
		chunked = "Transfer-Encoding: chunked\r\n"
		length5 = "Content-Length: 5\r\n"
		end     = "0\r\n\r\n"
	)
	one := func(outcome string) []string { return []string{outcome} }
	both := []string{passes, scope}
	for _, tt := range []struct {
		name, text string
		want       []string
	}{
		{"length", put + length5 + "\r\nhello" + smuggled, both},
		{"chunks", put + chunked + "\r\n5\r\nhello\r\n" + end + smuggled, both},
		{"neither", put + "\r\n" + smuggled, both},
		{"zero length", put + "Content-Length: 0\r\n\r\n" + smuggled, both},
		{"body of a GET", strings.Replace(put, "PUT", "GET", 1) + length5 + "\r\nhello" + smuggled, both},
		{"chunks of a GET", strings.Replace(put, "PUT", "GET", 1) + chunked + "\r\n" + end + smuggled, both},
		{"body of a DELETE", strings.Replace(put, "PUT", "DELETE", 1) + length5 + "\r\nhello" + smuggled, both},

		{"length, then chunks", put + "Content-Length: 200\r\n" + chunked + "\r\n" + end + smuggled, both},
		{"chunks, then length", put + chunked + "Content-Length: 200\r\n\r\n" + end + smuggled, both},
		{"short length and chunks", put + "Content-Length: 4\r\n" + chunked + "\r\n5c\r\n" + smuggled + "\r\n" + end, one(brokenBody)},
		{"zero length and chunks", put + "Content-Length: 0\r\n" + chunked + "\r\n" + end + smuggled, both},

		{"two lengths", put + length5 + "Content-Length: 0\r\n\r\nhello" + smuggled, one(badRequest)},
		{"two lengths, other order", put + "Content-Length: 0\r\n" + length5 + "\r\nhello" + smuggled, one(badRequest)},
		{"the same length twice", put + length5 + length5 + "\r\nhello" + smuggled, both},
		{"list of lengths", put + "Content-Length: 5, 5\r\n\r\nhello" + smuggled, one(badRequest)},
		{"list of two lengths", put + "Content-Length: 5, 0\r\n\r\nhello" + smuggled, one(badRequest)},
		{"plus", put + "Content-Length: +5\r\n\r\nhello" + smuggled, one(badRequest)},
		{"minus", put + "Content-Length: -5\r\n\r\nhello" + smuggled, one(badRequest)},
		{"hexadecimal", put + "Content-Length: 0x5\r\n\r\nhello" + smuggled, one(badRequest)},
		{"exponent", put + "Content-Length: 5e0\r\n\r\nhello" + smuggled, one(badRequest)},
		{"underscore", put + "Content-Length: 0_5\r\n\r\nhello" + smuggled, one(badRequest)},
		{"leading zero", put + "Content-Length: 05\r\n\r\nhello" + smuggled, both},
		{"overflow", put + "Content-Length: 18446744073709551621\r\n\r\nhello" + smuggled, one(badRequest)},
		{"foreign digit", put + "Content-Length: \u0665\r\n\r\nhello" + smuggled, one(badRequest)},
		{"space in the length", put + "Content-Length: 5 0\r\n\r\nhello" + smuggled, one(badRequest)},
		{"empty length", put + "Content-Length:\r\n\r\n" + smuggled, one(badRequest)},
		{"no-break space", put + "Content-Length: 5\u00a0\r\n\r\nhello" + smuggled, one(badRequest)},
		{"folded length", put + "Content-Length:\r\n 5\r\n\r\nhello" + smuggled, both},
		{"folded longer", put + "Content-Length: 5\r\n 0\r\n\r\nhello" + smuggled, one(badRequest)},
		{"space before the colon", put + "Content-Length : 5\r\n\r\nhello" + smuggled, one(badRequest)},
		{"underscored length", put + "Content_Length: 200\r\n\r\n" + smuggled, both},
		{"length in a hop", put + length5 + "Connection: Content-Length\r\n\r\nhello" + smuggled, both},

		{"chunks in upper case", put + "Transfer-Encoding: CHUNKED\r\n\r\n" + end + smuggled, both},
		{"chunks with spaces", put + "Transfer-Encoding: \t chunked \t\r\n\r\n" + end + smuggled, both},
		{"chunks folded", put + "Transfer-Encoding:\r\n chunked\r\n\r\n" + end + smuggled, both},
		{"chunks after a vertical tab", put + "Transfer-Encoding: \vchunked\r\n\r\n" + end + smuggled, one(badRequest)},
		{"chunks before a vertical tab", put + "Transfer-Encoding: chunked\v\r\n\r\n" + end + smuggled, one(badRequest)},
		{"chunks after a NUL", put + "Transfer-Encoding: \x00chunked\r\n\r\n" + end + smuggled, one(badRequest)},
		{"chunks quoted", put + "Transfer-Encoding: \"chunked\"\r\n" + length5 + "\r\n" + end + smuggled, one("501")},
		{"chunks in single quotes", put + "Transfer-Encoding: 'chunked'\r\n" + length5 + "\r\n" + end + smuggled, one("501")},
		{"chunks with a parameter", put + "Transfer-Encoding: chunked;q=1\r\n" + length5 + "\r\n" + end + smuggled, one("501")},
		{"chunks with a comma", put + "Transfer-Encoding: chunked,\r\n" + length5 + "\r\n" + end + smuggled, one("501")},
		{"chunks after a comma", put + "Transfer-Encoding: ,chunked\r\n" + length5 + "\r\n" + end + smuggled, one("501")},
		{"chunks twice", put + chunked + chunked + "\r\n" + end + smuggled, one("501")},
		{"chunks twice in a list", put + "Transfer-Encoding: chunked, chunked\r\n" + length5 + "\r\n" + end + smuggled, one("501")},
		{"chunks and identity", put + "Transfer-Encoding: chunked, identity\r\n" + length5 + "\r\n" + end + smuggled, one("501")},
		{"identity and chunks", put + "Transfer-Encoding: identity, chunked\r\n" + length5 + "\r\n" + end + smuggled, one("501")},
		{"identity, then chunks", put + "Transfer-Encoding: identity\r\n" + chunked + length5 + "\r\n" + end + smuggled, one("501")},
		{"identity", put + "Transfer-Encoding: identity\r\n" + length5 + "\r\nhello" + smuggled, one("501")},
		{"gzip and chunks", put + "Transfer-Encoding: gzip, chunked\r\n\r\n" + end + smuggled, one("501")},
		{"unknown encoding", put + "Transfer-Encoding: xchunked\r\n" + length5 + "\r\n" + end + smuggled, one("501")},
		{"long s", put + "Transfer-Encoding: chun\u212aed\r\n" + length5 + "\r\n" + end + smuggled, one("501")},
		{"empty encoding", put + "Transfer-Encoding:\r\n" + length5 + "\r\n" + end + smuggled, one("501")},
		{"encoding and a space", put + "Transfer-Encoding : chunked\r\n" + length5 + "\r\n" + end + smuggled, one(badRequest)},
		{"space and encoding", put + " Transfer-Encoding: chunked\r\n" + length5 + "\r\nhello" + smuggled, []string{unsupported, scope}},
		{"encoding after a bare line feed", put + "X: y\nTransfer-Encoding: chunked\r\n\r\n" + end + smuggled, both},
		{"encoding after a bare carriage return", put + "X: y\rTransfer-Encoding: chunked\r\n" + length5 + "\r\nhello" + smuggled, one(badRequest)},
		{"underscored encoding", put + "Transfer_Encoding: chunked\r\n" + length5 + "\r\nhello" + smuggled, both},
		{"dotted encoding", put + "Transfer.Encoding: chunked\r\n" + length5 + "\r\nhello" + smuggled, both},
		{"encoding by another name", put + "TE: chunked\r\n" + length5 + "\r\nhello" + smuggled, both},
		{"content encoding", put + "Content-Encoding: chunked\r\n" + length5 + "\r\nhello" + smuggled, both},
		{"encoding in a hop", put + chunked + "Connection: Transfer-Encoding\r\n\r\n" + end + smuggled, both},

		{"extension", put + chunked + "\r\n5;a=b\r\nhello\r\n0;c\r\n\r\n" + smuggled, both},
		{"extension with a line feed", put + chunked + "\r\n5;\nhello\r\n" + end + smuggled, one(brokenBody)},
		{"extension with a carriage return", put + chunked + "\r\n5;\rx\r\nhello\r\n" + end + smuggled, one(brokenBody)},
		{"extension that ends the body", put + chunked + "\r\n5;a\n0\n\r\n" + smuggled, one(brokenBody)},
		{"line feeds only", put + chunked + "\r\n5\nhello\n0\n\n" + smuggled, one(brokenBody)},
		{"negative chunk", put + chunked + "\r\n-5\r\nhello\r\n" + end + smuggled, one(brokenBody)},
		{"hexadecimal chunk", put + chunked + "\r\n0x5\r\nhello\r\n" + end + smuggled, one(brokenBody)},
		{"overflowing chunk", put + chunked + "\r\n100000000000000005\r\nhello\r\n" + end + smuggled, one(brokenBody)},
		{"padded chunk", put + chunked + "\r\n5 \r\nhello\r\n" + end + smuggled, both},
		{"space before a chunk", put + chunked + "\r\n 5\r\nhello\r\n" + end + smuggled, one(brokenBody)},
		{"chunk too short", put + chunked + "\r\n4\r\nhello\r\n" + end + smuggled, one(brokenBody)},
		{"chunk without an end", put + chunked + "\r\n5\r\nhello0\r\n\r\n" + smuggled, one(brokenBody)},
		{"last chunk of zeros", put + chunked + "\r\n0000\r\n\r\n" + smuggled, both},
		{"request as a trailer", put + chunked + "\r\n0\r\n" + smuggled, one(brokenBody)},

		{"line feeds for lines", strings.ReplaceAll(put+length5, "\r\n", "\n") + "\nhello" + smuggled, both},
		{"head ended by line feeds", put + "Content-Length: 0\n\n" + smuggled, both},
		{"carriage returns for lines", strings.ReplaceAll(put, "\r\n", "\r") + "\r\r" + smuggled, one(badRequest)},
		{"request in a header", put + "X: \r\n\tGET /api/2.1/clusters/list HTTP/1.1\r\nContent-Length: 0\r\n\r\n" + smuggled, both},
		{"empty lines first", "\r\n\r\n" + put + "\r\n" + smuggled, one(badRequest)},
		{"garbage between", put + length5 + "\r\nhelloGARBAGE " + smuggled, []string{passes, badRequest}},

		{"old version with chunks", strings.Replace(put, "HTTP/1.1", "HTTP/1.0", 1) + "Connection: keep-alive\r\n" + chunked + "\r\n" + end + smuggled, []string{passes, badRequest}},
		{"old version, chunks and length", strings.Replace(put, "HTTP/1.1", "HTTP/1.0", 1) + "Connection: keep-alive\r\n" + length5 + chunked + "\r\nhello" + smuggled, both},
		{"old version kept alive", strings.Replace(put, "HTTP/1.1", "HTTP/1.0", 1) + "Connection: keep-alive\r\n" + length5 + "\r\nhello" + smuggled, both},
		{"old version", strings.Replace(put, "HTTP/1.1", "HTTP/1.0", 1) + length5 + "\r\nhello" + smuggled, one(passes)},

		{"upgrade to HTTP/2", put + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []string{passes, misdirected}},
		{"upgrade to TLS", put + "Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n\r\n" + smuggled, both},
		{"upgrade to a list", put + "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n" + smuggled, both},
		{"two upgrades", put + "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n\r\n" + smuggled, both},
		{"upgrade that is not accepted", put + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 777\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n" + smuggled, both},
		{"upgrade to HTTP/2 on a public route", "GET /oidc/x HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n" + smuggled, both},
		{"preface", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + smuggled, one(misdirected)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.try(t, tt.text, tt.want...)
		})
	}
}
