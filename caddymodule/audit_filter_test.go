package caddymodule_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/caddymodule"
)

// TestExampleHidesSecrets: Caddyfile.example hides what [caddymodule.RequestFilter]
// hides.
func TestExampleHidesSecrets(t *testing.T) {
	var filter struct {
		Wrap struct {
			Fields map[string]struct {
				Regexp string `json:"regexp"`
			} `json:"fields"`
		} `json:"wrap"`
	}
	if err := json.Unmarshal(caddymodule.RequestFilter(), &filter); err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile("../Caddyfile.example")
	if err != nil {
		t.Fatal(err)
	}
	if secrets := filter.Wrap.Fields["request>uri"].Regexp; secrets == "" || !strings.Contains(string(example), secrets) {
		t.Errorf("Caddyfile.example lacks %s", secrets)
	}
}
