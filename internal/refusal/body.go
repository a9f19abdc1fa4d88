package refusal

import (
	"encoding/json"
	"net/http"
)

// body is the error form of Databricks' APIs, with the numeric code that its
// authentication layer uses: SDKs then go by the status.
type body struct {
	ErrorCode int      `json:"error_code"`
	Message   string   `json:"message"`
	Details   []detail `json:"details"`
	// Error is the message for clients of OpenAI's API, which show this member only. It is a
	// string, as in Databricks' own API 1.2: its SDKs cannot read an object here.
	Error string `json:"error,omitempty"`
}

// detail is a google.rpc.ErrorInfo.
type detail struct {
	Type     string            `json:"@type"`
	Reason   string            `json:"reason"`
	Domain   string            `json:"domain"`
	Metadata map[string]string `json:"metadata"`
}

// rpcBody is an error response of JSON-RPC 2.0. Databricks' members are in its data, because
// the schema of the SDK for TypeScript permits no others beside error.
type rpcBody struct {
	Version string `json:"jsonrpc"`
	// ID is the request id of the refusal. The id of the request that is refused is in its
	// body, which is never read; null would be what JSON-RPC says, but with that the SDK for Go
	// drops the error. Clients take neither for the id of a request of theirs.
	ID    string   `json:"id"`
	Error rpcError `json:"error"`
}

type rpcError struct {
	// Code is the HTTP status, which is outside of what JSON-RPC and MCP reserve.
	Code    int     `json:"code"`
	Message string  `json:"message"`
	Data    rpcData `json:"data"`
}

type rpcData struct {
	ErrorCode int      `json:"error_code"`
	Details   []detail `json:"details"`
}

// bodyFor returns the JSON that the client of a request shows.
func (f *Refusal) bodyFor(r *http.Request) []byte {
	details := []detail{f.errorInfo()}
	var form any
	if isMCP(f.judgement, r) {
		form = rpcBody{"2.0", f.RequestID, rpcError{f.Status, f.Error(), rpcData{f.Status, details}}}
	} else {
		answer := body{ErrorCode: f.Status, Message: f.Error(), Details: details}
		if familyOf(f.judgement, r)&modelAPI != 0 {
			answer.Error = answer.Message
		}
		form = answer
	}
	text, err := json.Marshal(form)
	if err != nil {
		panic("refusal: a refusal is made of strings and cannot fail to marshal: " + err.Error())
	}
	return text
}
