package caddyserver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Proxies that ask take every 2xx for a permission, and a client may choose the Host, the
// headers and the path of a check. So a server where they ask has one site, and sends a 2xx
// only for a handler that has judged the request.

// checkSites returns an error if a client could choose who answers a check, or if nothing
// would see to it that checks are judged.
func (t *routes) checkSites() error {
	if t.checker == nil {
		return nil
	}
	if !slices.ContainsFunc(t.list, func(route caddyhttp.Route) bool { return t.refuserIn(route.Handlers) != nil }) {
		return errors.New("databricks_decision is reached through a named route or handle_errors only; put it into the site itself")
	}
	if len(t.list) == 1 {
		return nil
	}
	for i := range t.list {
		if hosts := hostsOf(t.list[i].MatcherSets); len(hosts) > 0 {
			return fmt.Errorf("the site for %s and another site have the same address, and one of them has a databricks_decision: a client who chooses the Host of a check would choose who answers it; give databricks_decision an address of its own",
				strings.Join(*hosts[0], ", "))
		}
	}
	return nil
}

// judgedVar is where the response to a check is found.
const judgedVar = "databricks_scopes.check"

// Judged notes that a handler judges a request, or that it is no check, before it answers.
func Judged(r *http.Request) {
	if w, ok := caddyhttp.GetVar(r.Context(), judgedVar).(*checkWriter); ok {
		w.judged = true
	}
}

// serveCheck passes a request to the routes of a server where proxies ask.
func (t *routes) serveCheck(w http.ResponseWriter, r *http.Request) error {
	tracked := &checkWriter{ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w}}
	tracked.refuse = func() {
		clear(w.Header())
		_ = t.checker.ServeMisdirected(w, original(r), nil) // which answers everything itself
	}
	caddyhttp.SetVar(r.Context(), judgedVar, tracked)
	err := t.chain().ServeHTTP(tracked, r)
	if tracked.judged || tracked.wrote || err != nil && !t.answersErrors {
		return err
	}
	tracked.WriteHeader(http.StatusOK) // as net/http would, or an error route
	return nil
}

// checkWriter refuses instead of a 2xx, unless the request was judged. Caddy's ResponseRecorder
// would keep in memory what is not sent, whose size a client may choose.
type checkWriter struct {
	caddyhttp.ResponseWriterWrapper
	refuse                 func()
	judged, wrote, refused bool
}

// WriteHeader implements [http.ResponseWriter].
func (w *checkWriter) WriteHeader(status int) {
	switch {
	case w.refused:
		return
	case status >= http.StatusOK && status < http.StatusMultipleChoices && !w.judged:
		w.wrote, w.refused = true, true
		w.refuse()
		return
	case status >= http.StatusOK:
		w.wrote = true
	}
	w.ResponseWriter.WriteHeader(status)
}

// begin notes an implicit status 200, and reports whether what follows is sent.
func (w *checkWriter) begin() bool {
	if !w.wrote {
		w.WriteHeader(http.StatusOK)
	}
	return !w.refused
}

func (w *checkWriter) Write(b []byte) (int, error) {
	if !w.begin() {
		return len(b), nil
	}
	return w.ResponseWriter.Write(b)
}

// ReadFrom implements [io.ReaderFrom].
func (w *checkWriter) ReadFrom(r io.Reader) (int64, error) {
	if !w.begin() {
		return io.Copy(io.Discard, r)
	}
	return w.ResponseWriterWrapper.ReadFrom(r)
}

// FlushError implements the flushing of [http.ResponseController].
func (w *checkWriter) FlushError() error {
	if !w.begin() {
		return nil
	}
	return http.NewResponseController(w.ResponseWriter).Flush()
}

// Hijack implements [http.Hijacker]. Only a handler that has judged gets the connection.
func (w *checkWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !w.judged {
		return nil, nil, http.ErrNotSupported
	}
	return http.NewResponseController(w.ResponseWriter).Hijack()
}
