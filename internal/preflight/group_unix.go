//go:build unix

package preflight

import (
	"io/fs"
	"syscall"
)

// groupOf returns the id of the group of a file.
func groupOf(info fs.FileInfo) (int, bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(stat.Gid), true
}
