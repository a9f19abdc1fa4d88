package golden

import (
	"encoding/json"
	"strings"
	"testing"
)

// Refusal is a row of testdata/refusals.json: a refusal as the client sees it.
type Refusal struct {
	// Case names the row: the reason code, with a slash and a word added if the reason
	// has several messages.
	Case string `json:"case"`
	// Reason is the reason code.
	Reason string `json:"reason"`
	// Status is the HTTP status.
	Status int `json:"status"`
	// Message is the message without the request id. {name} is a placeholder for a
	// part that depends on the request.
	Message string `json:"message"`
	// Challenge is the WWW-Authenticate header; empty for none. {message} stands for
	// the message.
	Challenge string `json:"challenge,omitempty"`
	// Retry reports whether the response has a Retry-After header.
	Retry bool `json:"retry,omitempty"`
}

// Refusals returns all rows.
func Refusals(t testing.TB) []Refusal {
	t.Helper()
	var table []Refusal
	if err := json.Unmarshal(read(t, "refusals.json"), &table); err != nil {
		t.Fatalf("testdata/refusals.json: %v", err)
	}
	return table
}

// FindRefusal returns the row of a case, with names in braces replaced by values:
// FindRefusal(t, "missing_scope", "scopes", "jobs").
func FindRefusal(t testing.TB, name string, namesAndValues ...string) Refusal {
	t.Helper()
	for _, row := range Refusals(t) {
		if row.Case != name {
			continue
		}
		for i := 0; i+1 < len(namesAndValues); i += 2 {
			name, value := namesAndValues[i], namesAndValues[i+1]
			row.Message = strings.ReplaceAll(row.Message, "{"+name+"}", value)
			// RFC 6750 separates scopes with spaces.
			row.Challenge = strings.ReplaceAll(row.Challenge, "{"+name+"}", strings.ReplaceAll(value, ", ", " "))
		}
		row.Challenge = strings.ReplaceAll(row.Challenge, "{message}", row.Message)
		return row
	}
	t.Fatalf("testdata/refusals.json has no case %q", name)
	return Refusal{}
}

// Prefix returns the message up to the first placeholder.
func (r Refusal) Prefix() string {
	prefix, _, _ := strings.Cut(r.Message, "{")
	return prefix
}
