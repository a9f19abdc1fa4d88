package exchange

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/caddyserver"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/passthrough"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/refusal"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/upstream"
	"github.com/scopegate/scopegate/internal/upstream/transport"
	"github.com/scopegate/scopegate/internal/usage"
)

// exchange is one request and its answer on their way through the handler. Every request
// allocates one: its fields are in an order that leaves no gaps.
type exchange struct {
	e        *Enforcer
	by       *judge.Judge
	w        responseTracker
	through  passthrough.Exchange // to w, of a request that passes
	r        *http.Request
	rec      *audit.Record
	span     trace.Span      // of Caddy's tracing directive, if it is on
	onward   context.Context // of the request that is passed on, if it is not the client's
	reserved audit.Reservation
	// conflicting says that the client sent a header that could stand for another request.
	conflicting bool

	life   life
	flight flight
}

// begin notes what a request is before anything is decided about it. Where no record
// is kept, it leaves out what nothing else needs.
func (e *Enforcer) begin(w http.ResponseWriter, r *http.Request) *exchange {
	e.Sinks.Begin()
	x := &exchange{e: e, by: e.Judge(), w: trackResponse(w, e.Now), r: r, span: trace.SpanFromContext(r.Context())}
	x.rec = &audit.Record{Time: e.Now(), Caller: audit.CallerOf(r, x.span), Outcome: audit.Answered}
	x.rec.Brief = !e.Recorded && !x.span.IsRecording()
	if x.rec.Brief {
		return x
	}
	x.rec.Method = audit.TruncateMethod(r.Method)
	x.rec.Workspace = e.Workspace
	x.rec.UserAgent = audit.TruncateUserAgent(r.UserAgent())
	x.rec.Catalog = x.by.Catalog.Version()
	x.rec.Rules = e.Rules
	if !e.RedactPath {
		x.rec.Path = audit.TruncatePath(r.URL.EscapedPath(), r.RequestURI)
	}
	if address, ok := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string); ok {
		x.rec.ClientAddress = address
	}
	return x
}

// judge decides, and completes the record by what is known of the token.
func (x *exchange) judge() {
	rec := x.rec
	rec.Judgement = x.by.Judge(x.r.Context(), judge.Of(x.r, rec.Time))
	x.e.Judged(&rec.Judgement)
	if rec.Brief {
		return
	}
	rec.DecisionDuration = x.e.Now().Sub(rec.Time)
	if !rec.Token.IsZero() {
		rec.TokenID = rec.Token.String()
	}
	if info := rec.Facts.Info; info != nil {
		rec.Owner = audit.TruncateName(ownerOf(rec))
		rec.Creator = audit.TruncateName(info.Creator.String())
		rec.Comment = audit.Comment(info.Comment, x.e.Comment)
	}
}

// ownerOf names the owner of a token. It is empty where only the number is known, which
// has a field of its own.
func ownerOf(rec *audit.Record) string {
	if name, known := rec.Judgement.Owner.Name(); known || rec.OwnerID() != 0 {
		return name
	}
	return tokens.Unknown
}

// creatorOf names the creator of a token for the usage ledger, which keeps the last name
// that it was told. It is empty where none is known.
func creatorOf(rec *audit.Record) string {
	if _, known := rec.Facts.Info.Creator.Name(); !known {
		return ""
	}
	return rec.Creator
}

// reserve makes sure that the record of a request that passes will be kept: afterwards
// there would be nothing left to refuse. It is false where the request must not pass
// for want of room.
func (x *exchange) reserve() (ok bool) {
	if x.by.Observe || x.rec.Refused() {
		return true
	}
	x.reserved, ok = x.e.Sinks.Reserve()
	return ok
}

// announce makes the decision known to later handlers, adds it to the caller's own trace
// if that is being recorded, and counts it: a request may last for hours.
func (x *exchange) announce() {
	rec := x.rec
	setPlaceholders(x.r, rec)
	if x.span.IsRecording() {
		audit.TraceDecision(x.r.Context(), x.span, rec)
	}
	rec.Count(x.e.Metrics)
	if rec.Facts.Source == "" || rec.Facts.Source == judge.FromToken {
		return // skip tokens unknown to the workspace, and short-lived OAuth tokens
	}
	x.e.Tokens().Seen(usage.Call{
		TokenID:   rec.Token,
		Operation: rec.Operation,
		Also:      rec.Also(),
		Allowed:   rec.Decision == judge.Allow,
		Enforced:  rec.Enforced,
		Reason:    string(rec.Reason),
		At:        rec.Time,
		OwnerID:   rec.OwnerID(),
		Creator:   creatorOf(rec),
	})
}

// refuse answers the request, or lets the server's error routes do so.
func (x *exchange) refuse() error {
	caddyserver.DistrustBody(x.r)
	answer := refusal.For(&x.rec.Judgement, x.rec.TraceID())
	x.rec.RequestID = answer.RequestID
	x.answer(answer)
	return nil
}

// pass hands the request to the next handler, and answers in its place if it cannot reach
// the workspace. Other errors that it returns are answered by Caddy.
func (x *exchange) pass(next caddyhttp.Handler) error {
	rec := x.rec
	if rec.Facts.Source == "" && rec.Reason != policy.PassedOAuth {
		caddyserver.DistrustBody(x.r)
	}
	x.dropHeaders()
	defer x.watchChange()() // also when the next handler panics
	x.w.watchBody(x.r)
	if x.e.Recorded {
		inFlight.add(x, x.e.OpenAfter)
	}
	r := x.r
	if x.onward != nil {
		r = r.WithContext(x.onward)
	}
	r = x.through.Begin(&x.w, r)
	defer x.through.End()
	err := x.serve(next, r)
	x.passed()
	switch {
	case err != nil:
		return x.fail(err)
	case x.w.answered().status == statusClientLeft && x.cut():
		panic(http.ErrAbortHandler) // the client did not leave, and must not see the proxy's status
	case x.w.answered().status == 0 && caddyserver.Unhandled(x.r):
		x.endConnection()
		x.unanswered(upstream.NoHandler()) // Caddy would answer an empty 200
	}
	return nil
}

// dropHeaders takes out what must not leave. In mode observe, what belongs to the decision is
// left as it is. It returns the names of what it took or, in mode observe, would take.
func (x *exchange) dropHeaders() (dropped []string) {
	drop := x.rec.DropHeaders
	if x.by.Observe {
		drop = x.rec.DropObserved
	}
	dropped = drop(x.r, caddyserver.TrustedHeaders)
	x.conflicting = slices.ContainsFunc(dropped, judge.Conflicts)
	x.rec.Dropped = audit.TruncateNames(dropped)
	return dropped
}

// upstreamStatus returns the status that the next handlers answered, 0 if they did not
// answer.
func (x *exchange) upstreamStatus() int {
	x.life.mu.Lock()
	defer x.life.mu.Unlock()
	if x.life.returned {
		return x.life.upstream.status
	}
	return x.w.answered().status
}

// fail answers a request that the workspace did not answer. It returns errors that are
// not about the workspace, which Caddy answers.
func (x *exchange) fail(err error) error {
	if x.cut() {
		panic(http.ErrAbortHandler) // the workspace did not fail; the client sees its connection cut
	}
	x.endConnection()
	failure := x.failureOf(err)
	switch {
	case failure == nil || x.w.answered().status != 0:
		status := http.StatusInternalServerError // as Caddy answers an error that does not say
		if failed, ok := errors.AsType[caddyhttp.HandlerError](err); ok {
			status = cmp.Or(failed.StatusCode, status)
		}
		x.life.failed(status)
		return err
	case failure.Status == 0:
		x.life.end(audit.ClientLeft, "")
		x.w.WriteHeader(statusClientLeft) // for Caddy's own access log
		return nil
	}
	x.unanswered(failure)
	return nil
}

// endConnection makes an answer the last one on its connection if it leaves a part of the
// request's body there.
func (x *exchange) endConnection() {
	if x.w.LeavesBody() {
		x.w.Header().Set("Connection", "close")
	}
}

// unanswered answers in the place of the workspace.
func (x *exchange) unanswered(failure *upstream.Failure) {
	id := x.life.end(audit.Outcome(failure.Kind), failure.Detail)
	if failure.Status > http.StatusInternalServerError {
		x.e.Logger.Error("the workspace did not answer", zap.String("outcome", string(failure.Kind)), zap.String("detail", failure.Detail))
	}
	answer := refusal.Unanswered(&x.rec.Judgement, failure, id, x.rec.TraceID())
	x.life.identify(answer.RequestID)
	x.answer(answer)
	if x.w.LeavesBody() {
		x.w.linger()
	}
}

// failureOf tells what went wrong between here and the workspace, nil if the error is not
// about that.
func (x *exchange) failureOf(err error) *upstream.Failure {
	failed, ok := errors.AsType[caddyhttp.HandlerError](err)
	if body := x.w.readError.Load(); body != nil {
		if own, ok := errors.AsType[caddyhttp.HandlerError](*body); ok && own.StatusCode < http.StatusInternalServerError {
			return nil // of a handler that limits bodies
		}
		return upstream.BodyFailure(x.r, *body)
	}
	if failure := upstream.FailureOf(x.r, err); failure != nil {
		return failure
	}
	if ok && failed.StatusCode == http.StatusBadGateway {
		return upstream.Unknown()
	}
	return nil
}

// end completes the record and hands it to all who keep it. It is deferred, and lets a
// panic go on.
func (x *exchange) end() {
	crash := recover()
	defer x.e.Sinks.End()
	switch {
	case crash == nil:
	case crash == http.ErrAbortHandler: //nolint:errorlint // net/http compares it so
		x.life.end(x.cutOff())
	default:
		x.life.end(audit.Panicked, "")
	}
	x.close(audit.Answered)
	if crash != nil {
		panic(crash)
	}
}

// cut reports whether the request was ended because the process ends.
func (x *exchange) cut() bool {
	return errors.Is(context.Cause(x.r.Context()), caddyserver.ErrExit)
}

// cutOff tells why the response was cut off.
func (x *exchange) cutOff() (outcome audit.Outcome, detail string) {
	if x.cut() {
		return audit.Aborted, ""
	}
	if x.w.clientFailed() || x.r.Context().Err() != nil {
		return audit.ClientLeft, ""
	}
	err := transport.Broken(x.r.Context())
	if err == nil {
		return audit.Aborted, ""
	}
	failure := upstream.FailureOf(x.r, err) // which the transport knows
	return audit.Outcome(failure.Kind), failure.Detail
}

// emit hands on a record, which never changes from here on.
func (x *exchange) emit(rec *audit.Record, reserved audit.Reservation) {
	x.e.Log.Write(rec)
	x.e.Sinks.Put(rec, reserved) // last, because it may wait
}
