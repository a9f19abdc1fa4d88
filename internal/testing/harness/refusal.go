package harness

import (
	"encoding/json"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/golden"
)

// RefusalBody is the JSON body of a refusal.
type RefusalBody struct {
	ErrorCode int    `json:"error_code"`
	Message   string `json:"message"`
	Details   []struct {
		Type     string            `json:"@type"`
		Reason   string            `json:"reason"`
		Domain   string            `json:"domain"`
		Metadata map[string]string `json:"metadata"`
	} `json:"details"`
}

// CheckRefusal checks status, headers and body of a refusal.
func (a Answer) CheckRefusal(t testing.TB, want golden.Refusal) {
	t.Helper()
	if a.StatusCode != want.Status {
		t.Errorf("status %d, want %d", a.StatusCode, want.Status)
	}
	id := a.Header.Get("X-Request-Id")
	for name, want := range map[string]string{
		"Content-Type":               "application/json; charset=utf-8",
		"X-Scopegate-Reason":         want.Reason,
		"X-Databricks-Reason-Phrase": want.Message,
		"WWW-Authenticate":           want.Challenge,
	} {
		if value := a.Header.Get(name); value != want {
			t.Errorf("%s: %q, want %q", name, value, want)
		}
	}
	if len(id) != 36 {
		t.Errorf("X-Request-Id: %q", id)
	}
	if retry := a.Header.Get("Retry-After"); (retry != "") != want.Retry {
		t.Errorf("Retry-After: %q", retry)
	}
	var body RefusalBody
	if err := json.Unmarshal([]byte(a.Body), &body); err != nil {
		t.Fatalf("body %q: %v", a.Body, err)
	}
	if body.ErrorCode != want.Status || body.Message != want.Message+" [ReqId: "+id+"]" {
		t.Errorf("body: %s", a.Body)
	}
	if len(body.Details) != 1 || body.Details[0].Type != "type.googleapis.com/google.rpc.ErrorInfo" || body.Details[0].Metadata["reason"] != want.Reason {
		t.Errorf("details: %s", a.Body)
	}
}

// Refused checks that the gateway refused the request, and returns the JSON body.
func (a Answer) Refused(t testing.TB, status int, reason string) RefusalBody {
	t.Helper()
	var body RefusalBody
	if err := json.Unmarshal([]byte(a.Body), &body); err != nil {
		t.Fatalf("status %d, body %q: %v", a.StatusCode, a.Body, err)
	}
	if got := a.Header.Get("X-Scopegate-Reason"); a.StatusCode != status || got != reason || body.ErrorCode != status {
		t.Errorf("answered %d, reason %q, error_code %d, want %d %q", a.StatusCode, got, body.ErrorCode, status, reason)
	}
	return body
}
