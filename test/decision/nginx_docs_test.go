package decision

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestNginxDocs: the tests and files that docs/proxies/nginx.md names exist, and it names every
// file.
func TestNginxDocs(t *testing.T) {
	content, err := os.ReadFile("../../docs/proxies/nginx.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(content)
	sources, err := filepath.Glob("nginx_*test.go")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	for _, source := range append(sources, "nginx_test.go") {
		code, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		tests.Write(code)
	}
	named := regexp.MustCompile("`(TestNginx[A-Za-z]*)`").FindAllStringSubmatch(page, -1)
	if len(named) < 8 {
		t.Errorf("the page names %d tests", len(named))
	}
	for _, name := range named {
		if !strings.Contains(tests.String(), "func "+name[1]+"(t *testing.T)") {
			t.Errorf("there is no %s", name[1])
		}
	}
	listed := regexp.MustCompile("(?m)^\\| `([a-z-]+\\.conf)` \\|").FindAllStringSubmatch(page, -1)
	for _, file := range listed {
		if !slices.Contains(nginxFiles, file[1]) {
			t.Errorf("there is no file %s", file[1])
		}
	}
	if len(listed) != len(nginxFiles) {
		t.Errorf("the page has %d files", len(listed))
	}
}
