package fakeworkspace

import (
	"net"
	"net/http"
	"strconv"
	"time"
)

// Kind is what goes wrong in a [Fault]. The functions in this file make one.
type Kind struct {
	// delay holds a request back and reports whether to serve it.
	delay func(r *http.Request, released <-chan struct{}) bool
	// reply answers before the credential is checked.
	reply http.HandlerFunc
	// rejectAdmin refuses the credentials of admins; nil for no refusal.
	rejectAdmin *refusal
	// behind applies to token endpoints, once the caller is known.
	behind func(*call) *refusal
}

// Latency delays requests.
func Latency(d time.Duration) Kind {
	return Kind{delay: func(r *http.Request, released <-chan struct{}) bool {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			return true
		case <-released:
			return r.Context().Err() == nil
		case <-r.Context().Done():
			return false
		}
	}}
}

// Hang holds requests until the fault is removed or cleared; then they are served as usual. A request
// whose client gives up ends early.
func Hang() Kind {
	return Kind{delay: func(r *http.Request, released <-chan struct{}) bool {
		select {
		case <-released:
			return r.Context().Err() == nil
		case <-r.Context().Done():
			return false
		}
	}}
}

// TooManyRequests answers 429. RetryAfter is the value of the Retry-After header: seconds, an HTTP-date
// (see [http.TimeFormat]), or empty for no header.
func TooManyRequests(retryAfter string) Kind {
	return refuse(serviceError(http.StatusTooManyRequests, "REQUEST_LIMIT_EXCEEDED",
		"Too many requests, please retry later."), retryAfter)
}

// Unavailable answers 503, as if the authentication service were down.
func Unavailable(retryAfter string) Kind {
	return refuse(serviceError(http.StatusServiceUnavailable, "TEMPORARILY_UNAVAILABLE",
		"Authentication is temporarily unavailable."), retryAfter)
}

// InternalError answers 500.
func InternalError() Kind {
	return refuse(serviceError(http.StatusInternalServerError, "INTERNAL_ERROR", "An internal error occurred."), "")
}

// BadGateway answers 502 in plain text, as proxies do.
func BadGateway() Kind {
	return Respond(http.StatusBadGateway, "text/plain", "upstream connect error or disconnect/reset before headers")
}

// Refuse answers with a status, an error code and a message in the shape of a service's error.
func Refuse(status int, code, message string) Kind {
	return refuse(serviceError(status, code, message), "")
}

// Respond sends the given response.
func Respond(status int, contentType, body string) Kind {
	return Kind{reply: func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", contentType)
		rw.WriteHeader(status)
		_, _ = rw.Write([]byte(body))
	}}
}

// EchoRequestID answers 200 with the request id that the client chose.
func EchoRequestID() Kind {
	return Kind{reply: func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("X-Request-Id", r.Header.Get("X-Request-Id"))
		rw.Header().Set("Content-Type", "application/json")
		_, _ = rw.Write([]byte("{}"))
	}}
}

// RespondAs sends the given response in JSON with status 200, as another workspace.
func RespondAs(workspaceID int64, body string) Kind {
	return Kind{reply: func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("X-Databricks-Org-Id", strconv.FormatInt(workspaceID, 10))
		_, _ = rw.Write([]byte(body))
	}}
}

// GarbageJSON answers 200 with a body that claims to be JSON but is not.
func GarbageJSON() Kind {
	return Respond(http.StatusOK, "application/json; charset=utf-8", "\x00}{not json at all[")
}

// TruncatedJSON answers 200 with the beginning of a token's JSON, and the length of that beginning.
func TruncatedJSON() Kind {
	return Respond(http.StatusOK, "application/json; charset=utf-8", `{"token_info":{"token_id":"0123456789abcdef","scopes":["all-a`)
}

// WrongShape answers 200 with valid JSON of the wrong type.
func WrongShape() Kind {
	return Respond(http.StatusOK, "application/json; charset=utf-8", `{"token_info":[1,"two",null]}`)
}

// HTML answers 200 with a login page.
func HTML() Kind {
	return Respond(http.StatusOK, "text/html; charset=utf-8",
		"<!DOCTYPE html><html><head><title>Sign in</title></head><body><p>Sign in to continue</p></body></html>")
}

// CutBody sends less than its Content-Length and drops the connection.
func CutBody() Kind {
	return Kind{reply: func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "application/json; charset=utf-8")
		rw.Header().Set("Content-Length", "4096")
		rw.WriteHeader(http.StatusOK)
		_, _ = rw.Write([]byte(`{"token_info":{"token_id":"0123`))
		_ = http.NewResponseController(rw).Flush()
		panic(http.ErrAbortHandler)
	}}
}

// Reset drops the connection without a response: a TCP reset for HTTP/1.1, a stream reset for HTTP/2.
func Reset() Kind {
	return Kind{reply: func(rw http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(rw).Hijack()
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		raw := conn
		if secure, isTLS := conn.(interface{ NetConn() net.Conn }); isTLS {
			raw = secure.NetConn()
		}
		if tcp, isTCP := raw.(*net.TCPConn); isTCP {
			_ = tcp.SetLinger(0)
		}
		_ = raw.Close()
	}}
}

// RejectAdmin refuses the credentials of admins at the front door: with 401 as if they were missing,
// with any other status as if they were revoked.
func RejectAdmin(status int) Kind {
	if status == http.StatusUnauthorized {
		return Kind{rejectAdmin: doorError(status, msgNoCredential)}
	}
	return Kind{rejectAdmin: doorError(http.StatusForbidden, msgInvalidToken)}
}

// TokensDisabled makes every token endpoint answer 404 "Tokens are disabled."
func TokensDisabled() Kind {
	return Kind{behind: func(*call) *refusal {
		return serviceError(http.StatusNotFound, "FEATURE_DISABLED", "Tokens are disabled.")
	}}
}

// OtherToken makes look-ups return the right token under the wrong id.
func OtherToken(id string) Kind {
	return Kind{behind: func(c *call) *refusal {
		c.otherTokenID = id
		return nil
	}}
}

// NotAdmin makes token endpoints answer as if the caller were not a workspace admin.
func NotAdmin() Kind {
	return Kind{behind: func(c *call) *refusal {
		return serviceError(http.StatusForbidden, "PERMISSION_DENIED",
			"User "+c.caller.UserName+" does not have permission to perform this action.")
	}}
}

func refuse(e *refusal, retryAfter string) Kind {
	return Kind{reply: func(rw http.ResponseWriter, r *http.Request) {
		if retryAfter != "" {
			rw.Header().Set("Retry-After", retryAfter)
		}
		fail(rw, r, e)
	}}
}
