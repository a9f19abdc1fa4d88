package console

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestVendoredSums: what is served of others is what ./refresh copied, and from the versions that
// package-lock.json names.
func TestVendoredSums(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("assets/thirdparty/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[string]bool)
	for line := range strings.Lines(string(list)) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok {
			t.Fatalf("cannot read the line %q", line)
		}
		content, err := os.ReadFile(filepath.Join("assets/thirdparty", name))
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
	for name := range assets() {
		if other, ok := strings.CutPrefix(name, "thirdparty/"); ok && !listed[other] {
			t.Errorf("%s is embedded and not in the list", name)
		}
	}
}

// TestVendoredVersions: the versions are exact, their integrity is known, and the lock file names no
// host.
func TestVendoredVersions(t *testing.T) {
	t.Parallel()
	var wanted struct{ Dependencies map[string]string }
	var locked struct {
		Packages map[string]struct{ Version, Integrity string }
	}
	for name, into := range map[string]any{"package.json": &wanted, "package-lock.json": &locked} {
		content, err := os.ReadFile(filepath.Join("assets", name))
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

// TestAssetsAreOurs: nothing that is served of our own loads from elsewhere, or needs more of the
// content security policy than the page's own files.
func TestAssetsAreOurs(t *testing.T) {
	t.Parallel()
	forbidden := regexp.MustCompile(`https?://|\beval\(|new Function|innerHTML|@import|url\(`)
	for _, name := range []string{"console.css", "console.js"} {
		if found := forbidden.FindString(string(assets()[name].content)); found != "" {
			t.Errorf("%s has %q", name, found)
		}
	}
	if lines := strings.Count(string(assets()["console.css"].content), "\n"); lines > 300 {
		t.Errorf("the style has %d lines; keep it at 300", lines)
	}
}
