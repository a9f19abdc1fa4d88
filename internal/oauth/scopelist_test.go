package oauth

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

var supported = []struct{ name, body, want, says string }{
	{"names", `{"issuer":"x","scopes_supported":["sql","openid","sql"],"grant_types_supported":["a"]}`, "openid sql", ""},
	{"none", `{"issuer":"x"}`, "", "no scopes_supported"},
	{"null", `{"scopes_supported":null}`, "", "not a list"},
	{"a text", `{"scopes_supported":"sql openid"}`, "", "not a list"},
	{"a list", `["sql"]`, "", "no scopes_supported"},
	{"twice", `{"scopes_supported":["sql"],"scopes_supported":["jobs"]}`, "", "same name"},
	{"an odd name", `{"scopes_supported":["sql","a b"]}`, "", "not the name of a scope"},
}

func TestReadSupported(t *testing.T) {
	t.Parallel()
	for _, test := range supported {
		names, err := readSupported([]byte(test.body))
		if strings.Join(names, " ") != test.want || (err != nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %s, %v", test.name, names, err)
		}
	}
}

func FuzzReadSupported(f *testing.F) {
	for _, seed := range supported {
		f.Add([]byte(seed.body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		names, err := readSupported(body)
		if (err == nil) != (len(names) > 0) || len(names) > 1000 {
			t.Errorf("%d names, %v", len(names), err)
		}
		for _, name := range names {
			if len(name) > 100 || strings.ContainsAny(name, " \"\\\n\x00\x7f") {
				t.Errorf("name %q", name)
			}
		}
	})
}

func TestSupportedScopes(t *testing.T) {
	t.Parallel()
	workspace := fakeworkspace.New(fakeworkspace.WithScopeNames([]string{"teleport", "openid"}, nil))
	if err := workspace.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(workspace.Close)
	names, err := SupportedScopes(t.Context(), workspace.URL(), 10*time.Second)
	if err != nil || strings.Join(names, " ") != "openid teleport" {
		t.Fatalf("got %s, %v", names, err)
	}
	for _, request := range workspace.Requests() {
		if len(request.Header["Authorization"]) > 0 || request.Path != metadataPath {
			t.Errorf("%s %s with %v", request.Method, request.Path, request.Header)
		}
	}
	workspace.Handle("GET "+metadataPath, http.RedirectHandler("https://elsewhere.example.com/", http.StatusFound))
	if names, err := SupportedScopes(t.Context(), workspace.URL(), 10*time.Second); err == nil {
		t.Errorf("it followed a redirect: %s", names)
	}
	if names, err := SupportedScopes(t.Context(), "://", time.Second); err == nil {
		t.Errorf("of no workspace: %s", names)
	}
}
