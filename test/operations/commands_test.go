package operations

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
	"github.com/scopegate/scopegate/internal/testing/harness"
)

// TestApplyNeverWidens asks an impostor of a gateway, or one with a bug, for
// recommendations: none of them may widen a token.
func TestApplyNeverWidens(t *testing.T) {
	workspace := harness.StartWorkspace(t)
	t.Setenv("DATABRICKS_TOKEN", workspace.AdminToken())
	t.Setenv("DATABRICKS_CONFIG_FILE", "/none")
	narrow, wide := []string{"sql", "jobs"}, []string{}
	for _, test := range []struct {
		name   string
		holds  []string
		facts  []string // as the gateway answers
		change []string
		other  bool // the answer is about another token
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
			answer := map[string]any{
				"workspace": workspace.URL(), "token_id": token.Info.TokenId, "facts": map[string]any{"scopes": test.facts},
				"evidence": map[string]any{"enough": true}, "change": map[string]any{"scopes": test.change, "body": map[string]any{}},
			}
			if test.other {
				answer["token_id"] = strings.Repeat("ab", 32)
			}
			gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_ = json.NewEncoder(w).Encode(answer)
			}))
			defer gateway.Close()
			out, err := harness.Command(t, "", "scopes", "recommend", token.Info.TokenId, "--apply", "--yes", "--address", strings.TrimPrefix(gateway.URL, "http://"))
			if !strings.Contains(out, test.says) || (err == nil) != strings.Contains(test.says, "now has") {
				t.Errorf("it lacks %q: %v\n%s", test.says, err, out)
			}
			now, _ := workspace.Info(token.Info.TokenId)
			got := now.Scopes
			if !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(test.want))) {
				t.Errorf("it holds %v, want %v", got, test.want)
			}
		})
	}
}

// TestTokenIDPrefix holds that the short ids in tables can be used, and that what is
// not an id is not sent anywhere.
func TestTokenIDPrefix(t *testing.T) {
	one, two := strings.Repeat("ab", 32), strings.Repeat("ab", 31)+"cd"
	third := "0123456789" + strings.Repeat("e", 54)
	searched, asked := "", "" // the URL of the search for ids, and the id that is asked about
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/recommend") {
			asked = r.URL.Query().Get("token_id")
			fmt.Fprintf(w, `{"token_id":%q}`, asked)
			return
		}
		searched = r.URL.String()
		fmt.Fprintf(w, `{"rows":[{"id":%q},{"id":%q},{"id":%q}]}`, one, two, third)
	}))
	defer gateway.Close()
	address := strings.TrimPrefix(gateway.URL, "http://")
	for _, test := range []struct {
		name, text, want, problem string
		searches                  bool
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
			searched, asked = "", ""
			out, err := harness.Command(t, "", "scopes", "recommend", test.text, "--json", "--workspace", "https://w.example.com", "--address", address)
			switch {
			case test.problem == "" && (err != nil || asked != test.want):
				t.Errorf("asked about %s, %v\n%s", asked, err, out)
			case test.problem != "" && (err == nil || asked != "" || !strings.Contains(err.Error(), test.problem)):
				t.Errorf("got %v, want %q; asked about %q", err, test.problem, asked)
			}
			if (searched != "") != test.searches || test.text != "" && strings.Contains(searched, strings.TrimSuffix(test.text, "…")) {
				t.Errorf("the gateway got %q", searched)
			}
		})
	}
	if _, err := harness.Command(t, "", "scopes", "revoke", "0123456789ee", "--yes", "--address", address); err == nil || !strings.Contains(err.Error(), "64 hexadecimal digits") {
		t.Errorf("revoke --yes with part of an id: %v", err)
	}
}
