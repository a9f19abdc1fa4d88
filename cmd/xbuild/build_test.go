package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadBuilder(t *testing.T) {
	for _, test := range []struct{ name, content, err string }{
		{"good", `{"caddy_version":"v2.11.9","plugins":[{"module_path":"example.com/x"}],"name":"described"}`, ""},
		{"no JSON", `caddy`, "reading"},
		{"no version", `{"plugins":[{"module_path":"example.com/x"}]}`, "names no caddy_version"},
		{"no plugins", `{"caddy_version":"v2.11.9"}`, "no plugins"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "xcaddy.json")
			if err := os.WriteFile(file, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := readBuilder(file)
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("got %v, want %q", err, test.err)
			}
		})
	}
}

// TestShippedDocument holds the repository's own xcaddy.json to the versions that
// go.mod builds and tests with.
func TestShippedDocument(t *testing.T) {
	builder, err := readBuilder("../../xcaddy.json")
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if len(builder.Replacements) != 1 || string(builder.Replacements[0].New) != root {
		t.Errorf("replacements: %v", builder.Replacements)
	}
	module, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if line := "github.com/caddyserver/caddy/v2 " + builder.CaddyVersion + "\n"; !strings.Contains(string(module), line) {
		t.Errorf("xcaddy.json builds Caddy %s, go.mod another", builder.CaddyVersion)
	}
}
