package trustedpath

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// TestResolve tries paths with everything that another user can have made or can change.
func TestResolve(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("it has no modes")
	}
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(top)
	must := func(errs ...error) {
		t.Helper()
		if err := errors.Join(errs...); err != nil {
			t.Fatal(err)
		}
	}
	must(os.Chmod(top, 0o755))
	for name, mode := range map[string]fs.FileMode{"a": 0o755, "a/b": 0o700, "open": 0o777, "group": 0o770, "sticky": 0o777 | fs.ModeSticky} {
		must(os.MkdirAll(name, 0o700), os.Chmod(name, mode))
	}
	for name, mode := range map[string]fs.FileMode{"a/file": 0o640, "a/writable": 0o646, "open/file": 0o600, "sticky/file": 0o600, "a/sticky": 0o666 | fs.ModeSticky} {
		must(os.WriteFile(name, nil, 0o600), os.Chmod(name, mode))
	}
	for name, target := range map[string]string{
		"link": "a/file", "a/link": filepath.Join(top, "a/b/new"), "twice": "a/link", "loop": "loop", "way": "a/b", "a/b/up": "../new",
		"into": "open/file", "sticky/link": "../a/file",
	} {
		must(os.Symlink(target, name))
	}
	const changes, theirs = "other users can write to", "belongs to another user"
	type row struct{ path, leads, problem, follow string } // of Resolve, and of Follow
	rows := []row{
		{"a/file", "a/file", "", ""},
		{"./a//b/../file", "a/file", "", ""},
		{"link", "a/file", "", ""},
		{"twice", "a/b/new", "", ""},
		{"way/up", "a/new", "", ""},
		{"way/../file", "a/file", "", ""},
		{"none/at/all", "none/at/all", "", ""},
		{"sticky/file", "sticky/file", "", ""},
		{"sticky/link", "a/file", "", ""},
		{"sticky/new", "sticky/new", "", ""},
		{"a/writable", "a/writable", changes, ""},
		{"a/sticky", "a/sticky", changes, ""},
		{"open/file", "open/file", changes, ""},
		{"open/new", "open/new", changes, ""},
		{"into", "open/file", changes, ""},
		{"loop", "", "too many", "too many"},
		{"a/file/x", "", "not a directory", "not a directory"},
	}
	if os.Geteuid() == 0 || os.Geteuid() != os.Getegid() {
		rows = append(rows, row{"group/new", "group/new", changes, ""})
	}
	if os.Geteuid() == 0 {
		const other = 54321
		must(os.Mkdir("theirs", 0o755), os.WriteFile("sticky/theirs", nil, 0o600), os.Symlink("../none", "sticky/dangling"),
			os.Symlink("../a", "sticky/folder"), os.Symlink("sticky/dangling", "via"))
		for _, name := range []string{"theirs", "sticky/theirs", "sticky/dangling", "sticky/folder"} {
			must(os.Lchown(name, other, other))
		}
		rows = append(rows,
			row{"theirs/new", "theirs/new", theirs, ""},
			row{"sticky/theirs", "sticky/theirs", theirs, ""},
			row{"sticky/dangling", "", theirs, theirs},
			row{"sticky/folder/file", "", theirs, theirs},
			row{"via", "", theirs, theirs}) // a link of ours to one of theirs
	}
	for _, row := range rows {
		for name, test := range map[string]struct {
			call    func(string) (string, error)
			problem string
		}{"Resolve": {Resolve, row.problem}, "Follow": {Follow, row.follow}} {
			for _, path := range []string{row.path, top + "/" + row.path} {
				got, err := test.call(path)
				switch {
				case test.problem == "" && (err != nil || got != filepath.Join(top, row.leads)):
					t.Errorf("%s(%s): %s %v", name, path, got, err)
				case test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)):
					t.Errorf("%s(%s): %s %v, want %q", name, path, got, err, test.problem)
				}
			}
		}
	}
	if _, err := Follow("loop"); !errors.Is(err, syscall.ELOOP) {
		t.Error(err)
	}
}
