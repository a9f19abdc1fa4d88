//go:build unix

package preflight

import (
	"path/filepath"
	"syscall"
	"testing"
)

// TestKeyIsFIFO: a path that names no file fails at once.
func TestKeyIsFIFO(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	var report Report
	Run(t.Context(), &Plan{Secrets: []string{path}}, Options{}, &report)
	expect(t, &report, checkSecret, Fail, "a FIFO")
}
