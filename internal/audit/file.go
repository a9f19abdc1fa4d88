package audit

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"
)

const (
	// checkEvery is how often a file is checked while no record is written.
	checkEvery = time.Second
	// createTime is how long a program that has renamed the file may take to create the
	// next one, with the owner and mode of its choice. If we were first, logrotate would
	// move our file out of its way, to a name that it does not rotate.
	createTime = 50 * time.Millisecond
	// safeTime is too short for a program to read a file that it has just renamed.
	safeTime = time.Millisecond
)

// File is an output that follows its path. If the file is renamed, removed or replaced,
// the next write goes to a new one at the same path. Writes append, so that a truncated
// file starts again at its beginning, and they leave no part of a line behind when the
// disk is full.
type File struct {
	path    string
	open    func() (*os.File, error)
	rolling *rolling // nil for a file that is not rolled
	done    chan struct{}

	mu     sync.Mutex
	file   *os.File    // nil if it could not be opened, and after Close
	opened fs.FileInfo // of file
	used   bool        // something was written
	closed bool
}

// NewFile opens a file and checks every second, and before every write, that it is still
// what the path leads to. Open opens the path to append to it, and creates what is
// missing. A path that leads to a named pipe, a socket or a block device is an error, at
// first and later, unless the pipe is standard output or error. Roll returns a writer that is only used to roll the file; it may be nil.
func NewFile(path string, open func() (*os.File, error), roll Roller) (*File, error) {
	f := &File{path: path, open: open, done: make(chan struct{})}
	if _, err := f.reopen(); err != nil {
		return nil, err
	}
	if roll != nil {
		var err error
		if f.rolling, err = newRolling(roll); err != nil {
			return nil, errors.Join(err, f.closeFile())
		}
	}
	go f.watch()
	return f, nil
}

// Write appends whole lines. It may be called after Close, and then opens the file for
// as long as it takes.
func (f *File) Write(lines []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		defer func() { _ = f.closeFile() }()
	}
	for {
		began := time.Now()
		size, err := f.follow(len(lines))
		if err != nil {
			return 0, err
		}
		n, err := f.append(lines, size)
		f.used = true
		// After a rename, another program may have read the old file to its end, to
		// compress it, before these lines were in it. Rather twice than not at all.
		if err != nil || time.Since(began) < safeTime || f.isCurrent() {
			return n, err
		}
	}
}

// follow makes sure that the open file is the one at the path, and that so many bytes
// more still belong in it. It returns the size of the file.
func (f *File) follow(more int) (size int64, err error) {
	info, err := f.current()
	if err != nil {
		return 0, err
	}
	if f.rolling == nil || f.closed || !info.Mode().IsRegular() {
		return info.Size(), nil
	}
	reason := f.rolling.due(info.Size(), more)
	if reason == "" {
		return info.Size(), nil
	}
	_ = f.closeFile() // some systems do not rename a file that is open
	if err := f.rolling.roll(reason); err != nil {
		return 0, err
	}
	info, err = f.reopen()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// current returns what the path leads to, and reopens the file if that is not it.
func (f *File) current() (fs.FileInfo, error) {
	info, err := os.Stat(f.path)
	if f.file != nil && errors.Is(err, fs.ErrNotExist) {
		for deadline := time.Now().Add(createTime); errors.Is(err, fs.ErrNotExist) && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
			info, err = os.Stat(f.path)
		}
	}
	if f.file != nil && err == nil && os.SameFile(info, f.opened) {
		return info, nil
	}
	return f.reopen()
}

// isCurrent reports whether the open file is still the one at the path.
func (f *File) isCurrent() bool {
	info, err := os.Stat(f.path)
	return err == nil && os.SameFile(info, f.opened)
}

// reopen closes the file first: if it was removed because the disk is full, there is
// room only then.
func (f *File) reopen() (fs.FileInfo, error) {
	_ = f.closeFile() // lines that were written are with the system
	if err := checkKind(f.path); err != nil {
		return nil, err
	}
	file, err := f.open()
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	f.file, f.opened = file, info
	return info, nil
}

// append writes lines to the end of the file, whose size is known. If only a part fits,
// it takes back what belongs to the line that does not.
func (f *File) append(lines []byte, size int64) (int, error) {
	n, err := f.file.Write(lines)
	if err == nil || n <= 0 {
		return n, err
	}
	whole := bytes.LastIndexByte(lines[:n], '\n') + 1
	info, statErr := f.file.Stat()
	if statErr == nil && info.Size() == size+int64(n) && f.file.Truncate(size+int64(whole)) == nil {
		n = whole
	}
	return n, err
}

// watch checks the file while nothing is written, so that a removed file does not take up
// space, and a file that is rolled at certain times is rolled then.
func (f *File) watch() {
	ticker := time.NewTicker(checkEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			f.check()
		case <-f.done:
			return
		}
	}
}

func (f *File) check() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.used && !f.closed {
		_, _ = f.follow(0) // the next write tries again, and tells
	}
}

// Close closes the file, and waits until rolled files are compressed.
func (f *File) Close() error {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil
	}
	f.closed = true
	close(f.done)
	err := f.closeFile()
	f.mu.Unlock()
	if f.rolling != nil {
		f.rolling.close()
	}
	return err
}

func (f *File) closeFile() error {
	if f.file == nil {
		return nil
	}
	err := f.file.Close()
	f.file, f.opened = nil, nil
	return err
}
