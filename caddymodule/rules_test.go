package caddymodule

import (
	"strings"
	"testing"

	"github.com/scopegate/scopegate/scopes"
)

// TestHashOfOrigins: origins count in the hash, and configurations that allow the same ones
// have the same hash.
func TestHashOfOrigins(t *testing.T) {
	t.Parallel()
	hash := func(origins ...string) string {
		t.Helper()
		sum, err := Rules{CORS: origins}.hash()
		if err != nil {
			t.Fatal(err)
		}
		return sum
	}
	one := hash("https://a.example.com", "http://localhost:3000")
	if one != hash("http://localhost:3000", "HTTPS://A.example.com:443", "https://a.example.com") {
		t.Error("the same origins have different hashes")
	}
	if one == hash("https://a.example.com") || hash() == hash("*") {
		t.Error("different origins have the same hash")
	}
}

// TestAccessInJSON: mistakes that the Caddyfile's parser finds are found in JSON too.
func TestAccessInJSON(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		policy Policy
		says   string // empty if it is valid
	}{
		{"reads", Policy{Access: "read"}, ""},
		{"reads of a scope", Policy{Scopes: []string{"sql:read", "jobs"}}, ""},
		{"writes", Policy{Access: "write"}, `policy p: access must be read, not "write"; leave it out`},
		{"writes of a scope", Policy{Scopes: []string{"sql:write"}}, `policy p: scopes has "sql:write", but only :read can follow a scope; write sql:read`},
		{"no reads", Policy{Access: "read", Allow: []Route{{"POST", "/api/2.2/jobs/run-now"}}}, "policy p permits nothing: of what it names, no operation of the catalog is known to only read"},
	} {
		test.policy.Name = "p"
		rules := Rules{Policies: []Policy{test.policy}}
		if _, err := rules.compile(scopes.Default()); (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, want %q", test.name, err, test.says)
		}
	}
}

// TestAccessWithOldMap: the error for a map that knows no reads says what to do.
func TestAccessWithOldMap(t *testing.T) {
	t.Parallel()
	old := scopes.Default().Operations()
	for i := range old {
		old[i].Effect, old[i].EffectReason = scopes.Unclassed, ""
	}
	catalog, err := scopes.New(old)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []Policy{{Name: "p", Access: "read"}, {Name: "p", Scopes: []string{"sql:read"}}} {
		rules := Rules{Policies: []Policy{p}}
		if _, err := rules.compile(catalog); err == nil || !strings.Contains(err.Error(), "export and sign it again with this version") {
			t.Errorf("%+v: %v", p, err)
		}
	}
}
