package caddymodule

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/tokens"
	"github.com/scopegate/scopegate/internal/usage"
)

// runCommand runs a command with an input, and returns what it printed.
func runCommand(t *testing.T, command *cobra.Command, input string, args ...string) (string, error) {
	t.Helper()
	var out strings.Builder
	command.SetArgs(args)
	command.SetIn(strings.NewReader(input))
	command.SetOut(&out)
	command.SetErr(&out)
	err := command.ExecuteContext(t.Context())
	return out.String(), err
}

// TestApplyNeverWidens asks for recommendations where somebody else than a gateway
// answers, or one that errs: none of them may widen a token.
func TestApplyNeverWidens(t *testing.T) {
	workspace := startWorkspace(t)
	t.Setenv("DATABRICKS_TOKEN", workspace.AdminToken())
	t.Setenv("DATABRICKS_CONFIG_FILE", "/none")
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
			gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = writeJSON(w, http.StatusOK, answer)
			}))
			defer gateway.Close()
			out, err := runCommand(t, recommendCommand(), "", token.Info.TokenId, "--apply", "--yes", "--address", strings.TrimPrefix(gateway.URL, "http://"))
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

// TestTokenIDByItsBeginning holds that the ids in tables can be used, and that what
// is no id is not sent anywhere.
func TestTokenIDByItsBeginning(t *testing.T) {
	one, two := strings.Repeat("ab", 32), strings.Repeat("ab", 31)+"cd"
	third := "0123456789" + strings.Repeat("e", 54)
	asked := ""
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		_ = writeJSON(w, http.StatusOK, usage.Report{Rows: []usage.Row{
			{ListedToken: usage.ListedToken{ID: one}}, {ListedToken: usage.ListedToken{ID: two}}, {ListedToken: usage.ListedToken{ID: third}},
		}})
	}))
	defer gateway.Close()
	address := strings.TrimPrefix(gateway.URL, "http://")
	for _, test := range []struct {
		name, text, want, problem string
		asks                      bool
	}{
		{"whole", one, one, "", false},
		{"as in a table", "0123456789ee…", third, "", true},
		{"capitals", "0123456789EE", third, "", true},
		{"several", "abababababab", "", "several tokens' ids begin so", true},
		{"none", "ffffffffffff", "", "no token whose id begins so", true},
		{"too short", "0123456", "", "64 hexadecimal digits, of which the first 8 will do; this has 7", false},
		{"too long", third + "0", "", "no token whose id begins so", true},
		{"a token", "dapi0123456789abcdef0123456789abcdef", "", "64 hexadecimal digits", false},
		{"nothing", "", "", "64 hexadecimal digits", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked = ""
			id, err := adminAddress{&address}.tokenID(test.text, "https://w.example.com")
			switch {
			case test.problem == "" && (err != nil || id.String() != test.want):
				t.Errorf("got %s, %v", id, err)
			case test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)):
				t.Errorf("got %v, want %q", err, test.problem)
			}
			if (asked != "") != test.asks || test.text != "" && strings.Contains(asked, strings.TrimSuffix(test.text, "…")) {
				t.Errorf("the gateway was asked for %q", asked)
			}
		})
	}
	if _, err := runCommand(t, revokeCommand(), "", "0123456789ee", "--yes", "--address", address); err == nil || !strings.Contains(err.Error(), "64 hexadecimal digits") {
		t.Errorf("revoke --yes by a part of the id: %v", err)
	}
}
