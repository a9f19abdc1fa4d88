package audit

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/scopegate/scopegate/scopes"
)

// field is one thing that a record says, in every sink.
type field struct {
	name  string        // in the log
	key   attribute.Key // of the OpenTelemetry attribute; empty where a span or log record has a place of its own for it
	place string        // that place
	about string        // for the documentation
	source
}

// source is where a field's value comes from: a text, as most of them are and which
// costs less to hand on, or another value.
type source struct {
	text  func(*Record) string
	value func(*Record) value
}

// texts is a text that is valid UTF-8 by what made the record, such as CutPath.
func texts(text func(*Record) string) source { return source{text: text} }

func values(value func(*Record) value) source { return source{value: value} }

// fields is the one list of what records say. The log writes all of them, in this
// order; OpenTelemetry's attributes leave out those that are empty.
var fields = [...]field{
	{"arrived", "", "start time of the span, timestamp of the log record", "when the request arrived", values(func(r *Record) value { return value{kind: arrivedKind} })},
	{"decision", "databricks.scope.decision", "", "`allow`, `deny` or `public` (no token was needed)", texts(func(r *Record) string { return string(r.Decision) })},
	{"enforced", "databricks.scope.enforced", "", "false where a refusal was only rehearsed", values(func(r *Record) value { return truth(r.Enforced) })},
	{"reason", "databricks.scope.reason", "", "why, in a word of a closed set", texts(func(r *Record) string { return string(r.Reason) })},
	{"error_type", semconv.ErrorTypeKey, "", "the reason of an enforced refusal; `failed`, `aborted` or `panicked` where a request that passed was not answered; else empty", texts(func(r *Record) string { return r.ErrorType() })},
	{"outcome", "databricks.request.outcome", "", "`answered`; `failed`: the handlers behind returned an error; `aborted`: the answer broke off; `panicked`", texts(func(r *Record) string { return string(r.Outcome) })},
	{"method", semconv.HTTPRequestMethodKey, "", "method of the request; the attribute is `_OTHER` for one that HTTP does not define", values(func(r *Record) value { return value{kind: methodKind, text: r.Method} })},
	{"path", semconv.URLPathKey, "", "path as it was sent, escaped, without query; at most 1 KiB; what looks like a token in it is cut; empty with `redact path`", texts(func(r *Record) string { return r.Path })},
	{"operation", "databricks.scope.operation", "", "operation of the catalogue that decided", values(func(r *Record) value { return foreign(operation(r).Name) })},
	{"template", semconv.HTTPRouteKey, "", "its path template", values(func(r *Record) value { return foreign(operation(r).Template) })},
	{"required_scopes", "databricks.scope.required", "", "scopes of which the operation asks for any one", values(func(r *Record) value { return words(&operation(r).AnyOf) })},
	{"evidence", "databricks.scope.evidence", "", "what that rests on: `documented`, `observed`, `sibling` or `inferred`", texts(func(r *Record) string { return string(operation(r).Evidence) })},
	{"catalog", "databricks.scope.catalog", "", "version of the catalogue, the operator's `routes` included", texts(func(r *Record) string { return r.Catalog })},
	{"policy", semconv.SecurityRuleNameKey, "", "policy that refused", values(func(r *Record) value { return foreign(r.Policy) })},
	{"policy_asks", "databricks.scope.policy_asks", "", "what that policy asks for", values(func(r *Record) value { return foreign(r.Requirement) })},
	{"policy_hash", "databricks.scope.policy_hash", "", "hash of the rules in force: mode, `unscoped_tokens`, `oauth` and policies", texts(func(r *Record) string { return r.Rules })},
	{"token_id", "databricks.token.id", "", "SHA-256 of the token, as Databricks' own audit log has it", texts(func(r *Record) string { return r.TokenID })},
	{"owner_id", semconv.UserIDKey, "", "numeric id of the token's owner", values(func(r *Record) value { return value{kind: idKind, number: r.OwnerID()} })},
	{"owner", semconv.UserNameKey, "", "name of the owner, where it is known: the owner made the token, or a policy asks for names", texts(func(r *Record) string { return r.Owner })},
	{"creator", "databricks.token.creator", "", "name of whoever made the token", texts(func(r *Record) string { return r.Creator })},
	{"comment", "databricks.token.comment", "", "the token's comment, hashed unless `comment plain`", texts(func(r *Record) string { return r.Comment })},
	{"token_scopes", "databricks.token.scopes", "", "scopes that the token holds", values(func(r *Record) value { return words(&r.Held) })},
	{"facts_age", "databricks.token.facts_age", "", "seconds since the workspace said so", values(func(r *Record) value { return seconds(r.FactsAge) })},
	{"facts_source", "databricks.token.facts_source", "", "`cache`, `stale` (past its ttl, while the workspace could not be asked), `lookup`, or `token` (an OAuth token says it itself)", texts(func(r *Record) string { return string(r.Facts.Source) })},
	{"detail", "databricks.scope.detail", "", "for `directory_unavailable`: what went wrong, in a word of a closed set", texts(func(r *Record) string { return r.Detail })},
	{"dropped_headers", "databricks.scope.dropped_headers", "", "names of headers that were kept from leaving beside the token", values(func(r *Record) value { return words(&r.Dropped) })},
	{"workspace", semconv.ServerAddressKey, "", "name of the workspace's host", values(func(r *Record) value { return foreign(r.Workspace) })},
	{"client_address", semconv.ClientAddressKey, "", "address of the client, trusted proxies considered", texts(func(r *Record) string { return r.ClientAddress })},
	{"user_agent", semconv.UserAgentOriginalKey, "", "User-Agent header, at most 256 bytes", texts(func(r *Record) string { return r.UserAgent })},
	{"request_id", "databricks.request.id", "", "`ReqId` of a refusal; `x-request-id` of the workspace's answer, where it is a UUID", texts(func(r *Record) string { return r.RequestID })},
	{"trace_id", "", "link of the span, trace context of the log record", "the caller's trace", texts(func(r *Record) string { return r.TraceID() })},
	{"status", semconv.HTTPResponseStatusCodeKey, "", "status that the client saw; 0 where the connection was taken over or broke", values(func(r *Record) value { return number(int64(r.Status)) })},
	{"upstream_status", "databricks.upstream.status_code", "", "status that the workspace answered; 0 where it did not", values(func(r *Record) value { return number(int64(r.UpstreamStatus)) })},
	{"bytes_received", semconv.HTTPRequestBodySizeKey, "", "bytes of the request's body that were read", values(func(r *Record) value { return number(r.BytesReceived) })},
	{"bytes_sent", semconv.HTTPResponseBodySizeKey, "", "bytes of the answer's body", values(func(r *Record) value { return number(r.BytesSent) })},
	{"decision_duration", "databricks.scope.decision_duration", "", "seconds until the decision, a look-up included", values(func(r *Record) value { return seconds(r.DecisionDuration) })},
	{"upstream_duration", "databricks.upstream.duration", "", "seconds from passing the request on to the header of the answer", values(func(r *Record) value { return seconds(r.UpstreamDuration) })},
	{"duration", "databricks.request.duration", "", "seconds until the answer had gone out", values(func(r *Record) value { return seconds(r.Duration) })},
}

// FieldNames returns the names of the fields of every line, in their order.
func FieldNames() []string {
	names := make([]string, 0, len(fields))
	for i := range fields {
		names = append(names, fields[i].name)
	}
	return names
}

var noOperation scopes.Operation

func operation(r *Record) *scopes.Operation {
	if r.Operation == nil {
		return &noOperation
	}
	return r.Operation
}

// kind says which part of a value counts.
type kind uint8

const (
	foreignKind kind = iota // text of the catalogue's or the operator's
	wordsKind
	numberKind
	secondsKind
	truthKind
	arrivedKind // the time of the record itself
	methodKind
	idKind // a number that OpenTelemetry's conventions want as text
)

// value is what one field of one record says. It saves the boxing that an
// interface would cost for each of them.
type value struct {
	kind   kind
	text   string
	number int64 // of truths 0 or 1, of durations in nanoseconds
	words  *[]string
}

func foreign(s string) value        { return value{kind: foreignKind, text: s} }
func words(w *[]string) value       { return value{kind: wordsKind, words: w} }
func number(n int64) value          { return value{kind: numberKind, number: n} }
func seconds(d time.Duration) value { return value{kind: secondsKind, number: int64(d)} }
func (v *value) seconds() float64   { return time.Duration(v.number).Seconds() }
func truth(b bool) (v value) {
	v.kind = truthKind
	if b {
		v.number = 1
	}
	return v
}

// otherMethod is the attribute of a method that is not one of HTTP's.
const otherMethod = "_OTHER"

var knownMethods = []string{
	http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodHead, http.MethodOptions, http.MethodConnect, http.MethodTrace, "QUERY",
}

// present reports whether there is something to say.
func (v *value) present() bool {
	switch v.kind {
	case foreignKind, methodKind:
		return v.text != ""
	case wordsKind:
		return len(*v.words) > 0
	case truthKind, arrivedKind:
		return true
	}
	return v.number != 0
}

// String returns the value of an attribute that is text.
func (v *value) String() string {
	switch {
	case v.kind == idKind:
		return strconv.FormatInt(v.number, 10)
	case v.kind == methodKind && !slices.Contains(knownMethods, v.text):
		return otherMethod
	}
	return v.text
}

// attribute returns the value as an attribute.
func (v *value) attribute(key attribute.Key) attribute.KeyValue {
	switch v.kind {
	case wordsKind:
		return key.StringSlice(*v.words)
	case numberKind:
		return key.Int64(v.number)
	case secondsKind:
		return key.Float64(v.seconds())
	case truthKind:
		return key.Bool(v.number != 0)
	}
	return key.String(v.String())
}

// DecisionAttributes returns what a record says of the decision as attributes, for a
// span in the caller's trace. It may be called before the record is complete.
func DecisionAttributes(r *Record) []attribute.KeyValue {
	var of []attribute.KeyValue
	for _, kv := range appendAttributes(nil, r) {
		switch key := string(kv.Key); {
		case strings.HasPrefix(key, "databricks.scope."), strings.HasPrefix(key, "databricks.token."),
			kv.Key == semconv.ErrorTypeKey, kv.Key == semconv.HTTPRouteKey, kv.Key == semconv.SecurityRuleNameKey:
			of = append(of, kv)
		}
	}
	return of
}

// appendAttributes appends what a record says as attributes.
func appendAttributes(to []attribute.KeyValue, r *Record) []attribute.KeyValue {
	for i := range fields {
		f := &fields[i]
		switch {
		case f.key == "":
		case f.text != nil:
			if text := f.text(r); text != "" {
				to = append(to, f.key.String(text))
			}
		default:
			if v := f.value(r); v.present() {
				to = append(to, v.attribute(f.key))
			}
		}
	}
	return to
}
