package routesfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// observed returns a row that a workspace's answers prove.
func observed(t testing.TB, line string) scopes.Operation {
	t.Helper()
	if !strings.Contains(line, "\tobserved\t") {
		line += "\tobserved\tx.Y"
	}
	rows, err := scopes.Parse(strings.NewReader(line+"\tseen"), "")
	if err != nil {
		t.Fatal(err)
	}
	return rows[0]
}

const (
	jobsRow   = "GET\t/api/2.2/jobs/list\tjobs"
	sqlRow    = "GET\t/api/2.2/jobs/list\tsql"
	namedRow  = sqlRow + "\tobserved\tjobs.List"
	clusters  = "GET\t/api/2.1/clusters/list\tsql"
	thingRow  = "GET\t/api/2.0/things/{id}\tsql"
	thingsOld = "GET\t/api/2.0/things/{name}\tjobs"
	rest      = "\tobserved\tx.Y\tseen\n"
)

func TestMerge(t *testing.T) {
	for _, test := range []struct {
		name, old              string
		rows                   []string
		want                   string
		added, replaced, equal int
	}{
		{"no file", "", []string{sqlRow, clusters}, "# why\n" + sqlRow + rest + clusters + rest, 2, 0, 0},
		{"beside others", "# ours\n" + thingsOld + "\n", []string{sqlRow}, "# ours\n" + thingsOld + "\n# why\n" + sqlRow + rest, 1, 0, 0},
		{"no line break at the end", thingsOld, []string{sqlRow}, thingsOld + "\n# why\n" + sqlRow + rest, 1, 0, 0},
		{"another parameter name", "# a\n" + thingsOld + "\tdocumented\r\n# b\n", []string{thingRow}, "# a\n# replaced: " + thingsOld + "\tdocumented\n" + thingRow + rest + "# b\n", 0, 1, 0},
		{"there already", sqlRow + "\n", []string{sqlRow}, sqlRow + "\n", 0, 0, 1},
		{"there and new", sqlRow + "\n", []string{clusters, sqlRow}, sqlRow + "\n# why\n" + clusters + rest, 1, 0, 1},
		{"the rest of a path", "GET\t/api/2.0/things/{path...}\tjobs\n", []string{"GET\t/api/2.0/things/*\tsql"}, "# replaced: GET\t/api/2.0/things/{path...}\tjobs\nGET\t/api/2.0/things/*\tsql" + rest, 0, 1, 0},
		{"another method", "POST\t/api/2.0/things/{id}\tjobs\n", []string{thingRow}, "POST\t/api/2.0/things/{id}\tjobs\n# why\n" + thingRow + rest, 1, 0, 0},
		{"another path of the operation", "GET\t/api/2.1/jobs/list\tjobs\n", []string{namedRow}, "# replaced: GET\t/api/2.1/jobs/list\tjobs\nGET\t/api/2.1/jobs/list\tsql\tobserved\tjobs.List\tseen\n# why\n" + namedRow + "\tseen\n", 1, 1, 0},
		{"one that says that it reads", jobsRow + "\tobserved\tx.Y\ts\tread: ours\n", []string{sqlRow}, "# replaced: " + jobsRow + "\tobserved\tx.Y\ts\tread: ours\n" + sqlRow + "\tobserved\tx.Y\tseen\tread: ours\n", 0, 1, 0},
		{"nothing", "# a\n", nil, "# a\n", 0, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			file := filepath.Join(folder, "routes.tsv")
			if test.old != "" {
				if err := os.WriteFile(file, []byte(test.old), 0o640); err != nil {
					t.Fatal(err)
				}
			}
			var rows []scopes.Operation
			for _, line := range test.rows {
				rows = append(rows, observed(t, line))
			}
			for range 2 { // the second time, there is nothing left to do
				merged, err := Merge(file, "why", rows, scopes.Default())
				if err != nil {
					t.Fatal(err)
				}
				if len(merged.Added) != test.added || len(merged.Replaced) != test.replaced || len(merged.Same) != test.equal {
					t.Errorf("%+v", merged)
				}
				if content, err := os.ReadFile(file); err != nil || string(content) != test.want {
					t.Errorf("%v, written is\n%s\nwant\n%s", err, content, test.want)
				}
				if _, err := Load(file, scopes.Default()); err != nil {
					t.Error(err)
				}
				test.added, test.replaced, test.equal = 0, 0, len(merged.Added)+len(merged.Replaced)+len(merged.Same)
			}
			info, err := os.Stat(file)
			if want := fs.FileMode(0o640); err != nil || test.old != "" && info.Mode().Perm() != want {
				t.Errorf("permissions %v, %v", info.Mode(), err)
			}
			if files, _ := os.ReadDir(folder); len(files) != 1 {
				t.Errorf("left behind: %v", files)
			}
		})
	}
}

// TestMergeFails: a file that cannot be loaded, before or after, stays as it was.
func TestMergeFails(t *testing.T) {
	for _, test := range []struct{ name, old, row, message string }{
		{"broken before", "GET\t/api\n", sqlRow, "routes.tsv:1: only two columns found"},
		{"broken after", strings.Repeat("# many\n", maxRows), sqlRow, "the result could not be loaded"},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			file := filepath.Join(folder, "routes.tsv")
			if err := os.WriteFile(file, []byte(test.old), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Merge(file, "", []scopes.Operation{observed(t, test.row)}, scopes.Default()); err == nil || !strings.Contains(err.Error(), "nothing was written") || !strings.Contains(err.Error(), test.message) {
				t.Errorf("%v", err)
			}
			if content, err := os.ReadFile(file); err != nil || string(content) != test.old {
				t.Errorf("%v, and the file changed", err)
			}
			if files, _ := os.ReadDir(folder); len(files) != 1 {
				t.Errorf("left behind: %v", files)
			}
		})
	}
	if _, err := Merge(filepath.Join(t.TempDir(), "missing", "routes.tsv"), "", []scopes.Operation{observed(t, sqlRow)}, scopes.Default()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	if _, err := Merge(t.TempDir(), "", []scopes.Operation{observed(t, sqlRow)}, scopes.Default()); err == nil || !strings.Contains(err.Error(), "a directory") {
		t.Errorf("a folder: %v", err)
	}
}

// TestMergeOver: what is written can be loaded over the catalog that the gateway has, which
// may know other operations than the shipped one.
func TestMergeOver(t *testing.T) {
	parse := func(rows string) []scopes.Operation {
		parsed, err := scopes.Parse(strings.NewReader(rows), "rows")
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	over, err := scopes.Default().With(parse("GET\t/api/2.0/new-a\tsql\tdocumented\tnew.Get\tx\nGET\t/api/2.1/new-b\tsql\tdocumented\tnew.Get\tx\n"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "routes.tsv")
	if err := os.WriteFile(file, []byte("GET\t/api/2.1/new-b\tfiles\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	merged, err := Merge(file, "", parse("GET\t/api/2.0/new-a\tjobs\tobserved\tnew.Get\tx\n"), over)
	if err != nil || len(merged.Added) != 1 || len(merged.Replaced) != 1 {
		t.Errorf("%+v %v", merged, err)
	}
	if _, err := Load(file, over); err != nil {
		t.Error(err)
	}
}

// TestMergeKeepsLinks: where the file is a symbolic link, what it leads to is written.
func TestMergeKeepsLinks(t *testing.T) {
	folder := t.TempDir()
	file, link := filepath.Join(folder, "file"), filepath.Join(folder, "link")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if _, err := Merge(link, "", []scopes.Operation{observed(t, sqlRow)}, scopes.Default()); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(file); err != nil || string(content) != sqlRow+rest {
		t.Errorf("%v %s", err, content)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("%v, the link was replaced", err)
	}
}

// FuzzMerge: the result of merging rows into any file that loads is one that loads, has
// the rows, and is not changed by merging them again.
func FuzzMerge(f *testing.F) {
	for _, old := range []string{"", "# a\r\n" + thingsOld, "\ufeff" + jobsRow + "\n", "*\t/api/2.0/things/*\tjobs\n", jobsRow + "\nGET\t/api/2.1/jobs/list\tsql"} {
		f.Add(old)
	}
	f.Fuzz(func(t *testing.T, old string) {
		before, err := Parse([]byte(old), "old", scopes.Default())
		if err != nil {
			t.Skip()
		}
		rows := []scopes.Operation{observed(t, sqlRow), observed(t, thingRow)}
		content, merged, err := merge([]byte(old), before.Catalog, "why", rows)
		if err != nil || len(merged.Added)+len(merged.Replaced)+len(merged.Same) != 2 {
			t.Fatalf("%v %+v", err, merged)
		}
		after, err := Parse(content, "new", scopes.Default())
		if err != nil {
			if len(old) > maxBytes/2 {
				t.Skip() // too long for a file
			}
			t.Fatalf("%v\n%s", err, content)
		}
		again, merged, err := merge(content, after.Catalog, "why", rows)
		if err != nil || merged.Changed() || string(again) != string(content) {
			t.Fatalf("%v %+v\n%s", err, merged, again)
		}
	})
}
