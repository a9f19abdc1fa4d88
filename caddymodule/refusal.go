package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/scopegate/scopegate/internal/audit"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/scopes"
)

// This file is the only one that knows how a decision is told to a client.

// verdict is a decision on its way to the wire.
type verdict struct {
	allowed bool
	reason  policy.Reason
	token   tokens.ID // zero where the request bears none that is accepted
	// rehearsed is a refusal that is only recorded, whatever the handler's mode.
	rehearsed bool
	// problem completes the message of a request that cannot be judged, and names
	// a credential that is not accepted.
	problem string
	// asked is when the workspace was asked about the token; zero where it was not.
	asked time.Time
	// retryAfter is when it is worth asking again, for what is unavailable.
	retryAfter time.Duration
}

func refuse(reason policy.Reason, problem string) verdict {
	return verdict{reason: reason, problem: problem}
}

// realm is the workspace's own, so that clients treat both alike.
const realm = `Bearer realm="DatabricksRealm"`

const (
	messageNoCredential = "Credential was not sent or was of an unsupported type for this API."
	messageInvalidToken = "Invalid access token."
)

// wording holds status and message of every refusal. The words are Databricks'
// own where it has any: clients match on them and people search for them.
var wording = map[policy.Reason]struct {
	status  int
	message string
}{
	policy.MissingCredential:     {http.StatusUnauthorized, messageNoCredential},
	policy.UnsupportedCredential: {http.StatusUnauthorized, messageNoCredential},
	policy.UnknownToken:          {http.StatusForbidden, messageInvalidToken},
	policy.TokenExpired:          {http.StatusForbidden, messageInvalidToken},
	policy.WrongWorkspace:        {http.StatusForbidden, messageInvalidToken},
	policy.MissingScope:          {http.StatusForbidden, "Provided access token does not have required scopes: "},
	policy.PolicyDenied:          {http.StatusForbidden, ""},
	policy.PolicyLifetime:        {http.StatusForbidden, ""},
	policy.AmbiguousRequest:      {http.StatusBadRequest, ""},
	policy.MalformedPath:         {http.StatusBadRequest, ""},
	// Nothing of the inner error: some SDKs retry for minutes on its words.
	policy.DirectoryUnavailable: {http.StatusServiceUnavailable, "TEMPORARILY_UNAVAILABLE: Authentication is temporarily unavailable."},
	policy.AuditUnavailable:     {http.StatusServiceUnavailable, "TEMPORARILY_UNAVAILABLE: The gateway is temporarily unavailable."},
}

// body is the error form of Databricks' APIs, with the numeric code that its
// authentication layer uses: SDKs then go by the status.
type body struct {
	ErrorCode int      `json:"error_code"`
	Message   string   `json:"message"`
	Details   []detail `json:"details"`
}

// detail is a google.rpc.ErrorInfo.
type detail struct {
	Type     string            `json:"@type"`
	Reason   string            `json:"reason"`
	Domain   string            `json:"domain"`
	Metadata map[string]string `json:"metadata"`
}

// errorDomain is the domain of our google.rpc.ErrorInfo.
const errorDomain = "scopegate"

// write sends the refusal and returns its request id. It never reads the
// request's body, so that a client which waits for 100 Continue is answered
// before it sends one.
func (v verdict) write(w http.ResponseWriter, r *http.Request, rec *audit.Record) (requestID string) {
	requestID = uuid.NewString()
	status, message := v.words(rec)

	header := w.Header()
	header.Set("X-Request-Id", requestID)
	header.Set("X-Scopegate-Reason", string(v.reason))
	// SQL drivers show this header and not the body.
	header.Set("X-Databricks-Reason-Phrase", message)
	if challenge := v.challenge(status, message, rec.Operation); challenge != "" {
		header.Set("WWW-Authenticate", challenge)
	}
	if status == http.StatusServiceUnavailable {
		header.Set("Retry-After", strconv.Itoa(retrySeconds(v.retryAfter)))
	}
	// The answer depends on the credential and on facts that change.
	header.Set("Cache-Control", "no-store")
	if waitsToSend(r) {
		header.Set("Connection", "close")
	}

	message = fmt.Sprintf("%s [ReqId: %s]", message, requestID)
	info := v.errorInfo(rec)
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		writeGRPC(w, r, status, message, info)
		return requestID
	}
	answer, err := json.Marshal(body{ErrorCode: status, Message: message, Details: []detail{info}})
	if err != nil {
		panic("caddymodule: a refusal is made of strings and cannot fail to marshal: " + err.Error())
	}
	header.Set("Content-Type", "application/json; charset=utf-8")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Content-Length", strconv.Itoa(len(answer)))
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(answer) // the client left; there is nobody to tell
	}
	return requestID
}

// waitsToSend reports whether an HTTP/1 client waits for 100 Continue with its
// body, so that the connection must end with the answer. Without being told so,
// net/http reads the body first, because it does not recognise such a client once
// Caddy has wrapped the body. Both sides would then wait for each other.
func waitsToSend(r *http.Request) bool {
	return r.ProtoMajor == 1 && r.ContentLength != 0 && r.Header.Get("Expect") != ""
}

// words returns status and message, without request id.
func (v verdict) words(rec *audit.Record) (status int, message string) {
	words, operation := wording[v.reason], rec.Operation
	switch v.reason {
	case policy.PolicyDenied, policy.PolicyLifetime:
		return words.status, fmt.Sprintf("Access denied by the gateway's policy %s, which %s.", rec.Policy, rec.Requirement)
	case policy.MissingScope:
		if operation.Access == scopes.AccountOnly {
			return words.status, "Personal access tokens cannot call account-level APIs."
		}
		return words.status, words.message + strings.Join(requiredScopes(operation), ", ")
	case policy.UnsupportedCredential:
		if v.problem != "" {
			return words.status, words.message + " What was sent is " + v.problem + "."
		}
	case policy.AmbiguousRequest, policy.MalformedPath:
		return words.status, v.problem
	}
	return words.status, words.message
}

// challenge returns the WWW-Authenticate header of RFC 6750, section 3. There is
// none for an invalid token: the workspace sends none either, with its 403.
func (v verdict) challenge(status int, message string, operation *scopes.Operation) string {
	switch {
	case status == http.StatusUnauthorized:
		return realm
	case v.reason == policy.MissingScope:
		challenge := fmt.Sprintf(`%s, error="insufficient_scope", error_description="%s"`, realm, message)
		if required := requiredScopes(operation); len(required) > 0 {
			challenge += fmt.Sprintf(`, scope="%s"`, strings.Join(required, " "))
		}
		return challenge
	}
	return ""
}

func (v verdict) errorInfo(rec *audit.Record) detail {
	metadata := map[string]string{"reason": string(v.reason)}
	if rec.Operation != nil && v.reason != policy.MalformedPath {
		metadata["operation"] = rec.Operation.Name
		metadata["required_scopes"] = strings.Join(requiredScopes(rec.Operation), ",")
	}
	if v.reason == policy.MissingScope {
		metadata["token_scopes"] = strings.Join(rec.Held, ",")
	}
	if rec.Policy != "" {
		metadata["policy"] = rec.Policy
	}
	if id := rec.TraceID(); id != "" {
		metadata["trace_id"] = id
	}
	return detail{
		Type:     "type.googleapis.com/google.rpc.ErrorInfo",
		Reason:   strings.ToUpper(string(v.reason)),
		Domain:   errorDomain,
		Metadata: metadata,
	}
}

// requiredScopes names the scopes of which an operation needs one. An operation
// that any scope opens is named so: there is no list to show.
func requiredScopes(operation *scopes.Operation) []string {
	if operation.Access == scopes.AnyScope {
		return []string{"any"}
	}
	return operation.AnyOf
}

// retrySeconds rounds up to whole seconds: some drivers parse the header as an
// integer and fail on anything else.
func retrySeconds(d time.Duration) int {
	return max(1, int((d+time.Second-1)/time.Second))
}
