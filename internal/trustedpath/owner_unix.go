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

// open reports whether others can write to a file or folder. A user's own group, which has the
// user's number, has no other members: some systems let it write to all that the user makes.
func open(info fs.FileInfo) bool {
	const group, all = 0o020, 0o002
	stat, ok := info.Sys().(*syscall.Stat_t)
	own := ok && stat.Uid != 0 && stat.Uid == stat.Gid
	mode := info.Mode().Perm()
	return mode&all != 0 || mode&group != 0 && !own
}

// Private reports whether others can neither read a file nor write to it.
func Private(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 == 0 }
