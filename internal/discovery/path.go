package discovery

import (
	"net/url"
	"path"
	"strings"
)

const wellKnown = "/.well-known/"

// Document reports whether a path names a discovery document: one below /.well-known/, or
// below /.well-known/ somewhere in /oidc/. The path is decoded once, as in [url.URL]. Other
// spellings that a server may take for such a path count as well.
func Document(decoded string) bool {
	if !mentions(decoded, ".well-known") {
		return false
	}
	p := plain(decoded)
	return strings.HasPrefix(p, wellKnown) || strings.HasPrefix(p, "/oidc/") && strings.Contains(p, wellKnown)
}

// Endpoint reports whether a path, decoded once, names an OAuth endpoint or a discovery
// document, which clients call before they have a token.
func Endpoint(decoded string) bool {
	if !mentions(decoded, ".well-known") && !mentions(decoded, "oidc") {
		return false
	}
	p := plain(decoded) + "/"
	return strings.HasPrefix(p, wellKnown) || strings.HasPrefix(p, "/oidc/")
}

// mentions is a quick test that nearly every path fails. The name is in lower case.
func mentions(decoded, name string) bool {
	if strings.IndexByte(decoded, '%') >= 0 { // encoded twice
		return true
	}
	for i := range len(decoded) - len(name) + 1 {
		if decoded[i]|0x20 == name[0] && strings.EqualFold(decoded[i:i+len(name)], name) {
			return true
		}
	}
	return false
}

// plain returns the path that a generous server would serve.
func plain(decoded string) string {
	if again, err := url.PathUnescape(decoded); err == nil {
		decoded = again
	}
	decoded = strings.ReplaceAll(decoded, `\`, "/")
	if strings.Contains(decoded, ";") {
		segments := strings.Split(decoded, "/")
		for i, segment := range segments {
			segments[i], _, _ = strings.Cut(segment, ";")
		}
		decoded = strings.Join(segments, "/")
	}
	return strings.ToLower(path.Clean("/" + decoded))
}
