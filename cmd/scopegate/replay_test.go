package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// TestReplay asks a real gateway what drafts would change of what it saw, and then its audit
// log.
func TestReplay(t *testing.T) {
	t.Parallel()
	workspace := startWorkspace(t)
	p, admin := startSidecar(t, workspace)
	jobs, sql := workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"jobs"}, Comment: "etl"}), workspace.Mint(fakeworkspace.TokenSpec{Scopes: []string{"sql"}})
	for _, value := range []string{jobs.Value, jobs.Value, sql.Value} {
		if status, _, body := p.Get(t, "/api/2.2/jobs/list", value); status != 200 && status != 403 {
			t.Fatalf("%d %s", status, body)
		}
	}
	folder := t.TempDir()
	draft := func(name, options string) string {
		file := filepath.Join(folder, name+".Caddyfile")
		content := fmt.Sprintf("http://:8080 {\n\tdatabricks_gateway %s {\n%s\n\t}\n}\n", workspace.URL(), options)
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	replay := func(args ...string) (output string, code int) {
		command := exec.Command("scopegate", append([]string{"scopes", "replay"}, args...)...)
		command.Env = processtest.Environment(t)
		printed, _ := command.CombinedOutput()
		return string(printed), command.ProcessState.ExitCode()
	}
	same := draft("same", "")
	etl := "policy etl {\nmatch comment etl\nscopes sql\n}"
	routes := filepath.Join(folder, "routes.tsv")
	if err := os.WriteFile(routes, []byte("GET\t/api/2.2/jobs/list\tjobs,sql\tdocumented\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	// What the sidecar prints is its audit log.
	var log string
	p.Await(t, "the records", func() bool {
		log = p.Log.String()
		return strings.Count(log, `"operation":"jobs.List"`) == 3
	})
	file := filepath.Join(folder, "log")
	if err := os.WriteFile(file, []byte(log), 0o600); err != nil {
		t.Fatal(err)
	}

	const (
		nobody = "No call that passes today would be refused.\n"
		two    = "2 calls of 1 operation by 1 token pass today and would be refused:\n"
		one    = "1 call of 1 operation by 1 token is refused today and would pass:\n"
	)
	recorded := strings.NewReplacer("passes today", "passed", "pass today", "passed", "is refused today", "was refused")
	for _, test := range []struct {
		name     string
		draft    string
		flags    []string
		code     int
		gateway  []string // what it says with the gateway
		auditLog []string // and with its log
	}{
		{name: "the same rules", draft: same, gateway: []string{nobody, "3 calls of 1 operation by 2 tokens seen since ", "of " + workspace.URL()}, auditLog: []string{nobody, "3 decisions"}},
		{name: "a wider map", draft: draft("wider", "routes "+routes), gateway: []string{nobody, one, "missing_scope"}, auditLog: []string{nobody, one, "were made by another map"}},
		{name: "a ceiling for all", draft: draft("ceiling", "policy all {\nscopes sql\n}"), code: 1, gateway: []string{two, "policy_denied by all\n", "would refuse 2 calls"}, auditLog: []string{two}},
		{name: "a ceiling by comment", draft: draft("comment", etl), code: 1, gateway: []string{two, "policy_denied by etl\n"}},
		{name: "a rehearsed ceiling", draft: draft("rehearsed", strings.Replace(etl, "scopes sql", "scopes sql\nmode enforce 1%", 1)), flags: []string{"--as-enforced"}, code: 1,
			gateway: []string{two, "policy_denied by etl from ", "  etl     1%            100%             1       2\n"}},
		{name: "another token", draft: draft("other", "policy all {\nscopes sql\n}"), flags: []string{"--token", sql.Info.TokenId[:8]}, gateway: []string{nobody}, auditLog: []string{nobody}},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, from := range []struct {
				args []string
				says []string
			}{{[]string{"--address", admin}, test.gateway}, {[]string{"--audit", file}, test.auditLog}} {
				if from.says == nil {
					continue
				}
				output, code := replay(append(append([]string{"--config", test.draft}, test.flags...), from.args...)...)
				if code != test.code {
					t.Errorf("%s: exit code %d, want %d", from.args[0], code, test.code)
				}
				for _, part := range from.says {
					if from.args[0] == "--audit" {
						part = recorded.Replace(part)
					}
					if !strings.Contains(output, part) {
						t.Errorf("%s: it does not say %q:\n%s", from.args[0], part, output)
					}
				}
				if strings.Contains(output, jobs.Value) {
					t.Errorf("it says too much:\n%s", output)
				}
			}
		})
	}
	if output, code := replay("--config", draft("elsewhere", ""), "--address", admin, "--workspace", "https://elsewhere.example.com"); code != 1 || !strings.Contains(output, "the configuration file has no workspace https://elsewhere.example.com") {
		t.Errorf("%d\n%s", code, output)
	}
}
