package refusal

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/sanitize"
	"github.com/scopegate/scopegate/internal/upstream"
	"github.com/scopegate/scopegate/scopes"
)

// Refusal is a refusal on its way to the client. It is an error, so that Caddy's error
// routes can handle it.
type Refusal struct {
	// Status is the HTTP status.
	Status int
	// Message says what is wrong, in Databricks' words where it has any.
	Message string
	// RequestID is a UUID, which the client gets.
	RequestID string
	// Reason is the reason code.
	Reason policy.Reason

	judgement  *judge.Judgement
	retryAfter time.Duration
	traceID    string
}

// For returns the refusal for a judgement that refuses. The trace id is that of the
// caller, empty where it has none.
func For(j *judge.Judgement, traceID string) *Refusal {
	return &Refusal{
		Status:    Status(j.Reason),
		Message:   sanitize.String(message(j), maxMessage),
		RequestID: uuid.NewString(),
		Reason:    j.Reason,

		judgement:  j,
		retryAfter: j.RetryAfter,
		traceID:    traceID,
	}
}

// Unanswered returns the answer to a request that passed and got none from the workspace,
// because of the workspace or of the client's body. The id is that of its record, or empty for a new one.
func Unanswered(j *judge.Judgement, failure *upstream.Failure, id, traceID string) *Refusal {
	message := sanitize.String(failure.Message, maxMessage)
	if failure.Status == http.StatusServiceUnavailable {
		message = temporarilyUnavailable + message
	}
	reason := UpstreamUnavailable
	if failure.Kind == upstream.Answered || failure.Kind == upstream.Left {
		reason = MalformedBody
	}
	return &Refusal{
		Status:    failure.Status,
		Message:   message,
		RequestID: cmp.Or(id, uuid.NewString()),
		Reason:    reason,

		judgement:  j,
		retryAfter: failure.RetryAfter,
		traceID:    traceID,
	}
}

// maxMessage bounds messages, in bytes: they are sent in a header, too.
const maxMessage = 4096

// Error returns the message and the request id, as the body has it.
func (f *Refusal) Error() string { return fmt.Sprintf("%s [ReqId: %s]", f.Message, f.RequestID) }

// realm is the workspace's own, so that clients treat both alike.
const realm = `Bearer realm="DatabricksRealm"`

// errorDomain is the domain of our google.rpc.ErrorInfo.
const errorDomain = "scopegate"

// WriteHeaders sets the headers that tell a refusal from the workspace's own answers.
func (f *Refusal) WriteHeaders(header http.Header, r *http.Request) {
	header.Set("X-Request-Id", f.RequestID)
	header.Set("X-Scopegate-Reason", string(f.Reason))
	// SQL drivers show this header and not the body.
	header.Set("X-Databricks-Reason-Phrase", f.Message)
	if isThrift(f.judgement, r) {
		header.Set("X-Thriftserver-Error-Message", f.Message) // the only one that the JDBC driver shows
	}
	if challenge := f.challenge(); challenge != "" {
		header.Set("WWW-Authenticate", challenge)
	}
	if f.Status == http.StatusServiceUnavailable {
		header.Set("Retry-After", strconv.Itoa(retrySeconds(f.retryAfter)))
	}
	// The answer depends on the credential and on facts that change.
	header.Set("Cache-Control", "no-store")
	if AwaitsContinue(r) {
		header.Set("Connection", "close")
	}
}

// Write sends the refusal. It never reads the request's body, so that a client which
// waits for 100 Continue is answered before it sends one.
func (f *Refusal) Write(w http.ResponseWriter, r *http.Request) {
	if IsGRPC(r) {
		f.WriteHeaders(w.Header(), r)
		f.writeGRPC(w, r)
		return
	}
	header, answer := w.Header(), f.JSON(w.Header(), r)
	header.Set("Content-Length", strconv.Itoa(len(answer)))
	w.WriteHeader(f.Status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(answer) // fails only if the client left
	}
}

// JSON sets the headers of the refusal, but for the length of its body, and returns the body.
func (f *Refusal) JSON(header http.Header, r *http.Request) []byte {
	f.WriteHeaders(header, r)
	header.Set("Content-Type", "application/json; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	return f.bodyFor(r)
}

// IsGRPC reports whether a request is a gRPC call, which is answered by a gRPC status.
func IsGRPC(r *http.Request) bool {
	return strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}

// AwaitsContinue reports whether an HTTP/1 client waits for 100 Continue with its
// body, so that the connection must end with the answer. Without being told so,
// net/http reads the body first, because it does not recognize such a client once
// Caddy has wrapped the body. Both sides would then wait for each other.
func AwaitsContinue(r *http.Request) bool {
	return r.ProtoMajor == 1 && r.ContentLength != 0 && r.Header.Get("Expect") != ""
}

// challenge returns the WWW-Authenticate header of RFC 6750, section 3. There is none
// for an invalid token: the workspace sends none either, with its 403.
func (f *Refusal) challenge() string {
	switch {
	case f.Status == http.StatusUnauthorized:
		return realm
	case f.Reason == policy.MissingScope:
		challenge := fmt.Sprintf(`%s, error="insufficient_scope", error_description="%s"`, realm, f.Message)
		if required := strings.Join(judge.RequiredScopes(f.judgement.Operation), " "); required != "" {
			required = strings.ReplaceAll(required, scopes.And, " ") // the list has no other form
			challenge += fmt.Sprintf(`, scope="%s"`, sanitize.String(required, maxMessage))
		}
		return challenge
	}
	return ""
}

// errorInfo returns what programs read.
func (f *Refusal) errorInfo() detail {
	j := f.judgement
	metadata := map[string]string{"reason": string(f.Reason)}
	if j.Operation != nil && f.Reason != policy.MalformedPath {
		metadata["operation"] = j.Operation.Name
		metadata["required_scopes"] = strings.Join(judge.RequiredScopes(j.Operation), ",")
	}
	if f.Reason == policy.MissingScope {
		metadata["token_scopes"] = strings.Join(j.Held, ",")
	}
	if j.Policy != "" {
		metadata["policy"] = j.Policy
	}
	if f.traceID != "" {
		metadata["trace_id"] = f.traceID
	}
	for name, value := range metadata {
		metadata[name] = sanitize.String(value, maxMessage)
	}
	return detail{
		Type:     "type.googleapis.com/google.rpc.ErrorInfo",
		Reason:   strings.ToUpper(string(f.Reason)),
		Domain:   errorDomain,
		Metadata: metadata,
	}
}

// retrySeconds rounds up to whole seconds: some drivers parse the header as an
// integer and fail on anything else.
func retrySeconds(d time.Duration) int {
	return max(1, int((d+time.Second-1)/time.Second))
}
