package audit

import (
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// soon fails a test if something is not done after a while, such as opening a pipe.
func soon(t *testing.T, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); do() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("it hangs")
	}
}

// kinds are what a path may lead to, other than a regular file.
var kinds = map[string]func(path string) error{
	"named pipe": func(path string) error { return syscall.Mkfifo(path, 0o600) },
	"socket": func(path string) error {
		listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err == nil {
			listener.SetUnlinkOnClose(false)
			err = listener.Close()
		}
		return err
	},
}

// TestFileReplacedByAnotherKind: writes fail at once, until the path is free again.
func TestFileReplacedByAnotherKind(t *testing.T) {
	t.Parallel()
	for name, create := range kinds {
		for _, linked := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				folder, err := os.MkdirTemp("", "kind") // a socket's path is short
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = os.RemoveAll(folder) })
				path := filepath.Join(folder, "audit.jsonl")
				f := openFile(t, path, nil)
				writeTo(t, f, "1\n")
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				other := path
				if linked {
					other = filepath.Join(folder, "other")
					if err := os.Symlink(other, path); err != nil {
						t.Fatal(err)
					}
				}
				if err := create(other); err != nil {
					t.Fatal(err)
				}
				soon(t, func() {
					for range 2 {
						n, err := io.WriteString(f, "2\n")
						if n != 0 || failureOf(err) != "not a regular file" || !strings.Contains(err.Error(), "but a "+name) {
							t.Errorf("wrote %d bytes: %v", n, err)
						}
						f.check() // nor does that help
					}
					if other, err := NewFile(path, appendTo(path), nil); !errors.Is(err, errFileKind) {
						t.Errorf("opened: %v, %v", other, err)
					}
				})
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
				soon(t, func() { writeTo(t, f, "2\n") })
				if got := contentOf(t, path); got != "2\n" {
					t.Errorf("the file has %q", got)
				}
			})
		}
	}
}

// TestDevices: character devices are written to.
func TestDevices(t *testing.T) {
	t.Parallel()
	writeTo(t, openFile(t, os.DevNull, nil), "1\n")
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip(err)
	}
	if _, err := io.WriteString(openFile(t, "/dev/full", nil), "1\n"); failureOf(err) != "no space left on device" {
		t.Error(err)
	}
}

const standardPath = "AUDIT_TEST_STANDARD"

// TestStandardStreams: the path of a standard stream that is a pipe may be opened, if
// somebody reads it. It runs itself with such streams.
func TestStandardStreams(t *testing.T) {
	if path := os.Getenv(standardPath); path != "" {
		f, err := NewFile(path, appendTo(path), nil)
		if err != nil {
			t.Fatal(err)
		}
		writeTo(t, f, "a line\n")
		return
	}
	t.Parallel()
	for _, path := range []string{"/dev/stdout", "/dev/stderr"} {
		for _, read := range []bool{true, false} {
			if _, err := os.Stat(path); err != nil {
				t.Skip(err)
			}
			reader, writer, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			command := exec.Command(os.Args[0], "-test.run=^TestStandardStreams$", "-test.timeout=10s")
			command.Env = append(os.Environ(), standardPath+"="+path)
			command.Stdout, command.Stderr = io.Discard, io.Discard
			if path == "/dev/stdout" {
				command.Stdout = writer
			} else {
				command.Stderr = writer
			}
			if !read {
				reader.Close()
			}
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			writer.Close()
			output, _ := io.ReadAll(reader)
			began := time.Now()
			err = command.Wait()
			if read && (err != nil || !strings.Contains(string(output), "a line\n")) {
				t.Errorf("%s: %v, %q", path, err, output)
			}
			if !read && (err == nil || time.Since(began) > 9*time.Second) {
				t.Errorf("%s without a reader: %v after %s", path, err, time.Since(began))
			}
			reader.Close()
		}
	}
}
