package proxy

import (
	"net/textproto"
	"slices"
	"strings"
)

// difference is how an exchange through the gateway differs from one with the workspace
// directly, and why that must stay.
type difference struct {
	name   string // for the cases of the test
	what   string // for the documentation
	why    string
	always bool // nearly every exchange shows it
	// forget takes the difference out of a transcript.
	forget func(lines []string) []string
}

// differences are all differences that must stay. docs/proxying.md has the same list.
var differences = []difference{
	{
		name:   "order",
		what:   "Headers come sorted by name, those of trailers in any order, and names are written as in `Content-Type`. A header folded over two lines comes in one.",
		why:    "Go keeps headers in a map. Names are the same in any case (RFC 9110, section 5.1); several values of one name keep their order.",
		always: true,
		forget: func(lines []string) []string { return sorted(unfolded(lines)) },
	},
	{
		name:   "chunks",
		what:   "A chunked body comes in other chunks, without their extensions.",
		why:    "Chunks are a matter of each connection (RFC 9112, section 7.1). What arrives is passed on at once.",
		always: true, // readBody joins chunks
	},
	{
		name:   "forwarded",
		what:   "The workspace sees `X-Forwarded-For`, `X-Forwarded-Host` and `X-Forwarded-Proto`.",
		why:    "They say where the request comes from, and replace what a client may have written there.",
		always: true,
		forget: dropping("> X-Forwarded-"),
	},
	{
		name:   "dropped",
		what:   "Request headers that conflict with the decision do not arrive: cookies, other credentials, overrides of method and path, trailers. Nor do headers with an underscore or a dot in their name.",
		why:    "The workspace would judge another request than the gateway did. The record's `dropped` names them, but for those with an underscore or a dot: Caddy drops them before, because some servers take them for others (its option `expected_underscore_headers` lets chosen ones pass).",
		forget: dropping("> Cookie:", "> X_a:", "> X.b:", "> Trailer:", "> trailer:"),
	},
	{
		name: "hop",
		what: "`Connection`, the headers that it names, `Keep-Alive`, `Proxy-Authenticate`, `Proxy-Connection`, `TE` (but for `trailers`) and `Upgrade` (but for WebSocket) stay on their connection. Each of the two is kept open or closed by itself.",
		why:  "RFC 9110, section 7.6.1: they are about one connection, and there are two.",
		forget: func(lines []string) []string {
			return without(lines, "Connection:", "X-Hop:", "Keep-Alive:", "Proxy-Authenticate:", "Proxy-Connection:", "Te:", "Upgrade:", "then the connection is")
		},
	},
	{
		name:   "alt-svc",
		what:   "`Alt-Svc` of the workspace does not arrive.",
		why:    "It would lead clients around the gateway.",
		forget: dropping("< Alt-Svc:"),
	},
	{
		name:   "via",
		what:   "`Via` of another proxy before the gateway does not reach the workspace, and the gateway adds none.",
		why:    "It says nothing that the workspace needs, and servers such as nginx do not compress for requests that have it.",
		forget: dropping("> Via:"),
	},
	{
		name:   "date",
		what:   "A response without `Date` gets one.",
		why:    "RFC 9110, section 6.6.1, wants that of whoever forwards it.",
		forget: dropping("< Date:"),
	},
	{
		name: "phrase",
		what: "The reason phrase is the usual one of the status, or `status code 299` where there is none.",
		why:  "Go's server chooses it. HTTP/2 has none; Databricks says it in `x-databricks-reason-phrase` too, which arrives.",
		forget: func(lines []string) []string {
			return eachStatusLine(lines, "< ", func(f []string) []string { return f[:2] })
		},
	},
	{
		name: "version",
		what: "The version of HTTP is the one that the gateway and its peer speak.",
		why:  "RFC 9110, section 2.5: it belongs to each connection. The gateway speaks HTTP/1.1 or HTTP/2 to the workspace, also for a client of HTTP/1.0.",
		forget: func(lines []string) []string {
			lines = eachStatusLine(lines, "< ", func(f []string) []string { return append([]string{"HTTP/1"}, f[1:]...) })
			return eachStatusLine(lines, "> ", func(f []string) []string { return append(f[:2:2], "HTTP/1") })
		},
	},
	{
		name: "framing",
		what: "A response that ends with the connection arrives chunked, and the connection stays open.",
		why:  "The client's connection can be used again, and a gateway that fails cannot be taken for the end of the response. A client of HTTP/1.0 gets it as sent.",
		forget: func(lines []string) []string {
			for i := range lines {
				lines[i] = strings.Replace(lines[i], "body, "+untilClose, "body, "+byChunks, 1)
			}
			return without(lines, "Connection: close", "Transfer-Encoding: chunked", "then the connection is")
		},
	},
	{
		name:   "no body",
		what:   "A 204 has no `Content-Length`, a 304 neither that nor `Content-Type`, and a response to HEAD no `Transfer-Encoding`.",
		why:    "Go's server takes them out. There is no body that they could describe.",
		forget: dropping("< Content-Length:", "< Content-Type:", "< Transfer-Encoding:"),
	},
	{
		name:   "empty request",
		what:   "A POST, PUT or PATCH without a body has `Content-Length: 0`, and a request of another method does not.",
		why:    "Go's client writes it so. Both mean the same (RFC 9110, section 8.6).",
		forget: dropping("> Content-Length: 0", `> body, length: ""`),
	},
	{
		name: "early",
		what: "A response that begins before the whole request has arrived has `Connection: close`, and once it is complete, the workspace gets no more of the request.",
		why:  "Go's server cannot use the connection again when a part of a request is left on it.",
		forget: func(lines []string) []string {
			return dropping("< Connection: close", "< then the connection is", "> body, ", "> truncated")(lines)
		},
	},
	{
		name:   "expect",
		what:   "`Expect: 100-continue` of a client of HTTP/1.0 does not reach the workspace, nor does such a client get 1xx responses. A workspace that leaves `Expect: 100-continue` unanswered for one second gets the body; the gateway then asks the client for it.",
		why:    "RFC 9110, sections 10.1.1 and 15.2, for HTTP/1.0. Otherwise clients that wait longer would wait for ever; curl and Go's client wait as long.",
		forget: dropping("> Expect:"),
	},
	{
		name: "target",
		what: "A target in absolute form arrives in origin form, and one with characters that no URL may have arrives with these escaped.",
		why:  "It is judged as it is sent on, so there must be one way to write it. The record has the path as sent on.",
		forget: func(lines []string) []string {
			return eachStatusLine(lines, "> ", func(f []string) []string { return []string{f[0], "target", f[len(f)-1]} })
		},
	},
}

// dropping returns a way to forget lines that begin with one of the prefixes.
func dropping(prefixes ...string) func([]string) []string {
	return func(lines []string) []string {
		return slices.DeleteFunc(lines, func(line string) bool {
			return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(line, prefix) })
		})
	}
}

// without drops the lines of either side that begin with one of the prefixes.
func without(lines []string, prefixes ...string) []string {
	for _, arrow := range []string{"< ", "> "} {
		for _, prefix := range prefixes {
			lines = dropping(arrow + prefix)(lines)
		}
	}
	return lines
}

// eachStatusLine changes the fields of the request line or of all status lines.
func eachStatusLine(lines []string, arrow string, change func(fields []string) []string) []string {
	for i, line := range lines {
		line, ok := strings.CutPrefix(line, arrow)
		if fields := strings.Split(line, " "); ok && (strings.HasPrefix(line, "HTTP/") || strings.HasPrefix(fields[len(fields)-1], "HTTP/")) && !isHeader(lines[i]) {
			lines[i] = arrow + strings.Join(change(fields), " ")
		}
	}
	return lines
}

// unfolded joins a header that was folded over two lines.
func unfolded(lines []string) (joined []string) {
	for _, line := range lines {
		if len(line) > 2 && line[2] == ' ' {
			joined[len(joined)-1] += " " + strings.TrimSpace(line[2:])
			continue
		}
		joined = append(joined, line)
	}
	return joined
}

// sorted writes the names of headers in one way, and sorts each run of headers by name.
func sorted(lines []string) []string {
	name := func(line string) string {
		if rest, ok := strings.CutPrefix(line[2:], "trailer: "); ok {
			return "trailer " + rest
		}
		name, _, _ := strings.Cut(line, ":")
		return name
	}
	for from := 0; from < len(lines); {
		to := from
		for ; to < len(lines) && isHeader(lines[to]); to++ {
			arrow, rest := lines[to][:2], lines[to][2:]
			if after, ok := strings.CutPrefix(rest, "trailer: "); ok {
				arrow, rest = arrow+"trailer: ", after
			}
			name, value, _ := strings.Cut(rest, ":")
			name, value = textproto.CanonicalMIMEHeaderKey(name), strings.TrimSpace(value)
			if name == "Trailer" {
				names := strings.Split(value, ", ")
				slices.Sort(names)
				value = strings.Join(names, ", ")
			}
			lines[to] = arrow + name + ": " + value
		}
		slices.SortStableFunc(lines[from:to], func(a, b string) int { return strings.Compare(name(a), name(b)) })
		from = max(to, from+1)
	}
	return lines
}

func isHeader(line string) bool {
	name, _, ok := strings.Cut(line[2:], ":")
	return ok && name != "" && !strings.ContainsAny(name, " ,")
}
