package member

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/testing/redistest"
)

// TestDisbelief: each kind is logged at once, and then once a minute at most.
func TestDisbelief(t *testing.T) {
	t.Parallel()
	core, logged := observer.New(zapcore.WarnLevel)
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	now := start
	d := newDisbelief(new(recorder), func() *zap.Logger { return zap.New(core) }, func() time.Time { return now })
	for _, step := range []struct {
		name    string
		after   time.Duration
		kind    string
		entries int64 // that are logged, 0 for no warning
	}{
		{"the first", 0, "foreign", 1},
		{"one soon after", time.Second, "foreign", 0},
		{"another kind", time.Second, "future", 1},
		{"one within the minute", warnEvery - 1, "foreign", 0},
		{"one after the minute", warnEvery, "foreign", 3},
		{"a minute later", 2 * warnEvery, "foreign", 1},
	} {
		now = start.Add(step.after)
		d.EntryRefused(step.kind)
		entries := logged.TakeAll()
		switch {
		case step.entries == 0 && len(entries) == 0:
		case step.entries == 0 || len(entries) != 1:
			t.Errorf("%s: %d warnings", step.name, len(entries))
		default:
			fields := entries[0].ContextMap()
			if fields["kind"] != step.kind || fields["entries"] != step.entries || fields["meaning"] == "" {
				t.Errorf("%s: %v", step.name, fields)
			}
		}
	}
	foreign := fleet.Disbelieved{Kind: "foreign", Count: 5, Last: start.Add(2 * warnEvery)}
	if diff := cmp.Diff([]fleet.Disbelieved{foreign, {Kind: "future", Count: 1, Last: start.Add(time.Second)}}, d.lately()); diff != "" {
		t.Error(diff)
	}
	now = start.Add(shownFor + time.Minute)
	if diff := cmp.Diff([]fleet.Disbelieved{foreign}, d.lately()); diff != "" {
		t.Errorf("an hour later: %s", diff)
	}
}

// TestAnotherKey: two gateways with different keys notice each other, and say what to do.
func TestAnotherKey(t *testing.T) {
	t.Parallel()
	redisServer := redistest.Start(t)
	core, logged := observer.New(zapcore.WarnLevel)
	a, _ := joinWith(t, redisServer, "a", 1, zap.New(core))
	b, _ := joinWith(t, redisServer, "b", 2, zap.NewNop())
	b.Tell(token("one"))
	eventually(t, "a warning", func() bool { return logged.FilterField(zap.String("kind", "foreign")).Len() > 0 })
	if meaning := logged.All()[0].ContextMap()["meaning"].(string); !strings.Contains(meaning, fleet.SameKey) {
		t.Error(meaning)
	}
	for name, s := range map[string]*Shared{"a": a, "b": b} {
		eventually(t, name+" sees a gateway that it cannot read", func() bool {
			found := s.Status(t.Context()).Store.Disbelieved
			return len(found) == 1 && found[0].Kind == "foreign" && found[0].Count > 0
		})
	}
	if logged.FilterField(zap.String("kind", "foreign")).Len() != 1 {
		t.Errorf("logged %d times", logged.Len())
	}
}
