package gatewaycmd

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

var register = sync.OnceFunc(registerSafeAdapters)

// TestSafeLogging: every log gets the safe encoder, around the one that it has.
func TestSafeLogging(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{}`:             `{"logging":{"logs":{"default":{"encoder":{"format":"databricks_safe"}}}}}`,
		`{"logging":{}}`: `{"logging":{"logs":{"default":{"encoder":{"format":"databricks_safe"}}}}}`,
		`{"apps":{"x":1},"logging":{"logs":{"default":{"level":"DEBUG"},"a":{"encoder":{"format":"console"}},"b":null}}}`: `{"apps":{"x":1},"logging":{"logs":{` +
			`"a":{"encoder":{"format":"databricks_safe","wrap":{"format":"console"}}},"b":{"encoder":{"format":"databricks_safe"}},"default":{"encoder":{"format":"databricks_safe"},"level":"DEBUG"}}}}`,
		`{"logging":{"logs":{"default":{"encoder":{"format":"databricks_safe"}}}}}`: `{"logging":{"logs":{"default":{"encoder":{"format":"databricks_safe"}}}}}`,
		`null`: `null`, `[]`: `[]`, `{"logging":7}`: `{"logging":7}`, `{"logging":{"bogus":1}}`: `{"logging":{"bogus":1}}`,
	} {
		got, err := safeLogging([]byte(in))
		if err != nil || string(got) != want {
			t.Errorf("%s: %v, got\n%s, want\n%s", in, err, got, want)
		}
		again, err := safeLogging(got)
		if err != nil || string(again) != string(got) {
			t.Errorf("%s: %v, then\n%s", in, err, again)
		}
	}
	if _, err := safeLogging([]byte(`{`)); err == nil || !strings.Contains(err.Error(), "--adapter") {
		t.Errorf("got %v", err)
	}
}

// TestSafeAdapterNamesThisProgram: a warning of Caddy's names the command that there is.
func TestSafeAdapterNamesThisProgram(t *testing.T) {
	t.Parallel()
	_, warnings, err := safeAdapter{caddyconfig.GetAdapter("caddyfile")}.Adapt([]byte(":8080 {\nrespond ok\n}\n"), nil)
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0].Message, "'scopegate fmt --overwrite'") {
		t.Errorf("%v, %v", warnings, err)
	}
}

// TestWithSafeLogs: commands that load a file use the safe adapter, others are left alone.
func TestWithSafeLogs(t *testing.T) {
	register()
	t.Chdir(t.TempDir())
	for line, want := range map[string]string{
		"run --config x.json":                        "--config x.json --adapter safe-json",
		"run -c Caddyfile.prod --watch":              "--config Caddyfile.prod --adapter safe-caddyfile",
		"run --config=site.caddyfile":                "--config site.caddyfile --adapter safe-caddyfile",
		"run --config=x --adapter caddyfile":         "--config x --adapter safe-caddyfile",
		"reload --config x --adapter=caddyfile":      "--config x --adapter safe-caddyfile",
		"start -c x -a caddyfile":                    "--config x --adapter safe-caddyfile",
		"run --config x --adapter safe-caddyfile":    "",
		"run --config x --adapter bogus":             "",
		"run --adapter caddyfile":                    "",
		"run --bogus":                                "",
		"run":                                        "",
		"validate --config Caddyfile":                "",
		"adapt --config Caddyfile":                   "",
		"scopes explain GET /run --config Caddyfile": "",
		"": "",
	} {
		args := strings.Fields(line)
		expected := append(slices.Clone(args), strings.Fields(want)...)
		if got := withSafeLogs(commandTree(nil), args); !slices.Equal(got, expected) {
			t.Errorf("%s: got %q", line, got)
		}
	}
	if err := os.WriteFile(filepath.Join(".", "Caddyfile"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := withSafeLogs(commandTree(nil), []string{"run"}); strings.Join(got, " ") != "run --config Caddyfile --adapter safe-caddyfile" {
		t.Errorf("got %q", got)
	}
}
