package caddymodule_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/scopegate/scopegate/caddymodule"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// separator stands between a Caddyfile and what it adapts to.
const separator = "\n----------\n"

// TestAdapt compares each testdata/adapt/*.caddyfiletest, a Caddyfile followed by
// the JSON or the error that it must give, with what it does give.
func TestAdapt(t *testing.T) {
	files, err := filepath.Glob("testdata/adapt/*.caddyfiletest")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".caddyfiletest"), func(t *testing.T) {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			input, want, _ := strings.Cut(string(content), separator)
			got := adapt(t, input)
			if *update {
				if err := os.WriteFile(file, []byte(input+separator+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
			busted := strings.HasPrefix(filepath.Base(file), "busted_")
			if busted == strings.HasPrefix(got, "{") {
				t.Error("files that must not adapt are called busted_*, and only they")
			}
			tidy := strings.TrimRight(input, "\n") + "\n"
			if formatted := string(caddyfile.Format([]byte(tidy))); !busted && formatted != tidy {
				t.Errorf("not formatted as caddy fmt would:\n%s", formatted)
			}
		})
	}
}

// adapt returns the JSON that a Caddyfile adapts to, or the error.
func adapt(t *testing.T, input string) string {
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(input), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		return err.Error() + "\n"
	}
	// What adapts must also be accepted, without network and secrets.
	var config caddy.Config
	if err := caddy.StrictUnmarshalJSON(adapted, &config); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(&config); err != nil {
		t.Errorf("adapts but does not validate: %v", err)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, adapted, "", "\t"); err != nil {
		t.Fatal(err)
	}
	return pretty.String() + "\n"
}

func TestValidateJSON(t *testing.T) {
	const workspace = `"workspace":"https://example.cloud.databricks.com"`
	for _, test := range []struct{ name, config, err string }{
		{"defaults", `{` + workspace + `}`, ""},
		{"mode", `{` + workspace + `,"mode":"report"}`, `mode must be enforce or observe, not "report"`},
		{"cors", `{` + workspace + `,"cors":["https://app.example.com:443","http://localhost:3000"]}`, ""},
		{"cors without a scheme", `{` + workspace + `,"cors":["localhost:3000"]}`, `cors: "localhost:3000" lacks its scheme`},
		{"cors with a password", `{` + workspace + `,"cors":["https://u:hush@example.com"]}`, "cors: an origin has no user name or password"},
		{"unknown field", `{` + workspace + `,"modus":"enforce"}`, `unknown field`},
		{"literal secret", `{` + workspace + `,"admin":{"client_id":"x","client_secret":"dose1234"}}`, "admin client_secret must be a placeholder"},
		{"two credentials", `{` + workspace + `,"admin":{"profile":"x","token":"{env.X}"}}`, "admin has more than one credential"},
		{"no credential", `{` + workspace + `,"admin":{}}`, "admin is empty"},
		{"half a service principal", `{` + workspace + `,"admin":{"client_id":"x"}}`, "admin has a client_id but no client_secret"},
		{"negative size", `{` + workspace + `,"cache":{"size":-1}}`, "cache size must be between 1 and"},
		{"ttl of a year", `{` + workspace + `,"cache":{"ttl":"8760h"}}`, "cache ttl must be more than 0 and at most 24h"},
		{"no stale facts", `{` + workspace + `,"cache":{"max_stale":0}}`, ""},
		{"rate", `{` + workspace + `,"lookup":{"rate":100000}}`, "lookup rate must be between 1 and 1000"},
		{"no workspace", `{}`, "no workspace is set; write workspace https://<name>.cloud.databricks.com, or set the environment variable DATABRICKS_HOST"},
		{"workspace with a password", `{"workspace":"https://u:hush@example.com"}`, "credentials belong in the admin block"},
		{"workspace with a path", `{"workspace":"https://example.com/sql"}`, "has a path"},
		{"workspace of another scheme", `{"workspace":"ftp://example.com"}`, "the scheme must be https"},
		{"routes that do not exist", `{` + workspace + `,"routes":"nowhere.tsv"}`, "reading routes: open nowhere.tsv"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("DATABRICKS_HOST", "")
			err := validateHandler(t, test.config)
			switch {
			case test.err == "" && err != nil:
				t.Error(err)
			case test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)):
				t.Errorf("got %v, want %q", err, test.err)
			case err != nil && (strings.Contains(err.Error(), "dose1234") || strings.Contains(err.Error(), "hush")):
				t.Errorf("the error holds the secret: %v", err)
			}
		})
	}
}

// validateHandler validates a configuration with one databricks_scopes handler.
func validateHandler(t *testing.T, handler string) error {
	t.Helper()
	handler = strings.Replace(handler, "{", `{"handler":"databricks_scopes",`, 1)
	handler = strings.Replace(handler, ",}", "}", 1)
	var config caddy.Config
	document := `{"admin":{"disabled":true},"logging":{"logs":{"default":{"level":"ERROR"}}},
		"apps":{"http":{"servers":{"test":{"listen":["127.0.0.1:0"],"routes":[{"handle":[` + handler + `]}]}}}}}`
	if err := caddy.StrictUnmarshalJSON([]byte(document), &config); err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	return caddy.Validate(&config)
}
