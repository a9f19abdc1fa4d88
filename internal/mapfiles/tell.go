package mapfiles

import (
	"context"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/scopegate/scopegate/internal/mapimpact"
	"github.com/scopegate/scopegate/internal/metrics"
	"github.com/scopegate/scopegate/internal/replay"
	"github.com/scopegate/scopegate/internal/routesfile"
	"github.com/scopegate/scopegate/internal/sanitize"
)

// Names of events.
const (
	// EventChanged: changed files are in force. Data: workspace, catalog (version of the
	// map), before (that of the last one), rows (how many).
	EventChanged = "databricks_map_changed"
	// EventRefused: changed files cannot be used, and the last map stays in force; once for
	// each change. Data: workspace, catalog (in force), problem.
	EventRefused = "databricks_map_refused"
	// EventNarrows: a map would refuse calls that passed, before it is put in force. Data:
	// workspace, catalog (in force), candidate, operations, tokens, calls (how many).
	EventNarrows = "databricks_map_narrows"
)

// eventTimeout limits how long a change waits for those who are told that it narrows.
const eventTimeout = 5 * time.Second

// maxNamed limits the operations that a log line names.
const maxNamed = 10

// Tell tells the operator what happens to maps.
type Tell struct {
	Log *zap.Logger
	// Emit emits an event, and returns when its subscribers have.
	Emit    func(event string, data map[string]any)
	Metrics *metrics.Metrics
}

// impact warns that a map would refuse calls that passed, and waits for those who are told,
// but not for long. The error is why it is not known.
func (t Tell) impact(ctx context.Context, workspace string, impact mapimpact.Impact, err error) {
	if err != nil {
		t.Log.Warn("whether the new map refuses calls that passed is not known", zap.String("workspace", workspace), zap.String("why", sanitize.Error(err).Error()))
		return
	}
	fields := []zap.Field{zap.String("workspace", workspace), zap.String("catalog", impact.Catalog), zap.String("candidate", impact.Candidate)}
	if len(impact.Notes) > 0 {
		fields = append(fields, zap.Strings("not_compared", impact.Notes))
	}
	refused := impact.Refused
	if refused.Calls == 0 {
		if len(impact.Notes) > 0 {
			t.Log.Info("the new map refuses no calls that passed, as far as is known", fields...)
		}
		return
	}
	t.Log.Warn("the new map refuses calls that passed; to see all of them once it is in force, run scopegate scopes catalog --diff <the file before> --against-usage, which lists them as permitted",
		append(fields, zap.Int("operations", refused.Operations), zap.Int("tokens", refused.Tokens), zap.Uint64("calls", refused.Calls),
			zap.Strings("first", firstOf(refused)))...)
	told := make(chan struct{})
	go func() {
		defer close(told)
		t.Emit(EventNarrows, map[string]any{
			"workspace": workspace, "catalog": impact.Catalog, "candidate": impact.Candidate,
			"operations": refused.Operations, "tokens": refused.Tokens, "calls": refused.Calls,
		})
	}()
	ctx, cancel := context.WithTimeout(ctx, eventTimeout)
	defer cancel()
	select {
	case <-told:
	case <-ctx.Done():
	}
}

// firstOf returns some of the operations that change, and how.
func firstOf(change replay.Change) (operations []string) {
	named := make(map[string]bool)
	for i := range change.Lines {
		if line := &change.Lines[i]; !named[line.Operation] && len(operations) < maxNamed {
			named[line.Operation] = true
			operations = append(operations, line.Operation+": "+line.Now+" → "+line.Then)
		}
	}
	return operations
}

// Warn logs what is most likely a mistake in the files of a map.
func (t Tell) Warn(files Files, of *Map) {
	t.warn("the map bundle: ", files.Bundle, of.MapWarnings)
	t.warn("the routes file: ", files.Routes, of.Warnings)
}

func (t Tell) warn(in, file string, warnings []routesfile.Warning) {
	for _, w := range warnings {
		t.Log.Warn(in+w.Text, zap.String("file", file), zap.Int("count", w.Count), zap.Strings("first", w.Details))
	}
}

func (t Tell) applied(workspace string, files Files, before, now *Map) {
	t.Log.Info("changed map files are in force", append(files.fields(workspace),
		zap.String("catalog", now.Catalog.Version()), zap.String("before", before.Catalog.Version()))...)
	t.Warn(files, now)
	go t.Emit(EventChanged, map[string]any{
		"workspace": workspace, "catalog": now.Catalog.Version(), "before": before.Catalog.Version(), "rows": len(now.Catalog.Operations()),
	})
}

func (t Tell) refused(workspace string, files Files, now *Map, err error) {
	problem := strings.ReplaceAll(sanitize.Error(err).Error(), "\n", "; ")
	t.Log.Error("changed map files cannot be used; the last map stays in force", append(files.fields(workspace),
		zap.String("catalog", now.Catalog.Version()), zap.String("problem", problem))...)
	go t.Emit(EventRefused, map[string]any{"workspace": workspace, "catalog": now.Catalog.Version(), "problem": problem})
}

func (t Tell) recovered(workspace string, files Files, now *Map) {
	t.Log.Info("the map files are again those in force", append(files.fields(workspace), zap.String("catalog", now.Catalog.Version()))...)
}

func (f Files) fields(workspace string) (fields []zap.Field) {
	fields = append(fields, zap.String("workspace", workspace))
	if f.Bundle != "" {
		fields = append(fields, zap.String("map", f.Bundle))
	}
	if f.Routes != "" {
		fields = append(fields, zap.String("routes", f.Routes))
	}
	return fields
}
