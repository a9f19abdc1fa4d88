package preflight

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const (
	passwdFile = "root:x:0:0:root:/root:/bin/sh\nscopegate:x:990:990::/:/sbin/nologin\nann:x:1000:1000::/:/bin/sh\nbob:x:1001:100::/:/bin/sh\ncut\n"
	groupFile  = "root:x:0:\nscopegate:x:990:\nshared:x:991:scopegate,root\nstaff:x:992:scopegate,ann,ann\nusers:x:100:\ncut\n"
)

// newIdentity is one of a machine with the users and groups above.
func newIdentity(t *testing.T, user, group int) identity {
	t.Helper()
	folder := t.TempDir()
	i := identity{user, group, filepath.Join(folder, "passwd"), filepath.Join(folder, "group")}
	for path, content := range map[string]string{i.passwd: passwdFile, i.names: groupFile} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return i
}

func TestStrangers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name                string
		user, process, file int
		says                string // empty for none
	}{
		{"own", 990, 990, 990, ""},
		{"root's", 990, 990, 0, ""},
		{"another", 990, 990, 991, "its group shared, which is not the gateway's"},
		{"unknown", 990, 990, 77, "its group 77, which is not the gateway's"},
		{"own, with nobody else", 990, 991, 991, ""},
		{"own, with a member", 990, 992, 992, "its group staff can read it, and has ann as members"},
		{"own, of another user, too", 990, 100, 100, "has bob as members"},
		{"the gateway's, seen by root", 0, 0, 990, ""},
		{"shared with root, seen by root", 0, 0, 991, ""},
		{"of two, seen by root", 0, 0, 992, "has ann, scopegate as members"},
	} {
		got := newIdentity(t, test.user, test.process).strangers(test.file)
		if (got == "") != (test.says == "") || !strings.Contains(got, test.says) {
			t.Errorf("%s: %q, want %q", test.name, got, test.says)
		}
	}
	if got := (identity{990, 990, "/none", "/none"}).strangers(990); got != "" {
		t.Errorf("in a container from scratch: %q", got)
	}
}

// TestSecretOfGroup: a file that a group can read is warned about unless the group is the
// process's own, and its folders let the group pass.
func TestSecretOfGroup(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	if err := os.Chmod(filepath.Dir(folder), 0o755); err != nil { // testing closes it
		t.Fatal(err)
	}
	path := filepath.Join(folder, "key")
	if err := os.WriteFile(path, []byte("k"), 0o600); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(path, -1, 12345); err != nil { // root's own group is no finding
			t.Fatal(err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	group, known := groupOf(info)
	if !known {
		t.Skip("files have no groups here")
	}
	for _, test := range []struct {
		name         string
		file, folder os.FileMode
		own          int
		status       Status
		says         string
	}{
		{"another group", 0o640, 0o755, group + 1, Warn, "run chgrp"},
		{"own group", 0o640, 0o755, group, OK, ""},
		{"owner only", 0o600, 0o755, group + 1, OK, ""},
		{"closed folder", 0o640, 0o700, group + 1, OK, ""},
	} {
		if err := os.Chmod(path, test.file); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(folder, test.folder); err != nil {
			t.Fatal(err)
		}
		var report Report
		c := checks{Report: &report, identity: newIdentity(t, 990, test.own)}
		c.secrets([]string{path})
		t.Log(test.name)
		expect(t, &report, checkSecret, test.status, test.says)
	}
}
