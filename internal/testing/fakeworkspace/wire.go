package fakeworkspace

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
)

// maxJSONBody is the largest JSON body in bytes.
const maxJSONBody = 1 << 20

func writeJSON(rw http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		// Only values that a test put in can fail. Answer 500 rather than panic.
		status, body = http.StatusInternalServerError, []byte(`{"error_code":"INTERNAL_ERROR","message":"unencodable answer"}`)
	}
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.Header().Set("Content-Length", strconv.Itoa(len(body)))
	rw.WriteHeader(status)
	_, _ = rw.Write(body) // the client is gone if this fails
}

// ok answers 200 with a JSON value.
func ok(rw http.ResponseWriter, v any) { writeJSON(rw, http.StatusOK, v) }

// readJSON decodes a bounded body into v. An empty body counts as an empty object.
func readJSON(rw http.ResponseWriter, r *http.Request, v any) *refusal {
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxJSONBody))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return serviceError(http.StatusRequestEntityTooLarge, "MAX_REQUEST_SIZE_EXCEEDED",
			"The request body is larger than "+strconv.Itoa(maxJSONBody)+" bytes.")
	case err != nil:
		return serviceError(http.StatusBadRequest, "MALFORMED_REQUEST", "The request body could not be read.")
	case len(body) == 0:
		body = []byte("{}")
	}
	if json.Unmarshal(body, v) != nil {
		return serviceError(http.StatusBadRequest, "MALFORMED_REQUEST",
			"Invalid JSON given in the body of the request - failed to parse given JSON")
	}
	return nil
}

// intQuery returns an integer query parameter, or absent if it is missing or not a number.
func intQuery(r *http.Request, name string, absent int64) int64 {
	n, err := strconv.ParseInt(r.URL.Query().Get(name), 10, 64)
	if err != nil {
		return absent
	}
	return n
}

// page returns the bounds of one page of n items and the next page's token, empty on the last page.
func page(r *http.Request, n, defaultSize int, sizeParam string) (from, to int, next string) {
	size := intQuery(r, sizeParam, int64(defaultSize))
	if size <= 0 || size > 1000 {
		size = int64(defaultSize)
	}
	start := intQuery(r, "page_token", intQuery(r, "offset", 0))
	start = min(max(start, 0), int64(n))
	end := min(start+size, int64(n))
	if end < int64(n) {
		next = strconv.FormatInt(end, 10)
	}
	return int(start), int(end), next
}
