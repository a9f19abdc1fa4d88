package workspaceurl

import (
	"fmt"
	"unicode"

	"golang.org/x/net/idna"
)

// isASCII reports whether a host name is what will be resolved. HTTP clients map other
// characters first: an ideographic full stop to a dot, a soft hyphen to nothing. Such a
// host would not be the one that was judged.
func isASCII(host string) bool {
	for i := range len(host) {
		if host[i] > unicode.MaxASCII {
			return false
		}
	}
	return true
}

// notASCII says what to write in place of a host name that is not in ASCII. The name is
// escaped, because some of its characters may be invisible.
func notASCII(host string) string {
	problem := fmt.Sprintf("the host name of the workspace, %+q, has characters that are not ASCII; ", host)
	if mapped, err := idna.Lookup.ToASCII(host); err == nil && mapped != "" {
		return problem + "if you mean " + mapped + ", write it so"
	}
	return problem + "write it in ASCII"
}
