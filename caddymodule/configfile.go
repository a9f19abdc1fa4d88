package caddymodule

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/scopegate/scopegate/internal/cli"
	"github.com/scopegate/scopegate/internal/judge"
)

// loadConfig reads a configuration file for a command. It needs no network and no
// secrets.
func loadConfig(path, adapter string) (cli.Config, error) {
	handler, err := handlerOf(path, adapter)
	if err != nil {
		return cli.Config{}, err
	}
	if err := handler.validate(); err != nil {
		return cli.Config{}, err
	}
	config := cli.Config{
		// A placeholder without a value stays, which is an error where it is used: the
		// environment's workspace may be another one.
		Workspace: cmp.Or(caddy.NewReplacer().ReplaceKnown(handler.Workspace, ""), handler.Workspace),
		Judge:     handler.offlineJudge,
	}
	if handler.Admin != nil {
		config.Admin = handler.Admin.credential()
	}
	return config, nil
}

// offlineJudge returns a judge by the handler's rules that knows no tokens.
func (h *Handler) offlineJudge() (*judge.Judge, error) {
	catalog, err := loadCatalog(h.Routes)
	if err != nil {
		return nil, err
	}
	rules, err := h.policyRules(catalog)
	if err != nil {
		return nil, err
	}
	return &judge.Judge{Catalog: catalog, Rules: rules, Now: time.Now}, nil
}

// handlerOf returns the databricks_scopes handler of a configuration file.
func handlerOf(path, adapter string) (*Handler, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the configuration: %w", err)
	}
	if adapter == "" && filepath.Ext(path) != ".json" {
		adapter = "caddyfile"
	}
	if adapter != "" {
		a := caddyconfig.GetAdapter(adapter)
		if a == nil {
			return nil, fmt.Errorf("unknown configuration adapter %q", adapter)
		}
		if content, _, err = a.Adapt(content, map[string]any{"filename": path}); err != nil {
			return nil, fmt.Errorf("adapting %s: %w", path, err)
		}
	}
	var document any
	if err := json.Unmarshal(content, &document); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	found, err := findHandlers(document)
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading %s: %w", path, err)
	case len(found) == 0:
		return nil, fmt.Errorf("%s has no databricks_scopes or databricks_gateway to judge by", path)
	}
	for _, other := range found[1:] {
		if !found[0].judgesAs(other) {
			return nil, fmt.Errorf("%s has %d databricks_scopes handlers with different rules; give a file with the one to judge by", path, len(found))
		}
	}
	return found[0], nil
}

// findHandlers looks for the handler wherever routes can be nested.
func findHandlers(node any) (found []*Handler, err error) {
	switch node := node.(type) {
	case []any:
		for _, child := range node {
			more, err := findHandlers(child)
			if err != nil {
				return nil, err
			}
			found = append(found, more...)
		}
	case map[string]any:
		if node["handler"] == "databricks_scopes" {
			delete(node, "handler")
			encoded, err := json.Marshal(node)
			if err != nil {
				return nil, err
			}
			handler := new(Handler)
			if err := json.Unmarshal(encoded, handler); err != nil {
				return nil, err
			}
			return []*Handler{handler}, nil
		}
		for _, child := range node {
			more, err := findHandlers(child)
			if err != nil {
				return nil, err
			}
			found = append(found, more...)
		}
	}
	return found, nil
}

// judgesAs reports whether two handlers give the same answers offline.
func (h *Handler) judgesAs(other *Handler) bool {
	return h.Routes == other.Routes && h.UnscopedTokens == other.UnscopedTokens && reflect.DeepEqual(h.Policies, other.Policies)
}
