package judge

import (
	"errors"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// Request is what is judged: a request as it will be sent on.
type Request struct {
	// Method is the HTTP method.
	Method string
	// URL is the target as the proxy will send it, after rewrites.
	URL *url.URL
	// Header holds at least Authorization, Connection, those of CORS preflights, the
	// headers that choose a workspace and those that may carry a credential.
	Header http.Header
	// HasBody tells that a body follows, or may follow.
	HasBody bool
	// Arrived is when the request arrived.
	Arrived time.Time
}

// Of returns an HTTP request as the judge sees it.
func Of(r *http.Request, arrived time.Time) Request {
	return Request{Method: r.Method, URL: r.URL, Header: r.Header, HasBody: r.ContentLength != 0, Arrived: arrived}
}

const cannotBeJudged = "The path cannot be judged: "

// readings returns every way in which the workspace might read the path that will
// be sent, or what is wrong with it. If it is that the readings disagree, they are
// returned too.
func (r *Request) readings(catalog *scopes.Catalog, buf []scopes.Reading) (_ []scopes.Reading, problem string) {
	switch {
	case r.Method == http.MethodConnect:
		return nil, "CONNECT is not supported here."
	case r.URL.Opaque != "":
		return nil, "The request target has no path; send one that begins with a slash."
	}
	readings, err := catalog.Read(r.Method, r.URL.EscapedPath(), buf)
	switch malformed, ok := errors.AsType[*scopes.PathError](err); {
	case ok:
		return malformed.Readings, cannotBeJudged + malformed.Reason + "."
	case err != nil:
		return nil, "The path cannot be judged."
	}
	return readings, ""
}

// routingHeaders select the workspace on a host that serves several. The first
// is the newer name.
var routingHeaders = []string{"X-Databricks-Workspace-Id", "X-Databricks-Org-Id"}

// ambiguity describes any part of a request, apart from its path, that two servers could
// interpret differently. It is empty for an ordinary request.
func (r *Request) ambiguity() string {
	if len(r.Header["Authorization"]) > 1 {
		return "More than one Authorization header was sent; send exactly one."
	}
	// A proxy removes the headers that Connection names (RFC 9110, section 7.6.1):
	// the workspace would not see the credential or workspace that was judged.
	for _, line := range r.Header["Connection"] {
		for option := range strings.SplitSeq(line, ",") {
			name := textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(option))
			if name == "Authorization" || strings.HasPrefix(name, "X-Databricks-") {
				return "The Connection header names " + connectionName(name) + ", which would be lost on the way; do not name it there."
			}
		}
	}
	// RFC 6750, section 2.3: a bearer token may also come as a query parameter,
	// which would be a second credential.
	if parameters(r.URL.RawQuery, "access_token") != nil {
		return "A token was sent as the query parameter access_token; send it in the Authorization header only."
	}
	return ""
}

// queryCarriesPAT reports whether the query holds a personal access token, whatever the
// parameter.
func (r *Request) queryCarriesPAT() bool {
	return tokens.CarriesPAT(strings.FieldsFunc(r.URL.RawQuery, func(c rune) bool { return c == '&' || c == ';' }))
}

// parameters returns the values of the query parameters of these names. Unlike
// url.ParseQuery it sees those behind a semicolon too, which separates parameters
// for some servers, and those beside a broken escape.
func parameters(query string, names ...string) (values []string) {
	for query != "" {
		end := 0
		for end < len(query) && query[end] != '&' && query[end] != ';' {
			end++
		}
		name, value, _ := strings.Cut(query[:end], "=")
		if slices.Contains(names, unescapeQuery(name)) {
			values = append(values, unescapeQuery(value))
		}
		query = query[min(end+1, len(query)):]
	}
	return values
}

func unescapeQuery(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	if plain, err := url.QueryUnescape(s); err == nil {
		return plain
	}
	return s
}

// connectionName keeps what a client wrote out of the message.
func connectionName(name string) string {
	if name == "Authorization" {
		return name
	}
	return "a Databricks routing header"
}

// workspaceID returns the workspace that the request asks for, 0 where it asks
// for none or in a form that is not a number.
func (r *Request) workspaceID() (id int64, problem string) {
	note := func(value string) bool {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || n == 0 {
			return true // other forms of identifiers are for Databricks to judge
		}
		if id != 0 && n != id {
			return false
		}
		id = n
		return true
	}
	const conflict = "The request names more than one workspace; name one."
	for _, name := range routingHeaders {
		for _, value := range r.Header[name] {
			// Several in one line are a list to some servers.
			if strings.Contains(value, ",") || !note(value) {
				return 0, conflict
			}
		}
	}
	for _, value := range parameters(r.URL.RawQuery, "o", "w") {
		if !note(value) {
			return 0, conflict
		}
	}
	return id, ""
}
