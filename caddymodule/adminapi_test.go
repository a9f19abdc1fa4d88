package caddymodule

import (
	"fmt"
	"strings"
	"testing"
)

// TestAdminExplainOfSeveralHandlers holds that the admin API answers for handlers that
// judge alike, and for no others.
func TestAdminExplainOfSeveralHandlers(t *testing.T) {
	workspace := startWorkspace(t)
	for _, test := range []struct {
		name, one, other string
		status           int
	}{
		{"the same", "", "unscoped_tokens allow", 200},
		{"one is rehearsed", "", "mode observe", 200},
		{"other OAuth tokens", "", "oauth pass", 200},
		{"other cache", "", "cache {\nttl 5m\n}", 200},
		{"other unscoped tokens", "", "unscoped_tokens deny", 409},
		{"other policies", "policy p {\nscopes jobs\n}", "policy p {\nscopes sql\n}", 409},
	} {
		t.Run(test.name, func(t *testing.T) {
			startSite(t, workspace, fmt.Sprintf("handle /a/* {\ndatabricks_gateway %[1]s {\n%[2]s%[3]s\n}\n}\nhandle {\ndatabricks_gateway %[1]s {\n%[2]s%[4]s\n}\n}", workspace.URL(), adminBlock, test.one, test.other))
			status, body := adminDo(t, "GET", "/databricks_scopes/explain?method=GET&path="+jobsList)
			if status != test.status || status == 409 && !strings.Contains(body, "different rules") {
				t.Errorf("%d %s", status, body)
			}
		})
	}
}
