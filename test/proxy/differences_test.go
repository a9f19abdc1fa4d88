package proxy

import (
	"net/textproto"
	"os"
	"slices"
	"strings"
	"testing"
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
		what:   "Headers are sorted by name, and names are written like `Content-Type`. Trailers may come in another order. A header folded over several lines arrives on one line.",
		why:    "Go keeps headers in a map. Case does not matter in names (RFC 9110, section 5.1), and several values of one name keep their order.",
		always: true,
		forget: func(lines []string) []string { return sorted(unfolded(lines)) },
	},
	{
		name:   "chunks",
		what:   "The chunks of a chunked body have other sizes, and no chunk extensions.",
		why:    "Chunks belong to one connection (RFC 9112, section 7.1). Data is forwarded as it arrives.",
		always: true, // readBody joins chunks
	},
	{
		name:   "forwarded",
		what:   "The workspace receives `X-Forwarded-For`, `X-Forwarded-Host` and `X-Forwarded-Proto`.",
		why:    "They say where the request came from. They replace what the client sent in them, so that clients cannot forge them.",
		always: true,
		forget: dropping("> X-Forwarded-"),
	},
	{
		name:   "forged",
		what:   "Other headers that say where a request came from are dropped, in any spelling, in mode `observe` too: `Forwarded`, `X-Forwarded-*`, `X-Real-IP`, `X-Client-IP`, `CF-Connecting-IP` and [their like](#forwarding-headers).",
		why:    "The workspace or its logs could believe them.",
		forget: dropping("> Forwarded:", "> X-Real-Ip:"),
	},
	{
		name:   "dropped",
		what:   "Request headers that conflict with the decision are dropped, except in mode `observe`: cookies, other credentials, overrides of the method or path, and trailers. Headers with an underscore or a dot in their name are dropped too.",
		why:    "The workspace could see another request than the one that was judged. The field `dropped_headers` of the audit record lists them, except names with an underscore or a dot, which Caddy drops earlier (its server option `expected_underscore_headers` lets chosen ones pass).",
		forget: dropping("> Cookie:", "> X_a:", "> X.b:", "> Trailer:", "> trailer:"),
	},
	{
		name: "hop",
		what: "`Connection` and the headers it names, `Keep-Alive`, `Proxy-Authenticate`, `Proxy-Connection`, `TE` (except `trailers`) and `Upgrade` (except for WebSocket) are not forwarded. The two connections are kept open or closed independently.",
		why:  "These headers belong to one connection (RFC 9110, section 7.6.1).",
		forget: func(lines []string) []string {
			return without(lines, "Connection:", "X-Hop:", "Keep-Alive:", "Proxy-Authenticate:", "Proxy-Connection:", "Te:", "Upgrade:", "then the connection is")
		},
	},
	{
		name:   "alt-svc",
		what:   "The workspace's `Alt-Svc` header is dropped.",
		why:    "It would lead clients around the gateway.",
		forget: dropping("< Alt-Svc:"),
	},
	{
		name:   "itself",
		what:   "URLs of the workspace become URLs of the gateway in OAuth discovery documents, in `Location` and `Content-Location`, and in the `resource_metadata` of `WWW-Authenticate`. Requests for such documents are sent without conditions and ranges, and with `Accept-Encoding: identity` if they have that header.",
		why:    "They would lead clients around the gateway, see [below](#discovery-stays-at-the-gateway). `discovery pass` turns it off.",
		forget: dropping("< Location:", "< Content-Location:", "< Www-Authenticate:", "> If-None-Match:", "> Range:", "> Accept-Encoding:"),
	},
	{
		name:   "token",
		what:   "Headers that hold a personal access token, whatever their name, are not sent to OAuth endpoints (`/oidc/…`) and discovery documents (`/.well-known/…`), in mode `observe` too, nor, except in that mode, to other routes that need no token. A query that holds one is refused there.",
		why:    "None is needed there. The field `dropped_headers` lists the headers, such as `Authorization`.",
		forget: dropping("> Authorization:"),
	},
	{
		name:   "via",
		what:   "`Via` is not sent to the workspace, not even one that the client sent.",
		why:    "Some servers, such as nginx, do not compress responses to requests that have it.",
		forget: dropping("> Via:"),
	},
	{
		name:   "date",
		what:   "A response without `Date` gets one.",
		why:    "RFC 9110, section 6.6.1, requires it of whoever forwards the response.",
		forget: dropping("< Date:"),
	},
	{
		name: "phrase",
		what: "The reason phrase is the standard one of the status, or `status code 299` if there is none.",
		why:  "Go's server chooses it. HTTP/2 has no reason phrase; Databricks also sends its own in `x-databricks-reason-phrase`, which is forwarded.",
		forget: func(lines []string) []string {
			return eachStatusLine(lines, "< ", func(f []string) []string { return f[:2] })
		},
	},
	{
		name: "version",
		what: "Each side sees the HTTP version that it speaks with the gateway.",
		why:  "The version belongs to one connection (RFC 9110, section 2.5). The gateway speaks HTTP/1.1 or HTTP/2 to the workspace, whatever the client speaks.",
		forget: func(lines []string) []string {
			lines = eachStatusLine(lines, "< ", func(f []string) []string { return append([]string{"HTTP/1"}, f[1:]...) })
			return eachStatusLine(lines, "> ", func(f []string) []string { return append(f[:2:2], "HTTP/1") })
		},
	},
	{
		name:   "invalid",
		what:   "A response header whose name is not valid is dropped, and so is an announced trailer with a forbidden name, such as `Content-Type` (RFC 9110, section 6.5.1).",
		why:    "Go's client and server drop them. A response that cannot be read is answered with 502.",
		forget: dropping("< X y:", "< trailer: Content-Type:", "< trailer: If-Match:"),
	},
	{
		name: "framing",
		what: "A response whose end is marked by closing the connection arrives chunked, and the client's connection stays open.",
		why:  "A client can then tell a complete response from one that was cut off. Clients of HTTP/1.0 do not know chunks, so for them the connection is closed.",
		forget: func(lines []string) []string {
			for i := range lines {
				lines[i] = strings.Replace(lines[i], "body, "+untilClose, "body, "+byChunks, 1)
			}
			return without(lines, "Connection: close", "Transfer-Encoding: chunked", "then the connection is")
		},
	},
	{
		name:   "no body",
		what:   "To clients of HTTP/1.1, a 204 has no `Content-Length`, a 304 has neither `Content-Length` nor `Content-Type`, and a response to HEAD has no `Transfer-Encoding`.",
		why:    "Go's server removes them. There is no body for them to describe.",
		forget: dropping("< Content-Length:", "< Content-Type:", "< Transfer-Encoding:"),
	},
	{
		name:   "empty request",
		what:   "POST, PUT and PATCH requests without a body have `Content-Length: 0`; requests with other methods do not.",
		why:    "Go's client writes them so. Both forms mean the same (RFC 9110, section 8.6).",
		forget: dropping("> Content-Length: 0", `> body, length: ""`),
	},
	{
		name: "early",
		what: "If the response starts before the client has sent the whole request, it has `Connection: close`. Once it is complete, the workspace receives no more of the request.",
		why:  "Go's server cannot reuse a connection on which part of a request is left.",
		forget: func(lines []string) []string {
			return dropping("< Connection: close", "< then the connection is", "> body, ", "> truncated")(lines)
		},
	},
	{
		name:   "expect",
		what:   "The workspace does not receive `Expect: 100-continue` from a client of HTTP/1.0, and such a client does not receive 1xx responses. If the workspace does not answer `Expect: 100-continue` within one second, the gateway asks the client for the body.",
		why:    "For HTTP/1.0, RFC 9110 requires it (sections 10.1.1 and 15.2). The timeout is that of curl, which then sends the body unasked.",
		forget: dropping("> Expect:"),
	},
	{
		name: "target",
		what: "A target in absolute form arrives in origin form. In a target with characters that are not allowed in URLs, these are escaped.",
		why:  "What is judged must be exactly what is forwarded. The audit record has the path as forwarded.",
		forget: func(lines []string) []string {
			return eachStatusLine(lines, "> ", func(f []string) []string { return []string{f[0], "target", f[len(f)-1]} })
		},
	},
}

// docs/proxying.md has the differences, and no others.
func TestDirectDocumented(t *testing.T) {
	documentation, err := os.ReadFile("../../docs/proxying.md")
	if err != nil {
		t.Fatal(err)
	}
	table := "| difference | why it stays |\n|---|---|\n"
	for _, d := range differences {
		table += "| " + d.what + " | " + d.why + " |\n"
	}
	if !strings.Contains(string(documentation), table+"\n") {
		t.Errorf("docs/proxying.md lacks this table:\n%s", table)
	}
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
