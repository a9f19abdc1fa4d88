package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadDocument(t *testing.T) {
	for _, test := range []struct{ name, content, err string }{
		{"good", `{"caddy_version":"v2.11.9","plugins":[{"module_path":"example.com/x"}],"name":"described","caddy":{"module_id":"x"}}`, ""},
		{"no JSON", `caddy`, "reading"},
		{"no version", `{"plugins":[{"module_path":"example.com/x"}]}`, "names no caddy_version"},
		{"no module", `{"caddy_version":"v2.11.9","plugins":[{"module_path":"example.com/x"}]}`, "no module_id"},
		{"no plugins", `{"caddy_version":"v2.11.9"}`, "no plugins"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "xcaddy.json")
			if err := os.WriteFile(file, []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := readDocument(file)
			if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("got %v, want %q", err, test.err)
			}
		})
	}
}

// TestShippedDocument checks that xcaddy.json builds this repository, with the Caddy
// version in its go.mod.
func TestShippedDocument(t *testing.T) {
	document, err := readDocument("../../xcaddy.json")
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	if len(document.Replacements) != 1 || string(document.Replacements[0].New) != root {
		t.Errorf("replacements: %v", document.Replacements)
	}
	module, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if line := "github.com/caddyserver/caddy/v2 " + document.CaddyVersion + "\n"; !strings.Contains(string(module), line) {
		t.Errorf("xcaddy.json builds Caddy %s, go.mod another", document.CaddyVersion)
	}
}
