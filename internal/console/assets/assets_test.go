package assets

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestSums: what is served of others is what ./refresh copied, and from the versions that
// package-lock.json names.
func TestSums(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("thirdparty/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]bool)
	for line := range strings.Lines(string(list)) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok {
			t.Fatalf("cannot read the line %q", line)
		}
		content, err := os.ReadFile(filepath.Join("thirdparty", name))
		if err != nil {
			t.Fatal(err)
		}
		if got := sha256.Sum256(content); hex.EncodeToString(got[:]) != sum {
			t.Errorf("%s is not what ./refresh copied; run it", name)
		}
		listed[name] = true
	}
	if !listed["../package-lock.json"] {
		t.Error("package-lock.json is not in the list")
	}
	for name := range byName {
		if other, ok := strings.CutPrefix(name, "thirdparty/"); ok && !listed[other] {
			t.Errorf("%s is embedded and not in the list", name)
		}
	}
}

// TestLocked: the versions are exact, their integrity is known, and the lock file names no
// host.
func TestLocked(t *testing.T) {
	t.Parallel()
	var wanted struct{ Dependencies map[string]string }
	var locked struct {
		Packages map[string]struct{ Version, Integrity string }
	}
	for name, into := range map[string]any{"package.json": &wanted, "package-lock.json": &locked} {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(content, into); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(content), "://") {
			t.Errorf("%s names a host", name)
		}
	}
	if len(wanted.Dependencies) == 0 || len(locked.Packages) != len(wanted.Dependencies)+1 {
		t.Errorf("%d packages are locked, %d are wanted", len(locked.Packages)-1, len(wanted.Dependencies))
	}
	for name, version := range wanted.Dependencies {
		got := locked.Packages["node_modules/"+name]
		if got.Version != version || !strings.HasPrefix(got.Integrity, "sha512-") {
			t.Errorf("%s %s is locked as %+v", name, version, got)
		}
	}
}

func get(t *testing.T, target string, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	ServeHTTP(w, r)
	return w
}

func TestServe(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, target string
		status       int
		kind, cache  string
	}{
		{"style", "/" + URL(Style), 200, "text/css", "immutable"},
		{"script", "/" + URL(Script), 200, "text/javascript", "immutable"},
		{"of others", "/" + URL(HTMX), 200, "text/javascript", "immutable"},
		{"charts", "/" + URL(Charts), 200, "text/javascript", "immutable"},
		{"style of charts", "/" + URL(ChartsStyle), 200, "text/css", "immutable"},
		{"license", "/thirdparty/uPlot.LICENSE.txt", 200, "text/plain", "no-cache"},
		{"another version", "/console.css?v=old", 200, "text/css", "no-cache"},
		{"source", "/assets.go", 404, "text/plain", ""},
		{"folder", "/thirdparty/", 404, "text/plain", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := get(t, test.target)
			if got.Code != test.status || !strings.HasPrefix(got.Header().Get("Content-Type"), test.kind) || !strings.Contains(got.Header().Get("Cache-Control"), test.cache) {
				t.Errorf("got %d %v", got.Code, got.Header())
			}
		})
	}
	t.Run("unchanged", func(t *testing.T) {
		t.Parallel()
		if got := get(t, "/console.css", "If-None-Match", get(t, "/console.css").Header().Get("ETag")); got.Code != http.StatusNotModified {
			t.Errorf("got %d", got.Code)
		}
	})
}

// TestNoCode: nothing that is served of our own loads from elsewhere, or needs more of the
// content security policy than the page's own files.
func TestNoCode(t *testing.T) {
	t.Parallel()
	forbidden := regexp.MustCompile(`https?://|\beval\(|new Function|innerHTML|@import|url\(`)
	for _, name := range []string{Style, Script} {
		if found := forbidden.FindString(string(byName[name].content)); found != "" {
			t.Errorf("%s has %q", name, found)
		}
	}
	if lines := strings.Count(string(byName[Style].content), "\n"); lines > 300 {
		t.Errorf("the style has %d lines; keep it at 300", lines)
	}
}
