package harness

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// OpenFiles returns how many descriptors this process has open for a file. It works
// on Linux only; elsewhere ok is false.
func OpenFiles(t testing.TB, name string) (n int, ok bool) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return 0, false
	}
	name, err := filepath.EvalSymlinks(name)
	if err != nil {
		t.Fatal(err)
	}
	const folder = "/proc/self/fd"
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		// The list includes the folder's descriptor, which is closed by now.
		if target, err := os.Readlink(filepath.Join(folder, entry.Name())); err == nil && target == name {
			n++
		}
	}
	return n, true
}
