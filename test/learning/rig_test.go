package learning

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// What the gateway saves of a lesson, by operation.
type lesson struct {
	Agreed, Disagreed int
	Refused           []struct {
		Named, Held []string
		Together    bool
		Count       int
	}
	Passed []struct {
		Held  []string
		Count int
	}
}

// named returns what refusals named, and held what tokens held that passed, each list joined
// by commas.
func (l lesson) named() (all []string) {
	for _, r := range l.Refused {
		all = append(all, strings.Join(r.Named, ","))
	}
	slices.Sort(all)
	return all
}

func (l lesson) held() (all []string) {
	for _, p := range l.Passed {
		all = append(all, strings.Join(p.Held, ","))
	}
	slices.Sort(all)
	return all
}

// lessons stops the gateway and returns what it saved, with the text of all that.
func lessons(t *testing.T, g *harness.Gateway) (byName map[string]lesson, text string) {
	t.Helper()
	harness.Stop(t)
	byName = make(map[string]lesson)
	err := filepath.WalkDir(filepath.Join(g.Storage, "databricks_scopes", "usage"), func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		var saved struct {
			Operations []struct{ Name string }
			Lessons    []struct {
				Op int
				lesson
			}
		}
		if err := json.Unmarshal(data, &saved); err != nil {
			return err
		}
		for _, l := range saved.Lessons {
			byName[saved.Operations[l.Op].Name] = l.lesson
		}
		text += string(data)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return byName, text
}

// answering makes a workspace answer its operations, and need scopes as a test says: by
// method and path, separated by spaces. It needs nothing where the test says nothing.
func answering(t *testing.T, needs map[string]string) *fakeworkspace.Workspace {
	t.Helper()
	workspace := harness.StartWorkspace(t, fakeworkspace.WithScopeCheck(func(method, path string) ([]string, bool) {
		return strings.Fields(needs[method+" "+path]), false
	}))
	for route := range needs {
		workspace.Handle(route, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }))
	}
	return workspace
}

const (
	clusters = "/api/2.1/clusters/list"
	catalogs = "/api/2.1/unity-catalog/catalogs"
	secrets  = "/api/2.0/secrets/scopes/list"
	alerts   = "/api/2.0/alerts"
)
