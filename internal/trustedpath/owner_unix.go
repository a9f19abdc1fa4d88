//go:build unix

package trustedpath

import (
	"io/fs"
	"syscall"
)

// Owner returns the id of the user to whom a file belongs.
func Owner(info fs.FileInfo) int {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return -1
	}
	return int(stat.Uid)
}

func deviceOf(info fs.FileInfo) uint64 {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0
	}
	return uint64(stat.Dev) //nolint:unconvert // of another type on other systems
}

// open reports whether others can write to a file or folder.
func open(info fs.FileInfo) bool { return info.Mode().Perm()&0o022 != 0 }

// Private reports whether others can neither read a file nor write to it.
func Private(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 == 0 }
