package fakeworkspace

import (
	"net/url"
	"path"
	"strings"
)

// believedPath is the path a careless server acts upon: sent is percent-decoded once already, and dot
// segments and doubled slashes are gone. A sloppy server goes on from there.
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

// isPublic tells the paths that need no credential: clients call them before they have one.
func isPublic(p string) bool {
	switch {
	case p == "/.well-known/databricks-config", p == "/telemetry-unauth":
		return true
	default:
		return strings.HasPrefix(p, "/oidc/")
	}
}
