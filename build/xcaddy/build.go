package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/caddyserver/xcaddy"
)

// document is xcaddy.json: a builder, and a description of what it builds.
type document struct {
	xcaddy.Builder
	Caddy struct {
		// ModuleID is the Caddy module that the result must have.
		ModuleID string `json:"module_id"`
	} `json:"caddy"`
}

func run(ctx context.Context, config, output string) error {
	document, err := readDocument(config)
	if err != nil {
		return err
	}
	if err := document.Build(ctx, output); err != nil {
		return fmt.Errorf("building: %w", err)
	}
	modules, err := listModules(ctx, output)
	if err != nil {
		return err
	}
	if wanted := document.Caddy.ModuleID; !slices.Contains(modules, wanted) {
		return fmt.Errorf("%s was built, but its list-modules does not contain %s; check plugins in %s", output, wanted, config)
	}
	log.Printf("[INFO] %s has %s", output, document.Caddy.ModuleID)
	return nil
}

func readDocument(config string) (document, error) {
	content, err := os.ReadFile(config)
	if err != nil {
		return document{}, fmt.Errorf("reading what to build: %w", err)
	}
	var d document
	if err := json.Unmarshal(content, &d); err != nil {
		return document{}, fmt.Errorf("reading %s: %w", config, err)
	}
	switch {
	case d.CaddyVersion == "" || len(d.Plugins) == 0:
		return document{}, fmt.Errorf("%s names no caddy_version or no plugins; without them the build would be of the newest Caddy, or of plain Caddy", config)
	case d.Caddy.ModuleID == "":
		return document{}, fmt.Errorf("%s names no module_id in caddy; without it the build cannot be checked", config)
	}
	// xcaddy builds in a temporary directory, where relative paths would not resolve.
	dir, err := filepath.Abs(filepath.Dir(config))
	if err != nil {
		return document{}, err
	}
	for i, replacement := range d.Replacements {
		if path := string(replacement.New); path == "." || strings.HasPrefix(path, "./") || strings.HasPrefix(path, "../") {
			d.Replacements[i].New = xcaddy.ReplacementPath(filepath.Join(dir, path))
		}
	}
	return d, nil
}

func listModules(ctx context.Context, binary string) ([]string, error) {
	path, err := filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	output, err := exec.CommandContext(ctx, path, "list-modules").Output()
	if err != nil {
		return nil, fmt.Errorf("running %s list-modules: %w", binary, err)
	}
	return strings.Fields(string(output)), nil
}
