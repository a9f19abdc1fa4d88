package tokens

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

// scopeLists are answers, and what is read from them; "" for an answer that is refused.
var scopeLists = []struct{ name, body, want, says string }{
	{"names", `["sql","jobs","sql"]`, "jobs sql", ""},
	{"in an object", `{"scopes":["sql","jobs"]}`, "jobs sql", ""},
	{"in an object of another name", `{"token_scopes":["sql"],"count":1,"note":null}`, "sql", ""},
	{"objects", `{"scopes":[{"name":"sql","description":"Databricks SQL"},{"name":"jobs"}]}`, "jobs sql", ""},
	{"objects with both", `[{"name":"Databricks SQL","scope":"sql"}]`, "sql", ""},
	{"the last page", `{"scopes":["sql"],"next_page_token":""}`, "sql", ""},
	{"one page of several", `{"scopes":["sql"],"next_page_token":"x"}`, "", "one page of several"},
	{"two lists", `{"scopes":["sql"],"hidden":["jobs"]}`, "", "more than one list"},
	{"no list", `{"scopes":{"sql":true}}`, "", "no list"},
	{"text", `"sql"`, "", "neither a list nor an object"},
	{"empty", `[]`, "", "empty"},
	{"no JSON", `<html>`, "", "not JSON"},
	{"a name twice", `{"scopes":["sql"],"Scopes":["jobs"]}`, "", "same name"},
	{"a number", `["sql",1]`, "", "not the name of a scope"},
	{"null", `["sql",null]`, "", "not the name of a scope"},
	{"a title", `["Databricks SQL"]`, "", "not the name of a scope"},
	{"an object without a name", `[{"title":"sql"}]`, "", "not the name of a scope"},
	{"a control character", `["s\u001bql"]`, "", "not the name of a scope"},
	{"an empty name", `[""]`, "", "not the name of a scope"},
	{"a long name", `["` + strings.Repeat("x", maxScopeName+1) + `"]`, "", "not the name of a scope"},
}

func TestReadScopeList(t *testing.T) {
	t.Parallel()
	for _, test := range scopeLists {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			names, err := readScopeList([]byte(test.body))
			if strings.Join(names, " ") != test.want || (err != nil) != (test.want == "") {
				t.Errorf("got %s, %v", names, err)
			}
			if err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v; want %q", err, test.says)
			}
		})
	}
	many := make([]string, maxScopes+1)
	for i := range many {
		many[i] = fmt.Sprint("scope-", i)
	}
	body, err := json.Marshal(many)
	if err != nil {
		t.Fatal(err)
	}
	if names, err := readScopeList(body); err == nil || len(names) > 0 {
		t.Errorf("%d names, %v", len(names), err)
	}
}

// FuzzReadScopeList: whatever a workspace answers, names are few, short and of the alphabet
// of scopes.
func FuzzReadScopeList(f *testing.F) {
	for _, seed := range scopeLists {
		f.Add([]byte(seed.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		names, err := readScopeList(body)
		if err != nil {
			if names != nil {
				t.Errorf("names and an error: %q, %v", names, err)
			}
			return
		}
		if len(names) == 0 || len(names) > maxScopes || !slices.IsSorted(names) {
			t.Errorf("%d names: %q", len(names), names)
		}
		for _, name := range names {
			if !isScopeName(name) || !json.Valid(body) {
				t.Errorf("%q of %q", name, body)
			}
		}
	})
}

func TestTokenScopes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		with func(*fakeworkspace.Workspace)
		want string
		says string
	}{
		{"the workspace's own", nil, "all-apis jobs teleport", ""},
		{"no such API", func(w *fakeworkspace.Workspace) {
			w.Handle("GET /api/2.0/token-scopes", http.NotFoundHandler())
		}, "", "404"},
		{"not an admin", func(w *fakeworkspace.Workspace) {
			w.Faults().Set("/api/2.0/token-scopes", fakeworkspace.RejectAdmin(403))
		}, "", "403"},
		{"an odd answer", func(w *fakeworkspace.Workspace) {
			w.Handle("GET /api/2.0/token-scopes", http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte(`{"scopes":7}`)) }))
		}, "", "no list"},
		{"a huge answer", func(w *fakeworkspace.Workspace) {
			w.Handle("GET /api/2.0/token-scopes", http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
				_, _ = rw.Write([]byte(`["` + strings.Repeat("x", 2<<20) + `"]`))
			}))
		}, "", "larger than"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			workspace := fakeworkspace.New(fakeworkspace.WithScopeNames(nil, []string{"teleport", "jobs", "all-apis"}))
			if err := workspace.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(workspace.Close)
			if test.with != nil {
				test.with(workspace)
			}
			names, err := TokenScopes(t.Context(), workspace.URL(), m2m(workspace), 0)
			if strings.Join(names, " ") != test.want || (err != nil) != (test.want == "") {
				t.Fatalf("got %s, %v", names, err)
			}
			if outage := asOutage(err); err != nil && !strings.Contains(outage.Problem()+err.Error(), test.says) {
				t.Errorf("%s; want %q", outage.Problem(), test.says)
			}
		})
	}
}
