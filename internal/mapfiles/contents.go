package mapfiles

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/scopegate/scopegate/internal/mapbundle"
	"github.com/scopegate/scopegate/internal/regularfile"
	"github.com/scopegate/scopegate/internal/routesfile"
)

// contents are those of both files, or why one of them cannot be read.
type contents struct {
	bundle, routes []byte
	err            error
}

// sum is equal for equal contents.
type sum [sha256.Size]byte

func (c *contents) sum() sum {
	h := sha256.New()
	if c.err != nil {
		fmt.Fprintf(h, "error %v", c.err)
	} else {
		fmt.Fprintf(h, "%d %d ", len(c.bundle), len(c.routes))
		_, _ = h.Write(c.bundle) // never fails
		_, _ = h.Write(c.routes)
	}
	return sum(h.Sum(nil))
}

// read reads both files.
func (f Files) read() (c contents) {
	if f.Bundle != "" {
		if c.bundle, c.err = regularfile.Read(f.Bundle, mapbundle.MaxSize); c.err != nil {
			c.err = fmt.Errorf("reading map: %w", c.err)
			return c
		}
	}
	if c.routes, c.err = routesfile.Read(f.Routes); c.err != nil {
		c.err = fmt.Errorf("reading routes: %w", c.err)
	}
	return c
}

// stamp is what a file system says of a file: enough to tell nearly every change without
// reading it.
type stamp struct {
	info fs.FileInfo
	size int64
	at   time.Time
	err  string
}

func stampOf(path string) stamp {
	if path == "" {
		return stamp{}
	}
	info, err := os.Stat(path)
	if err != nil {
		return stamp{err: err.Error()}
	}
	return stamp{info: info, size: info.Size(), at: info.ModTime()}
}

// same reports whether a file is the same as before. os.SameFile sees that a symbolic link
// leads elsewhere, and that the file was replaced, also by one of the same size and age.
func (s stamp) same(before stamp) bool {
	return s.err == before.err && s.size == before.size && s.at.Equal(before.at) &&
		(s.info == nil) == (before.info == nil) && (s.info == nil || os.SameFile(s.info, before.info))
}

// young reports whether a file may change again without another stamp: file systems round
// times, some to two seconds.
func (s stamp) young(now time.Time) bool {
	return s.info != nil && now.Sub(s.at) < rounding
}

const rounding = 3 * time.Second
