package caddyserver

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// ReadConfig reads a configuration file for a command, and returns it as JSON. An empty
// adapter means the one that fits the file's name.
func ReadConfig(path, adapter string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	if adapter == "" && filepath.Ext(path) != ".json" {
		adapter = "caddyfile"
	}
	if adapter == "" {
		return content, nil
	}
	a := caddyconfig.GetAdapter(adapter)
	if a == nil {
		return nil, fmt.Errorf("unknown configuration adapter %q", adapter)
	}
	if content, _, err = a.Adapt(content, map[string]any{"filename": path}); err != nil {
		return nil, fmt.Errorf("adapting %s: %w", path, err)
	}
	return content, nil
}

// readAdmin returns the settings of the admin API in a configuration file.
func readAdmin(path, adapter string) (admin caddy.AdminConfig, err error) {
	content, err := ReadConfig(path, adapter)
	if err != nil {
		return admin, err
	}
	var document struct {
		Admin *caddy.AdminConfig `json:"admin"`
	}
	document.Admin = &admin
	if err := json.Unmarshal(content, &document); err != nil {
		return admin, fmt.Errorf("reading %s: %w", path, err)
	}
	return admin, nil
}
