package authcheck

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/scopegate/scopegate/internal/policy"
)

// maxTarget bounds request targets, in bytes. No proxy takes longer ones as it comes.
const maxTarget = 64 << 10

// Request returns the request with a method and a raw target, as net/http would read them. It
// has no header. With a problem, it is for the record only: it has the path as it is written, and
// none if that could be something else, such as a URL with a password.
func Request(ctx context.Context, method, target string) (*http.Request, *Problem) {
	path, _, _ := strings.Cut(target, "?")
	if !strings.HasPrefix(path, "/") {
		path = ""
	}
	request := (&http.Request{Method: method, URL: &url.URL{Path: path}, RequestURI: target, Proto: "HTTP/2.0", ProtoMajor: 2}).WithContext(ctx)
	malformed := func(text string) (*http.Request, *Problem) { return request, &Problem{policy.MalformedPath, text} }
	switch {
	case !httpguts.ValidHeaderFieldName(method): // a token too (RFC 9110, section 9.1)
		return malformed("The method is not a valid HTTP method.")
	case len(target) > maxTarget:
		return malformed("The path cannot be judged: it is too long.")
	case !strings.HasPrefix(target, "/"):
		return malformed("The request target has no path; send one that begins with a slash.")
	case strings.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return malformed("The path cannot be judged: it has a space or a control character.")
	case strings.Contains(target, "#"):
		// It would be judged as %23, and sent as what some servers take for the path's end.
		return malformed("The path cannot be judged: it has a fragment.")
	}
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return malformed("The path cannot be judged: it has a broken escape.")
	}
	request.URL = u
	return request, nil
}
