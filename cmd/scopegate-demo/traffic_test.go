package main

import (
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/processtest"
)

// TestTraffic checks the report and the recommendations of the simulated week, applies a
// recommendation and revokes a token.
func TestTraffic(t *testing.T) {
	t.Parallel()
	listen := processtest.FreeAddress(t)
	demo := processtest.Start(t, listen, nil, "scopegate-demo", "--traffic", "--listen", listen)
	printed := demo.AwaitLog(t, "Press Ctrl-C")
	for _, part := range []string{
		`8 tokens; \d+ calls recorded since \d{4}-\d\d-\d\d \(8 days\)\.`,
		`etl@example\.com +airflow nightly loads +427d +never +\(everything\) +clusters jobs `,
		`agent@example\.com .* sql \+jobs `,
		`vendor@example\.com .* needs all-apis`,
		`leaver@example\.com .* never seen`,
		`autoscope  running; when it completes, these break\n +GET /api/2\.1/unity-catalog/catalogs`,
		`GET /api/2\.0/sql/warehouses  (\d+) of (\d+) calls, \S+ to \S+: policy_denied`,
	} {
		find(t, printed, "("+part+")")
	}
	admin := find(t, printed, `report --address (\S+)`)
	if info, err := os.Stat(strings.TrimPrefix(admin, "unix/")); err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("the commands use the address %s: %v, %v", admin, info, err)
	}
	if reported, made := find(t, printed, `(\d+) calls recorded`), find(t, printed, `These tokens made (\d+) calls`); reported != made {
		t.Errorf("the report counts %s calls, the demo %s", reported, made)
	}
	total := 0
	for _, row := range regexp.MustCompile(`(?m)^[0-9a-f]{12}….*@example\.com .*? (\d+) +(?:never|\d+[mhd] ago)`).FindAllStringSubmatch(printed, -1) {
		calls, err := strconv.Atoi(row[1])
		if err != nil {
			t.Fatal(err)
		}
		total += calls
	}
	if made := find(t, printed, `These tokens made (\d+) calls`); made != strconv.Itoa(total) {
		t.Errorf("the rows of the report add up to %d calls, the demo made %s", total, made)
	}
	vendor := find(t, printed, `lineage vendor +(dapi[0-9a-f]+)\n`)
	if status, _, body := demo.Get(t, "/api/2.1/unity-catalog/catalogs", vendor); status != 200 {
		t.Errorf("call with a token that the demo prints: %d %s", status, body)
	}
	workspace := find(t, printed, `revoke .*--workspace (http\S+)`)
	credential := find(t, printed, `DATABRICKS_TOKEN=(dapi[0-9a-f]+)`)
	etl := find(t, printed, `recommend --address \S+ ([0-9a-f]{64})\nworkspace.*\ntoken.*\nowner +etl@example\.com\ncomment +airflow nightly loads\nevidence.*\nholds +everything.*\nrecommend +clusters, jobs\n  clusters, for\n +GET /api/2\.1/clusters/list  \d+ calls`)
	agent := find(t, printed, `token +([0-9a-f]{64})\nowner.*\ncomment.*\nevidence.*\nholds +sql, genie`)

	for _, step := range []struct {
		name, input string
		args        []string
		says        string
		ok          bool
	}{
		{"answering no", "n\n", []string{"recommend", etl, "--apply"}, "Set the scopes of this token to clusters, jobs? [y/N]", false},
		{"answering nothing", "", []string{"recommend", etl, "--apply"}, "nothing was changed", false},
		{"another workspace", "y\n", []string{"recommend", etl, "--apply", "--workspace", "https://other.example.com"}, "no databricks_scopes handler for that workspace", false},
		{"the id as the report shows it", "n\n", []string{"recommend", etl[:12] + "…", "--apply"}, "Set the scopes of this token to clusters, jobs? [y/N]", false},
		{"answering yes", "y\n", []string{"recommend", etl, "--apply"}, "The token now has the scopes clusters, jobs.", true},
		{"applying again", "y\n", []string{"recommend", etl, "--apply"}, "there is nothing to apply", false},
		{"applying without asking", "", []string{"recommend", agent, "--apply", "--yes"}, "The token now has the scopes sql.", true},
		{"printing JSON", "", []string{"recommend", agent, "--json"}, `"workspace": "` + workspace, true},
		{"after narrowing", "", []string{"report", "--owner", "etl@*"}, "clusters jobs", true},
		{"revoking by part of the id asks first", "\n", []string{"revoke", agent[:12], "--workspace", workspace}, agent, false},
		{"revoking by part of the id without asking", "", []string{"revoke", agent[:12], "--workspace", workspace, "--yes"}, "64 hexadecimal digits", false},
		{"revoking asks first", "\n", []string{"revoke", agent, "--workspace", workspace}, "comment    support agent", false},
		{"revoking", "yes\n", []string{"revoke", agent, "--workspace", workspace}, "The token is revoked.", true},
		{"revoking a revoked token", "", []string{"revoke", agent, "--workspace", workspace, "--yes"}, "has no token of this id (any more); the gateway has forgotten it", true},
		{"the report after revoking", "", []string{"report"}, "gone", true},
		{"a token instead of its id", "", []string{"revoke", credential, "--workspace", workspace}, "64 hexadecimal digits", false},
	} {
		t.Run(step.name, func(t *testing.T) {
			args := append([]string{"scopes", step.args[0], "--address", admin}, step.args[1:]...)
			command := exec.Command("scopegate", args...)
			command.Env = append(processtest.Environment(t), "DATABRICKS_TOKEN="+credential)
			command.Stdin = strings.NewReader(step.input)
			output, err := command.CombinedOutput()
			if (err == nil) != step.ok || !strings.Contains(string(output), step.says) {
				t.Errorf("%v\n%s", err, output)
			}
			if strings.Contains(string(output), credential) {
				t.Errorf("the output contains the credential:\n%s", output)
			}
		})
	}
}
