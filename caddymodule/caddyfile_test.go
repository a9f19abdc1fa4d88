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
	_ "github.com/scopegate/scopegate/internal/caddymodules"

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
		{"audit format", `{` + workspace + `,"audit":{"format":"cef","output":{"output":"stdout"}}}`, `audit format must be json or ocsf, not "cef"`},
		{"audit format without an output", `{` + workspace + `,"audit":{"format":"ocsf"}}`, "audit format ocsf is that of the output, and there is none; add one"},
		{"no workspace", `{}`, "no workspace is set; write workspace https://<name>.cloud.databricks.com, or set the environment variable DATABRICKS_HOST"},
		{"workspace with a password", `{"workspace":"https://u:hush@example.com"}`, "credentials belong in the admin block"},
		{"workspace with a path", `{"workspace":"https://example.com/sql"}`, "has a path"},
		{"workspace of another scheme", `{"workspace":"ftp://example.com"}`, "the scheme must be https"},
		{"routes that do not exist", `{` + workspace + `,"routes":"nowhere.tsv"}`, "reading routes: open nowhere.tsv"},
		{"fleet", `{` + workspace + `,"fleet":{"url":"redis://h","key":["{env.K}"]}}`, ""},
		{"fleet without a key", `{` + workspace + `,"fleet":{"url":"redis://h"}}`, "fleet needs a key"},
		{"fleet with a literal key", `{` + workspace + `,"fleet":{"url":"redis://h","key":["hush"]}}`, "fleet key must be a placeholder"},
		{"fleet without a URL", `{` + workspace + `,"fleet":{"key":["{env.K}"]}}`, "fleet needs the URL"},
		{"fleet with half a certificate", `{` + workspace + `,"fleet":{"url":"rediss://h","key":["{env.K}"],"tls":{"client_key":"k"}}}`, "half a client certificate"},
		{"edge", `{` + workspace + `,"admin":{"authority":{"urls":["https://a"],"token":"{env.T}"}}}`, ""},
		{"edge with a credential", `{` + workspace + `,"admin":{"profile":"x","authority":{"urls":["https://a"],"token":"{env.T}"}}}`, "an edge holds no credential of the workspace"},
		{"edge with sync", `{` + workspace + `,"sync":"1m","admin":{"authority":{"urls":["https://a"],"token":"{env.T}"}}}`, "sync and admin authority cannot be combined"},
		{"edge with a fleet", `{` + workspace + `,"fleet":{"url":"redis://h","key":["{env.K}"]},"admin":{"authority":{"urls":["https://a"],"token":"{env.T}"}}}`, "fleet and admin authority cannot be combined"},
		{"edge without URLs", `{` + workspace + `,"admin":{"authority":{"token":"{env.T}"}}}`, "admin authority needs the URL"},
		{"edge with a long name", `{` + workspace + `,"admin":{"authority":{"urls":["https://a"],"token":"{env.T}","name":"` + strings.Repeat("x", 129) + `"}}}`, "the name has 129 bytes"},
		{"edge with half a certificate", `{` + workspace + `,"admin":{"authority":{"urls":["https://a"],"client_key":"k"}}}`, "half a client certificate"},
		{"edge with a bad URL", `{` + workspace + `,"admin":{"authority":{"urls":["a:9443:1"],"token":"{env.T}"}}}`, "a URL is not one of an authority"},
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

// TestValidateAuthority: what a Caddyfile cannot say, or another handler says.
func TestValidateAuthority(t *testing.T) {
	const (
		scopes   = `{"handler":"databricks_scopes","workspace":"https://example.cloud.databricks.com"`
		edge     = scopes + `,"admin":{"authority":{"urls":["https://a"],"token":"{env.T}"}}}`
		start    = `{"handler":"databricks_authority","workspace":"https://example.cloud.databricks.com"`
		accounts = start + `,"kubernetes":{"issuer":"https://k","audience":"a","service_accounts":["a/b"]`
	)
	for _, test := range []struct{ name, handlers, err string }{
		{"alone", start + `,"tokens":["{env.T}"]}`, ""},
		{"twice the same", start + `,"tokens":["{env.T}"]},` + start + `,"tokens":["{env.T}"]}`, ""},
		{"twice, differently", start + `,"tokens":["{env.T}"]},` + start + `,"tokens":["{env.U}"]}`, "two different databricks_authority handlers"},
		{"beside a gateway", scopes + `},` + start + `,"tokens":["{env.T}"]}`, ""},
		{"of an edge", edge + "," + start + `,"tokens":["{env.T}"]}`, "an edge cannot be an authority"},
		{"of what is stated to be an edge later", start + `,"tokens":["{env.T}"]},` + edge, "an edge cannot be an authority"},
		{"for nobody", start + `}`, "lets nobody in"},
		{"without a workspace", `{"handler":"databricks_authority","tokens":["{env.T}"]}`, "no workspace is set"},
		{"of a workspace in the clear", `{"handler":"databricks_authority","workspace":"http://example.com","tokens":["{env.T}"]}`, "is not encrypted"},
		{"literal token", start + `,"tokens":["hush"]}`, "databricks_authority token must be a placeholder"},
		{"empty token", start + `,"tokens":[""]}`, "databricks_authority token is empty"},
		{"any certificate", start + `,"client_certificate":{}}`, ""},
		{"a certificate without a name", start + `,"client_certificate":{"names":[""]}}`, "client_certificate has an empty name"},
		{"service accounts", accounts + `}}`, ""},
		{"keys from a file", accounts + `,"jwks":"/keys.json"}}`, ""},
		{"keys with a password", accounts + `,"jwks":"https://u:hush@k/keys"}}`, "kubernetes jwks must be an https:// URL without user name"},
		{"limits", start + `,"tokens":["{env.T}"],"limits":{"rate":-1}}`, "limits rate must be between 1 and 10000, not -1"},
		{"too many edges", start + `,"tokens":["{env.T}"],"limits":{"edges":100001}}`, "limits edges must be between 1 and 100000"},
		{"unknown field", start + `,"token":"{env.T}"}`, "unknown field"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("DATABRICKS_HOST", "")
			err := validateHandlers(t, test.handlers)
			switch {
			case (err == nil) != (test.err == ""), err != nil && !strings.Contains(err.Error(), test.err):
				t.Errorf("got %v, want %q", err, test.err)
			case err != nil && strings.Contains(err.Error(), "hush"):
				t.Errorf("the error holds the secret: %v", err)
			}
		})
	}
}

// validateHandler validates a configuration with one databricks_scopes handler.
func validateHandler(t *testing.T, handler string) error {
	t.Helper()
	handler = strings.Replace(handler, "{", `{"handler":"databricks_scopes",`, 1)
	return validateHandlers(t, strings.Replace(handler, ",}", "}", 1))
}

// validateHandlers validates a configuration with handlers, which commas separate.
func validateHandlers(t *testing.T, handlers string) error {
	t.Helper()
	var config caddy.Config
	document := `{"admin":{"disabled":true},"logging":{"logs":{"default":{"level":"ERROR"}}},
		"apps":{"http":{"servers":{"test":{"listen":["127.0.0.1:0"],"routes":[{"handle":[` + handlers + `]}]}}}}}`
	if err := caddy.StrictUnmarshalJSON([]byte(document), &config); err != nil {
		t.Fatalf("%s: %v", document, err)
	}
	return caddy.Validate(&config)
}
