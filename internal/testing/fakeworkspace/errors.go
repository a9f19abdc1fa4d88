package fakeworkspace

import (
	"net/http"
	"strings"
)

const (
	msgNoCredential = "Credential was not sent or was of an unsupported type for this API."
	msgInvalidToken = "Invalid access token."
	msgMissingScope = "does not have required scopes: "
)

// refusal is an error response. Code is a number from the front door and a string from services.
type refusal struct {
	status    int
	code      any
	message   string
	challenge bool
	// wording and scopes are of a refusal for lack of scopes; see [OwnScopes].
	wording Wording
	scopes  []string
}

// doorError is a refusal by the front door.
func doorError(status int, message string) *refusal {
	return &refusal{status: status, code: status, message: message, challenge: status == http.StatusUnauthorized}
}

// serviceError is a refusal by a service behind the front door.
func serviceError(status int, code, message string) *refusal {
	return &refusal{status: status, code: code, message: message}
}

func badRequest(message string) *refusal {
	return serviceError(http.StatusBadRequest, "INVALID_PARAMETER_VALUE", message)
}

func doesNotExist(message string) *refusal {
	return serviceError(http.StatusNotFound, "RESOURCE_DOES_NOT_EXIST", message)
}

func missingScopes(kind string, anyOf []string) *refusal {
	return doorError(http.StatusForbidden, "Provided "+kind+" token "+msgMissingScope+strings.Join(anyOf, ", "))
}

// fail writes a refusal. No other function does.
func fail(rw http.ResponseWriter, r *http.Request, e *refusal) {
	if failAsWorded(rw, r, e) {
		return
	}
	id := callOf(r).requestID
	h := rw.Header()
	body := map[string]any{"error_code": e.code, "message": e.message}
	if _, door := e.code.(int); door {
		body["message"] = e.message + " [ReqId: " + id + "]"
		h.Set("X-Databricks-Reason-Phrase", e.message)
		h.Set("X-Databricks-Apiproxy-Response-Code-Details", "ext_authz_denied")
		if e.challenge {
			h.Set("Www-Authenticate", `Bearer realm="DatabricksRealm"`)
		}
	} else {
		body["details"] = []any{map[string]string{
			"@type": "type.googleapis.com/google.rpc.RequestInfo", "request_id": id, "serving_data": "",
		}}
	}
	writeJSON(rw, e.status, body)
}
