package attacks

import "strings"

// Smuggled is the request that must never pass. If the gateway sees it as a second request,
// it refuses it.
const Smuggled = "GET /api/2.1/clusters/list HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {files}\r\nX: y\r\n\r\n"

// Smuggling are requests whose end is ambiguous.
func Smuggling() []Case {
	const (
		put     = "PUT /api/2.0/fs/files/a HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {files}\r\n"
		chunked = "Transfer-Encoding: chunked\r\n"
		length5 = "Content-Length: 5\r\n"
		end     = "0\r\n\r\n"
	)
	one := func(outcome string) []string { return []string{outcome} }
	both := []string{Passes, Scope}
	return []Case{
		{"length", put + length5 + "\r\nhello" + Smuggled, both},
		{"chunks", put + chunked + "\r\n5\r\nhello\r\n" + end + Smuggled, both},
		{"neither", put + "\r\n" + Smuggled, both},
		{"zero length", put + "Content-Length: 0\r\n\r\n" + Smuggled, both},
		{"body of a GET", strings.Replace(put, "PUT", "GET", 1) + length5 + "\r\nhello" + Smuggled, both},
		{"chunks of a GET", strings.Replace(put, "PUT", "GET", 1) + chunked + "\r\n" + end + Smuggled, both},
		{"body of a DELETE", strings.Replace(put, "PUT", "DELETE", 1) + length5 + "\r\nhello" + Smuggled, both},

		{"length, then chunks", put + "Content-Length: 200\r\n" + chunked + "\r\n" + end + Smuggled, both},
		{"chunks, then length", put + chunked + "Content-Length: 200\r\n\r\n" + end + Smuggled, both},
		{"short length and chunks", put + "Content-Length: 4\r\n" + chunked + "\r\n5c\r\n" + Smuggled + "\r\n" + end, one(BrokenBody)},
		{"zero length and chunks", put + "Content-Length: 0\r\n" + chunked + "\r\n" + end + Smuggled, both},

		{"two lengths", put + length5 + "Content-Length: 0\r\n\r\nhello" + Smuggled, one(BadRequest)},
		{"two lengths, other order", put + "Content-Length: 0\r\n" + length5 + "\r\nhello" + Smuggled, one(BadRequest)},
		{"the same length twice", put + length5 + length5 + "\r\nhello" + Smuggled, both},
		{"list of lengths", put + "Content-Length: 5, 5\r\n\r\nhello" + Smuggled, one(BadRequest)},
		{"list of two lengths", put + "Content-Length: 5, 0\r\n\r\nhello" + Smuggled, one(BadRequest)},
		{"plus", put + "Content-Length: +5\r\n\r\nhello" + Smuggled, one(BadRequest)},
		{"minus", put + "Content-Length: -5\r\n\r\nhello" + Smuggled, one(BadRequest)},
		{"hexadecimal", put + "Content-Length: 0x5\r\n\r\nhello" + Smuggled, one(BadRequest)},
		{"exponent", put + "Content-Length: 5e0\r\n\r\nhello" + Smuggled, one(BadRequest)},
		{"underscore", put + "Content-Length: 0_5\r\n\r\nhello" + Smuggled, one(BadRequest)},
		{"leading zero", put + "Content-Length: 05\r\n\r\nhello" + Smuggled, both},
		{"overflow", put + "Content-Length: 18446744073709551621\r\n\r\nhello" + Smuggled, one(BadRequest)},
		{"foreign digit", put + "Content-Length: \u0665\r\n\r\nhello" + Smuggled, one(BadRequest)},
		{"space in the length", put + "Content-Length: 5 0\r\n\r\nhello" + Smuggled, one(BadRequest)},
		{"empty length", put + "Content-Length:\r\n\r\n" + Smuggled, one(BadRequest)},
		{"no-break space", put + "Content-Length: 5\u00a0\r\n\r\nhello" + Smuggled, one(BadRequest)},
		{"folded length", put + "Content-Length:\r\n 5\r\n\r\nhello" + Smuggled, both},
		{"folded longer", put + "Content-Length: 5\r\n 0\r\n\r\nhello" + Smuggled, one(BadRequest)},
		{"space before the colon", put + "Content-Length : 5\r\n\r\nhello" + Smuggled, one(BadRequest)},
		{"underscored length", put + "Content_Length: 200\r\n\r\n" + Smuggled, both},
		{"length in a hop", put + length5 + "Connection: Content-Length\r\n\r\nhello" + Smuggled, both},

		{"chunks in upper case", put + "Transfer-Encoding: CHUNKED\r\n\r\n" + end + Smuggled, both},
		{"chunks with spaces", put + "Transfer-Encoding: \t chunked \t\r\n\r\n" + end + Smuggled, both},
		{"chunks folded", put + "Transfer-Encoding:\r\n chunked\r\n\r\n" + end + Smuggled, both},
		{"chunks after a vertical tab", put + "Transfer-Encoding: \vchunked\r\n\r\n" + end + Smuggled, one(BadRequest)},
		{"chunks before a vertical tab", put + "Transfer-Encoding: chunked\v\r\n\r\n" + end + Smuggled, one(BadRequest)},
		{"chunks after a NUL", put + "Transfer-Encoding: \x00chunked\r\n\r\n" + end + Smuggled, one(BadRequest)},
		{"chunks quoted", put + "Transfer-Encoding: \"chunked\"\r\n" + length5 + "\r\n" + end + Smuggled, one("501")},
		{"chunks in single quotes", put + "Transfer-Encoding: 'chunked'\r\n" + length5 + "\r\n" + end + Smuggled, one("501")},
		{"chunks with a parameter", put + "Transfer-Encoding: chunked;q=1\r\n" + length5 + "\r\n" + end + Smuggled, one("501")},
		{"chunks with a comma", put + "Transfer-Encoding: chunked,\r\n" + length5 + "\r\n" + end + Smuggled, one("501")},
		{"chunks after a comma", put + "Transfer-Encoding: ,chunked\r\n" + length5 + "\r\n" + end + Smuggled, one("501")},
		{"chunks twice", put + chunked + chunked + "\r\n" + end + Smuggled, one("501")},
		{"chunks twice in a list", put + "Transfer-Encoding: chunked, chunked\r\n" + length5 + "\r\n" + end + Smuggled, one("501")},
		{"chunks and identity", put + "Transfer-Encoding: chunked, identity\r\n" + length5 + "\r\n" + end + Smuggled, one("501")},
		{"identity and chunks", put + "Transfer-Encoding: identity, chunked\r\n" + length5 + "\r\n" + end + Smuggled, one("501")},
		{"identity, then chunks", put + "Transfer-Encoding: identity\r\n" + chunked + length5 + "\r\n" + end + Smuggled, one("501")},
		{"identity", put + "Transfer-Encoding: identity\r\n" + length5 + "\r\nhello" + Smuggled, one("501")},
		{"gzip and chunks", put + "Transfer-Encoding: gzip, chunked\r\n\r\n" + end + Smuggled, one("501")},
		{"unknown encoding", put + "Transfer-Encoding: xchunked\r\n" + length5 + "\r\n" + end + Smuggled, one("501")},
		{"long s", put + "Transfer-Encoding: chun\u212aed\r\n" + length5 + "\r\n" + end + Smuggled, one("501")},
		{"empty encoding", put + "Transfer-Encoding:\r\n" + length5 + "\r\n" + end + Smuggled, one("501")},
		{"encoding and a space", put + "Transfer-Encoding : chunked\r\n" + length5 + "\r\n" + end + Smuggled, one(BadRequest)},
		{"space and encoding", put + " Transfer-Encoding: chunked\r\n" + length5 + "\r\nhello" + Smuggled, []string{Unsupported, Scope}},
		{"encoding after a bare line feed", put + "X: y\nTransfer-Encoding: chunked\r\n\r\n" + end + Smuggled, both},
		{"encoding after a bare carriage return", put + "X: y\rTransfer-Encoding: chunked\r\n" + length5 + "\r\nhello" + Smuggled, one(BadRequest)},
		{"underscored encoding", put + "Transfer_Encoding: chunked\r\n" + length5 + "\r\nhello" + Smuggled, both},
		{"dotted encoding", put + "Transfer.Encoding: chunked\r\n" + length5 + "\r\nhello" + Smuggled, both},
		{"encoding by another name", put + "TE: chunked\r\n" + length5 + "\r\nhello" + Smuggled, both},
		{"content encoding", put + "Content-Encoding: chunked\r\n" + length5 + "\r\nhello" + Smuggled, both},
		{"encoding in a hop", put + chunked + "Connection: Transfer-Encoding\r\n\r\n" + end + Smuggled, both},

		{"extension", put + chunked + "\r\n5;a=b\r\nhello\r\n0;c\r\n\r\n" + Smuggled, both},
		{"extension with a line feed", put + chunked + "\r\n5;\nhello\r\n" + end + Smuggled, one(BrokenBody)},
		{"extension with a carriage return", put + chunked + "\r\n5;\rx\r\nhello\r\n" + end + Smuggled, one(BrokenBody)},
		{"extension that ends the body", put + chunked + "\r\n5;a\n0\n\r\n" + Smuggled, one(BrokenBody)},
		{"line feeds only", put + chunked + "\r\n5\nhello\n0\n\n" + Smuggled, one(BrokenBody)},
		{"negative chunk", put + chunked + "\r\n-5\r\nhello\r\n" + end + Smuggled, one(BrokenBody)},
		{"hexadecimal chunk", put + chunked + "\r\n0x5\r\nhello\r\n" + end + Smuggled, one(BrokenBody)},
		{"overflowing chunk", put + chunked + "\r\n100000000000000005\r\nhello\r\n" + end + Smuggled, one(BrokenBody)},
		{"padded chunk", put + chunked + "\r\n5 \r\nhello\r\n" + end + Smuggled, both},
		{"space before a chunk", put + chunked + "\r\n 5\r\nhello\r\n" + end + Smuggled, one(BrokenBody)},
		{"chunk too short", put + chunked + "\r\n4\r\nhello\r\n" + end + Smuggled, one(BrokenBody)},
		{"chunk without an end", put + chunked + "\r\n5\r\nhello0\r\n\r\n" + Smuggled, one(BrokenBody)},
		{"last chunk of zeros", put + chunked + "\r\n0000\r\n\r\n" + Smuggled, both},
		{"request as a trailer", put + chunked + "\r\n0\r\n" + Smuggled, one(BrokenBody)},

		{"line feeds for lines", strings.ReplaceAll(put+length5, "\r\n", "\n") + "\nhello" + Smuggled, both},
		{"head ended by line feeds", put + "Content-Length: 0\n\n" + Smuggled, both},
		{"carriage returns for lines", strings.ReplaceAll(put, "\r\n", "\r") + "\r\r" + Smuggled, one(BadRequest)},
		{"request in a header", put + "X: \r\n\tGET /api/2.1/clusters/list HTTP/1.1\r\nContent-Length: 0\r\n\r\n" + Smuggled, both},
		{"empty lines first", "\r\n\r\n" + put + "\r\n" + Smuggled, one(BadRequest)},
		{"garbage between", put + length5 + "\r\nhelloGARBAGE " + Smuggled, []string{Passes, BadRequest}},

		{"old version with chunks", strings.Replace(put, "HTTP/1.1", "HTTP/1.0", 1) + "Connection: keep-alive\r\n" + chunked + "\r\n" + end + Smuggled, []string{Passes, BadRequest}},
		{"old version, chunks and length", strings.Replace(put, "HTTP/1.1", "HTTP/1.0", 1) + "Connection: keep-alive\r\n" + length5 + chunked + "\r\nhello" + Smuggled, both},
		{"old version kept alive", strings.Replace(put, "HTTP/1.1", "HTTP/1.0", 1) + "Connection: keep-alive\r\n" + length5 + "\r\nhello" + Smuggled, both},
		{"old version", strings.Replace(put, "HTTP/1.1", "HTTP/1.0", 1) + length5 + "\r\nhello" + Smuggled, one(Passes)},

		{"upgrade to HTTP/2", put + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", []string{Passes, Misdirected}},
		{"upgrade to TLS", put + "Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n\r\n" + Smuggled, both},
		{"upgrade to a list", put + "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n" + Smuggled, both},
		{"two upgrades", put + "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n\r\n" + Smuggled, both},
		{"upgrade that is not accepted", put + "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 777\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n" + Smuggled, both},
		{"upgrade to HTTP/2 on a public route", "GET /oidc/x HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n" + Smuggled, both},
		{"preface", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n" + Smuggled, one(Misdirected)},
	}
}
