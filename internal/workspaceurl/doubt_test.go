package workspaceurl

import (
	"strings"
	"testing"
)

func TestCheckScheme(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"https://a.cloud.databricks.com": true,
		"http://127.0.0.1:8080":          true,
		"http://127.8.9.1":               true,
		"http://[::1]":                   true,
		"http://[::ffff:127.0.0.1]":      true,
		"http://localhost":               true,
		"http://LOCALHOST.:80":           true,
		"http://a.localhost":             true,
		"http://10.1.2.3":                true,
		"http://172.16.0.1":              true,
		"http://192.168.1.1:80":          true,
		"http://169.254.10.1":            true,
		"http://100.64.0.1":              true,
		"http://[fd00::1]":               true,
		"http://[fe80::1%25eth0]":        true,
		"http://workspace":               true,
		"http://workspace.ns.svc":        true,
		"http://w.ns.svc.cluster.local":  true,
		"http://w.corp.internal":         true,
		"http://w.test":                  true,

		"http://x.cloud.databricks.com":            false,
		"http://adb-1.2.azuredatabricks.net":       false,
		"http://google.com":                        false,
		"http://8.8.8.8":                           false,
		"http://[2001:db8::1]":                     false,
		"http://[::ffff:8.8.8.8]":                  false,
		"http://172.32.0.1":                        false,
		"http://100.128.0.1":                       false,
		"http://134744072":                         false, // 8.8.8.8
		"http://0x08080808":                        false,
		"http://127.1":                             false, // not every resolver reads it alike
		"http://localhost.cloud.databricks.com":    false,
		"http://notlocalhost.example":              false,
		"http://internal.example.com":              false,
		"http://127.0.0.1.nip.io":                  false,
		"http://x.svc.example.com":                 false,
		"http://cloud.databricks.com.:80/?o=12345": false,
		"http://X.Cloud.DataBricks.Com":            false,
		"http://x.cloud.databricks.com..":          false,
	} {
		u, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		err = CheckScheme(u, false)
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "insecure_http") {
			t.Errorf("%s: %v", text, err)
		}
		if err := CheckScheme(u, true); err != nil {
			t.Errorf("%s, as the operator insists: %v", text, err)
		}
	}
}

func TestDoubt(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{ // empty for no doubt
		"https://dbc-0a1b2c3d-4e5f.cloud.databricks.com":         "",
		"https://adb-3141592653589793.3.azuredatabricks.net":     "",
		"https://westeurope.azuredatabricks.net":                 "",
		"https://3141592653589793.2.gcp.databricks.com":          "",
		"https://bigcorp.cloud.databricks.com":                   "",
		"https://bigcorp.databricks.com?o=123":                   "",
		"https://dbc-0a1b2c3d-4e5f.cloud.databricks.us":          "",
		"https://adb-3141592653589793.3.databricks.azure.us":     "",
		"https://adb-3141592653589793.3.databricks.azure.cn":     "",
		"https://dbc-0a1b2c3d-4e5f.cloud.databricks.mil":         "",
		"https://DBC-0A1B2C3D-4E5F.CLOUD.DATABRICKS.COM.":        "",
		"https://dbc-0a1b2c3d-4e5f.dev.databricks.com":           "",
		"https://dbc-0a1b2c3d-4e5f.staging.cloud.databricks.com": "",
		"http://127.0.0.1:8080":                                  "",
		"https://localhost:8443":                                 "",
		"https://workspace":                                      "",
		"https://fakeworkspace.ns.svc":                           "",
		"https://10.0.0.7":                                       "",
		"https://databricks.corp.internal":                       "",

		"https://accounts.cloud.databricks.com":              "account console",
		"https://accounts.azuredatabricks.net":               "account console",
		"https://accounts.gcp.databricks.com":                "account console",
		"https://accounts.cloud.databricks.us":               "account console",
		"https://accounts-dod.cloud.databricks.us":           "account console",
		"https://accounts.databricks.azure.us":               "account console",
		"https://ACCOUNTS.cloud.databricks.com":              "account console",
		"https://google.com":                                 "in no cloud of Databricks, such as cloud.databricks.com",
		"https://8.8.8.8":                                    "in no cloud",
		"https://x.cloud.databrics.com":                      "did you mean x.cloud.databricks.com?",
		"https://dbc-0a1b2c3d-4e5f.cloud.databrick.com":      "did you mean dbc-0a1b2c3d-4e5f.cloud.databricks.com?",
		"https://x.cloud.databricks.co":                      "did you mean x.cloud.databricks.com?",
		"https://x.cloud.databricks.net":                     "did you mean x.cloud.databricks.com?",
		"https://x.clould.databricks.org":                    "did you mean x.cloud.databricks.com?",
		"https://adb-31415.3.azuredatabrick.net":             "did you mean adb-31415.3.azuredatabricks.net?",
		"https://adb-31415.3.azuredatabricks.com":            "did you mean adb-31415.3.azuredatabricks.net?",
		"https://adb-31415.3.azure-databricks.net":           "did you mean adb-31415.3.azuredatabricks.net?",
		"https://x.gcp.databriks.com":                        "did you mean x.gcp.databricks.com?",
		"https://dbc-123":                                    "did you mean dbc-123.cloud.databricks.com?",
		"https://dbc-0a1b2c3d-4e5f":                          "did you mean dbc-0a1b2c3d-4e5f.cloud.databricks.com?",
		"http://adb-3141592653589793":                        "azuredatabricks.net?",
		"https://cloud.databricks.com":                       "the domain of a cloud",
		"https://azuredatabricks.net":                        "the domain of a cloud",
		"https://databricks.com":                             "the domain of a cloud",
		"https://www.databricks.com":                         "no workspace",
		"https://docs.databricks.com":                        "no workspace",
		"https://my-app-31415.aws.databricksapps.com":        "a Databricks app",
		"https://my-app-31415.3.azure.databricksapps.com":    "a Databricks app",
		"https://example.cloud.databricks.com":               "an example",
		"https://my-workspace.cloud.databricks.com":          "an example",
		"https://your-workspace.cloud.databricks.com":        "an example",
		"https://your_workspace_url.cloud.databricks.com":    "an example",
		"https://workspace-name.cloud.databricks.com":        "an example",
		"https://dbc-a1b2345c-d6e7.cloud.databricks.com":     "an example",
		"https://adb-1234567890123456.7.azuredatabricks.net": "an example",
		"https://1234567890123456.7.gcp.databricks.com":      "an example",
		"https://dbc-xxxxxxxx-xxxx.cloud.databricks.com":     "an example",
		"https://xxx.cloud.databricks.com":                   "an example",
	} {
		u, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := Doubt(u); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

func TestPlaceholders(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"https://<name>.cloud.databricks.com", "<workspace>.cloud.databricks.com", "https://adb-<id>.<n>.azuredatabricks.net",
		"https://%3Cname%3E.cloud.databricks.com", "https://[your-workspace].cloud.databricks.com", "<workspace url>",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), "write the name of your workspace in place of") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := Parse("http://[fe80::1]:80"); err != nil {
		t.Errorf("an address in brackets: %v", err)
	}
	if _, err := Parse("https://me:hunter2<x>@a.example.com"); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("a password: %v", err)
	}
}
