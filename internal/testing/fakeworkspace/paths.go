package fakeworkspace

import (
	"net/url"
	"path"
	"strings"
)

// believedPath returns the path that a careless server acts on. Sent is percent-decoded once already;
// dot segments are resolved and double slashes merged. A sloppy server goes further.
func believedPath(sent string, sloppy bool) string {
	p := sent
	if sloppy {
		if again, err := url.PathUnescape(p); err == nil {
			p = again
		}
		p = strings.ReplaceAll(p, `\`, "/")
		segments := strings.Split(p, "/")
		for i, s := range segments {
			segments[i], _, _ = strings.Cut(s, ";")
		}
		p = strings.ToLower(strings.Join(segments, "/"))
	}
	clean := path.Clean("/" + p)
	if clean != "/" && strings.HasSuffix(p, "/") {
		clean += "/"
	}
	return clean
}

// isPublic reports whether a path needs no credential: clients call it before they have one.
func isPublic(p string) bool {
	switch {
	case strings.HasPrefix(p, "/.well-known/"), p == "/telemetry-unauth":
		return true
	default:
		return strings.HasPrefix(p, "/oidc/")
	}
}
