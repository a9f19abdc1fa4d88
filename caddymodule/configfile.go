package caddymodule

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/caddyserver/caddy/v2"

	"github.com/scopegate/scopegate/internal/caddyserver"
	"github.com/scopegate/scopegate/internal/cli"
	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/scopes"
)

// loadConfig reads a configuration file for a command. It needs no network and no
// secrets.
func loadConfig(path, adapter string) (cli.Config, error) {
	handlers, err := readHandlers(path, adapter)
	switch {
	case err != nil:
		return cli.Config{}, err
	case len(handlers) == 0:
		return cli.Config{}, fmt.Errorf("%s has no databricks_scopes or databricks_gateway to judge by", path)
	}
	first := handlers[0]
	key, err := first.offlineKey(first.enforcer.Judge().Catalog)
	for _, other := range handlers[1:] {
		if otherKey, otherErr := other.offlineKey(other.enforcer.Judge().Catalog); err == nil && otherErr == nil && otherKey != key {
			return cli.Config{}, fmt.Errorf("%s has %d databricks_scopes handlers with different rules; give a file with the one to judge by", path, len(handlers))
		}
	}
	by := *first.enforcer.Judge()
	by.Rules.Learned = nil // only a running gateway knows it
	config := cli.Config{
		Workspace: first.workspace.url,
		Judge:     func() (*judge.Judge, error) { return &by, err },
	}
	config.MapDate = first.workspace.inForce.Load().BasedOn
	if admin := first.workspace.options.Admin; admin != nil {
		config.Admin = admin.credential()
	}
	return config, nil
}

// offlineKey is the same for handlers that give the same answers offline.
func (h *Handler) offlineKey(catalog *scopes.Catalog) (string, error) {
	rules, err := Rules{UnscopedTokens: h.UnscopedTokens, Policies: h.Policies}.hash()
	return rules + " " + catalog.Version(), err
}

// readHandlers returns the databricks_scopes handlers of a configuration file, with
// what the app and other handlers say about their workspaces.
func readHandlers(path, adapter string) ([]*Handler, error) {
	content, err := caddyserver.ReadConfig(path, adapter)
	if err != nil {
		return nil, err
	}
	handlers, err := parseHandlers(content)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return handlers, nil
}

func parseHandlers(content []byte) ([]*Handler, error) {
	var document struct {
		Apps struct {
			Databricks App             `json:"databricks"`
			HTTP       json.RawMessage `json:"http"`
		} `json:"apps"`
	}
	if err := json.Unmarshal(content, &document); err != nil {
		return nil, err
	}
	var http any
	if document.Apps.HTTP != nil {
		if err := json.Unmarshal(document.Apps.HTTP, &http); err != nil {
			return nil, err
		}
	}
	handlers, err := findHandlers(http)
	if err != nil {
		return nil, err
	}
	workspaces, err := newRegistry(document.Apps.Databricks.Workspaces, writtenWorkspace, nil)
	if err != nil {
		return nil, err
	}
	for _, h := range handlers {
		if err := h.Validate(); err != nil {
			return nil, err
		}
		if h.workspace, err = workspaces.join(h); err != nil {
			return nil, err
		}
	}
	return handlers, nil
}

// writtenWorkspace takes a workspace as it is written, with placeholders replaced. One
// without a value stays, which is an error where it is used: the environment's
// workspace may be another one.
func writtenWorkspace(configured string, _ *Admin) (string, error) {
	return normalURL(cmp.Or(caddy.NewReplacer().ReplaceKnown(configured, ""), configured)), nil
}

// findHandlers looks for handlers wherever routes can be nested.
func findHandlers(node any) (found []*Handler, err error) {
	var children []any
	switch node := node.(type) {
	case []any:
		children = node
	case map[string]any:
		if node["handler"] == "databricks_scopes" {
			delete(node, "handler")
			encoded, err := json.Marshal(node)
			if err != nil {
				return nil, err
			}
			handler := new(Handler)
			return []*Handler{handler}, json.Unmarshal(encoded, handler)
		}
		for _, key := range slices.Sorted(maps.Keys(node)) {
			children = append(children, node[key])
		}
	}
	for _, child := range children {
		more, err := findHandlers(child)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found, nil
}
