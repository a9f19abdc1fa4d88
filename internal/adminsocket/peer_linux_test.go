package adminsocket

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// serveAs listens on a socket as another user.
func serveAs(t *testing.T, user int, path string) {
	t.Helper()
	var listener net.Listener
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlock it: the thread ends with this goroutine
		id := uintptr(user)
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, id, id, id); errno != 0 { // of this thread only
			done <- errno
			return
		}
		var err error
		listener, err = net.Listen("unix", path)
		done <- err
	}()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
}

// TestForeign: nobody but this user, root, and the one to whom root gave a folder gets what is
// sent to a socket, also if the file is ours.
func TestForeign(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	const other = 54321
	top := tempDir(t)
	folder := func(name string, mode os.FileMode, owner int) string {
		path := filepath.Join(top, name)
		if err := errors.Join(os.Mkdir(path, 0o700), os.Chown(path, owner, owner), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if err := os.Chmod(top, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		folder  string
		user    int
		owner   int // of the file, in the end
		foreign bool
	}{
		"ours":                     {folder("a", 0o700, 0), 0, 0, false},
		"in a folder for all":      {folder("b", 0o777, 0), other, other, true},
		"as in /tmp":               {folder("c", 0o777|os.ModeSticky, 0), other, other, true},
		"under our name":           {folder("d", 0o777, 0), other, 0, true},
		"a service's":              {folder("e", 0o755, other), other, other, false},
		"in the folder of another": {folder("f", 0o777, other+1), other, other, true},
		"ours in a folder for all": {folder("g", 0o777, 0), 0, 0, false},
		"the file of another":      {folder("h", 0o777, 0), 0, other, true},
	} {
		path := filepath.Join(test.folder, "gateway.sock")
		serveAs(t, test.user, path)
		if err := os.Chown(path, test.owner, test.owner); err != nil {
			t.Fatal(err)
		}
		err := Check(path, time.Second)
		foreign, ok := errors.AsType[*ForeignError](err)
		if ok != test.foreign || !ok && err != nil || ok && foreign.User != other {
			t.Errorf("%s: %v", name, err)
		}
	}
	serveAs(t, other, "@scopegate-"+filepath.Base(top))
	if _, ok := errors.AsType[*ForeignError](Check("@scopegate-"+filepath.Base(top), time.Second)); !ok {
		t.Error("an abstract socket of another user was not refused")
	}
}
