package judge

import (
	"net/http"
	"net/textproto"
	"strings"

	"github.com/scopegate/scopegate/internal/policy"
)

// PreflightOrigin returns the origin of a CORS preflight, and whether the request is one:
// the question of a browser whether a page may call, before it sends the call itself. It
// carries no credential, by definition, and no body. What a browser would not send is not a
// preflight, nor is what would not be one any more when the proxy has dropped what Connection
// names.
func (r *Request) PreflightOrigin() (origin string, ok bool) {
	if r.Method != http.MethodOptions || r.HasBody || r.Header["Authorization"] != nil || r.Header["Cookie"] != nil {
		return "", false
	}
	origin, ok = only(r.Header, "Origin")
	if _, asks := only(r.Header, requestMethod); !ok || !asks || r.credentialHeader() != "" || r.credentialInQuery() {
		return "", false
	}
	for _, line := range r.Header["Connection"] {
		for option := range strings.SplitSeq(line, ",") {
			switch textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(option)) {
			case "Origin", requestMethod:
				return "", false
			}
		}
	}
	return origin, true
}

// requestMethod names the method of the call that a preflight asks about.
const requestMethod = "Access-Control-Request-Method"

// only returns the value of a header that was sent once, and is not empty.
func only(header http.Header, name string) (value string, ok bool) {
	values := header[name]
	if len(values) != 1 || values[0] == "" {
		return "", false
	}
	return values[0], true
}

// decidePreflight settles a request if it is a preflight that passes unjudged or that is
// refused. Whether the call may be made is for the workspace to say, and its answer stays
// as it is. A preflight calls no operation, so none is noted.
func (j *Judge) decidePreflight(r *Request, public bool, out *Judgement) (settled bool) {
	origin, ok := r.PreflightOrigin()
	switch {
	case !ok:
		return false
	case j.CORS.Allow(origin):
		if _, problem := r.workspaceID(); problem != "" {
			out.refuse(policy.AmbiguousRequest, problem)
			return true
		}
		out.Decision, out.Reason = Public, policy.CORSPreflight
		return true
	case public: // nothing is asked of the page's own call either
		return false
	}
	out.refuse(policy.CORSNotAllowed, "")
	return true
}
