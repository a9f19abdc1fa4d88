package audit

import (
	"net/http"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/scopegate/scopegate/scopes"
)

// field is one value of a record, the same in every sink.
type field struct {
	name  string        // in the log
	key   attribute.Key // of the OpenTelemetry attribute; empty if spans and log records have another place for it
	place string        // that place
	about string        // for docs/audit.md
	accessor

	// The name and the key, encoded by complete, which also sets the rest.
	lineKey []byte
	otlpKey []byte
	// inEvents says that OCSF has a place for it.
	inEvents bool
}

// accessor reads the value of a field: the one function that belongs to its kind.
type accessor struct {
	kind    kind
	text    func(*Record) string
	words   func(*Record) *[]string
	number  func(*Record) int64
	seconds func(*Record) time.Duration
	truth   func(*Record) bool
}

type kind uint8

const (
	textKind      kind = iota // sanitized when the record was made, as by TruncatePath, or ours
	untrustedKind             // text of the catalog, the operator or the workspace
	methodKind                // text, in attributes only if HTTP defines it
	wordsKind
	numberKind
	idKind // a number, in attributes as text, as OpenTelemetry's conventions require
	secondsKind
	truthKind
	arrivedKind // the time of the record, in lines only
)

func text(of func(*Record) string) accessor      { return accessor{kind: textKind, text: of} }
func untrusted(of func(*Record) string) accessor { return accessor{kind: untrustedKind, text: of} }
func method(of func(*Record) string) accessor    { return accessor{kind: methodKind, text: of} }
func words(of func(*Record) *[]string) accessor  { return accessor{kind: wordsKind, words: of} }
func number(of func(*Record) int64) accessor     { return accessor{kind: numberKind, number: of} }
func id(of func(*Record) int64) accessor         { return accessor{kind: idKind, number: of} }
func truth(of func(*Record) bool) accessor       { return accessor{kind: truthKind, truth: of} }
func arrived() accessor                          { return accessor{kind: arrivedKind} }
func seconds(of func(*Record) time.Duration) accessor {
	return accessor{kind: secondsKind, seconds: of}
}

// fields lists what records say. A line has all of them, in this order. OpenTelemetry's
// attributes omit those that are empty.
var fields = complete([]field{
	{name: "arrived", place: "span start time, log record timestamp", about: "when the request arrived", accessor: arrived()},
	{name: "decision", key: "databricks.scope.decision", about: "`allow`, `deny` or `public` (no token needed)", accessor: text(func(r *Record) string { return string(r.Decision) })},
	{name: "enforced", key: "databricks.scope.enforced", about: "false with `mode observe`, and for a refusal by a policy that is only rehearsed", accessor: truth(func(r *Record) bool { return r.Enforced })},
	{name: "reason", key: "databricks.scope.reason", about: "reason code (fixed list)", accessor: text(func(r *Record) string { return string(r.Reason) })},
	{name: "error_type", key: semconv.ErrorTypeKey, about: "reason of an enforced refusal; the outcome if the request passed but was not answered completely; otherwise empty", accessor: text((*Record).ErrorType)},
	{name: "outcome", key: "databricks.request.outcome", about: "how the request ended (see Outcomes); `open`: it has not, and another record of the same `request_id` follows", accessor: text(func(r *Record) string { return string(r.Outcome) })},
	{name: "method", key: semconv.HTTPRequestMethodKey, about: "request method; the attribute is `_OTHER` for methods that HTTP does not define", accessor: method(func(r *Record) string { return r.Method })},
	{name: "path", key: semconv.URLPathKey, about: "path as sent, escaped, without query; at most 1 KiB; [secrets are hidden](#what-is-hidden); empty with `redact path`", accessor: text(func(r *Record) string { return r.Path })},
	{name: "operation", key: "databricks.scope.operation", about: "catalog operation that decided", accessor: untrusted(func(r *Record) string { return operation(r).Name })},
	{name: "operations", key: "databricks.scope.operations", about: "all operations that servers could read the path as, where they differ: those that the token needs for a name with an encoded slash in it, and those of a path that was refused because of it; otherwise empty", accessor: words(func(r *Record) *[]string { return &r.Operations })},
	{name: "template", key: semconv.HTTPRouteKey, about: "path template of the operation", accessor: untrusted(func(r *Record) string { return operation(r).Template })},
	{name: "required_scopes", key: "databricks.scope.required", about: "alternatives of which the operation requires any one; `a+b` stands for two scopes that are needed together", accessor: words(func(r *Record) *[]string { return &operation(r).AnyOf })},
	{name: "evidence", key: "databricks.scope.evidence", about: "basis for these scopes: `documented`, `observed`, `sibling`, `inferred`, or `unmapped` for a path outside the catalog; `learned` if the token has none of them, and passes because of a scope that the workspace named ([`routes learned`](map.md#correcting-it-at-once))", accessor: text(evidence)},
	{name: "optional", key: "databricks.scope.optional", about: "a refusal of an operation that clients go on without, such as telemetry: no cause for alarm", accessor: truth(func(r *Record) bool { return r.Optional() })},
	{name: "catalog", key: "databricks.scope.catalog", about: "hash of the map in force: built-in or `map`, with the operator's `routes` over it; it changes when [these files](map.md#files-that-change) do", accessor: text(func(r *Record) string { return r.Catalog })},
	{name: "policy", key: semconv.SecurityRuleNameKey, about: "policy that refused the request", accessor: untrusted(func(r *Record) string { return r.Policy })},
	{name: "policy_asks", key: "databricks.scope.policy_asks", about: "what that policy requires", accessor: untrusted(func(r *Record) string { return r.Requirement })},
	{name: "policy_hash", key: "databricks.scope.policy_hash", about: "hash of the rules in force: mode, `unscoped_tokens`, `oauth` and policies", accessor: text(func(r *Record) string { return r.Rules })},
	{name: "token_id", key: "databricks.token.id", about: "SHA-256 of the token, the same id as in Databricks' own audit log", accessor: text(func(r *Record) string { return r.TokenID })},
	{name: "owner_id", key: semconv.UserIDKey, about: "numeric id of the token's owner; 0 while unknown, as with OAuth tokens", accessor: id(func(r *Record) int64 { return r.OwnerID() })},
	{name: "owner", key: semconv.UserNameKey, about: "name of the owner, if known: the owner created the token, the token is an OAuth token, or a policy needs names; `unknown` if the id is not known either", accessor: text(func(r *Record) string { return r.Owner })},
	{name: "creator", key: "databricks.token.creator", about: "name of the user who created the token, the numeric id if only that is known, and otherwise `unknown`", accessor: text(func(r *Record) string { return r.Creator })},
	{name: "comment", key: "databricks.token.comment", about: "token comment, hashed unless `comment plain`", accessor: text(func(r *Record) string { return r.Comment })},
	{name: "token_scopes", key: "databricks.token.scopes", about: "scopes of the token", accessor: words(func(r *Record) *[]string { return &r.Held })},
	{name: "facts_age", key: "databricks.token.facts_age", about: "age in seconds of the facts about the token", accessor: seconds(func(r *Record) time.Duration { return r.FactsAge })},
	{name: "facts_source", key: "databricks.token.facts_source", about: "`cache`, `stale` (past its ttl because the workspace could not be asked), `lookup`, or `token` (carried by the OAuth token itself)", accessor: text(func(r *Record) string { return string(r.Facts.Source) })},
	{name: "detail", key: "databricks.scope.detail", about: "for `directory_unavailable` and `gateway_misconfigured`: [what went wrong](outages.md#reasons); for `unsupported_credential`, `missing_credential` and `unknown_token`: [what was sent](reference.md#credentials), if that is known; for the outcomes `upstream_…` [likewise](#outcomes)", accessor: text(func(r *Record) string { return r.Detail })},
	{name: "dropped_headers", key: "databricks.scope.dropped_headers", about: "names of headers removed before the request was forwarded; in mode `observe`, also of those that would be", accessor: words(func(r *Record) *[]string { return &r.Dropped })},
	{name: "workspace", key: semconv.ServerAddressKey, about: "host name of the workspace", accessor: untrusted(func(r *Record) string { return r.Workspace })},
	{name: "client_address", key: semconv.ClientAddressKey, about: "client address; trusted proxies are taken into account", accessor: untrusted(func(r *Record) string { return r.ClientAddress })},
	{name: "user_agent", key: semconv.UserAgentOriginalKey, about: "`User-Agent` header, at most 256 bytes; [secrets are hidden](#what-is-hidden)", accessor: text(func(r *Record) string { return r.UserAgent })},
	{name: "request_id", key: "databricks.request.id", about: "`ReqId` of a refusal; `x-request-id` of the workspace's response if it is a UUID; a UUID of the gateway's if the request was recorded as `open` before it was answered", accessor: text(func(r *Record) string { return r.RequestID })},
	{name: "upstream_request_id", key: "databricks.upstream.request_id", about: "`x-request-id` of the workspace's response, if `request_id` is another", accessor: text(func(r *Record) string { return r.UpstreamRequestID })},
	{name: "trace_id", place: "span link, log record trace context", about: "the caller's trace", accessor: text((*Record).TraceID)},
	{name: "status", key: semconv.HTTPResponseStatusCodeKey, about: "status that the client saw; 0 if it left before, 101 if the connection was upgraded", accessor: number(func(r *Record) int64 { return int64(r.Status) })},
	{name: "upstream_status", key: "databricks.upstream.status_code", about: "status of the workspace's response; 0 if there was none", accessor: number(func(r *Record) int64 { return int64(r.UpstreamStatus) })},
	{name: "bytes_received", key: semconv.HTTPRequestBodySizeKey, about: "bytes read from the request body", accessor: number(func(r *Record) int64 { return r.BytesReceived })},
	{name: "bytes_sent", key: semconv.HTTPResponseBodySizeKey, about: "bytes of the response body", accessor: number(func(r *Record) int64 { return r.BytesSent })},
	{name: "decision_duration", key: "databricks.scope.decision_duration", about: "seconds until the decision, including a look-up", accessor: seconds(func(r *Record) time.Duration { return r.DecisionDuration })},
	{name: "upstream_duration", key: "databricks.upstream.duration", about: "seconds from forwarding the request to the response header", accessor: seconds(func(r *Record) time.Duration { return r.UpstreamDuration })},
	{name: "duration", key: "databricks.request.duration", about: "seconds until the response was sent", accessor: seconds(func(r *Record) time.Duration { return r.Duration })},
})

// complete encodes the names and keys of fields, which are the same in every record.
func complete(fields []field) []field {
	for i := range fields {
		f := &fields[i]
		f.lineKey = append(appendString([]byte{','}, f.name), ':')
		f.otlpKey = appendText(nil, tagKey, string(f.key))
		f.inEvents = inEvents[f.name]
	}
	return fields
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

// evidence says why the request passed, or what the row that refused it rests on.
func evidence(r *Record) string {
	if r.ByLearned() {
		return "learned"
	}
	return string(operation(r).Evidence)
}

func operation(r *Record) *scopes.Operation {
	if r.Operation == nil {
		return &noOperation
	}
	return r.Operation
}

var knownMethods = []string{
	http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
	http.MethodHead, http.MethodOptions, http.MethodConnect, http.MethodTrace, "QUERY",
}

func isKnownMethod(method string) bool { return slices.Contains(knownMethods, method) }
