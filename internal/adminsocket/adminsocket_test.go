package adminsocket

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// tempDir returns a private folder with a short path.
func tempDir(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "sg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

// serve listens on a socket until the test ends.
func serve(t *testing.T, path string) net.Listener {
	t.Helper()
	listener, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// leave leaves the file of a socket on which nobody listens, as a killed process does.
func leave(t *testing.T, path string) {
	t.Helper()
	listener := serve(t, path).(*net.UnixListener)
	listener.SetUnlinkOnClose(false)
	_ = listener.Close()
}

// folders are ways in which another user may have prepared a folder.
func folders(t *testing.T) map[string]struct{ path, problem string } {
	t.Helper()
	top := tempDir(t)
	path := func(name string) string { return filepath.Join(top, name) }
	for name, mode := range map[string]os.FileMode{"open": 0o777, "sticky": 0o1777 | os.ModeSticky, "group": 0o770, "readable": 0o755, "private": 0o700, "target": 0o700} {
		if err := errors.Join(os.Mkdir(path(name), 0o700), os.Chmod(path(name), mode)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink(path("target"), path("link")), os.Symlink(path("nowhere"), path("dangling")), os.WriteFile(path("file"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for _, parent := range []string{"open", "group", "sticky", "readable"} {
		if err := errors.Join(os.Mkdir(path(parent+"/in"), 0o700), os.Mkdir(path(parent+"/in/deep"), 0o700), os.Mkdir(path(parent+"/in/far"), 0o700)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(path("open/in"), path("way")); err != nil {
		t.Fatal(err)
	}
	all := map[string]struct{ path, problem string }{
		"below one writable for all":     {path("open/in"), "other users can write to"},
		"deep below one":                 {path("open/in/deep"), "other users can write to"},
		"below one writable for a group": {path("group/in"), "other users can write to"},
		"below a link to such a one":     {path("way/far"), "other users can write to"},
		"below a sticky one":             {path("sticky/in"), ""},
		"deep below a sticky one":        {path("sticky/in/deep"), ""},
		"below a readable one":           {path("readable/in"), ""},

		"writable for all":          {path("open"), "other users can write to"},
		"writable for all, as /tmp": {path("sticky"), "other users can write to"},
		"writable for a group":      {path("group"), "other users can write to"},
		"a link":                    {path("link"), "is not a folder"},
		"a dangling link":           {path("dangling"), "is not a folder"},
		"a file":                    {path("file"), "is not a folder"},
		"too long":                  {path(strings.Repeat("x", maxPath)), "too long"},
		"nowhere to make it":        {path("none/scopegate"), "no such file"},
		"readable":                  {path("readable"), ""},
		"private":                   {path("private"), ""},
		"to be made":                {path("new"), ""},
	}
	if os.Geteuid() != 0 && os.Geteuid() == os.Getegid() {
		delete(all, "writable for a group") // which is this user's own
		delete(all, "below one writable for a group")
	}
	if os.Geteuid() == 0 {
		const other = 54321
		theirs := path("theirs")
		if err := errors.Join(os.Mkdir(theirs, 0o700), os.Mkdir(theirs+"/scopegate", 0o700), os.Chown(theirs, other, other), os.Chown(theirs+"/scopegate", other, other)); err != nil {
			t.Fatal(err)
		}
		all["of another user"] = struct{ path, problem string }{theirs, "belongs to another user"}
		all["of another user, below"] = struct{ path, problem string }{theirs + "/scopegate", "belongs to another user"}
	}
	return all
}

func TestPlace(t *testing.T) {
	good := filepath.Join(tempDir(t), "good")
	for name, tt := range folders(t) {
		got, err := place([]string{tt.path, good}, "gateway.sock")
		want := tt.path
		if tt.problem != "" {
			want = good
		}
		if err != nil || got != want {
			t.Errorf("%s: %s, %v", name, got, err)
		}
		if info, err := os.Lstat(got); err != nil || info.Mode().Perm()&0o022 != 0 {
			t.Errorf("%s: %v %v", name, info, err)
		}
		_, err = place([]string{tt.path}, "gateway.sock")
		if (err == nil) != (tt.problem == "") || err != nil && !strings.Contains(err.Error(), tt.problem) {
			t.Errorf("%s alone: %v, want %q", name, err, tt.problem)
		}
	}
}

// TestFind: sockets that another user could have made are not asked.
func TestFind(t *testing.T) {
	for name, tt := range folders(t) {
		if tt.problem != "" && tt.problem != "other users can write to" && name != "a link" && !strings.HasPrefix(name, "of another") {
			continue // there can be no socket
		}
		if name == "to be made" {
			if got := find([]string{tt.path}); len(got.Live)+len(got.Problems) > 0 {
				t.Errorf("%s: %v", name, got)
			}
			continue
		}
		serve(t, filepath.Join(tt.path, "gateway-1.sock"))
		leave(t, filepath.Join(tt.path, "gateway-2.sock"))
		serve(t, filepath.Join(tt.path, "another"))
		got := find([]string{tt.path})
		// Nobody but us can have put "of another user" where it is.
		if trusted := tt.problem == "" || name == "of another user"; trusted && (len(got.Live) != 1 || len(got.Problems) > 0) || !trusted && (len(got.Live) > 0 || len(got.Problems) != 1) {
			t.Errorf("%s: %v", name, got)
		}
		for _, path := range got.Live {
			if filepath.Base(path) != "gateway-1.sock" {
				t.Errorf("%s: found %s", name, path)
			}
		}
	}
}

// TestFoldersOnce: a gateway in the container image, whose XDG_RUNTIME_DIR is /run, is one.
func TestFoldersOnce(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "/run")
	folders := Folders()
	slices.Sort(folders)
	if once := slices.Compact(slices.Clone(folders)); len(once) != len(folders) {
		t.Errorf("some folders stand twice: %q", folders)
	}
}

// TestMake: nobody gets a path on which another listens, and what a killed process left is
// free.
func TestMake(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", tempDir(t))
	folder := Folders()[0]
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	leave(t, filepath.Join(folder, "gateway-8080.sock"))
	var mu sync.Mutex
	made := map[string]bool{}
	var together sync.WaitGroup
	for range 10 {
		together.Go(func() {
			path, err := Make("gateway-8080", func(path string) error {
				_ = os.Remove(path) // as Caddy does
				listener, err := net.Listen("unix", path)
				if err == nil {
					t.Cleanup(func() { _ = listener.Close() })
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			made[path] = true
		})
	}
	together.Wait()
	if len(made) != 10 || !made[filepath.Join(folder, "gateway-8080.sock")] || !made[filepath.Join(folder, "gateway-8080-10.sock")] {
		t.Errorf("made %v", made)
	}
	if got := Find(); len(got.Live) < 10 {
		t.Errorf("found %v", got)
	}
}

// TestPrivate: a socket is private from the start, whatever the umask allows.
func TestPrivate(t *testing.T) {
	path := filepath.Join(tempDir(t), "a.sock")
	Private(func() { serve(t, path) })
	if info, err := os.Lstat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v %v", info, err)
	}
	after := filepath.Join(tempDir(t), "b.sock")
	serve(t, after)
	if info, err := os.Lstat(after); err != nil || info.Mode().Perm() == 0o700 {
		t.Errorf("the umask stayed: %v %v", info, err)
	}
}
