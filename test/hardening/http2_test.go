package hardening

import (
	"bufio"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"time"
)

// Frames of HTTP/2 (RFC 9113, section 6) that these tests write or look for.
const (
	frameData, frameHeaders, frameReset, frameSettings, frameGoAway, frameContinuation = 0, 1, 3, 4, 7, 9

	endStream, endHeaders = 1, 4
)

func frame(kind, flags byte, stream uint32, payload string) string {
	head := make([]byte, 9)
	head[0], head[1], head[2] = byte(len(payload)>>16), byte(len(payload)>>8), byte(len(payload))
	head[3], head[4] = kind, flags
	binary.BigEndian.PutUint32(head[5:], stream)
	return string(head) + payload
}

// fields encodes names and values unchanged, including those that client libraries
// refuse to send.
func fields(namesAndValues ...string) string {
	var b strings.Builder
	for i, s := range namesAndValues {
		if i%2 == 0 {
			b.WriteByte(0) // a literal that is not indexed
		}
		if n := len(s); n < 127 {
			b.WriteByte(byte(n))
		} else {
			b.WriteByte(127)
			for n -= 127; n >= 128; n >>= 7 {
				b.WriteByte(byte(n) | 128)
			}
			b.WriteByte(byte(n))
		}
		b.WriteString(s)
	}
	return b.String()
}

// statusOf decodes the status from the first field of a response's header block: an entry
// of the static table, or a literal, Huffman-coded if that is shorter (RFC 7541).
func statusOf(block []byte) string {
	static := map[byte]string{0x88: "200", 0x89: "204", 0x8a: "206", 0x8b: "304", 0x8c: "400", 0x8d: "404", 0x8e: "500"}
	if s, ok := static[block[0]]; ok {
		return s
	}
	n := int(block[1] & 0x7f)
	if block[0] < 0x48 || block[0] > 0x4e || n > 3 { // the names of 8 to 14 are all :status
		return "no status"
	}
	if block[1] < 0x80 {
		return string(block[2 : 2+n])
	}
	var bits uint64
	for _, b := range block[2 : 2+n] {
		bits = bits<<8 | uint64(b)
	}
	digits := ""
	for left := 8 * n; len(digits) < 3; {
		if top := bits >> (left - 5) & 31; top <= 2 { // 0, 1 and 2 have five bits, the others six
			digits += string('0' + rune(top))
			left -= 5
		} else {
			digits += string('3' + rune(bits>>(left-6)&63) - 25)
			left -= 6
		}
	}
	return digits
}

// try2 sends frames over a new connection, and returns the outcome of the first stream: a
// status, or how the stream ended.
func (r *rig) try2(t *testing.T, frames ...string) string {
	t.Helper()
	c := r.Dial(t)
	c.WriteText(t, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"+frame(frameSettings, 0, 0, "")+strings.Join(frames, ""))
	for in := bufio.NewReader(c); ; {
		var head [9]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return "closed"
		}
		payload := make([]byte, int(head[0])<<16|int(head[1])<<8|int(head[2]))
		if _, err := io.ReadFull(in, payload); err != nil {
			return "closed"
		}
		switch head[3] {
		case frameHeaders:
			return statusOf(payload)
		case frameReset:
			return "reset"
		case frameGoAway:
			return "go away"
		}
	}
}

// TestHTTP2 tries requests that HTTP/1.1 cannot express.
func TestHTTP2(t *testing.T) {
	r := startRig(t, "")
	const (
		file     = "/api/2.0/fs/files/a"
		clusters = "/api/2.1/clusters/list"
		refused  = "403"
		unread   = "400"
	)
	pseudo := func(method, path string) []string {
		return []string{":method", method, ":scheme", "http", ":authority", "{host}", ":path", path}
	}
	files := []string{"authorization", "Bearer {files}"}
	get := func(path string, more ...string) []string {
		return append(append(pseudo("GET", path), files...), more...)
	}
	for _, tt := range []struct {
		name   string
		fields []string
		want   string
	}{
		{"ordinary", get(file), passes},
		{"out of scope", get(clusters), refused},
		{"escaped slashes", get("/api%2f2.1%2fclusters%2flist"), unread},
		{"dots", get("/api/2.0/fs/files/../../../2.1/clusters/list"), unread},
		{"backslashes", get(`/api\2.1\clusters\list`), unread},
		{"NUL", get(file + "%00"), "400"},
		{"raw NUL", get(file + "\x00"), "reset"},
		{"raw space", get(file + " x"), passes}, // leaves as %20,
		{"request in the path", get(file + " HTTP/1.1\r\nX: y"), "reset"},
		{"version in the path", get(clusters + " HTTP/1.1"), refused},
		{"fragment", get(clusters + "#" + file), unread},
		{"path without a slash", get("api/2.1/clusters/list"), "reset"},
		{"path of an asterisk", get("*"), "400"},
		{"absolute path", get("http://{host}" + clusters), "reset"},
		{"empty path", get(""), "reset"},
		{"no path", append([]string{":method", "GET", ":scheme", "http", ":authority", "{host}"}, files...), "reset"},
		{"two paths", append(append(pseudo("GET", file), ":path", clusters), files...), "reset"},
		{"two paths, other order", append(append(pseudo("GET", clusters), ":path", file), files...), "reset"},
		{"upper-case path field", append(append(pseudo("GET", file), ":PATH", clusters), files...), "reset"},
		{"path among headers", get(file, ":path", clusters), "reset"},
		{"two methods", append(append(pseudo("GET", file), ":method", "DELETE"), files...), "reset"},
		{"no method", append([]string{":scheme", "http", ":authority", "{host}", ":path", file}, files...), "reset"},
		{"empty method", append(pseudo("", file), files...), "reset"},
		{"lower-case method", append(pseudo("get", file), files...), refused},
		{"request in the method", append(pseudo("GET "+clusters+" HTTP/1.1\r\nX: y\r\n\r\nGET", file), files...), "reset"},
		{"target in the method", append(pseudo("GET "+clusters, file), files...), refused},
		{"two schemes", append(append(pseudo("GET", file), ":scheme", "https"), files...), "reset"},
		{"other scheme", append([]string{":method", "GET", ":scheme", "https", ":authority", "{host}", ":path", file}, files...), passes},
		{"scheme with a path", append([]string{":method", "GET", ":scheme", "http://x" + clusters + "?", ":authority", "{host}", ":path", file}, files...), "reset"},
		{"two authorities", append(append(pseudo("GET", file), ":authority", "other.example"), files...), "reset"},
		{"other host", get(file, "host", "other.example"), "reset"},
		{"only a host", append([]string{":method", "GET", ":scheme", "http", ":path", file, "host", "{host}"}, files...), passes},
		{"authority with a path", append([]string{":method", "GET", ":scheme", "http", ":authority", "{host}" + clusters + "?", ":path", file}, files...), "reset"},
		{"authority with a user", append([]string{":method", "GET", ":scheme", "http", ":authority", "a@{host}", ":path", file}, files...), "reset"},
		{"authority with a line", append([]string{":method", "GET", ":scheme", "http", ":authority", "{host}\r\nx: y", ":path", file}, files...), "reset"},
		{"unknown pseudo header", append(append(pseudo("GET", file), ":x", "y"), files...), "reset"},
		{"status", append(append(pseudo("GET", file), ":status", "200"), files...), "reset"},
		{"protocol", append(append(pseudo("CONNECT", file), ":protocol", "websocket"), files...), "reset"},
		{"protocol of a GET", append(append(pseudo("GET", file), ":protocol", "websocket"), files...), "reset"},
		{"connect", append([]string{":method", "CONNECT", ":authority", "{host}"}, files...), "400"},
		{"connect with a path", append(pseudo("CONNECT", file), files...), "reset"},

		{"no credential", pseudo("GET", file), "401"},
		{"two credentials", get(file, "authorization", "Bearer {all}"), "400"},
		{"two credentials, other order", append(append(pseudo("GET", clusters), "authorization", "Bearer {all}"), files...), "400"},
		{"one and an empty credential", get(file, "authorization", ""), "400"},
		{"upper-case credential field", append(pseudo("GET", file), "Authorization", "Bearer {files}"), "reset"},
		{"upper-case second credential", get(file, "AUTHORIZATION", "Bearer {all}"), "reset"},
		{"space after the name", get(file, "authorization ", "Bearer {all}"), "reset"},
		{"colon in the name", get(file, "authorization:", "Bearer {all}"), "reset"},
		{"line feed in the name", get(file, "x\nauthorization", "Bearer {all}"), "reset"},
		{"line feed in a value", get(file, "x", "y\r\nauthorization: Bearer {all}"), "reset"},
		{"bare line feed in a value", get(file, "x", "y\nauthorization: Bearer {all}"), "reset"},
		{"NUL in a value", append(pseudo("GET", file), "authorization", "Bearer {files}\x00{all}"), "reset"},
		{"spaces around", append(pseudo("GET", file), "authorization", " Bearer {files} "), "401"},
		{"list", append(pseudo("GET", file), "authorization", "Bearer {files}, Bearer {all}"), "401"},
		{"alias", get(file, "authorization_", "Bearer {all}", "authorization~", "Bearer {all}"), passes},
		{"cookie crumbs", get(file, "cookie", "a={all}", "cookie", "b={all}"), passes},
		{"proxy credential", get(file, "proxy-authorization", "Bearer {all}"), passes},
		{"override", get(file, "x-http-method-override", "DELETE", "x-original-url", clusters, "x~rewrite~url", clusters), passes},
		{"path as a header", get(file, "path", clusters, "method", "DELETE"), passes},

		{"connection", get(file, "connection", "authorization"), "reset"},
		{"connection, empty", get(file, "connection", ""), "reset"},
		{"keep alive", get(file, "keep-alive", "authorization"), "reset"},
		{"proxy connection", get(file, "proxy-connection", "authorization"), "reset"},
		{"transfer encoding", get(file, "transfer-encoding", "chunked"), "reset"},
		{"upgrade", get(file, "upgrade", "h2c"), "reset"},
		{"upgrade to websocket", get(file, "upgrade", "websocket"), "reset"},
		{"te", get(file, "te", "chunked"), "reset"},
		{"te for trailers", get(file, "te", "trailers"), passes},
		{"trailer", get(file, "trailer", "authorization"), passes},
		{"length without a body", get(file, "content-length", "5"), passes},
		{"two lengths", get(file, "content-length", "0", "content-length", "5"), passes},
		{"malformed length", get(file, "content-length", "x"), passes},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var filled []string
			for _, field := range tt.fields {
				filled = append(filled, r.fill.Replace(field))
			}
			got := r.try2(t, frame(frameHeaders, endStream|endHeaders, 1, fields(filled...)))
			arrived := r.arrivals(t)
			if len(arrived) == 1 {
				got = passes
			}
			want := tt.want
			if want == "reset" && got == "400" {
				want = got // the request did not arrive, so both are fine
			}
			if got != want || len(arrived) > 1 {
				t.Errorf("outcome %q, want %q; %d arrived", got, tt.want, len(arrived))
			}
		})
	}
}

// TestHTTP2Bodies tries wrong lengths, and requests inside bodies.
func TestHTTP2Bodies(t *testing.T) {
	r := startRig(t, "")
	head := func(more ...string) string {
		all := append([]string{":method", "PUT", ":scheme", "http", ":authority", "{host}", ":path", "/api/2.0/fs/files/a", "authorization", "Bearer {files}"}, more...)
		for i := range all {
			all[i] = r.fill.Replace(all[i])
		}
		return fields(all...)
	}
	body := r.fill.Replace(smuggled)
	for _, tt := range []struct {
		name   string
		frames []string
	}{
		{"request as a body", []string{frame(frameHeaders, endHeaders, 1, head()), frame(frameData, endStream, 1, body)}},
		{"zero length", []string{frame(frameHeaders, endHeaders, 1, head("content-length", "0")), frame(frameData, endStream, 1, body)}},
		{"length too short", []string{frame(frameHeaders, endHeaders, 1, head("content-length", "5")), frame(frameData, endStream, 1, "hello"+body)}},
		{"length too long", []string{frame(frameHeaders, endHeaders, 1, head("content-length", "500")), frame(frameData, endStream, 1, body)}},
		{"end of chunks first", []string{frame(frameHeaders, endHeaders, 1, head()), frame(frameData, endStream, 1, "0\r\n\r\n"+body)}},
		{"credential as a trailer", []string{frame(frameHeaders, endHeaders, 1, head("trailer", "authorization")), frame(frameData, 0, 1, "hello"),
			frame(frameHeaders, endStream|endHeaders, 1, fields("authorization", r.fill.Replace("Bearer {all}")))}},
		{"path as a trailer", []string{frame(frameHeaders, endHeaders, 1, head()), frame(frameData, 0, 1, "hello"),
			frame(frameHeaders, endStream|endHeaders, 1, fields(":path", "/api/2.1/clusters/list"))}},
		{"head in pieces", []string{frame(frameHeaders, endStream, 1, head()), frame(frameContinuation, endHeaders, 1, fields("cookie", "a=b"))}},
		{"second credential in a later piece", []string{frame(frameHeaders, endStream, 1, head()), frame(frameContinuation, endHeaders, 1, fields("authorization", r.fill.Replace("Bearer {all}")))}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r.try2(t, tt.frames...)
			time.Sleep(20 * time.Millisecond) // a request whose stream was reset may still arrive
			for _, got := range r.arrivals(t) {
				if got.Path != "/api/2.0/fs/files/a" {
					t.Errorf("%s arrived", got.URI)
				}
			}
		})
	}
}
