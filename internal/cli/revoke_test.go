package cli

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/testing/fakeworkspace"
)

func TestRevoke(t *testing.T) {
	workspace := startWorkspace(t)
	for _, test := range []struct {
		name, input string
		args        []string
		down        bool
		says        []string
		revoked     bool
	}{
		{name: "no", input: "n\n", says: []string{"comment    a\\n\\u{1b}comment\n", "scopes     jobs, sql\n", "expires    never\n", "Revoke this token permanently? [y/N] ", "nothing was changed"}},
		{name: "yes", input: "YES\n", says: []string{"The token is revoked."}, revoked: true},
		{name: "without asking", args: []string{"--yes"}, says: []string{"The token is revoked."}, revoked: true},
		{name: "gateway down", args: []string{"--yes"}, down: true, says: []string{"note: no gateway was notified (asking the gateway at localhost:9: ", "within their cache ttl", "The token is revoked."}, revoked: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			token := workspace.Mint(fakeworkspace.TokenSpec{Owner: "o@example.com", Scopes: []string{"jobs", "sql"}, Comment: "a\n\x1bcomment"})
			forgotten := ""
			out, err := run(t, func(address, method, uri string, header http.Header, body io.Reader) (*http.Response, error) {
				if test.down {
					return unreachable(address, method, uri, header, body)
				}
				forgotten = method + " " + uri
				return answering(nil)(address, method, uri, header, body)
			}, test.input, append([]string{"revoke", token.Info.TokenId, "--workspace", workspace.URL()}, test.args...)...)
			if (err == nil) != test.revoked {
				t.Errorf("%v", err)
			}
			for _, part := range test.says {
				if !strings.Contains(out, part) {
					t.Errorf("it lacks %q:\n%s", part, out)
				}
			}
			if want := "DELETE /databricks_scopes/tokens/" + token.Info.TokenId; test.revoked && !test.down && forgotten != want || !test.revoked && forgotten != "" {
				t.Errorf("the gateway was asked %q", forgotten)
			}
			if strings.Contains(out, token.Value) {
				t.Error("it prints the token")
			}
			out, err = run(t, unreachable, "", "revoke", token.Info.TokenId, "--workspace", workspace.URL())
			if gone := err != nil && strings.Contains(out, "no token of this id"); gone != test.revoked {
				t.Errorf("afterwards: %v\n%s", err, out)
			}
		})
	}
}
