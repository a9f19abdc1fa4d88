// Package trustedpath knows whether another user could put something of theirs in the place of
// a file or folder.
package trustedpath

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// CheckFolder fails if another user than root could put something of theirs into a folder,
// or a folder of theirs in its place or in that of a folder above it. It does not follow a
// symbolic link to the folder.
func CheckFolder(folder string) error {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	info, err := os.Lstat(folder)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is not a folder", folder)
	case open(info):
		return openError(folder, info)
	}
	parent := filepath.Dir(folder)
	if !ByRootOrUs(info) {
		// Somebody else's. Fine if only root can have made it, as for a service.
		above, err := os.Lstat(parent)
		if err != nil {
			return err
		}
		if open(above) || !ByRootOrUs(above) {
			return ownerError(folder)
		}
	}
	_, err = Resolve(parent)
	return err
}

func ownerError(path string) error { return fmt.Errorf("%s belongs to another user", path) }

func openError(path string, info fs.FileInfo) error {
	return fmt.Errorf("other users can write to %s (mode %04o)", path, info.Mode().Perm())
}

// isVolume reports whether something is mounted on a folder, as an emptyDir in a pod, which
// every user of a container may write to. Who else has it is up to whoever mounts it.
func isVolume(folder string, info fs.FileInfo) bool {
	parent, err := os.Lstat(filepath.Dir(folder))
	return err == nil && deviceOf(info) != deviceOf(parent)
}

// ByRootOrUs reports whether a file belongs to root or this user.
func ByRootOrUs(info fs.FileInfo) bool {
	owner := Owner(info)
	return owner == 0 || owner == os.Geteuid()
}
