package adminsocket

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// CheckFolder fails if another user than root could put a socket of theirs into a folder,
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
	if !byRootOrUs(info) {
		// Somebody else's. Fine if only root can have made it, as for a service.
		above, err := os.Lstat(parent)
		if err != nil {
			return err
		}
		if open(above) || !byRootOrUs(above) {
			return fmt.Errorf("%s belongs to another user", folder)
		}
	}
	return checkParents(parent)
}

// checkParents fails if another user than root could replace what is in a folder or in one
// above it, as sshd's StrictModes does. Where a folder is sticky, as /tmp, only the owner of
// what is in it can.
func checkParents(folder string) error {
	for {
		info, err := os.Lstat(folder)
		switch {
		case err != nil:
			return err
		case !byRootOrUs(info):
			return fmt.Errorf("%s belongs to another user", folder)
		case info.Mode()&fs.ModeSymlink != 0:
			target, err := filepath.EvalSymlinks(folder)
			if err != nil {
				return err
			}
			if err := checkParents(target); err != nil {
				return err
			}
		case open(info) && info.Mode()&fs.ModeSticky == 0 && !isVolume(folder, info):
			return openError(folder, info)
		}
		parent := filepath.Dir(folder)
		if parent == folder {
			return nil
		}
		folder = parent
	}
}

func openError(folder string, info fs.FileInfo) error {
	return fmt.Errorf("other users can write to %s (mode %04o)", folder, info.Mode().Perm())
}

// isVolume reports whether something is mounted on a folder, as an emptyDir in a pod, which
// every user of a container may write to. Who else has it is up to whoever mounts it.
func isVolume(folder string, info fs.FileInfo) bool {
	parent, err := os.Lstat(filepath.Dir(folder))
	return err == nil && deviceOf(info) != deviceOf(parent)
}

// open reports whether others can write to a folder.
func open(info fs.FileInfo) bool { return info.Mode().Perm()&0o022 != 0 }

func byRootOrUs(info fs.FileInfo) bool {
	owner := ownerOf(info)
	return owner == 0 || owner == os.Geteuid()
}
