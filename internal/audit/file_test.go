package audit

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/DeRuina/timberjack"
)

// appendTo returns how to open a file as Caddy's file writer does.
func appendTo(path string) func() (*os.File, error) {
	return func() (*os.File, error) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, err
		}
		return os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	}
}

func openFile(t *testing.T, path string, roll Roller) *File {
	t.Helper()
	f, err := NewFile(path, appendTo(path), roll)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func writeTo(t *testing.T, f *File, lines string) {
	t.Helper()
	if n, err := io.WriteString(f, lines); n != len(lines) || err != nil {
		t.Fatalf("wrote %d of %d bytes: %v", n, len(lines), err)
	}
}

func contentOf(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// TestFileFollowsItsPath does to a file what other programs do, between two lines.
func TestFileFollowsItsPath(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		do   func(path string) error
		want string // at the path, afterwards
	}{
		{"nothing", func(string) error { return nil }, "1\n2\n"},
		{"renamed", func(path string) error { return os.Rename(path, path+".1") }, "2\n"},
		{"removed", os.Remove, "2\n"},
		{"truncated", func(path string) error { return os.Truncate(path, 0) }, "2\n"},
		{"replaced", func(path string) error {
			if err := os.WriteFile(path+".new", []byte("new\n"), 0o600); err != nil {
				return err
			}
			return os.Rename(path+".new", path)
		}, "new\n2\n"},
		{"the folder removed", func(path string) error { return os.RemoveAll(filepath.Dir(path)) }, "2\n"},
		{"the folder renamed", func(path string) error { return os.Rename(filepath.Dir(path), filepath.Dir(path)+".1") }, "2\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "folder", "audit.jsonl")
			f := openFile(t, path, nil)
			writeTo(t, f, "1\n")
			if err := test.do(path); err != nil {
				t.Fatal(err)
			}
			writeTo(t, f, "2\n")
			if got := contentOf(t, path); got != test.want {
				t.Errorf("the file has %q, want %q", got, test.want)
			}
		})
	}
}

// TestFileThatCannotBeReopened: writes fail until the path is free again.
func TestFileThatCannotBeReopened(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	f := openFile(t, path, nil)
	writeTo(t, f, "1\n")
	for _, do := range []func() error{
		func() error { return os.Remove(path) },
		func() error { return os.Mkdir(path, 0o700) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if n, err := io.WriteString(f, "2\n"); n != 0 || failureOf(err) != "is a directory" {
			t.Errorf("wrote %d bytes into a folder: %v", n, err)
		}
		f.check() // nor does that help
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	writeTo(t, f, "2\n")
	if got := contentOf(t, path); got != "2\n" {
		t.Errorf("the file has %q", got)
	}
}

// TestFileIsCheckedWhileIdle: a removed file is given up, and exists again, without a
// record. One to which nothing was written is left alone.
func TestFileIsCheckedWhileIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		f := openFile(t, path, nil)
		removed := func() bool {
			t.Helper()
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			time.Sleep(checkEvery + createTime)
			synctest.Wait()
			_, err := os.Stat(path)
			return os.IsNotExist(err)
		}
		if !removed() {
			t.Error("an unused file exists again")
		}
		writeTo(t, f, "1\n")
		if removed() {
			t.Error("nobody has created the file again")
		}
	})
}

// TestFileLeavesCreatingToOthers: a program that renames the file may create the next one.
func TestFileLeavesCreatingToOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "audit.jsonl")
		f := openFile(t, path, nil)
		writeTo(t, f, "1\n")
		if err := os.Rename(path, path+".1"); err != nil {
			t.Fatal(err)
		}
		go func() {
			time.Sleep(createTime / 2)
			next, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
			if err != nil {
				t.Error(err)
				return
			}
			next.Close()
		}()
		writeTo(t, f, "2\n")
		if got := contentOf(t, path); got != "2\n" {
			t.Errorf("the next file has %q", got)
		}
	})
}

// TestFileWritesTwiceInDoubt: lines that were written slowly while the file was renamed are
// written again, because the old file may have been read to its end before. The slow file
// is a named pipe.
func TestFileWritesTwiceInDoubt(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	f := openFile(t, path, nil)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Skip("no named pipes here:", err)
	}
	pipe, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer pipe.Close()
	slow, err := appendTo(path)()
	if err != nil {
		t.Fatal(err)
	}
	info, err := slow.Stat()
	if err != nil {
		t.Fatal(err)
	}
	_ = f.closeFile()
	f.file, f.opened = slow, info               // which NewFile would refuse
	line := strings.Repeat("x", 256<<10) + "\n" // more than a pipe holds
	written := make(chan error, 1)
	go func() {
		_, err := io.WriteString(f, line)
		written <- err
	}()
	first := make([]byte, 1)
	if _, err := io.ReadFull(pipe, first); err != nil {
		t.Fatal(err)
	}
	for _, do := range []func() error{
		func() error { return os.Rename(path, path+".1") },
		func() error { return os.WriteFile(path, nil, 0o600) },
	} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(2 * safeTime)
	if _, err := io.ReadFull(pipe, make([]byte, len(line)-1)); err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	if got := contentOf(t, path); got != line {
		t.Errorf("the new file has %d bytes, want %d", len(got), len(line))
	}
}

// TestFileAfterClose: a record that comes late is still written.
func TestFileAfterClose(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	f := openFile(t, path, nil)
	writeTo(t, f, "1\n")
	for range 2 {
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	writeTo(t, f, "2\n")
	if got := contentOf(t, path); got != "1\n2\n" || f.file != nil {
		t.Errorf("the file has %q, open: %v", got, f.file)
	}
}

// TestFileIsRolled: by size, while another program truncates, renames and removes. All
// lines are kept in whole, rolled files are compressed, and there is no gap of zeros.
func TestFileIsRolled(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "audit.jsonl")
	roll := func() (*timberjack.Logger, error) {
		return &timberjack.Logger{Filename: path, MaxSize: 1, Compression: "gzip"}, nil
	}
	f := openFile(t, path, roll)
	var want []string
	write := func(n int) {
		t.Helper()
		for range n {
			line := fmt.Sprintf("%06d %s\n", len(want), strings.Repeat("x", 1000))
			want = append(want, line)
			writeTo(t, f, line)
		}
	}
	write(2500)
	moved := filepath.Join(folder, "moved")
	if err := os.Rename(path, moved); err != nil {
		t.Fatal(err)
	}
	write(2500)
	copied := contentOf(t, path)
	if err := os.Truncate(path, 0); err != nil {
		t.Fatal(err)
	}
	write(1500)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	rolled, err := filepath.Glob(filepath.Join(folder, "audit-*-size.jsonl.gz"))
	if err != nil || len(rolled) < 3 {
		t.Fatalf("rolled files %q, %v", rolled, err)
	}
	all := copied + contentOf(t, moved) + contentOf(t, path)
	for _, name := range rolled {
		content, err := gzip.NewReader(strings.NewReader(contentOf(t, name)))
		if err != nil {
			t.Fatal(err)
		}
		whole, err := io.ReadAll(content)
		if err != nil {
			t.Fatal(err)
		}
		if len(whole) > 1<<20 {
			t.Errorf("%s has %d bytes", name, len(whole))
		}
		all += string(whole)
	}
	var got []string
	for line := range strings.Lines(all) {
		got = append(got, line)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%d lines, want %d", len(got), len(want))
	}
	if others, err := filepath.Glob(filepath.Join(folder, "audit-*-size.jsonl")); err != nil || len(others) > 0 {
		t.Errorf("not compressed: %q, %v", others, err)
	}
	if bytes.ContainsRune([]byte(all), 0) {
		t.Error("there is a gap of zeros")
	}
}

// TestFileThatCannotBeRolled says so, and is rolled and written again when it can be.
func TestFileThatCannotBeRolled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	if err := os.WriteFile(path, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	var right atomic.Bool
	f := openFile(t, path, func() (*timberjack.Logger, error) {
		name := filepath.Join(path, "below", "a file")
		if right.Load() {
			name = path
		}
		return &timberjack.Logger{Filename: name, MaxSize: 1, Compression: "none"}, nil
	})
	if n, err := io.WriteString(f, "1\n"); n != 0 || failureOf(err) != "the file could not be rolled" {
		t.Errorf("wrote %d bytes: %v", n, err)
	}
	right.Store(true)
	writeTo(t, f, "1\n")
	if got := contentOf(t, path); got != "1\n" {
		t.Errorf("the file has %d bytes", len(got))
	}
}
