package gatewaycmd

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestExampleHidesSecrets: Caddyfile.example hides the same secrets as [requestFilter].
func TestExampleHidesSecrets(t *testing.T) {
	var filter struct {
		Fields map[string]struct {
			Regexp string `json:"regexp"`
		} `json:"fields"`
	}
	if err := json.Unmarshal(requestFilter(nil), &filter); err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("../../Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	if secrets := filter.Fields["request>uri"].Regexp; secrets == "" || !strings.Contains(string(example), secrets) {
		t.Errorf("Caddyfile.example lacks %s", secrets)
	}
}
