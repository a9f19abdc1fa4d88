//go:build unix

package regularfile

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

const limit = 1 << 20

// TestRead puts everything in place of a file that a file system has. None of it may
// hang, or take more memory than the limit.
func TestRead(t *testing.T) { // not in parallel: it measures memory
	sparse := func(t *testing.T, path string, size int64) {
		file, err := os.Create(path)
		if err == nil {
			err = errors.Join(file.Truncate(size), file.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	link := func(t *testing.T, target, path string) {
		if err := os.Symlink(target, path); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name string
		make func(t *testing.T, path string)
		want error // nil for success
		size int
	}{
		{"nothing", func(*testing.T, string) {}, fs.ErrNotExist, 0},
		{"empty", func(t *testing.T, path string) { sparse(t, path, 0) }, nil, 0},
		{"as large as can be", func(t *testing.T, path string) { sparse(t, path, limit) }, nil, limit},
		{"one byte more", func(t *testing.T, path string) { sparse(t, path, limit+1) }, ErrTooLarge, 0},
		{"400 MB", func(t *testing.T, path string) { sparse(t, path, 400<<20) }, ErrTooLarge, 0},
		{"a link to a file", func(t *testing.T, path string) { sparse(t, path+".target", 3); link(t, path+".target", path) }, nil, 3},
		{"a link to nothing", func(t *testing.T, path string) { link(t, path+".target", path) }, fs.ErrNotExist, 0},
		{"a link to itself", func(t *testing.T, path string) { link(t, path, path) }, ErrNotRegular, 0},
		{"a directory", func(t *testing.T, path string) {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}, ErrNotRegular, 0},
		{"a FIFO", func(t *testing.T, path string) {
			if err := syscall.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
		}, ErrNotRegular, 0},
		{"a link to a FIFO", func(t *testing.T, path string) {
			if err := syscall.Mkfifo(path+".target", 0o600); err != nil {
				t.Fatal(err)
			}
			link(t, path+".target", path)
		}, ErrNotRegular, 0},
		{"a socket", func(t *testing.T, path string) {
			listener, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { listener.Close() })
		}, ErrNotRegular, 0},
		{"endless zeros", func(t *testing.T, path string) { link(t, "/dev/zero", path) }, ErrNotRegular, 0},
		{"a terminal", func(t *testing.T, path string) { link(t, "/dev/ptmx", path) }, ErrNotRegular, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder, err := os.MkdirTemp("", "file") // t.TempDir may be too long for a socket
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(folder)
			path := filepath.Join(folder, "f")
			test.make(t, path)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			content, err := Read(path, limit)
			took := time.Since(began)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, test.want) || len(content) != test.size {
				t.Errorf("%d bytes, %v; want %v", len(content), err, test.want)
			}
			if err != nil && !strings.Contains(err.Error(), path) {
				t.Errorf("%v does not name the file", err)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 4*limit {
				t.Errorf("it took %d bytes of memory", used)
			}
			if took > 5*time.Second {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// TestReadProc: files of /proc claim to be empty. Some are large.
func TestReadProc(t *testing.T) {
	t.Parallel()
	content, err := Read("/proc/self/status", limit)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("there is no /proc")
	}
	if err != nil || !bytes.Contains(content, []byte("Pid:")) {
		t.Errorf("%q, %v", content, err)
	}
	if content, err = Read("/proc/self/pagemap", limit); !errors.Is(err, ErrTooLarge) && err == nil {
		t.Errorf("%d bytes", len(content))
	}
}

// TestReadChanging reads a file while it grows.
func TestReadChanging(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	half := bytes.Repeat([]byte("x"), limit/4)
	if err := os.WriteFile(path, half, 0o600); err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
			}
			if os.WriteFile(path, half[:len(half)/2], 0o600) != nil || os.WriteFile(path, half, 0o600) != nil {
				return
			}
		}
	}()
	changed := false
	for deadline := time.Now().Add(10 * time.Second); !changed && time.Now().Before(deadline); {
		_, err := Read(path, limit)
		changed = errors.Is(err, ErrChanged)
	}
	close(stop)
	<-stopped
	if !changed {
		t.Error("no change was noticed")
	}
}
