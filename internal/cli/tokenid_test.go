package cli

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/scopegate/scopegate/internal/usage"
)

// TestTokenIDByPrefix holds that the ids in tables can be used, and that text which is
// not an id is not sent anywhere.
func TestTokenIDByPrefix(t *testing.T) {
	one, two := strings.Repeat("ab", 32), strings.Repeat("ab", 31)+"cd"
	third := "0123456789" + strings.Repeat("e", 54)
	asked := ""
	answer := answering(usage.Report{Rows: []usage.Row{
		{ListedToken: usage.ListedToken{ID: one}}, {ListedToken: usage.ListedToken{ID: two}}, {ListedToken: usage.ListedToken{ID: third}},
	}})
	gateway := func(_, method, uri string, header http.Header, body io.Reader) (*http.Response, error) {
		asked = uri
		return answer("", method, uri, header, body)
	}
	address, none := "gateway", ""
	for _, test := range []struct {
		name, text, want, problem string
		asks                      bool
	}{
		{"whole", one, one, "", false},
		{"as in a table", "0123456789ee…", third, "", true},
		{"capitals", "0123456789EE", third, "", true},
		{"several", "abababababab", "", "several token ids start with these digits", true},
		{"none", "ffffffffffff", "", "no token whose id starts with these digits", true},
		{"too short", "0123456", "", "64 hexadecimal digits; give at least the first 8, not 7", false},
		{"too long", third + "0", "", "no token whose id starts with these digits", true},
		{"a token", "dapi0123456789abcdef0123456789abcdef", "", "64 hexadecimal digits, got 36 characters; its first 8 or more are enough", false},
		{"nothing", "", "", "64 hexadecimal digits", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			asked = ""
			id, err := addressFlag{&address, configFlags{&none, &none}, Deps{AdminDo: gateway, FindAdmin: findTestAdmin}}.tokenID(test.text, "https://w.example.com")
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
	if _, err := run(t, gateway, "", "revoke", "0123456789ee", "--yes"); err == nil || !strings.Contains(err.Error(), "--yes needs the whole token id: a token id has 64 hexadecimal digits") {
		t.Errorf("revoke --yes by a part of the id: %v", err)
	}
	for want, args := range map[string][]string{
		"pass the id of one token, not 0, or --all or --where for many":                       {"recommend"},
		"pass the id of one token, not 0, or --unused, --owner or --expired-owner for many; ": {"revoke"},
		"pass the id of one token, not 2, or --unused":                                        {"revoke", one, third},
	} {
		if _, err := run(t, gateway, "", args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", args, err)
		}
	}
}
