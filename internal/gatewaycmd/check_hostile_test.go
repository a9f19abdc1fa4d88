package gatewaycmd

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// TestValidateLeavesNothing: validation makes neither a certificate authority in the storage
// of the gateway, nor a log file that is named with dots.
func TestValidateLeavesNothing(t *testing.T) { // not in parallel: it sets the environment
	home, temporary := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temporary)
	for _, storage := range []string{"", fmt.Sprintf(`"storage":{"module":"file_system","root":%q},`, home)} {
		content := fmt.Sprintf(`{%s"apps":{"pki":{"certificate_authorities":{"local":{"install_trust":false}}}},
			"logging":{"logs":{"other":{"writer":{"output":"file","filename":"../left/other.log"}}}}}`, storage)
		if storage == "" {
			t.Setenv("XDG_DATA_HOME", home)
			t.Setenv("HOME", home)
		}
		if err := validate([]byte(content)); err != nil {
			t.Error(err)
		}
		for _, folder := range []string{home, temporary} {
			if left, err := filepath.Glob(filepath.Join(folder, "*")); err != nil || len(left) > 0 {
				t.Errorf("%q: %v are left, %v", storage, left, err)
				_ = os.RemoveAll(left[0])
			}
		}
	}
}

// TestMoveFiles: no file leaves the folder.
func TestMoveFiles(t *testing.T) {
	t.Parallel()
	node := map[string]any{"output": "file", "filename": "../../etc/audit.jsonl"}
	moveFiles(map[string]any{"writer": []any{node}}, "/folder")
	if got := node["filename"]; got != "/folder/etc/audit.jsonl" {
		t.Error(got)
	}
}
