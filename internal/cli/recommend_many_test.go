package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

// planning is a gateway that answers with a plan, and with nothing that it has seen.
func planning(plan *usage.Plan) adminapi.Do {
	return func(address, method, uri string, header http.Header, body io.Reader) (*http.Response, error) {
		switch {
		case strings.HasPrefix(uri, "/databricks_scopes/plan"):
			return answering(plan)(address, method, uri, header, body)
		case method == http.MethodDelete:
			return answering(adminapi.Forgotten{Known: true})(address, method, uri, header, body)
		}
		return answering(usage.Report{})(address, method, uri, header, body)
	}
}

// planOf is a plan that narrows tokens to sql.
func planOf(workspace *fakeworkspace.Workspace, minted ...fakeworkspace.Token) *usage.Plan {
	plan := &usage.Plan{Workspace: workspace.URL(), Tokens: len(minted)}
	for _, token := range minted {
		facts := usage.TokenFacts{Scopes: token.Info.Scopes}
		plan.Rows = append(plan.Rows, usage.PlanRow{
			ListedToken: usage.ListedToken{ID: token.Info.TokenId, OwnerID: token.Info.OwnerId, Comment: token.Info.Comment, TokenFacts: facts},
			Recommendation: &usage.Recommendation{
				TokenID: token.Info.TokenId, Facts: facts, Scopes: []string{"sql"},
				Evidence: usage.Evidence{Days: 9, Enough: true}, Change: &usage.Change{Scopes: []string{"sql"}, Body: json.RawMessage("{}")},
			},
		})
	}
	return plan
}

func TestApplyMany(t *testing.T) {
	workspace := startWorkspace(t)
	for _, test := range []struct {
		name, input string
		args        []string
		change      func(first, second fakeworkspace.Token)
		says, lacks []string
		code        int
		holds       string // of both
	}{
		{name: "yes", input: "y\n", says: []string{"Narrow 2 tokens of 2 owners: one@example.com (1), two@example.com (1)?", "The former scopes are in "}, holds: "sql sql"},
		{name: "no", input: "n\n", says: []string{"nothing was changed"}, lacks: []string{"The former scopes are in "}, code: 1, holds: "jobs,sql jobs,sql"},
		{name: "without asking", args: []string{"--yes"}, lacks: []string{"[y/N]"}, holds: "sql sql"},
		{name: "the second one was changed", args: []string{"--yes"}, change: func(_, second fakeworkspace.Token) { workspace.SetScopes(second.Info.TokenId, "sql", "clusters") }, says: []string{"1 token narrowed, 1 failed, 0 not tried", "its scopes were changed in the meantime"}, code: ExitPartly, holds: "sql clusters,sql"},
		{name: "the first one was revoked", args: []string{"--yes"}, change: func(first, _ fakeworkspace.Token) { workspace.Revoke(first.Info.TokenId) }, says: []string{"0 tokens narrowed, 1 failed, 1 not tried"}, code: 1, holds: "gone jobs,sql"},
		{name: "not an admin", args: []string{"--yes"}, change: func(_, _ fakeworkspace.Token) {
			workspace.Faults().Set("/api/2.0/token-management/", fakeworkspace.NotAdmin())
		}, says: []string{"it must belong to a workspace admin"}, code: 1, holds: "jobs,sql jobs,sql"},
		{name: "an undo file that is something else", args: []string{"--yes", "--undo-file", os.DevNull}, says: []string{"not a file", "nothing was changed"}, code: 1, holds: "jobs,sql jobs,sql"},
		{name: "another workspace", args: []string{"--yes", "--workspace", "https://other.example.com"}, says: []string{"the gateway judges for " + workspace.URL() + ", but the credential is for https://other.example.com"}, code: 1, holds: "jobs,sql jobs,sql"},
		{name: "no time to watch", args: []string{"--yes", "--watch", "soon"}, says: []string{`--watch needs a time such as 1h or 30m, not "soon"`}, code: 1, holds: "jobs,sql jobs,sql"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Cleanup(workspace.Faults().Clear)
			first := workspace.Mint(fakeworkspace.TokenSpec{Owner: "one@example.com", Scopes: []string{"sql", "jobs"}})
			second := workspace.Mint(fakeworkspace.TokenSpec{Owner: "two@example.com", Scopes: []string{"sql", "jobs"}})
			if test.change != nil {
				test.change(first, second)
			}
			args := append([]string{"recommend", "--all", "--apply"}, test.args...)
			if !strings.Contains(strings.Join(args, " "), "--undo-file") {
				args = append(args, "--undo-file", filepath.Join(t.TempDir(), "undo.json"))
			}
			out, err := run(t, planning(planOf(workspace, first, second)), test.input, args...)
			if code := ExitCode(err); code != test.code {
				t.Errorf("code %d: %v", code, err)
			}
			for _, part := range test.says {
				if !strings.Contains(out+fmt.Sprint(err), part) {
					t.Errorf("it lacks %q: %v\n%s", part, err, out)
				}
			}
			for _, part := range append(test.lacks, first.Value, workspace.AdminToken()) {
				if strings.Contains(out, part) {
					t.Errorf("it says %q:\n%s", part, out)
				}
			}
			if got := holds(workspace, first) + " " + holds(workspace, second); got != test.holds {
				t.Errorf("they hold %s, want %s\n%s", got, test.holds, out)
			}
		})
	}
}

// holds returns the scopes of a token in the workspace, sorted by chance as the workspace has
// them.
func holds(workspace *fakeworkspace.Workspace, token fakeworkspace.Token) string {
	info, found := workspace.Info(token.Info.TokenId)
	if !found {
		return "gone"
	}
	switch len(info.Scopes) {
	case 2:
		return min(info.Scopes[0], info.Scopes[1]) + "," + max(info.Scopes[0], info.Scopes[1])
	}
	return strings.Join(info.Scopes, ",")
}

// TestApplyManySkipsOwn: neither the token of the command nor the gateway's is narrowed.
func TestApplyManySkipsOwn(t *testing.T) {
	workspace := startWorkspace(t)
	gateways := workspace.Mint(fakeworkspace.TokenSpec{Owner: "gateway@example.com"})
	own := fakeworkspace.Token{Value: workspace.AdminToken()}
	own.Info, _ = workspace.Info(tokens.IDOf(own.Value).String())
	plan := planOf(workspace, own, gateways)
	plan.Own = gateways.Info.TokenId
	out, err := run(t, planning(plan), "", "recommend", "--all", "--apply", "--yes")
	for _, part := range []string{"skip: this command signs in with it", "skip: the gateway signs in with it", "There is nothing to do."} {
		if err != nil || !strings.Contains(out, part) {
			t.Errorf("it lacks %q: %v\n%s", part, err, out)
		}
	}
}

// TestWatchNeedsGateway: without counts from before, nothing is changed.
func TestWatchNeedsGateway(t *testing.T) {
	workspace := startWorkspace(t)
	token := workspace.Mint(fakeworkspace.TokenSpec{Owner: "one@example.com", Scopes: []string{"sql", "jobs"}})
	gateway := func(address, method, uri string, header http.Header, body io.Reader) (*http.Response, error) {
		if strings.Contains(uri, "/plan") {
			return planning(planOf(workspace, token))(address, method, uri, header, body)
		}
		return unreachable(address, method, uri, header, body)
	}
	out, err := run(t, gateway, "", "recommend", "--all", "--apply", "--yes", "--watch", "1h")
	if err == nil || !strings.Contains(err.Error(), "connection refused") || holds(workspace, token) != "jobs,sql" {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestRecommendFlags(t *testing.T) {
	for says, args := range map[string]string{
		"--yes goes with --apply":                          "--all --yes",
		"--dry-run goes with --undo, or with":              "--all --dry-run",
		"--little-evidence goes with --all or --where":     "3f2a81c09d4e --little-evidence",
		"--watch goes with --apply and --all":              "3f2a81c09d4e --apply --watch 1h",
		"--watch does not go with --dry-run":               "--all --apply --watch 1h --dry-run",
		"--undo-file goes with --apply and":                "--all --undo-file x",
		"--format goes with --all, --where, --undo or":     "3f2a81c09d4e --format csv",
		"--format must be table, json or csv, not \"xml\"": "--all --format xml",
		"pass a token id, or --all, --where or --undo":     "--undo x 3f2a81c09d4e",
		"if any flags in the group [undo apply] are set":   "--undo x --apply",
		"reading the undo file: open none":                 "--undo none",
		"--where: a filter is empty":                       "--where=",
	} {
		if out, err := run(t, unreachable, "", append([]string{"recommend"}, strings.Split(args, " ")...)...); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q\n%s", args, err, says, out)
		}
	}
}

func TestExitCode(t *testing.T) {
	for code, err := range map[int]error{0: nil, 1: errors.New("x"), ExitUndone: errors.Join(&exitError{ExitUndone, errors.New("x")}, &exitError{ExitPartly, errors.New("y")})} {
		if got := ExitCode(err); got != code {
			t.Errorf("%d, want %d", got, code)
		}
	}
}
