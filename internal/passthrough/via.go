package passthrough

import (
	"net/http"
	"slices"
	"strings"
)

// dropVia takes out the Via header that Caddy's reverse_proxy adds to a response, before
// those of other proxies, and reports whether there was one: the response came by that
// proxy. It would only tell the client "Caddy", and RFC 9110 (section 7.6.3) leaves it to
// a gateway whether to send it.
func dropVia(header http.Header) bool {
	values := header["Via"]
	own := slices.IndexFunc(values, func(value string) bool { return strings.HasSuffix(value, " Caddy") })
	if own < 0 {
		return false
	}
	if len(values) == 1 {
		delete(header, "Via")
	} else {
		header["Via"] = slices.Delete(slices.Clone(values), own, own+1)
	}
	return true
}
