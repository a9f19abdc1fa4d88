package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/fleet"
	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

// TestApplyNeverWidens asks for recommendations from a gateway that is wrong, or is not
// one: no answer may widen a token.
func TestApplyNeverWidens(t *testing.T) {
	workspace := startWorkspace(t)
	changer, err := tokens.NewChanger(workspace.URL(), tokens.Admin{})
	if err != nil {
		t.Fatal(err)
	}
	defer changer.Close()
	narrow, wide := []string{"sql", "jobs"}, []string{}
	for _, test := range []struct {
		name   string
		holds  []string
		facts  []string // as the gateway tells
		change []string
		other  bool // it answers for another token
		says   string
		want   []string
	}{
		{"narrower", narrow, narrow, []string{"sql"}, false, "The token now has the scopes sql.", []string{"sql"}},
		{"everything made narrower", wide, wide, []string{"sql"}, false, "The token now has the scopes sql.", []string{"sql"}},
		{"a scope that it does not hold", narrow, narrow, []string{"sql", "clusters"}, false, "does not hold", narrow},
		{"all-apis", narrow, narrow, []string{"all-apis"}, false, "does not hold", narrow},
		{"all-apis for everything", wide, wide, []string{"all-apis", "sql"}, false, "does not hold", wide},
		{"no scopes", narrow, narrow, []string{}, false, "does not hold", narrow},
		{"an empty scope", wide, wide, []string{""}, false, "does not hold", wide},
		{"another token", narrow, narrow, []string{"sql"}, true, "answered for another token", narrow},
		{"changed in the meantime", []string{"jobs"}, narrow, []string{"jobs"}, false, "changed in the meantime", []string{"jobs"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			token := workspace.Mint(fakeworkspace.TokenSpec{Owner: "o@example.com", Scopes: test.holds})
			answer := usage.Recommendation{
				Workspace: workspace.URL(), TokenID: token.Info.TokenId, Facts: usage.TokenFacts{Scopes: test.facts},
				Evidence: usage.Evidence{Enough: true}, Change: &usage.Change{Scopes: test.change, Body: json.RawMessage("{}")},
			}
			if test.other {
				answer.TokenID = strings.Repeat("ab", 32)
			}
			out, err := run(t, answering(answer), "", "recommend", token.Info.TokenId, "--apply", "--yes")
			if !strings.Contains(out, test.says) || (err == nil) != strings.Contains(test.says, "now has") {
				t.Errorf("it lacks %q: %v\n%s", test.says, err, out)
			}
			id, err := tokens.ParseID(token.Info.TokenId)
			if err != nil {
				t.Fatal(err)
			}
			now, err := changer.Get(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			got := now.Scopes
			if !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(test.want))) {
				t.Errorf("it holds %v, want %v", got, test.want)
			}
		})
	}
}

// TestApplyToldTooLate: a gateway that missed a change of a token forgets what it knew.
func TestApplyToldTooLate(t *testing.T) {
	workspace := startWorkspace(t)
	for _, test := range []struct {
		name string
		gone bool
		says string
	}{
		{"narrowed", false, "the token's scopes were changed in the meantime"},
		{"revoked", true, workspace.URL() + ": the workspace has no token of this id"},
	} {
		t.Run(test.name, func(t *testing.T) {
			token := workspace.Mint(fakeworkspace.TokenSpec{Owner: "o@example.com", Scopes: []string{"jobs"}})
			if test.gone {
				workspace.Revoke(token.Info.TokenId)
			}
			answer := usage.Recommendation{
				Workspace: workspace.URL(), TokenID: token.Info.TokenId, Facts: usage.TokenFacts{Scopes: []string{"sql", "jobs"}},
				Evidence: usage.Evidence{Enough: true}, Change: &usage.Change{Scopes: []string{"jobs"}, Body: json.RawMessage("{}")},
			}
			forgotten := 0
			out, err := run(t, func(address, method, uri string, header http.Header, body io.Reader) (*http.Response, error) {
				if method == http.MethodDelete && strings.HasPrefix(uri, "/databricks_scopes/tokens/"+token.Info.TokenId) {
					forgotten++
					return answering(adminapi.Forgotten{Known: true, Untold: fleet.StoreDown})(address, method, uri, header, body)
				}
				return answering(answer)(address, method, uri, header, body)
			}, "", "recommend", token.Info.TokenId, "--apply", "--yes")
			if err == nil || forgotten != 1 {
				t.Errorf("told %d times: %v", forgotten, err)
			}
			for _, part := range []string{test.says, "note: the gateway has forgotten what it knew about this token\n", "note: Redis is down: "} {
				if !strings.Contains(out, part) {
					t.Errorf("it lacks %q:\n%s", part, out)
				}
			}
		})
	}
}

// TestApplyAsks holds that scopes are set only after a yes, or with enough evidence.
func TestApplyAsks(t *testing.T) {
	workspace := startWorkspace(t)
	for _, test := range []struct {
		name, input string
		args        []string
		enough      bool
		change      bool
		says        string
		ok          bool
	}{
		{"yes", "y\n", nil, false, true, "Set the scopes of this token to sql? [y/N] ", true},
		{"no", "n\n", nil, true, true, "nothing was changed", false},
		{"no answer", "", nil, true, true, "nothing was changed", false},
		{"without asking", "", []string{"--yes"}, true, true, "The token now has the scopes sql.", true},
		{"without asking and without evidence", "", []string{"--yes"}, false, true, "not enough evidence to apply this without asking (3 days); omit --yes", false},
		{"nothing to apply", "y\n", nil, true, false, "there is nothing to apply", false},
		{"another workspace", "y\n", []string{"--workspace", "https://other.example.com"}, true, true, "the credential is for https://other.example.com; set --workspace", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			token := workspace.Mint(fakeworkspace.TokenSpec{Owner: "o@example.com", Scopes: []string{"sql", "jobs"}})
			answer := usage.Recommendation{
				Workspace: workspace.URL(), TokenID: token.Info.TokenId, Facts: usage.TokenFacts{Scopes: []string{"sql", "jobs"}},
				Evidence: usage.Evidence{Enough: test.enough, Missing: "3 days"},
			}
			if test.change {
				answer.Change = &usage.Change{Scopes: []string{"sql"}, Body: json.RawMessage("{}")}
			}
			out, err := run(t, answering(answer), test.input, append([]string{"recommend", token.Info.TokenId, "--apply"}, test.args...)...)
			if (err == nil) != test.ok || !strings.Contains(out, test.says) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestApplyDespiteCut holds that a token is not narrowed by evidence of which some is
// missing, unless somebody insists.
func TestApplyDespiteCut(t *testing.T) {
	workspace := startWorkspace(t)
	doubt := usage.Evidence{Enough: true, Doubt: "3 operations dropped since 2026-07-01"}
	older := usage.Evidence{Enough: true, Cut: usage.Cut{Entries: 3, Since: time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)}}
	const refused = "evidence about this token is missing (3 operations dropped since 2026-07-01), so the scopes may leave out some that it needs; ask its owner, then add --despite-cut"
	for _, test := range []struct {
		name     string
		evidence usage.Evidence
		enough   bool
		args     []string
		says     string
		ok       bool
	}{
		{"asking", doubt, true, []string{"--apply"}, refused, false},
		{"without asking", doubt, true, []string{"--apply", "--yes"}, refused, false},
		{"a gateway of an older version", older, true, []string{"--apply"}, refused, false},
		{"insisting", doubt, true, []string{"--apply", "--despite-cut"}, "The token now has the scopes sql.", true},
		{"insisting without asking", doubt, true, []string{"--apply", "--despite-cut", "--yes"}, "The token now has the scopes sql.", true},
		{"insisting without asking, and little else", doubt, false, []string{"--apply", "--despite-cut", "--yes"}, "not enough evidence to apply this without asking", false},
		{"insisting on nothing", doubt, true, []string{"--despite-cut"}, "--despite-cut goes with --apply", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			token := workspace.Mint(fakeworkspace.TokenSpec{Owner: "o@example.com", Scopes: []string{"sql", "jobs"}})
			test.evidence.Enough = test.enough
			answer := usage.Recommendation{
				Workspace: workspace.URL(), TokenID: token.Info.TokenId, Facts: usage.TokenFacts{Scopes: []string{"sql", "jobs"}},
				Evidence: test.evidence, Change: &usage.Change{Scopes: []string{"sql"}, Body: json.RawMessage("{}")},
			}
			out, err := run(t, answering(answer), "y\n", append([]string{"recommend", token.Info.TokenId}, test.args...)...)
			if (err == nil) != test.ok || !strings.Contains(out, test.says) {
				t.Errorf("it lacks %q: %v\n%s", test.says, err, out)
			}
		})
	}
}
