package caddymodule

import (
	"bytes"
	"cmp"
	"errors"
	"maps"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.opentelemetry.io/otel/trace"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/passthrough"
	"github.com/scopegate/scopegate/internal/refusal"
	"github.com/scopegate/scopegate/internal/usage"
)

// exchange is one request and its answer on their way through the handler.
type exchange struct {
	h        *Handler
	w        http.ResponseWriter
	r        *http.Request
	rec      *audit.Record
	span     trace.Span       // of Caddy's tracing directive, if it is on
	tracker  *responseTracker // nil where no record is kept
	reserved audit.Reservation
}

// begin notes what a request is before anything is decided about it. Where no record
// is kept, it leaves out what nothing else needs.
func (h *Handler) begin(w http.ResponseWriter, r *http.Request) exchange {
	h.sinks.begin()
	x := exchange{h: h, w: w, r: r, span: trace.SpanFromContext(r.Context())}
	x.rec = &audit.Record{Time: h.app.now(), Caller: audit.CallerOf(r, x.span), Outcome: audit.Answered}
	x.rec.Brief = !h.recorded && !x.span.IsRecording()
	if h.recorded {
		x.track()
	}
	if x.rec.Brief {
		return x
	}
	x.rec.Method = audit.TruncateMethod(r.Method)
	x.rec.Workspace = h.workspace.host
	x.rec.UserAgent = audit.TruncateUserAgent(r.UserAgent())
	x.rec.Catalog = h.judge.Catalog.Version()
	x.rec.Rules = h.rulesHash
	if !h.audit.redactsPath() {
		x.rec.Path = audit.TruncatePath(r.URL.EscapedPath(), r.RequestURI)
	}
	if address, ok := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string); ok {
		x.rec.ClientAddress = address
	}
	return x
}

// track watches the answer from now on.
func (x *exchange) track() {
	x.tracker = newResponseTracker(x.w, x.h.app.now)
	x.w = x.tracker.response
}

// judge decides, and completes the record by what is known of the token.
func (x *exchange) judge() {
	rec := x.rec
	rec.Judgement = x.h.judge.Judge(x.r.Context(), judge.Of(x.r, rec.Time))
	x.h.warnOfExpiry(&rec.Judgement)
	if rec.Brief {
		return
	}
	rec.DecisionDuration = x.h.app.now().Sub(rec.Time)
	if !rec.Token.IsZero() {
		rec.TokenID = rec.Token.String()
	}
	if info := rec.Facts.Info; info != nil {
		rec.Owner = audit.TruncateName(rec.OwnerName)
		rec.Creator = audit.TruncateName(info.CreatorName)
		rec.Comment = audit.Comment(info.Comment, x.h.audit.commentMode())
	}
}

// reserve makes sure that the record of a request that passes will be kept: afterwards
// there would be nothing left to refuse. It is false where the request must not pass
// for want of room.
func (x *exchange) reserve() (ok bool) {
	if x.h.judge.Observe || x.rec.Refused() {
		return true
	}
	x.reserved, ok = x.h.sinks.reserve()
	return ok
}

// announce makes the decision known to later handlers, and adds it to the caller's own
// trace if that is being recorded.
func (x *exchange) announce() {
	setPlaceholders(x.r, x.rec)
	if x.span.IsRecording() {
		audit.TraceDecision(x.r.Context(), x.span, x.rec)
	}
}

// refuse answers the request, or lets the server's error routes do so.
func (x *exchange) refuse() error {
	answer := refusal.For(&x.rec.Judgement, x.rec.TraceID())
	x.rec.RequestID = answer.RequestID
	if routes := errorRoutes(x.r); routes == nil || !answeredBy(routes, x.w, x.r, answer) {
		answer.Write(x.w, x.r)
	}
	return nil
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

// pass hands the request to the next handler. An error that it returns is answered by
// Caddy, after this handler.
func (x *exchange) pass(next caddyhttp.Handler) error {
	rec := x.rec
	if x.h.judge.Observe { // the request is left as it is
		rec.Dropped = audit.TruncateNames(judge.ConflictingHeaders(x.r))
	} else {
		rec.Dropped = audit.TruncateNames(rec.DropHeaders(x.r))
	}
	changed := rec.WatchChange(x.r, x.h.workspace.service())
	if changed != nil && x.tracker == nil {
		x.track()
	}
	if x.tracker != nil {
		x.tracker.watchBody(x.r)
		// What comes after the next handler is done also when that panics.
		defer func() {
			x.tracker.describe(rec)
			if changed != nil {
				changed(cmp.Or(rec.Status, rec.UpstreamStatus))
			}
		}()
	}
	w, r := passthrough.Begin(x.w, x.r)
	defer w.End()
	err := next.ServeHTTP(w, r)
	if err == nil {
		return nil
	}
	if refusal.AwaitsContinue(x.r) {
		x.w.Header().Set("Connection", "close")
	}
	rec.Outcome = audit.Failed
	if x.tracker != nil && x.tracker.answered.IsZero() {
		rec.Status = http.StatusInternalServerError // as Caddy answers an error that does not say
		if failed, ok := errors.AsType[caddyhttp.HandlerError](err); ok {
			rec.Status = cmp.Or(failed.StatusCode, rec.Status)
		}
	}
	return err
}

// end completes the record, hands it to all who keep it, counts it, and notes what the
// token used. It is deferred, and lets a panic go on.
func (x *exchange) end() {
	crash := recover()
	defer x.h.sinks.end()
	rec := x.rec
	switch {
	case crash == http.ErrAbortHandler: //nolint:errorlint // net/http compares it so
		rec.Outcome = audit.Aborted
	case crash != nil:
		rec.Outcome = audit.Panicked
	}
	if x.tracker != nil && x.h.recorded {
		rec.Status = cmp.Or(rec.Status, x.tracker.response.Status())
		rec.BytesReceived = x.tracker.read.Load()
		rec.BytesSent = int64(x.tracker.response.Size())
		rec.Duration = x.h.app.now().Sub(rec.Time)
	}
	x.emit()
	if crash != nil {
		panic(crash)
	}
}

// emit hands on the finished record, which never changes from here on.
func (x *exchange) emit() {
	rec := x.rec
	defer x.h.sinks.put(rec, x.reserved) // last, because it may wait
	x.h.auditLog.Write(rec)
	rec.Count(x.h.app.metrics)
	if rec.Facts.Source == "" || rec.Facts.Source == judge.FromToken {
		return // skip tokens unknown to the workspace, and short-lived OAuth tokens
	}
	x.h.workspace.service().usage.Seen(usage.Call{
		TokenID:   rec.Token,
		Operation: rec.Operation,
		Allowed:   rec.Decision == judge.Allow,
		Enforced:  rec.Enforced,
		Reason:    string(rec.Reason),
		At:        rec.Time,
		OwnerID:   rec.OwnerID(),
		Creator:   rec.Creator,
	})
}
