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

// wanted are the modules that the result must have.
var wanted = []string{"http.handlers.databricks_scopes"}

func run(ctx context.Context, config, output string) error {
	builder, err := readBuilder(config)
	if err != nil {
		return err
	}
	if err := builder.Build(ctx, output); err != nil {
		return fmt.Errorf("building: %w", err)
	}
	modules, err := listModules(ctx, output)
	if err != nil {
		return err
	}
	for _, module := range wanted {
		if !slices.Contains(modules, module) {
			return fmt.Errorf("%s was built, but list-modules does not name %s; check plugins in %s", output, module, config)
		}
		log.Printf("[INFO] %s has %s", output, module)
	}
	return nil
}

// readBuilder reads a document of xcaddy.Builder. Keys that it does not know
// describe the module to readers and are left alone.
func readBuilder(config string) (xcaddy.Builder, error) {
	content, err := os.ReadFile(config)
	if err != nil {
		return xcaddy.Builder{}, fmt.Errorf("reading what to build: %w", err)
	}
	var builder xcaddy.Builder
	if err := json.Unmarshal(content, &builder); err != nil {
		return xcaddy.Builder{}, fmt.Errorf("reading %s: %w", config, err)
	}
	if builder.CaddyVersion == "" || len(builder.Plugins) == 0 {
		return xcaddy.Builder{}, fmt.Errorf("%s names no caddy_version or no plugins; without them the build would be of whatever is newest, or of plain Caddy", config)
	}
	// The build happens in a temporary folder, where a relative path would lead
	// elsewhere.
	folder, err := filepath.Abs(filepath.Dir(config))
	if err != nil {
		return xcaddy.Builder{}, err
	}
	for i, replacement := range builder.Replacements {
		if path := string(replacement.New); path == "." || strings.HasPrefix(path, "./") || strings.HasPrefix(path, "../") {
			builder.Replacements[i].New = xcaddy.ReplacementPath(filepath.Join(folder, path))
		}
	}
	return builder, nil
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
