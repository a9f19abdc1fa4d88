package caddymodule

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/buildinfo"
	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/fleet/edge"
	"github.com/scopegate/scopegate/internal/fleet/redis"
	"github.com/scopegate/scopegate/internal/preflight"
	"github.com/scopegate/scopegate/internal/secretref"
	"github.com/scopegate/scopegate/internal/tokens"
)

// Preflight returns what the handlers of a configuration, in JSON, need: workspaces, secrets,
// and files for records. It uses no network and reads no secret.
func Preflight(content []byte) (preflight.Plan, error) {
	_, workspaces, err := parseHandlers(content)
	if err != nil {
		return preflight.Plan{}, err
	}
	var plan preflight.Plan
	for _, w := range workspaces {
		if w.url == "" {
			if w.url, err = resolveWorkspace("", w.options.Admin); err != nil {
				return plan, err
			}
		}
		planned, err := w.preflight()
		if err != nil {
			return plan, fmt.Errorf("workspace %s: %w", w.url, err)
		}
		plan.Workspaces = append(plan.Workspaces, planned)
	}
	var document any
	if err := json.Unmarshal(content, &document); err != nil {
		return plan, err
	}
	findNeeds(document, false, &plan)
	for _, list := range []*[]string{&plan.Secrets, &plan.Files} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return plan, nil
}

// preflight returns what is needed to try the workspace.
func (w *workspace) preflight() (preflight.Workspace, error) {
	planned := preflight.Workspace{URL: w.url}
	if admin := w.options.Admin; admin != nil {
		planned.Admin = admin.credential()
	}
	if w.options.Admin.isEdge() {
		settings, err := w.options.Admin.Authority.settings(w.options.settings().Timeout)
		if err != nil {
			return planned, err
		}
		for _, url := range settings.URLs {
			planned.Authorities = append(planned.Authorities, preflight.Authority{URL: url, Open: func() tokens.Service { return settings.open(url, w.url) }})
		}
	}
	if w.options.Fleet != nil {
		settings, err := w.options.Fleet.settings()
		if err != nil {
			return planned, err
		}
		planned.Store = &preflight.Store{Address: strings.Join(settings.Addresses, ", "), Ping: settings.ping}
	}
	return planned, nil
}

// open returns a client of one authority.
func (s *AuthoritySettings) open(url, workspace string) tokens.Service {
	return edge.Open(edge.Options{
		URLs: []string{url}, WorkspaceURL: workspace,
		Token: s.Token, ClientCertificate: s.ClientCertificate, ClientKey: s.ClientKey, Trust: s.Trust,
		Name: s.Name, Version: buildinfo.Version(), Timeout: s.Timeout,
		Apply: func(fleet.Change) {}, Reset: func() {}, Observer: fleet.NoObserver{}, Upstream: func(error) {},
		Logger: zap.NewNop, Now: time.Now,
	})
}

// ping connects to the store, and reads the fleet's keys.
func (s *FleetSettings) ping(ctx context.Context) error {
	if _, err := s.sealing(); err != nil {
		return err
	}
	conn := redis.Open(redis.Options{
		Addresses: s.Addresses, Database: s.Database, Secure: s.FleetServer.TLS, Sentinel: s.Sentinel,
		Username: s.Username, Password: s.Password, TLS: redis.TLS(s.TLS),
	})
	defer conn.Close()
	if err := conn.AwaitUp(ctx); err != nil {
		if _, _, reason := conn.Up(); reason != nil {
			err = reason
		}
		return fmt.Errorf("the store cannot be used: %w", err)
	}
	return nil
}

// findNeeds looks for what stands for secrets in our own part of a configuration, and for the
// files of log writers in all of it.
func findNeeds(node any, ours bool, plan *preflight.Plan) {
	switch node := node.(type) {
	case string:
		if ours && secretref.IsOne(node) {
			plan.Secrets = append(plan.Secrets, node)
		}
	case []any:
		for _, child := range node {
			findNeeds(child, ours, plan)
		}
	case map[string]any:
		if path, ok := node["filename"].(string); ok && node["output"] == "file" {
			plan.Files = append(plan.Files, path)
		}
		if handler, _ := node["handler"].(string); slices.Contains([]string{"databricks_scopes", "databricks_authority", "databricks_console"}, handler) {
			ours = true
		}
		for _, key := range slices.Sorted(maps.Keys(node)) {
			if path, ok := node[key].(string); ok && ours && key == "client_key" {
				plan.Secrets = append(plan.Secrets, path)
			}
			findNeeds(node[key], ours || key == appName, plan)
		}
	}
}
