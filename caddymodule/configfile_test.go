package caddymodule

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLoadConfigOfTheFleet: commands that call the workspace can take their credential from an
// authority's file, and never from an edge's or, in its place, from the environment.
func TestLoadConfigOfTheFleet(t *testing.T) {
	const edge = "admin {\nauthority https://a.example.com {\ntoken {env.T}\n}\n}"
	t.Setenv("ADMIN_TOKEN", "hush0123")
	for _, test := range []struct {
		name, options, site string
		token               string // with which the workspace is called
		tokenErr            error
		judges              bool
		err                 string
	}{
		{name: "authority", options: "admin {\ntoken {env.ADMIN_TOKEN}\n}", site: "databricks_authority {\ntoken {env.T}\n}", token: "hush0123"},
		{name: "authority beside a gateway", options: "admin {\ntoken {env.ADMIN_TOKEN}\n}", site: "databricks_authority {\ntoken {env.T}\n}\ndatabricks_gateway prod", token: "hush0123", judges: true},
		{name: "edge", options: edge, site: "databricks_gateway prod", tokenErr: errEdge, judges: true},
		{name: "neither", options: edge, site: "respond 200", err: "no databricks_scopes or databricks_gateway to judge by"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "Caddyfile")
			content := "{\ndatabricks {\nworkspace prod https://example.cloud.databricks.com {\n" + test.options + "\n}\n}\n}\nhttp://:8080 {\n" + test.site + "\n}\n"
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			config, err := loadConfig(file, "")
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Fatalf("%v, want %q", err, test.err)
			}
			if err != nil {
				return
			}
			if token, err := config.Workspaces[0].Admin.Token(); token != test.token || !errors.Is(err, test.tokenErr) {
				t.Errorf("%q, %v", token, err)
			}
			if w := config.Workspaces; len(w) != 1 || w[0].Name != "prod" || w[0].URL != "https://example.cloud.databricks.com" {
				t.Errorf("workspaces %v", w)
			}
			if _, err := config.Judge(); (err == nil) != test.judges {
				t.Errorf("judge: %v", err)
			}
		})
	}
}

// TestLoadConfigOfDecisions: commands judge by the rules of databricks_decision too, which is
// checked as when it runs.
func TestLoadConfigOfDecisions(t *testing.T) {
	for _, test := range []struct{ name, site, err, judgeErr string }{
		{name: "alone", site: "databricks_decision {\nworkspace https://example.cloud.databricks.com\ngrpc 127.0.0.1:9191\n}"},
		{name: "nested", site: "handle /decide {\nroute {\ndatabricks_decision {\nworkspace https://example.cloud.databricks.com\n}\n}\n}"},
		{name: "beside a gateway with the same rules", site: "databricks_decision /decide {\nworkspace https://example.cloud.databricks.com\n}\ndatabricks_gateway https://example.cloud.databricks.com"},
		{
			name: "beside a gateway with other rules", judgeErr: "handlers with different rules",
			site: "databricks_decision /decide {\nworkspace https://example.cloud.databricks.com\nunscoped_tokens deny\n}\ndatabricks_gateway https://example.cloud.databricks.com",
		},
		{name: "wrong", site: "databricks_decision {\nworkspace https://example.cloud.databricks.com\nprefix /envoy\n}", err: "prefix is for dialect envoy"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "Caddyfile")
			if err := os.WriteFile(file, []byte("http://:8080 {\n"+test.site+"\n}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			config, err := loadConfig(file, "")
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("%v, want %q", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if w := config.Workspaces; len(w) != 1 || w[0].URL != "https://example.cloud.databricks.com" {
				t.Errorf("workspaces %v", w)
			}
			if _, err := config.Judge(); (err == nil) != (test.judgeErr == "") || err != nil && !strings.Contains(err.Error(), test.judgeErr) {
				t.Errorf("judge: %v, want %q", err, test.judgeErr)
			}
		})
	}
}

// TestLoadConfigOfSeveral: each workspace has its own credential, and rules that differ are a
// problem of who judges by them.
func TestLoadConfigOfSeveral(t *testing.T) {
	t.Setenv("TOKEN_A", "hush-a")
	t.Setenv("TOKEN_B", "hush-b")
	t.Setenv("TOKEN_C", "hush-c")
	file := filepath.Join(t.TempDir(), "Caddyfile")
	const content = `{
	databricks {
		workspace a https://a.cloud.databricks.com {
			admin {
				token {env.TOKEN_A}
			}
		}
		workspace b https://b.cloud.databricks.com {
			admin {
				token {env.TOKEN_B}
			}
		}
		workspace c https://c.cloud.databricks.com {
			admin {
				token {env.TOKEN_C}
			}
		}
		workspace unused https://d.cloud.databricks.com
	}
}
http://:8080 {
	databricks_gateway b
}
http://:8081 {
	databricks_gateway a {
		unscoped_tokens deny
	}
}
http://:8082 {
	databricks_authority {
		workspace c
		token {env.T}
	}
}
`
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := loadConfig(file, "")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, w := range config.Workspaces {
		token, err := w.Admin.Token()
		if err != nil {
			t.Error(err)
		}
		got = append(got, w.String()+" "+token)
	}
	if want := "a (https://a.cloud.databricks.com) hush-a, b (https://b.cloud.databricks.com) hush-b, c (https://c.cloud.databricks.com) hush-c"; strings.Join(got, ", ") != want {
		t.Errorf("got %q", got)
	}
	if _, err := config.Judge(); err == nil || !strings.Contains(err.Error(), "different rules") {
		t.Errorf("judge: %v", err)
	}
}
