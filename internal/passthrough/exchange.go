// Package passthrough lets an exchange that is proxied to the workspace pass as if the
// client were connected directly. It takes back what Go's HTTP server and Caddy's proxy
// add to responses, and leaves Expect: 100-continue to the workspace.
package passthrough

import (
	"io"
	"net/http"
	"slices"
)

// Response is where an exchange goes.
type Response interface {
	http.ResponseWriter
	// LeavesBody reports whether a part of an HTTP/1 request's body was not read.
	LeavesBody() bool
}

// Exchange is the response to one request on its way from a proxy to the client.
// It changes responses of a proxy only; those of other handlers pass as they are. Its user
// keeps it beside what it knows of the request, so that it costs no allocation of its own.
type Exchange struct {
	Response
	// Proxied says that the response came by Caddy's proxy, once its header is written.
	Proxied     bool
	wroteHeader bool
	request     *http.Request
	server      []string // the Server header that is not the workspace's
	expectation *expectation
}

// Begin makes a zero exchange the response writer to call a proxy with, and returns the request
// to call it with. [Exchange.End] must be called when the proxy has returned, or panicked.
func (x *Exchange) Begin(w Response, r *http.Request) *http.Request {
	x.Response, x.server = w, w.Header()["Server"]
	x.expectation, x.request = expect(r)
	return x.request
}

// End releases what still waits for the exchange.
func (x *Exchange) End() {
	if x.expectation != nil {
		x.expectation.end()
	}
}

// Unwrap is for [http.ResponseController].
func (x *Exchange) Unwrap() http.ResponseWriter { return x.Response }

// WriteHeader implements http.ResponseWriter.
func (x *Exchange) WriteHeader(status int) {
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		x.writeInterim(status)
		return
	}
	x.wroteHeader = true
	header := x.Header()
	proxied := dropVia(header)
	x.Proxied = proxied
	if status == http.StatusSwitchingProtocols {
		x.dropServer(header)
	}
	if proxied {
		// A nil value keeps net/http from adding the header: a Content-Type that it
		// guesses, and a Content-Length for a body that came without.
		for _, name := range []string{"Content-Type", "Content-Length"} {
			if _, ok := header[name]; !ok {
				header[name] = nil
			}
		}
	}
	if x.expectation != nil {
		x.expectation.answer()
	}
	if x.LeavesBody() && (proxied || x.expectation != nil) {
		// Without being told so, net/http reads the rest of the body before it sends the
		// response. A client that sends the rest only after the response, as it may
		// directly, would wait for ever, and one that waits for 100 Continue would be asked
		// for a body that nobody wants: net/http does not recognize it once Caddy has
		// wrapped the body.
		header.Set("Connection", "close")
	}
	x.Response.WriteHeader(status)
}

// writeInterim writes a 1xx response of the workspace. It is called while the proxy waits
// for the final response.
func (x *Exchange) writeInterim(status int) {
	if !x.request.ProtoAtLeast(1, 1) {
		return // clients of HTTP/1.0 would take it for the final response (RFC 9110, section 15.2)
	}
	header := x.Header()
	all := header["Server"]
	x.dropServer(header)
	defer func() {
		if all != nil {
			header["Server"] = all
		}
	}()
	if status == http.StatusContinue && x.expectation != nil {
		x.expectation.proceed(func() { x.Response.WriteHeader(status) })
		return
	}
	x.Response.WriteHeader(status)
}

// dropServer takes out the Server header that was there before the workspace's. Caddy's
// proxy does so for final responses only.
func (x *Exchange) dropServer(header http.Header) {
	if all, own := header["Server"], len(x.server); own > 0 && len(all) >= own && slices.Equal(all[:own], x.server) {
		header["Server"] = all[own:] // none is not written
	}
}

// Write implements http.ResponseWriter.
func (x *Exchange) Write(p []byte) (int, error) {
	if !x.wroteHeader {
		x.WriteHeader(http.StatusOK)
	}
	return x.Response.Write(p)
}

// ReadFrom implements io.ReaderFrom, so that files can be sent without copying.
func (x *Exchange) ReadFrom(r io.Reader) (int64, error) {
	if !x.wroteHeader {
		x.WriteHeader(http.StatusOK)
	}
	return io.Copy(x.Response, r)
}
