package transport

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/internal/discovery"
)

// Choices of the option discovery. Empty means Rewrite.
const (
	Rewrite = "rewrite"
	Pass    = "pass"
)

// CheckDiscovery says what is wrong with a value of the option discovery.
func CheckDiscovery(value string) error {
	switch value {
	case "", Rewrite, Pass:
		return nil
	}
	return fmt.Errorf("discovery must be %s or %s, not %q", Rewrite, Pass, value)
}

// maxDocument bounds the discovery documents that are rewritten. Known ones have a few KiB.
const maxDocument = 256 << 10

// isDocument reports whether a request is for a discovery document.
func isDocument(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) && discovery.Document(r.URL.Path)
}

// askPlainly returns the request for a discovery document without what would make its
// answer unreadable, a part, or a reference to another version than the client gets here.
func askPlainly(r *http.Request) *http.Request {
	r = r.WithContext(r.Context()) // a copy
	r.Header = maps.Clone(r.Header)
	for _, name := range []string{"If-None-Match", "If-Modified-Since", "If-Range", "Range"} {
		delete(r.Header, name)
	}
	if r.Header["Accept-Encoding"] != nil {
		r.Header["Accept-Encoding"] = []string{"identity"}
	}
	return r
}

// stay puts the address that the client used in the place of the workspace's own, in the
// headers that clients follow and, in a discovery document, in the body.
func stay(r *http.Request, response *http.Response, document bool) {
	location, content, challenges := response.Header["Location"], response.Header["Content-Location"], response.Header["Www-Authenticate"]
	document = document && isJSON(response)
	if location == nil && content == nil && challenges == nil && !document {
		return
	}
	link, ok := discovery.NewLink(workspaceOf(r), clientOf(r))
	if !ok {
		return
	}
	redirect := link.Location
	if location != nil && discovery.Endpoint(r.URL.Path) {
		redirect = link.Redirect
	}
	each(location, redirect)
	each(content, link.Location)
	each(challenges, link.Challenge)
	switch {
	case document && r.Method == http.MethodHead:
		describe(response, -1)
	case document:
		rewrite(response, link)
	}
}

// each changes the values of a header in place.
func each(values []string, change func(string) (string, bool)) {
	for i := range values {
		values[i], _ = change(values[i])
	}
}

// workspaceOf returns the workspace's address, as it is called.
func workspaceOf(r *http.Request) discovery.Origin {
	return discovery.Origin{Scheme: r.URL.Scheme, Host: cmp.Or(r.Host, r.URL.Host)}
}

// clientOf returns the gateway's address, as the client calls it. Caddy's proxy has written it
// down for the workspace: that of the connection, or what a trusted proxy says. Where the
// configuration leaves it out, it is that of the connection.
func clientOf(r *http.Request) discovery.Origin {
	var origin discovery.Origin
	if values := r.Header["X-Forwarded-Proto"]; len(values) == 1 {
		origin.Scheme = values[0]
	}
	if values := r.Header["X-Forwarded-Host"]; len(values) == 1 {
		origin.Host = values[0]
	}
	if origin.Scheme == "" {
		origin.Scheme = "http"
		if r.TLS != nil {
			origin.Scheme = "https"
		}
	}
	if replacer, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok && origin.Host == "" {
		origin.Host, _ = replacer.GetString("http.request.hostport")
	}
	return origin
}

// isJSON reports whether a response is a whole document of JSON that can be read here.
func isJSON(response *http.Response) bool {
	if response.StatusCode != http.StatusOK && response.StatusCode != http.StatusNonAuthoritativeInfo || response.ContentLength > maxDocument {
		return false
	}
	for _, coding := range response.Header["Content-Encoding"] {
		if !strings.EqualFold(strings.TrimSpace(coding), "identity") {
			return false
		}
	}
	kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	return err == nil && (kind == "application/json" || kind == "text/json" || strings.HasSuffix(kind, "+json"))
}

// rewrite replaces the body of a discovery document. One that is too long, is cut off or has
// nothing to replace passes as it is.
func rewrite(response *http.Response, link discovery.Link) {
	content, err := io.ReadAll(io.LimitReader(response.Body, maxDocument+1))
	rest := io.Reader(response.Body)
	if err != nil {
		rest = failed{err}
	}
	if err == nil && len(content) <= maxDocument {
		if changed, ok := link.JSON(content); ok {
			content = changed
			describe(response, len(content))
		}
	}
	response.Body = &document{io.MultiReader(bytes.NewReader(content), rest), response.Body}
}

// describe makes the headers of a response fit a document that was rewritten, whose length
// is -1 where it is not known. It must not be stored: a cache in front may not know that it
// depends on the address that the client used.
func describe(response *http.Response, length int) {
	for _, name := range []string{
		"Accept-Ranges", "Age", "Content-Digest", "Content-Length", "Content-Md5", "Digest", "Etag", "Expires",
		"Last-Modified", "Repr-Digest",
	} {
		delete(response.Header, name)
		delete(response.Trailer, name) // which have arrived with the body
	}
	response.Header.Set("Cache-Control", "no-store")
	response.ContentLength = -1
	if length >= 0 && len(response.Trailer) == 0 { // trailers need chunks
		response.ContentLength = int64(length)
		response.Header.Set("Content-Length", strconv.Itoa(length))
	}
}

// document is a body that was read ahead.
type document struct {
	io.Reader
	io.Closer
}

// failed is the end of a body that broke off.
type failed struct{ error }

func (f failed) Read([]byte) (int, error) { return 0, f.error }
