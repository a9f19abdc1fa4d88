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
// has no header.
func Request(ctx context.Context, method, target string) (*http.Request, *Problem) {
	malformed := func(text string) *Problem { return &Problem{policy.MalformedPath, text} }
	switch {
	case !httpguts.ValidHeaderFieldName(method): // a token too (RFC 9110, section 9.1)
		return nil, malformed("The method is none that HTTP permits.")
	case len(target) > maxTarget:
		return nil, malformed("The path cannot be judged: it is too long.")
	case !strings.HasPrefix(target, "/"):
		return nil, malformed("The request target has no path; send one that begins with a slash.")
	case strings.ContainsFunc(target, func(r rune) bool { return r <= ' ' || r == 0x7f }):
		return nil, malformed("The path cannot be judged: it has a space or a control character.")
	case strings.Contains(target, "#"):
		// It would be judged as %23, and sent as what some servers take for the path's end.
		return nil, malformed("The path cannot be judged: it has a fragment.")
	}
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, malformed("The path cannot be judged: it has a broken escape.")
	}
	return (&http.Request{Method: method, URL: u, RequestURI: target, Proto: "HTTP/2.0", ProtoMajor: 2}).WithContext(ctx), nil
}
