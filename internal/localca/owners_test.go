//go:build unix

package localca

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// other is the id of a user who is not this one.
const other = 54321

func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can make files of others")
	}
}

// giveAway makes another user the owner of a file, or of a folder and all in it.
func giveAway(t *testing.T, path string) {
	t.Helper()
	err := filepath.WalkDir(path, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, other, other))
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestForeignStore: no authority is used whose keys another user may have, and nothing is made
// where a link of theirs leads.
func TestForeignStore(t *testing.T) {
	const local = "authority/pki/authorities/local/"
	mode := func(name string, mode fs.FileMode) func(*testing.T, string) {
		return func(t *testing.T, folder string) {
			if err := os.Chmod(filepath.Join(folder, name), mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	theirs := func(name string) func(*testing.T, string) {
		return func(t *testing.T, folder string) {
			asRoot(t)
			giveAway(t, filepath.Join(folder, name))
		}
	}
	link := func(whose func(*testing.T, string)) func(*testing.T, string) {
		return func(t *testing.T, folder string) {
			moved := folder + ".moved"
			if err := errors.Join(os.Rename(folder, moved), os.Symlink(moved, folder)); err != nil {
				t.Fatal(err)
			}
			whose(t, folder)
		}
	}
	for name, test := range map[string]struct {
		spoil func(t *testing.T, folder string)
		says  string
	}{
		"ours":                       {func(*testing.T, string) {}, ""},
		"a link of ours":             {link(func(*testing.T, string) {}), ""},
		"in /tmp":                    {mode("..", 0o777|fs.ModeSticky), ""},
		"copied by another":          {theirs("."), "belongs to another user"},
		"the authority of another":   {theirs("authority"), "belongs to another user"},
		"the root of another":        {theirs(local + "root.crt"), "belongs to another user"},
		"the key of another":         {theirs(local + "root.key"), "belongs to another user"},
		"a link of another":          {link(theirs(".")), "belongs to another user"},
		"a root's key for all":       {mode(local+"root.key", 0o666), "other users can"},
		"a root's key for readers":   {mode(local+"root.key", 0o604), "and the next start makes a new authority"},
		"a root's key for a group":   {mode(local+"root.key", 0o640), "and the next start makes a new authority"},
		"an intermediate's for all":  {mode(local+"intermediate.key", 0o644), "and the next start makes a new authority"},
		"a folder for all":           {mode(".", 0o777), "other users can write to"},
		"a folder for all above":     {mode("..", 0o777), "other users can write to"},
		"a folder for all in it":     {mode(local, 0o777), "other users can write to"},
		"a certificate for all":      {mode(local+"root.crt", 0o666), "other users can write to"},
		"all can read a certificate": {mode(local+"root.crt", 0o644), ""},
	} {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "scopegate")
			root := mustOpen(t, folder, times{}).Root
			test.spoil(t, folder)
			a, err := open(t.Context(), folder, quiet(), times{})
			switch {
			case test.says == "" && (err != nil || !a.Root.Equal(root)):
				t.Errorf("%v", err)
			case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "XDG_DATA_HOME")):
				t.Errorf("%v, want %q", err, test.says)
			}
		})
	}
	t.Run("a dangling link above", func(t *testing.T) {
		top := t.TempDir()
		link, target := filepath.Join(top, "data"), filepath.Join(top, "made")
		if err := os.Symlink(target, link); err != nil {
			t.Fatal(err)
		}
		theirs(".")(t, link)
		if _, err := open(t.Context(), filepath.Join(link, "scopegate"), quiet(), times{}); err == nil {
			t.Error("it was followed")
		}
		if _, err := os.Lstat(target); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it made the target: %v", err)
		}
	})
}

// TestWriteRootForeign: another user cannot choose which file is written, or change it.
func TestWriteRootForeign(t *testing.T) {
	a := mustOpen(t, t.TempDir(), times{})
	for name, test := range map[string]struct {
		spoil func(t *testing.T, folder string) error
		says  string
	}{
		"a dangling link": {func(t *testing.T, folder string) error {
			asRoot(t)
			path := filepath.Join(folder, "ca.crt")
			return errors.Join(os.Symlink(filepath.Join(folder, "target"), path), os.Lchown(path, other, other))
		}, "belongs to another user"},
		"a file": {func(t *testing.T, folder string) error {
			asRoot(t)
			path := filepath.Join(folder, "ca.crt")
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Lchown(path, other, other))
		}, "belongs to another user"},
		"a folder": {func(t *testing.T, folder string) error {
			asRoot(t)
			return os.Lchown(folder, other, other)
		}, "belongs to another user"},
		"a folder for all": {func(_ *testing.T, folder string) error { return os.Chmod(folder, 0o777) }, "other users can write to"},
		"a file for all": {func(_ *testing.T, folder string) error {
			path := filepath.Join(folder, "ca.crt")
			return errors.Join(os.WriteFile(path, nil, 0o600), os.Chmod(path, 0o666))
		}, "other users can write to"},
		"none, as in /tmp": {func(*testing.T, string) error { return nil }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			if err := errors.Join(os.Chmod(folder, 0o777|fs.ModeSticky), test.spoil(t, folder)); err != nil {
				t.Fatal(err)
			}
			_, err := a.WriteRoot(filepath.Join(folder, "ca.crt"))
			if test.says == "" && err != nil || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), "name a file")) {
				t.Errorf("%v, want %q", err, test.says)
			}
			content, err := os.ReadFile(filepath.Join(folder, "ca.crt"))
			if test.says != "" && len(content) > 0 {
				t.Errorf("it was written: %v", err)
			}
			if _, err := os.Lstat(filepath.Join(folder, "target")); err == nil {
				t.Error("the target of the link was made")
			}
		})
	}
}
