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

// TestHostNotInASCII has hosts that HTTP clients map to others before they are resolved.
func TestHostNotInASCII(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"x\u3002cloud\u3002databricks\u3002com":  "if you mean x.cloud.databricks.com, write it so",
		"x\uff0ecloud\uff0edatabricks\uff0ecom":  "if you mean x.cloud.databricks.com, write it so",
		"x\uff61cloud\uff61databricks\uff61com":  "if you mean x.cloud.databricks.com, write it so",
		"x%E3%80%82cloud%E3%80%82databricks.com": "if you mean x.cloud.databricks.com, write it so",
		"x.cloud.databricks.com\u3002":           "if you mean x.cloud.databricks.com., write it so",
		"x.cloud.data\u00adbricks.com":           `"x.cloud.data\u00adbricks.com"`, // soft hyphen
		"x.cloud.databricks.com\u200b":           `"x.cloud.databricks.com\u200b"`, // zero-width space
		"\ufeffx.cloud.databricks.com":           "if you mean x.cloud.databricks.com, write it so",
		"x.cloud.databric\u212as.com:80":         "if you mean x.cloud.databricks.com, write it so", // Kelvin sign
		"\uff58.CLOUD.databricks.com":            "if you mean x.cloud.databricks.com, write it so",
		"x.com\u3002local":                       "if you mean x.com.local, write it so",
		"\uff11\uff12\uff17.0.0.1":               "if you mean 127.0.0.1, write it so",
		"8\u30028\u30028\u30028":                 "if you mean 8.8.8.8, write it so",
		"b\u00fccher.example.com":                "if you mean xn--bcher-kva.example.com, write it so",
		"x\u200d.local":                          "write it in ASCII", // a joiner, which is not allowed here
		"x.com\uff0f.local":                      "write it in ASCII", // would become a slash
		"\u200b":                                 "write it in ASCII", // would become nothing
		"[fe80::1%25\u3002]":                     "write it in ASCII",
		"me\uff20x.cloud.databricks.com":         "write it in ASCII",
		"x.cloud.databricks.com\uff1a80":         "write it in ASCII",
	} {
		for _, text := range []string{"http://" + host, "https://" + host + "/", host} {
			u, err := Parse(text)
			if err == nil {
				t.Errorf("%+q: became %+q", text, u)
			} else if !strings.Contains(err.Error(), want) || !isASCII(err.Error()) {
				t.Errorf("%+q: %v, want %q", text, err, want)
			}
		}
	}
	if u, err := Parse("http://xn--bcher-kva.local"); err != nil || CheckScheme(u, false) != nil {
		t.Errorf("Punycode: %v", err)
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
