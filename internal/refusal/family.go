package refusal

import (
	"net/http"
	"strings"

	"github.com/scopegate/scopegate/internal/judge"
)

// family says whose clients call a route: what they show of an error depends on that.
type family uint8

const (
	// modelAPI: routes of model serving and the AI gateway, which clients of OpenAI and
	// others call.
	modelAPI family = 1 << iota
	// mcp: routes of MCP servers.
	mcp
	// thrift: routes of the drivers for SQL.
	thrift
)

// familyOf returns the family of a request's route: that of the operations that it was judged
// by or, where they do not tell, that of its path.
func familyOf(j *judge.Judgement, r *http.Request) (found family) {
	known := false
	if o := j.Operation; o != nil {
		found, known = familyOfPath(o.Template), !o.Unmapped()
	}
	for i := range j.Readings {
		row := j.Readings[i].Row()
		found |= familyOfPath(row.Template)
		known = known || !row.Unmapped()
	}
	if found == 0 && !known {
		found = familyOfText(r.URL.EscapedPath())
	}
	return found
}

// maxText bounds how much of a path is looked at, in bytes.
const maxText = 1 << 10

// familyOfText returns the family of a path that may be spelled in odd ways, or be malformed.
// It decides nothing but the form of a body, and so takes a path for what any server might.
func familyOfText(path string) family {
	path = path[:min(len(path), maxText)]
	found := familyOfPath(path)
	if !strings.ContainsAny(path, `%;\`) && !strings.Contains(path, "/.") {
		return found
	}
	for range 2 { // as often as package scopes decodes a path
		path = unescape(path)
		found |= familyOfPath(path)
	}
	return found | familyOfPath(withoutDots(path))
}

// unescape decodes what is percent-encoded, and leaves broken escapes as they are.
func unescape(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if high, low := digit(s[i+1]), digit(s[i+2]); high < 16 && low < 16 {
				b.WriteByte(high<<4 | low)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// digit returns the value of a hexadecimal digit, 16 for other bytes.
func digit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 16
}

// withoutDots resolves "." and ".." segments.
func withoutDots(path string) string {
	if !strings.Contains(path, "..") {
		return path
	}
	var kept []string
	for more := true; more; {
		var part string
		switch part, path, more = cutSegment(path); part {
		case "..":
			kept = kept[:max(0, len(kept)-1)]
		case "":
		default:
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "/")
}

// cutSegment cuts off the first segment of a path, without its parameters. A segment "." is
// empty.
func cutSegment(path string) (part, rest string, more bool) {
	end := strings.IndexAny(path, `/\`)
	if end < 0 {
		part = path
	} else {
		part, rest, more = path[:end], path[end+1:], true
	}
	part, _, _ = strings.Cut(part, ";")
	if part != ".." {
		part = strings.TrimRight(part, ". ")
	}
	return part, rest, more
}

// familyOfPath returns the family of a path or template. It ignores letter case, empty
// segments, and versions and preview/ wherever they stand.
func familyOfPath(path string) family {
	var first [5]string
	n := 0
	for more := true; more && n < len(first); {
		var part string
		if part, path, more = cutSegment(path); part != "" && !isVersion(part) {
			first[n] = part
			n++
		}
	}
	names := first[:]
	api := strings.EqualFold(names[0], "api") || strings.EqualFold(names[0], "ajax-api")
	if api {
		names = names[1:]
	}
	is := func(i int, name string) bool { return strings.EqualFold(names[i], name) }
	name, _, _ := strings.Cut(names[0], ":") // as in serving-endpoints:foundation-models
	switch {
	case strings.EqualFold(name, "serving-endpoints"):
		return modelAPI
	case is(0, "ai-gateway") && (is(1, "mcp-services") || is(1, "connections")):
		return modelAPI | mcp
	case is(0, "ai-gateway"):
		return modelAPI
	case api && is(0, "mcp"):
		return mcp
	case api && is(0, "unity-catalog") && is(1, "connections") && is(3, "proxy"):
		return mcp // passes calls on to MCP servers, among others
	case !api && is(0, "sql") && (is(1, "warehouses") || is(1, "endpoints") || is(1, "protocolv1")):
		return thrift
	}
	return 0
}

// isVersion reports whether a segment is a version, such as 2.0 or v1beta1, or preview.
func isVersion(part string) bool {
	if strings.EqualFold(part, "preview") {
		return true
	}
	part = strings.TrimLeft(part, "vV")
	return part != "" && '0' <= part[0] && part[0] <= '9'
}

// isThrift reports whether a request is a Thrift call.
func isThrift(j *judge.Judgement, r *http.Request) bool {
	const thriftType = "application/x-thrift"
	sent := r.Header.Get("Content-Type")
	return len(sent) >= len(thriftType) && strings.EqualFold(sent[:len(thriftType)], thriftType) || familyOf(j, r)&thrift != 0
}

// isMCP reports whether a request carries a message to an MCP server, and its client reads an
// error of JSON-RPC in the answer. MCP has these clients accept JSON and an event stream.
//
// A client that names the event stream first gets the usual body: the SDK for Rust does, and
// it takes an error of JSON-RPC for the answer to the request with the same id, which is not
// known here. It would wait forever. Any other body, it shows.
func isMCP(j *judge.Judgement, r *http.Request) bool {
	return r.Method == http.MethodPost && prefersJSON(r.Header["Accept"]) && familyOf(j, r)&mcp != 0
}

// prefersJSON reports whether a client accepts JSON and, named later, an event stream.
func prefersJSON(accept []string) bool {
	json := false
	for _, line := range accept {
		for part := range strings.SplitSeq(line, ",") {
			name, _, _ := strings.Cut(part, ";")
			switch name = strings.TrimSpace(name); {
			case strings.EqualFold(name, "application/json"):
				json = true
			case strings.EqualFold(name, "text/event-stream"):
				return json
			}
		}
	}
	return false
}
