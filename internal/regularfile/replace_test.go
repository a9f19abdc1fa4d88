//go:build unix

package regularfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestReplace(t *testing.T) {
	folder := t.TempDir()
	t.Chdir(folder)
	write := func(name, content string, mode fs.FileMode) {
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(content), mode)); err != nil {
			t.Fatal(err)
		}
	}
	link := func(name, to string) {
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.Symlink(to, name)); err != nil {
			t.Fatal(err)
		}
	}
	write("old", "old", 0o640)
	write("target", "old", 0o600)
	link("link", "target")
	link("absolute", filepath.Join(folder, "target"))
	link("twice", "link")
	link("dangling", "not-yet")
	link("loop", "loop")
	link("loose", "missing/file")
	write("a/b/x", "", 0o600)
	link("way", "a/b")
	link("a/b/up", "../y") // from way/up: a/y, and not y
	if err := errors.Join(os.Mkdir("folder", 0o755), syscall.Mkfifo("fifo", 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		path, file string
		mode       fs.FileMode
		fails      error
	}{
		{"new", "new", 0o644, nil},
		{"old", "old", 0o640, nil},
		{filepath.Join(folder, "old"), "old", 0o640, nil},
		{"link", "target", 0o600, nil},
		{"absolute", "target", 0o600, nil},
		{"twice", "target", 0o600, nil},
		{"dangling", "not-yet", 0o644, nil},
		{"way/up", "a/y", 0o644, nil},
		{"loop", "", 0, ErrNotRegular},
		{"folder", "", 0, ErrNotRegular},
		{"fifo", "", 0, ErrNotRegular},
		{"/dev/null", "", 0, ErrNotRegular},
		{"loose", "", 0, fs.ErrNotExist},
		{"old/x", "", 0, syscall.ENOTDIR},
	} {
		before, _ := os.Readlink(test.path)
		err := Replace(test.path, []byte(test.path))
		if !errors.Is(err, test.fails) {
			t.Errorf("%s: %v, want %v", test.path, err, test.fails)
		}
		if after, _ := os.Readlink(test.path); after != before {
			t.Errorf("%s: the link is %q, and was %q", test.path, after, before)
		}
		if test.fails != nil {
			continue
		}
		content, err := os.ReadFile(test.file)
		info, statErr := os.Stat(test.file)
		if err := errors.Join(err, statErr); err != nil || string(content) != test.path || info.Mode() != test.mode {
			t.Errorf("%s: %q %v %v", test.path, content, info.Mode(), err)
		}
	}
	if left, err := filepath.Glob(".*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// TestReplaceForeignLink: another user cannot choose which file root makes.
func TestReplaceForeignLink(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make links of others")
	}
	folder := t.TempDir()
	link, target := filepath.Join(folder, "link"), filepath.Join(folder, "target")
	if err := errors.Join(os.Symlink(target, link), os.Lchown(link, 54321, 54321)); err != nil {
		t.Fatal(err)
	}
	if err := Replace(link, []byte("x")); err == nil {
		t.Error("it was followed")
	}
	if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the target: %v", err)
	}
}
