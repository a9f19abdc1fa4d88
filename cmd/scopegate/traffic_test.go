package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// find returns what a pattern's group matches in a text.
func find(t *testing.T, text, pattern string) string {
	t.Helper()
	match := regexp.MustCompile(pattern).FindStringSubmatch(text)
	if match == nil {
		t.Fatalf("nothing matches %s in:\n%s", pattern, text)
	}
	return match[1]
}

// TestTraffic goes through what the demonstration of a week's rehearsal offers: the
// report, the recommendations, applying one and revoking a token.
func TestTraffic(t *testing.T) {
	listen := freeAddress(t)
	p := start(t, listen, nil, "demo", "--traffic", "--listen", listen)
	await(t, "the end of the week", func() bool { return strings.Contains(p.log.String(), "Press Ctrl-C") })
	told := p.log.String()
	for _, part := range []string{
		`8 tokens; \d+ calls recorded since \d{4}-\d\d-\d\d \(8 days\)\.`,
		`etl@example\.com +airflow nightly loads +427d +never +\(everything\) +clusters jobs `,
		`agent@example\.com .* sql \+jobs `,
		`vendor@example\.com .* needs all-apis`,
		`leaver@example\.com .* never seen`,
		`autoscope  runs; when it completes, these break\n +GET /api/2\.1/unity-catalog/catalogs`,
		`GET /api/2\.0/sql/warehouses  (\d+) of (\d+) calls, \S+ to \S+: policy_denied`,
	} {
		find(t, told, "("+part+")")
	}
	admin := find(t, told, `report --address (\S+)`)
	workspace := find(t, told, `--workspace (http\S+)`)
	credential := find(t, told, `DATABRICKS_TOKEN=(dapi[0-9a-f]+)`)
	etl := find(t, told, `recommend --address \S+ ([0-9a-f]{64})\nworkspace.*\ntoken.*\nowner +etl@example\.com\ncomment +airflow nightly loads\nevidence.*\nholds +everything.*\nrecommend +clusters, jobs\n  clusters, for\n +GET /api/2\.1/clusters/list  \d+ calls`)
	agent := find(t, told, `token +([0-9a-f]{64})\nowner.*\ncomment.*\nevidence.*\nholds +sql, genie`)

	for _, step := range []struct {
		name, input string
		args        []string
		says        string
		ok          bool
	}{
		{"no is no", "n\n", []string{"recommend", etl, "--apply"}, "Set the scopes of this token to clusters, jobs? [y/N]", false},
		{"silence is no", "", []string{"recommend", etl, "--apply"}, "nothing was changed", false},
		{"another workspace", "y\n", []string{"recommend", etl, "--apply", "--workspace", "https://other.example.com"}, "no databricks_scopes handler for that workspace", false},
		{"the id as the report shows it", "n\n", []string{"recommend", etl[:12] + "…", "--apply"}, "Set the scopes of this token to clusters, jobs? [y/N]", false},
		{"yes", "y\n", []string{"recommend", etl, "--apply"}, "The token now has the scopes clusters, jobs.", true},
		{"again", "y\n", []string{"recommend", etl, "--apply"}, "there is nothing to apply", false},
		{"without asking", "", []string{"recommend", agent, "--apply", "--yes"}, "The token now has the scopes sql.", true},
		{"JSON", "", []string{"recommend", agent, "--json"}, `"workspace": "` + workspace, true},
		{"narrowed", "", []string{"report", "--owner", "etl@*"}, "clusters jobs", true},
		{"revoking by a part of the id is asked", "\n", []string{"revoke", agent[:12], "--workspace", workspace}, agent, false},
		{"revoking by a part of the id unasked", "", []string{"revoke", agent[:12], "--workspace", workspace, "--yes"}, "64 hexadecimal digits", false},
		{"revoking is asked", "\n", []string{"revoke", agent, "--workspace", workspace}, "comment    support agent", false},
		{"revoking", "yes\n", []string{"revoke", agent, "--workspace", workspace}, "The token is revoked.", true},
		{"revoking what is gone", "", []string{"revoke", agent, "--workspace", workspace, "--yes"}, "the workspace has no token of this id", false},
		{"gone", "", []string{"report"}, "gone", true},
		{"a token instead of its id", "", []string{"revoke", credential, "--workspace", workspace}, "64 hexadecimal digits", false},
	} {
		t.Run(step.name, func(t *testing.T) {
			args := append([]string{"scopes", step.args[0], "--address", admin}, step.args[1:]...)
			command := exec.Command("scopegate", args...)
			command.Env = append(os.Environ(), "HOME="+t.TempDir(), "DATABRICKS_TOKEN="+credential, "DATABRICKS_CONFIG_FILE=/none")
			command.Stdin = strings.NewReader(step.input)
			output, err := command.CombinedOutput()
			if (err == nil) != step.ok || !strings.Contains(string(output), step.says) {
				t.Errorf("%v\n%s", err, output)
			}
			if strings.Contains(string(output), credential) {
				t.Errorf("the credential is printed:\n%s", output)
			}
		})
	}
}
