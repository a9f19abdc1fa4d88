package caddymodule

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestUnjudgedRewrites(t *testing.T) {
	workspace := startWorkspace(t)
	scopes := fmt.Sprintf("databricks_scopes {\nworkspace %s\n%s}\n", workspace.URL(), adminBlock)
	proxy := "reverse_proxy " + workspace.URL()
	for _, test := range []struct {
		name, directives string
		want             []string
	}{
		{"none", scopes + proxy, nil},
		{"before", "rewrite * /x{uri}\n" + scopes + proxy, nil},
		{"inside the proxy", scopes + proxy + " {\nrewrite /x{uri}\n}", []string{"reverse_proxy"}},
		{"the proxy's method is no path, but what it sends is not what was judged either", scopes + proxy + " {\nmethod POST\n}", []string{"reverse_proxy"}},
		{"between, in a route block", "route {\n" + scopes + "uri strip_prefix /x\n" + proxy + "\n}", []string{"rewrite"}},
		{"in a later block", "route {\n" + scopes + "handle_path /x/* {\n" + proxy + "\n}\n}", []string{"rewrite"}},
		{"the shorthand", fmt.Sprintf("databricks_gateway %s {\n%s}", workspace.URL(), adminBlock), nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			startSite(t, workspace, test.directives)
			if got := live.list()[0].unjudgedRewrites(); !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestRewriteIsWarnedOf(t *testing.T) {
	workspace := startWorkspace(t)
	log := filepath.Join(t.TempDir(), "warnings.log")
	directives := fmt.Sprintf("databricks_scopes {\nworkspace %s\n%s}\nreverse_proxy %s {\nrewrite /x{uri}\n}", workspace.URL(), adminBlock, workspace.URL())
	h := startSite(t, workspace, "respond ok")
	h.global = "log warnings {\ninclude http.handlers.databricks_scopes\noutput file " + log + "\n}"
	h.load(t, directives)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		content, _ := os.ReadFile(log) // not there until there is something to say
		if strings.Contains(string(content), "a rewrite after databricks_scopes changes the path") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("no warning: %s", content)
		}
	}
}
