package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// errFileKind says that a path leads to what is no file to append to.
var errFileKind = errors.New("not a regular file")

// checkKind reports a path whose opening could wait forever, or that keeps no records: a
// named pipe waits for a reader, even when it has long been removed. Regular files, and
// character devices such as /dev/stdout, pass, and so does what is not there yet. Folders
// are left to the system, which has an error for them.
func checkKind(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil //nolint:nilerr // opening creates it, or tells
	}
	mode := info.Mode()
	switch {
	case mode.IsRegular(), mode.IsDir(), mode&fs.ModeCharDevice != 0:
		return nil
	case mode&fs.ModeNamedPipe != 0 && isStandard(info):
		// Without a reader, this is an error at once.
		probe, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		return probe.Close()
	}
	return &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("%w, but a %s; remove it, or name another file", errFileKind, kindOf(mode))}
}

// isStandard reports whether a file is this process's standard output or error, which are
// pipes in a container, and which /dev/stdout and /dev/stderr lead to.
func isStandard(info fs.FileInfo) bool {
	for _, stream := range []*os.File{os.Stdout, os.Stderr} {
		if standard, err := stream.Stat(); err == nil && os.SameFile(info, standard) {
			return true
		}
	}
	return false
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeNamedPipe != 0:
		return "named pipe"
	case mode&fs.ModeSocket != 0:
		return "socket"
	case mode&fs.ModeDevice != 0:
		return "block device"
	}
	return "special file"
}
