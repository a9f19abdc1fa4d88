package main

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/scopegate/scopegate/scopes"
)

// fakeModule is a module that requires the SDK, and a module proxy with versions of it.
type fakeModule struct {
	root, proxy string
	env         []string
}

// newFakeModule writes a module, and one below it, which require version v0.1.0. The
// SDK's versions have the functions given.
func newFakeModule(t *testing.T, versions map[string]string) fakeModule {
	t.Helper()
	m := fakeModule{root: t.TempDir(), proxy: t.TempDir()}
	m.env = append(os.Environ(), "GOPROXY=file://"+filepath.ToSlash(m.proxy), "GOSUMDB=off", "GOFLAGS=-modcacherw",
		"GOMODCACHE="+t.TempDir(), "GOWORK=off", "GONOPROXY=none", "GOPRIVATE=")
	at := filepath.Join(m.proxy, filepath.FromSlash(sdkModule), "@v")
	var list strings.Builder
	for version, funcs := range versions {
		list.WriteString(version + "\n")
		dir := fakeSDK(t, funcs, "go.mod", "module "+sdkModule+"\n\ngo 1.26\n")
		m.write(t, filepath.Join(at, version+".info"), fmt.Sprintf("{\"Version\":%q}", version))
		m.write(t, filepath.Join(at, version+".mod"), "module "+sdkModule+"\n\ngo 1.26\n")
		m.write(t, filepath.Join(at, version+".zip"), zipped(t, dir, sdkModule+"@"+version+"/"))
	}
	m.write(t, filepath.Join(at, "list"), list.String())
	m.write(t, "go.mod", "module example.com/gate\n\ngo 1.26\n\nrequire "+sdkModule+" v0.1.0\n")
	m.write(t, "gate.go", "package gate\n\nimport _ \""+sdkModule+"\"\n")
	m.write(t, "bench/go.mod", "module example.com/gate/bench\n\ngo 1.26\n\nreplace example.com/gate => ../\n\nrequire example.com/gate v0.0.0\n\nrequire "+sdkModule+" v0.1.0 // indirect\n")
	m.write(t, "bench/bench.go", "package bench\n\nimport _ \"example.com/gate\"\n")
	m.write(t, "other/go.mod", "module example.com/gate/other\n\ngo 1.26\n")
	m.write(t, "scopes/catalog.tsv", generatedHeader+"GET\t/api/2.0/animals\tjobs\tinferred\tzoo.List\ts\nGET\t/api/2.0/gone\tjobs\tinferred\tzoo.Gone\ts\n")
	for _, dir := range []string{"", "bench"} {
		if _, err := m.bump(nil).golang(filepath.Join(m.root, dir), "mod", "tidy"); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m fakeModule) bump(out *bytes.Buffer) bump {
	rules := tables{rules: "zoo.List\tsql\tinferred\ts\nzoo.G*\tsql\tinferred\ts\n"}
	return bump{root: m.root, tables: rules, env: m.env, out: out}
}

func (m fakeModule) write(t *testing.T, name, text string) {
	t.Helper()
	if !filepath.IsAbs(name) {
		name = filepath.Join(m.root, name)
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// files returns the content of all files of the module.
func (m fakeModule) files(t *testing.T) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := fs.WalkDir(os.DirFS(m.root), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(m.root, name))
		all[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func zipped(t *testing.T, dir, prefix string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		file, err := w.Create(prefix + name)
		if err != nil {
			return err
		}
		_, err = file.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var (
	sdkBefore = method("zoo", "List", `"/api/2.0/animals"`)
	sdkAfter  = sdkBefore + method("zoo", "Get", `fmt.Sprintf("/api/2.0/animals/%v", request.AnimalId)`)
	sdkNewer  = sdkAfter + bare("GetName", `fmt.Sprintf("/api/2.0/zoo/%v", request.Name)`) + method("keepers", "List", `"/api/2.0/keepers"`)
)

func TestBump(t *testing.T) {
	t.Parallel()
	for _, query := range []string{"v0.2.0", "latest"} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			m := newFakeModule(t, map[string]string{"v0.1.0": sdkBefore, "v0.2.0": sdkAfter})
			before := m.files(t)
			var out bytes.Buffer
			if err := m.bump(&out).to(query); err != nil {
				t.Fatal(err)
			}
			for _, part := range []string{
				"moved to " + sdkModule + " v0.2.0\n",
				"+ GET     /api/2.0/animals/{animal_id}\tsql\tinferred\tzoo.Get\n",
				"- GET     /api/2.0/gone\tjobs\tinferred\tzoo.Gone\n",
				"~ GET     /api/2.0/animals\tjobs → sql\tinferred\tzoo.List\n",
				"1 added, 1 removed, 1 with other scopes\n",
				"2 workspace operations",
				"internal/judge/change.go",
			} {
				if !strings.Contains(out.String(), part) {
					t.Errorf("the output lacks %q:\n%s", part, &out)
				}
			}
			after := m.files(t)
			for name, text := range after {
				switch {
				case strings.HasSuffix(name, "catalog.tsv"):
					if want := generatedHeader + "GET\t/api/2.0/animals\tsql\tinferred\tzoo.List\ts\tread\nGET\t/api/2.0/animals/{animal_id}\tsql\tinferred\tzoo.Get\ts\tread\n"; !strings.HasSuffix(text, strings.TrimPrefix(want, generatedHeader)) {
						t.Errorf("the catalog is\n%s", text)
					}
					rows, err := scopes.Parse(strings.NewReader(text), name)
					if err == nil {
						err = output(filepath.Join(m.root, name), rows, true, io.Discard)
					}
					if err != nil {
						t.Errorf("what is written does not pass -check: %v", err)
					}
				case name == "go.mod" || name == "bench/go.mod" || name == "go.sum" || name == "bench/go.sum":
					if !strings.Contains(text, sdkModule+" v0.2.0") || strings.Contains(text, "v0.1.0") {
						t.Errorf("%s is\n%s", name, text)
					}
				case text != before[name]:
					t.Errorf("%s has changed to\n%s", name, text)
				}
			}
			// What the go command would still change.
			for _, dir := range []string{"", "bench"} {
				if diff, err := m.bump(nil).golang(filepath.Join(m.root, dir), "mod", "tidy", "-diff"); err != nil {
					t.Errorf("%s: %v\n%s", dir, err, diff)
				}
			}
		})
	}
}

// TestBumpChangesNothing checks that nothing has changed after an upgrade that fails,
// wherever it does.
func TestBumpChangesNothing(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, version string
		spoil         func(*testing.T, fakeModule)
		says          []string
	}{
		{"lines to write", "v0.2.0", nil, []string{
			"zoo.GetName\t?\thow you know\n", "zoo.Keepers.*\tall-apis\tinferred\tnothing recorded\n", "cmd/scopegen/names.tsv", "cmd/scopegen/rules.tsv",
			"then run: go run ./cmd/scopegen -bump v0.2.0",
		}},
		{"no such version", "v0.9.9", nil, []string{`version "v0.9.9"`, "name an exact version"}},
		{"a version that is none", "../x", nil, []string{"name an exact version"}},
		{"a module that cannot be upgraded", "v0.1.1", func(t *testing.T, m fakeModule) {
			m.write(t, "bench/more.go", "package bench\n\nimport _ \"example.com/nowhere\"\n")
		}, []string{"upgrading the SDK", "only moves forward", "example.com/nowhere"}},
		{"no catalog", "v0.1.1", func(t *testing.T, m fakeModule) {
			if err := os.Remove(filepath.Join(m.root, "scopes", "catalog.tsv")); err != nil {
				t.Fatal(err)
			}
		}, []string{"reading the catalog"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := newFakeModule(t, map[string]string{"v0.1.0": sdkBefore, "v0.1.1": sdkAfter, "v0.2.0": sdkNewer})
			if test.spoil != nil {
				test.spoil(t, m)
			}
			before := m.files(t)
			var out bytes.Buffer
			err := m.bump(&out).to(test.version)
			if err == nil {
				t.Fatalf("it succeeded:\n%s", &out)
			}
			for _, part := range test.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%v\nlacks %q", err, part)
				}
			}
			if diff := cmp.Diff(before, m.files(t)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestReplaceAll checks that files written before one that fails are put back.
func TestReplaceAll(t *testing.T) {
	t.Parallel()
	m := fakeModule{root: t.TempDir()}
	m.write(t, "a", "old a")
	m.write(t, "b", "old b")
	name := func(s string) string { return filepath.Join(m.root, s) }
	// A directory cannot be written as a file.
	if err := os.Mkdir(name("c"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := replaceAll([]newFile{{name("a"), []byte("new a")}, {name("b"), []byte("new b")}, {name("c"), nil}}); err == nil {
		t.Error("it succeeded")
	}
	if diff := cmp.Diff(map[string]string{"a": "old a", "b": "old b"}, m.files(t)); diff != "" {
		t.Error(diff)
	}
	if err := replaceAll([]newFile{{name("a"), []byte("new a")}, {name("b"), []byte("new b")}}); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(map[string]string{"a": "new a", "b": "new b"}, m.files(t)); diff != "" {
		t.Error(diff)
	}
}
