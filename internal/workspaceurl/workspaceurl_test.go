package workspaceurl

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	for _, test := range []struct {
		name, text, want, problem string
	}{
		{"URL", "https://a.cloud.databricks.com", "https://a.cloud.databricks.com", ""},
		{"bare host", "a.cloud.databricks.com", "https://a.cloud.databricks.com", ""},
		{"bare host with port", "localhost:8443", "https://localhost:8443", ""},
		{"on this machine", "http://127.0.0.1:9000/", "http://127.0.0.1:9000", ""},
		{"trailing slashes", "https://a.example.com//", "https://a.example.com", ""},
		{"fragment", "https://a.example.com/#setting", "https://a.example.com", ""},
		{"workspace of a shared host", "https://a.example.com/?o=123", "https://a.example.com?o=123", ""},
		{"path", "https://a.example.com/api", "", "has a path"},
		{"other scheme", "ftp://a.example.com", "", "the scheme must be https"},
		{"empty", "", "", "has no host name"},
		{"port only", "https://:443", "", "has no host name"},
		{"password", "https://me:hunter2@a.example.com", "", "credentials belong in the admin block"},
		{"password beside a path", "https://me:hunter2@a.example.com/x", "", "credentials belong in the admin block"},
		{"password in what is not a URL", "https://me:hunter2@a b", "", "is not a URL"},
		{"placeholder", "{env.WORKSPACE}", "", "is not a URL"},
	} {
		t.Run(test.name, func(t *testing.T) {
			u, err := Parse(test.text)
			switch {
			case test.problem == "" && (err != nil || u.String() != test.want):
				t.Errorf("got %v, %v, want %s", u, err, test.want)
			case test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)):
				t.Errorf("got %v, want %q", err, test.problem)
			case err != nil && strings.Contains(err.Error(), "hunter2"):
				t.Errorf("the error quotes the password: %v", err)
			}
		})
	}
}

func TestHost(t *testing.T) {
	for workspace, want := range map[string]string{
		"https://a.example.com:8443?o=1": "a.example.com",
		"http://[::1]:80":                "::1",
		"":                               "",
		"http://a b":                     "",
	} {
		if got := Host(workspace); got != want {
			t.Errorf("Host(%q) = %q, want %q", workspace, got, want)
		}
	}
}

func TestFind(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	if err := os.WriteFile(filepath.Join(home, ".databrickscfg"), []byte("[prod]\nhost = https://prod.example.com/\n[bare]\ntoken = x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, named, profile, want, problem string
	}{
		{"named", "https://a.example.com/", "", "https://a.example.com", ""},
		{"named beside a profile", "a.example.com", "prod", "https://a.example.com", ""},
		{"profile", "", "prod", "https://prod.example.com", ""},
		{"profile without a host", "", "bare", "", "no workspace is set"},
		{"nothing", "", "", "", "set the environment variable DATABRICKS_HOST"},
		{"a path", "https://a.example.com/api", "", "", "has a path"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Find(test.named, test.profile)
			if got != test.want || (err == nil) != (test.problem == "") || err != nil && !strings.Contains(err.Error(), test.problem) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}
