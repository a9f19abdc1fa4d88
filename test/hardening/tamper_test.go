package hardening

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestTamperedRoutes loads a configuration whose routes file has become something else.
// Loading fails soon and says why, and the rules that were in force stay.
func TestTamperedRoutes(t *testing.T) {
	w := harness.StartWorkspace(t)
	file := filepath.Join(t.TempDir(), "routes.tsv")
	write := func(content string) func() error {
		return func() error { return os.WriteFile(file, []byte(content), 0o600) }
	}
	const row = "GET\t" + harness.UnmappedPath + "\tjobs\n"
	if err := write(row)(); err != nil {
		t.Fatal(err)
	}
	directives := harness.GatewayBlock(w, "routes "+file)
	g := harness.StartSite(t, w, directives)
	token := g.Mint("jobs")
	link := func(target string) func() error { return func() error { return os.Symlink(target, file) } }
	for _, test := range []struct {
		name string
		make func() error
		want string
	}{
		{"nothing", func() error { return nil }, "no such file"},
		{"a FIFO", func() error { return syscall.Mkfifo(file, 0o600) }, "not a file, but a FIFO"},
		{"endless zeros", link("/dev/zero"), "not a file, but a device"},
		{"a terminal", link("/dev/tty"), "not a file, but a device"},
		{"a directory", func() error { return os.Mkdir(file, 0o700) }, "not a file, but a directory"},
		{"a link to itself", link(file), "leads nowhere"},
		{"a file of /proc", link("/proc/self/environ"), "NUL byte"},
		{"the memory of the process", link("/proc/self/mem"), "routes.tsv"},
		{"400 MB", func() error { return errors.Join(write("")(), os.Truncate(file, 400<<20)) }, "too large"},
		{"binary", write("\x7fELF\x00\x00"), "NUL byte"},
		{"UTF-16", write("\xff\xfeG\x00E\x00T\x00"), "save it as UTF-8"},
		{"an endless line", write("GET\t/" + strings.Repeat("a", 8<<20)), "the line has 8388613 bytes"},
		{"a million rows", write(strings.Repeat("GET\t/a\tjobs\n", 1_000_000)), "more than 50000 lines"},
		{"everything public", write("*\t/{path...}\tpublic\n"), "let everything pass"},
		{"half a row", write(row + "GET\t/api/2.0/x"), "routes.tsv:2"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := errors.Join(os.RemoveAll(file), test.make()); err != nil {
				t.Fatal(err)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			err := g.TryLoad(t, directives)
			took := time.Since(began)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), test.want) || len(err.Error()) > 8<<10 {
				t.Errorf("%.500v, want %q", err, test.want)
			}
			if took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 150<<20 {
				t.Errorf("it took %d MiB of memory", used>>20)
			}
			if got := g.Send(t, "GET", harness.UnmappedPath, harness.Bearer(token.Value)); got.StatusCode != 404 { // from the workspace
				t.Errorf("the rules that were in force are lost: %d", got.StatusCode)
			}
		})
	}
	// Validated with one content and loaded with another: what is loaded is what counts.
	if err := errors.Join(os.RemoveAll(file), write("GET\t"+harness.UnmappedPath+"\tsql\n")()); err != nil {
		t.Fatal(err)
	}
	g.Load(t, directives)
	if got := g.SendAfterReload(t, "GET", harness.UnmappedPath, harness.Bearer(token.Value), 403); got.StatusCode != 403 {
		t.Errorf("the rules that were loaded are not in force: %d", got.StatusCode)
	}
}

// TestManyOperations calls more operations with one token than are kept for a token. What
// was dropped still counts for the recommendation, and is told.
func TestManyOperations(t *testing.T) {
	const many = 520
	var rows strings.Builder
	fmt.Fprintf(&rows, "GET\t/api/2.0/first\tsql\n")
	for i := range many {
		fmt.Fprintf(&rows, "GET\t/api/2.0/rows/%d\tjobs\n", i)
	}
	file := filepath.Join(t.TempDir(), "routes.tsv")
	if err := os.WriteFile(file, []byte(rows.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	w := harness.StartWorkspace(t)
	g := harness.StartGateway(t, w, "routes "+file)
	token := g.Mint("jobs", "sql", "files")
	client := harness.Client(t)
	get := func(path string) { harness.Do(t, client, harness.NewRequest(t, "GET", g.URL+path, token.Value, nil)) }
	get("/api/2.0/first")
	for i := range many {
		get(fmt.Sprintf("/api/2.0/rows/%d", i))
	}
	g.Records(t, many+1)
	status, body := g.Admin(t, "GET", "/databricks_scopes/recommend?token_id="+token.Info.TokenId)
	for _, part := range []string{"recommend  jobs, sql\n", "cut        21 operations with 21 calls", "they needed jobs, sql", "operations that were dropped"} {
		if status != 200 || !strings.Contains(body, part) {
			t.Errorf("it lacks %q: %d\n%s", part, status, body)
		}
	}
	if _, body = g.Admin(t, "GET", "/databricks_scopes/usage?format=table"); !strings.Contains(body, "cut: 21 operations dropped since") {
		t.Error(body)
	}
	if _, body = g.Admin(t, "GET", "/databricks_scopes/usage?format=csv"); !strings.Contains(body, ",21 operations dropped since ") {
		t.Error(body)
	}
}

// TestEvictedVictim: a token was used 26 times, and then another gateway with the same
// storage saw 10,200 others. The token is not denied.
func TestEvictedVictim(t *testing.T) {
	w := harness.StartWorkspace(t)
	directives := harness.GatewayBlock(w, "")
	g := harness.StartSite(t, w, directives)
	victim, unseen := g.Mint("jobs", "sql"), g.Mint("jobs")
	for range 26 {
		g.Send(t, "GET", harness.JobsList, harness.Bearer(victim.Value))
	}
	g.Records(t, 26)
	harness.Stop(t)
	folders, err := filepath.Glob(filepath.Join(g.Storage, "databricks_scopes", "usage", "*"))
	if err != nil || len(folders) != 1 {
		t.Fatalf("%q, %v", folders, err)
	}
	now := time.Now().UnixMilli()
	var tokens []map[string]any
	for i := range 10_200 {
		sum := sha256.Sum256(fmt.Append(nil, i))
		tokens = append(tokens, map[string]any{
			"id": hex.EncodeToString(sum[:]), "first": now + 1000, "last": now + 1000, "days": 1, "calls": 1,
			"uses": []map[string]any{{"op": 0, "calls": 1, "first": now + 1000, "last": now + 1000}},
		})
	}
	snapshot, err := json.Marshal(map[string]any{
		"version": 1, "since": now, "tokens": tokens,
		"operations": []map[string]any{{"method": "GET", "template": "/api/2.0/x", "name": "x", "access": "scoped", "any_of": []string{"sql"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folders[0], strings.Repeat("a", 26)+".json"), snapshot, 0o600); err != nil {
		t.Fatal(err)
	}
	g.Load(t, directives)
	status, body := g.Admin(t, "GET", "/databricks_scopes/recommend?token_id="+victim.Info.TokenId)
	for _, part := range []string{"26 calls over 1 day", "cut        1 operation with 26 calls, last used 2", "they needed jobs", "recommend  jobs\n"} {
		if status != 200 || !strings.Contains(body, part) {
			t.Errorf("it lacks %q: %d\n%s", part, status, body)
		}
	}
	if status, body = g.Admin(t, "GET", "/databricks_scopes/recommend?format=json&token_id="+victim.Info.TokenId); status != 200 || !strings.Contains(body, `"doubt":"1 operation dropped since 2`) {
		t.Errorf("%d %s", status, body)
	}
	if status, body = g.Admin(t, "GET", "/databricks_scopes/recommend?token_id="+unseen.Info.TokenId); status != 404 || !strings.Contains(body, "has not seen the token yet") {
		t.Errorf("a token that was never used: %d %s", status, body)
	}
	// A file that cannot be read may have had it.
	if err := os.WriteFile(filepath.Join(folders[0], "folded.json.unreadable-20260102T030405.000Z"), []byte("?"), 0o600); err != nil {
		t.Fatal(err)
	}
	if status, body = g.Admin(t, "GET", "/databricks_scopes/recommend?token_id="+unseen.Info.TokenId); status != 404 || !strings.Contains(body, "does not mean that the token was not used: 1 saved file could not be read, set aside since 2026-01-02") {
		t.Errorf("with a file set aside: %d %s", status, body)
	}
}
