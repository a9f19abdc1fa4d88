package discovery

import (
	"net/url"
	"regexp"
	"strings"
)

// Link turns URLs of a workspace into URLs of the gateway. The zero value leaves all as they
// are.
type Link struct {
	workspace authority
	// Scheme and host of either, as they are called.
	from, to string
}

// Origin is the scheme, http or https, and the host[:port] by which a server is called.
type Origin struct{ Scheme, Host string }

// NewLink returns the link from a workspace, as the gateway calls it, to the gateway, as its
// client calls it. It is false if either is not a scheme and a host that every client would
// understand alike, or if they are the same: then nothing may be rewritten.
func NewLink(workspace, gateway Origin) (Link, bool) {
	scheme := strings.ToLower(gateway.Scheme)
	from, ok := parseOrigin(workspace)
	to, valid := parseOrigin(gateway)
	if !ok || !valid || from == to && strings.EqualFold(workspace.Scheme, scheme) {
		return Link{}, false
	}
	return Link{from, strings.ToLower(workspace.Scheme) + "://" + workspace.Host, scheme + "://" + gateway.Host}, true
}

func parseOrigin(o Origin) (authority, bool) {
	if scheme := strings.ToLower(o.Scheme); scheme != "http" && scheme != "https" {
		return authority{}, false
	}
	return parseAuthority(strings.ToLower(o.Scheme), o.Host)
}

// URL returns an absolute URL of the workspace with the gateway's scheme and host, and path,
// query and fragment as they were. It is false for everything else.
func (l Link) URL(s string) (string, bool) {
	scheme, host, rest, ok := cutOrigin(s)
	if !ok || !l.names(scheme, host) {
		return s, false
	}
	return l.to + rest, true
}

func (l Link) names(scheme, host string) bool {
	a, ok := parseAuthority(scheme, host)
	return ok && l.to != "" && a == l.workspace
}

// Location does the same for a header that holds a URL, which may also be without a scheme
// (//host/path).
func (l Link) Location(s string) (string, bool) {
	if strings.HasPrefix(s, "//") {
		scheme, _, _ := strings.Cut(l.from, "//")
		if there, ok := l.URL(scheme + s); ok {
			return there, true
		}
		return s, false
	}
	return l.URL(s)
}

// Redirect does the same for the Location of an OAuth endpoint, unless it leads to a page of
// the workspace. That stays there, and gets the workspace's address if it is without one: a
// browser logs in with the workspace's cookies, which the gateway does not pass.
func (l Link) Redirect(s string) (string, bool) {
	there, ok := l.Location(s)
	target := strings.TrimPrefix(there, l.to)
	if !ok && (l.to == "" || !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//")) {
		return l.callback(s)
	}
	if Endpoint(pathOf(target)) {
		return there, ok
	}
	there = l.from + target
	return there, there != s
}

// pathOf returns the path of a URL without its host, decoded.
func pathOf(s string) string {
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		s = s[:i]
	}
	if decoded, err := url.PathUnescape(s); err == nil {
		return decoded
	}
	return s
}

// callback does the same for the parameter iss of a redirect to a client of OAuth (RFC
// 9207), wherever that leads: the client compares it with the issuer of the rewritten
// documents. Everything else of the URL stays.
func (l Link) callback(s string) (string, bool) {
	start, query, ok := strings.Cut(s, "?")
	if !ok {
		return s, false
	}
	query, fragment, hasFragment := strings.Cut(query, "#")
	changed := false
	parameters := strings.Split(query, "&")
	for i, parameter := range parameters {
		value, ok := strings.CutPrefix(parameter, "iss=")
		if !ok {
			continue
		}
		if value, err := url.QueryUnescape(value); err == nil {
			if rewritten, ok := l.URL(value); ok {
				parameters[i], changed = "iss="+url.QueryEscape(rewritten), true
			}
		}
	}
	if !changed {
		return s, false
	}
	s = start + "?" + strings.Join(parameters, "&")
	if hasFragment {
		s += "#" + fragment
	}
	return s, true
}

// metadata matches the parameter resource_metadata: what precedes its value, and the value,
// with or without its first quote.
var metadata = regexp.MustCompile(`(?i)((?:^|[ \t,])resource_metadata[ \t]*=[ \t]*"?)([^ \t,"]*)`)

// Challenge does the same for the parameter resource_metadata of a WWW-Authenticate header
// (RFC 9728, section 5.1), which clients of MCP servers follow.
func (l Link) Challenge(s string) (string, bool) {
	there := metadata.ReplaceAllStringFunc(s, func(parameter string) string {
		parts := metadata.FindStringSubmatch(parameter)
		value, _ := l.URL(parts[2])
		return parts[1] + value
	})
	return there, there != s
}
