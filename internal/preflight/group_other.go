//go:build !unix

package preflight

import "io/fs"

// groupOf returns no group where files have none.
func groupOf(fs.FileInfo) (int, bool) { return 0, false }
