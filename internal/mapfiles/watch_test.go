package mapfiles

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/mapbundle"
	"github.com/scopegate/scopegate/internal/metrics"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

func keyOf(seed string) mapbundle.PrivateKey {
	sum := sha256.Sum256([]byte(seed))
	return mapbundle.PrivateKey(ed25519.NewKeyFromSeed(sum[:]))
}

// rig is a watch and what it tells.
type rig struct {
	*Watch
	t      *testing.T
	folder string
	logs   *observer.ObservedLogs
	mu     sync.Mutex
	events []string
	// catalogs that were in force when something was told
	told    []string
	refuses error // of Prepare
	usage   usage.State
	tokens  []*tokens.Info
	onEvent func(name string)
}

func newRig(t *testing.T, files func(folder string) Files) *rig {
	t.Helper()
	core, logs := observer.New(zapcore.InfoLevel)
	r := &rig{t: t, folder: t.TempDir(), logs: logs}
	r.Watch = &Watch{Workspace: "https://w.example.com", InForce: new(atomic.Pointer[InForce])}
	r.Files = files(r.folder)
	r.Files.Now = func() time.Time { return scopes.Date() } // that of synctest is before it
	r.Prepare = func(catalog *scopes.Catalog) ([]*judge.Judge, error) {
		return []*judge.Judge{{Catalog: catalog, Now: time.Now}}, r.refuses
	}
	r.Seen = Seen{
		Usage:  func(context.Context) (usage.State, error) { return r.usage, nil },
		Tokens: func(context.Context) ([]*tokens.Info, error) { return r.tokens, nil },
		Owner:  func(info *tokens.Info) tokens.Principal { return info.Owner },
	}
	r.Tell = Tell{Log: zap.New(core), Metrics: metrics.New(), Emit: func(name string, _ map[string]any) {
		r.mu.Lock()
		r.events = append(r.events, name)
		r.told = append(r.told, r.InForce.Load().Catalog.Version())
		r.mu.Unlock()
		if r.onEvent != nil {
			r.onEvent(name)
		}
	}}
	return r
}

// load puts in force what is on disk, as a configuration does, and starts the watch.
func (r *rig) load() {
	r.t.Helper()
	loaded, err := r.Files.Load()
	if err != nil {
		r.t.Fatal(err)
	}
	judges, err := r.Prepare(loaded.Catalog)
	if err != nil {
		r.t.Fatal(err)
	}
	r.InForce.Store(&InForce{Map: loaded, Judges: judges})
	r.Start()
}

func (r *rig) write(name, content string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.folder, name), []byte(content), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// bundle writes a signed bundle.
func (r *rig) bundle(name string, rows string, basedOn, made time.Time, key mapbundle.PrivateKey) {
	r.t.Helper()
	parsed, err := scopes.Parse(strings.NewReader(rows), "rows")
	if err != nil {
		r.t.Fatal(err)
	}
	catalog, err := scopes.New(parsed)
	if err != nil {
		r.t.Fatal(err)
	}
	content, err := mapbundle.Write(catalog, basedOn, made)
	if err == nil {
		content, err = mapbundle.Sign(content, key)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	r.write(name, string(content))
}

// looks lets the watch look a number of times.
func looks(n int) {
	time.Sleep(time.Duration(n) * interval)
	synctest.Wait()
}

// needs returns what the map in force says a path needs.
func (r *rig) needs(path string) string {
	r.t.Helper()
	now := r.InForce.Load()
	if now.Judges[0].Catalog != now.Catalog {
		r.t.Error("the judge has another catalog")
	}
	readings, err := now.Catalog.Read("GET", path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.Join(readings[0].Operation.AnyOf, ",")
}

// refusedNow returns the metric scopegate_map_refused.
func (r *rig) refusedNow() float64 {
	r.t.Helper()
	registry := prometheus.NewRegistry()
	if err := r.Tell.Metrics.Register(registry); err != nil {
		r.t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "scopegate_map_refused" {
			return f.GetMetric()[0].GetGauge().GetValue()
		}
	}
	r.t.Fatal("no metric")
	return 0
}

func (r *rig) eventsSoFar() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.events)
}

func routesOnly(folder string) Files { return Files{Routes: filepath.Join(folder, "routes.tsv")} }

const row = "GET\t/api/2.0/x\t%s\n"

func TestRoutesChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, routesOnly)
		r.write("routes.tsv", fmt.Sprintf(row, "sql"))
		r.load()
		defer r.Close()
		looks(5)
		if got := r.needs("/api/2.0/x"); got != "sql" || len(r.eventsSoFar()) > 0 || r.logs.Len() > 0 {
			t.Fatalf("%s, %v, %v", got, r.eventsSoFar(), r.logs.All())
		}
		first := r.InForce.Load()

		r.write("routes.tsv", fmt.Sprintf(row, "jobs"))
		looks(2)
		if got := r.needs("/api/2.0/x"); got != "jobs" {
			t.Errorf("needs %s", got)
		}
		if r.InForce.Load().Catalog.Version() == first.Catalog.Version() {
			t.Error("the version stayed")
		}
		if got := r.logs.FilterMessage("changed map files are in force").Len(); got != 1 {
			t.Errorf("%v", r.logs.All())
		}

		for _, broken := range []string{"GET\t/api/2.0/x\n", "\x00", "GET\t/api/2.0/x\tpublic\nGET\t/{a...}\tpublic\n", "GET\t/api/2.0/a\tsql\toperator\ta.B\tx\nGET\t/api/2.0/b\tjobs\toperator\ta.B\tx\n"} {
			before, events := r.InForce.Load(), len(r.eventsSoFar())
			r.write("routes.tsv", broken)
			looks(10)
			if r.InForce.Load() != before {
				t.Errorf("%q is in force", broken)
			}
			if got := r.eventsSoFar()[events:]; !slices.Equal(got, []string{EventRefused}) {
				t.Errorf("%q: %v", broken, got)
			}
		}
		if got := r.logs.FilterMessage("changed map files cannot be used; the last map stays in force").FilterLevelExact(zapcore.ErrorLevel).Len(); got != 4 {
			t.Errorf("%d errors: %v", got, r.logs.All())
		}

		r.write("routes.tsv", fmt.Sprintf(row, "jobs"))
		looks(3)
		if got := r.logs.FilterMessage("the map files are again those in force").Len(); got != 1 {
			t.Errorf("%v", r.logs.All())
		}
		if err := os.Remove(r.Files.Routes); err != nil {
			t.Fatal(err)
		}
		looks(5)
		if got := r.needs("/api/2.0/x"); got != "jobs" {
			t.Errorf("a file that is gone is taken for one without rows: %s", got)
		}
		r.write("routes.tsv", fmt.Sprintf(row, "files"))
		looks(3)
		if got := r.needs("/api/2.0/x"); got != "files" {
			t.Errorf("needs %s", got)
		}
	})
}

// TestHalfWritten: what is seen only once does not count.
func TestHalfWritten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, routesOnly)
		full := fmt.Sprintf(row, "sql") + "GET\t/api/2.0/y\tjobs\n"
		r.write("routes.tsv", full)
		r.load()
		defer r.Close()
		before := r.InForce.Load()
		for _, half := range []string{"", fmt.Sprintf(row, "sql"), "GET\t/api", full + "GE"} {
			r.write("routes.tsv", half)
			looks(1)
		}
		r.write("routes.tsv", full)
		looks(5)
		if r.InForce.Load() != before || len(r.eventsSoFar()) > 0 {
			t.Errorf("%v, %v", r.eventsSoFar(), r.logs.All())
		}
	})
}

// TestSymlinkSwap: Kubernetes replaces the link ..data, through which both files are seen.
func TestSymlinkSwap(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(folder string) Files { return Files{Routes: filepath.Join(folder, "..data", "routes.tsv")} })
		at := func(name string) string { return filepath.Join(r.folder, name) }
		for version, scope := range map[string]string{"v1": "sql", "v2": "jobs"} {
			if err := os.Mkdir(at(version), 0o700); err != nil {
				t.Fatal(err)
			}
			r.write(version+"/routes.tsv", fmt.Sprintf("GET\t/api/2.0/x\t%-4s\n", scope)) // of one size
			old := time.Now().Add(-time.Hour)
			if err := os.Chtimes(at(version+"/routes.tsv"), old, old); err != nil { // and age
				t.Fatal(err)
			}
		}
		link := func(version string) {
			if err := errors.Join(os.Symlink(version, at("new")), os.Rename(at("new"), at("..data"))); err != nil {
				t.Fatal(err)
			}
		}
		link("v1")
		r.load()
		defer r.Close()
		for _, step := range []struct{ version, want string }{{"v2", "jobs"}, {"v1", "sql"}} {
			link(step.version)
			looks(3)
			if got := r.needs("/api/2.0/x"); got != step.want {
				t.Errorf("%s: needs %s", step.version, got)
			}
		}
	})
}

// TestSameStamp: a file may change without another size and time.
func TestSameStamp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, routesOnly)
		old := time.Now().Add(-time.Hour)
		write := func(scope string) {
			r.write("routes.tsv", fmt.Sprintf("GET\t/api/2.0/x\t%-4s\n", scope))
			if err := os.Chtimes(r.Files.Routes, old, old); err != nil {
				t.Fatal(err)
			}
		}
		write("sql")
		r.load()
		defer r.Close()
		looks(5)
		write("jobs")
		looks(int(rereadAfter/interval) + 2)
		if got := r.needs("/api/2.0/x"); got != "jobs" {
			t.Errorf("needs %s", got)
		}
	})
}

// TestPrepareRefuses: a map with which a handler cannot work is not in force for any.
func TestPrepareRefuses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, routesOnly)
		r.write("routes.tsv", "")
		r.load()
		defer r.Close()
		before := r.InForce.Load()
		r.refuses = errors.New("policy p permits nothing")
		r.write("routes.tsv", fmt.Sprintf(row, "sql"))
		looks(3)
		problem := r.logs.FilterField(zap.String("problem", "policy p permits nothing"))
		if r.InForce.Load() != before || problem.Len() != 1 {
			t.Errorf("%v", r.logs.All())
		}
	})
}

// TestClose: nothing is put in force or told after Close, and nothing is left running, which
// synctest checks.
func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, routesOnly)
		r.write("routes.tsv", fmt.Sprintf(row, "sql"))
		r.load()
		before := r.InForce.Load()
		r.write("routes.tsv", fmt.Sprintf(row, "jobs"))
		looks(1)
		r.Close()
		r.Close()
		r.Start()
		looks(5)
		if r.InForce.Load() != before || r.logs.Len() > 0 {
			t.Errorf("%v", r.logs.All())
		}
	})
}

const bundleRows = "GET\t/api/2.2/jobs/list\t%s\tdocumented\tjobs.List\tpage\n"

func bundleAndRoutes(folder string) Files {
	return Files{Bundle: filepath.Join(folder, "map.tsv"), Keys: []mapbundle.PublicKey{keyOf("a").Public()}, Routes: filepath.Join(folder, "routes.tsv")}
}

func TestBundles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bundleAndRoutes)
		own := scopes.Date()
		at := func(n int) time.Time { return own.Add(time.Duration(n) * time.Hour) }
		r.write("routes.tsv", fmt.Sprintf(row, "files"))
		r.bundle("map.tsv", fmt.Sprintf(bundleRows, "sql"), own, at(1), keyOf("a"))
		r.load()
		defer r.Close()
		if got := r.needs("/api/2.2/jobs/list") + " " + r.needs("/api/2.0/x") + " " + r.needs("/api/2.1/clusters/list"); got != "sql files all-apis" {
			t.Fatalf("needs %s", got)
		}
		r.bundle("map.tsv", fmt.Sprintf(bundleRows, "jobs"), own, at(2), keyOf("a"))
		looks(3)
		if got := r.needs("/api/2.2/jobs/list") + " " + r.needs("/api/2.0/x"); got != "jobs files" {
			t.Fatalf("needs %s", got)
		}
		before := r.InForce.Load()
		for _, test := range []struct {
			want string
			do   func()
		}{
			{"by none of the keys", func() { r.bundle("map.tsv", fmt.Sprintf(bundleRows, "sql"), own, at(3), keyOf("b")) }},
			{"to go back, keep it there and run scopegate reload --force", func() { r.bundle("map.tsv", fmt.Sprintf(bundleRows, "sql"), own, at(1), keyOf("a")) }},
			{"export it again, or remove map", func() { r.bundle("map.tsv", fmt.Sprintf(bundleRows, "sql"), own.AddDate(0, 0, -1), at(3), keyOf("a")) }},
			{"set the clock of the machine that is wrong", func() { r.bundle("map.tsv", fmt.Sprintf(bundleRows, "sql"), own, at(25), keyOf("a")) }},
			{"set the clock of the machine that is wrong", func() { r.bundle("map.tsv", fmt.Sprintf(bundleRows, "sql"), own.AddDate(0, 0, 2), at(3), keyOf("a")) }},
			{"it is no map bundle", func() { r.write("map.tsv", fmt.Sprintf(row, "sql")) }},
			{"no such file", func() { _ = os.Remove(r.Files.Bundle) }},
		} {
			test.do()
			looks(4)
			all := r.logs.FilterMessage("changed map files cannot be used; the last map stays in force").All()
			if r.InForce.Load() != before || len(all) == 0 || !strings.Contains(fmt.Sprint(all[len(all)-1].ContextMap()["problem"]), test.want) {
				t.Errorf("want %q: %v", test.want, all)
			}
		}
		// Both files change, one after the other: no mixture is in force.
		r.onEvent = func(string) {
			if got := r.needs("/api/2.2/jobs/list") + " " + r.needs("/api/2.0/x"); got != "jobs files" && got != "sql clusters" {
				t.Errorf("a mixture is in force: %s", got)
			}
		}
		time.Sleep(interval - time.Millisecond)
		r.bundle("map.tsv", fmt.Sprintf(bundleRows, "sql"), own, at(4), keyOf("a"))
		looks(1)
		r.write("routes.tsv", fmt.Sprintf(row, "clusters"))
		looks(4)
		if got := r.needs("/api/2.2/jobs/list") + " " + r.needs("/api/2.0/x"); got != "sql clusters" {
			t.Errorf("needs %s", got)
		}
	})
}

// TestOpenedByBundle: a bundle is held to the same as routes, and its signature does not make
// up for it.
func TestOpenedByBundle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bundleAndRoutes)
		own := scopes.Date()
		r.write("routes.tsv", "")
		r.bundle("map.tsv", fmt.Sprintf(bundleRows, "sql"), own, own, keyOf("a"))
		r.load()
		defer r.Close()
		r.bundle("map.tsv", fmt.Sprintf(bundleRows, "*"), own, own.Add(time.Hour), keyOf("a"))
		looks(3)
		warned := r.logs.FilterMessage("the map bundle: rows need no scope, or no token at all").All()
		if len(warned) != 1 || !strings.Contains(fmt.Sprint(warned[0].ContextMap()["first"]), "GET /api/2.2/jobs/list") || warned[0].ContextMap()["file"] != r.Files.Bundle {
			t.Errorf("%v", r.logs.All())
		}
		r.logs.TakeAll()
		r.Tell.Warn(r.Files, r.InForce.Load().Map) // as a configuration does
		if r.logs.Len() != 1 {
			t.Errorf("%v", r.logs.All())
		}
	})
}

// TestOutdatedAtLoad: an upgraded binary starts with its own map, and says so; the next
// bundle is used.
func TestOutdatedAtLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, bundleAndRoutes)
		own := scopes.Date()
		r.write("routes.tsv", fmt.Sprintf(row, "files"))
		r.bundle("map.tsv", fmt.Sprintf(bundleRows, "sql"), own.AddDate(0, 0, -1), own, keyOf("a"))
		r.load()
		defer r.Close()
		looks(5)
		if got := r.needs("/api/2.2/jobs/list") + " " + r.needs("/api/2.0/x"); got != "jobs files" {
			t.Errorf("needs %s", got)
		}
		if got := r.eventsSoFar(); !slices.Equal(got, []string{EventRefused}) || r.logs.FilterLevelExact(zapcore.ErrorLevel).Len() != 1 {
			t.Errorf("%v, %v", got, r.logs.All())
		}
		// Routes go over the shipped map, and the bundle stays refused.
		r.write("routes.tsv", fmt.Sprintf(row, "clusters"))
		looks(3)
		if got := r.needs("/api/2.2/jobs/list") + " " + r.needs("/api/2.0/x"); got != "jobs clusters" {
			t.Errorf("with other routes: needs %s", got)
		}
		r.bundle("map.tsv", fmt.Sprintf(bundleRows, "sql"), own.AddDate(0, 0, -2), own, keyOf("a"))
		looks(3)
		if got := r.eventsSoFar(); !slices.Equal(got, []string{EventRefused, EventChanged, EventChanged, EventRefused}) && !slices.Equal(got, []string{EventRefused, EventChanged, EventRefused, EventChanged}) {
			t.Errorf("%v", got)
		}
		if got := r.refusedNow(); got != 1 {
			t.Errorf("scopegate_map_refused is %g", got)
		}
		r.bundle("map.tsv", fmt.Sprintf(bundleRows, "sql"), own, own, keyOf("a"))
		looks(3)
		if got := r.needs("/api/2.2/jobs/list") + " " + r.needs("/api/2.0/x"); got != "sql clusters" || r.refusedNow() != 0 {
			t.Errorf("needs %s, scopegate_map_refused is %g", got, r.refusedNow())
		}
		// From a bundle nothing goes back to the shipped map.
		r.bundle("map.tsv", fmt.Sprintf(bundleRows, "sql"), own.AddDate(0, 0, -1), own, keyOf("a"))
		looks(3)
		if got := r.needs("/api/2.2/jobs/list"); got != "sql" || r.refusedNow() != 1 {
			t.Errorf("needs %s, scopegate_map_refused is %g", got, r.refusedNow())
		}
	})
}

// TestNarrowingIsToldBefore: log and event come while the map before is in force.
func TestNarrowingIsToldBefore(t *testing.T) {
	t.Parallel()
	for _, slow := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, routesOnly)
			r.write("routes.tsv", fmt.Sprintf(row, "sql"))
			r.Prepare = func(catalog *scopes.Catalog) ([]*judge.Judge, error) {
				return []*judge.Judge{{Catalog: catalog, Now: time.Now, Rules: policy.Rules{AllowUnscoped: true}}}, nil
			}
			info := &tokens.Info{ID: tokens.IDOf("t"), Scopes: []string{"sql"}, Expires: tokens.NeverExpires}
			r.tokens = []*tokens.Info{info}
			r.load()
			defer r.Close()
			readings, err := r.InForce.Load().Catalog.Read("GET", "/api/2.0/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.usage = usage.State{Tokens: []usage.Token{{ID: info.ID.String(), Calls: 7, Uses: []usage.Use{{Operation: *readings[0].Operation, Calls: 7}}}}}
			before := r.InForce.Load().Catalog.Version()
			if slow {
				r.onEvent = func(name string) {
					if name == EventNarrows {
						time.Sleep(time.Hour)
					}
				}
			}
			r.write("routes.tsv", fmt.Sprintf(row, "jobs"))
			looks(2)
			looks(int(eventTimeout / interval))
			if got := r.needs("/api/2.0/x"); got != "jobs" {
				t.Errorf("needs %s", got)
			}
			if slow {
				time.Sleep(time.Hour)
			}
			if got := r.eventsSoFar(); got[0] != EventNarrows || !slices.Contains(got, EventChanged) || r.told[0] != before {
				t.Errorf("%v, while %v was in force, want %s", got, r.told, before)
			}
			warned := r.logs.FilterMessageSnippet("the new map refuses calls that passed").All()
			if len(warned) != 1 || warned[0].ContextMap()["calls"] != uint64(7) || r.logs.All()[0].Message != warned[0].Message {
				t.Errorf("%v", r.logs.All())
			}
		})
	}
}
