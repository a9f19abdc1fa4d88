package usage

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/scopegate/scopegate/internal/regularfile"
)

// Unread is a saved file whose counts are missing.
type Unread struct {
	// File is its name in the storage; empty if all of the storage could not be read.
	File string `json:"file,omitempty"`
	// Since is when it was set aside; zero if unknown.
	Since time.Time `json:"since,omitzero"`
}

// asideMark is in the names of files that were set aside; the time follows.
const (
	asideMark   = ".unreadable-"
	asideLayout = "20060102T150405.000Z"
)

// asideKey is where a file is moved that cannot be read. It is below the prefix, so that
// reports find it.
func (p place) asideKey(key string, now time.Time) string {
	name := path.Base(key)
	if key == p.sharedKey() {
		name = "shared" + snapshotSuffix
	}
	return path.Join(p.prefix, name+asideMark+now.UTC().Format(asideLayout))
}

// unreadOf reads the name of a file that was set aside.
func unreadOf(key string) (Unread, bool) {
	name := path.Base(key)
	_, rest, ok := strings.Cut(name, asideMark)
	if !ok {
		return Unread{}, false
	}
	at, _ := time.Parse(asideLayout, rest) // older versions wrote a digest
	return Unread{File: Clean(name), Since: at.UTC()}, true
}

func sortUnread(files []Unread) {
	slices.SortFunc(files, func(a, b Unread) int { return cmp.Compare(a.File, b.File) })
}

// unreadText says in one line what is missing; "" if nothing is.
func unreadText(files []Unread) string {
	if len(files) == 0 {
		return ""
	}
	if slices.ContainsFunc(files, func(f Unread) bool { return f.File == "" }) {
		return "saved usage could not be read"
	}
	s := count(len(files), "saved file") + " could not be read"
	var first time.Time
	for _, f := range files {
		if !f.Since.IsZero() && (first.IsZero() || f.Since.Before(first)) {
			first = f.Since
		}
	}
	if !first.IsZero() {
		s += fmt.Sprintf(", set aside since %s", date(first))
	}
	return s
}

// spoiled reports whether an error of loading a value is about that value and will
// remain: it is no file, or too large.
func spoiled(err error) bool {
	return errors.Is(err, regularfile.ErrNotRegular) || errors.Is(err, regularfile.ErrTooLarge)
}

// withheld reports whether an error of loading a value is about that value, but may pass.
func withheld(err error) bool {
	var file *fs.PathError
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, regularfile.ErrChanged) || errors.As(err, &file)
}
