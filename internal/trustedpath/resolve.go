package trustedpath

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// maxLinks limits the symbolic links in a path, as Linux does.
const maxLinks = 40

// Follow returns where a path leads, without symbolic links, also if there is nothing yet. It
// fails if it would have to follow a link of another user than root, which may lead anywhere:
// the kernel prevents that, in folders such as /tmp, only for those who open a path. The error
// for too many links is ELOOP.
func Follow(path string) (string, error) { return follow(path, checkLink) }

// Resolve does what Follow does. It also fails if another user than root could replace what it
// returns or a folder above it, or write to it, as sshd's StrictModes does. Where a folder is
// sticky, as /tmp, only the owner of what is in it can.
func Resolve(path string) (string, error) { return follow(path, check) }

func follow(path string, check func(string, fs.FileInfo) error) (string, error) {
	if !filepath.IsAbs(path) {
		folder, err := os.Getwd()
		if err != nil {
			return "", err
		}
		path = folder + string(filepath.Separator) + path // and not filepath.Join: see split
	}
	at, rest := split(path)
	for links := 0; len(rest) > 0; {
		name := rest[0]
		rest = rest[1:]
		if name == "." || name == ".." {
			at = filepath.Join(at, name)
			continue
		}
		next := filepath.Join(at, name)
		info, err := os.Lstat(next)
		if errors.Is(err, fs.ErrNotExist) {
			return filepath.Join(next, filepath.Join(rest...)), nil
		}
		if err == nil {
			err = check(next, info)
		}
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", &fs.PathError{Op: "open", Path: path, Err: syscall.ELOOP}
		}
		target, err := os.Readlink(next)
		if err != nil {
			return "", err
		}
		root, names := split(target)
		if filepath.IsAbs(target) {
			at = root
		}
		rest = append(names, rest...)
	}
	return at, nil
}

// split returns the root of a path and the names in it. It leaves "..", which is that of what
// a folder leads to.
func split(path string) (root string, names []string) {
	volume := filepath.VolumeName(path)
	return volume + string(filepath.Separator), strings.FieldsFunc(filepath.ToSlash(path[len(volume):]), func(r rune) bool { return r == '/' })
}

func checkLink(path string, info fs.FileInfo) error {
	if info.Mode()&fs.ModeSymlink != 0 && !ByRootOrUs(info) {
		return ownerError(path)
	}
	return nil
}

func check(path string, info fs.FileInfo) error {
	mode := info.Mode()
	switch {
	case !ByRootOrUs(info):
		return ownerError(path)
	case !mode.IsRegular() && !mode.IsDir(), mode.IsDir() && mode&fs.ModeSticky != 0:
		return nil
	case open(info) && !isVolume(path, info):
		return openError(path, info)
	}
	return nil
}
