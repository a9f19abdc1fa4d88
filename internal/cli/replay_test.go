package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/judge"
	"github.com/scopegate/scopegate/internal/policy"
	"github.com/scopegate/scopegate/internal/replay"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
	"github.com/scopegate/scopegate/scopes"
)

// seenByGateway is what a gateway without policies saw: one token that lists jobs.
func seenByGateway(t *testing.T) replay.Seen {
	t.Helper()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	readings, err := scopes.Default().Read("GET", "/api/2.2/jobs/list", nil)
	if err != nil {
		t.Fatal(err)
	}
	info := &tokens.Info{ID: tokens.IDOf("etl"), Owner: tokens.NewPrincipal(7, "etl@example.com"), Scopes: []string{"jobs"}, Expires: tokens.NeverExpires}
	gone := strings.Repeat("ab", 32)
	return replay.NewSeen(replay.SeenInput{
		Workspace: "https://config.example.com", At: at,
		Judges: []*judge.Judge{{Catalog: scopes.Default(), Rules: policy.Rules{AllowUnscoped: true}}},
		Usage: usage.State{Since: at.Add(-time.Hour), Tokens: []usage.Token{
			{ID: info.ID.String(), Calls: 5, Uses: []usage.Use{{Operation: *readings[0].Operation, Calls: 5, Last: at}}},
			{ID: gone, Calls: 2},
		}},
		Tokens: []*tokens.Info{info},
	})
}

const replayLine = `{"msg":"decision","arrived":1772366400.25,"decision":"allow","enforced":true,"reason":"permitted","outcome":"answered","method":"GET","path":"/api/2.2/jobs/list","operation":"jobs.List","template":"/api/2.2/jobs/list","required_scopes":["jobs"],"catalog":"0123456789ab","token_id":"abababababababababababababababababababababababababababababababab","owner":"etl@example.com","owner_id":7,"token_scopes":["jobs"],"facts_source":"cache","request_id":"5d41402a-bc4b-4a76-b971-9d911017c592"}` + "\n"

func TestReplay(t *testing.T) {
	log, empty, other := filepath.Join(t.TempDir(), "audit.jsonl"), filepath.Join(t.TempDir(), "empty"), filepath.Join(t.TempDir(), "other")
	for file, content := range map[string]string{log: replayLine, empty: "", other: "{}\n"} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	id := tokens.IDOf("etl").String()
	for _, test := range []struct {
		name  string
		args  []string
		says  []string
		fails string
	}{
		{"nothing changes", []string{"--config", "good"}, []string{
			"Judged by good: rules 0123456789ab, map ", ", 1 handler.\n", "Compared with the rules in force of the gateway of https://config.example.com: 5 calls of 1 operation by 1 token seen since 2026-03-01 11:00.\n",
			"No call that passes today would be refused.\nNo call that is refused today would pass.\n", "Not judged: 2 calls of 1 token: the workspace no longer lists the token",
		}, ""},
		{"a ceiling", []string{"--config", "draft"}, []string{
			"5 calls of 1 operation by 1 token pass today and would be refused:\n", "jobs.List  GET     jobs       jobs        " + id[:12] + "  etl@example.com  5      2026-03-01  policy_denied by ceiling\n",
		}, "draft would refuse 5 calls of 1 operation by 1 token"},
		{"a rehearsed ceiling", []string{"--config", "rehearsed"}, []string{"No call that passes today would be refused.\n", "Note: the draft rehearses policies, for all or some tokens: ceiling; --as-enforced tells what they would refuse\n"}, ""},
		{"as enforced", []string{"--config", "rehearsed", "--as-enforced"}, []string{
			"as if all were enforced", "policy_denied by ceiling from ", "What each rehearsed policy alone would refuse of what passes:\n", "  ceiling  0%            100%             1       5\n",
		}, "would refuse 5 calls"},
		{"mode observe", []string{"--config", "observe"}, []string{"Note: the draft refuses nothing, because its mode is observe; --as-enforced tells what it would refuse\n"}, ""},
		{"a token", []string{"--config", "draft", "--token", id[:9]}, []string{"would be refused:\n"}, "would refuse 5 calls"},
		{"another token", []string{"--config", "draft", "--token", "abababab"}, []string{"Not judged: 2 calls"}, "nothing could be judged"},
		{"a misspelled policy", []string{"--config", "draft", "--policy", "cieling"}, nil, `unknown policy "cieling"; did you mean ceiling?`},
		{"a misspelled policy, for an audit log", []string{"--config", "draft", "--policy", "cieling", "--audit", log}, nil, `unknown policy "cieling"; did you mean ceiling?`},
		{"no policies at all", []string{"--config", "good", "--policy", "p"}, nil, "the draft has no policies"},
		{"CSV", []string{"--config", "draft", "--format", "csv"}, []string{
			"change,token_id,owner,operation,method,template,needs_now,needs_then,reason,policy,enforced_from,calls,last_seen\nrefused," + id + ",etl@example.com,jobs.List,GET,/api/2.2/jobs/list,jobs,jobs,policy_denied,ceiling,,5,2026-03-01T12:00:00Z\nunjudged,,,,,,,,\"the workspace",
		}, "would refuse 5 calls"},
		{"an audit log", []string{"--config", "draft", "--audit", log}, []string{
			"Compared with 1 decision recorded from 2026-03-01 12:00 to 2026-03-01 12:00: 1 call of 1 operation by 1 token could be judged.\n", "policy_denied by ceiling\n",
			"Note: 1 decision was made by another map, 0123456789ab; here the draft's map decides",
		}, "draft would refuse 1 call"},
		{"by the map of its time", []string{"--config", "draft", "--audit", log, "--catalog", "recorded"}, []string{
			"Not judged: 1 call of 1 token: the map of that time is not at hand.\n", "Note: the map of that time of 1 decision, 0123456789ab, is not at hand; name a file of it with --map",
		}, "nothing could be judged"},
		{"a log twice", []string{"--config", "draft", "--audit", log, "--audit", log}, nil, "is the same file as"},
		{"an empty log", []string{"--config", "draft", "--audit", empty}, nil, "the audit log is empty"},
		{"a log without decisions", []string{"--config", "draft", "--audit", other}, nil, "none of the 1 lines is a decision"},
		{"no such log", []string{"--config", "draft", "--audit", "nowhere"}, nil, "reading the audit log nowhere: open nowhere"},
		{"no draft", nil, nil, "pass the draft to judge by with --config <file>"},
		{"several workspaces", []string{"--config", "several"}, nil, "pass --workspace with one of them"},
		{"another format", []string{"--config", "draft", "--format", "xml"}, nil, "--format must be table, json or csv"},
		{"a map without need", []string{"--config", "draft", "--map", "x"}, nil, "--map goes with --catalog recorded"},
		{"recorded use", []string{"--config", "draft", "--catalog", "recorded"}, nil, "--catalog recorded goes with --audit"},
		{"a short id", []string{"--config", "draft", "--token", "abc"}, nil, "--token needs at least the first 8 digits of a token id, not 3"},
		{"a token by mistake", []string{"--config", "draft", "--token", "dapi0123456789abcdef0123456789abcdef"}, nil, "--token takes the hexadecimal digits of a token id"},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, err := run(t, answering(seenByGateway(t)), "", append([]string{"replay"}, test.args...)...)
			if test.fails == "" && err != nil || test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)) {
				t.Errorf("%v, want %q", err, test.fails)
			}
			if err != nil && strings.Contains(err.Error(), "dapi0123") {
				t.Error("the error repeats a token")
			}
			for _, part := range test.says {
				if !strings.Contains(out, part) {
					t.Errorf("it lacks %q:\n%s", part, out)
				}
			}
		})
	}
	out, err := run(t, answering(seenByGateway(t)), "", "replay", "--config", "draft", "--format", "json")
	document, _, _ := strings.Cut(out, "\nError:")
	var answer replayed
	if jsonErr := json.Unmarshal([]byte(document), &answer); jsonErr != nil || err == nil || answer.Refused.Calls != 5 || answer.Rules != "0123456789ab" || answer.Workspace != "https://config.example.com" {
		t.Errorf("%v %v\n%s", err, jsonErr, out)
	}
}

// TestReplayUnreachable: it says how to name a gateway.
func TestReplayUnreachable(t *testing.T) {
	_, err := run(t, unreachable, "", "replay", "--config", "draft")
	if err == nil || !strings.Contains(err.Error(), "name its admin API with --address") {
		t.Error(err)
	}
}
