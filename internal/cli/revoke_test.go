package cli

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/adminapi"
	"github.com/scopegate/scopegate/internal/fleet"
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
			if want := "DELETE /databricks_scopes/tokens/" + token.Info.TokenId + "?workspace=" + url.QueryEscape(workspace.URL()); test.revoked && !test.down && forgotten != want || !test.revoked && forgotten != "" {
				t.Errorf("the gateway was asked %q", forgotten)
			}
			if strings.Contains(out, token.Value) {
				t.Error("it prints the token")
			}
			out, err = run(t, unreachable, "", "revoke", token.Info.TokenId, "--workspace", workspace.URL())
			if gone := err != nil && strings.Contains(out, workspace.URL()+": the workspace has no token of this id"); gone != test.revoked {
				t.Errorf("afterwards: %v\n%s", err, out)
			}
		})
	}
}

// TestRevokeOnceMore: what the workspace does not have, a gateway may still know.
func TestRevokeOnceMore(t *testing.T) {
	workspace := startWorkspace(t)
	id := strings.Repeat("ab", 32)
	gone := "The workspace " + workspace.URL() + " has no token of this id (any more); the gateway has forgotten it.\n"
	for _, test := range []struct {
		name    string
		gateway adminapi.Do
		says    []string
		fails   bool
	}{
		{name: "told", gateway: answering(adminapi.Forgotten{Known: true}), says: []string{gone}},
		{name: "it did not know it", gateway: answering(adminapi.Forgotten{}), says: []string{gone}},
		{name: "Redis is down", gateway: answering(adminapi.Forgotten{Untold: fleet.StoreDown}), says: []string{gone, "note: Redis is down: "}},
		{name: "it has no handler", gateway: answering(adminapi.Forgotten{Untold: fleet.NoHandler}), says: []string{"note: no gateway was notified", workspace.URL() + ": the workspace has no token of this id"}, fails: true},
		{name: "nobody there", gateway: unreachable, says: []string{"note: no gateway was notified", workspace.URL() + ": the workspace has no token of this id"}, fails: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var asked []string
			out, err := run(t, func(address, method, uri string, header http.Header, body io.Reader) (*http.Response, error) {
				asked = append(asked, address+" "+method+" "+uri)
				return test.gateway(address, method, uri, header, body)
			}, "", "revoke", id, "--workspace", workspace.URL(), "--address", "localhost:7")
			if (err != nil) != test.fails || strings.Contains(out, gone) == test.fails {
				t.Errorf("%v\n%s", err, out)
			}
			for _, part := range test.says {
				if !strings.Contains(out, part) {
					t.Errorf("it lacks %q:\n%s", part, out)
				}
			}
			want := "localhost:7 DELETE /databricks_scopes/tokens/" + id + "?workspace=" + url.QueryEscape(workspace.URL())
			if len(asked) != 1 || asked[0] != want {
				t.Errorf("the gateway was asked %q", asked)
			}
		})
	}
}
