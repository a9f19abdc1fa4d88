// Package regularfile reads and replaces small files whose path an operator names, or that
// others may have touched: never more than a limit, and never something that is not a file. A
// FIFO would block forever, and /dev/zero would fill the memory.
package regularfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

var (
	// ErrNotRegular means that there is something else in place of a file.
	ErrNotRegular = errors.New("not a file")
	// ErrTooLarge means that the file exceeds the limit.
	ErrTooLarge = errors.New("the file is too large")
	// ErrChanged means that the file was written to meanwhile.
	ErrChanged = errors.New("the file changed while it was read; write a new file and rename it, or try again")
)

// Read returns the content of a file of at most limit bytes. Symbolic links are
// followed. Errors are a [*fs.PathError], or one of this package with the path.
func Read(path string, limit int64) ([]byte, error) {
	// Opening some devices has effects, so look first.
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, syscall.ELOOP):
		return nil, loopError(path)
	case err != nil:
		var failed *fs.PathError
		if errors.As(err, &failed) {
			failed.Op = "open" // as one knows it
		}
		return nil, err
	}
	if err := check(path, info, limit); err != nil {
		return nil, err
	}
	// It may have been replaced since: O_NONBLOCK keeps FIFOs and odd files from hanging.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	before, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if err := check(path, before, limit); err != nil {
		return nil, err
	}
	var content bytes.Buffer
	content.Grow(int(before.Size()) + bytes.MinRead)
	// Files of /proc have more content than their size says.
	n, err := content.ReadFrom(io.LimitReader(file, limit+1))
	switch {
	case err != nil:
		return nil, err
	case n > limit:
		return nil, fmt.Errorf("%s: %w: it has more than %d MiB", path, ErrTooLarge, limit>>20)
	}
	after, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case before.Size() > 0 && (n != before.Size() || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime())):
		return nil, fmt.Errorf("%s: %w", path, ErrChanged)
	}
	return content.Bytes(), nil
}

func check(path string, info fs.FileInfo, limit int64) error {
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s: %w, but %s", path, ErrNotRegular, kind(info.Mode()))
	case info.Size() > limit:
		return fmt.Errorf("%s: %w: it has %d MiB, and at most %d MiB are read", path, ErrTooLarge, info.Size()>>20, limit>>20)
	}
	return nil
}

func loopError(path string) error {
	return fmt.Errorf("%s: %w, but a symbolic link that leads nowhere", path, ErrNotRegular)
}

// kind names what is not a regular file.
func kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeNamedPipe != 0:
		return "a FIFO"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "something else"
}
