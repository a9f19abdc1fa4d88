package exchange

import (
	"bytes"
	"maps"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/refusal"
)

// answer sends an answer of our own, or lets the server's error routes do so.
func (x *exchange) answer(answer *refusal.Refusal) {
	refusal.WriteCORS(x.w.Header(), x.r, x.by.CORS, answer.Reason)
	if routes := errorRoutes(x.r); routes == nil || !answeredBy(routes, &x.w, x.r, answer) {
		answer.Write(&x.w, x.r)
	}
}

// errorRoutes returns the error routes that may answer a refusal, nil for none. gRPC
// clients understand nothing but a gRPC status, and in an error route a refusal must
// not start over.
func errorRoutes(r *http.Request) *caddyhttp.HTTPErrorConfig {
	server, ok := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	switch {
	case !ok, server.Errors == nil, len(server.Errors.Routes) == 0:
		return nil
	case r.Context().Value(caddyhttp.ErrorCtxKey) != nil, refusal.IsGRPC(r):
		return nil
	}
	return server.Errors
}

// answeredBy lets error routes answer a refusal, and reports whether they did: routes
// that match no error, or send no body, leave that to the caller. The error is not
// returned to Caddy, which would send an empty body then, and would log a line that
// quotes the request.
func answeredBy(routes *caddyhttp.HTTPErrorConfig, w http.ResponseWriter, r *http.Request, answer *refusal.Refusal) bool {
	before := w.Header().Clone()
	answer.WriteHeaders(w.Header(), r)
	always := func(int, http.Header) bool { return true }
	recorder := caddyhttp.NewResponseRecorder(w, new(bytes.Buffer), always)
	end := caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })
	refused := routes.WithError(judge.WithoutCredential(r), caddyhttp.Error(answer.Status, answer))
	err := routes.Routes.Compile(end).ServeHTTP(recorder, refused)
	body := recorder.Size() > 0 || r.Method == http.MethodHead && w.Header().Get("Content-Type") != ""
	if err == nil && (body || recorder.Status() != 0 && recorder.Status() != answer.Status) {
		return recorder.WriteResponse() == nil
	}
	clear(w.Header())
	maps.Copy(w.Header(), before)
	return false
}
