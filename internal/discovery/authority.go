package discovery

import (
	"net/netip"
	"strconv"
	"strings"
)

// maxAuthority is longer than any DNS name with a port.
const maxAuthority = 253 + len(".:65535")

// authority is the host and port of a URL in one form, so that equal ones compare equal. The
// port is empty where it is the scheme's own.
type authority struct{ host, port string }

// parseAuthority parses host[:port] of a URL with scheme http or https. It is false for
// everything that two parsers could read differently: user names, escapes, backslashes,
// characters outside of ASCII.
func parseAuthority(scheme, text string) (a authority, ok bool) {
	if len(text) > maxAuthority {
		return authority{}, false
	}
	host, port := text, ""
	if i := strings.LastIndexByte(text, ':'); i > strings.LastIndexByte(text, ']') {
		host, port = text[:i], text[i+1:]
	}
	if a.host, ok = parseHost(host); !ok {
		return authority{}, false
	}
	if port == "" {
		return a, true
	}
	n, err := strconv.ParseUint(port, 10, 16) // takes no sign
	if err != nil || n == 0 {
		return authority{}, false
	}
	if usual := map[bool]uint64{false: 80, true: 443}[scheme == "https"]; n != usual {
		a.port = strconv.FormatUint(n, 10)
	}
	return a, true
}

func parseHost(host string) (string, bool) {
	if inside, ok := strings.CutPrefix(host, "["); ok {
		inside, ok = strings.CutSuffix(inside, "]")
		address, err := netip.ParseAddr(inside)
		return "[" + address.String() + "]", ok && err == nil && address.Is6() && address.Zone() == ""
	}
	host = strings.TrimSuffix(host, ".")
	for label := range strings.SplitSeq(host, ".") {
		if label == "" {
			return "", false
		}
	}
	for i := range len(host) {
		if c := host[i]; c != '-' && c != '.' && c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return "", false
		}
	}
	return strings.ToLower(host), true
}

// cutOrigin splits an absolute http or https URL behind its authority, which it returns
// with the scheme in lower case.
func cutOrigin(url string) (scheme, authority, rest string, ok bool) {
	switch {
	case len(url) >= len("https://") && strings.EqualFold(url[:len("https://")], "https://"):
		scheme = "https"
	case len(url) >= len("http://") && strings.EqualFold(url[:len("http://")], "http://"):
		scheme = "http"
	default:
		return "", "", "", false
	}
	authority, rest = cutAuthority(url[len(scheme)+len("://"):])
	return scheme, authority, rest, true
}

// cutAuthority splits a URL without its scheme and the two slashes behind the authority.
func cutAuthority(s string) (authority, rest string) {
	if i := strings.IndexAny(s, "/?#"); i >= 0 {
		return s[:i], s[i:]
	}
	return s, ""
}
