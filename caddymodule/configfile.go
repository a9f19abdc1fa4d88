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
	handlers, workspaces, err := readHandlers(path, adapter)
	switch {
	case err != nil:
		return cli.Config{}, err
	case len(workspaces) == 0:
		return cli.Config{}, noJudge(path)
	}
	config := cli.Config{
		Judge: func() (*judge.Judge, error) { return judgeOf(path, handlers) },
		Draft: func(of cli.FileWorkspace) (cli.Draft, error) { return draftOf(path, handlers, of) },
	}
	for _, w := range workspaces {
		file := cli.FileWorkspace{Name: w.name, URL: w.url}
		if admin := w.options.Admin; admin != nil {
			file.Admin = admin.credential()
		}
		config.Workspaces = append(config.Workspaces, file)
	}
	if len(handlers) > 0 {
		config.MapDate = handlers[0].workspace.inForce.Load().BasedOn
	}
	return config, nil
}

// judgeOf returns the judge of the handlers of a file, if all judge alike.
func judgeOf(path string, handlers []*Handler) (*judge.Judge, error) {
	if len(handlers) == 0 { // the file only answers edges
		return nil, noJudge(path)
	}
	first := handlers[0]
	key, err := first.offlineKey(first.enforcer.Judge().Catalog)
	for _, other := range handlers[1:] {
		if otherKey, otherErr := other.offlineKey(other.enforcer.Judge().Catalog); err == nil && otherErr == nil && otherKey != key {
			return nil, fmt.Errorf("%s has %d databricks_scopes handlers with different rules; give a file with the one to judge by", path, len(handlers))
		}
	}
	by := *first.enforcer.Judge()
	by.Rules.Learned = nil // only a running gateway knows it
	return &by, err
}

// draftOf returns the rules of the handlers of one workspace of a file, if all have the same.
func draftOf(path string, handlers []*Handler, of cli.FileWorkspace) (draft cli.Draft, err error) {
	for _, h := range handlers {
		if h.workspace.name != of.Name || h.workspace.url != of.URL && h.workspace.url != "" {
			continue
		}
		rules, err := h.Rules.hash()
		if err != nil {
			return cli.Draft{}, err
		}
		if draft.Handlers++; draft.Handlers == 1 {
			by := *h.enforcer.Judge()
			by.Rules.Learned, by.Tokens = nil, nil // only a running gateway has them
			draft.Judge, draft.Rules, draft.Learned = &by, rules, h.workspace.options.LearnedRoutes
		}
		if draft.Rules != rules {
			return cli.Draft{}, fmt.Errorf("%s has several databricks_scopes handlers with different rules for %s; give a file with the one to judge by", path, of)
		}
	}
	if draft.Judge == nil {
		return cli.Draft{}, noJudge(path)
	}
	return draft, nil
}

func noJudge(path string) error {
	return fmt.Errorf("%s has no databricks_scopes or databricks_gateway to judge by", path)
}

// offlineKey is the same for handlers that give the same answers offline.
func (h *Handler) offlineKey(catalog *scopes.Catalog) (string, error) {
	rules, err := Rules{UnscopedTokens: h.UnscopedTokens, Policies: h.Policies}.hash()
	return rules + " " + catalog.Version(), err
}

// readHandlers returns the databricks_scopes handlers of a configuration file, with
// what the app and other handlers say about their workspaces, and all workspaces that they
// and databricks_authority handlers use.
func readHandlers(path, adapter string) ([]*Handler, []*workspace, error) {
	content, err := caddyserver.ReadConfig(path, adapter)
	if err != nil {
		return nil, nil, err
	}
	handlers, workspaces, err := parseHandlers(content)
	if err != nil {
		return nil, nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return handlers, workspaces, nil
}

func parseHandlers(content []byte) (handlers []*Handler, used []*workspace, err error) {
	var document struct {
		Apps struct {
			Databricks App             `json:"databricks"`
			HTTP       json.RawMessage `json:"http"`
		} `json:"apps"`
	}
	if err := json.Unmarshal(content, &document); err != nil {
		return nil, nil, err
	}
	var http any
	if document.Apps.HTTP != nil {
		if err := json.Unmarshal(document.Apps.HTTP, &http); err != nil {
			return nil, nil, err
		}
	}
	if handlers, err = findHandlers[Handler](http, "databricks_scopes"); err != nil {
		return nil, nil, err
	}
	decisions, err := findHandlers[Decision](http, "databricks_decision")
	if err != nil {
		return nil, nil, err
	}
	for _, d := range decisions {
		handlers = append(handlers, &d.Handler)
	}
	authorities, err := findHandlers[Authority](http, "databricks_authority")
	if err != nil {
		return nil, nil, err
	}
	workspaces, err := newRegistry(document.Apps.Databricks.Workspaces, writtenWorkspace, nil)
	if err != nil {
		return nil, nil, err
	}
	for _, h := range handlers {
		if err := h.Validate(); err != nil {
			return nil, nil, err
		}
		if h.workspace, err = workspaces.join(h); err != nil {
			return nil, nil, err
		}
	}
	for _, a := range authorities {
		if err := a.Validate(); err != nil {
			return nil, nil, err
		}
		if _, err := workspaces.joinAuthority(a); err != nil {
			return nil, nil, err
		}
	}
	return handlers, workspaces.used(), nil
}

// writtenWorkspace takes a workspace as it is written, with placeholders replaced. One
// without a value stays, which is an error where it is used: the environment's
// workspace may be another one.
func writtenWorkspace(configured string, _ *Admin) (string, error) {
	return normalURL(cmp.Or(caddy.NewReplacer().ReplaceKnown(configured, ""), configured)), nil
}

// findHandlers looks for handlers of a name wherever routes can be nested.
func findHandlers[H any](node any, name string) (found []*H, err error) {
	var children []any
	switch node := node.(type) {
	case []any:
		children = node
	case map[string]any:
		if node["handler"] == name {
			without := maps.Clone(node)
			delete(without, "handler")
			encoded, err := json.Marshal(without)
			if err != nil {
				return nil, err
			}
			handler := new(H)
			return []*H{handler}, json.Unmarshal(encoded, handler)
		}
		for _, key := range slices.Sorted(maps.Keys(node)) {
			children = append(children, node[key])
		}
	}
	for _, child := range children {
		more, err := findHandlers[H](child, name)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found, nil
}
