package caddymodule

import (
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/preflight"
)

// TestConsolePrometheus: what JSON can say. No error repeats a secret.
func TestConsolePrometheus(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		config ConsolePrometheus
		says   []string // empty for no problem
	}{
		{"least", ConsolePrometheus{URL: "http://localhost:9090"}, nil},
		{"most", ConsolePrometheus{URL: "http://metrics.example.com", Token: "{env.X}", InsecureHTTP: true, Match: []string{"job=a", "team=b"}}, nil},
		{"nothing", ConsolePrometheus{}, []string{"the URL is missing"}},
		{"all wrong", ConsolePrometheus{URL: "ftp://x", Token: "hush", Match: []string{"job"}}, []string{"http or https", "token must be a placeholder", "needs a label"}},
		{"too many labels", ConsolePrometheus{URL: "http://localhost:9090", Match: slices.Repeat([]string{"job=a"}, 17)}, []string{"17 labels to match"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			settings, err := test.config.settings()
			if len(test.says) == 0 {
				if err != nil || (settings.Token != nil) != (test.config.Token != "") || len(settings.Matches) != len(test.config.Match) {
					t.Errorf("%+v %v", settings, err)
				}
				return
			}
			for _, says := range test.says {
				if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hush") {
					t.Errorf("got %v, want %q", err, says)
				}
			}
		})
	}
	if settings, err := (*ConsolePrometheus)(nil).settings(); settings != nil || err != nil {
		t.Errorf("%v %v", settings, err)
	}
}

// TestConsoleSecrets: scopegate check looks at the token.
func TestConsoleSecrets(t *testing.T) {
	t.Parallel()
	var plan preflight.Plan
	findNeeds(map[string]any{"handler": "databricks_console", "prometheus": map[string]any{"token": "{env.X}"}}, false, &plan)
	if !slices.Equal(plan.Secrets, []string{"{env.X}"}) {
		t.Errorf("got %v", plan.Secrets)
	}
}
