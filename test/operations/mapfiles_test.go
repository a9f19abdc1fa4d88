package operations

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/mapbundle"
	"github.com/scopegate/scopegate/internal/mapfiles"
	"github.com/scopegate/scopegate/internal/mapimpact"
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
	"github.com/scopegate/scopegate/internal/testing/maps"
	"github.com/scopegate/scopegate/scopes"
)

// replace replaces a file as operators should: by a rename.
func replace(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// row is a row of a routes file for a path that the catalog does not have.
func mapRow(scope string) string {
	return "GET\t" + harness.UnmappedPath + "\t" + scope + "\tdocumented\tours.Get\tour wiki\n"
}

// awaitStatus sends a request until it is answered with a status.
func awaitStatus(t *testing.T, g *harness.Gateway, path, token string, want int) {
	t.Helper()
	harness.WaitFor(t, fmt.Sprintf("%s to be answered with %d", path, want), func() bool {
		return g.Send(t, "GET", path, harness.Bearer(token)).StatusCode == want
	})
}

// TestRoutesChangeWithoutReload: a changed routes file takes effect for requests, records,
// policies and the admin API; one with a mistake does not, and is told.
func TestRoutesChangeWithoutReload(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	file := filepath.Join(t.TempDir(), "routes.tsv")
	replace(t, file, mapRow("sql"))
	g := harness.NewGateway(t, workspace)
	g.Global = harness.TapEvents(mapfiles.EventChanged, mapfiles.EventRefused, mapfiles.EventNarrows)
	// The other path is a path of the same operation once the file says so, and then the
	// policy denies it too.
	const other = "/api/2.0/another-spelling"
	g.Load(t, harness.GatewayBlock(workspace, "routes "+file+"\npolicy p {\ndeny GET "+harness.UnmappedPath+"\nmatch comment held\n}"))
	token := g.Mint("jobs")
	held := workspace.Mint(fakeworkspace.TokenSpec{Comment: "held", Lifetime: time.Hour})
	if got := g.Send(t, "GET", harness.UnmappedPath, harness.Bearer(token.Value)); got.StatusCode != 403 || !strings.Contains(got.Body, "scopes: sql") {
		t.Fatalf("before: %d %s", got.StatusCode, got.Body)
	}
	if got := g.Send(t, "GET", other, harness.Bearer(held.Value)); got.StatusCode != 404 { // from the workspace
		t.Fatalf("another path: %d %s", got.StatusCode, got.Body)
	}
	first := g.Records(t, 2)[0]["catalog"]

	replace(t, file, mapRow("jobs")+strings.Replace(mapRow("jobs"), harness.UnmappedPath, other, 1))
	awaitStatus(t, g, harness.UnmappedPath, token.Value, 404)
	if got := g.Send(t, "GET", other, harness.Bearer(held.Value)); got.StatusCode != 403 || !strings.Contains(got.Body, "policy p") {
		t.Errorf("the policy knows the old catalog: %d %s", got.StatusCode, got.Body)
	}
	e := harness.NextEvent(t)
	if e.Name() != mapfiles.EventChanged || e.Data["before"] != first {
		t.Errorf("%s %v, the first record has %s", e.Name(), e.Data, first)
	}
	harness.WaitFor(t, "a record with the new catalog", func() bool {
		content, err := os.ReadFile(g.AuditLog)
		return err == nil && strings.Contains(string(content), fmt.Sprintf(`"catalog":%q`, e.Data["catalog"]))
	})
	_, catalog := g.Admin(t, "GET", "/databricks_scopes/catalog")
	_, explained := g.Admin(t, "GET", "/databricks_scopes/explain?method=GET&path="+other+"&scopes=sql")
	if !strings.Contains(catalog, "GET\t"+other+"\tjobs\t") || !strings.Contains(explained, `"any_of":["jobs"]`) {
		t.Errorf("the admin API knows the old catalog: %s", explained)
	}

	replace(t, file, mapRow("jobs\tx\ty"))
	e = harness.NextEvent(t)
	if e.Name() != mapfiles.EventRefused || !strings.Contains(fmt.Sprint(e.Data["problem"]), "routes.tsv:1") {
		t.Errorf("%s %v", e.Name(), e.Data)
	}
	if got := g.Send(t, "GET", harness.UnmappedPath, harness.Bearer(token.Value)); got.StatusCode != 404 {
		t.Errorf("a malformed file is in force: %d %s", got.StatusCode, got.Body)
	}
	if got := g.Metric(t, "scopegate_map_refused"); got != 1 {
		t.Errorf("scopegate_map_refused is %g", got)
	}
	if status, body := g.Admin(t, "GET", "/databricks_scopes/health"); status != 200 {
		t.Errorf("not ready: %s", body)
	}

	replace(t, file, mapRow("files"))
	awaitStatus(t, g, harness.UnmappedPath, token.Value, 403)
	if got := g.Metric(t, "scopegate_map_refused"); got != 0 {
		t.Errorf("scopegate_map_refused is %g", got)
	}
	for range 2 { // of the last change
		harness.NextEvent(t)
	}
	g.Load(t, "respond ok")
	harness.WaitFor(t, "the watch to end", func() bool { return harness.Goroutines("internal/mapfiles") == 0 })
}

// signedMap returns a signed bundle of the shipped map with rows over it.
func signedMap(t *testing.T, rows string, made time.Time, key mapbundle.PrivateKey) string {
	t.Helper()
	content, err := mapbundle.Write(maps.With(t, rows), scopes.Date(), made)
	if err == nil {
		content, err = mapbundle.Sign(content, key)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// signedRows returns a signed bundle of rows that scopegate itself would not write.
func signedRows(t *testing.T, rows string, made time.Time, key mapbundle.PrivateKey) string {
	t.Helper()
	parsed, err := scopes.Parse(strings.NewReader(rows), "rows")
	if err != nil {
		t.Fatal(err)
	}
	catalog, err := scopes.New(parsed)
	if err != nil {
		t.Fatal(err)
	}
	content, err := mapbundle.Sign(fmt.Appendf(nil, "# scopegate map bundle 1\n# based on: %s\n# made: %s\n# catalog: %s\n%s",
		scopes.Date().Format(time.DateOnly), made.UTC().Format(time.RFC3339), catalog.Version(), rows), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func newKey(t *testing.T) mapbundle.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return mapbundle.PrivateKey(key)
}

// TestMapBundle: a bundle is the map, routes go over it, and a changed one takes effect if
// it is signed.
func TestMapBundle(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	folder, key, now := t.TempDir(), newKey(t), time.Now()
	bundle, routes := filepath.Join(folder, "map.tsv"), filepath.Join(folder, "routes.tsv")
	replace(t, bundle, signedMap(t, mapRow("sql"), now, key))
	replace(t, routes, "GET\t/api/2.0/ours\tfiles\n")
	g := harness.NewGateway(t, workspace)
	g.Global = harness.TapEvents(mapfiles.EventRefused)
	block := harness.GatewayBlock(workspace, fmt.Sprintf("routes %s\nmap %s {\nkey %s\n}", routes, bundle, key.Public()))
	g.Load(t, block)
	token := g.Mint("jobs")
	needs := func(path, scope string) bool {
		_, body := g.Admin(t, "GET", "/databricks_scopes/explain?method=GET&scopes=x&path="+path)
		return strings.Contains(body, fmt.Sprintf(`"any_of":[%q]`, scope))
	}
	if !needs(harness.UnmappedPath, "sql") || !needs("/api/2.0/ours", "files") || !needs(harness.JobsList, "jobs") {
		t.Fatal("the bundle and the routes are not in force")
	}
	if _, base := g.Admin(t, "GET", "/databricks_scopes/catalog?base=true"); !strings.Contains(base, mapRow("sql")) || strings.Contains(base, "/api/2.0/ours") {
		t.Errorf("what routes go over is not the bundle: %.400s", base)
	}
	awaitStatus(t, g, harness.UnmappedPath, token.Value, 403)
	replace(t, bundle, signedMap(t, mapRow("jobs"), now.Add(time.Second), key))
	awaitStatus(t, g, harness.UnmappedPath, token.Value, 404)
	if !needs("/api/2.0/ours", "files") {
		t.Error("the routes are not over the new bundle")
	}
	good := signedMap(t, mapRow("sql"), now.Add(2*time.Second), key)
	for name, content := range map[string]string{
		"signed by another key":  signedMap(t, mapRow("sql"), now.Add(2*time.Second), newKey(t)),
		"cut off":                good[:len(good)/2],
		"unsigned":               good[:strings.LastIndex(good, "# signature")],
		"not a bundle":           mapRow("sql"),
		"older than that before": signedMap(t, mapRow("sql"), now, key),
		"from the future":        signedMap(t, mapRow("sql"), now.AddDate(900, 0, 0), key),
		"public for everything":  signedRows(t, "*\t/{path...}\tpublic\tdocumented\tall.X\tx\n", now.Add(2*time.Second), key),
	} {
		replace(t, bundle, content)
		if e := harness.NextEvent(t); !strings.Contains(fmt.Sprint(e.Data["problem"]), "map.tsv") {
			t.Errorf("%s: %v", name, e.Data)
		}
		if got := g.Send(t, "GET", harness.UnmappedPath, harness.Bearer(token.Value)); got.StatusCode != 404 {
			t.Errorf("%s: it is in force: %d %s", name, got.StatusCode, got.Body)
		}
	}
	// A reload is how an operator goes back; a bundle that no key signed is refused there too.
	replace(t, bundle, good[:len(good)-10])
	if err := g.TryLoad(t, block+"\nheader X-Load 1"); err == nil || !strings.Contains(err.Error(), "reading map: ") {
		t.Errorf("%v", err)
	}
	replace(t, bundle, signedMap(t, mapRow("sql"), now, key))
	g.Load(t, block) // the same configuration, as with reload --force
	awaitStatus(t, g, harness.UnmappedPath, token.Value, 403)
}

// TestNarrowingMap: what a file would refuse can be asked for, and is told before it is in
// force, when the file changes and when a configuration is loaded.
func TestNarrowingMap(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	folder := t.TempDir()
	file, next := filepath.Join(folder, "routes.tsv"), filepath.Join(folder, "next.tsv")
	replace(t, file, mapRow("jobs"))
	replace(t, next, mapRow("sql")+"GET\t"+harness.ClustersList+"\tjobs\n")
	g := harness.NewGateway(t, workspace)
	g.Global = harness.TapEvents(mapfiles.EventNarrows)
	g.Load(t, harness.GatewayBlock(workspace, "routes "+file))
	narrow := workspace.Mint(fakeworkspace.TokenSpec{Owner: "etl@example.com", Scopes: []string{"jobs"}, Lifetime: time.Hour})
	wide := g.Mint("jobs", "sql", "clusters")
	for range 3 {
		g.Send(t, "GET", harness.UnmappedPath, harness.Bearer(narrow.Value))
		g.Send(t, "GET", harness.UnmappedPath, harness.Bearer(wide.Value))
		g.Send(t, "GET", harness.ClustersList, harness.Bearer(narrow.Value))
	}
	g.Records(t, 9)

	var impact mapimpact.Impact
	compare := func() mapimpact.Impact {
		content, err := os.ReadFile(next)
		if err != nil {
			t.Fatal(err)
		}
		status, body := g.AdminBody(t, "POST", "/databricks_scopes/catalog/compare?file="+url.QueryEscape(next), string(content))
		impact = mapimpact.Impact{}
		if err := json.Unmarshal([]byte(body), &impact); status != 200 || err != nil {
			t.Fatalf("%d %s %v", status, body, err)
		}
		return impact
	}
	harness.WaitFor(t, "the name of the owner", func() bool {
		lines := compare().Refused.Lines
		return len(lines) == 1 && lines[0].Owner == "etl@example.com"
	})
	if got := impact.Refused; got.Calls != 3 || got.Tokens != 1 || got.Operations != 1 || got.Lines[0].TokenID != narrow.Info.TokenId || got.Lines[0].Operation != "ours.Get" {
		t.Errorf("%+v", got)
	}
	if got := impact.Permitted; got.Calls != 3 || got.Lines[0].TokenID != narrow.Info.TokenId || got.Lines[0].Operation != "compute.Clusters.List" {
		t.Errorf("%+v", got)
	}
	ask := func(file string) (string, error) {
		return harness.Command(t, "", "scopes", "catalog", "--diff", file, "--against-usage", "--address", g.AdminAddress())
	}
	out, err := ask(next)
	if err == nil || !strings.Contains(err.Error(), "would refuse 3 calls of 1 operation by 1 token") || !strings.Contains(out, narrow.Info.TokenId[:12]+"  etl@example.com") {
		t.Errorf("%v\n%s", err, out)
	}
	if out, err := ask(file); err != nil || !strings.Contains(out, "No call that passes today would be refused") {
		t.Errorf("%v\n%s", err, out)
	}
	key := newKey(t)
	bundle := filepath.Join(folder, "bundle.tsv")
	replace(t, bundle, signedMap(t, "GET\t"+harness.ClustersList+"\tjobs\n", time.Now(), key))
	// The routes stay over the bundle, so only one direction changes.
	if out, err := ask(bundle); err != nil || !strings.Contains(out, "3 calls of 1 operation by 1 token are refused today and would pass") || !strings.Contains(out, "has no option map") {
		t.Errorf("%v\n%s", err, out)
	}
	broken := filepath.Join(folder, "broken.tsv")
	replace(t, broken, "GET\tno-slash\tsql\n")
	if _, err := ask(broken); err == nil || !strings.Contains(err.Error(), "broken.tsv:1: the template does not begin with a slash") {
		t.Errorf("%v", err)
	}
	if got := g.Send(t, "GET", harness.UnmappedPath, harness.Bearer(narrow.Value)); got.StatusCode != 404 {
		t.Errorf("asking changed the rules: %d", got.StatusCode)
	}

	check := func(calls uint64) {
		t.Helper()
		if e := harness.NextEvent(t); e.Data["calls"] != calls || e.Data["tokens"] != 1 || e.Data["operations"] != 1 {
			t.Errorf("%v", e.Data)
		}
	}
	g.Load(t, harness.GatewayBlock(workspace, "routes "+next))
	check(4)
	g.Load(t, harness.GatewayBlock(workspace, "routes "+file))
	awaitStatus(t, g, harness.UnmappedPath, narrow.Value, 404)
	content, err := os.ReadFile(next)
	if err != nil {
		t.Fatal(err)
	}
	replace(t, file, string(content))
	awaitStatus(t, g, harness.UnmappedPath, narrow.Value, 403)
	if e := harness.NextEvent(t); e.Name() != mapfiles.EventNarrows || e.Data["calls"].(uint64) < 5 {
		t.Errorf("%v", e.Data)
	}
}

// TestNarrowingMapOfSeveralHandlers: with several handlers of a workspace, a reload compares
// once, with what all of them state, and waits once for a workspace that does not answer.
func TestNarrowingMapOfSeveralHandlers(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	file := filepath.Join(t.TempDir(), "routes.tsv")
	replace(t, file, mapRow("jobs"))
	g := harness.NewGateway(t, workspace)
	g.Global = harness.TapEvents(mapfiles.EventNarrows)
	block := func(first, last string) string {
		return "handle /one/* {\n" + harness.GatewayBlock(workspace, first) + "\n}\nhandle /two/* {\n" + harness.GatewayBlock(workspace, first) +
			"\n}\nhandle {\n" + harness.GatewayBlock(workspace, last) + "\n}\n"
	}
	g.Load(t, block("", "routes "+file))
	token := g.Mint("jobs")
	for range 3 {
		if got := g.Send(t, "GET", harness.UnmappedPath, harness.Bearer(token.Value)); got.StatusCode != 404 {
			t.Fatal(got.StatusCode, got.Body)
		}
	}
	g.Load(t, block("", "routes "+file)+"header X-Load 2\n") // nothing changes
	replace(t, file+".next", mapRow("sql"))
	g.Load(t, block("routes "+file+".next", "routes "+file+".next"))
	if e := harness.NextEvent(t); e.Data["calls"] != uint64(3) || e.Data["tokens"] != 1 {
		t.Errorf("%v", e.Data)
	}
	harness.NoEvent(t, 100*time.Millisecond) // subscribers are told before the load returns
}

// TestReloadWaitsOnce: a reload with another map waits once for a workspace that does not
// answer, and not for each handler.
func TestReloadWaitsOnce(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	file := filepath.Join(t.TempDir(), "routes.tsv")
	replace(t, file, mapRow("jobs"))
	replace(t, file+".next", mapRow("sql"))
	g := harness.NewGateway(t, workspace)
	block := func(file string) (all string) {
		for _, path := range []string{"/one/*", "/two/*", ""} {
			all += "handle " + path + " {\n" + harness.GatewayBlock(workspace, "routes "+file) + "\n}\n"
		}
		return all
	}
	g.Load(t, block(file))
	token := g.Mint("jobs")
	g.Send(t, "GET", harness.UnmappedPath, harness.Bearer(token.Value))
	workspace.Faults().Set("/api/2.0/token", fakeworkspace.Hang())
	defer workspace.Faults().Clear()
	began := time.Now()
	g.Load(t, block(file+".next"))
	if took := time.Since(began); took < 4*time.Second || took > 9*time.Second {
		t.Errorf("the reload took %v", took)
	}
}

// TestNarrowingMapUnseenByOneRow: the calls that are refused need not be of the row that
// changed.
func TestNarrowingMapUnseenByOneRow(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	file := filepath.Join(t.TempDir(), "routes.tsv")
	ceiling := func(scope string) string {
		return harness.GatewayBlock(workspace, "routes "+file+"\npolicy p {\nscopes "+scope+"\nmatch comment held\n}")
	}
	// The list of tokens may be half a minute old, so it must have both from the start.
	mint := func() fakeworkspace.Token {
		return workspace.Mint(fakeworkspace.TokenSpec{Comment: "held", Lifetime: time.Hour})
	}
	tokens := map[string]fakeworkspace.Token{"a policy's route covers another operation": mint(), "another handler gains": mint()}
	for name, test := range map[string]struct{ directives, path, next string }{
		"a policy's route covers another operation": {
			harness.GatewayBlock(workspace, "routes "+file+"\npolicy p {\ndeny GET "+harness.UnmappedPath+"\nmatch comment held\n}"),
			harness.JobsList, strings.Replace(mapRow("jobs"), "ours.Get", "jobs.List", 1),
		},
		"another handler gains": {
			"handle /one/* {\n" + ceiling("sql") + "\n}\nhandle {\n" + ceiling("jobs") + "\n}", harness.UnmappedPath, mapRow("sql"),
		},
	} {
		replace(t, file, mapRow("jobs"))
		g := harness.NewGateway(t, workspace) // which has no record of the other's calls
		g.Global = harness.TapEvents(mapfiles.EventNarrows, mapfiles.EventChanged)
		g.Load(t, test.directives)
		for range 3 {
			if got := g.Send(t, "GET", test.path, harness.Bearer(tokens[name].Value)); got.StatusCode == 403 {
				t.Fatal(name, got.Body)
			}
		}
		if _, body := g.AdminBody(t, "POST", "/databricks_scopes/catalog/compare?file=x", test.next); !strings.Contains(body, `"reason":"policy_denied"`) {
			t.Errorf("%s: %s", name, body)
		}
		replace(t, file, test.next)
		if e := harness.NextEvent(t); e.Name() != mapfiles.EventNarrows || e.Data["calls"] != uint64(3) {
			t.Errorf("%s: %s %v", name, e.Name(), e.Data)
		}
		if e := harness.NextEvent(t); e.Name() != mapfiles.EventChanged {
			t.Errorf("%s: %s %v", name, e.Name(), e.Data)
		}
		if got := g.Send(t, "GET", test.path, harness.Bearer(tokens[name].Value)); got.StatusCode != 403 {
			t.Errorf("%s: %d", name, got.StatusCode)
		}
		harness.Stop(t)
	}
}

// TestNarrowingMapAtStart: a process that starts with another map than the last one had tells
// what it refuses, by what was recorded.
func TestNarrowingMapAtStart(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	file := filepath.Join(t.TempDir(), "routes.tsv")
	replace(t, file, mapRow("jobs"))
	g := harness.NewGateway(t, workspace)
	g.Global = harness.TapEvents(mapfiles.EventNarrows)
	g.Load(t, harness.GatewayBlock(workspace, "routes "+file))
	token := g.Mint("jobs")
	g.Send(t, "GET", harness.UnmappedPath, harness.Bearer(token.Value))
	g.Records(t, 1)
	harness.Stop(t)
	replace(t, file, mapRow("sql"))
	g.Load(t, harness.GatewayBlock(workspace, "routes "+file))
	if e := harness.NextEvent(t); e.Name() != mapfiles.EventNarrows || e.Data["calls"] != uint64(1) || e.Data["tokens"] != 1 {
		t.Errorf("%s %v", e.Name(), e.Data)
	}
}

// TestMapChangesUnderLoad: every answer is that of one map or of the other, and none waits.
func TestMapChangesUnderLoad(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	file := filepath.Join(t.TempDir(), "routes.tsv")
	replace(t, file, mapRow("jobs"))
	g := harness.StartSite(t, workspace, harness.GatewayBlock(workspace, "routes "+file))
	token := g.Mint("jobs")
	var passed, refused atomic.Int64
	stop := keepAsking(t, g, harness.UnmappedPath, token.Value, func(status int, err error) (more bool) {
		switch {
		case err != nil:
			t.Error(err)
			return false
		case status == 404:
			passed.Add(1)
		case status == 403:
			refused.Add(1)
		default:
			t.Errorf("status %d", status)
		}
		return true
	})
	for i, scope := range []string{"sql", "jobs"} {
		before := []int64{refused.Load(), passed.Load()}[i]
		replace(t, file, mapRow(scope))
		harness.WaitFor(t, "the map to change", func() bool { return []int64{refused.Load(), passed.Load()}[i] > before+10 })
	}
	stop()
}
