package drift

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// MaxBody is how much of the body of an answer is read, in bytes as it was sent, and as
// unpacked. Refusals are a tenth of it.
const MaxBody = 4 << 10

// Answer is what the workspace answered, or its beginning.
type Answer struct {
	Status int
	// Header includes the trailers.
	Header http.Header
	// Body is empty unless [Answer.Speaks]. It is used only if all of it is there.
	Body []byte
}

// Speaks reports whether the body of an answer with this status may name scopes. Databricks
// answers 403, and some of its services 401 or 400.
func Speaks(status int) bool {
	return status == http.StatusForbidden || status == http.StatusUnauthorized || status == http.StatusBadRequest
}

// Succeeded reports whether the workspace did what it was asked to.
func (a *Answer) Succeeded() bool {
	if a.grpc() {
		return a.Status == http.StatusOK && a.trailer("Grpc-Status") == "0"
	}
	return a.Status >= 200 && a.Status < 300
}

// Named returns the scopes that the answer names, if it is a refusal for want of them.
//
// The words of the reason phrase and the body say any one of several is enough; a
// challenge that says more than one is used only where they are silent. An answer of
// another gateway like this one names what that one's map says, so it names nothing.
func (a *Answer) Named() Named {
	if len(a.Header["X-Scopegate-Reason"]) > 0 {
		return Named{}
	}
	if a.grpc() && a.Status == http.StatusOK {
		return a.fromGRPC()
	}
	if !Speaks(a.Status) {
		return Named{}
	}
	challenged := Named{}
	for _, value := range a.Header["Www-Authenticate"] {
		if challenged = fromChallenge(value); len(challenged.Scopes) > 0 {
			break
		}
	}
	if named := fromMessage(a.Header.Get("X-Databricks-Reason-Phrase")); len(named.Scopes) > 0 {
		return named
	}
	if named := fromBody(a.unpacked()); len(named.Scopes) > 0 {
		return named
	}
	return challenged
}

// unpacked returns the body without its compression, nil if it cannot be read.
func (a *Answer) unpacked() []byte {
	switch strings.ToLower(a.Header.Get("Content-Encoding")) {
	case "", "identity":
		return a.Body
	case "gzip", "x-gzip":
	default:
		return nil // the headers have to do
	}
	reader, err := gzip.NewReader(bytes.NewReader(a.Body))
	if err != nil {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(reader, MaxBody+1))
	if err != nil || len(body) > MaxBody {
		return nil
	}
	return body
}

// fromBody reads a refusal in Databricks' JSON, in that of OAuth, or as plain text.
func fromBody(body []byte) Named {
	if body = bytes.TrimSpace(body); len(body) == 0 {
		return Named{}
	}
	if body[0] != '{' {
		return fromMessage(string(body))
	}
	var fields struct {
		Message     string          `json:"message"`
		Error       json.RawMessage `json:"error"`
		Description string          `json:"error_description"`
	}
	if json.Unmarshal(body, &fields) != nil {
		return Named{}
	}
	var text string
	if json.Unmarshal(fields.Error, &text) != nil {
		text = ""
	}
	for _, message := range []string{fields.Message, text, fields.Description} {
		if named := fromMessage(message); len(named.Scopes) > 0 {
			return named
		}
	}
	return Named{}
}

func (a *Answer) grpc() bool {
	kind := a.Header["Content-Type"] // for every answer, so without Get
	return len(kind) > 0 && strings.HasPrefix(kind[0], "application/grpc")
}

// trailer returns a field of the header, or of the trailers after the body.
func (a *Answer) trailer(name string) string {
	if value := a.Header.Get(name); value != "" {
		return value
	}
	return a.Header.Get(http.TrailerPrefix + name)
}

// fromGRPC reads the status of a gRPC call: PERMISSION_DENIED or UNAUTHENTICATED.
func (a *Answer) fromGRPC() Named {
	if status := a.trailer("Grpc-Status"); status != "7" && status != "16" {
		return Named{}
	}
	message, err := url.PathUnescape(a.trailer("Grpc-Message"))
	if err != nil {
		return Named{}
	}
	return fromMessage(message)
}
